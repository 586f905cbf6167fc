package pickleproto

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto/internal/pythontest"
)

func TestInstanceOf(t *testing.T) {
	user := Global{Module: "app", Name: "User"}
	object := Global{Module: "builtins", Name: "object"}
	py2object := Global{Module: "__builtin__", Name: "object"}
	tuple := Global{Module: "builtins", Name: "tuple"}
	str := Global{Module: "builtins", Name: "str"}
	kw := dictOf(t, "a", int64(1))
	ok := func(o *Object) instance {
		in, ok := instanceOf(o)
		require.True(t, ok, Repr(o))
		require.Equal(t, user, in.class)
		return in
	}
	in := ok(&Object{How: ByNewObj, Callable: user, Args: Tuple{int64(1)}})
	require.False(t, in.called)
	require.True(t, in.plain())
	require.True(t, ok(reduce("app", "User", int64(1))).called)
	require.True(t, ok(&Object{How: ByInst, Callable: user}).called)
	require.Same(t, kw, ok(&Object{How: ByNewObjEx, Callable: user, Args: Tuple{}, Kwargs: kw}).kwargs)
	require.Empty(t, ok(reduce("copyreg", "_reconstructor", user, object, nil)).args)
	require.Empty(t, ok(reduce("copy_reg", "_reconstructor", user, py2object, nil)).args)
	require.Equal(t, Tuple{int64(1)}, ok(reduce("copyreg", "_reconstructor", user, tuple, Tuple{int64(1)})).args)
	require.Equal(t, Tuple{"s"}, ok(reduce("copyreg", "_reconstructor", user, str, "s")).args)
	require.Equal(t, Tuple{int64(1)}, ok(reduce("copyreg", "__newobj__", user, int64(1))).args)
	in = ok(reduce("copyreg", "__newobj_ex__", user, Tuple{int64(1)}, kw))
	require.Same(t, kw, in.kwargs)
	require.Equal(t, Tuple{int64(1)}, in.args)
	in = ok(&Object{How: ByNewObj, Callable: user, Args: Tuple{}, Ops: []Op{
		{OpAppends, []any{1}}, {OpSetItems, []any{"k", "v"}}, {OpAddItems, []any{2}}, {OpAppends, []any{3}}, {OpSetState, []any{Global{}, "state"}},
	}})
	require.Equal(t, []any{1, 2, 3}, in.items)
	require.Equal(t, []any{"k", "v"}, in.pairs)
	require.Equal(t, "state", in.state)
	require.False(t, in.plain())

	for _, o := range []*Object{
		{}, {Callable: "x"}, {Callable: user, Args: "x"}, {Callable: user, Args: Tuple{}, Kwargs: "x"},
		{Callable: user, Args: Tuple{}, Ops: []Op{{OpBuild, nil}}}, {Callable: user, Args: Tuple{}, Ops: []Op{{OpSetState, []any{1}}}}, {Callable: user, Args: Tuple{}, Ops: []Op{{OpKind(99), nil}}},
		{Callable: user, Args: Tuple{}, Ops: []Op{{OpBuild, []any{"a"}}, {OpBuild, []any{"b"}}}},
		reduce("copyreg", "_reconstructor"), reduce("copyreg", "_reconstructor", "x", object, nil), reduce("copyreg", "_reconstructor", user), reduce("copyreg", "_reconstructor", user, "x", nil), reduce("copyreg", "_reconstructor", user, tuple, nil),
		reduce("copyreg", "__newobj_ex__", user), reduce("copyreg", "__newobj_ex__", user, nil, nil), reduce("copyreg", "pickle", user),
	} {
		_, ok := instanceOf(o)
		require.False(t, ok, Repr(o))
		require.False(t, Equal(o, &Object{How: o.How, Callable: o.Callable, Args: o.Args, Ops: o.Ops}))
		require.True(t, Equal(NewList(o), NewList(o)))
		_, err := Plain(o)
		require.Error(t, err)
	}

	// Many small runs of items take linear time.
	o := reduce("collections", "deque")
	for range 200_000 {
		o.Ops = append(o.Ops, Op{OpAppends, []any{nil}})
	}
	in, _ = instanceOf(o)
	require.Len(t, in.items, 200_000)
}

func TestAttributes(t *testing.T) {
	of := func(state any) ([]attribute, bool) { return (&instance{state: state}).attributes() }
	d := dictOf(t, "a", int64(1))
	slots := dictOf(t, ByteString("b"), int64(2))
	got, ok := of(Tuple{d, slots})
	require.True(t, ok)
	require.Equal(t, []attribute{{"a", int64(1)}, {"b", int64(2)}}, got)
	got, ok = of(Tuple{nil, slots})
	require.True(t, ok)
	require.Equal(t, []attribute{{"b", int64(2)}}, got)
	got, ok = of(nil)
	require.True(t, ok)
	require.Empty(t, got)
	got, ok = of(NewList("x"))
	require.True(t, ok)
	require.Equal(t, []attribute{{"", "x"}}, got)
	for _, state := range []any{"x", Tuple{d}, Tuple{"x", d}, Tuple{d, "x"}, dictOf(t, int64(1), int64(1))} {
		_, ok := of(state)
		require.False(t, ok, Repr(state))
	}
	_, err := newInstance(Global{Module: "app", Name: "User"}, nil, slots, 1)
	require.ErrorContains(t, err, "__slots__")
}

func TestUUIDText(t *testing.T) {
	u := UUID{0x12, 15: 0x34}
	b, err := json.Marshal(map[string]UUID{"u": u})
	require.NoError(t, err)
	require.JSONEq(t, `{"u": "12000000-0000-0000-0000-000000000034"}`, string(b))
	var back map[string]UUID
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, u, back["u"])
	require.Error(t, u.UnmarshalText([]byte("12")))
	require.Error(t, u.UnmarshalText([]byte(strings.Repeat("z", 32))))
}

// TestErrnoClasses compares the errno table with the one of Python on this machine.
func TestErrnoClasses(t *testing.T) {
	class := func(n int) string {
		return osErrorClass(Global{Module: "builtins", Name: "OSError"}, Tuple{int64(n), "text"}).Name
	}
	require.Equal(t, "FileNotFoundError", class(2))
	require.Equal(t, "OSError", class(99))
	require.Equal(t, "OSError", osErrorClass(Global{Module: "builtins", Name: "IOError"}, Tuple{"text"}).Name)
	require.Equal(t, "OSError", osErrorClass(Global{Module: "builtins", Name: "OSError"}, Tuple{"2", "text"}).Name)
	require.Equal(t, "FileNotFoundError", osErrorClass(Global{Module: "builtins", Name: "OSError"}, Tuple{Long(2), "text"}).Name, "as Python 3.6 writes it at protocol 0")
	require.Equal(t, "KeyError", osErrorClass(Global{Module: "builtins", Name: "KeyError"}, Tuple{int64(2), "text"}).Name)
	recorded := recordedLines(t, "testdata/errno.txt")
	for n, want := range recorded {
		require.Equal(t, want, class(n), "errno %d", n)
	}
	t.Run("against Python", func(t *testing.T) {
		py, ok := pythontest.Newest(3, 8)
		if !ok {
			t.Skip("no Python 3.8 or later found; testdata/errno.txt has what it said")
		}
		out, err := exec.Command(py.Path, "-c", fmt.Sprintf("import sys\nprint(sys.platform)\nfor n in range(%d): print(type(OSError(n, 'text')).__name__)", len(recorded))).Output()
		require.NoError(t, err)
		lines := strings.Fields(string(out))
		if lines[0] != "linux" {
			t.Skip("the numbers are those of Linux, and this is " + lines[0] + "; testdata/errno.txt has what it said there")
		}
		require.Equal(t, recorded, lines[1:])
	})
}

// recordedLines is what CPython 3.13 on Linux printed.
func recordedLines(t *testing.T, file string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	return strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n"), "\n")
}

// TestJoinWindows: PureWindowsPath and PurePosixPath of all pairs of odd parts.
func TestJoinWindows(t *testing.T) {
	parts := []string{"", ".", "a", "a/b", "/", "\\a", "c:", "c:a", "C:/a", "d:\\", "//", "//srv", "//srv/share", "//srv/share/", "//srv/share/x", "///a", "//?/c:/x", "//?/UNC/srv/share/x", "//./dev/x", "//?/unc/srv", "a:b:c", "x/c:y"}
	require.Equal(t, `C:\a`, joinWindows([]string{"C:/a"}))
	require.Equal(t, `.\c:x`, joinWindows([]string{"./c:x"}))
	require.Equal(t, `c:\x`, joinWindows([]string{`c:\a`, `\x`}))
	recorded := recordedLines(t, "testdata/joinpaths.txt")
	require.Len(t, recorded, len(parts)*len(parts))
	for i, a := range parts {
		for j, b := range parts {
			require.Equal(t, recorded[i*len(parts)+j], joinWindows([]string{a, b})+"\t"+joinPosix([]string{a, b}), "%q, %q", a, b)
		}
	}
	t.Run("against Python", func(t *testing.T) {
		py, ok := pythontest.Newest(3, 12)
		if !ok {
			t.Skip("no Python 3.12 or later found; testdata/joinpaths.txt has what it said")
		}
		var quoted []string
		for _, p := range parts {
			quoted = append(quoted, strconv.Quote(p))
		}
		script := fmt.Sprintf("import pathlib\nP = [%s]\nfor a in P:\n    for b in P:\n        print(pathlib.PureWindowsPath(a, b), pathlib.PurePosixPath(a, b), sep='\\t')", strings.Join(quoted, ","))
		out, err := exec.Command(py.Path, "-c", script).Output()
		require.NoError(t, err)
		require.Equal(t, recorded, strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(out), "\r\n", "\n"), "\n"), "\n"))
	})
}

func TestNewExceptionArguments(t *testing.T) {
	e := NewException("x.y.Z", int8(1), int16(2), int32(3), uint8(4), uint16(5), uint32(6), uint(7), uint64(1<<63), float32(0.5), int64(9), "s")
	require.Equal(t, Global{Module: "x.y", Name: "Z"}, e.Class)
	require.Equal(t, "(1, 2, 3, 4, 5, 6, 7, 9223372036854775808, 0.5, 9, 's')", Repr(e.Args))
	require.Equal(t, big.NewInt(0).SetUint64(1<<63), e.Args[7])
}
