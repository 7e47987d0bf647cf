package metrics

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// awaited are metrics whose measuring code is being built in these days. The list must be empty when the first
// release is cut: a metric that nobody measures is served as 0 and reads as good news.
var awaited = map[string]bool{}

// identifiers maps the name of each variable in list.go that holds a Def to the metric's name.
func identifiers(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "list.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		u, ok := spec.Values[0].(*ast.UnaryExpr)
		if !ok {
			return true
		}
		for _, e := range u.X.(*ast.CompositeLit).Elts {
			if kv := e.(*ast.KeyValueExpr); kv.Key.(*ast.Ident).Name == "Name" {
				out[spec.Names[0].Name] = strings.Trim(kv.Value.(*ast.BasicLit).Value, `"`)
			}
		}
		return true
	})
	return out
}

func TestEveryMetricIsMeasured(t *testing.T) {
	var program strings.Builder
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".go" && !strings.HasSuffix(path, "_test.go") {
			var text []byte
			if text, err = os.ReadFile(path); errors.Is(err, fs.ErrNotExist) {
				err = nil // somebody edits while we look
			}
			program.Write(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := identifiers(t)
	if len(names) != len(All()) {
		t.Fatalf("found %d of %d metrics in list.go", len(names), len(All()))
	}
	for id, name := range names {
		used := strings.Contains(program.String(), "metrics."+id+")") || strings.Contains(program.String(), "metrics."+id+",")
		switch {
		case awaited[name] && used:
			t.Logf("%s is measured now: take it off the awaited list", name)
		case awaited[name]:
			t.Logf("%s is not measured yet", name)
		case !used:
			t.Errorf("nothing measures %s: do, or drop it", name)
		}
	}
}
