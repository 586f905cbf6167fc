package pickleproto

import "sync/atomic"

// Option changes how a value is decoded or encoded. Options are immutable, may be kept and may
// be used by many goroutines; an option that does not concern a call is ignored by it.
type Option func(*config)

// config is what the options of one call add up to. It is copied, never shared.
type config struct {
	protocol       int // of Marshal; -1 in a config that has not been set up
	limits         Limits
	encodeMost     int64 // Limits.Message as it is for writing
	budget         *Budget
	copyStrings    bool
	lend           bool
	py2            Python2Strings
	persistentLoad func(id any) (any, error)
	persistentID   func(v any) (id any, ok bool)
	extension      func(code int32) (any, error)
	buffers        [][]byte
	haveBuffers    bool
	bufferCallback func(*Buffer) bool
	memo           *Memo
	binding        bindingConfig
}

// bringsValues reports whether values can come into a message that its bytes do not make.
func (c *config) bringsValues() bool {
	return c.memo != nil || c.haveBuffers || c.persistentLoad != nil || c.extension != nil
}

// DefaultProtocol is the protocol that Marshal writes: CPython's default since 3.8.
const DefaultProtocol = 4

// HighestProtocol is the highest protocol that is read and written.
const HighestProtocol = 5

// defaultConfig is what no options add up to. It is never written.
var defaultConfig = newConfig(nil)

// configOf returns what the options of a call add up to, which the call must not change.
func configOf(opts []Option) *config {
	if len(opts) == 0 {
		return &defaultConfig
	}
	c := &config{protocol: DefaultProtocol}
	c.apply(opts)
	return c
}

func newConfig(opts []Option) config {
	c := config{protocol: DefaultProtocol}
	c.apply(opts)
	return c
}

func (c *config) apply(opts []Option) {
	for _, o := range opts {
		if o != nil {
			o(c)
		}
	}
	c.encodeMost = c.limits.Message
	if c.encodeMost == 0 {
		c.encodeMost = DefaultMaxEncoded
	}
	c.limits.fill()
	if c.encodeMost < 0 {
		c.encodeMost = unlimited
	}
}

// Limits bounds what one pickle may cost. Zero means the default, a negative value no limit.
// Message, Depth, Memo, Digits (below protocol 2), IntSize, Name and Work (what it takes Python to
// hash the keys) hold for what is written as well: nothing is sent that would not be read here.
type Limits struct {
	Message int64 // bytes of one pickle; default 64 MiB to read, 1 GiB to write
	Depth   int64 // nesting, in the order in which the encoder first visits; default 10,000, never above 100,000
	Memory  int64 // bytes allocated for one pickle; default 1 MiB + 64 times the bytes received
	Stack   int64 // items on the unpickling stack; default none beyond Memory
	Marks   int64 // marks on the stack; default 1,000,000
	Memo    int64 // memo entries; default none beyond Memory
	Digits  int64 // decimal digits of a textual integer; default 4,300, as CPython's
	IntSize int64 // bytes of a binary integer (LONG1, LONG4), which is read in linear time; default 1 MiB
	Name    int64 // bytes of a module or attribute name; default 1 KiB
	Work    int64 // steps of hashing, equality and walks; default 10,000,000 + 16 times the bytes
}

// The defaults of Limits.
const (
	DefaultMaxMessage = 64 << 20
	DefaultMaxEncoded = 1 << 30
	DefaultMaxDepth   = 10_000
	DefaultMaxMarks   = 1_000_000
	DefaultMaxDigits  = 4_300
	DefaultMaxIntSize = 1 << 20
	DefaultMaxName    = 1 << 10

	memoryBase, memoryPerByte = 1 << 20, 64
	workBase, workPerByte     = 10_000_000, 16
	unlimited                 = int64(1) << 62
)

func (l *Limits) fill() {
	set := func(p *int64, d int64) {
		if *p == 0 {
			*p = d
		} else if *p < 0 {
			*p = unlimited
		}
	}
	set(&l.Message, DefaultMaxMessage)
	set(&l.Depth, DefaultMaxDepth)
	l.Depth = min(l.Depth, mostDepth)
	set(&l.Stack, unlimited)
	set(&l.Marks, DefaultMaxMarks)
	set(&l.Memo, unlimited)
	set(&l.Digits, DefaultMaxDigits)
	set(&l.IntSize, DefaultMaxIntSize)
	set(&l.Name, DefaultMaxName)
	// Memory and Work depend on the message: see memoryFor and workFor.
}

func (l *Limits) memoryFor(received int) int64 {
	switch {
	case l.Memory < 0:
		return unlimited
	case l.Memory > 0:
		return l.Memory
	}
	return memoryBase + memoryPerByte*int64(received)
}

func (l *Limits) workFor(received int) int64 {
	switch {
	case l.Work < 0:
		return unlimited
	case l.Work > 0:
		return l.Work
	}
	return workBase + workPerByte*int64(received)
}

// Budget bounds the memory that all the pickles decoded or written under it may take at one time, so that
// many connections cannot add up past what one may have. It is safe for use by many goroutines.
type Budget struct {
	max  int64
	used atomic.Int64
}

// NewBudget returns a Budget of max bytes; 0 or less is no limit.
func NewBudget(max int64) *Budget { return &Budget{max: max} }

// Acquire takes n bytes, or takes nothing and returns false if fewer are left.
func (b *Budget) Acquire(n int64) bool {
	if b == nil || b.max <= 0 {
		return true
	}
	if b.used.Add(n) > b.max {
		b.used.Add(-n)
		return false
	}
	return true
}

// Release gives n acquired bytes back.
func (b *Budget) Release(n int64) {
	if b != nil && b.max > 0 {
		b.used.Add(-n)
	}
}

// Used returns the bytes in use.
func (b *Budget) Used() int64 { return b.used.Load() }

// Max returns the bytes that may be in use.
func (b *Budget) Max() int64 { return b.max }

// Python2Strings says what becomes of Python 2's str (STRING, BINSTRING, SHORT_BINSTRING).
type Python2Strings uint8

// As pickle.loads' encoding argument; the default keeps them as ByteString, which loses nothing.
const (
	KeepByteStrings Python2Strings = iota // ByteString
	DecodeASCII                           // string; a byte above 0x7f is an error
	DecodeLatin1                          // string, each byte a character
	DecodeUTF8                            // string; invalid UTF-8 is an error
	AsBytes                               // Bytes, as encoding="bytes"
)

// WithProtocol makes Marshal write protocol p, 0 to 5.
func WithProtocol(p int) Option { return func(c *config) { c.protocol = p } }

// WithLimits sets the limits. Fields that are zero keep their defaults.
func WithLimits(l Limits) Option { return func(c *config) { c.limits = l } }

// WithBudget counts what is decoded, or written, against b while the call runs.
func WithBudget(b *Budget) Option { return func(c *config) { c.budget = b } }

// WithCopyStrings gives each decoded string memory of its own. Without it the strings decoded
// into `any` share blocks of at most 32 KiB, and into Go types of at most 8; those of one list of strs
// share a block that has them all. One that is kept keeps its block.
func WithCopyStrings() Option { return func(c *config) { c.copyStrings = true } }

// WithLentBuffer lets decoded strings and bytes alias the input, which the caller then must not
// change for as long as any of them lives. Nothing is copied.
func WithLentBuffer() Option { return func(c *config) { c.lend = true } }

// WithPython2Strings says what becomes of Python 2's str.
func WithPython2Strings(p Python2Strings) Option { return func(c *config) { c.py2 = p } }

// WithPersistentLoad resolves persistent ids: what f returns takes the place of the
// *PersistentID, as Unpickler.persistent_load.
func WithPersistentLoad(f func(id any) (any, error)) Option {
	return func(c *config) { c.persistentLoad = f }
}

// WithPersistentID makes Marshal ask f for each value whether it is to be written as a persistent
// id, as Pickler.persistent_id.
func WithPersistentID(f func(v any) (id any, ok bool)) Option {
	return func(c *config) { c.persistentID = f }
}

// WithExtension resolves extension codes: what f returns takes the place of the Extension.
func WithExtension(f func(code int32) (any, error)) Option {
	return func(c *config) { c.extension = f }
}

// WithBuffers supplies the out-of-band buffers of a protocol 5 pickle in their order.
// They are not copied.
func WithBuffers(b ...[]byte) Option {
	return func(c *config) { c.buffers, c.haveBuffers = b, true }
}

// WithBufferCallback makes Marshal at protocol 5 offer each *Buffer with Data to f: if f returns
// false the buffer is written out of band, as pickle's buffer_callback; else in band.
func WithBufferCallback(f func(*Buffer) (inBand bool)) Option {
	return func(c *config) { c.bufferCallback = f }
}

// WithMemo keeps the memo from one pickle to the next, for a peer that keeps one
// pickle.Pickler or Unpickler. A Memo serves one direction of one connection.
func WithMemo(m *Memo) Option { return func(c *config) { c.memo = m } }

// LimitsFor returns the limits that the options set for a pickle of so many bytes, with the
// defaults filled in. It is for other implementations of Codec.
func LimitsFor(received int, opts ...Option) Limits {
	c := newConfig(opts)
	c.limits.Memory = c.limits.memoryFor(received)
	c.limits.Work = c.limits.workFor(received)
	return c.limits
}
