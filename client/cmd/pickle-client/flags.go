package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/thirdparty"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
)

// options are what the flags say, checked.
type options struct {
	addr, format, in, out, trace string
	script1                      bool // no argument: do what script1.py does
	protocol                     int
	protocolGiven                bool
	halfClose                    bool
	timeout                      timeout
	maxMessage                   size

	transport transport.Transport
	codec     pickleproto.Codec
	tls       *tls.Config
	request   any
}

var errHelp = errors.New("help was asked for")

const usage = `usage: pickle-client [flags] [LITERAL]

Sends a value to a program that answers pickles over a socket, and prints the answer. The value is
a Python literal, or a pickle with -in. Without either it does what script1.py does.

  pickle-client                                     # talks to script2.py on localhost:12345
  pickle-client "{'numbers': [1, 2]}"
  pickle-client -addr localhost:9000 -transport multiprocessing -authkey-file key "('add', 2, 40)"
  pickle-client -in request.pickle -format json
  pickle-client -in request.pickle -format go       # the Go types that fit it; asks no server

Exit codes: 0 answered; 1 the answer is an exception, which is printed; 2 wrong usage; 3 could not
connect, or the handshake failed; 4 timeout, cut off, or not a pickle.

Flags:
`

// parse reads the arguments and the request. What is wrong with them is the error; nothing has
// been printed then.
func parse(args []string, stdin io.Reader, stdout io.Writer) (*options, error) {
	o := &options{timeout: timeout{30 * time.Second}, maxMessage: size{pickleproto.DefaultMaxMessage}}
	var transportName, terminator, codecName, authkeyFile, tlsCA, tlsCert, tlsKey string
	var useTLS bool
	f := flag.NewFlagSet("pickle-client", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.addr, "addr", "localhost:12345", "`address` of the server: host:port or unix:PATH")
	f.StringVar(&transportName, "transport", "raw", "where a message ends, one of\n"+strings.Join(transport.Names(), ", "))
	f.StringVar(&terminator, "terminator", "", "the `text` behind each pickle, with -transport terminator")
	f.IntVar(&o.protocol, "protocol", pickleproto.DefaultProtocol, "pickle protocol of the request, 0 to 5")
	f.StringVar(&codecName, "codec", "native", strings.Join(codecNames(), " or "))
	f.StringVar(&authkeyFile, "authkey-file", "", "`file` with the authkey for -transport multiprocessing")
	f.BoolVar(&useTLS, "tls", false, "encrypt; the server's certificate must be for the host of -addr")
	f.StringVar(&tlsCA, "tls-ca", "", "PEM `file` with the CA to trust instead of the system's; turns TLS on")
	f.StringVar(&tlsCert, "tls-cert", "", "PEM `file` with this client's certificate; turns TLS on")
	f.StringVar(&tlsKey, "tls-key", "", "PEM `file` with its key")
	f.Var(&o.timeout, "timeout", "for all of it, `duration` or none")
	f.BoolVar(&o.halfClose, "half-close", false, "close the sending side after the request (always done without argument)")
	f.Var(&o.maxMessage, "max-message", "largest answer, `size` as 64MiB")
	f.StringVar(&o.in, "in", "", "`file` with the request as a pickle; - is standard input")
	f.StringVar(&o.out, "out", "", "`file` for the answer instead of standard output")
	f.StringVar(&o.format, "format", "repr", "how the answer is printed: "+strings.Join(formats, ", "))
	f.StringVar(&o.trace, "trace", "", "`file` for the conversation as a Mermaid sequence diagram")
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		f.SetOutput(stdout)
		f.PrintDefaults()
		return nil, errHelp
	}
	if err != nil {
		if strings.Contains(err.Error(), "not defined: -") && slices.ContainsFunc(args, negative) {
			return nil, fmt.Errorf("%w (a literal that begins with a minus goes behind --)", err)
		}
		return nil, fmt.Errorf("%w (-help lists the flags)", err)
	}

	f.Visit(func(set *flag.Flag) { o.protocolGiven = o.protocolGiven || set.Name == "protocol" })
	if o.protocol < 0 || o.protocol > pickleproto.HighestProtocol {
		return nil, fmt.Errorf("-protocol is a pickle protocol from 0 to %d, not %d", pickleproto.HighestProtocol, o.protocol)
	}
	if o.codec = codecByName(codecName); o.codec == nil {
		return nil, fmt.Errorf("unknown codec %q: it is %s", codecName, strings.Join(codecNames(), " or "))
	}
	if !knownFormat(o.format) {
		return nil, fmt.Errorf("unknown format %q: it is one of %s", o.format, strings.Join(formats, ", "))
	}
	var auth transport.Auth
	if authkeyFile != "" {
		if auth.Key, err = readKey(authkeyFile); err != nil {
			return nil, err
		}
	}
	if o.transport, err = transport.ByName(transportName, terminator, auth); err != nil {
		return nil, err
	}
	if useTLS || tlsCA != "" || tlsCert != "" || tlsKey != "" {
		if o.tls, err = tlsConfig(tlsCA, tlsCert, tlsKey); err != nil {
			return nil, err
		}
	}
	return o, o.readRequest(f.Args(), stdin)
}

// negative tells whether an argument looks like a number and not like a flag.
func negative(arg string) bool {
	return len(arg) > 1 && arg[0] == '-' && (arg[1] >= '0' && arg[1] <= '9' || arg[1] == '.')
}

// readKey reads an authkey: the file's bytes without a final newline.
func readKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key = bytes.TrimSuffix(key, []byte("\n"))
	if len(key) == 0 {
		return nil, fmt.Errorf("%s is empty: an empty authkey proves nothing", path)
	}
	return key, nil
}

func tlsConfig(ca, cert, key string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", ca)
		}
	}
	if cert == "" && key == "" {
		return cfg, nil
	}
	if cert == "" || key == "" {
		return nil, errors.New("a client certificate needs both -tls-cert and -tls-key")
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	cfg.Certificates = []tls.Certificate{pair}
	return cfg, nil
}

func codecNames() []string { return []string{"native", "thirdparty"} }

func codecByName(name string) pickleproto.Codec {
	switch name {
	case "native":
		return pickleproto.Native
	case "thirdparty":
		return thirdparty.Codec
	}
	return nil
}
