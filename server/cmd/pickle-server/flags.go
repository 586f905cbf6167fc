package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/thirdparty"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
	"github.com/picklebridge/picklebridge/server"
	"github.com/picklebridge/picklebridge/server/logging"
)

// options are what the flags say, checked.
type options struct {
	addr, handlerName, codecName, onError, trace string
	insecure, once, keepMemo                     bool
	protocol                                     int // -1 mirrors the request's

	handler   server.Handler
	collector *logging.Collector // instead of a handler
	transport transport.Transport
	codec     pickleproto.Codec
	tls       *tls.Config
	log       *slog.Logger

	maxMessage, maxMemory size
	maxDepth, maxConns    int
	maxConnsPerAddr       count

	readTimeout, writeTimeout, idleTimeout, handshakeTimeout, drainTimeout timeout
}

var errHelp = errors.New("help was asked for")

const usage = `usage: pickle-server [flags]

Answers Python programs that send pickles over a socket. Without flags it does what script2.py
does: it listens on localhost:12345, adds 1 to each of the numbers it is sent, and sends them back.
Nothing that a peer sends runs code here.

  pickle-server                                     # script1.py can be run against it
  pickle-server -handler echo -transport u32be      # every message comes back, behind its length
  pickle-server -addr :9000 -transport multiprocessing -authkey-file key
  pickle-server -handler logging -transport u32be -addr localhost:9020   # Python's SocketHandler

Flags:
`

// parse reads the arguments. What is wrong with them is the error; nothing has been printed then.
func parse(args []string, stdout, stderr io.Writer) (*options, error) {
	o := &options{
		maxMessage: size{pickleproto.DefaultMaxMessage}, maxMemory: size{defaultMemory()},
		readTimeout: timeout{30 * time.Second}, writeTimeout: timeout{30 * time.Second},
		handshakeTimeout: timeout{10 * time.Second}, drainTimeout: timeout{10 * time.Second},
	}
	var transportName, terminator, protocol, authkeyFile, tlsCert, tlsKey, tlsClientCA, logFormat, logLevel string
	var forbidMD5 bool
	f := flag.NewFlagSet("pickle-server", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.addr, "addr", "localhost:12345", "`address` to listen on: host:port, with port 0 for a free one, unix:PATH, or,\nfor -handler logging, udp:host:port")
	f.BoolVar(&o.insecure, "insecure", false, "allow an address that other machines reach without TLS or authkey")
	f.StringVar(&transportName, "transport", "raw", "where a message ends, one of\n"+strings.Join(transport.Names(), ", "))
	f.StringVar(&terminator, "terminator", "", "the `text` behind each pickle, with -transport terminator")
	f.StringVar(&o.handlerName, "handler", "increment", "increment (what script2.py does), echo, or logging: print the records of Python's\nSocketHandler, or with -addr udp:... DatagramHandler, in -log-format on stdout")
	f.StringVar(&protocol, "protocol", "mirror", "pickle protocol of the answers: mirror (the request's), or 0 to 5")
	f.StringVar(&o.codecName, "codec", "native", strings.Join(codecNames(), " or "))
	f.BoolVar(&o.once, "once", false, "serve one connection as script2.py does, and end")
	f.StringVar(&o.onError, "on-error", "reply", "reply (a pickled exception) or close")
	f.StringVar(&authkeyFile, "authkey-file", "", "`file` with the authkey for -transport multiprocessing")
	f.BoolVar(&forbidMD5, "forbid-md5", false, "refuse HMAC-MD5 as proof of the authkey (Python up to 3.11 knows nothing else)")
	f.StringVar(&tlsCert, "tls-cert", "", "PEM `file` with the server's certificate; turns TLS on")
	f.StringVar(&tlsKey, "tls-key", "", "PEM `file` with its key")
	f.StringVar(&tlsClientCA, "tls-client-ca", "", "PEM `file` with the CA whose client certificates are demanded")
	f.Var(&o.maxMessage, "max-message", "largest message, `size` as 64MiB")
	f.IntVar(&o.maxDepth, "max-depth", pickleproto.DefaultMaxDepth, "deepest nesting of a message")
	f.Var(&o.maxMemory, "max-memory", "memory for all messages together, `size`; by default half of the machine's, or GOMEMLIMIT")
	f.IntVar(&o.maxConns, "max-conns", 10_000, "connections at a time")
	f.Var(&o.maxConnsPerAddr, "max-conns-per-addr", "connections at a time from one address, or none")
	f.Var(&o.readTimeout, "read-timeout", "for one whole message, `duration` or none")
	f.Var(&o.writeTimeout, "write-timeout", "for one whole answer, `duration` or none")
	f.Var(&o.idleTimeout, "idle-timeout", "between messages, `duration` or none; 5m by default, none with multiprocessing and logging")
	f.Var(&o.handshakeTimeout, "handshake-timeout", "for TLS and the authkey, `duration` or none")
	f.Var(&o.drainTimeout, "drain-timeout", "at the end, for requests under way, `duration`")
	f.BoolVar(&o.keepMemo, "keep-memo", false, "keep the memo between messages, for a peer that keeps one pickle.Pickler")
	f.StringVar(&o.trace, "trace", "", "`file` for the conversation as a Mermaid sequence diagram")
	f.StringVar(&logFormat, "log-format", "text", "text or json")
	f.StringVar(&logLevel, "log-level", "info", "debug, info, warn or error")
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		f.SetOutput(stdout)
		f.PrintDefaults()
		return nil, errHelp
	}
	if err != nil {
		return nil, fmt.Errorf("%w (-help lists the flags)", err)
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q (-help lists the flags)", f.Arg(0))
	}

	switch o.handlerName {
	case "increment":
		o.handler = server.Increment
	case "echo":
		o.handler = server.Echo
	case "logging":
		given := map[string]bool{}
		f.Visit(func(f *flag.Flag) { given[f.Name] = true })
		if !given["transport"] {
			transportName = "u32be"
		}
		if !given["addr"] {
			o.addr = "localhost:9020" // logging.handlers.DEFAULT_TCP_LOGGING_PORT
		}
		if o.idleTimeout.d == 0 {
			o.idleTimeout.d = -1
		}
		if o.collector, err = collector(stdout, logFormat); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("unknown handler %q: it is increment, echo or logging", o.handlerName)
	}
	if strings.HasPrefix(o.addr, "udp:") && (o.collector == nil || tlsCert != "" || o.once) {
		return nil, errors.New("-addr udp:... is for -handler logging, without TLS and -once")
	}
	if o.codec = codecByName(o.codecName); o.codec == nil {
		return nil, fmt.Errorf("unknown codec %q: it is %s", o.codecName, strings.Join(codecNames(), " or "))
	}
	if o.keepMemo && o.codecName != "native" {
		return nil, errors.New("-keep-memo goes with -codec native: the others have no memo to keep")
	}
	if o.onError != "reply" && o.onError != "close" {
		return nil, fmt.Errorf("-on-error is reply or close, not %q", o.onError)
	}
	o.protocol = -1
	if protocol != "mirror" {
		if o.protocol, err = strconv.Atoi(protocol); err != nil || o.protocol < 0 || o.protocol > pickleproto.HighestProtocol {
			return nil, fmt.Errorf("-protocol is mirror or a pickle protocol from 0 to %d, not %q", pickleproto.HighestProtocol, protocol)
		}
	}
	auth := transport.Auth{ForbidMD5: forbidMD5}
	if authkeyFile != "" {
		if auth.Key, err = readKey(authkeyFile); err != nil {
			return nil, err
		}
	}
	if o.transport, err = transport.ByName(transportName, terminator, auth); err != nil {
		return nil, err
	}
	if o.tls, err = tlsConfig(tlsCert, tlsKey, tlsClientCA); err != nil {
		return nil, err
	}
	if o.log, err = logger(stderr, logFormat, logLevel); err != nil {
		return nil, err
	}
	for name, n := range map[string]*int{"max-depth": &o.maxDepth, "max-conns": &o.maxConns} {
		if *n <= 0 {
			return nil, fmt.Errorf("-%s must be more than 0", name)
		}
	}
	return o, o.checkAddr(auth.Key != nil)
}

// checkAddr refuses to serve strangers: whoever reaches the port may use it.
func (o *options) checkAddr(authkey bool) error {
	if o.addr == "unix:" { // the system would choose a name that nobody knows
		return errors.New("-addr: unix: needs the path of a socket behind it")
	}
	local, err := loopback(o.addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	if local || o.insecure || o.tls != nil || authkey {
		return nil
	}
	return fmt.Errorf("%s can be reached by other machines, and without TLS (-tls-cert, -tls-key) or an authkey anybody there could send requests and read the answers: add one of these, listen on localhost, or say -insecure", o.addr)
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

func tlsConfig(cert, key, clientCA string) (*tls.Config, error) {
	if cert == "" && key == "" && clientCA == "" {
		return nil, nil
	}
	if cert == "" || key == "" {
		return nil, errors.New("TLS needs both -tls-cert and -tls-key")
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if clientCA != "" {
		pem, err := os.ReadFile(clientCA)
		if err != nil {
			return nil, err
		}
		cfg.ClientCAs = x509.NewCertPool()
		if !cfg.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", clientCA)
		}
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return cfg, nil
}

func logger(w io.Writer, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("-log-level is debug, info, warn or error, not %q", level)
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("-log-format is text or json, not %q", format)
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

// defaultMemory is half of the machine's memory, or GOMEMLIMIT if that is set.
func defaultMemory() int64 {
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		return limit
	}
	info, err := os.ReadFile("/proc/meminfo")
	if err == nil {
		for line := range strings.Lines(string(info)) {
			if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
				if kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64); err == nil {
					return kib << 10 / 2
				}
			}
		}
	}
	return 2 << 30
}
