package lint

import (
	"errors"
	"fmt"
	"go/ast"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Guarantees is the document whose every promise names the test that proves it. Groups is its page about consumer groups.
const (
	Guarantees = "docs/guarantees.md"
	Groups     = "docs/groups.md"
)

var (
	namedTest = regexp.MustCompile("`((?:Test|Fuzz|Benchmark|Example)[A-Z][A-Za-z0-9_]*)(?:/[^`]*)?`")
	link      = regexp.MustCompile(`\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)?)(?:\s+"[^"]*")?\)`)
	heading   = regexp.MustCompile(`^#{1,6}\s+(.*?)\s*#*$`)
)

// Promises finds tests that the guarantees name and that do not exist. Without the documents it finds nothing.
func Promises(s *Sources, root string) ([]Finding, error) {
	exist := testNames(s)
	var out []Finding
	for _, document := range []string{Guarantees, Groups} {
		lines, err := readLines(root, document)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for i, l := range lines {
			for _, m := range namedTest.FindAllStringSubmatch(l, -1) {
				if !exist[m[1]] {
					out = append(out, Finding{document, i + 1, fmt.Sprintf("no test is called %s: a promise without its proof", m[1])})
				}
			}
		}
	}
	return out, nil
}

func testNames(s *Sources) map[string]bool {
	names := map[string]bool{}
	for _, f := range s.Files {
		if !f.Test() {
			continue
		}
		for _, d := range f.AST.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}

// Links finds links from one document of the module to a file or heading that is not there. Links out of the
// module are not followed.
func Links(root string) ([]Finding, error) {
	var out []Finding
	err := walk(root, func(rel string) error {
		if !strings.HasSuffix(rel, ".md") {
			return nil
		}
		lines, err := readLines(root, rel)
		if err != nil {
			return err
		}
		for i, l := range prose(lines) {
			for _, m := range link.FindAllStringSubmatch(l, -1) {
				why, err := broken(root, rel, m[1])
				if err != nil {
					return err
				}
				if why != "" {
					out = append(out, Finding{rel, i + 1, why})
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("lint: links: %w", err)
	}
	return out, nil
}

// broken says why a link of the document from leads nowhere, or nothing.
func broken(root, from, target string) (string, error) {
	if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
		return "", nil
	}
	file, anchor, _ := strings.Cut(target, "#")
	to := from
	if file != "" {
		to = path.Join(path.Dir(from), file)
	}
	if to == ".." || strings.HasPrefix(to, "../") {
		return fmt.Sprintf("link %s leaves the repository", target), nil
	}
	if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(to))); errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("link %s leads nowhere: there is no %s", target, to), nil
	} else if err != nil {
		return "", err
	}
	if anchor == "" || !strings.HasSuffix(to, ".md") {
		return "", nil
	}
	lines, err := readLines(root, to)
	if err != nil {
		return "", err
	}
	if !slices.Contains(anchors(lines), anchor) {
		return fmt.Sprintf("link %s leads nowhere: %s has no such heading", target, to), nil
	}
	return "", nil
}

// anchors are the names that a forge gives to headings: lower case, blanks as hyphens, punctuation dropped, the
// second of a name numbered.
func anchors(lines []string) []string {
	var out []string
	seen := map[string]int{}
	for _, l := range prose(lines) {
		m := heading.FindStringSubmatch(l)
		if m == nil {
			continue
		}
		slug := strings.Map(func(r rune) rune {
			switch {
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			case r == ' ':
				return '-'
			}
			return -1
		}, m[1])
		if n := seen[slug]; n > 0 {
			out = append(out, fmt.Sprintf("%s-%d", slug, n))
		} else {
			out = append(out, slug)
		}
		seen[slug]++
	}
	return out
}

// prose blanks out fenced code, keeping the line numbers.
func prose(lines []string) []string {
	out := slices.Clone(lines)
	fenced := false
	for i, l := range lines {
		fence := strings.HasPrefix(strings.TrimSpace(l), "```")
		if fenced || fence {
			out[i] = ""
		}
		if fence {
			fenced = !fenced
		}
	}
	return out
}

func readLines(root, rel string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(rel)))
	if err != nil {
		return nil, err
	}
	return strings.Split(string(text), "\n"), nil
}
