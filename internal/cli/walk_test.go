package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kfake"
)

// commands are all that can be run, depth first.
func commands(cmd *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			list = append(list, commands(c)...)
		}
	}
	return list
}

// Every command says what it is for, where it works, and shows an example that begins with its own name.
func TestEveryHelp(t *testing.T) {
	for _, cmd := range commands(newRoot(&app{env: Env{}})) {
		path := cmd.CommandPath()
		args := append(strings.Fields(path)[1:], "--help")
		r := holdfast(t, "", "", args...).want(t, exitDone)
		if cmd.Short == "" || !strings.Contains(r.out, "Examples:") || !strings.Contains(cmd.Example, path) {
			t.Errorf("%s: no summary or no example with its name:\n%s", path, r.out)
		}
		if cmd.HasSubCommands() || cmd.Name() == "serve" {
			continue // serve is the cluster
		}
		places := 0
		for _, place := range []string{anyCluster, holdfastOnly, noCluster} {
			places += strings.Count(r.out, place)
		}
		if places == 0 {
			t.Errorf("%s does not say where it works", path)
		}
		if strings.Contains(r.out, "HOST:PORT") && !strings.Contains(r.out, anyCluster) && !strings.Contains(r.out, holdfastOnly) {
			t.Errorf("%s talks to a cluster and does not say to which", path)
		}
	}
}

// Examples name flags that exist.
func TestExamplesParse(t *testing.T) {
	root := newRoot(&app{env: Env{}})
	for _, cmd := range commands(root) {
		for _, line := range strings.Split(cmd.Example, "\n") {
			line = strings.TrimSuffix(strings.TrimSpace(line), "\\")
			for _, part := range strings.Split(line, "|") {
				checkExample(t, root, strings.TrimSpace(part))
			}
		}
	}
}

func checkExample(t *testing.T, root *cobra.Command, line string) {
	t.Helper()
	rest, ours := strings.CutPrefix(line, "holdfast ")
	if !ours {
		return
	}
	target, args, err := root.Find(strings.Fields(strings.ReplaceAll(rest, "'", "")))
	if err != nil {
		t.Errorf("%s: %v", line, err)
		return
	}
	for _, arg := range args {
		name, _, _ := strings.Cut(arg, "=")
		long, isLong := strings.CutPrefix(name, "--")
		if isLong && target.Flag(long) == nil {
			t.Errorf("%s: %s has no flag --%s", line, target.CommandPath(), long)
		}
	}
}

// walk has at least one run of every command: what it exits with, and that its JSON is one object a line.
// {b} is the address of a cluster with the topics orders (3 records, of which the
// group readers has read one), __holdfast_events and old, {dir} a folder for files.
var walk = []struct {
	line  string
	stdin string
	code  int
	json  bool // -o json is added, and every line of the output is an object
}{
	{line: "", code: exitDone},
	{line: "nonsense", code: exitUsage},
	{line: "topic", code: exitUsage},
	{line: "topic list -o xml", code: exitUsage},
	{line: "topic list --bootstrap nowhere", code: exitUsage},
	{line: "topic list --bootstrap 127.0.0.1:1", code: exitFailed},
	{line: "topic list --client-config {dir}/missing.properties", code: exitUsage},
	{line: "topic list --client-config {dir}/bad.properties", code: exitUsage},
	{line: "topic list --client-config {dir}/client.properties", code: exitDone},
	{line: "topic list surplus", code: exitUsage},
	{line: "topic list", json: true},
	{line: "topic list --internal", json: true},
	{line: "topic create fresh -p 2", json: true},
	{line: "topic create fresh", code: exitFailed},
	{line: "topic create fresh --if-not-exists", json: true},
	{line: "topic create checked --validate-only", json: true},
	{line: "topic create", code: exitUsage},
	{line: "topic create x --config retention.ms", code: exitUsage},
	{line: "topic describe orders", json: true},
	{line: "topic describe ordres", code: exitFailed},
	{line: "topic alter orders --partitions 4 --config retention.ms=1000", json: true},
	{line: "topic alter orders", code: exitUsage},
	{line: "topic alter ordres --partitions 4", code: exitFailed},
	{line: "topic delete old", json: true},
	{line: "topic delete old", code: exitFailed},
	{line: "topic delete old --if-exists", json: true},
	{line: "config get --topic orders", json: true},
	{line: "config get --topic orders --all", json: true},
	{line: "config get --topic orders retention.ms", json: true},
	{line: "config get --topic orders retention.mss", code: exitUsage},
	{line: "config get", code: exitUsage},
	{line: "config get --broker 0 --all", json: true},
	{line: "config set --topic orders retention.ms=2000", json: true},
	{line: "config set --topic orders retention.ms=2000 --validate-only", json: true},
	{line: "config set --topic orders retention.ms", code: exitUsage},
	{line: "config unset --topic orders retention.ms", json: true},
	{line: "config keys", json: true},
	{line: "config keys --topic", json: true},
	{line: "config keys retention.ms log.dirs", json: true},
	{line: "config keys retention.mz", code: exitUsage},
	{line: "config check {dir}/server.properties", json: true},
	{line: "config check {dir}/bad.properties", code: exitUsage},
	{line: "config check --client {dir}/client.properties", json: true},
	{line: "config check --client {dir}/bad.properties", code: exitUsage},
	{line: "produce orders", stdin: "more\n", json: true},
	{line: "produce ordres", stdin: "x\n", code: exitFailed},
	{line: "consume orders", json: true},
	{line: "consume orders --offset nowhere", code: exitUsage},
	{line: "consume orders --group walkers --count 2", json: true},
	{line: "consume orders --group walkers --exec true --count 1", code: exitDone},
	{line: "consume orders --group walkers --exec false --count 1", code: exitFailed},
	{line: "consume orders --group walkers --partition 0", code: exitUsage},
	{line: "consume orders --group walkers --offset 3", code: exitUsage},
	{line: "consume orders --group walkers --protocol newest", code: exitUsage},
	{line: "consume orders --group walkers --batch 3", code: exitUsage},
	{line: "consume orders --exec true", code: exitUsage},
	{line: "consume ordres --group walkers", code: exitFailed},
	{line: "group", code: exitUsage},
	{line: "group list", json: true},
	{line: "group list --state empty --type classic", json: true},
	{line: "group describe readers", json: true},
	{line: "group describe reeders", code: exitFailed},
	{line: "group describe", code: exitUsage},
	{line: "group lag", json: true},
	{line: "group lag readers --topic orders --top 1", json: true},
	{line: "group lag readers --want-lag 1", code: exitMissed},
	{line: "group lag readers --want-lag 10 --want-behind 24h", code: exitDone},
	{line: "group lag --every 1ms", code: exitUsage},
	{line: "group reset readers --topic orders --to-latest", json: true},
	{line: "group reset readers --topic orders:0 --shift-by 1 --execute", json: true},
	{line: "group reset readers --all-topics --by-duration PT1H", json: true},
	{line: "group reset readers --from-file {dir}/offsets.csv", json: true},
	{line: "group reset readers --from-file {dir}/bad.properties", code: exitUsage},
	{line: "group reset readers --topic orders", code: exitUsage},
	{line: "group reset readers --to-latest", code: exitUsage},
	{line: "group reset readers --topic orders --to-latest --to-earliest", code: exitUsage},
	{line: "group reset readers --topic orders:x --to-latest", code: exitUsage},
	{line: "group reset readers --topic orders:9 --to-latest", code: exitFailed},
	{line: "group reset readers --topic ordres --to-latest", code: exitFailed},
	{line: "group reset nobody --all-topics --to-latest", code: exitFailed},
	{line: "group reset readers --topic orders --by-duration soon", code: exitUsage},
	{line: "group delete readers --topic orders", json: true},
	{line: "group delete readers --topic orders", code: exitFailed},
	{line: "group delete readers", json: true},
	{line: "group delete readers", code: exitFailed},
	{line: "group delete readers --if-exists", json: true},
	{line: "partition list", json: true},
	{line: "partition list ordres", code: exitFailed},
	{line: "partition producers", code: exitUsage},
	{line: "topic compact", code: exitUsage},
	{line: "txn list", code: exitDone},
	{line: "txn describe", code: exitUsage},
	{line: "txn hanging", code: exitDone},
	{line: "txn abort", code: exitUsage},
	{line: "events", json: true},
	{line: "events --since 1h --topic orders", json: true},
	{line: "events --since yesterday", code: exitUsage},
	{line: "bench produce -n 10 --size 32", json: true},
	{line: "bench produce -n 10 --size 32 --want-mbps 1e12", code: exitMissed},
	{line: "bench consume orders", json: true},
	{line: "bench latency -n 10 --rate 1000 --warmup 0s --size 32", json: true},
	{line: "local up --nodes 3", code: exitUsage},
	{line: "local status --dir {dir}/none", code: exitFailed},
	{line: "local kill 1 --dir {dir}/none", code: exitFailed},
	{line: "local kill one --dir {dir}/none", code: exitUsage},
	{line: "local stop 1 --dir {dir}/none", code: exitFailed},
	{line: "local start 1 --dir {dir}/none", code: exitFailed},
	{line: "local pause 1 --dir {dir}/none", code: exitFailed},
	{line: "local resume 1 --dir {dir}/none", code: exitFailed},
	{line: "local down --dir {dir}/none", code: exitFailed},
	{line: "verify run steady --duration 100ms --rate 500 --partitions 2 --replication-factor 1", json: true},
	{line: "verify run steady --duration 100ms --gap 1ns --rate 100 --replication-factor 1", code: exitMissed},
	{line: "verify run stedy", code: exitUsage},
	{line: "verify run steady --acks 2", code: exitUsage},
	{line: "verify run steady --size 3", code: exitUsage},
	{line: "verify run leader-kill", code: exitUsage},
	{line: "verify run leader-kill --local 3", code: exitUsage},
	{line: "verify run acks1-leader-kill --local 1 --acks all", code: exitUsage},
	{line: "verify run steady -b 127.0.0.1:1", code: exitFailed},
	{line: "verify produce --topic orders --max-messages 2", json: true},
	{line: "verify produce", code: exitUsage},
	{line: "verify produce --topic orders --acks 0 --idempotent", code: exitUsage},
	{line: "verify consume --topic orders --group-id walkers-too --max-messages 2", json: true},
	{line: "verify consume --topic orders", code: exitUsage},
	{line: "version", json: true},
	{line: "version now", code: exitUsage},
	{line: "doctor host --data {dir} --syncs 3", json: true},
	{line: "doctor host --data {dir}/server.properties", code: exitUsage},
	{line: "completion bash", code: exitDone},
	{line: "completion tcsh", code: exitUsage},
	{line: "dump {dir}/nothing", code: exitUsage},
	{line: "dump {dir}/orders-0", json: true},
	{line: "dump {dir}/bad.properties", code: exitUsage},
	{line: "dump {dir}/orders-0 -n -1", code: exitUsage},
}

func TestWalk(t *testing.T) {
	cluster := fakeCluster(t, kfake.SeedTopics(1, "orders", "old", eventsTopic))
	b, dir := brokersOf(cluster), t.TempDir()
	files := map[string]string{
		"server.properties": "log.retention.ms=1000\n",
		"client.properties": "bootstrap.servers=" + b + "\nacks=all\nkey.serializer=x\n",
		"bad.properties":    "bootstap.servers=x\nacks=7\n",
		"offsets.csv":       "orders,0,1\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "orders-0"), os.DirFS(partitionFolder(t))); err != nil {
		t.Fatal(err)
	}
	holdfast(t, b, "1\n2\n3\n", "produce", "orders").want(t, exitDone)
	holdfast(t, b, `{"time":"2026-01-01T00:00:00Z","kind":"node_stopped","severity":"info","node":1,"fields":{"millis":7},"sentence":"x"}`+"\n",
		"produce", eventsTopic).want(t, exitDone)
	holdfast(t, b, "", "group", "reset", "readers", "--topic", "orders", "--to-offset", "1", "--execute").want(t, exitDone)
	walked := map[string]bool{}
	for _, step := range walk {
		args := strings.Fields(strings.NewReplacer("{b}", b, "{dir}", dir).Replace(step.line))
		if target, _, err := newRoot(&app{}).Find(args); err == nil {
			walked[target.CommandPath()] = true
		}
		if step.json {
			args = append(args, "-o", "json")
		}
		r := holdfast(t, b, step.stdin, args...)
		if r.code != step.code {
			t.Errorf("holdfast %s: exit %d, want %d\nout: %s\nerr: %s", step.line, r.code, step.code, r.out, r.err)
		}
		if (step.code == exitUsage || step.code == exitFailed) && !strings.HasPrefix(r.err, "holdfast: ") {
			t.Errorf("holdfast %s: an error without words: %q", step.line, r.err)
		}
		if step.json {
			checkJSON(t, step.line, r)
		}
	}
	for _, cmd := range commands(newRoot(&app{})) {
		if path := cmd.CommandPath(); !walked[path] && !cmd.HasSubCommands() && cmd.Name() != "serve" {
			t.Errorf("the walk does not run %s", path)
		}
	}
}

func checkJSON(t *testing.T, line string, r result) {
	t.Helper()
	for _, l := range r.lines() {
		var object map[string]any
		if err := json.Unmarshal([]byte(l), &object); err != nil {
			t.Errorf("holdfast %s -o json: %v in %q", line, err, l)
		}
	}
	if len(r.lines()) == 0 && !strings.Contains(line, "--since") && !strings.HasPrefix(line, "config check") {
		t.Errorf("holdfast %s -o json: no line", line)
	}
}
