package lint

import (
	"os"
	"path/filepath"
	"testing"
)

// moduleRoot is found by its go.mod, since tests run in their package's folder.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatalf("lint is not two folders below the module's root: %v", err)
	}
	return dir
}

func load(t *testing.T) (*Sources, string) {
	t.Helper()
	root := moduleRoot(t)
	s, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	return s, root
}

func report(t *testing.T, findings []Finding, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		t.Error(f)
	}
}

func TestFloors(t *testing.T) {
	s, _ := load(t)
	report(t, Floors(s), nil)
}

func TestCoreIsPure(t *testing.T) {
	s, root := load(t)
	if len(pureFiles(s)) == 0 {
		t.Skip("no package stands below " + Core + " yet")
	}
	resolve, err := Compiled(root)
	if err != nil {
		t.Fatal(err)
	}
	findings, err := Pure(s, resolve)
	report(t, findings, err)
}

func TestShape(t *testing.T) {
	s, _ := load(t)
	report(t, Shape(s), nil)
}

func TestAdvertisedAPIsAreServed(t *testing.T) {
	s, _ := load(t)
	report(t, Handlers(s), nil)
}

func TestPromisesHaveTests(t *testing.T) {
	s, root := load(t)
	findings, err := Promises(s, root)
	report(t, findings, err)
}

func TestLinksResolve(t *testing.T) {
	findings, err := Links(moduleRoot(t))
	report(t, findings, err)
}
