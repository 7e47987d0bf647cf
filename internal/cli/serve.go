package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/base/config"
	"holdfast/internal/node"
	"holdfast/internal/storage/vfs"
)

// serveFlags are the settings that have a flag of their own; each stands for a key of the configuration.
type serveFlags struct {
	config string
	sets   []string

	data, listen, advertise, http, id string
}

func newServeCommand(a *app) *cobra.Command {
	f := &serveFlags{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a node",
		Long: `Runs a node until SIGTERM or SIGINT. No flag is needed: a fresh folder becomes a cluster of one node.

Settings have Kafka's names and come, each over the one before, from their defaults, --config FILE (your
server.properties works), the environment (HOLDFAST_LOG_RETENTION_MS is log.retention.ms), and flags.
holdfast config keys --broker lists them; holdfast config check FILE checks a file without starting.`,
		Example: "  holdfast serve\n  holdfast serve --data /var/lib/holdfast --listen 0.0.0.0:9092 --advertise kafka1.example:9092\n" +
			"  holdfast serve --config server.properties --set log.retention.hours=24",
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVar(&f.config, "config", "", "settings as a Java properties file")
	cmd.Flags().StringArrayVar(&f.sets, "set", nil, "one setting as key=value; may be repeated")
	cmd.Flags().StringVar(&f.data, "data", "", "the data folder (log.dirs; ./holdfast-data)")
	cmd.Flags().StringVar(&f.listen, "listen", "", "HOST:PORT for Kafka clients (listeners; 127.0.0.1:9092)")
	cmd.Flags().StringVar(&f.advertise, "advertise", "", "HOST:PORT that clients are told (advertised.listeners)")
	cmd.Flags().StringVar(&f.http, "http", "", "HOST:PORT for /metrics and health, or off (http.listener; 127.0.0.1:9094)")
	cmd.Flags().StringVar(&f.id, "id", "", "the node's number (node.id; 1)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return runServe(cmd.Context(), a, f) }
	return cmd
}

func runServe(ctx context.Context, a *app, f *serveFlags) error {
	began := time.Now()
	values, notices, err := config.Load(f.config, f.settings(), os.Environ())
	if err != nil {
		return usage("", "%s", strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	log := newLogger(a.env.Err, values)
	for _, n := range notices {
		log.Warn(n)
	}
	warnDataFolder(log, vfs.OS(), values.List("log.dirs"))
	n, err := node.Start(ctx, node.Options{FS: vfs.OS(), Config: values, Log: log, Version: readBuildInfo().Version, Began: began})
	if err != nil {
		return failed(err, "", "%v", err)
	}
	fmt.Fprintln(a.env.Out, readyLine(n, values, time.Since(began)))
	select {
	case <-ctx.Done():
		log.Info("stopping; a second signal ends the process at once")
	case <-n.Failed():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), values.Duration(config.ShutdownTimeoutMs))
	defer cancel()
	if err := n.Stop(stopping); err != nil {
		return failed(err, "", "the node did not stop cleanly: %v", err)
	}
	return nil
}

// settings turns the flags that were given into settings.
func (f *serveFlags) settings() []string {
	sets := append([]string{}, f.sets...)
	add := func(value, key, prefix string) {
		if value != "" {
			sets = append(sets, key+"="+prefix+value)
		}
	}
	add(f.data, "log.dirs", "")
	add(f.listen, "listeners", "PLAINTEXT://")
	add(f.advertise, "advertised.listeners", "PLAINTEXT://")
	add(f.http, config.HTTPListener, "")
	add(f.id, "node.id", "")
	return sets
}

// readyLine is the one line that says where everything is.
func readyLine(n *node.Node, v *config.Values, took time.Duration) string {
	http := n.HTTPAddress()
	if http == "" {
		http = "off"
	}
	sync := "synced acks"
	if !v.Bool(config.LogCommitSync) {
		sync = "unsynced acks"
	}
	return fmt.Sprintf("holdfast ready in %d ms: kafka %s, http %s, data %s (node %d, %s)",
		took.Milliseconds(), n.Address(), http, n.Dir(), n.ID(), sync)
}

// newLogger writes what a person can read, or JSON where a machine does.
func newLogger(w io.Writer, v *config.Values) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(v.String(config.LoggingLevel))); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if v.String(config.LoggingFormat) == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// warnDataFolder says where the data folder lies on a file system that does not keep what it was given.
func warnDataFolder(log *slog.Logger, fsys vfs.FS, dirs []string) {
	for _, dir := range dirs {
		existing := dir
		for existing != "." && existing != string(filepath.Separator) {
			if _, err := os.Stat(existing); err == nil {
				break
			}
			existing = filepath.Dir(existing)
		}
		kind, err := fsys.Type(existing)
		if err != nil {
			continue
		}
		switch kind {
		case "tmpfs", "ramfs":
			log.Warn("the data folder is in memory: a reboot loses every record", "folder", dir, "file system", kind)
		case "overlay", "overlayfs":
			log.Warn("the data folder is in a container's own layer: it goes with the container. Mount a volume", "folder", dir)
		case "nfs", "nfs4", "cifs", "smb2", "smb3", "9p", "fuse":
			log.Warn("the data folder is on a network or user-space file system, whose syncs may promise more than they keep", "folder", dir, "file system", kind)
		}
	}
}
