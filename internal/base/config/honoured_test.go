package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// readBy says how a broker key is read where it is not by its name: through an accessor or a senior key, or by the
// checks of this package alone, which admit one meaning only.
var readBy = map[string]string{
	"listeners": ".Listeners()", "advertised.listeners": ".Listeners()", "listener.security.protocol.map": ".Listeners()",
	"controller.listener.names": ".Listeners()", "max.connections.per.ip.overrides": ".ConnectionOverrides()",
	"broker.id": `"node.id"`, "log.dir": `"log.dirs"`,
	"process.roles": "", "inter.broker.listener.name": "", "controller.quorum.voters": "", "controller.quorum.bootstrap.servers": "",
	"log.retention.hours": "ResolveTopic", "log.retention.minutes": "ResolveTopic", "log.roll.hours": "ResolveTopic",
	"log.roll.jitter.hours": "ResolveTopic", "log.flush.scheduler.interval.ms": "ResolveTopic",
	ClusterID: "config.ClusterID", HTTPListener: "config.HTTPListener", HTTPPprof: "config.HTTPPprof", LoggingFormat: "config.LoggingFormat",
	LoggingLevel: "config.LoggingLevel", MemoryBudgetBytes: "config.MemoryBudgetBytes", OpenFilesMax: "config.OpenFilesMax",
	DecompressedMaxBytes: "config.DecompressedMaxBytes", ShutdownTimeoutMs: "config.ShutdownTimeoutMs",
}

// awaited are settings whose readers are being built in these days. The list must be empty when the first release is
// cut: what is still on it then gets a Standing that says so.
var awaited = map[string]bool{
	"FlushMessages": true, "FlushMs": true,
}

// sources is the text of the program outside this package, tests left out.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || path == filepath.Join(root, "base", "config")) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) == ".go" && !strings.HasSuffix(path, "_test.go") {
			text, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				err = nil // somebody edits while we look
			}
			all.Write(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// A setting that is accepted and that no code reads is swallowed: it must be honoured, or say that it is not.
func TestWhatIsHonouredIsRead(t *testing.T) {
	program := sources(t)
	fallback := map[string]bool{}
	for _, f := range fallbacks {
		fallback[f.broker] = true
	}
	check := func(name, needle string) {
		switch read := strings.Contains(program, needle); {
		case awaited[name] && read:
			t.Logf("%s is read now: take it off the awaited list", name)
		case awaited[name]:
			t.Logf("%s is honoured and nothing reads it yet", name)
		case !read:
			t.Errorf("%s is honoured and nothing reads it: read it, or set its Standing to NotYet or DefaultOnly", name)
		}
	}
	for _, k := range BrokerKeys() {
		needle, special := readBy[k.Name]
		if !special {
			needle = `"` + k.Name + `"`
		}
		if k.Honoured && !fallback[k.Name] {
			check(k.Name, needle)
		}
	}
	methods := map[string]string{"GzipLevel": "CompressionLevel()", "Lz4Level": "CompressionLevel()", "ZstdLevel": "CompressionLevel()", "SegmentMs": "Segment()", "RetentionMs": "Retention()"}
	fields := reflect.TypeFor[TopicConfig]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		needle := "." + name
		if m, ok := methods[name]; ok {
			needle = "." + m
		}
		if name != "UncleanElection" && name != "Preallocate" { // their keys are not honoured
			check(name, needle)
		}
	}
}
