package pickleproto

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStringsAreCopiedOrLent(t *testing.T) {
	pickle := []byte("\x80\x04\x8c\x05hello\x94.")
	for _, c := range []struct {
		opts []Option
		want string
	}{
		{nil, "hello"},
		{[]Option{WithCopyStrings()}, "hello"},
		{[]Option{WithLentBuffer()}, "jello"},
	} {
		data := bytes.Clone(pickle)
		var v any
		require.NoError(t, Unmarshal(data, &v, c.opts...))
		data[bytes.IndexByte(data, 'h')] = 'j'
		assert.Equal(t, c.want, v)
	}
	data := []byte("\x80\x05\x96\x03\x00\x00\x00\x00\x00\x00\x00abc.")
	var v any
	require.NoError(t, Unmarshal(data, &v))
	v.(*ByteArray).Data[0] = 'x'
	assert.Contains(t, string(data), "abc", "a bytearray is the caller's to change")
}

func TestPython2Strings(t *testing.T) {
	for _, c := range []struct {
		text string
		how  Python2Strings
		want any // nil: an error
	}{
		{"abc", KeepByteStrings, ByteString("abc")},
		{"abc", DecodeASCII, "abc"},
		{"\xe9", DecodeASCII, nil},
		{"\xe9", DecodeLatin1, "é"},
		{"abc", DecodeLatin1, "abc"},
		{"\xc3\xa9", DecodeUTF8, "é"},
		{"\xe9", DecodeUTF8, nil},
		{"\xe9", AsBytes, Bytes("\xe9")},
		{"", AsBytes, Bytes("")},
	} {
		for _, pickle := range []string{
			"U" + string(rune(len(c.text))) + c.text + ".",
			"T" + string(rune(len(c.text))) + "\x00\x00\x00" + c.text + ".",
			string(appendByteStringRepr([]byte("S"), c.text)) + "\n.",
		} {
			var v any
			err := Unmarshal([]byte(pickle), &v, WithPython2Strings(c.how))
			if c.want == nil {
				var syntax *SyntaxError
				require.ErrorAs(t, err, &syntax, "%q", pickle)
				continue
			}
			require.NoError(t, err, "%q", pickle)
			assert.Equal(t, c.want, v, "%q", pickle)
		}
	}
}

func TestHooks(t *testing.T) {
	boom := errors.New("boom")
	var v any
	require.NoError(t, Unmarshal([]byte("\x80\x02K\x05Q."), &v, WithPersistentLoad(func(id any) (any, error) { return "object " + Repr(id), nil })))
	assert.Equal(t, "object 5", v)
	require.ErrorIs(t, Unmarshal([]byte("Pabc\n."), &v, WithPersistentLoad(func(any) (any, error) { return nil, boom })), boom)
	require.NoError(t, Unmarshal([]byte("\x80\x02\x82\x07."), &v, WithExtension(func(code int32) (any, error) { return int64(code), nil })))
	assert.Equal(t, int64(7), v)
	require.ErrorIs(t, Unmarshal([]byte("\x80\x02\x83\x07\x01."), &v, WithExtension(func(int32) (any, error) { return nil, boom })), boom)

	for p, want := range map[int]string{0: "(lp0\nPX\na.", 2: "\x80\x02]q\x00X\x01\x00\x00\x00Xq\x01Qa."} {
		out, err := Marshal(NewList("special"), WithProtocol(p), WithPersistentID(func(v any) (any, bool) {
			return "X", v == any("special")
		}))
		require.NoError(t, err)
		assert.Equal(t, want, string(out))
	}
	_, err := Marshal(&PersistentID{"two\nlines"}, WithProtocol(0))
	var typ *TypeError
	require.ErrorAs(t, err, &typ)
}

func TestBuffers(t *testing.T) {
	pickle := []byte("\x80\x05\x95\x06\x00\x00\x00\x00\x00\x00\x00\x97\x97\x98\x86\x94.") // (buffer, read-only buffer)
	var v any
	require.NoError(t, Unmarshal(pickle, &v))
	out, err := Marshal(v, WithProtocol(5))
	require.NoError(t, err)
	assert.Equal(t, string(pickle), string(out), "without buffers they stay out of band")

	require.NoError(t, Unmarshal(pickle, &v, WithBuffers([]byte("ab"), []byte("cd"))))
	a, b := v.(Tuple)[0].(*Buffer), v.(Tuple)[1].(*Buffer)
	assert.Equal(t, Buffer{0, false, []byte("ab")}, *a)
	assert.Equal(t, Buffer{1, true, []byte("cd")}, *b)
	out, err = Marshal(v, WithProtocol(5))
	require.NoError(t, err)
	assert.Equal(t, "\x80\x05\x95\x14\x00\x00\x00\x00\x00\x00\x00\x96\x02\x00\x00\x00\x00\x00\x00\x00ab\x94C\x02cd\x94\x86\x94.", string(out), "in band")
	var sent []*Buffer
	out, err = Marshal(v, WithProtocol(5), WithBufferCallback(func(b *Buffer) bool { sent = append(sent, b); return false }))
	require.NoError(t, err)
	assert.Equal(t, string(pickle), string(out))
	assert.Equal(t, []*Buffer{a, b}, sent)
	_, err = Marshal(v)
	assert.ErrorContains(t, err, "PickleBuffer can only be pickled with protocol >= 5")
	assert.ErrorContains(t, Unmarshal(pickle, &v, WithBuffers([]byte("ab"))), "not enough out-of-band buffers")
}

// A peer that keeps one Pickler refers back into earlier messages.
func TestKeptMemo(t *testing.T) {
	for p := range 6 {
		reading, writing := new(Memo), new(Memo)
		text, class := "shared text", Global{Module: "app", Name: "User"}
		l := NewList(text)
		var sizes []int
		var decoded []any
		for range 3 {
			out, err := Marshal(Tuple{l, text, class, &Complex{1, 2}}, WithProtocol(p), WithMemo(writing))
			require.NoError(t, err)
			sizes = append(sizes, len(out))
			_, err = Marshal(NewList("lost", func() {}), WithProtocol(p), WithMemo(writing))
			require.Error(t, err, "what was not sent is not remembered")
			var v any
			require.NoError(t, Unmarshal(out, &v, WithMemo(reading)), "protocol %d", p)
			decoded = append(decoded, v)
		}
		assert.Less(t, sizes[1], sizes[0])
		first, last := decoded[0].(Tuple), decoded[2].(Tuple)
		assert.Same(t, first[0], last[0])
		assert.Equal(t, class.Name, last[2].(Global).Name)
		assert.Equal(t, writing.Len(), reading.Len())
	}
}

func TestDecoderReadsWhatIsThere(t *testing.T) {
	stream := "\x80\x04K\x01.I2\n.\x80\x02X\x03\x00\x00\x00abcq\x00."
	for name, r := range map[string]io.Reader{
		"at once":        bytes.NewReader([]byte(stream)),
		"byte by byte":   iotest.OneByteReader(bytes.NewReader([]byte(stream))),
		"with the error": iotest.DataErrReader(bytes.NewReader([]byte(stream))),
	} {
		d := NewDecoder(r)
		for _, want := range []any{int64(1), int64(2), "abc"} {
			var v any
			require.NoError(t, d.Decode(&v), name)
			assert.Equal(t, want, v)
		}
		var v any
		require.Equal(t, io.EOF, d.Decode(&v))
		assert.Empty(t, d.Buffered())
	}
	d := NewDecoder(bytes.NewReader([]byte("\x80\x04K")))
	var v any
	require.ErrorIs(t, d.Decode(&v), io.ErrUnexpectedEOF)
	require.ErrorIs(t, d.Decode(&v), io.ErrUnexpectedEOF, "the stream is lost")
	d = NewDecoder(iotest.ErrReader(io.ErrClosedPipe))
	require.ErrorIs(t, d.Decode(&v), io.ErrClosedPipe)

	var w bytes.Buffer
	e := NewEncoder(&w, WithProtocol(2))
	require.NoError(t, e.Encode("a"))
	require.Error(t, e.Encode(func() {}), "nothing is written of what cannot be encoded")
	require.NoError(t, e.Encode(nil))
	assert.Equal(t, "\x80\x02X\x01\x00\x00\x00aq\x00.\x80\x02N.", w.String())
}

func TestGlobalPrintsItsName(t *testing.T) {
	var v any
	require.NoError(t, Unmarshal([]byte("cbuiltins\nset\n."), &v)) // Python 3's name at protocol 0
	assert.Equal(t, "builtins.set", fmt.Sprint(v))
}

func TestUnmarshalFirst(t *testing.T) {
	var v any
	rest, err := UnmarshalFirst([]byte("K\x01.rest"), &v)
	require.NoError(t, err)
	assert.Equal(t, int64(1), v)
	assert.Equal(t, "rest", string(rest))
	var syntax *SyntaxError
	require.ErrorAs(t, Unmarshal([]byte("K\x01.rest"), &v), &syntax)
	assert.EqualValues(t, 3, syntax.Offset)
	require.Error(t, Unmarshal([]byte("K\x01."), v))
	require.Error(t, Unmarshal([]byte("K\x01."), nil))
}
