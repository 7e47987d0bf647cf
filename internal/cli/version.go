package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// buildInfo is what the binary knows about its own making.
type buildInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Dirty   bool   `json:"dirty"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func readBuildInfo() buildInfo {
	b := buildInfo{Version: "devel", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Dirty = s.Value == "true"
		}
	}
	return b
}

// softwareVersion is the version in the form that ApiVersions allows for client software.
func softwareVersion() string { return "devel" }

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this binary",
		Long:    noCluster,
		Example: "  holdfast version\n  holdfast version -o json",
		Args:    takes(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			b := readBuildInfo()
			if a.json() {
				return jsonLine(a.env.Out, b)
			}
			commit := ""
			if b.Commit != "" {
				commit = " commit " + b.Commit[:min(12, len(b.Commit))]
				if b.Dirty {
					commit += " (changed)"
				}
			}
			_, err := fmt.Fprintf(a.env.Out, "holdfast %s%s %s %s/%s\n", b.Version, commit, b.Go, b.OS, b.Arch)
			return err
		},
	}
}
