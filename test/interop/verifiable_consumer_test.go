package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// consumerTools are Apache Kafka's VerifiableConsumer and ours, in this order.
func consumerTools(t *testing.T) [2]tool {
	t.Helper()
	original, ours := java(t, "org.apache.kafka.tools.VerifiableConsumer"), holdfast(t)
	ours.argv = append(slices.Clone(ours.argv), "verify", "consume")
	return [2]tool{original, ours}
}

// fill makes a topic with ten records in each partition: keys 0 to 2 in turn, the values numbers.
func fill(t *testing.T, b *Broker, topic string, partitions int32) {
	t.Helper()
	b.CreateTopic(t, topic, partitions, nil)
	var records []record
	for p := range partitions {
		for i := range 10 {
			r := record{Topic: topic, Partition: p, Key: fmt.Append(nil, i%3), Value: fmt.Append(nil, i), Codec: "none", Timestamp: time.Now().UnixMilli()}
			if i == 7 {
				r.Key, r.Value = nil, nil
			}
			records = append(records, r)
		}
	}
	franzWrite(t, b, records)
}

// TestVerifiableConsumer compares `holdfast verify consume` with Apache Kafka's VerifiableConsumer, event by event: the same
// flags, against the same broker, must print the same lines but for times, and for the order of partitions.
func TestVerifiableConsumer(t *testing.T) {
	b := startBroker(t)
	tools := consumerTools(t)
	file := filepath.Join(t.TempDir(), "client.properties")
	if err := os.WriteFile(file, []byte("auto.offset.reset=latest\nfetch.max.wait.ms=100\nisolation.level=read_committed\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		name, args string
		partitions int32
		then       string // and a second run of the same group
	}{
		{name: "plain", args: "--max-messages 10", partitions: 1},
		{name: "verbose", args: "--max-messages 10 --verbose", partitions: 1},
		{name: "all of two partitions", args: "--max-messages 20 --verbose", partitions: 2},
		{name: "less than a poll, then the rest", args: "--max-messages 4 --verbose", partitions: 1, then: "--max-messages 6 --verbose"},
		{name: "none", args: "--max-messages 0", partitions: 1},
		{name: "automatic commits", args: "--max-messages 10 --enable-autocommit", partitions: 1, then: "--max-messages 0"},
		{name: "static member", args: "--max-messages 4 --group-instance-id one", partitions: 1, then: "--max-messages 6 --group-instance-id one"},
		{name: "round robin", args: "--max-messages 10 --assignment-strategy org.apache.kafka.clients.consumer.RoundRobinAssignor", partitions: 1},
		{name: "sticky", args: "--max-messages 10 --assignment-strategy org.apache.kafka.clients.consumer.StickyAssignor", partitions: 1},
		{name: "cooperative", args: "--max-messages 10 --assignment-strategy org.apache.kafka.clients.consumer.CooperativeStickyAssignor", partitions: 1},
		{name: "no reset", args: "--max-messages 10 --reset-policy none", partitions: 1},
		{name: "flags outweigh the file", args: "--max-messages 10 --session-timeout 20000 --command-config " + file, partitions: 1},
		{name: "next-gen", args: "--max-messages 10 --verbose --group-protocol consumer", partitions: 1},
		{name: "next-gen, less than a poll", args: "--max-messages 4 --group-protocol consumer", partitions: 1, then: "--max-messages 6 --group-protocol CONSUMER"},
		{name: "next-gen range", args: "--max-messages 10 --group-protocol consumer --group-remote-assignor range", partitions: 1},
		{name: "next-gen static member", args: "--max-messages 10 --group-protocol consumer --group-instance-id one", partitions: 1},
		{name: "next-gen automatic commits", args: "--max-messages 10 --group-protocol consumer --enable-autocommit", partitions: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of the time is spent waiting for members that might come
			topic := fmt.Sprintf("consumed-%d", i)
			fill(t, b, topic, c.partitions)
			var said [2]string
			for k, consumer := range tools {
				for _, more := range []string{c.args, c.then} {
					if more == "" {
						continue
					}
					args := append([]string{"--bootstrap-server", b.Addr, "--topic", topic, "--group-id", fmt.Sprintf("%s-%d", topic, k)}, strings.Fields(more)...)
					out, errs, err := consumer.try(t, "", args...)
					if err != nil && (k == 0 || !strings.Contains(more, "--reset-policy none")) { // where ours ends with 1, as its help says
						t.Fatalf("%s: %v\n%s%s", consumer.name(), err, out, errs)
					}
					said[k] += inOrder(t, out, topic)
				}
			}
			if said[1] != said[0] {
				t.Errorf("verify consume printed\n%s\nand VerifiableConsumer\n%s", said[1], said[0])
			}
		})
	}
}

// TestVerifiableConsumersTogether lets two of each kind be a group: one comes while the other is there, and goes again.
// Both kinds must see the same, and so must the two kinds in one group.
func TestVerifiableConsumersTogether(t *testing.T) {
	b := startBroker(t)
	tools := consumerTools(t)
	for i, args := range []string{
		"--assignment-strategy org.apache.kafka.clients.consumer.RangeAssignor",
		"--assignment-strategy org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
		"--group-protocol consumer",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			topic := fmt.Sprintf("together-%d", i)
			fill(t, b, topic, 2)
			var said [3]string
			for k, pair := range [][2]tool{{tools[0], tools[0]}, {tools[1], tools[1]}, {tools[1], tools[0]}} {
				all := append([]string{"--bootstrap-server", b.Addr, "--topic", topic, "--group-id", fmt.Sprintf("%s-%d", topic, k)}, strings.Fields(args)...)
				first := pair[0].start(t, nil, all...)
				first.await(t, "offsets_committed of both partitions", func(lines []string) bool {
					all := strings.Join(lines, "\n")
					return strings.Count(all, `"count":10,"minOffset":0`) == 2 && strings.Contains(lines[len(lines)-1], "offsets_committed")
				})
				second := pair[1].start(t, nil, all...)
				second.await(t, "its partition", holds(1))
				first.await(t, "one partition", holds(1))
				there := second.stop(t)
				first.await(t, "both partitions", holds(2))
				said[k] = "first:\n" + comings(t, first.stop(t)) + "second:\n" + comings(t, there)
			}
			for k, name := range []string{"", "verify consume", "verify consume with VerifiableConsumer"} {
				if said[k] != said[0] {
					t.Errorf("%s printed\n%s\nand VerifiableConsumer\n%s", name, said[k], said[0])
				}
			}
		})
	}
}

// consumerEvent is any event of a verifiable consumer.
type consumerEvent struct {
	Name       string          `json:"name"`
	Partitions []consumedRange `json:"partitions"`
	Offsets    []consumedRange `json:"offsets"`
	Topic      string          `json:"topic"`
	Partition  int32           `json:"partition"`
	Offset     int64           `json:"offset"`
	Value      *string         `json:"value"`
	Success    bool            `json:"success"`
}

type consumedRange struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

func consumerEvents(t *testing.T, out string) (list []consumerEvent) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		var e consumerEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q is no event: %v", line, err)
		}
		list = append(list, e)
	}
	return list
}

// holds says whether the member holds so many partitions, going by its last events.
func holds(n int) func(lines []string) bool {
	return func(lines []string) bool {
		held := map[int32]bool{}
		for _, line := range lines {
			var e consumerEvent
			if json.Unmarshal([]byte(line), &e) != nil {
				return false
			}
			for _, p := range e.Partitions {
				switch e.Name {
				case "partitions_assigned":
					held[p.Partition] = true
				case "partitions_revoked":
					delete(held, p.Partition)
				}
			}
		}
		return len(held) == n
	}
}

// comings are the events that say which partitions came and went, and of the end. That nothing came is the Java client's own
// remark, which says no more than that a rebalance is over.
func comings(t *testing.T, out string) string {
	t.Helper()
	var b strings.Builder
	for _, e := range consumerEvents(t, out) {
		switch e.Name {
		case "partitions_assigned", "partitions_revoked":
			if len(e.Partitions) > 0 {
				fmt.Fprintf(&b, "%s of %d\n", e.Name, len(e.Partitions))
			}
		case "startup_complete", "shutdown_requested", "shutdown_complete":
			b.WriteString(e.Name + "\n")
		}
	}
	return b.String()
}

// inOrder are the lines without times, and the partitions of each event in order. Where one poll gave what another gave in
// two, they are the same: the events of records and commits are folded, each kind from the one before the next other event.
func inOrder(t *testing.T, out, topic string) string {
	t.Helper()
	var lines []string
	for _, line := range events(out, topic) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q is no event: %v", line, err)
		}
		for _, key := range []string{"partitions", "offsets"} {
			if list, ok := e[key].([]any); ok {
				slices.SortFunc(list, func(a, b any) int {
					return int(a.(map[string]any)["partition"].(float64) - b.(map[string]any)["partition"].(float64))
				})
				sorted, err := json.Marshal(list)
				if err != nil {
					t.Fatal(err)
				}
				line = line[:strings.Index(line, `"`+key+`":`)] + string(sorted) + tailAfter(line, key)
			}
		}
		lines = append(lines, line)
	}
	sortRuns(lines, "record_data")
	return strings.Join(lines, "\n") + "\n"
}

// tailAfter is what follows the list of that key.
func tailAfter(line, key string) string {
	_, rest, _ := strings.Cut(line, `"`+key+`":`)
	return rest[strings.LastIndex(rest, "]")+1:]
}

// sortRuns sorts each run of neighbouring lines that tell of one event's name: records of two partitions come in any order.
func sortRuns(lines []string, name string) {
	for i := 0; i < len(lines); {
		j := i
		for j < len(lines) && strings.Contains(lines[j], `"`+name+`"`) {
			j++
		}
		slices.SortStableFunc(lines[i:j], func(a, b string) int { return strings.Compare(partitionOf(a), partitionOf(b)) })
		i = max(j, i+1)
	}
}

func partitionOf(line string) string {
	_, rest, _ := strings.Cut(line, `"partition":`)
	return rest
}
