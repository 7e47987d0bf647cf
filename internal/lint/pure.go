package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// Core is the folder whose packages must be pure: same input, same output.
const Core = "internal/core"

// orderFree marks a range over a map whose order cannot be seen from outside.
const orderFree = "// order-free"

// impure are the standard packages through which time, chance, files or other goroutines would come in.
var impure = []string{
	"context", "crypto/rand", "embed", "io/ioutil", "log", "math/rand", "net", "os", "plugin", "runtime", "sync",
	"syscall", "unique", "unsafe", "weak",
}

// clock are the names of package time that read a clock or start one; Time and Duration are values and welcome.
var clock = []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}

// Pure finds what a pure package may not contain. Types come from resolve, so that a range over a map is known
// from one over a slice.
func Pure(s *Sources, resolve Resolver) ([]Finding, error) {
	var out []Finding
	for dir, files := range pureFiles(s) {
		info, err := resolve(s.Fset, Module+"/"+dir, files)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			out = append(out, pureFile(s, f, info)...)
		}
	}
	slices.SortFunc(out, func(a, b Finding) int { return strings.Compare(a.String(), b.String()) })
	return out, nil
}

func pureFiles(s *Sources) map[string][]*Source {
	dirs := map[string][]*Source{}
	for _, f := range s.Files {
		if within(f.Dir(), Core) && !f.Test() {
			dirs[f.Dir()] = append(dirs[f.Dir()], f)
		}
	}
	return dirs
}

func pureFile(s *Sources, f *Source, info *types.Info) []Finding {
	var out []Finding
	report := func(n ast.Node, format string, args ...any) {
		out = append(out, Finding{f.Path, s.line(n.Pos()), fmt.Sprintf(format, args...)})
	}
	for _, imp := range f.AST.Imports {
		target, err := strconv.Unquote(imp.Path.Value)
		if err == nil && slices.ContainsFunc(impure, func(p string) bool { return within(target, p) }) {
			report(imp, "core is pure and may not import %s: let the caller pass in what it gives", target)
		}
	}
	var parents []ast.Node
	ast.Inspect(f.AST, func(n ast.Node) bool {
		if n == nil {
			parents = parents[:len(parents)-1]
			return true
		}
		switch n := n.(type) {
		case *ast.GoStmt:
			report(n, "core is pure: no go statement")
		case *ast.SelectStmt:
			report(n, "core is pure: no select")
		case *ast.ChanType, *ast.SendStmt:
			report(n, "core is pure: no channels")
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				report(n, "core is pure: no channels")
			}
		case *ast.RangeStmt:
			if isMap(info, n.X) && !marked(s, f, n) {
				report(n, "the order of a map is chance: range over slices.Sorted(maps.Keys(m)), or mark the line %q", orderFree)
			}
		case *ast.SelectorExpr:
			if name := clockCall(info, n); name != "" {
				report(n, "core has no clock: time.%s is the caller's; take the time as an argument", name)
			}
			if name := mapOrder(info, n); name != "" && !sortedAtOnce(info, parents) && !marked(s, f, n) {
				report(n, "maps.%s gives the order of chance: wrap it in slices.Sorted, or mark the line %q", name, orderFree)
			}
		}
		parents = append(parents, n)
		return true
	})
	return out
}

func isMap(info *types.Info, x ast.Expr) bool {
	t := info.TypeOf(x)
	if t == nil {
		return false
	}
	_, ok := t.Underlying().(*types.Map)
	return ok
}

// used names the function of the package that a selector stands for.
func used(info *types.Info, sel *ast.SelectorExpr, pkg string) string {
	o := info.Uses[sel.Sel]
	if o == nil || o.Pkg() == nil || o.Pkg().Path() != pkg {
		return ""
	}
	if f, ok := o.(*types.Func); ok && f.Signature().Recv() == nil {
		return o.Name()
	}
	return ""
}

func clockCall(info *types.Info, sel *ast.SelectorExpr) string {
	if name := used(info, sel, "time"); slices.Contains(clock, name) {
		return name
	}
	return ""
}

func mapOrder(info *types.Info, sel *ast.SelectorExpr) string {
	if name := used(info, sel, "maps"); slices.Contains([]string{"All", "Keys", "Values"}, name) {
		return name
	}
	return ""
}

// sortedAtOnce says whether the nearest call around the node at the end of parents' chain is slices.Sorted or kin.
func sortedAtOnce(info *types.Info, parents []ast.Node) bool {
	calls := 0
	for _, p := range slices.Backward(parents) {
		call, ok := p.(*ast.CallExpr)
		if !ok {
			return false
		}
		if calls++; calls == 1 {
			continue // the call of maps.Keys itself
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		return ok && strings.HasPrefix(used(info, sel, "slices"), "Sorted")
	}
	return false
}

func marked(s *Sources, f *Source, n ast.Node) bool {
	return strings.Contains(f.Lines[s.line(n.Pos())-1], orderFree)
}

// Resolver gives the types of a package's expressions.
type Resolver func(fset *token.FileSet, path string, files []*Source) (*types.Info, error)

// Compiled resolves against the export data of everything that the packages below root/internal/core import,
// which the go command builds or finds in its cache.
func Compiled(root string) (Resolver, error) {
	exports, err := exportData(root, "./"+Core+"/...")
	if err != nil {
		return nil, err
	}
	return resolver(exports), nil
}

// resolver type-checks packages whose imports have their export data in the files named by exports.
func resolver(exports map[string]string) Resolver {
	return func(fset *token.FileSet, path string, files []*Source) (*types.Info, error) {
		open := func(p string) (io.ReadCloser, error) {
			if exports[p] == "" {
				return nil, fmt.Errorf("lint: no export data for %s", p)
			}
			return os.Open(exports[p])
		}
		var parsed []*ast.File
		for _, f := range files {
			parsed = append(parsed, f.AST)
		}
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
		conf := types.Config{Importer: importer.ForCompiler(fset, "gc", open)}
		if _, err := conf.Check(path, fset, parsed, info); err != nil {
			return nil, fmt.Errorf("lint: type-check %s: %w", path, err)
		}
		return info, nil
	}
}

// exportData maps import paths to files of export data, for the packages and all that they import.
func exportData(root string, packages ...string) (map[string]string, error) {
	args := append([]string{"list", "-e", "-export", "-deps", "-json=ImportPath,Export"}, packages...)
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("lint: go list: %w\n%s", err, stderr.String())
	}
	exports := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var p struct{ ImportPath, Export string }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return exports, nil
		} else if err != nil {
			return nil, fmt.Errorf("lint: go list answered what is no JSON: %w", err)
		}
		exports[p.ImportPath] = p.Export
	}
}
