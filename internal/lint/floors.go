package lint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// floors are the storeys of the house, lowest first. A package imports packages of lower floors only; inside a
// floor, only those of an earlier step. Packages of one step do not know each other.
//
// A folder stands for itself and all below it, unless a longer one is listed.
var floors = []floor{
	{"base", [][]string{{"internal/base/invariant"}, {"internal/base/metrics"}, {"internal/base/config", "internal/base/event"}}},
	{"proto", [][]string{{"internal/proto/wire", "internal/proto/record"}}},
	{"core", [][]string{
		{"internal/core/image"},
		{"internal/core/shard"},
		{"internal/core/replica", "internal/core/producer", "internal/core/controller", "internal/core/group", "internal/core/txn", "internal/core/acl"},
	}},
	{"storage", [][]string{{"internal/storage/vfs"}, {"internal/storage/journal", "internal/storage/commitlog"}}},
	{"host", [][]string{{"internal/host/peer"}, {"internal/host/partition"}, {"internal/host/coord", "internal/host/quorum"}, {"internal/host/markers"}}},
	{"server", [][]string{{"internal/server/handler"}, {"internal/server"}}},
	{"node", [][]string{{"internal/node"}}},
	{"cli", [][]string{{"internal/cli"}}},
	{"cmd", [][]string{{"cmd"}}},
}

type floor struct {
	name  string
	steps [][]string
}

// aside are the packages beside the stairs. They reach a node as a client or as a process, never by import, so
// they see only the floors, and the packages beside, that are named here; whoever stands on the floor `below` or higher
// may import them.
var aside = map[string]struct {
	sees  []string
	below string
}{
	"internal/console": {[]string{"base", "proto"}, "node"},
	"internal/local":   {[]string{"base", "proto"}, "cli"},
	"internal/verify":  {[]string{"base", "proto", "internal/local"}, "cli"}, // whose nodes it kills
	"internal/sim":     {[]string{"base", "proto", "core", "storage", "host"}, "cmd"},
	"internal/lint":    {nil, "none"},
	"internal/deps":    {nil, "none"},
	"test":             {[]string{"base", "proto", "core", "storage", "host"}, "none"},
	"test/interop":     {nil, "none"}, // a foreign judge: what it shares with the product it cannot judge
}

// foreign says which packages may import a third-party module at all; tests may use any of them. What is not
// listed may stand anywhere that go.mod lets it.
var foreign = map[string][]string{
	"github.com/spf13/cobra":                                  {"internal/cli", "cmd"},
	"github.com/twmb/franz-go/pkg/kgo":                        {"internal/cli", "internal/verify", "internal/local", "test"},
	"github.com/twmb/franz-go/pkg/kadm":                       {"internal/cli", "internal/verify", "internal/local", "test"},
	"github.com/twmb/franz-go/pkg/kfake":                      {},
	"go.etcd.io/raft":                                         {"internal/host/quorum", "internal/sim"},
	"github.com/prometheus":                                   {"internal/base/metrics", "internal/host", "internal/server", "internal/node", "internal/cli", "internal/verify"},
	"github.com/klauspost/compress":                           {"internal/proto/record", "internal/cli"},
	"github.com/pierrec/lz4":                                  {"internal/proto/record"},
	"github.com/magiconair/properties":                        {"internal/base/config", "internal/cli"},
	"github.com/anishathalye/porcupine":                       {},
	"github.com/google/go-cmp":                                {},
	"github.com/cockroachdb/datadriven":                       {},
	"pgregory.net/rapid":                                      {},
	"github.com/rogpeppe/go-internal":                         {},
	"github.com/prometheus/client_golang/prometheus/testutil": {},
}

// Floors finds import edges that the table does not draw. A test file may also import its own floor, since it
// often needs a neighbour to play with, but never a higher one.
func Floors(s *Sources) []Finding {
	var out []Finding
	for _, f := range s.Files {
		for _, imp := range f.AST.Imports {
			target, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				continue
			}
			why := ""
			if in, ok := strings.CutPrefix(target, Module+"/"); ok {
				why = edge(f.Dir(), in, f.Test())
			} else if !f.Test() && f.Dir() != "internal/deps" {
				why = guest(f.Dir(), target)
			}
			if why != "" {
				out = append(out, Finding{f.Path, s.line(imp.Pos()), why})
			}
		}
	}
	return out
}

// edge says why from may not import to, or nothing.
func edge(from, to string, test bool) string {
	if within(from, to) && within(to, from) {
		return "" // an external test of the package itself
	}
	a, b := place(from), place(to)
	switch {
	case a.key == "":
		return fmt.Sprintf("package %s stands on no floor: add it to the table in internal/lint/floors.go", from)
	case b.key == "":
		return fmt.Sprintf("package %s stands on no floor: add it to the table in internal/lint/floors.go", to)
	case a.key == b.key:
		return "" // parts of one package's folder
	case a.aside:
		if sees := aside[a.key].sees; slices.Contains(sees, b.floor) || b.aside && slices.Contains(sees, b.key) {
			return ""
		}
	case b.aside:
		if n := index(aside[b.key].below); n >= 0 && index(a.floor) >= n {
			return ""
		}
	case index(a.floor) > index(b.floor), a.floor == b.floor && (test || a.step > b.step):
		return ""
	}
	return fmt.Sprintf("%s may not import %s: the floors in internal/lint/floors.go draw no such edge", from, to)
}

// guest says why a third-party package may not be imported here, or nothing.
func guest(from, target string) string {
	best := ""
	for module := range foreign {
		if within(target, module) && len(module) > len(best) {
			best = module
		}
	}
	if best == "" || slices.ContainsFunc(foreign[best], func(dir string) bool { return within(from, dir) }) {
		return ""
	}
	if len(foreign[best]) == 0 {
		return fmt.Sprintf("%s is for tests only", best)
	}
	return fmt.Sprintf("%s may not import %s: it is kept to %s", from, best, strings.Join(foreign[best], ", "))
}

type spot struct {
	key   string // the entry of the table
	floor string
	step  int
	aside bool
}

// place finds the longest entry of either table that holds dir.
func place(dir string) spot {
	var best spot
	for _, f := range floors {
		for step, keys := range f.steps {
			for _, key := range keys {
				if within(dir, key) && len(key) > len(best.key) {
					best = spot{key: key, floor: f.name, step: step}
				}
			}
		}
	}
	for key := range aside {
		if within(dir, key) && len(key) > len(best.key) {
			best = spot{key: key, aside: true}
		}
	}
	return best
}

// index is the height of a floor, -1 if there is none of that name.
func index(name string) int {
	return slices.IndexFunc(floors, func(f floor) bool { return f.name == name })
}

func within(dir, parent string) bool {
	return dir == parent || strings.HasPrefix(dir, parent+"/")
}
