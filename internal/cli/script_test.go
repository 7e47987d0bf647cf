package cli

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kfake"

	"holdfast/internal/local"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"holdfast": func() { os.Exit(Main()) }})
}

// Sessions as a person would type them, with what they would see: testdata/script/*.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			c, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.ClusterID("script"))
			if err != nil {
				return err
			}
			env.Defer(c.Close)
			env.Setenv("HOLDFAST_BOOTSTRAP", brokersOf(c))
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
