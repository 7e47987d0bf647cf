package interop

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestGroupTools runs Apache Kafka's tools for groups, sub-command by sub-command. testdata/group_tools.txt is what they
// print where Apache Kafka 4.3.1 is the broker: HOLDFAST_INTEROP_TARGET=kafka with -rewrite writes it.
func TestGroupTools(t *testing.T) {
	t.Parallel()
	s := &groupScript{b: startBroker(t), dir: t.TempDir(), members: map[string]*kgo.Client{}}
	s.shell = startShell(t)
	datadriven.RunTest(t, "testdata/group_tools.txt", s.run)
}

// groupScript runs the script's commands:
//
//	topic NAME PARTITIONS RECORDS   makes a topic and writes as many records to each partition, a second apart from 2026 on
//	member NAME GROUP TOPIC [consumer] [instance=ID]   joins and waits until it has partitions, and nobody waits for any
//	leave NAME
//	run                             each line is a tool with its arguments, and perhaps > FILE
type groupScript struct {
	b       *Broker
	dir     string
	shell   *shell
	members map[string]*kgo.Client
}

var toolClasses = map[string]string{
	"consumer-groups":  "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
	"groups":           "org.apache.kafka.tools.GroupsCommand",
	"console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
	"consumer-perf":    "org.apache.kafka.tools.ConsumerPerformance",
	"topics":           topicCommand,
}

func (s *groupScript) run(t *testing.T, d *datadriven.TestData) string {
	var args []string
	for _, a := range d.CmdArgs {
		args = append(args, a.String())
	}
	switch d.Cmd {
	case "topic":
		s.topic(t, args[0], args[1], args[2])
	case "write":
		s.write(t, args[0], args[1], args[2])
	case "member":
		s.join(t, args)
	case "leave":
		s.members[args[0]].Close()
		delete(s.members, args[0])
	case "run":
		var out strings.Builder
		for line := range strings.Lines(d.Input) {
			out.WriteString(s.tool(t, strings.TrimSpace(line)))
		}
		return out.String()
	default:
		d.Fatalf(t, "%s: not a command of this script", d.Cmd)
	}
	return "ok\n"
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (s *groupScript) topic(t *testing.T, name, partitions, records string) {
	t.Helper()
	s.b.CreateTopic(t, name, int32(number(t, partitions)), map[string]string{"retention.ms": "-1"})
	s.write(t, name, partitions, records)
}

// newYear is when the first record of each partition was written.
var newYear = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (s *groupScript) write(t *testing.T, name, partitions, count string) {
	t.Helper()
	var records []record
	for p := range number(t, partitions) {
		for i := range number(t, count) {
			records = append(records, record{
				Topic: name, Partition: int32(p), Codec: "none", Value: fmt.Appendf(nil, "%s-%d-%d", name, p, i),
				Timestamp: newYear.Add(time.Duration(i) * time.Second).UnixMilli(),
			})
		}
	}
	franzWrite(t, s.b, records)
}

func (s *groupScript) join(t *testing.T, args []string) {
	t.Helper()
	name, group, topic := args[0], args[1], args[2]
	opts := []kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ClientID(name), kgo.Balancers(kgo.RangeBalancer()), kgo.DisableAutoCommit(),
		kgo.HeartbeatInterval(500 * time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}
	for _, a := range args[3:] {
		if a == "consumer" {
			opts = append(opts, kgo.ServerSideBalancer())
		} else if id, ok := strings.CutPrefix(a, "instance="); ok {
			opts = append(opts, kgo.InstanceID(id))
		}
	}
	s.members[name] = s.b.Client(t, opts...)
	admin := kadm.NewClient(s.b.Client(t))
	ctx, cancel := context.WithTimeout(t.Context(), toolLimit)
	defer cancel()
	for retry := time.NewTicker(50 * time.Millisecond); !settled(ctx, admin, group, name, slices.Contains(args, "consumer")); {
		select {
		case <-retry.C:
		case <-ctx.Done():
			t.Fatalf("%s did not become a settled member of %s", name, group)
		}
	}
}

// settled says whether a client has partitions in a group in which nobody waits for any.
func settled(ctx context.Context, admin *kadm.Client, group, client string, consumer bool) bool {
	if consumer {
		described, err := admin.DescribeConsumerGroups(ctx, group)
		g := described[group]
		return err == nil && g.State == "Stable" && slices.ContainsFunc(g.Members, func(m kadm.ConsumerGroupMember) bool {
			return m.ClientID == client && len(m.Assignment) > 0
		})
	}
	described, err := admin.DescribeGroups(ctx, group)
	g := described[group]
	return err == nil && g.State == "Stable" && slices.ContainsFunc(g.Members, func(m kadm.DescribedGroupMember) bool {
		assigned, ok := m.Assigned.AsConsumer()
		return ok && m.ClientID == client && len(assigned.Topics) > 0
	})
}

// tool runs a command line; @/ is a folder for files.
func (s *groupScript) tool(t *testing.T, line string) string {
	t.Helper()
	command, file, _ := strings.Cut(strings.ReplaceAll(line, "@/", s.dir+"/"), " > ")
	words := strings.Fields(command)
	words[0] = toolClasses[words[0]]
	code, out := s.shell.run(t, slices.Insert(words, 1, "--bootstrap-server", s.b.Addr))
	if file != "" {
		if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text := fmt.Sprintf("$ %s\n%s", line, s.plain(out))
	if code != 0 {
		text += fmt.Sprintf("exit %d\n", code)
	}
	return text
}

var (
	logLine   = regexp.MustCompile(`^\[.*\] (WARN|ERROR|INFO) |^SLF4J`)
	memberID  = regexp.MustCompile(`(^|\s|\b)([a-z]+-)?([\w-]{22}={0,2}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(\s|$)`)
	stateList = regexp.MustCompile(`(Valid states are:) .*`) // a set, in any order
	epochs    = regexp.MustCompile(` \d+ (orders:\d) \d+ (orders:\d)$| (Stable) \d+ \d+ `)
	timeOfDay = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d{3}`)
)

// plain is what a tool printed without what differs from run to run: addresses, ids of members, widths of columns, the
// order of rows, the times of a measurement.
func (s *groupScript) plain(out string) string {
	var lines []string
	out, _, _ = strings.Cut(strings.ReplaceAll(out, s.b.Addr, "ADDR"), "\nOption ") // the list of options says nothing of the broker
	for line := range strings.Lines(out) {
		line = memberID.ReplaceAllString(strings.TrimSpace(line), "${1}${2}ID$4")
		line = strings.Join(strings.Fields(line), " ")
		if timeOfDay.MatchString(line) {
			line = measured(line)
		}
		line = epochs.ReplaceAllStringFunc(line, sameEpochs)
		line = stateList.ReplaceAllString(line, "$1 …")
		if line != "" && !logLine.MatchString(line) && !strings.HasPrefix(line, "at ") {
			lines = append(lines, line)
		}
	}
	slices.SortStableFunc(lines, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// sameEpochs hides epochs, of which Apache Kafka's groups have one more from the start, but not whether the target's is another.
func sameEpochs(text string) string {
	words := strings.Fields(text)
	a, b := 0, 2
	if words[0] == "Stable" {
		a, b = 1, 2
	}
	if words[a] != words[b] {
		return text
	}
	words[a], words[b] = "N", "N"
	return " " + strings.Join(words, " ") + text[len(strings.TrimRight(text, " ")):]
}

// rank puts headings and sentences before rows.
func rank(line string) int {
	if c := line[0]; c >= 'A' && c <= 'Z' {
		return 0
	}
	return 1
}

// measured keeps of a line of consumer-perf-test how much was read: the fifth column.
func measured(line string) string {
	columns := strings.Split(line, ", ")
	for i := range columns {
		if i != 4 {
			columns[i] = "…"
		}
	}
	return strings.Join(columns, ", ")
}

// shell runs Apache Kafka's tools one after the other in one process: java/Tools.java.
type shell struct {
	in  io.Writer
	out *bufio.Reader
}

func startShell(t *testing.T) *shell {
	t.Helper()
	tools := java(t, "Tools", "-Duser.timezone=UTC")
	cmd := exec.Command(tools.argv[0], tools.argv[1:]...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	said := &output{}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has nothing to finish
		_ = cmd.Wait()         // and says so
		if t.Failed() {
			t.Logf("the tools said: %s", tail(said.String()))
		}
	})
	return &shell{in, bufio.NewReader(out)}
}

// run returns the tool's exit code and all that it printed.
func (s *shell) run(t *testing.T, words []string) (int, string) {
	t.Helper()
	if _, err := fmt.Fprintln(s.in, strings.Join(words, "\t")); err != nil {
		t.Fatalf("%s: %v", words[0], err)
	}
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := s.out.ReadString('\n')
		answers <- answer{line, err}
	}()
	select {
	case a := <-answers:
		code, encoded, _ := strings.Cut(strings.TrimSpace(a.line), " ")
		out, err := base64.StdEncoding.DecodeString(encoded)
		if a.err != nil || err != nil {
			t.Fatalf("%s: the tools answered %q: %v", strings.Join(words, " "), a.line, a.err)
		}
		return number(t, code), string(out)
	case <-time.After(toolLimit):
		t.Fatalf("%s has not ended in %v", strings.Join(words, " "), toolLimit)
		return 0, ""
	}
}

// relayClient reads in a group, one after the other.
type relayClient struct {
	name string
	find func(*testing.T) tool
	args []string
	read func(line string) (where string, ok bool) // PARTITION@OFFSET of a record, if the line is of one
}

// TestGroupRelay hands a group from client to client: each commits what it read and leaves, and the next one goes on
// just there. Nothing comes twice, nothing is missed; in the second round the group is one of KIP-848 for those who know them.
func TestGroupRelay(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	const topic, group, partitions, each = "relay", "relay-group", 3, 10
	b.CreateTopic(t, topic, partitions, map[string]string{"retention.ms": "-1"}) // of records that are dated long ago
	config := filepath.Join(t.TempDir(), "member.properties")
	if err := os.WriteFile(config, []byte("fetch.max.wait.ms=100\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	admin, next := kadm.NewClient(b.Client(t)), int64(0)
	for _, c := range relayClients(t, b, topic, group, config) {
		s, begun := groupScript{b: b}, time.Now()
		s.write(t, topic, strconv.Itoa(partitions), strconv.Itoa(each))
		seen := map[string]int{}
		r := c.find(t).start(t, nil, c.args...)
		r.await(t, "record", func(lines []string) bool {
			clear(seen)
			for _, line := range lines {
				if where, ok := c.read(line); ok {
					seen[where]++
				}
			}
			return len(seen) >= partitions*each
		})
		r.stop(t)
		for p := range partitions {
			for o := next; o < next+each; o++ {
				if name := fmt.Sprintf("%d@%d", p, o); seen[name] != 1 {
					t.Errorf("%s read offset %d of partition %d %d times", c.name, o, p, seen[name])
				}
			}
		}
		if len(seen) != partitions*each {
			t.Errorf("%s read %d records, %d were new to the group", c.name, len(seen), partitions*each)
		}
		t.Logf("%s took %.1f s", c.name, time.Since(begun).Seconds())
		next += each
		for _, o := range committed(t, admin, group) {
			if o.At != next {
				t.Fatalf("after %s, partition %d is committed up to %d, want %d", c.name, o.Partition, o.At, next)
			}
		}
	}
}

func committed(t *testing.T, admin *kadm.Client, group string) []kadm.Offset {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), toolLimit)
	defer cancel()
	all, err := admin.FetchOffsets(ctx, group)
	if err != nil {
		t.Fatal(err)
	}
	return all.Offsets().Sorted()
}

func relayClients(t *testing.T, b *Broker, topic, group, config string) []relayClient {
	t.Helper()
	event := func(line string) (string, bool) {
		var e struct {
			Name              string
			Partition, Offset int64
		}
		err := json.Unmarshal([]byte(line), &e)
		return fmt.Sprintf("%d@%d", e.Partition, e.Offset), err == nil && e.Name == "record_data"
	}
	plain := func(line string) (string, bool) { return line, strings.Contains(line, "@") }
	byPlace := []string{b.Addr, topic, group}
	verifiable := []string{"--bootstrap-server", b.Addr, "--topic", topic, "--group-id", group, "--verbose", "--command-config", config}
	next := append(slices.Clone(verifiable), "--group-protocol", "CONSUMER")
	librdkafka := func(t *testing.T) tool { return python(t, "python/member_librdkafka.py") }
	verify := func(t *testing.T) tool {
		ours := holdfast(t)
		return tool{argv: append(slices.Clone(ours.argv), "verify", "consume")}
	}
	original := func(t *testing.T) tool { return java(t, "org.apache.kafka.tools.VerifiableConsumer") }
	return []relayClient{
		{"kcat", func(t *testing.T) tool { return tool{argv: []string{program(t, "kcat")}} }, []string{
			"-b", b.Addr, "-u", "-q", "-f", "%p@%o\n", "-X", "auto.offset.reset=earliest", "-X", "fetch.wait.max.ms=100", "-G", group, topic,
		}, plain},
		{"librdkafka", librdkafka, byPlace, event},
		{"kafka-python", func(t *testing.T) tool { return python(t, "python/member_kafkapython.py") }, byPlace, event},
		{"kafkajs", func(t *testing.T) tool { return node(t, "node/member.js") }, byPlace, event},
		{"sarama", func(t *testing.T) tool {
			return tool{argv: []string{installed(t, "sarama", "bin", "sarama"), "member"}}
		}, byPlace, event},
		{"java", original, verifiable, event},
		{"franz-go", verify, verifiable, event},
		{"librdkafka, next generation", librdkafka, append(slices.Clone(byPlace), "consumer"), event},
		{"java, next generation", original, next, event},
		{"franz-go, next generation", verify, next, event},
	}
}
