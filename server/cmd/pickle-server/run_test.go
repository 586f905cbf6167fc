package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// output collects what a command prints, while it runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// command is one that runs.
type command struct {
	addr           string
	stdout, stderr output
	stop           func() int
}

var listening = regexp.MustCompile(`msg=listening addr=(\S+)`)

func start(t *testing.T, args ...string) *command {
	s := &command{}
	ctx, cancel := context.WithCancel(context.Background())
	code := make(chan int, 1)
	go func() { code <- run(ctx, args, nil, &s.stdout, &s.stderr) }()
	s.stop = sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() { s.stop() })
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		if m := listening.FindStringSubmatch(s.stderr.String()); m != nil {
			s.addr = m[1]
			return s
		}
		require.Less(t, time.Since(begin), 10*time.Second, "%s", &s.stderr)
	}
}

// ask sends a pickle, half-closes and returns what comes back.
func ask(t *testing.T, nc net.Conn, request string) string {
	defer nc.Close()
	require.NoError(t, nc.SetDeadline(time.Now().Add(10*time.Second)))
	_, err := nc.Write([]byte(request))
	require.NoError(t, err)
	require.NoError(t, nc.(interface{ CloseWrite() error }).CloseWrite())
	b, err := io.ReadAll(nc)
	require.NoError(t, err)
	return string(b)
}

func TestServesAndEnds(t *testing.T) {
	s := start(t, "-addr", "127.0.0.1:0", "-handler", "echo")
	nc, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	assert.Equal(t, "N.", ask(t, nc, "N."))
	assert.Equal(t, exitOK, s.stop())
	assert.Empty(t, s.stdout.String())
	_, err = net.Dial("tcp", s.addr)
	require.Error(t, err)
}

func TestOnce(t *testing.T) {
	s := start(t, "-addr", "127.0.0.1:0", "-handler", "echo", "-once", "-log-format", "text")
	nc, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	port := nc.LocalAddr().(*net.TCPAddr).Port
	assert.Equal(t, "N.", ask(t, nc, "N."))
	assert.Eventually(t, func() bool { return strings.Contains(s.stdout.String(), "\n") }, 5*time.Second, time.Millisecond)
	assert.Equal(t, "Connected by ('127.0.0.1', "+big.NewInt(int64(port)).String()+")\n", s.stdout.String())
}

func TestHelp(t *testing.T) {
	var out, errs output
	assert.Equal(t, exitOK, run(context.Background(), []string{"-help"}, nil, &out, &errs))
	for _, flag := range []string{"-addr", "-transport", "-handler", "-protocol", "-codec", "-once", "-on-error", "-authkey-file",
		"-forbid-md5", "-tls-cert", "-tls-key", "-tls-client-ca", "-max-message", "-max-depth", "-max-memory", "-max-conns",
		"-max-conns-per-addr", "-read-timeout", "-write-timeout", "-idle-timeout", "-handshake-timeout", "-drain-timeout",
		"-keep-memo", "-trace", "-log-format", "-log-level", "-insecure", "-terminator"} {
		assert.Regexp(t, `(?m)^  `+flag+`\b`, out.String())
	}
	assert.Empty(t, errs.String())
}

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-addr", "0.0.0.0:0"}, "-insecure"},
		{[]string{"-addr", ":0"}, "TLS"},
		{[]string{"-addr", "nonsense"}, "-addr"},
		{[]string{"-addr", "unix:"}, "path"},
		{[]string{"-max-message", "12XB"}, "size"},
		{[]string{"-max-message", "0"}, "size"},
		{[]string{"-read-timeout", "soon"}, "duration"},
		{[]string{"-max-conns", "0"}, "max-conns"},
		{[]string{"-max-conns-per-addr", "-1"}, "none"},
		{[]string{"-protocol", "6"}, "protocol"},
		{[]string{"-handler", "dance"}, "dance"},
		{[]string{"-codec", "none"}, "codec"},
		{[]string{"-on-error", "cry"}, "cry"},
		{[]string{"-log-level", "loud"}, "loud"},
		{[]string{"-log-format", "xml"}, "xml"},
		{[]string{"-transport", "pigeon"}, "pigeon"},
		{[]string{"-transport", "terminator"}, "needs the terminator"},
		{[]string{"-terminator", "x"}, "terminator"},
		{[]string{"-forbid-md5"}, "multiprocessing"},
		{[]string{"-authkey-file", empty, "-transport", "multiprocessing"}, "empty"},
		{[]string{"-authkey-file", filepath.Join(dir, "none"), "-transport", "multiprocessing"}, "none"},
		{[]string{"-tls-cert", empty}, "-tls-key"},
		{[]string{"-tls-cert", empty, "-tls-key", empty}, "tls"},
		{[]string{"-keep-memo", "-codec", "thirdparty"}, "-keep-memo"},
		{[]string{"more"}, "more"},
	} {
		var out, errs output
		assert.Equal(t, exitUsage, run(context.Background(), tt.args, nil, &out, &errs), "%v", tt.args)
		assert.Contains(t, errs.String(), tt.want)
		assert.Equal(t, 1, strings.Count(errs.String(), "\n"), "%q", errs.String())
	}
}

func TestPortInUse(t *testing.T) {
	s := start(t, "-addr", "127.0.0.1:0")
	var out, errs output
	assert.Equal(t, exitFail, run(context.Background(), []string{"-addr", s.addr}, nil, &out, &errs))
	assert.Contains(t, errs.String(), "in use")
	assert.Contains(t, errs.String(), s.addr)
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	// What a server leaves behind that was killed.
	stale, err := net.Listen("unix", path)
	require.NoError(t, err)
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()

	s := start(t, "-addr", "unix:"+path, "-handler", "echo", "-transport", "u32be")
	assert.Equal(t, "unix:"+path, s.addr)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	nc, err := net.Dial("unix", path)
	require.NoError(t, err)
	assert.Equal(t, "\x00\x00\x00\x02N.", ask(t, nc, "\x00\x00\x00\x02N."))

	var out, errs output
	assert.Equal(t, exitFail, run(context.Background(), []string{"-addr", "unix:" + path}, nil, &out, &errs))
	assert.Contains(t, errs.String(), "in use")
	assert.Equal(t, exitOK, s.stop())
	_, err = os.Stat(path)
	require.ErrorIs(t, err, fs.ErrNotExist)

	require.NoError(t, os.WriteFile(path, nil, 0o600))
	assert.Equal(t, exitFail, run(context.Background(), []string{"-addr", "unix:" + path}, nil, &out, &errs))
	assert.Contains(t, errs.String(), "not a socket")
}

// authority makes certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.make("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// make writes name.pem and name.key.
func (a *authority) make(name string, c *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.Subject = pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	require.NoError(a.t, err)
	if a.cert == nil {
		a.key = key
		a.cert, err = x509.ParseCertificate(der)
		require.NoError(a.t, err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	require.NoError(a.t, os.WriteFile(a.path(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(a.t, os.WriteFile(a.path(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

func TestTLS(t *testing.T) {
	ca := newAuthority(t)
	ca.make("server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	ca.make("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	// TLS makes an address that others reach acceptable.
	s := start(t, "-addr", "0.0.0.0:0", "-handler", "echo", "-tls-cert", ca.path("server.pem"), "-tls-key", ca.path("server.key"))
	_, port, err := net.SplitHostPort(s.addr)
	require.NoError(t, err)
	addr := "127.0.0.1:" + port
	nc, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool})
	require.NoError(t, err)
	assert.Equal(t, "N.", ask(t, nc, "N."))
	_, err = tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
	require.Error(t, err, "TLS 1.2 at least")
	plain, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	_, err = plain.Write([]byte("\x80\x04N."))
	require.NoError(t, err)
	require.NoError(t, plain.(*net.TCPConn).CloseWrite())
	_, _ = io.ReadAll(plain)
	plain.Close()
	assert.Eventually(t, func() bool { return strings.Contains(s.stderr.String(), "TLS handshake") }, 5*time.Second, time.Millisecond)

	s = start(t, "-addr", "127.0.0.1:0", "-handler", "echo", "-tls-cert", ca.path("server.pem"), "-tls-key", ca.path("server.key"),
		"-tls-client-ca", ca.path("ca.pem"))
	pair, err := tls.LoadX509KeyPair(ca.path("client.pem"), ca.path("client.key"))
	require.NoError(t, err)
	nc, err = tls.Dial("tcp", s.addr, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}})
	require.NoError(t, err)
	assert.Equal(t, "N.", ask(t, nc, "N."))
	nc, err = tls.Dial("tcp", s.addr, &tls.Config{RootCAs: pool})
	if err == nil { // with TLS 1.3 the refusal comes with the first read
		_, err = nc.Read(make([]byte, 1))
		nc.Close()
	}
	require.Error(t, err)
}

func TestTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.mmd")
	s := start(t, "-addr", "127.0.0.1:0", "-handler", "echo", "-once", "-trace", path)
	nc, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	assert.Equal(t, "\x80\x04N.", ask(t, nc, "\x80\x04N."))
	assert.Equal(t, exitOK, s.stop())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, line := range []string{"sequenceDiagram", "participant C1 as client 127.0.0.1:", "C1->>S: connects", "C1->>S: sends 4 bytes, protocol 4", "S->>S: decodes", "S-->>C1: answers 4 bytes, protocol 4"} {
		assert.Contains(t, string(text), line)
	}
}

func TestUnits(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "5B": 5, "64KiB": 64 << 10, "16MiB": 16 << 20, "3GiB": 3 << 30} {
		var s size
		require.NoError(t, s.Set(text))
		assert.Equal(t, want, s.n)
		var again size
		require.NoError(t, again.Set(s.String()))
		assert.Equal(t, s, again)
	}
	for _, bad := range []string{"", "-1", "0", "1.5MiB", "9999999999GiB", "MiB"} {
		assert.Error(t, new(size).Set(bad), bad)
	}
}
