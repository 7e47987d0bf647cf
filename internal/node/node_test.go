package node_test

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"holdfast/internal/base/config"
	"holdfast/internal/node"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

// start runs a node on a free port over dir. The test ends it.
func start(t *testing.T, dir string, sets ...string) *node.Node {
	t.Helper()
	n, err := tryStart(t, dir, sets...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, n) })
	return n
}

func tryStart(t *testing.T, dir string, sets ...string) (*node.Node, error) {
	t.Helper()
	return tryStartOn(t, vfs.OS(), dir, sets...)
}

func tryStartOn(t *testing.T, fsys vfs.FS, dir string, sets ...string) (*node.Node, error) {
	t.Helper()
	sets = append([]string{"log.dirs=" + dir, "listeners=PLAINTEXT://127.0.0.1:0", "http.listener=127.0.0.1:0"}, sets...)
	values, _, err := config.Load("", sets, nil)
	if err != nil {
		t.Fatal(err)
	}
	return node.Start(t.Context(), node.Options{
		FS: fsys, Config: values, Log: slog.New(slog.DiscardHandler), Version: "test", Began: time.Now(),
		Check: func(api int16, code wire.Code) {
			if _, ok := wire.Answers(api, code); !ok {
				t.Errorf("API %d answered %v, which its table of answers does not hold", api, code)
			}
		},
	})
}

func crc32c(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func stop(t *testing.T, n *node.Node) {
	t.Helper()
	bugless(t, n)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// bugless fails where a running node's own count says that its code broke.
func bugless(t *testing.T, n *node.Node) {
	t.Helper()
	if n.HTTPAddress() == "" {
		return
	}
	r, err := http.Get("http://" + n.HTTPAddress() + "/metrics")
	if err != nil {
		return // stopped already
	}
	defer r.Body.Close()
	page, err := io.ReadAll(r.Body)
	if err != nil || !strings.Contains(string(page), "\nholdfast_decode_panics_total 0\n") || strings.Contains(string(page), "\nholdfast_invariant_violations_total") {
		t.Errorf("the node's code broke, or /metrics is not whole (%v):\n%s", err, page)
	}
}

func client(t *testing.T, n *node.Node, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(n.Address())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func produce(t *testing.T, c *kgo.Client, topic string, from, to int) {
	t.Helper()
	var records []*kgo.Record
	for i := from; i < to; i++ {
		records = append(records, &kgo.Record{Topic: topic, Partition: 0, Value: fmt.Appendf(nil, "record %d", i)})
	}
	if err := c.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// consume reads records of partition 0 from an offset on until it has n.
func consume(t *testing.T, node *node.Node, topic string, from int64, n int) []*kgo.Record {
	t.Helper()
	c := client(t, node, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(from)}}))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var out []*kgo.Record
	for len(out) < n {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d of %d records: %v", len(out), n, err)
		}
		out = append(out, fetches.Records()...)
	}
	return out
}

func TestProduceAndConsumeAcrossRestarts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	total := 0
	for round := range 3 {
		n := start(t, dir)
		c := client(t, n, kgo.AllowAutoTopicCreation(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		produce(t, c, "orders", total, total+100)
		total += 100
		got := consume(t, n, "orders", 0, total)
		for i, r := range got {
			if want := fmt.Sprintf("record %d", i); string(r.Value) != want || r.Offset != int64(i) {
				t.Fatalf("round %d: offset %d holds %q, want %q at %d", round, r.Offset, r.Value, want, i)
			}
		}
		c.Close()
		stop(t, n)
	}
}

func TestAdminOverOneNode(t *testing.T) {
	n := start(t, t.TempDir())
	adm := kadm.NewClient(client(t, n))
	if _, err := adm.CreateTopic(t.Context(), 3, 1, map[string]*string{"retention.ms": kadm.StringPtr("60000")}, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.CreateTopic(t.Context(), 3, 1, nil, "a"); err == nil {
		t.Error("a topic was created twice")
	}
	topics, err := adm.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(topics["a"].Partitions) != 3 {
		t.Errorf("topic a has %d partitions, want 3", len(topics["a"].Partitions))
	}
	configs, err := adm.DescribeTopicConfigs(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, c := range configs[0].Configs {
		if c.Key == "retention.ms" {
			found = c.MaybeValue() == "60000"
		}
	}
	if !found {
		t.Errorf("retention.ms of topic a is not 60000: %+v", configs[0].Configs)
	}
	if _, err := adm.DeleteTopics(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	topics, err = kadm.NewClient(client(t, n)).ListTopics(t.Context()) // the first client may answer from what it knew
	if err != nil || topics.Has("a") {
		t.Errorf("topic a is still listed after its deletion (err %v)", err)
	}
}
