package lint

import (
	"fmt"
	"go/ast"
	"maps"
	"path"
	"slices"
	"strings"
)

// The walls. Most files and functions are far below them.
const (
	MaxFileLines     = 800
	MaxFunctionLines = 70
)

// catchAll are package names that say nothing about what is inside, so that anything ends up there.
var catchAll = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared"}

// Shape finds rooms that are too large, packages without a door, work hidden in init, and tests that sleep.
func Shape(s *Sources) []Finding {
	var out []Finding
	packages := map[string][]string{}
	for _, f := range s.Files {
		if !f.Test() {
			packages[f.Dir()] = append(packages[f.Dir()], path.Base(f.Path))
		}
		if slices.Contains(catchAll, strings.TrimSuffix(f.AST.Name.Name, "_test")) {
			out = append(out, Finding{f.Path, 1, fmt.Sprintf("a package named %s says nothing: name it after what it is", f.AST.Name.Name)})
		}
		if f.Generated {
			continue
		}
		if n := len(f.Lines); n > MaxFileLines {
			out = append(out, Finding{f.Path, 0, fmt.Sprintf("%d lines, the wall is %d: one thing a file", n, MaxFileLines)})
		}
		out = append(out, functions(s, f)...)
		out = append(out, sleeps(s, f)...)
	}
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		if files := packages[dir]; len(files) > 1 && !slices.Contains(files, "doc.go") {
			out = append(out, Finding{dir, 0, "a package of more than one file opens with doc.go: what it is, what it is not, who calls it, its invariants"})
		}
	}
	return out
}

func functions(s *Sources, f *Source) []Finding {
	var out []Finding
	for _, d := range f.AST.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if fn.Recv == nil && fn.Name.Name == "init" {
			out = append(out, Finding{f.Path, s.line(fn.Pos()), "no func init: let whoever builds the thing say so"})
		}
		// Tables of tests may be long: they are data.
		if n := s.line(fn.End()) - s.line(fn.Pos()) + 1; n > MaxFunctionLines && !f.Test() {
			out = append(out, Finding{f.Path, s.line(fn.Pos()), fmt.Sprintf("%s has %d lines, the wall is %d: one screen a function", fn.Name.Name, n, MaxFunctionLines)})
		}
	}
	return out
}

// sleeps finds time.Sleep in tests: each is slow, or a race in waiting. A line that must sleep says why after "// sleep:".
func sleeps(s *Sources, f *Source) []Finding {
	if !f.Test() {
		return nil
	}
	var out []Finding
	ast.Inspect(f.AST, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != "Sleep" {
			return true
		}
		line := s.line(sel.Pos())
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && !strings.Contains(f.Lines[line-1], "// sleep:") {
			out = append(out, Finding{f.Path, line, "a test that sleeps is slow or a race in waiting: wait for the event, or say why after \"// sleep:\""})
		}
		return true
	})
	return out
}
