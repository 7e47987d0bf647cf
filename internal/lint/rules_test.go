package lint

import (
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sources parses one file of text at the path.
func sources(t *testing.T, path, text string) *Sources {
	t.Helper()
	s := &Sources{Fset: token.NewFileSet()}
	if err := s.add(path, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return s
}

// want compares findings with the words that each must hold, in order.
func want(t *testing.T, got []Finding, words ...string) {
	t.Helper()
	if len(got) != len(words) {
		t.Fatalf("%d findings, want %d: %v", len(got), len(words), got)
	}
	for i, w := range words {
		if !strings.Contains(got[i].String(), w) {
			t.Errorf("finding %q does not say %q", got[i], w)
		}
	}
}

func TestFloorsRefuse(t *testing.T) {
	for _, c := range []struct{ file, imports, refused string }{
		{"internal/storage/commitlog/a.go", "holdfast/internal/storage/vfs", ""},
		{"internal/storage/vfs/a.go", "holdfast/internal/storage/commitlog", "draw no such edge"},
		{"internal/storage/journal/a.go", "holdfast/internal/storage/commitlog", "draw no such edge"},
		{"internal/core/replica/a.go", "holdfast/internal/core/image", ""},
		{"internal/core/replica/a.go", "holdfast/internal/core/producer", "draw no such edge"},
		{"internal/core/replica/a.go", "holdfast/internal/storage/vfs", "draw no such edge"},
		{"internal/core/replica/a_test.go", "holdfast/internal/core/producer", ""},
		{"internal/core/replica/a_test.go", "holdfast/internal/storage/vfs", "draw no such edge"},
		{"internal/server/a.go", "holdfast/internal/server/handler", ""},
		{"internal/server/handler/a.go", "holdfast/internal/server", "draw no such edge"},
		{"internal/cli/a.go", "holdfast/internal/verify/report", ""},
		{"internal/node/a.go", "holdfast/internal/console", ""},
		{"internal/node/a.go", "holdfast/internal/verify", "draw no such edge"},
		{"internal/verify/a.go", "holdfast/internal/verify/check", ""},
		{"internal/verify/a.go", "holdfast/internal/node", "draw no such edge"},
		{"internal/verify/a.go", "holdfast/internal/local", ""},
		{"internal/local/a.go", "holdfast/internal/verify", "draw no such edge"},
		{"internal/host/coord/a.go", "holdfast/internal/host/partition", ""},
		{"internal/host/coord/a.go", "holdfast/internal/host/quorum", "draw no such edge"},
		{"cmd/holdfast/main.go", "holdfast/internal/cli", ""},
		{"internal/cli/a.go", "holdfast/internal/lint", "draw no such edge"},
		{"internal/attic/a.go", "holdfast/internal/base/event", "stands on no floor"},
		{"test/interop/a_test.go", "holdfast/internal/proto/record", "draw no such edge"},
		{"internal/core/image/a.go", "github.com/twmb/franz-go/pkg/kgo", "kept to"},
		{"internal/core/image/a.go", "github.com/twmb/franz-go/pkg/kmsg", ""},
		{"internal/core/image/a_test.go", "github.com/twmb/franz-go/pkg/kgo", ""},
		{"internal/core/image/a.go", "pgregory.net/rapid", "for tests only"},
	} {
		got := Floors(sources(t, c.file, "package a\nimport _ \""+c.imports+"\"\n"))
		if c.refused == "" {
			if len(got) > 0 {
				t.Errorf("%s imports %s: %v", c.file, c.imports, got)
			}
			continue
		}
		want(t, got, c.refused)
	}
}

func TestPureRefuses(t *testing.T) {
	exports, err := exportData(moduleRoot(t), "maps", "slices", "sync/atomic", "time", "math/rand/v2")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		code  string
		words []string
	}{
		"values of time":       {"import \"time\"\nfunc f(t time.Time) time.Time { return t.Add(time.Second) }", nil},
		"a method named After": {"import \"time\"\nfunc f(a, b time.Time) bool { return a.After(b) }", nil},
		"clock":                {"import \"time\"\nfunc f() time.Time { return time.Now() }", []string{"time.Now"}},
		"clock, renamed":       {"import t \"time\"\nvar f = t.Since", []string{"time.Since"}},
		"chance":               {"import _ \"math/rand/v2\"", []string{"math/rand/v2"}},
		"atomics":              {"import _ \"sync/atomic\"", []string{"sync/atomic"}},
		"go":                   {"func f() { go f() }", []string{"no go statement"}},
		"channels":             {"func f(c chan int) { c <- <-c }", []string{"no channels", "no channels", "no channels"}},
		"select":               {"func f() { select {} }", []string{"no select"}},
		"slice":                {"func f(m []int) { for range m {} }", nil},
		"map":                  {"func f(m map[int]int) { for range m {} }", []string{"order of a map"}},
		"named map":            {"type M map[int]int\nfunc f(m M) { for range m {} }", []string{"order of a map"}},
		"marked map":           {"func f(m map[int]int) {\n for range m { // order-free\n}\n}", nil},
		"keys sorted":          {"import (\"maps\"; \"slices\")\nfunc f(m map[int]int) { for range slices.Sorted(maps.Keys(m)) {} }", nil},
		"keys collected":       {"import (\"maps\"; \"slices\")\nfunc f(m map[int]int) []int { return slices.Collect(maps.Keys(m)) }", []string{"order of chance"}},
		"values ranged":        {"import \"maps\"\nfunc f(m map[int]int) { for range maps.Values(m) {} }", []string{"order of chance"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Pure(sources(t, "internal/core/x/a.go", "package x\n"+c.code+"\n"), resolver(exports))
			if err != nil {
				t.Fatal(err)
			}
			want(t, got, c.words...)
		})
	}
}

func TestShapeRefuses(t *testing.T) {
	long := "package a\nfunc f() {\n" + strings.Repeat("\tf()\n", MaxFunctionLines) + "}\n"
	for name, c := range map[string]struct {
		file, text string
		words      []string
	}{
		"init":          {"internal/a/a.go", "package a\nfunc init() {}\n", []string{"no func init"}},
		"method init":   {"internal/a/a.go", "package a\ntype t int\nfunc (t) init() {}\n", nil},
		"long function": {"internal/a/a.go", long, []string{"one screen a function"}},
		"long test":     {"internal/a/a_test.go", long, nil},
		"long, made":    {"internal/a/a.go", "// Code generated by hand. DO NOT EDIT.\n\n" + long, nil},
		"long file":     {"internal/a/a.go", "package a\n" + strings.Repeat("// more\n", MaxFileLines), []string{"one thing a file"}},
		"catch-all":     {"internal/a/a.go", "package utils\n", []string{"says nothing"}},
		"sleeping test": {"internal/a/a_test.go", "package a\nimport \"time\"\nfunc f() { time.Sleep(1) }\n", []string{"race in waiting"}},
		"excused sleep": {"internal/a/a_test.go", "package a\nimport \"time\"\nfunc f() {\n time.Sleep(1) // sleep: the point of the test\n}\n", nil},
	} {
		t.Run(name, func(t *testing.T) { want(t, Shape(sources(t, c.file, c.text)), c.words...) })
	}
	t.Run("no door", func(t *testing.T) {
		s := sources(t, "internal/a/a.go", "package a\n")
		if err := s.add("internal/a/b.go", []byte("package a\n")); err != nil {
			t.Fatal(err)
		}
		want(t, Shape(s), "doc.go")
		if err := s.add("internal/a/doc.go", []byte("// Package a is one.\npackage a\n")); err != nil {
			t.Fatal(err)
		}
		want(t, Shape(s))
	})
}

func TestHandlersRefuse(t *testing.T) {
	s := sources(t, "internal/proto/wire/api.go", "package wire\nvar table = []API{\n{Key: KeyMetadata},\n{Key: KeyGone},\n}\n")
	if err := s.add("internal/server/handler/a.go", []byte("package handler\nvar a = kmsg.Metadata\n")); err != nil {
		t.Fatal(err)
	}
	want(t, Handlers(s), "api.go:4: Gone is advertised")
}

func TestDocsRefuse(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(Guarantees, "# A promise\n`TestKept`, `TestKept/case one`, `TestBroken`, Tests, `Testing`\n")
	write("README.md", strings.Join([]string{
		"# The *door*: in `code`", "## Twice", "## Twice",
		"[a](docs/guarantees.md#a-promise) [b](#the-door-in-code) [c](#twice-1) [d](https://example.org/x) [e](docs)",
		"[f](docs/gone.md) [g](docs/guarantees.md#gone) [h](../x)",
		"```", "[i](gone)", "```",
	}, "\n"))

	s := sources(t, "internal/a/a_test.go", "package a\nfunc TestKept() {}\n")
	got, err := Promises(s, root)
	if err != nil {
		t.Fatal(err)
	}
	want(t, got, "docs/guarantees.md:2: no test is called TestBroken")

	got, err = Links(root)
	if err != nil {
		t.Fatal(err)
	}
	want(t, got, "README.md:5: link docs/gone.md", "no such heading", "leaves the repository")
}
