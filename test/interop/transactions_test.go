package interop

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestTransactions has producers of other families write in transactions, or copy in them, with aborts between. Afterwards
// readers of committed records see each input once, and nothing is left open.
func TestTransactions(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	for _, client := range []struct {
		name string
		run  func(t *testing.T, b *Broker)
	}{
		{"java: producer-perf", perfInTransactions},
		{"java: TransactionalMessageCopier", copierInJava},
		{"librdkafka: consume, transform, produce", copierInLibrdkafka},
		{"sarama", saramaInTransactions},
		{"java: transactions", transactionsTool},
	} {
		t.Run(client.name, func(t *testing.T) { client.run(t, b) })
	}
}

func perfInTransactions(t *testing.T, b *Broker) {
	b.CreateTopic(t, "perf", 3, nil)
	out := javaTools{b}.run(t, "org.apache.kafka.tools.ProducerPerformance", "--topic", "perf", "--num-records", "3000", "--record-size", "200",
		"--throughput", "-1", "--transaction-duration-ms", "20", "--transactional-id", "perf")
	wantLines(t, out, `^3000 records sent, .* ms 99.9th\.$`)
	if got := committedValues(t, b, "perf"); len(got) != 3000 {
		t.Errorf("%d records are seen of 3000", len(got))
	}
}

// numbered fills a topic of two partitions with so many different values, which it returns.
func numbered(t *testing.T, b *Broker, topic string, count int) (values []string) {
	t.Helper()
	b.CreateTopic(t, topic, 2, nil)
	c := b.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range count {
		values = append(values, fmt.Sprintf("%05d", i))
		c.Produce(t.Context(), &kgo.Record{Topic: topic, Partition: int32(i % 2), Value: []byte(values[i])}, nil)
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return values
}

func copierInJava(t *testing.T, b *Broker) {
	want := numbered(t, b, "java-in", 1000)
	b.CreateTopic(t, "java-out", 2, nil)
	out := java(t, "org.apache.kafka.tools.TransactionalMessageCopier").run(t, "", "--broker-list", b.Addr, "--transactional-id", "java-copier",
		"--input-topic", "java-in", "--input-partition", "-1", "--group-mode", "--output-topic", "java-out", "--consumer-group", "java-copier",
		"--transaction-size", "40", "--enable-random-aborts", "--max-messages", "1000")
	wantLines(t, out, `"stage":"ShutdownComplete"`)
	sameValues(t, committedValues(t, b, "java-out"), want)
}

func copierInLibrdkafka(t *testing.T, b *Broker) {
	want := numbered(t, b, "c-in", 500)
	b.CreateTopic(t, "c-out", 2, nil)
	out := python(t, "python/transact_librdkafka.py").run(t, "", b.Addr, "c-in", "c-out", "500")
	wantLines(t, out, "^500$")
	sameValues(t, committedValues(t, b, "c-out"), want)
}

func saramaInTransactions(t *testing.T, b *Broker) {
	b.CreateTopic(t, "sarama", 3, nil)
	var lines []record
	var want []string
	for i := range 60 {
		value := fmt.Sprintf("%05d", i)
		lines = append(lines, record{Topic: "sarama", Key: []byte(value), Value: []byte(value)})
		if i/5%3 != 0 {
			want = append(want, value)
		}
	}
	out := tool{argv: []string{installed(t, "sarama", "bin", "sarama")}}.run(t, toLines(t, lines), "transact", b.Addr)
	wantLines(t, out, fmt.Sprintf(`^{"count":%d}$`, len(want)))
	sameValues(t, committedValues(t, b, "sarama"), want)
}

func sameValues(t *testing.T, got, want []string) {
	t.Helper()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%d records are seen, %d different ones; want %d", len(got), len(slices.Compact(got)), len(want))
	}
}

// committedValues reads what a reader of committed records sees, once nothing of the topic is undecided.
func committedValues(t *testing.T, b *Broker, topic string) (values []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), toolLimit)
	defer cancel()
	a := kadm.NewClient(b.Client(t))
	stable := awaitDecided(ctx, t, a, topic)
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	stable.Each(func(o kadm.ListedOffset) {
		if from[o.Partition] = kgo.NewOffset().AtStart(); o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	c := b.Client(t, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	for len(left) > 0 {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				values = append(values, string(r.Value))
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return values
}

func awaitDecided(ctx context.Context, t *testing.T, a *kadm.Client, topic string) kadm.ListedOffsets {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		stable, err := a.ListCommittedOffsets(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		ends, err := a.ListEndOffsets(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		decided := true
		ends.Each(func(end kadm.ListedOffset) {
			at, _ := stable.Lookup(topic, end.Partition)
			decided = decided && at.Offset == end.Offset
		})
		if decided {
			return stable
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("something of %s stays undecided", topic)
		}
	}
}

// transactionsTool drives kafka-transactions over what a producer has open.
func transactionsTool(t *testing.T, b *Broker) {
	const command = "org.apache.kafka.tools.TransactionsCommand"
	j := javaTools{b}
	b.CreateTopic(t, "open", 2, nil)
	c := b.Client(t, kgo.TransactionalID("open"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "open", Partition: 1, Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	wantLines(t, j.run(t, command, "list"), `^open\s+\d+\s+\d+\s+Ongoing`, `^perf\s+\d+\s+\d+\s+CompleteCommit`)
	wantLines(t, j.run(t, command, "describe", "--transactional-id", "open"), `\s+open\s+\d+\s+0\s+Ongoing\s+\d+\s+\d+\s+\d+\s+open-1`)
	producers := j.run(t, command, "describe-producers", "--topic", "open", "--partition", "1")
	m := regexp.MustCompile(`(?m)^(\d+)\s+0\s+-?\d+\s+0\s+\d+\s+0\s*$`).FindStringSubmatch(producers)
	if m == nil {
		t.Fatalf("no producer with a transaction open since offset 0 in:\n%s", producers)
	}
	if out := j.run(t, command, "find-hanging", "--topic", "open", "--partition", "1", "--max-transaction-timeout", "0"); strings.Contains(out, m[1]) {
		t.Errorf("a transaction that is coordinated is said to hang:\n%s", out)
	}
	j.run(t, command, "forceTerminateTransaction", "--transactionalId", "open")
	if err := c.EndTransaction(t.Context(), kgo.TryCommit); err == nil {
		t.Error("a producer committed what was terminated")
	}
	if got := committedValues(t, b, "open"); len(got) > 0 {
		t.Errorf("seen: %v", got)
	}
}
