package cli

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/core/image"
	"holdfast/internal/proto/record"
	"holdfast/internal/storage/commitlog"
	"holdfast/internal/storage/journal"
	"holdfast/internal/storage/vfs"
)

const dumpTime = 1_700_000_000_000 // 2023-11-14T22:13:20Z

// batchOf is a batch of one record at offset.
func batchOf(t testing.TB, offset int64, codec record.Codec, value string) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.BuilderOptions{Codec: codec})
	if err := b.Append(dumpTime+offset, []byte("k"), []byte(value), record.Header{Key: []byte("h"), Value: []byte{0xff}}); err != nil {
		t.Fatal(err)
	}
	batch := b.Build()
	batch.SetBaseOffset(offset)
	batch.SetLeaderEpoch(3)
	return batch
}

// partitionFolder writes a closed partition of a plain record, an lz4 one and an aborted transaction.
func partitionFolder(t testing.TB) string {
	t.Helper()
	dir := filepath.ToSlash(filepath.Join(t.TempDir(), "orders-0"))
	fsys := vfs.OS()
	now := time.UnixMilli(dumpTime)
	log, _, err := commitlog.Open(commitlog.Options{
		FS: fsys, Dir: dir, Files: commitlog.NewFiles(fsys, 100), Now: now,
		Config: commitlog.Config{SegmentBytes: 1 << 20, SegmentAge: time.Hour, IndexBytes: 1 << 20, IndexInterval: 1, RetentionBytes: -1, RetentionAge: -1, DeleteDelay: time.Minute, ProducerExpiry: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	log.AssignEpoch(3, 0)
	txn := record.NewBuilder(record.BuilderOptions{Idempotent: true, ProducerID: 77, ProducerEpoch: 1, BaseSequence: 0, Transactional: true})
	if err := txn.Append(dumpTime, nil, nil); err != nil {
		t.Fatal(err)
	}
	open := txn.Build()
	open.SetBaseOffset(2)
	open.SetLeaderEpoch(3)
	abort := record.Marker{ProducerID: 77, ProducerEpoch: 1, TimestampMs: dumpTime}.Batch()
	abort.SetBaseOffset(3)
	abort.SetLeaderEpoch(3)
	for _, b := range []record.Batch{batchOf(t, 0, record.None, "plain"), batchOf(t, 1, record.LZ4, strings.Repeat("packed", 50)), open, abort} {
		if err := log.Append(b, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := commitlog.WritePartitionMetadata(fsys, dir, [16]byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDumpPartition(t *testing.T) {
	dir := partitionFolder(t)
	r := holdfast(t, "", "", "dump", dir, "--records").want(t, exitDone)
	for _, want := range []string{
		"00000000000000000000.log: segment\n  @0  offsets 0-0  1 record",
		`"k" = "plain"  [h: 0xff]`,
		"lz4\n",
		"producer 77/1 seq 0-0  transactional",
		"    3  2023-11-14T22:13:20.000Z  ABORT",
		"txnindex: transaction index\n  producer 77 aborted offsets 2-3, last stable offset ",
		"leader-epoch-checkpoint: leader epochs\n  epoch 3 begins at offset 0",
		"00000000000000000004.snapshot: producer snapshot\n  producer 77/1",
		"partition.metadata: topic id\n  topic id AQAAAAAAAAAAAAAAAAAAAA",
		"index: offset index\n  offset 1  @",
		"timeindex: time index\n  2023-11-14T22:13:20",
	} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
	checkJSON(t, "dump", holdfast(t, "", "", "dump", dir, "--records", "-o", "json").want(t, exitDone))
	log := filepath.Join(dir, "00000000000000000000.log")
	one := holdfast(t, "", "", "dump", log, "--offset", "1", "-n", "1", "-o", "json").want(t, exitDone)
	if len(one.lines()) != 1 || !strings.Contains(one.out, `"baseOffset":1`) {
		t.Errorf("batch of offset 1: %s", one.out)
	}
}

// Damage is said with its place, and makes the exit code; what a crash leaves at the end is not damage.
func TestDumpTellsDamageFromTornEnd(t *testing.T) {
	name := filepath.Join(partitionFolder(t), "00000000000000000000.log")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[70] ^= 1
	for _, c := range []struct {
		what    string
		content []byte
		code    int
		says    string
	}{
		{"a bit flipped", flipped, exitViolation, "DAMAGED at 0: the batch of offsets 0 to 0 does not match its checksum"},
		{"cut in a batch", whole[:len(whole)-5], exitDone, "torn end at "},
		{"cut in a header", whole[:20], exitDone, "torn end at 0: 20 bytes are less than the header of a batch"},
		{"space ahead", append(bytes.Clone(whole), make([]byte, 200_000)...), exitDone, "200000 bytes of zeros at "},
		{"a batch twice", append(bytes.Clone(whole), whole...), exitViolation, "offset 0 follows offset 3"},
		{"rubbish", bytes.Repeat([]byte{0xee}, 100), exitViolation, "a batch cannot have"},
		{"nothing", nil, exitDone, "segment"},
	} {
		if err := os.WriteFile(name, c.content, 0o644); err != nil {
			t.Fatal(err)
		}
		r := holdfast(t, "", "", "dump", name)
		if r.code != c.code || !strings.Contains(r.out, c.says) {
			t.Errorf("%s: exit %d, want %d: %s", c.what, r.code, c.code, r.out)
		}
	}
	holdfast(t, "", "", "dump", filepath.Join(t.TempDir(), "nothing.log")).want(t, exitUsage)
}

func TestDumpJournal(t *testing.T) {
	dir, id := filepath.ToSlash(t.TempDir()), journal.ID{7}
	j, _, err := journal.Open(vfs.OS(), dir, id)
	if err != nil {
		t.Fatal(err)
	}
	topic := image.TopicID{9}
	batch := image.AppendBatch(nil, []image.Record{
		&image.TopicRecord{Name: "orders", ID: topic},
		&image.PartitionRecord{Topic: topic, Partition: image.Partition{Replicas: []int32{1}, ISR: []int32{1}, Leader: 1}},
	})
	entry := append([]byte{0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5, 0}, batch...)
	hard := []byte{0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5}
	if _, err := j.Append(journal.Entry{Type: 3, Data: entry}, journal.Entry{Type: 2, Data: hard}, journal.Entry{Type: 2, Data: []byte{1}}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	img := image.Empty().Apply(5, []image.Record{&image.FormationRecord{ClusterID: "c"}, &image.TopicRecord{Name: "orders", ID: topic}})
	snapshot := []byte{1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}
	if err := journal.SaveSnapshot(vfs.OS(), dir, id, img.Snapshot(snapshot)); err != nil {
		t.Fatal(err)
	}
	r := holdfast(t, "", "", "dump", dir).want(t, exitViolation) // the hard state of one byte
	for _, want := range []string{
		"entry 5  term 2\n      topic {\"id\":\"CQAAAAAAAAAAAAAAAAAAAA\",\"name\":\"orders\"}",
		`"isr":[1],"leader":1,"leaderEpoch":0`,
		"term 2  vote 1  commit 5",
		"hardState of 1 bytes: its length is wrong",
		"entry 5 of term 2, voters [1]: cluster c, 0 brokers, 1 topic",
		"topic orders  CQAAAAAAAAAAAAAAAAAAAA",
	} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
	checkJSON(t, "dump", holdfast(t, "", "", "dump", dir, "-o", "json"))
}

// Whatever the bytes of a file are, dump comes to an end without a panic and without much memory.
func FuzzDump(f *testing.F) {
	names := []string{
		"00000000000000000000.log", "00000000000000000000.index", "00000000000000000000.timeindex", "00000000000000000000.txnindex",
		"00000000000000000000.snapshot", "leader-epoch-checkpoint", "recovery-point-offset-checkpoint", "partition.metadata",
		"meta.properties", "0000000000000001.journal", "snapshot",
	}
	dir := partitionFolder(f)
	for i, name := range names {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			content = []byte("0\n1\norders 0 5\n")
		}
		f.Add(uint8(i), content)
	}
	f.Fuzz(func(t *testing.T, which uint8, content []byte) {
		fsys := vfs.NewMem()
		if err := fsys.MkdirAll("/d"); err != nil {
			t.Fatal(err)
		}
		path := "/d/" + names[int(which)%len(names)]
		file, err := fsys.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt(content, 0); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		for _, form := range []string{"table", "json"} {
			d := &dump{app: &app{output: form}, fs: fsys, out: bufio.NewWriter(&out), records: true}
			if err := d.file(path, true); err != nil {
				t.Fatal(err)
			}
		}
	})
}
