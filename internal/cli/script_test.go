package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kfake"

	"holdfast/internal/local"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"holdfast": func() { os.Exit(Main()) }})
}

// until PATTERN COMMAND… runs a command until its output matches: what a node notes in the background takes a moment.
func until(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND…")
	}
	wanted := regexp.MustCompile(args[0])
	for limit := time.Now().Add(20 * time.Second); ; {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if wanted.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(limit) {
			ts.Fatalf("it never said %s", wanted)
		}
		time.Sleep(100 * time.Millisecond) // sleep: between two looks from outside
	}
}

// flip FILE AT changes a bit of the byte at a position of a file.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: flip FILE AT")
	}
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	p, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	p[at] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), p, 0o600))
}

// Sessions as a person would type them, with what they would see: testdata/script/*.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  filepath.Join("testdata", "script"),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"flip": flip, "until": until},
		Setup: func(env *testscript.Env) error {
			c, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.ClusterID("script"))
			if err != nil {
				return err
			}
			env.Defer(c.Close)
			env.Setenv("HOLDFAST_BOOTSTRAP", brokersOf(c))
			env.Setenv("FAKE", brokersOf(c))
			port, err := local.FreePort(1)
			if err != nil {
				return err
			}
			env.Setenv("PORT", strconv.Itoa(port))
			env.Defer(func() { // a script that fails half-way leaves no node behind
				if c, err := local.Open(filepath.Join(env.WorkDir, "cluster")); err == nil {
					_ = c.Close(localStopLimit) // what can be ended is
				}
			})
			return nil
		},
	})
}
