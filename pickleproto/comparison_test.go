package pickleproto

import (
	"go/ast"
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
	_, _ = checker(fset).Check(dir, fset, files, &info)
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

// checker checks types as far as this module defines them. Of other packages nothing is known, which
// is an error wherever one is used; files of other systems declare some names twice. Neither
// matters here.
func checker(fset *token.FileSet) *types.Config {
	return &types.Config{Importer: moduleImporter{fset}, Error: func(error) {}}
}

type moduleImporter struct{ fset *token.FileSet }

func (m moduleImporter) Import(path string) (*types.Package, error) {
	const root = "github.com/picklebridge/picklebridge/pickleproto"
	if path != root {
		pkg := types.NewPackage(path, filepath.Base(path))
		pkg.MarkComplete()
		return pkg, nil
	}
	var files []*ast.File
	names, _ := filepath.Glob("*.go")
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") {
			f, err := parser.ParseFile(m.fset, name, nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			files = append(files, f)
		}
	}
	pkg, _ := checker(m.fset).Check(path, m.fset, files, nil)
	return pkg, nil
}
