// Package housetest holds tests of the module as a whole: which package may import which, and that
// another module can use it.
package housetest

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/picklebridge/picklebridge"

// listed is what `go list` tells of a package.
type listed struct {
	Dir, ImportPath, Name string
	GoFiles               []string
	Imports, Deps         []string
}

func packages(t *testing.T) map[string]listed {
	cmd := exec.Command("go", "list", "-json=Dir,ImportPath,Name,GoFiles,Imports,Deps", module+"/...")
	out, err := cmd.Output()
	require.NoError(t, err)
	all := map[string]listed{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		all[strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")] = p
	}
	for _, name := range []string{"pickleproto", "pickleproto/internal/wire", "pickleproto/transport", "server", "client", "server/cmd/pickle-server", "client/cmd/pickle-client"} {
		require.Contains(t, all, name)
	}
	return all
}

func TestImportArrows(t *testing.T) {
	all := packages(t)
	for name, p := range all {
		top, _, _ := strings.Cut(name, "/")
		for _, dep := range p.Deps {
			dep, ours := strings.CutPrefix(dep, module+"/")
			if !ours {
				continue
			}
			depTop, _, _ := strings.Cut(dep, "/")
			assert.False(t, top == "server" && depTop == "client" || top == "client" && depTop == "server", "%s -> %s", name, dep)
			assert.False(t, top == "pickleproto" && depTop != "pickleproto", "%s -> %s", name, dep)
		}
		if p.Name != "main" {
			assert.NotContains(t, p.Imports, "flag", "a library reads no flags: %s", name)
		}
	}

	// What turns bytes into values knows no connections, files or logs.
	for _, name := range []string{"pickleproto", "pickleproto/internal/wire", "pickleproto/literal", "pickleproto/numpy"} {
		for _, no := range []string{"net", "os", "log", "log/slog"} {
			assert.NotContains(t, all[name].Imports, no, name)
		}
	}
	wire := all["pickleproto/internal/wire"]
	assert.NotContains(t, wire.Imports, "reflect")
	for _, dep := range wire.Deps {
		assert.False(t, strings.HasPrefix(dep, module), "wire -> %s", dep)
	}
	for _, dep := range all["pickleproto"].Deps {
		dep, ours := strings.CutPrefix(dep, module+"/")
		assert.False(t, ours && dep != "pickleproto/internal/wire", "pickleproto -> %s, which stands beside it", dep)
	}
}

// files parses the sources of all libraries, tests left out.
func files(t *testing.T, visit func(name string, fset *token.FileSet, f *ast.File)) {
	for name, p := range packages(t) {
		if p.Name == "main" || strings.Contains(name, "internal/pythontest") {
			continue
		}
		for _, file := range p.GoFiles {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, file), nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			visit(name, fset, f)
		}
	}
}

// A library leaves it to the program when to end.
func TestLibrariesDoNotEndTheProcess(t *testing.T) {
	files(t, func(_ string, fset *token.FileSet, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok {
				call := x.Name + "." + s.Sel.Name
				fatal := call == "os.Exit" || x.Name == "log" && strings.HasPrefix(s.Sel.Name, "Fatal")
				assert.False(t, fatal, "%s at %s", call, fset.Position(s.Pos()))
			}
			return true
		})
	})
}

// A registry that any package can write to makes what one part of a program decodes depend on
// what another has imported: there is none. Maps at package level are tables, filled once before
// main.
func TestNoRegistryAtPackageLevel(t *testing.T) {
	vars := map[string][]string{} // of package level, by package
	files(t, func(name string, _ *token.FileSet, f *ast.File) {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				for _, id := range s.(*ast.ValueSpec).Names {
					vars[name] = append(vars[name], id.Name)
				}
			}
		}
	})
	files(t, func(name string, fset *token.FileSet, f *ast.File) {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			local := map[string]bool{}
			ast.Inspect(fn, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.AssignStmt:
					for _, l := range n.Lhs {
						if id, ok := l.(*ast.Ident); ok && n.Tok == token.DEFINE {
							local[id.Name] = true
						}
						ix, ok := l.(*ast.IndexExpr)
						if !ok {
							continue
						}
						if id, ok := ix.X.(*ast.Ident); ok && !local[id.Name] {
							assert.False(t, slices.Contains(vars[name], id.Name), "%s is written to at %s", id.Name, fset.Position(n.Pos()))
						}
					}
				case *ast.ValueSpec:
					for _, id := range n.Names {
						local[id.Name] = true
					}
				case *ast.Field:
					for _, id := range n.Names {
						local[id.Name] = true
					}
				}
				return true
			})
		}
	})
}
