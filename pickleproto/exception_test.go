package pickleproto

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto/internal/pythontest"
)

// exceptionTexts are exceptions with what Python's traceback ends in.
var exceptionTexts = []struct {
	python string // makes the same exception
	e      *Exception
	want   string
}{
	{`ValueError()`, NewException("ValueError"), "ValueError"},
	{`ValueError('x')`, NewException("ValueError", "x"), "ValueError: x"},
	{`ValueError('')`, NewException("ValueError", ""), "ValueError"},
	{`ValueError('x', 1)`, NewException("ValueError", "x", 1), "ValueError: ('x', 1)"},
	{`ValueError(b'x')`, NewException("ValueError", Bytes("x")), "ValueError: b'x'"},
	{`ValueError(None)`, NewException("ValueError", nil), "ValueError: None"},
	{`KeyError('numbers')`, NewException("KeyError", "numbers"), "KeyError: 'numbers'"},
	{`KeyError('a', 'b')`, NewException("KeyError", "a", "b"), "KeyError: ('a', 'b')"},
	{`OSError('text')`, NewException("OSError", "text"), "OSError: text"},
	{`FileNotFoundError(2, 'No such file')`, NewException("FileNotFoundError", 2, "No such file"), "FileNotFoundError: [Errno 2] No such file"},
	{`OSError(99, 'no', 'f')`, NewException("OSError", 99, "no", "f"), "OSError: [Errno 99] no: 'f'"},
	{`OSError(99, 'no', 'f', None, 'g')`, NewException("OSError", 99, "no", "f", nil, "g"), "OSError: [Errno 99] no: 'f' -> 'g'"},
	{`UnicodeDecodeError('utf8', b'x\xffy', 1, 2, 'bad')`, NewException("UnicodeDecodeError", "utf8", Bytes("x\xffy"), 1, 2, "bad"), "UnicodeDecodeError: 'utf8' codec can't decode byte 0xff in position 1: bad"},
	{`UnicodeDecodeError('utf8', b'xyz', 0, 2, 'bad')`, NewException("UnicodeDecodeError", "utf8", Bytes("xyz"), 0, 2, "bad"), "UnicodeDecodeError: 'utf8' codec can't decode bytes in position 0-1: bad"},
	{`UnicodeEncodeError('ascii', 'a\xe9b', 1, 2, 'bad')`, NewException("UnicodeEncodeError", "ascii", "a\u00e9b", 1, 2, "bad"), `UnicodeEncodeError: 'ascii' codec can't encode character '\xe9' in position 1: bad`},
	{`UnicodeEncodeError('ascii', '\ud800', 0, 1, 'bad')`, NewException("UnicodeEncodeError", "ascii", "\xed\xa0\x80", 0, 1, "bad"), `UnicodeEncodeError: 'ascii' codec can't encode character '\ud800' in position 0: bad`},
	{`UnicodeEncodeError('ascii', 'ab', 0, 2, 'bad')`, NewException("UnicodeEncodeError", "ascii", "ab", 0, 2, "bad"), `UnicodeEncodeError: 'ascii' codec can't encode characters in position 0-1: bad`},
	{`UnicodeTranslateError('a\U0001f600', 1, 2, 'bad')`, NewException("UnicodeTranslateError", "a\U0001f600", 1, 2, "bad"), `UnicodeTranslateError: can't translate character '\U0001f600' in position 1: bad`},
	{`SyntaxError('bad', ('d/f', 3, 2, 'text'))`, NewException("SyntaxError", "bad", Tuple{"d/f", int64(3), int64(2), "text"}), "SyntaxError: bad (f, line 3)"},
	{`SyntaxError('bad')`, NewException("SyntaxError", "bad"), "SyntaxError: bad"},
	{`ImportError('m', name='n')`, NewException("ImportError", "m"), "ImportError: m"},
	{`StopIteration(3)`, NewException("StopIteration", 3), "StopIteration: 3"},
	{`SystemExit([1])`, NewException("SystemExit", NewList(int64(1))), "SystemExit: [1]"},
	{`ValueError(decimal.Decimal('1.50'))`, NewException("ValueError", reduce("decimal", "Decimal", "1.50")), "ValueError: 1.50"},
	{`ValueError(ValueError('in'))`, NewException("ValueError", reduce("builtins", "ValueError", "in")), "ValueError: in"},
	{`ValueError(fractions.Fraction(1, 3))`, NewException("ValueError", reduce("fractions", "Fraction", int64(1), int64(3))), "ValueError: 1/3"},
	{`ValueError(pathlib.PurePosixPath('a'))`, NewException("ValueError", reduce("pathlib", "PurePosixPath", "a")), "ValueError: a"},
	{`ValueError(datetime.datetime(2020, 1, 2, 3))`, NewException("ValueError", mustObject(NaiveDateTime{Year: 2020, Month: 1, Day: 2, Hour: 3})), "ValueError: 2020-01-02 03:00:00"},
	{`ValueError(datetime.timedelta(-1, 5))`, NewException("ValueError", mustObject(TimeDelta{-1, 5, 0})), "ValueError: -1 day, 0:00:05"},
	{`queue.Full('x')`, NewException("queue.Full", "x"), "queue.Full: x"},
	{`pickle.UnpicklingError('x')`, NewException("UnpicklingError", "x"), "_pickle.UnpicklingError: x"},
}

func mustObject(v any) any {
	o, _, err := toObject(v, 4)
	if err != nil {
		panic(err)
	}
	return o
}

func TestExceptionTexts(t *testing.T) {
	for _, c := range exceptionTexts {
		require.Equal(t, c.want, c.e.Error())
	}
	group := NewException("ExceptionGroup", "g", NewList(reduce("builtins", "ValueError")))
	require.Equal(t, "ExceptionGroup: g (1 sub-exception)", group.Error())
	group = NewException("ExceptionGroup", "g", NewList(nil, nil))
	require.Equal(t, "ExceptionGroup: g (2 sub-exceptions)", group.Error())
	for _, e := range []*Exception{ // hostile arguments
		NewException("UnicodeDecodeError", 1), NewException("UnicodeDecodeError", "a", "b", 0, 1, "c"), NewException("UnicodeDecodeError", "a", Bytes("b"), 5, 6, "c"), NewException("UnicodeEncodeError", "a", "b", -1, 0, "c"),
		NewException("UnicodeTranslateError", nil, nil, nil, nil), NewException("SyntaxError", "a", Tuple{}), NewException("SyntaxError", "a", Tuple{nil, nil}), NewException("ExceptionGroup", nil, nil), NewException("OSError", nil, nil, nil, nil, nil), {},
	} {
		require.NotPanics(t, func() { _ = e.Error() })
	}
}

func TestExceptionTextsAgainstPython(t *testing.T) {
	py, ok := pythontest.Newest(3, 8)
	if !ok {
		t.Skip("no Python 3.8 or later found; TestExceptionTexts has what it said")
	}
	var script strings.Builder
	script.WriteString("import datetime, decimal, fractions, pathlib, pickle, queue, traceback\n")
	for _, c := range exceptionTexts {
		fmt.Fprintf(&script, "print(traceback.format_exception_only(type(e := %s), e)[-1].strip())\n", c.python)
	}
	out, err := exec.Command(py.Path, "-c", script.String()).Output()
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Len(t, lines, len(exceptionTexts))
	for i, c := range exceptionTexts {
		want := lines[i]
		if strings.HasPrefix(c.python, "SyntaxError") {
			want = c.want // a traceback shows its parts on lines of their own
		}
		require.Equal(t, want, strings.TrimSuffix(c.e.Error(), "\n"), c.python)
	}
}

func TestExceptionIs(t *testing.T) {
	var err error = fmt.Errorf("wrapped: %w", NewException("FileNotFoundError", 2, "no"))
	for name, want := range map[string]bool{"FileNotFoundError": true, "OSError": true, "IOError": true, "Exception": true, "BaseException": true, "ValueError": false, "PermissionError": false} {
		require.Equal(t, want, errors.Is(err, NewException(name)), name)
	}
	require.False(t, errors.Is(err, NewException("FileNotFoundError", 2)))
	require.False(t, errors.Is(err, errors.New("x")))
	require.True(t, errors.Is(NewException("app.Oops"), NewException("app.Oops")))
	require.True(t, NewException("app.Oops").IsA("Exception"))
	require.False(t, NewException("app.Oops").IsA("ValueError"))
	require.True(t, NewException("json.decoder.JSONDecodeError").IsA("ValueError"))
	require.True(t, NewException("ExceptionGroup").IsA("Exception"))
	require.False(t, NewException("KeyboardInterrupt").IsA("Exception"))
	require.False(t, NewException("nonsense").IsA("ValueError"))
}

func TestExceptionFromObject(t *testing.T) {
	// What multiprocessing's pools send.
	o := reduce("multiprocessing.pool", "rebuild_exc", reduce("builtins", "KeyError", "k"), "Traceback ...")
	v, known, err := fromObject(o)
	require.NoError(t, err)
	require.True(t, known)
	e := v.(*Exception)
	require.Equal(t, "KeyError: 'k'", e.Error())
	require.EqualError(t, errors.Unwrap(e), "multiprocessing.pool.RemoteTraceback: Traceback ...")

	// Python 2's.
	v, known, err = fromObject(reduce("exceptions", "StandardError", ByteString("x")))
	require.NoError(t, err)
	require.True(t, known)
	require.Equal(t, "Exception: x", v.(*Exception).Error())

	// An errno of its own class, as OSError's constructor has it.
	v, _, _ = fromObject(reduce("exceptions", "OSError", int64(2), "no"))
	require.True(t, errors.Is(v.(*Exception), NewException("FileNotFoundError")))

	_, known, _ = fromObject(reduce("app", "Oops", "x"))
	require.False(t, known, "only the caller can know that")
	e, ok := exceptionOf(reduce("app", "Oops", "x"))
	require.True(t, ok)
	require.Equal(t, "app.Oops: x", e.Error())

	// Causes and notes cross, both ways.
	e = NewException("ValueError", "x")
	e.AddNote("a")
	e.AddNote("b")
	e.Cause = fmt.Errorf("deeper: %w", NewException("KeyError", "k"))
	made, known, err := toObject(e, 4)
	require.NoError(t, err)
	require.True(t, known)
	v, _, err = fromObject(made.(*Object))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, v.(*Exception).Notes())
	require.EqualError(t, v.(*Exception).Cause, "KeyError: 'k'")
	e.Cause = errors.New("plain")
	made, _, err = toObject(e, 4)
	require.NoError(t, err)
	v, _, err = fromObject(made.(*Object))
	require.NoError(t, err)
	require.EqualError(t, v.(*Exception).Cause, "RuntimeError: plain")

	e.Cause = e
	_, _, err = toObject(e, 4)
	require.Error(t, err, "a cause that is its own")
	var deep any = reduce("builtins", "ValueError")
	for range 1000 {
		deep = reduce("multiprocessing.pool", "rebuild_exc", deep, "")
	}
	_, known, err = fromObject(deep.(*Object))
	require.NoError(t, err)
	require.False(t, known)
	require.Nil(t, NewException("ValueError").Notes())
}

// TestExceptionsInPython raises in Python what Go wrote.
func TestExceptionsInPython(t *testing.T) {
	if len(pythontest.All()) == 0 {
		t.Skip("no Python found; the bytes are those of testdata/stdlib.txt")
	}
	e := NewException("ValueError", "x", 1)
	e.AddNote("seen")
	e.Cause = NewException("KeyError", "k")
	for _, py := range pythontest.All() {
		t.Run(py.String(), func(t *testing.T) {
			protocol := 2
			o, _, err := toObject(e, protocol)
			require.NoError(t, err)
			c := newConfig([]Option{WithProtocol(protocol)})
			b, err := encode(nil, o, &c)
			require.NoError(t, err)
			script := fmt.Sprintf("import pickle, binascii\ntry:\n    raise pickle.loads(binascii.unhexlify('%x'))\nexcept ValueError as e:\n    print('%%s %%r %%r' %% (e.args[1], e.__cause__.args[0] == 'k', len(e.__notes__)))", b)
			out, err := exec.Command(py.Path, "-c", script).CombinedOutput()
			require.NoError(t, err, string(out))
			require.Equal(t, "1 True 1", strings.TrimSpace(string(out)))
		})
	}
}

func TestExceptionOfValues(t *testing.T) {
	e, ok := ExceptionOf(reduce("builtins", "ValueError", "x"), nil)
	require.True(t, ok)
	require.Equal(t, "ValueError: x", e.Error())
	for _, v := range []any{nil, "x", reduce("app", "Oops"), reduce("builtins", "int", "x")} {
		_, ok := ExceptionOf(v, nil)
		require.False(t, ok)
	}
	e, ok = ExceptionOf(reduce("app", "Oops"), func(class Global) bool { return class.Name == "Oops" })
	require.True(t, ok)
	require.Equal(t, "app.Oops", e.Error())
	bad := reduce("builtins", "ValueError")
	bad.Ops = []Op{{OpBuild, []any{"state"}}}
	_, ok = ExceptionOf(bad, nil)
	require.False(t, ok)
}

// Python has the name of the module builtins three times: for its functions, its classes, and
// ExceptionGroup, which is no static type. Go has it once.
func TestExceptionGroupToPython(t *testing.T) {
	got, err := Marshal([]any{
		Global{Module: "builtins", Name: "len"},
		NewException("ExceptionGroup", "g", NewList(NewException("ValueError"))),
		Global{Module: "builtins", Name: "list"},
	})
	require.NoError(t, err)
	// What CPython 3.13 writes of [len, ExceptionGroup('g', [ValueError()]), list].
	want := "\x80\x04\x95i\x00\x00\x00\x00\x00\x00\x00]\x94(\x8c\x08builtins\x94\x8c\x03len\x94\x93\x94\x8c\x08builtins\x94\x8c\x0eExceptionGroup\x94\x93\x94" +
		"\x8c\x01g\x94]\x94\x8c\x08builtins\x94\x8c\nValueError\x94\x93\x94)R\x94a\x86\x94R\x94h\t\x8c\x04list\x94\x93\x94e."
	require.Equal(t, want, string(got))
}
