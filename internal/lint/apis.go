package lint

import (
	"fmt"
	"go/ast"
	"strings"
)

const (
	apiTable = "internal/proto/wire"
	handlers = "internal/server/handler"
)

// Handlers finds APIs that the table advertises and that no handler serves: a client would believe the table.
// A row is a literal with `Key: KeyName`; to serve it is to name kmsg.Name.
func Handlers(s *Sources) []Finding {
	served := map[string]bool{}
	for _, f := range s.Files {
		if f.Dir() != handlers || f.Test() {
			continue
		}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "kmsg" {
					served[sel.Sel.Name] = true
				}
			}
			return true
		})
	}
	var out []Finding
	for _, f := range s.Files {
		if f.Dir() != apiTable || f.Test() {
			continue
		}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			if name := row(n); name != "" && !served[name] {
				out = append(out, Finding{f.Path, s.line(n.Pos()), fmt.Sprintf("%s is advertised and nothing in %s serves it", name, handlers)})
			}
			return true
		})
	}
	return out
}

// row is the name in `Key: KeyName`, or nothing.
func row(n ast.Node) string {
	kv, ok := n.(*ast.KeyValueExpr)
	if !ok {
		return ""
	}
	field, ok := kv.Key.(*ast.Ident)
	if !ok || field.Name != "Key" {
		return ""
	}
	value, ok := kv.Value.(*ast.Ident)
	if !ok {
		return ""
	}
	name, _ := strings.CutPrefix(value.Name, "Key")
	return name
}
