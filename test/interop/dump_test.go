package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// dumped is the topic whose files are looked at: two segments, written by an idempotent producer.
const (
	dumped      = "dumped"
	dumpedCount = 40
)

// fillPartition writes enough for a roll at Kafka's smallest segment, so that every kind of file has something in it.
func fillPartition(t *testing.T, b *Broker) {
	t.Helper()
	b.CreateTopic(t, dumped, 1, map[string]string{"segment.bytes": "1048576", "index.interval.bytes": "4096"})
	c := b.Client(t, kgo.ProducerBatchCompression(kgo.NoCompression()))
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for i := range dumpedCount {
		r := &kgo.Record{
			Topic: dumped, Key: fmt.Appendf(nil, "key-%d", i), Value: bytes.Repeat([]byte{'a' + byte(i%26)}, 40_000),
			Timestamp: time.UnixMilli(time.Now().UnixMilli() + int64(i)), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("x")}},
		}
		if err := c.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
}

// filesOf lists the files of a kind in a partition's folder, with their paths.
func filesOf(t *testing.T, dir, suffix string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

// TestDumpLogSegments has Apache Kafka's tool read each kind of file in a partition's folder, of a running broker
// and of a stopped one.
func TestDumpLogSegments(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	fillPartition(t, b)
	dir := b.Partition(t, dumped, 0)
	checkLogs(t, dir, true)
	b.Stop(t)
	checkLogs(t, dir, false)

	dump := java(t, "org.apache.kafka.tools.DumpLogSegments")
	for _, kind := range []string{".index", ".timeindex"} {
		files := filesOf(t, dir, kind)
		if len(files) < 2 {
			t.Fatalf("%d files %s, want one a segment", len(files), kind)
		}
		entries := regexp.MustCompile(map[string]string{".index": `(?m)^offset: \d+ position: \d+$`, ".timeindex": `(?m)^timestamp: \d{13} offset: \d+$`}[kind])
		out := dump.run(t, "", "--files", files[0])
		if n := len(entries.FindAllString(out, -1)); n < 10 {
			t.Errorf("%s: %d entries:\n%s", files[0], n, tail(out))
		}
		for _, check := range []string{"--index-sanity-check", "--verify-index-only"} {
			complaint := regexp.MustCompile(`(?i)mismatch|not found|out of order|corrupt|Exception`)
			out, errs, err := dump.try(t, "", "--files", strings.Join(files, ","), check)
			if err != nil || complaint.MatchString(out+errs) {
				t.Errorf("%s of %s: %v\n%s", check, kind, err, tail(out+errs))
			}
		}
	}
	snapshots := filesOf(t, dir, ".snapshot")
	if len(snapshots) == 0 {
		t.Fatal("no producer snapshot after a roll and a clean stop")
	}
	last := snapshots[len(snapshots)-1]
	if want := fmt.Sprintf("%020d.snapshot", dumpedCount); filepath.Base(last) != want {
		t.Errorf("the last snapshot is %s, want %s", filepath.Base(last), want)
	}
	wantLines(t, dump.run(t, "", "--files", last),
		fmt.Sprintf(`producerId: \d+ producerEpoch: 0 coordinatorEpoch: -1 currentTxnFirstOffset: (None|OptionalLong.empty) lastTimestamp: \d{13} firstSequence: \d+ lastSequence: %d lastOffset: %d`,
			dumpedCount-1, dumpedCount-1))
	for _, f := range filesOf(t, dir, ".txnindex") {
		dump.run(t, "", "--files", f)
	}
	checkCheckpoint(t, dir)
}

// preparedAhead is how the tool ends at the zeros that a running broker has prepared after the last record, as it does
// in Apache Kafka's own folders with log.preallocate=true. A roll and a clean stop cut them off.
const preparedAhead = "CorruptRecordException: Found record size 0 smaller than minimum record overhead"

// checkLogs dumps all segments with their records and counts them.
func checkLogs(t *testing.T, dir string, running bool) {
	t.Helper()
	files := filesOf(t, dir, ".log")
	if len(files) < 2 {
		t.Fatalf("%d segments, want a roll", len(files))
	}
	out, complaints, err := java(t, "org.apache.kafka.tools.DumpLogSegments").try(t, "", "--files", strings.Join(files, ","), "--print-data-log")
	if running && err != nil && strings.Contains(complaints, preparedAhead) {
		complaints, _, _ = strings.Cut(complaints, `Exception in thread "main"`)
	} else if err != nil {
		t.Fatalf("%v\n%s", err, tail(complaints))
	}
	for _, l := range strings.Split(strings.TrimSpace(complaints), "\n") {
		// It takes a second segment's first offset for a gap after offset -1, in Apache Kafka's folders too.
		if l != "" && !strings.HasPrefix(l, "Non-consecutive offsets in") && !strings.HasPrefix(strings.TrimSpace(l), "-1 is followed by") {
			t.Errorf("the dump complains: %s", l)
		}
	}
	records := regexp.MustCompile(`(?m)^\| offset: (\d+) CreateTime: \d{13} keySize: \d+ valueSize: 40000 sequence: (\d+) headerKeys: \[h\] key: key-(\d+) payload: [a-z]`)
	found := records.FindAllStringSubmatch(out, -1)
	for i, m := range found {
		if want := fmt.Sprint(i); m[1] != want || m[2] != want || m[3] != want {
			t.Errorf("record %d is dumped as offset %s, sequence %s, key-%s", i, m[1], m[2], m[3])
		}
	}
	if len(found) != dumpedCount {
		t.Errorf("%d records dumped, want %d:\n%.2000s", len(found), dumpedCount, out)
	}
	if valid := strings.Count(out, "isvalid: true"); valid != dumpedCount || strings.Contains(out, "isvalid: false") {
		t.Errorf("%d valid batches, want %d", valid, dumpedCount)
	}
	if strings.Contains(out, "invalid bytes") {
		t.Errorf("the dump found bytes that are no batch:\n%s", tail(out))
	}
}

// checkCheckpoint reads the leader epochs, a text file that no tool of Apache Kafka's dumps.
func checkCheckpoint(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "leader-epoch-checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^0\n1\n\d+ 0\n$`).Match(text) {
		t.Errorf("leader-epoch-checkpoint holds %q, want version 0, one entry, an epoch from offset 0 on", text)
	}
}

// TestHoldfastDump has `holdfast dump` read a partition's folder that Apache Kafka wrote, transactions included, and
// holds it to what Apache Kafka's own tool says of the same files.
func TestHoldfastDump(t *testing.T) {
	t.Parallel()
	dump, theirs := holdfast(t), java(t, "org.apache.kafka.tools.DumpLogSegments")
	b := startKafka(t)
	fillPartition(t, b)
	abortOne(t, b)
	dir := b.Partition(t, dumped, 0)
	b.Stop(t)

	// The same facts in the words of either tool.
	for _, c := range []struct{ suffix, kind, pattern, fields string }{
		{
			".log", "batch", `(?m)^baseOffset: (\d+) lastOffset: (\d+) count: (\d+) .* position: (\d+) .* crc: (\d+) isvalid: (true|false)`,
			"baseOffset lastOffset count position crc valid",
		},
		{".log", "record", `(?m)^\| offset: (\d+) CreateTime: (\d+) .* key: (\S+) payload`, "offset timestampMs key"},
		{".log", "marker", `(?m)^\| offset: (\d+) CreateTime: (\d+) .* endTxnMarker: (\w+)`, "offset timestampMs marker"},
		{".index", "offsetIndex", `(?m)^offset: (\d+) position: (\d+)`, "offset position"},
		{".timeindex", "timeIndex", `(?m)^timestamp: (\d+) offset: (\d+)`, "timestampMs offset"},
		{
			".snapshot", "producer", `(?m)^producerId: (\d+) producerEpoch: (\d+) coordinatorEpoch: (-?\d+) .*lastTimestamp: (\d+)`,
			"producerId epoch coordinatorEpoch timestampMs",
		},
		{
			".txnindex", "abortedTransaction", `(?m)^version: 0 producerId: (\d+) firstOffset: (\d+) lastOffset: (\d+) lastStableOffset: (\d+)`,
			"producerId firstOffset lastOffset lastStableOffset",
		},
	} {
		var got, want []string
		for _, f := range filesOf(t, dir, c.suffix) {
			got = append(got, facts(t, dump.run(t, "", "dump", f, "--records", "-o", "json"), c.kind, strings.Fields(c.fields))...)
			out := theirs.run(t, "", "--files", f, "--print-data-log")
			for _, m := range regexp.MustCompile(c.pattern).FindAllStringSubmatch(out, -1) {
				want = append(want, strings.Join(m[1:], " "))
			}
		}
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s of %s:\nholdfast dump %q\nApache Kafka  %q", c.kind, c.suffix, got, want)
		}
	}
	if got := facts(t, dump.run(t, "", "dump", filepath.Join(dir, "leader-epoch-checkpoint"), "-o", "json"), "leaderEpoch",
		[]string{"epoch", "startOffset"}); !slices.Equal(got, []string{"0 0"}) {
		t.Errorf("leader epochs are %q", got)
	}
	dump.run(t, "", "dump", dir)
	dump.run(t, "", "dump", filepath.Join(b.Data, "meta.properties"))
	dump.run(t, "", "dump", filepath.Join(b.Data, "replication-offset-checkpoint"))
}

// facts are the fields of each line of one kind, with blanks between.
func facts(t *testing.T, text, kind string, fields []string) []string {
	t.Helper()
	var out []string
	for d := json.NewDecoder(strings.NewReader(text)); ; {
		d.UseNumber()
		var line map[string]any
		if err := d.Decode(&line); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatalf("holdfast dump printed what is no JSON: %v", err)
		}
		if line["kind"] != kind {
			continue
		}
		var values []string
		for _, f := range fields {
			values = append(values, fmt.Sprint(line[f]))
		}
		out = append(out, strings.Join(values, " "))
	}
}

// abortOne leaves an aborted transaction at the end of the partition, so that there is a transaction index.
func abortOne(t *testing.T, b *Broker) {
	t.Helper()
	c := b.Client(t, kgo.TransactionalID("dump"))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(ctx, &kgo.Record{Topic: dumped, Key: []byte("aborted"), Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := c.EndTransaction(ctx, kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
}
