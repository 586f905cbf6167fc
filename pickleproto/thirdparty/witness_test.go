package thirdparty

import (
	"bytes"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/hydrogen18/stalecucumber"
	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"
	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// The two codecs are witnesses: they were written by others, from the same
// description of the format. What they can read of what this project writes
// must be the same value to them. Where they are wrong, a test below says so
// by name.

// unique calls f with the value of each object of the corpus, as one of the
// Pythons wrote it.
func unique(t *testing.T, f func(name string, v any)) {
	seen := map[string]bool{}
	for _, c := range golden(t) {
		if seen[c.Name] || len(c.Data) > 1<<17 {
			continue
		}
		seen[c.Name] = true
		v, err := pickleproto.Native.Decode(c.Data, anyDigits)
		require.NoError(t, err)
		f(c.Name, v)
	}
}

func TestGopickleReadsWhatIsWritten(t *testing.T) {
	read := [6]int{}
	unique(t, func(name string, v any) {
		for proto := range read {
			pickled, err := pickleproto.Marshal(v, pickleproto.WithProtocol(proto), anyDigits)
			if err != nil {
				continue // not everything can be written at every protocol
			}
			theirs, err := Codec.Decode(pickled, anyDigits)
			if err != nil {
				continue // TestCarried shows what
			}
			ours, err := pickleproto.Native.Decode(pickled, anyDigits)
			require.NoError(t, err)
			require.True(t, same(t, ours, theirs), "%s, protocol %d: gopickle reads %.1000s", name, proto, pickleproto.Repr(theirs))
			read[proto]++
		}
	})
	t.Logf("objects read at protocols 0 to 5: %v", read)
	for proto, n := range read {
		require.Greater(t, n, 300/rarely(), "protocol %d", proto)
	}
}

// asStale is a value as stalecucumber reads it: lists and tuples are slices,
// dicts are maps. ok is false for what it has no type for.
func asStale(v any, depth int) (out any, ok bool) {
	if depth > 50 {
		return nil, false
	}
	sequence := func(items []any) (any, bool) {
		out := make([]any, len(items))
		for i, item := range items {
			if out[i], ok = asStale(item, depth+1); !ok {
				return nil, false
			}
		}
		return out, true
	}
	switch v := v.(type) {
	case nil:
		return stalecucumber.PickleNone{}, true
	case bool, int64, float64, string:
		return v, true
	case *big.Int:
		return v, true
	case pickleproto.Tuple:
		return sequence(v)
	case *pickleproto.List:
		return sequence(v.Items())
	case *pickleproto.Dict:
		out := map[any]any{}
		for key, value := range v.All() {
			switch key.(type) {
			case bool, int64, string:
			default:
				return nil, false // no keys of a Go map, or as nan not comparable
			}
			if out[key], ok = asStale(value, depth+1); !ok {
				return nil, false
			}
		}
		return out, true
	}
	return nil, false
}

// stale runs stalecucumber; its panics are errors here.
func stale(pickled []byte) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return stalecucumber.Unpickle(bytes.NewReader(pickled))
}

func TestStalecucumberReadsWhatIsWritten(t *testing.T) {
	read, refused := 0, 0
	unique(t, func(name string, v any) {
		want, ok := asStale(v, 0)
		if !ok {
			return
		}
		for proto := range 3 {
			pickled, err := pickleproto.Marshal(v, pickleproto.WithProtocol(proto), anyDigits)
			require.NoError(t, err)
			if len(pickled) > 1<<15 {
				continue // it takes long
			}
			theirs, err := stale(pickled)
			if err != nil {
				require.Contains(t, name, "lone surrogate", "%v", err)
				require.Zero(t, proto)
				refused++
				continue
			}
			require.Equal(t, fmt.Sprint(want), fmt.Sprint(theirs), "%s, protocol %d", name, proto)
			read++
		}
	})
	t.Logf("%d pickles read, and %d refused: it cannot read lone surrogates at protocol 0", read, refused)
	require.Greater(t, read, 200/rarely())
}

// loadUnchecked is gopickle without this package's check before it.
func loadUnchecked(pickled string) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return pickle.Loads(pickled)
}

// TestFaultsOfGopickle holds its known faults, and that none of them passes
// through the codec. One that fails here is repaired: then its check can go.
func TestFaultsOfGopickle(t *testing.T) {
	for _, c := range []struct {
		name, pickle string
		fault        func(v any, err error) bool
		right        []string // what the codec reads, one of these; empty: it refuses
	}{
		{"byte 0xff panics", "\xff", panics, nil},
		{"LONG1 of no bytes panics", "\x80\x02\x8a\x00.", panics, nil},
		{"a set of bytes panics", "\x80\x04\x8f(C\x01a\x90.", panics, nil},
		{"an odd number of items panics", "(Nd.", panics, nil},
		{"a missing memo entry is nil", "\x80\x02j\x05\x00\x00\x00.", func(v any, err error) bool { return v == nil && err == nil }, nil},
		{"text is not unescaped", `V\u0041` + "\n.", func(v any, _ error) bool { return v == `\u0041` }, nil},
		{"quoted text is not unescaped", `S'\x41'` + "\n.", func(v any, _ error) bool { return v == `\x41` }, nil},
		{"a key is never replaced", "}(K\x01NK\x01Nu.", func(v any, _ error) bool { return v.(*types.Dict).Len() == 2 }, []string{"{1: None}"}},
		{"1 and 1.0 are two members", "\x80\x04\x8f(K\x01G\x3f\xf0\x00\x00\x00\x00\x00\x00\x90.", func(v any, _ error) bool { return v.(*types.Set).Len() == 2 }, []string{"{1}", "{1.0}"}},
		{"a list may be a key", "}]Ns.", func(_ any, err error) bool { return err == nil }, nil},
		{"invalid UTF-8 is text", "X\x01\x00\x00\x00\xff.", func(v any, _ error) bool { return v == "\xff" }, nil},
		{"hexadecimal floats", "F0x1p3\n.", func(v any, _ error) bool { return v == 8.0 }, nil},
		{"octal is read as decimal", "I010\n.", func(v any, _ error) bool { return v == 10 }, nil},
		{"BUILD of a number changes nothing", "]K\x01b.", func(_ any, err error) bool { return err == nil }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := loadUnchecked(c.pickle)
			require.True(t, c.fault(v, err), "%v, %v", v, err)
			v, err = Codec.Decode([]byte(c.pickle))
			if c.right == nil {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Contains(t, c.right, pickleproto.Repr(v))
		})
	}
}

func panics(_ any, err error) bool { return err != nil && strings.HasPrefix(err.Error(), "panic") }

// TestFaultsOfStalecucumber holds the known faults of its pickler, which the
// codec refuses to run into, and of its reader, which the codec does not use.
func TestFaultsOfStalecucumber(t *testing.T) {
	write := func(v any) string {
		out, err := dump(v)
		require.NoError(t, err)
		return string(out)
	}
	t.Run("an integer of 255 bytes and a sign is written with the length 0", func(t *testing.T) {
		n := new(big.Int).Lsh(big.NewInt(1), 2039)
		require.Equal(t, "\x80\x02\x8a\x00", write(n)[:4])
		_, err := Codec.Append(nil, n)
		require.IsType(t, &typeError{}, err)
	})
	t.Run("errors of elements are swallowed", func(t *testing.T) {
		require.Equal(t, "\x80\x02](e.", write([]any{make(chan int)}))
		_, err := Codec.Append(nil, pickleproto.NewList(make(chan int)))
		require.IsType(t, &typeError{}, err)
	})
	t.Run("a list that is shared is written twice", func(t *testing.T) {
		shared := pickleproto.NewList(nil)
		out, err := Codec.Append(nil, pickleproto.NewList(shared, shared))
		require.NoError(t, err)
		require.Equal(t, "\x80\x02](](Ne](Nee.", string(out))
	})
	t.Run("STOP returns the bottom of the stack", func(t *testing.T) {
		v, err := stale([]byte("I1\nI2\n."))
		require.NoError(t, err)
		require.Equal(t, int64(1), v)
		v, err = pickleproto.Native.Decode([]byte("I1\nI2\n."))
		require.NoError(t, err)
		require.Equal(t, int64(2), v)
	})
}
