package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kfake"
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
			return nil
		},
	})
}
