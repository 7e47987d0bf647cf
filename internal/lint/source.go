package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Module is the import path of the module under judgement.
const Module = "holdfast"

// Finding is one breach of a rule.
type Finding struct {
	File string // relative to the module's root, with slashes
	Line int    // 0 where the whole file or package is meant
	Text string // what is wrong and what to do instead
}

// String is the form that editors jump to.
func (f Finding) String() string {
	if f.Line == 0 {
		return f.File + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
}

// Source is one Go file, parsed with its comments.
type Source struct {
	Path      string // relative to the module's root, with slashes
	Lines     []string
	AST       *ast.File
	Generated bool
}

// Test says whether the file belongs to tests only.
func (s *Source) Test() bool { return strings.HasSuffix(s.Path, "_test.go") }

// Dir is the package's folder relative to the module's root.
func (s *Source) Dir() string { return path.Dir(s.Path) }

// Sources are the Go files of the module, sorted by path.
type Sources struct {
	Fset  *token.FileSet
	Files []*Source
}

// Load parses every Go file of the module rooted at root, whatever its build tags. Nested modules, testdata
// and folders that hold installed packages are not part of the module.
func Load(root string) (*Sources, error) {
	s := &Sources{Fset: token.NewFileSet()}
	err := walk(root, func(rel string) error {
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(rel)))
		if err != nil {
			return err
		}
		return s.add(rel, text)
	})
	if err != nil {
		return nil, fmt.Errorf("lint: load module at %s: %w", root, err)
	}
	return s, nil
}

func (s *Sources) add(rel string, text []byte) error {
	f, err := parser.ParseFile(s.Fset, rel, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	s.Files = append(s.Files, &Source{
		Path: rel, AST: f, Generated: ast.IsGenerated(f),
		Lines: strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"),
	})
	return nil
}

func (s *Sources) line(p token.Pos) int { return s.Fset.Position(p).Line }

// walk calls f with every file of the module, in lexical order.
func walk(root string, f func(rel string) error) error {
	skip := []string{".git", "testdata", "node_modules", "vendor"}
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return f(filepath.ToSlash(rel))
		}
		if slices.Contains(skip, d.Name()) {
			return filepath.SkipDir
		}
		if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil && rel != "." {
			return filepath.SkipDir
		}
		return nil
	})
}
