package pickleproto

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A Python value behind `any` may be a Tuple, which Go's == panics at, or an int64 where an equal
// float64 is met. So no two of them are ever compared with == or != or by a switch: same and Equal
// do that. This looks through the sources for comparisons of one `any` with another.
func TestPythonValuesAreNotComparedByGo(t *testing.T) {
	for _, dir := range []string{".", "literal", "numpy", "thirdparty", "../server"} {
		found, looked := comparisons(t, dir)
		assert.Empty(t, found, dir)
		assert.NotZero(t, looked, "comparisons of any kind in %s", dir)
	}
}

// The looking works: it finds what it is to find.
func TestComparisonsAreFound(t *testing.T) {
	found, looked := comparisons(t, "testdata/comparisons")
	assert.Equal(t, 4, looked)
	assert.Len(t, found, 3)
}

// comparisons returns where the package in dir compares one `any` with another, and how many
// comparisons it has in all.
func comparisons(t *testing.T, dir string) (found []string, looked int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		if f.Name.Name != "main" {
			files = append(files, f)
		}
	}
	info := types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "source", nil), Error: func(error) {}} // files of other systems declare some names twice
	_, _ = conf.Check(dir, fset, files, &info)
	isAny := func(e ast.Expr) bool {
		tv := info.Types[e]
		if tv.Type == nil || tv.IsNil() {
			return false
		}
		if _, ok := tv.Type.(*types.TypeParam); ok {
			return false
		}
		i, ok := tv.Type.Underlying().(*types.Interface)
		return ok && i.NumMethods() == 0
	}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if n.Op == token.EQL || n.Op == token.NEQ {
					looked++
					if isAny(n.X) && isAny(n.Y) {
						found = append(found, fset.Position(n.Pos()).String())
					}
				}
			case *ast.SwitchStmt:
				if n.Tag != nil && isAny(n.Tag) {
					looked++
					found = append(found, fset.Position(n.Pos()).String())
				}
			}
			return true
		})
	}
	return found, looked
}
