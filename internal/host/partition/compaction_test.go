package partition

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/base/event"
	"holdfast/internal/core/image"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

// still opens a manager that does nothing by itself.
func still(t *testing.T, fsys vfs.FS, settings ...string) *house {
	t.Helper()
	h := &house{t: t, still: true}
	h.furnish(1, settings...)
	if err := h.start(fsys, "first boot"); err != nil {
		t.Fatal(err)
	}
	return h
}

// set changes one setting of the topic.
func (h *house) set(key, value string) {
	record := &image.ConfigRecord{Resource: image.ResourceTopic, Name: "t", Key: key, Value: &value}
	h.changes++
	after := h.img.Apply(1+h.changes, []image.Record{record})
	h.Follow(image.Diff(h.img, after))
	h.img = after
}

// put appends key=value pairs, one batch each of an idempotent producer, and has them synced and written down.
func (h *house) put(now time.Time, pairs ...string) {
	h.t.Helper()
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		b := record.NewBuilder(record.BuilderOptions{Idempotent: true, ProducerID: 7, BaseSequence: h.sequence})
		if err := b.Append(now.UnixMilli(), []byte(key), append([]byte(value), make([]byte, 200_000)...)); err != nil {
			h.t.Fatal(err)
		}
		h.sequence++
		var r wire.ProducePartitionResult
		if h.part(0).Append(b.Build(), AcksLeader, now, nil, &r); r.Code != wire.None {
			h.t.Fatalf("put %s: %v %s", pair, r.Code, r.ErrorMessage)
		}
	}
	h.settleDown()
}

func (h *house) settleDown() {
	h.t.Helper()
	h.Flush()
	if err := h.SaveCheckpoints(); err != nil {
		h.t.Fatal(err)
	}
}

// kept is what of the partition is left: offset:key of every record.
func (h *house) kept() (out []string) {
	h.t.Helper()
	p := h.part(0)
	for at := p.LogStart(); at < p.HighWatermark(); {
		r := p.Read(ReadRequest{Offset: at, CurrentEpoch: -1, MaxBytes: 1 << 20, AtLeastOne: true})
		if r.Code != wire.None || r.Span.Len == 0 {
			h.t.Fatalf("read at %d: %v, %d bytes", at, r.Code, r.Span.Len)
		}
		buf := make([]byte, r.Span.Len)
		if err := r.Span.ReadAt(buf); err != nil {
			h.t.Fatal(err)
		}
		for len(buf) > 0 {
			b, rest, err := record.Next(buf)
			if err != nil {
				h.t.Fatal(err)
			}
			buf = rest
			for rec := range b.Records(nil) {
				out = append(out, fmt.Sprintf("%d:%s", b.BaseOffset()+int64(rec.OffsetDelta), rec.Key))
			}
		}
		at = r.Span.NextOffset
	}
	return out
}

var compactTopic = []string{"cleanup.policy=compact", "segment.bytes=1048576", "min.cleanable.dirty.ratio=0.3"}

func TestCompactionInTheBackground(t *testing.T) {
	fsys, now := vfs.NewMem(), time.Now()
	h := still(t, fsys, compactTopic...)
	h.put(now, "a=1", "b=1", "a=2", "b=2")
	if did, _ := h.Compact(now); did {
		t.Fatal("the active segment was compacted")
	}
	h.put(now, "a=3", "c=1", "d=1", "a=4") // two segments: five of 200 KB in the first
	did, pending := h.Compact(now)
	if want := []string{"3:b", "4:a", "5:c", "6:d", "7:a"}; !did || pending || !slices.Equal(h.kept(), want) {
		t.Fatalf("did %v, pending %v, left is %v, want %v", did, pending, h.kept(), want)
	}
	if did, _ := h.Compact(now); did {
		t.Fatal("what is clean was compacted again")
	}

	// A restart, clean or not, finds all of it, and goes on where compaction was.
	again := &house{t: t, still: true, img: h.img}
	if err := again.start(fsys.CrashClone(vfs.LoseAll, 1), "second boot"); err != nil {
		t.Fatal(err)
	}
	if again.told(event.KindQuarantined) || !slices.Equal(again.kept(), h.kept()) {
		t.Fatalf("left after a power cut is %v, was %v; told %v", again.kept(), h.kept(), again.events)
	}
	if c, g := again.part(0).log.CleanedTo(), again.part(0).log.GapsTo(); c != 5 || g != 5 {
		t.Fatalf("compacted up to %d, gaps up to %d, want 5 and 5", c, g)
	}
	e, _ := again.part(0).log.Producers().Entry(7)
	if n := len(e.Batches); n == 0 || e.Batches[n-1].LastSeq != 7 {
		t.Fatalf("the producer is known as %+v", e)
	}
	// The topic is only deleted from now on; what compaction took is not taken for lost.
	again.set("cleanup.policy", "delete")
	again.sequence = h.sequence
	again.put(now, "x=1")
	last := &house{t: t, still: true, img: again.img}
	if err := last.start(again.options.FS.(*vfs.Mem).CrashClone(vfs.LoseAll, 1), "third boot"); err != nil {
		t.Fatal(err)
	}
	if last.told(event.KindQuarantined) || !slices.Equal(last.kept(), again.kept()) {
		t.Fatalf("left is %v, was %v; told %v", last.kept(), again.kept(), last.events)
	}
}

// A crash at any operation of a run, its files of offsets included, leaves what was there before or after.
func TestCompactionSurvivesCrashes(t *testing.T) {
	fsys, now := vfs.NewMem(), time.Now()
	if err := vfs.MakeDirs(fsys, "data"); err != nil {
		t.Fatal(err)
	}
	h := still(t, fsys, append(compactTopic, "file.delete.delay.ms=0")...)
	images := 0
	for range 2 {
		h.put(now, "a=1", "b=1", "a=2", "b=2", "a=3", "c=1", "d=1", "a=4")
		before, end := h.kept(), h.part(0).LogEnd()
		fsys.EachCrash(2, func(x vfs.Crash) {
			images++
			again := &house{t: t, still: true, img: h.img}
			if err := again.start(x.Disk, "second boot"); err != nil {
				t.Fatalf("%v: %v", x, err)
			}
			left := again.kept()
			for _, key := range []string{"a", "b", "c", "d"} { // the last of each is there
				if last := lastOf(before, key); lastOf(left, key) != last {
					t.Fatalf("%v: left is %v, was %v", x, left, before)
				}
			}
			for _, r := range left {
				if !slices.Contains(before, r) {
					t.Fatalf("%v: %s was never there", x, r)
				}
			}
			e, _ := again.part(0).log.Producers().Entry(7)
			if n := len(e.Batches); n == 0 || e.Batches[n-1].LastSeq != h.sequence-1 || again.part(0).LogEnd() != end ||
				again.told(event.KindQuarantined) || again.told(event.KindTruncatedTail) {
				t.Fatalf("%v: the producer is known as %+v, the log ends at %d, was %d; told %v", x, e, again.part(0).LogEnd(), end, again.events)
			}
		})
		if did, _ := h.Compact(now); !did {
			t.Fatal("nothing was compacted")
		}
		h.Sweep(now.Add(time.Hour))
		fsys.Observe(nil)
	}
	t.Logf("%d images", images)
}

func lastOf(records []string, key string) (last string) {
	for _, r := range records {
		if strings.HasSuffix(r, ":"+key) {
			last = r
		}
	}
	return last
}

// Without our own file nobody knows where offsets are missing: a folder of Kafka's, or one that lost it.
func TestGapsWithoutTheirFile(t *testing.T) {
	fsys, now := vfs.NewMem(), time.Now()
	h := still(t, fsys, compactTopic...)
	h.put(now, "a=1", "b=1", "a=2", "b=2", "b=3", "a=3", "b=4", "c=1", "c=2", "a=4", "a=5")
	for {
		if did, _ := h.Compact(now); !did {
			break
		}
	}
	for _, gone := range []string{gapsFile, recoveryFile} { // in this order: then both
		if err := fsys.Remove("data/" + gone); err != nil {
			t.Fatal(err)
		}
		again := &house{t: t, still: true, img: h.img}
		if err := again.start(fsys.CrashClone(vfs.LoseNone, 1), "second boot"); err != nil {
			t.Fatal(err)
		}
		if again.told(event.KindQuarantined) || again.told(event.KindTruncatedTail) || !slices.Equal(again.kept(), h.kept()) {
			t.Fatalf("without %s left is %v, was %v; told %v", gone, again.kept(), h.kept(), again.events)
		}
	}
}

func TestCompactionOnRequest(t *testing.T) {
	now := time.Now()
	h := still(t, vfs.NewMem(), "cleanup.policy=compact", "delete.retention.ms=0")
	h.put(now, "a=1", "b=1", "a=2")
	var r wire.ProducePartitionResult
	b := record.NewBuilder(record.BuilderOptions{})
	if err := b.Append(now.UnixMilli(), []byte("b"), nil); err != nil {
		t.Fatal(err)
	}
	h.part(0).Append(b.Build(), AcksLeader, now, nil, &r)
	h.set("compaction.requested.ms", strconv.FormatInt(now.UnixMilli(), 10))
	if did, pending := h.Compact(now); did || !pending { // its end is not synced yet
		t.Fatalf("did %v, pending %v", did, pending)
	}
	h.settleDown()
	if did, _ := h.Compact(now); !did || !slices.Equal(h.kept(), []string{"2:a", "3:b"}) {
		t.Fatalf("did %v, left is %v", did, h.kept())
	}
	if did, pending := h.Compact(now); did || pending {
		t.Fatalf("did %v, pending %v after it was done", did, pending)
	}
	h.put(now, "a=3")
	if did, pending := h.Compact(now); did || pending {
		t.Fatalf("did %v, pending %v without another request", did, pending)
	}
	c, ok := h.Topic([]byte("t")).Compaction(now)
	if !ok || c.LastRunMs != now.UnixMilli() || c.Unclean != 0 {
		t.Fatalf("%+v", c)
	}
}

func TestCompactionByLag(t *testing.T) {
	now := time.Now()
	h := still(t, vfs.NewMem(), "cleanup.policy=compact", "max.compaction.lag.ms=60000", "min.compaction.lag.ms=1000")
	h.put(now, "a=1", "a=2")
	for _, later := range []time.Duration{0, 30 * time.Second} {
		if did, _ := h.Compact(now.Add(later)); did {
			t.Fatalf("compacted after %v", later)
		}
	}
	late := now.Add(61 * time.Second)
	if did, _ := h.Compact(late); !did || !slices.Equal(h.kept(), []string{"1:a"}) {
		t.Fatalf("did %v, left is %v", did, h.kept())
	}
}

func TestRetentionLeavesCompactedTopics(t *testing.T) {
	now := time.Now()
	h := still(t, vfs.NewMem(), "cleanup.policy=compact", "retention.ms=1", "retention.bytes=1", "segment.bytes=1048576")
	h.put(now, "a=1", "b=1", "c=1", "d=1", "e=1", "f=1", "g=1")
	h.Retain(now.Add(time.Hour))
	if h.part(0).LogStart() != 0 {
		t.Fatalf("the log starts at %d", h.part(0).LogStart())
	}
	h.set("cleanup.policy", "compact,delete")
	h.Retain(now.Add(time.Hour))
	if h.part(0).LogStart() == 0 {
		t.Fatal("compact,delete deletes nothing")
	}
	var r wire.ProducePartitionResult
	h.part(0).Append(batch(t, "no key"), AcksLeader, now, nil, &r)
	if r.Code != wire.InvalidRecord || len(r.RecordErrors) != 1 || r.RecordErrors[0].BatchIndex != 0 {
		t.Fatalf("a record without a key is answered with %v %+v", r.Code, r.RecordErrors)
	}
}

func TestDamageKeepsFromCompaction(t *testing.T) {
	fsys, now := vfs.NewMem(), time.Now()
	h := still(t, fsys, compactTopic...)
	h.put(now, "a=1", "b=1", "a=2", "b=2", "b=3", "a=3", "b=4")
	f, err := fsys.Open("data/t-0/00000000000000000000.log")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{1}, 250_000); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if did, _ := h.Compact(now); !did || !h.told(event.KindNotCompacted) || len(h.part(0).log.Damaged()) != 1 {
		t.Fatalf("did %v, told %v, damaged %v", did, h.events, h.part(0).log.Damaged())
	}
	if did, _ := h.Compact(now.Add(time.Minute)); did {
		t.Fatal("tried again at once")
	}
	if h.Failed() != nil {
		t.Fatal(h.Failed())
	}
	if c, _ := h.Topic([]byte("t")).Compaction(now); c.Unclean != 1 {
		t.Fatalf("%+v", c)
	}
	if _, err := h.part(0).log.Locate(1, 2, 1, true); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Fatalf("the damaged record is read: %v", err)
	}
}
