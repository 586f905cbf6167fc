// Command certs writes the certificates of the TLS tests into a directory: a CA that both ends
// trust, another that nobody does, and for each end a good one and bad ones.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// issuer is a certificate with its key.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: certs DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "certs:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	// Both ways in which a client may name the server.
	loopback, localhost := []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost"}
	authority := func() *x509.Certificate {
		return &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	}
	ca, err := issue(dir, "ca", authority(), nil)
	if err != nil {
		return err
	}
	stranger, err := issue(dir, "stranger", authority(), nil)
	if err != nil {
		return err
	}
	expired := time.Now().Add(-time.Hour)
	for _, c := range []struct {
		name string
		by   *issuer
		cert x509.Certificate
	}{
		{"server", ca, x509.Certificate{IPAddresses: loopback, DNSNames: localhost}},
		{"server-expired", ca, x509.Certificate{IPAddresses: loopback, DNSNames: localhost, NotAfter: expired}},
		{"server-other-name", ca, x509.Certificate{DNSNames: []string{"example.com"}}},
		{"server-stranger", stranger, x509.Certificate{IPAddresses: loopback, DNSNames: localhost}},
		{"client", ca, x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}},
		{"client-expired", ca, x509.Certificate{NotAfter: expired, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}},
		{"client-stranger", stranger, x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}},
	} {
		if _, err := issue(dir, c.name, &c.cert, c.by); err != nil {
			return err
		}
	}
	return nil
}

// issue writes name.pem and name.key; without an issuer the certificate signs itself.
func issue(dir, name string, c *x509.Certificate, by *issuer) (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		return nil, err
	}
	c.Subject = pkix.Name{CommonName: name}
	c.NotBefore = time.Now().Add(-2 * time.Hour)
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(24 * time.Hour)
	}
	if !c.IsCA {
		c.KeyUsage = x509.KeyUsageDigitalSignature
	}
	parent, signer := c, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	for suffix, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(filepath.Join(dir, name+suffix), pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, err
		}
	}
	return &issuer{cert, key}, nil
}
