package pickleproto_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/internal/corpus"
	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// What CPython 3.8 and later write comes back byte for byte; what older ones write comes back as
// an equal value.
func TestCorpusComesBack(t *testing.T) {
	for _, file := range []string{"objects", "payloads"} {
		exact, equal := 0, 0
		for _, c := range quick.Some(corpus.Load(t, file), 4) {
			var v any
			err := pickleproto.Unmarshal(c.Data, &v, anyDigits)
			if !assert.NoError(t, err, "%s, protocol %d, %s", c.Name, c.Protocol, c.Pythons) {
				continue
			}
			again, err := pickleproto.Marshal(v, pickleproto.WithProtocol(c.Protocol), anyDigits)
			if !assert.NoError(t, err, "%s, protocol %d, %s", c.Name, c.Protocol, c.Pythons) {
				continue
			}
			if c.Exact {
				exact++
				if !bytes.Equal(c.Data, again) {
					assert.Equal(t, clip(c.Data), clip(again), "%s, protocol %d, %s", c.Name, c.Protocol, c.Pythons)
				}
				continue
			}
			equal++
			var w any
			require.NoError(t, pickleproto.Unmarshal(again, &w, anyDigits), "%s, protocol %d, %s", c.Name, c.Protocol, c.Pythons)
			assert.Equal(t, pickleproto.Repr(v), pickleproto.Repr(w), "%s, protocol %d, %s", c.Name, c.Protocol, c.Pythons)
		}
		t.Logf("%s: %d pickles to the byte, %d equal", file, exact, equal)
	}
}

// Python 2.7 and 3.6 have no limit of digits.
var anyDigits = pickleproto.WithLimits(pickleproto.Limits{Digits: -1})

func clip(b []byte) []byte { return b[:min(len(b), 400)] }

// The scanner finds the end of each pickle, also byte by byte, and the protocol to answer in.
func TestCorpusScanned(t *testing.T) {
	for _, c := range quick.Some(append(corpus.Load(t, "objects"), corpus.Load(t, "payloads")...), 4) {
		var s wire.Scanner
		n, done, err := s.Scan(append(slices.Clone(c.Data), "more"...))
		require.NoError(t, err, "%s, protocol %d, %s", c.Name, c.Protocol, c.Pythons)
		require.True(t, done && n == len(c.Data), "%s, protocol %d, %s", c.Name, c.Protocol, c.Pythons)
		if c.Protocol >= 2 {
			require.Equal(t, c.Protocol, s.Protocol(), "%s, %s", c.Name, c.Pythons)
		} else { // some pickles of protocol 1, None's for one, are those of protocol 0
			require.LessOrEqual(t, s.Protocol(), c.Protocol, "%s, %s", c.Name, c.Pythons)
		}
		s.Reset()
		for i := range c.Data {
			_, done, err := s.Scan(c.Data[i : i+1])
			if err != nil || done != (i == len(c.Data)-1) {
				t.Fatalf("%s, protocol %d, %s: byte %d: done %t, %v", c.Name, c.Protocol, c.Pythons, i, done, err)
			}
		}
	}
}

// inert are the objects whose class's repr only Python knows: user classes, and those of the
// standard library that are no value types here. Repr shows what they were made of.
var inert = []string{
	"__getnewargs__", "ChainMap", "Decimal context", "Flag", "GenericAlias", "HTTPStatus", "IntEnum", "IntFlag", "NamedTuple",
	"OrderedDict with attributes", "StrEnum", "UserDict", "dataclass", "datetime subclass", "enum",
	"exception class of one's own", "logger", "namedtuple", "nested class", "operator", "os.stat_result", "re.Pattern",
	"recursive dict subclass", "recursive list subclass", "recursive set subclass", "recursive tuple subclass", "subclass ",
	"time.struct_time", "typing", "union type", "urllib ParseResult",
}

// names are the objects with functions in them, which Python prints as it finds them.
var names = []string{"builtins", "names that moved"}

func TestCorpusRepr(t *testing.T) {
	same := 0
	differ := map[string]bool{}
	for _, c := range corpus.Load(t, "objects") {
		newest := c.Pythons[len(c.Pythons)-1]
		if c.Repr == nil || !strings.HasPrefix(newest, "3.12.") && !strings.HasPrefix(newest, "3.13.") {
			continue // older versions word some of them differently
		}
		var v any
		require.NoError(t, pickleproto.Unmarshal(c.Data, &v))
		listed := slices.ContainsFunc(append(inert, names...), func(p string) bool { return strings.HasPrefix(c.Name, p) })
		if pickleproto.Repr(v) == *c.Repr {
			same++
		} else if differ[c.Name] = true; !listed {
			assert.Equal(t, *c.Repr, pickleproto.Repr(v), "%s, protocol %d, %s", c.Name, c.Protocol, c.Pythons)
		}
	}
	t.Logf("%d as Python prints them, %d objects otherwise", same, len(differ))
	for _, p := range append(inert, names...) {
		found := slices.ContainsFunc(slices.Collect(maps.Keys(differ)), func(name string) bool { return strings.HasPrefix(name, p) })
		assert.True(t, found, "%q prints as in Python now: strike it out", p)
	}
}
