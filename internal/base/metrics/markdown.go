package metrics

import (
	"fmt"
	"strings"
)

// Markdown is docs/metrics.md. Regenerate it with `go test ./internal/base/metrics -run Docs -update`.
func Markdown() string {
	var b strings.Builder
	b.WriteString("# Metrics\n\n")
	b.WriteString("<!-- Generated from internal/base/metrics/list.go: go test ./internal/base/metrics -run Docs -update -->\n\n")
	b.WriteString("`/metrics` on the HTTP listener serves these in Prometheus's text format, besides `go_*` and `process_*`.\n")
	b.WriteString("Names end in their unit; counters end in `_total`. A metric with labels appears once it has a value.\n")
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n", s.title)
		for _, d := range s.defs {
			labels := ""
			if len(d.Labels) > 0 {
				labels = "`" + strings.Join(d.Labels, "`, `") + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, d.Type, labels, strings.ReplaceAll(d.Help, "|", `\|`))
		}
	}
	return b.String()
}
