package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const compacted = "compacted"

// change is one record to write. A nil value is a tombstone.
type change struct {
	key   string
	value []byte
}

// writers are the producers of the test: each flush is one batch.
type writers struct {
	plain, idempotent, transactional *kgo.Client
}

func newWriters(t *testing.T, b *Broker) writers {
	common := []kgo.Opt{kgo.DefaultProduceTopic(compacted), kgo.ManualFlushing(), kgo.RecordPartitioner(kgo.ManualPartitioner())}
	return writers{
		plain:         b.Client(t, append(common, kgo.DisableIdempotentWrite(), kgo.ProducerBatchCompression(kgo.NoCompression()))...),
		idempotent:    b.Client(t, append(common, kgo.ProducerBatchCompression(kgo.GzipCompression()))...),
		transactional: b.Client(t, append(common, kgo.TransactionalID("t"), kgo.ProducerBatchCompression(kgo.Lz4Compression()))...),
	}
}

// write sends the batches, each with the writer that its number asks for; timestamps count up from a fixed time.
func (w writers) write(t *testing.T, batches [][]change, from time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, batch := range batches {
		c := []*kgo.Client{w.plain, w.idempotent, w.plain, w.transactional, w.transactional}[i%5]
		if c == w.transactional {
			must(c.BeginTransaction())
		}
		for j, r := range batch {
			c.Produce(ctx, &kgo.Record{
				Key: []byte(r.key), Value: r.value, Timestamp: from.Add(time.Duration(100*i+j) * time.Millisecond),
				Headers: []kgo.RecordHeader{{Key: "h", Value: []byte(strconv.Itoa(j))}},
			}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Errorf("produce: %v", err)
				}
			})
		}
		must(c.Flush(ctx))
		if c == w.transactional {
			must(c.EndTransaction(ctx, i%5 == 3))
			w.awaitMarker(t, ctx)
		}
	}
}

// awaitMarker waits until the transaction's marker is in the log: the answer does not wait for it, and the next batch must
// not come before it on one broker and after it on the other.
func (w writers) awaitMarker(t *testing.T, ctx context.Context) {
	t.Helper()
	admin := kadm.NewClient(w.plain)
	for retry := time.NewTicker(2 * time.Millisecond); ; <-retry.C {
		ends, err := admin.ListEndOffsets(ctx, compacted)
		if err != nil {
			t.Fatal(err)
		}
		stable, err := admin.ListCommittedOffsets(ctx, compacted)
		if err != nil {
			t.Fatal(err)
		}
		end, _ := ends.Lookup(compacted, 0)
		if last, _ := stable.Lookup(compacted, 0); end.Err == nil && last.Err == nil && last.Offset == end.Offset {
			return
		}
	}
}

// changes are batches of few keys with large values, some of them tombstones.
func changes(random *rand.Rand, batches int) (out [][]change) {
	for range batches {
		var batch []change
		for range 1 + random.IntN(6) {
			c := change{key: fmt.Sprintf("k%d", random.IntN(60))}
			if random.IntN(6) > 0 {
				c.value = make([]byte, 2000+random.IntN(9000))
				for i := range c.value {
					c.value[i] = byte(random.Uint32())
				}
			}
			batch = append(batch, c)
		}
		out = append(out, batch)
	}
	return out
}

// readAllOf is every record of the topic, with its offset and timestamp, and where the log ends.
func readAllOf(t *testing.T, b *Broker) (records []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := b.Client(t, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{compacted: {0: kgo.NewOffset().AtStart()}}), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	marks := b.Client(t, kgo.DefaultProduceTopic(compacted), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	last, err := marks.ProduceSync(ctx, &kgo.Record{Key: []byte("end"), Value: []byte("of what is read")}).First()
	if err != nil {
		t.Fatal(err)
	}
	for {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("read: %v", err)
		}
		for _, r := range fetches.Records() {
			if r.Offset == last.Offset {
				return records
			}
			if string(r.Key) != "end" {
				records = append(records, fmt.Sprintf("%d %s=%.8x/%d/%v @%d %s", r.Offset, r.Key, r.Value, len(r.Value), r.Value == nil, r.Timestamp.UnixMilli(), r.Headers[0].Value))
			}
		}
	}
}

// segmentBases are the first offsets of the partition's segments.
func segmentBases(t *testing.T, dir string) (bases []int64) {
	t.Helper()
	for _, f := range filesOf(t, dir, ".log") {
		n, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(f), ".log"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		bases = append(bases, n)
	}
	return bases
}

// awaitCompacted waits until the broker has written down that all but the active segment is compacted.
func awaitCompacted(t *testing.T, b *Broker, dir string) {
	t.Helper()
	bases := segmentBases(t, dir)
	want := bases[len(bases)-1]
	line := regexp.MustCompile(`(?m)^` + compacted + ` 0 (\d+)`)
	deadline := time.Now().Add(90 * time.Second)
	for retry := time.NewTicker(100 * time.Millisecond); ; <-retry.C {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "cleaner-offset-checkpoint"))
		if m := line.FindSubmatch(text); err == nil && m != nil && string(m[1]) == fmt.Sprint(want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not compacted up to %d: %q, %v\n%s", want, text, err, tail(b.log.String()))
		}
	}
}

func alter(t *testing.T, b *Broker, broker bool, key, value string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), toolLimit)
	defer cancel()
	admin := kadm.NewClient(b.Client(t))
	change := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: &value}}
	all, err := admin.AlterTopicConfigs(ctx, change, compacted)
	if broker {
		all, err = admin.AlterBrokerConfigs(ctx, change)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Err != nil {
			t.Fatalf("%s=%s: %v %s", key, value, r.Err, r.ErrMessage)
		}
	}
}

// shapeOf is what Holdfast's dump says of the batches of all segments but the active one, as far as it must be the same on
// both sides: times of deletion and producer ids are each broker's own.
func shapeOf(t *testing.T, dir string) (shape []string) {
	t.Helper()
	files := filesOf(t, dir, ".log")
	for _, f := range files[:len(files)-1] {
		out := holdfast(t).run(t, "", "dump", f, "--records", "-o", "json")
		for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
			var b struct {
				Kind                                  string
				BaseOffset, LastOffset, Count, Offset int64
				Codec, Marker                         string
				Valid, Transactional, Control         bool
				DeleteHorizonMs                       *int64
			}
			if err := json.Unmarshal([]byte(l), &b); err != nil {
				t.Fatalf("%s: %v", l, err)
			}
			switch b.Kind {
			case "batch":
				shape = append(shape, fmt.Sprintf("batch %d-%d, %d records, horizon %v, transactional %v", b.BaseOffset, b.LastOffset, b.Count, b.DeleteHorizonMs != nil, b.Transactional))
			case "marker":
				shape = append(shape, fmt.Sprintf("marker %d %s", b.Offset, b.Marker))
			}
		}
	}
	return shape
}

// TestCompactionAsKafka gives Holdfast and Apache Kafka the same batches, has both compact them, and holds what is left there
// to what is left here; twice, so that tombstones and markers go, too. Each side's tool reads the other's segments.
func TestCompactionAsKafka(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	first, second := changes(random, 250), changes(random, 120)
	from := time.Now().Add(-time.Hour)
	type side struct {
		name    string
		b       *Broker
		w       writers
		dir     string
		records []string
		shape   []string
	}
	sides := []*side{{name: "Holdfast", b: startHoldfast(t)}, {name: "Apache Kafka", b: startKafka(t)}}
	for _, s := range sides {
		alter(t, s.b, true, "log.cleaner.backoff.ms", "300")
		s.b.CreateTopic(t, compacted, 1, map[string]string{
			"cleanup.policy": "delete", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "1000", "retention.ms": "-1",
		})
		s.w = newWriters(t, s.b)
		s.w.write(t, first, from)
		s.dir = s.b.Partition(t, compacted, 0)
	}
	round := func(name string) {
		t.Helper()
		for _, s := range sides {
			alter(t, s.b, false, "cleanup.policy", "compact")
			awaitCompacted(t, s.b, s.dir)
			alter(t, s.b, false, "cleanup.policy", "delete") // so that the next round begins on both sides at once
			s.records, s.shape = readAllOf(t, s.b), shapeOf(t, s.dir)
		}
		ours, theirs := sides[0], sides[1]
		if len(theirs.records) < 60 || len(theirs.records) > 200 {
			t.Errorf("%s: Apache Kafka has %d records left", name, len(theirs.records))
		}
		t.Logf("%s: %d records and %d batches are left", name, len(theirs.records), len(theirs.shape))
		firstDifference(t, name+": records", ours.records, theirs.records)
		firstDifference(t, name+": batches", ours.shape, theirs.shape)
		if a, b := segmentBases(t, ours.dir), segmentBases(t, theirs.dir); !slices.Equal(a, b) {
			t.Errorf("%s: segments at %v, Apache Kafka's at %v", name, a, b)
		}
	}
	round("first")
	for _, s := range sides {
		s.w.write(t, second, from.Add(time.Minute))
	}
	time.Sleep(1100 * time.Millisecond) // sleep: delete.retention.ms is a thousand of them, on both brokers' clocks
	round("second, past the horizon")
	for _, s := range sides {
		s.w.write(t, second[:60], from.Add(2*time.Minute))
	}
	time.Sleep(1100 * time.Millisecond) // sleep: as above, for the markers
	round("third")

	files := filesOf(t, sides[0].dir, ".log")
	// The tool tells gaps between offsets, and ends with an error for them: in Apache Kafka's own compacted segments, too.
	out, _, _ := java(t, "org.apache.kafka.tools.DumpLogSegments").try(t, "", "--files", strings.Join(files[:len(files)-1], ","), "--print-data-log")
	if strings.Contains(out, "isvalid: false") || !strings.Contains(out, "deleteHorizonMs") {
		t.Errorf("Apache Kafka's tool says of our segments:\n%s", tail(out))
	}
}

func firstDifference(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	t.Errorf("%s: %d here, %d there; from number %d on:\nholdfast     %.600q\nApache Kafka %.600q", what, len(got), len(want), i, got[i:min(i+4, len(got))], want[i:min(i+4, len(want))])
}

// TestClientsReadCompacted has every client read a compacted topic: offsets are missing, and batches are empty.
func TestClientsReadCompacted(t *testing.T) {
	t.Parallel()
	b := startHoldfast(t)
	alter(t, b, true, "log.cleaner.backoff.ms", "100")
	b.CreateTopic(t, compacted, 1, map[string]string{"cleanup.policy": "compact", "segment.bytes": "1048576", "retention.ms": "-1"})
	w, random := newWriters(t, b), rand.New(rand.NewPCG(3, 4))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	write := func(c *kgo.Client, r change) {
		t.Helper()
		c.Produce(ctx, &kgo.Record{Key: []byte(r.key), Value: r.value, Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("x")}}}, nil)
		if err := c.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for _, batch := range changes(random, 150) {
		for _, r := range batch {
			write([]*kgo.Client{w.plain, w.idempotent}[random.IntN(2)], r)
		}
	}
	for _, c := range []*kgo.Client{w.idempotent, w.plain} { // the last batch of the first is empty then
		write(c, change{"k0", []byte("last")})
	}
	holdfast(t).run(t, "", "topic", "compact", compacted, "-b", b.Addr)
	dir := b.Partition(t, compacted, 0)
	for ended := false; !ended; { // the active segment is ended, and an empty one begun
		files := filesOf(t, dir, ".log")
		info, err := os.Stat(files[len(files)-1])
		if ended = err == nil && info.Size() == 0; !ended {
			select {
			case <-ctx.Done():
				t.Fatalf("segments are %q\n%s", files, tail(b.log.String()))
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	awaitCompacted(t, b, dir)
	if out := holdfast(t).run(t, "", "dump", dir); !strings.Contains(out, "  0 records") {
		t.Errorf("no batch is empty:\n%s", tail(out))
	}
	want := len(readAllOf(t, b))
	partitions := []partition{{compacted, 0, want}}
	all := clients(t)
	reference := franzRead(t, b, partitions)
	if len(reference) != want || want < 20 || reference[0].Offset == 0 {
		t.Fatalf("%d records, want %d", len(reference), want)
	}
	for _, c := range all {
		if c.read != nil {
			t.Run(c.name, func(t *testing.T) { compare(t, c.name, c.read(t, b, partitions), reference) })
		}
	}
}
