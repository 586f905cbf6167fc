package managers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
	"github.com/picklebridge/picklebridge/server"
)

// DefaultMaxObjects is the default of Manager.MaxObjects.
const DefaultMaxObjects = 100_000

// Manager serves Go values to Python's multiprocessing.managers. Its fields are not to be changed
// once Serve has been called. It is safe for use by many goroutines.
type Manager struct {
	// Auth is the authkey, which must be there: a Python manager always has one, and a client with
	// one waits for ever for a server without.
	Auth transport.Auth

	// Server bounds the connections: limits, timeouts, numbers, log. Its Handler, ServeConn and
	// Transport are of no account. Nil is the defaults.
	Server *server.Server

	// MaxObjects is how many objects clients may have made at a time; default 100,000, a negative
	// value is no limit. One more is MemoryError to the client.
	MaxObjects int

	// OrphanTimeout, if not zero, lets go of the objects of clients that died without giving back
	// their references: an object goes when for this time no connection has been open that has
	// called it, or, as long as none has, no connection from the host that made it. Without it
	// such an object stays, as it does in Python.
	OrphanTimeout time.Duration

	// OnShutdown, if not nil, is called when a client demands the server's end. Without it the
	// demand is refused: a client that merely connected has no business to end the server.
	OnShutdown func()

	// Address is what proxies within results say where the manager is; nil is the address of the
	// listener, which will do unless that is of all interfaces.
	Address net.Addr

	mu        sync.Mutex // guards what follows
	registry  map[string]*registration
	running   *server.Server
	listening net.Addr

	setup      sync.Once
	objects    table
	log        *slog.Logger
	bindOpts   []pickleproto.Option
	decode     *pickleproto.Prepared // of requests
	decodeLong *pickleproto.Prepared // of long ones
	direct     *pickleproto.Prepared // of those of which call.directly reads
	encode     [pickleproto.HighestProtocol + 1]*pickleproto.Prepared
}

// registration is what Register was told of a typeid.
type registration struct {
	typeid  string
	factory *method        // makes the value; nil if value is it, or results of methods are
	make    maker          // the same for the types that need no reflection
	value   any            // shared by all who create one
	cfg     registerConfig // of the values' methods

	mu     sync.Mutex
	shared *object // the value's, while there is one
}

// Register makes the typeid known, so that in Python
//
//	class M(BaseManager): pass
//	M.register('typeid')
//
// gives the client's manager a method m.typeid(). What that makes depends on v:
//
//   - a function: it is called with the arguments of m.typeid(...), and what it returns is the
//     object, a new one for each call. A context comes first if it takes one, and its last result
//     may be an error.
//   - nil: nothing; only results of methods are of that type, see Returns.
//   - any other value: each call gives a proxy of this one value, as with a callable in Python
//     that returns a global.
//
// The exported methods of the value are the proxy's, under snake_case names: see the package
// comment. Clients call them from many goroutines at a time.
func (m *Manager) Register(typeid string, v any, opts ...RegisterOption) error {
	r := &registration{typeid: typeid}
	for _, o := range opts {
		o(&r.cfg)
	}
	if isFunc(v) {
		f, err := methodOf(typeid, reflect.ValueOf(v), nil)
		if err != nil {
			return err
		}
		if f.results != 1 {
			return fmt.Errorf("managers: the function for %q must return one value, and may return an error", typeid)
		}
		r.factory = f
	} else if v != nil {
		if _, err := targetOf(v, &r.cfg, typeid); err != nil {
			return err
		}
		r.value = v
	}
	return m.register(r)
}

func (m *Manager) registration(typeid string) *registration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.registry[typeid]
}

// Serve accepts connections from ln, a TCP or Unix listener, until Shutdown or Close is called,
// or ctx ends, which shuts down gently. It then returns server.ErrServerClosed. It may be called
// for several listeners.
func (m *Manager) Serve(ctx context.Context, ln net.Listener) error {
	if len(m.Auth.Key) == 0 {
		return errors.New("managers: an authkey is needed: Python's managers always have one")
	}
	s := m.server()
	m.mu.Lock()
	m.listening = ln.Addr()
	m.mu.Unlock()
	return s.Serve(ctx, ln)
}

// Shutdown stops accepting, lets the calls under way come to their end and closes the
// connections; when ctx ends first, at once.
func (m *Manager) Shutdown(ctx context.Context) error { return m.server().Shutdown(ctx) }

// Close closes all connections at once. Calls that wait for something give up.
func (m *Manager) Close() error { return m.server().Close() }

func (m *Manager) server() *server.Server {
	m.setup.Do(func() {
		base := m.Server
		if base == nil {
			base = &server.Server{}
		}
		s := &server.Server{
			ServeConn: m.serveConn,
			Transport: transport.Multiprocessing(m.Auth),
			Limits:    base.Limits, Budget: base.Budget,
			ReadTimeout: base.ReadTimeout, WriteTimeout: base.WriteTimeout, IdleTimeout: base.IdleTimeout,
			HandshakeTimeout: base.HandshakeTimeout, DrainTimeout: base.DrainTimeout,
			MaxConns: base.MaxConns, MaxConnsPerAddr: base.MaxConnsPerAddr,
			Log: base.Log, Trace: base.Trace,
		}
		m.log = base.Log
		if m.log == nil {
			m.log = slog.Default()
		}
		m.bindOpts = append([]pickleproto.Option{pickleproto.WithLimits(base.Limits), pickleproto.WithBudget(base.Budget)}, base.Options...)
		decoding := func(more ...pickleproto.Option) *pickleproto.Prepared {
			return pickleproto.Prepare(slices.Concat(m.bindOpts, more)...)
		}
		m.decode, m.decodeLong, m.direct = decoding(), decoding(pickleproto.WithCopyStrings()), decoding(pickleproto.WithDisallowUnknownFields())
		for p := range m.encode {
			m.encode[p] = pickleproto.Prepare(slices.Concat([]pickleproto.Option{pickleproto.WithLimits(base.Limits)},
				base.Options, []pickleproto.Option{pickleproto.WithProtocol(p)})...)
		}
		m.objects.init(m.MaxObjects, m.OrphanTimeout)
		m.mu.Lock()
		m.running = s
		m.mu.Unlock()
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.running
}
