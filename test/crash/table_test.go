package crash

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var writeTables = flag.Bool("crash.write", false, "write the tables under docs/results")

// table is what a test found, for people.
type table struct {
	mu    sync.Mutex
	lines []string
}

func newTable(columns ...string) *table {
	t := &table{}
	t.lines = append(t.lines, "| "+strings.Join(columns, " | ")+" |", strings.Repeat("|---", len(columns))+"|")
	return t
}

func (t *table) row(cells ...any) {
	var b strings.Builder
	for _, c := range cells {
		fmt.Fprintf(&b, "| %v ", c)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, b.String()+"|")
}

// finish prints the table, and where asked for writes it under docs/results.
func (t *table) finish(tb testing.TB, name, title, text string) {
	all := strings.Join(t.lines, "\n")
	tb.Log("\n" + all)
	if !*writeTables || tb.Failed() {
		return
	}
	page := fmt.Sprintf("# %s\n\n%s\n\n%s\n\nMade by `go test ./test/crash -run %s -crash.write`.\n", title, text, all, tb.Name())
	if err := os.WriteFile(filepath.Join("../../docs/results", name), []byte(page), 0o644); err != nil {
		tb.Fatal(err)
	}
}
