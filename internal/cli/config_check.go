package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"holdfast/internal/base/config"
)

// finding is one line of the JSON output of config check.
type finding struct {
	File    string `json:"file"`
	Level   string `json:"level"` // error or notice
	Origin  string `json:"origin,omitempty"`
	Key     string `json:"key,omitempty"`
	Message string `json:"message"`
}

func newConfigCheckCommand(a *app) *cobra.Command {
	var client bool
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a file of broker or client settings without starting anything",
		Long: `Reads a file of broker settings (your server.properties) as serve would, or with --client a file of client
settings as the client commands would, and says everything that is wrong with it at once.

` + holdfastOnly + ` ` + noCluster,
		Example: "  holdfast config check server.properties\n  holdfast config check --client client.properties -o json",
		Args:    takes(1, 1, "a file"),
		RunE: func(_ *cobra.Command, args []string) error {
			if client {
				return checkClientFile(a, args[0])
			}
			return checkServerFile(a, args[0])
		},
	}
	cmd.Flags().BoolVar(&client, "client", false, "the file holds client settings")
	return cmd
}

func checkServerFile(a *app, path string) error {
	_, notices, err := config.Load(path, nil, nil)
	var list []finding
	for _, n := range notices {
		list = append(list, finding{File: path, Level: "notice", Message: n})
	}
	for _, e := range leaves(err) {
		f := finding{File: path, Level: "error", Message: e.Error()}
		var k *config.KeyError
		if errors.As(e, &k) {
			f.Key, f.Origin = k.Key, k.Origin
		}
		list = append(list, f)
	}
	return reportFindings(a, path, list)
}

func checkClientFile(a *app, path string) error {
	settings, inert, err := loadClientConfig(path)
	if err == nil {
		_, err = settings.options()
	}
	var list []finding
	for _, key := range inert {
		list = append(list, finding{File: path, Level: "notice", Key: key, Message: key + " has no meaning here"})
	}
	if err != nil {
		list = append(list, finding{File: path, Level: "error", Message: err.Error()})
	}
	return reportFindings(a, path, list)
}

// reportFindings prints them; errors make the exit code.
func reportFindings(a *app, path string, list []finding) error {
	code, faults := exitDone, 0
	for _, f := range list {
		if f.Level == "error" {
			code = exitUsage
			faults++
		}
		if a.json() {
			if err := jsonLine(a.env.Out, f); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(a.env.Out, "%s: %s\n", f.Level, f.Message)
	}
	if code != exitDone {
		return usage("", "%s: %s", path, plural(int64(faults), "error"))
	}
	if !a.json() {
		_, err := fmt.Fprintf(a.env.Out, "%s is good\n", path)
		return err
	}
	return nil
}

// leaves takes a joined error apart.
func leaves(err error) []error {
	if err == nil {
		return nil
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []error{err}
	}
	var list []error
	for _, e := range joined.Unwrap() {
		list = append(list, leaves(e)...)
	}
	return list
}
