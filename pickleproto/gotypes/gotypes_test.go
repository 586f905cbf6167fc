package gotypes_test

import (
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/gotypes"
	"github.com/picklebridge/picklebridge/pickleproto/numpy"
)

type tree struct {
	Left  *tree `pickle:"left"`
	Value int   `pickle:"value"`
}

type model struct {
	_    struct{} `pickle:",class=app.models.User"`
	Name string   `pickle:"name"`
}

type model2 struct {
	_ struct{} `pickle:",namedtuple=app.models.Point"`
	X int
	Y string
}

func decoded(t *testing.T, v any) any {
	t.Helper()
	data, err := pickleproto.Marshal(v)
	require.NoError(t, err)
	var x any
	require.NoError(t, pickleproto.Unmarshal(data, &x))
	return x
}

func TestDeclare(t *testing.T) {
	array, err := numpy.From([][]float32{{1}})
	require.NoError(t, err)
	many := map[string]any{}
	for _, r := range "abcdefghijklmnopq" {
		many[string(r)] = 1
	}
	for _, c := range []struct {
		name string
		v    any
		want string
	}{
		{"scalar", 1, "type Value int64"},
		{"none", nil, "type Value any"},
		{"seed", map[string]any{"key": "value", "numbers": []int{1, 2}}, "type Value struct {\nKey string `pickle:\"key\"`\nNumbers []int64 `pickle:\"numbers\"`\n}"},
		{"optional", []any{map[string]any{"a": 1, "b": nil}, map[string]any{"a": 2.5, "b": "x", "user_id": 1}},
			"type Value []ValueItem\n\ntype ValueItem struct {\nA float64 `pickle:\"a\"`\nB *string `pickle:\"b\"`\nUserID int64 `pickle:\"user_id,omitempty\"`\n}"},
		{"tree", tree{&tree{&tree{nil, 3}, 2}, 1}, "type Value struct {\nLeft *Value `pickle:\"left\"`\nValue int64 `pickle:\"value\"`\n}"},
		{"map", map[int]string{1: "a"}, "type Value map[int64]string"},
		{"large map", many, "type Value map[string]int64"},
		{"keys that are no names", map[string]any{"a b": 1, "c": 2}, "type Value map[string]int64"},
		{"mixed", []any{1, "a"}, "type Value []any"},
		{"tuples", []any{pickleproto.Tuple{1, 2}, pickleproto.Tuple{3}}, "type Value [][]int64"},
		{"records", pickleproto.Tuple{1, "a"}, "type Value struct {\n_ struct{} `pickle:\",tuple\"`\nItem0 int64\nItem1 string\n}"},
		{"set", map[string]struct{}{"a": {}}, "type Value map[string]struct{}"},
		{"instance", []any{model{Name: "x"}}, "type Value []ValueItem\n\ntype ValueItem struct {\n_ struct{} `pickle:\",class=app.models.User\"`\nName string `pickle:\"name\"`\n}"},
		{"namedtuple", model2{X: 1}, "type Value struct {\n_ struct{} `pickle:\",namedtuple=app.models.Point\"`\nItem0 int64\nItem1 string\n}"},
		{"numpy", array, "// Unmarshal with numpy.Binding() of pickleproto/numpy.\n\ntype Value = [][]float32"},
		{"decimal", map[string]any{"price": pickleproto.Decimal{}}, "import (\n\"github.com/picklebridge/picklebridge/pickleproto\"\n)\n\ntype Value struct {\nPrice pickleproto.Decimal `pickle:\"price\"`\n}"},
		{"bytes", [][]byte{nil, []byte("x")}, "type Value [][]byte"},
		{"tuples and others as keys", func() any {
			d := pickleproto.NewDict()
			_ = d.Set(pickleproto.Tuple{"k", 1}, 1)
			_ = d.Set("k", 2)
			return d
		}(), "import (\n\"github.com/picklebridge/picklebridge/pickleproto\"\n)\n\ntype Value = *pickleproto.Dict"},
		{"empty", map[string]any{"a": []any{}, "b": map[string]any{}}, "type Value struct {\nA []any `pickle:\"a\"`\nB map[any]any `pickle:\"b\"`\n}"},
	} {
		want, err := format.Source([]byte("package main\n\n" + c.want + "\n"))
		require.NoError(t, err, c.name)
		got, err := gotypes.Declare(decoded(t, c.v), "Value")
		require.NoError(t, err, c.name)
		assert.Equal(t, string(want), string(got), c.name)
	}
}

// A list and a dict that contain themselves come to an end.
func TestDeclareCycles(t *testing.T) {
	l := pickleproto.NewList()
	l.Append(l)
	got, err := gotypes.Declare(l, "Value")
	require.NoError(t, err)
	assert.Contains(t, string(got), "type Value []any")
	d := pickleproto.NewDict()
	require.NoError(t, d.Set("self", d))
	got, err = gotypes.Declare(d, "Value")
	require.NoError(t, err)
	assert.Contains(t, string(got), "Self *Value")
	deep := pickleproto.NewList()
	for range 100_000 {
		deep = pickleproto.NewList(deep)
	}
	_, err = gotypes.Declare(deep, "Value")
	require.NoError(t, err)
}

// What is declared compiles, and holds the pickle that it was made for.
func TestDeclareFits(t *testing.T) {
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	v := map[string]any{
		"users": []any{map[string]any{"name": "Ada", "boss": nil, "pos": pickleproto.Tuple{1.5, "x"}},
			map[string]any{"name": "Bob", "boss": map[string]any{"name": "Zoe", "boss": nil, "pos": nil}, "age": 5}},
		"seen": map[[2]int]string{{1, 2}: "x"}, "price": pickleproto.Decimal{},
	}
	data, err := pickleproto.Marshal(v)
	require.NoError(t, err)
	source, err := gotypes.Declare(decoded(t, v), "Value")
	require.NoError(t, err)
	main := `package main

import (
	"fmt"
	"os"

	"github.com/picklebridge/picklebridge/pickleproto"
)

func main() {
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	var v Value
	err = pickleproto.Unmarshal(data, &v, pickleproto.WithDisallowUnknownFields(), pickleproto.WithRequireFields())
	fmt.Println(err, v.Users[1].Boss.Name)
}
`
	module, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	module = append(module, "\nrequire github.com/picklebridge/picklebridge v0.0.0\nreplace github.com/picklebridge/picklebridge => "+root+"\n"...)
	module = append([]byte("module fits\n"), module[len("module github.com/picklebridge/picklebridge\n"):]...)
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	for name, content := range map[string][]byte{"types.go": source, "main.go": []byte(main), "go.mod": module, "go.sum": sums, "value.pickle": data} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	run := exec.Command("go", "run", ".", "value.pickle")
	run.Dir = dir
	run.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := run.CombinedOutput()
	require.NoError(t, err, "%s\n%s", out, source)
	assert.Equal(t, "<nil> Zoe\n", string(out))
}
