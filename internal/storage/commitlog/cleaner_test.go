package commitlog

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/internal/core/producer"
	"holdfast/internal/proto/record"
	"holdfast/internal/storage/vfs"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// written is a record as it was appended. A nil value is a tombstone.
type written struct {
	offset     int64
	key, value string
	tombstone  bool
	ms         int64
	pid        int64
	aborted    bool
}

// keyed is a log of few keys, and all that was ever written to it.
type keyed struct {
	t       testing.TB
	l       *Log
	rand    *rand.Rand
	all     []written
	seqs    map[int64]int32
	open    map[int64]int // producer: index in all of the first record of its open transaction
	ms      int64
	value   int
	markers bool // write transactions, too
}

func newKeyed(t testing.TB, l *Log, seed uint64) *keyed {
	return &keyed{t: t, l: l, rand: rand.New(rand.NewPCG(seed, 7)), seqs: map[int64]int32{}, open: map[int64]int{}, ms: t0.UnixMilli()}
}

// step appends one batch: of a plain, an idempotent or a transactional producer, or a marker.
func (k *keyed) step() error {
	k.ms += k.rand.Int64N(20)
	pid := k.rand.Int64N(5)
	if !k.markers {
		pid = min(pid, 2)
	}
	if _, open := k.open[pid]; open && k.rand.IntN(3) == 0 {
		return k.finish(pid)
	}
	o := record.BuilderOptions{Codec: record.Codec(k.rand.IntN(5)), Idempotent: pid > 0, ProducerID: pid, BaseSequence: k.seqs[pid], Transactional: pid > 2}
	b := record.NewBuilder(o)
	first, base := len(k.all), k.l.End()
	for range 1 + k.rand.IntN(4) {
		w := written{offset: base + int64(b.Count()), key: fmt.Sprintf("k%d", k.rand.IntN(12)), ms: k.ms + k.rand.Int64N(9), pid: pid, tombstone: k.rand.IntN(4) == 0}
		value := []byte(nil)
		if !w.tombstone {
			k.value++
			w.value = fmt.Sprintf("v%d%s", k.value, bytes.Repeat([]byte{'x'}, k.rand.IntN(60)))
			value = []byte(w.value)
		}
		if err := b.Append(w.ms, []byte(w.key), value, record.Header{Key: []byte("h"), Value: []byte(w.key)}); err != nil {
			return err
		}
		k.all = append(k.all, w)
	}
	if pid > 2 {
		if _, open := k.open[pid]; !open {
			k.open[pid] = first
		}
	}
	k.seqs[pid] += int32(b.Count())
	batch := b.Build()
	batch.SetBaseOffset(base)
	batch.SetLeaderEpoch(3)
	return k.append(batch, first)
}

func (k *keyed) append(b record.Batch, first int) error {
	err := k.l.Append(b, time.UnixMilli(k.ms))
	if err != nil {
		k.all = k.all[:first]
	}
	return err
}

// finish ends a transaction, half of them badly.
func (k *keyed) finish(pid int64) error {
	commit := k.rand.IntN(2) == 0
	first := k.open[pid]
	delete(k.open, pid)
	if !commit {
		for i := first; i < len(k.all); i++ {
			if k.all[i].pid == pid {
				k.all[i].aborted = true
			}
		}
	}
	return k.append(marker(k.l.End(), 3, pid, 0, commit, k.ms), len(k.all))
}

// steps appends until the log has so many records, and ends all transactions.
func (k *keyed) steps(n int) {
	k.t.Helper()
	for range n {
		must(k.t, k.step())
	}
	for _, pid := range []int64{3, 4} {
		if _, open := k.open[pid]; open {
			must(k.t, k.finish(pid))
		}
	}
}

// visible is what a reader of committed records sees, with compressed batches unpacked.
func visible(t testing.TB, l *Log, from int64) (out []written) {
	t.Helper()
	aborted, err := l.Aborted(from, l.End())
	must(t, err)
	for at := from; at < l.End(); {
		s, err := l.Locate(at, l.End(), 700, true)
		must(t, err)
		if s.Len == 0 {
			t.Fatalf("nothing to read at %d, the log ends at %d", at, l.End())
		}
		p := make([]byte, s.Len)
		must(t, s.ReadAt(p))
		for rest := p; len(rest) > 0; {
			var b record.Batch
			b, rest, err = record.Next(rest)
			must(t, err)
			hidden := b.Control() || slices.ContainsFunc(aborted, func(a AbortedTxn) bool {
				return b.Transactional() && a.ProducerID == b.ProducerID() && a.FirstOffset <= b.BaseOffset() && b.LastOffset() < a.LastOffset
			})
			for r, err := range b.Records(nil) {
				must(t, err)
				w := written{offset: b.BaseOffset() + int64(r.OffsetDelta), key: string(r.Key), value: string(r.Value), tombstone: r.Value == nil, ms: b.Timestamp(r), pid: max(b.ProducerID(), 0)}
				if !hidden && w.offset >= from {
					out = append(out, w)
				}
			}
		}
		at = s.NextOffset
	}
	return out
}

// check compares what is left with what was written. compacted says up to where no key may be there twice; tombstones
// that may be gone are those of which goneFrom says so.
func (k *keyed) check(l *Log, compacted int64, tombstonesMayGo bool) {
	k.t.Helper()
	got := visible(k.t, l, l.Start())
	byOffset := map[int64]written{}
	latest := map[string]int64{}
	for _, w := range k.all {
		byOffset[w.offset] = w
		if !w.aborted {
			latest[w.key] = w.offset
		}
	}
	seen, last := map[string]int64{}, int64(-1)
	for _, w := range got {
		if w.offset <= last {
			k.t.Fatalf("offset %d after %d", w.offset, last)
		}
		last = w.offset
		if want := byOffset[w.offset]; want != w {
			k.t.Fatalf("at %d is %+v, written was %+v", w.offset, w, want)
		}
		if before, twice := seen[w.key]; twice && w.offset < compacted {
			k.t.Fatalf("%s is there at %d and at %d, compacted up to %d", w.key, before, w.offset, compacted)
		}
		seen[w.key] = w.offset
	}
	for key, offset := range latest { // order-free
		if seen[key] != offset && !(tombstonesMayGo && byOffset[offset].tombstone) {
			k.t.Fatalf("%s was last written at %d and is found at %d", key, offset, seen[key])
		}
	}
}

func newCleaner() *Cleaner { return NewCleaner(CleanerOptions{KeyBytes: 1 << 16, BufferBytes: 512}) }

// compact runs a Cleaner over all that may be compacted.
func compact(t testing.TB, c *Cleaner, l *Log, now time.Time, retention time.Duration) Cleaned {
	t.Helper()
	d, err := l.Cleanable(now, l.End(), 0)
	must(t, err)
	done, err := c.Clean(l, d, retention, now, new(sync.Mutex))
	if err != nil {
		t.Fatal(err)
	}
	if l.CleanedTo() != done.To {
		t.Fatalf("compacted up to %d, the log says %d", done.To, l.CleanedTo())
	}
	return done
}

func compactConfig() Config {
	c := smallConfig()
	c.DeleteDelay = time.Minute
	return c
}

// unseen leaves out when a producer was last heard of: a start takes that for now.
var unseen = cmpopts.IgnoreFields(producer.Entry{}, "SeenMs")

// lost tells whether recovery missed or cut anything; indexes that were not written yet are made anew.
func lost(r Recovery) bool { return r.Cut != nil || r.Lost != nil || len(r.Damaged) > 0 }

func reopenCompacted(t testing.TB, fs vfs.FS, l *Log, point int64) *Log {
	t.Helper()
	o := Options{FS: fs, Dir: dir, Config: compactConfig(), Files: NewFiles(fs, 4), RecoveryPoint: point, Now: t0, Gaps: l.GapsTo(), Cleaned: l.CleanedTo()}
	again, r, err := Open(o)
	must(t, err)
	if lost(r) {
		t.Fatalf("recovery found %+v", r)
	}
	if again.End() != l.End() {
		t.Fatalf("end %d, was %d", again.End(), l.End())
	}
	return again
}

func TestCleanerKeepsTheLastOfEachKey(t *testing.T) {
	for seed := range uint64(20) {
		fs := vfs.NewMem()
		l, _ := mustOpen(t, fs, compactConfig(), 0, 0)
		k := newKeyed(t, l, seed)
		k.markers = seed%2 == 0
		c := newCleaner()
		for round := range 4 {
			k.steps(60)
			must(t, l.Sync())
			size := l.Size()
			done := compact(t, c, l, t0, time.Hour)
			if round == 0 && (l.Size() >= size || done.Records == 0) {
				t.Fatalf("nothing was taken out: %+v", done)
			}
			k.check(l, done.To, false)
			entries := l.Producers().Entries()
			must(t, l.Sync())
			old := l
			l = reopenCompacted(t, fs, l, l.RecoveryPoint())
			old.Discard()
			k.l = l
			k.check(l, done.To, false)
			if diff := cmp.Diff(entries, l.Producers().Entries(), unseen); diff != "" {
				t.Fatalf("producers: %s", diff)
			}
		}
		must(t, l.Close())
	}
}

// Without any snapshot the last sequence and the epoch of each producer are still known, from what a run leaves of batches.
func TestProducersAreKnownFromWhatIsLeft(t *testing.T) {
	for seed := range uint64(10) {
		fs := vfs.NewMem()
		l, _ := mustOpen(t, fs, compactConfig(), 0, 0)
		k := newKeyed(t, l, seed)
		k.markers = true
		k.steps(100)
		must(t, l.Sync())
		must(t, l.Roll(t0))
		must(t, l.Sync())
		for i := range 3 {
			compact(t, newCleaner(), l, t0.Add(time.Duration(i)*time.Hour), time.Hour)
			k.sameProducers(fs)
		}
	}
}

// sameProducers opens the log without snapshots.
func (k *keyed) sameProducers(fs *vfs.Mem) {
	t, l, disk := k.t, k.l, fs.CrashClone(vfs.LoseNone, 1)
	t.Helper()
	names, err := disk.List(dir)
	must(t, err)
	for _, name := range names {
		if _, ok := parseName(name, snapshotSuffix); ok {
			must(t, disk.Remove(dir+"/"+name))
		}
	}
	again := reopenCompacted(t, disk, l, l.RecoveryPoint())
	last := func(e producer.Entry) producer.BatchMeta {
		m := e.Batches[len(e.Batches)-1]
		m.TimestampMs = 0 // of the records that are left
		return m
	}
	for _, want := range l.Producers().Entries() {
		got, ok := again.Producers().Entry(want.ProducerID)
		if !ok || got.Epoch != want.Epoch || got.TxnFirstOffset != want.TxnFirstOffset || last(got) != last(want) {
			t.Fatalf("producer is known as %+v, was %+v", got, want)
		}
	}
}

func TestTombstonesAndMarkersGoAfterTheirHorizon(t *testing.T) {
	fs := vfs.NewMem()
	l, _ := mustOpen(t, fs, compactConfig(), 0, 0)
	k := newKeyed(t, l, 5)
	k.markers = true
	k.steps(200)
	must(t, l.Sync())
	must(t, l.Roll(t0))
	must(t, l.Sync())
	c := newCleaner()
	count := func() (tombstones, controls int) {
		p, err := readAll(l, 0, l.End(), 1<<20)
		must(t, err)
		for len(p) > 0 {
			b, rest, err := record.Next(p)
			must(t, err)
			p = rest
			if b.Control() {
				controls++
				continue
			}
			for r, err := range b.Records(nil) {
				must(t, err)
				if r.Value == nil {
					tombstones++
				}
			}
		}
		return tombstones, controls
	}
	compact(t, c, l, t0, time.Hour)
	compact(t, c, l, t0, time.Hour) // markers of transactions that are empty now get their horizon
	before, markers := count()
	if before == 0 || markers < 3 {
		t.Fatalf("%d tombstones and %d markers before the horizon", before, markers)
	}
	compact(t, c, l, t0.Add(time.Hour-time.Millisecond), time.Hour)
	if n, m := count(); n != before || m != markers {
		t.Fatalf("%d of %d tombstones, %d of %d markers are left before the horizon", n, before, m, markers)
	}
	compact(t, c, l, t0.Add(time.Hour), time.Hour)
	n, m := count()
	if n != 0 || m >= markers {
		t.Fatalf("%d tombstones, %d of %d markers are left after the horizon", n, m, markers)
	}
	k.check(l, l.CleanedTo(), true)
}

func TestKeysThatDoNotFitTakeSeveralRuns(t *testing.T) {
	fs := vfs.NewMem()
	l, _ := mustOpen(t, fs, compactConfig(), 0, 0)
	k := newKeyed(t, l, 9)
	k.markers = true
	k.steps(200)
	must(t, l.Sync())
	must(t, l.Roll(t0))
	must(t, l.Sync())
	c := NewCleaner(CleanerOptions{KeyBytes: 1, KeyLoad: 0.5, BufferBytes: 512}) // 8 keys of 12
	runs := 0
	for l.CleanedTo() < l.End() {
		before := l.CleanedTo()
		compact(t, c, l, t0, time.Hour)
		if l.CleanedTo() <= before {
			t.Fatalf("a run ended where it began, at %d", before)
		}
		k.check(l, 0, false)
		runs++
	}
	if runs < 3 {
		t.Fatalf("%d runs", runs)
	}
}

// A crash at any moment of a run leaves a log with all that must be there.
func TestCleanerSurvivesCrashes(t *testing.T) {
	images := 0
	for seed := range uint64(2) {
		fs := vfs.NewMem()
		must(t, vfs.MakeDirs(fs, "data"))
		l, _ := mustOpen(t, fs, compactConfig(), 0, 0)
		k := newKeyed(t, l, seed)
		k.markers = true
		c := newCleaner()
		for range 2 {
			k.steps(60)
			must(t, l.Sync())
			point, end, entries := l.RecoveryPoint(), l.End(), l.Producers().Entries()
			d, err := l.Cleanable(t0, point, 0)
			must(t, err)
			gaps, cleaned := max(d.To, l.GapsTo()), l.CleanedTo()
			fs.EachCrash(2, func(x vfs.Crash) {
				images++
				again, r, err := Open(Options{FS: x.Disk, Dir: dir, Config: compactConfig(), Files: NewFiles(x.Disk, 4), RecoveryPoint: point, Now: t0, Gaps: gaps, Cleaned: cleaned})
				if err != nil || lost(r) || again.End() != end {
					t.Fatalf("%v: %v, recovery %+v, end %d, was %d", x, err, r, again.End(), end)
				}
				k.check(again, 0, false)
				if diff := cmp.Diff(entries, again.Producers().Entries(), unseen); diff != "" {
					t.Fatalf("%v: producers: %s", x, diff)
				}
				names, err := x.Disk.List(dir)
				must(t, err)
				for _, name := range names {
					if _, _, ok := parseStep(name, swapSuffix); ok {
						t.Fatalf("%v: %s is left", x, name)
					}
				}
				compact(t, newCleaner(), again, t0, time.Hour)
				k.check(again, again.CleanedTo(), false)
				again.Discard()
			})
			_, err = c.Clean(l, d, time.Hour, t0, new(sync.Mutex))
			must(t, err)
			must(t, l.DeletePending(t0.Add(time.Hour)))
			fs.Observe(nil)
		}
		l.Discard()
	}
	t.Logf("%d images", images)
}

// Readers that are in the middle of the log while it is compacted, and its old files go, see what was written and in order.
func TestReadersDuringCompaction(t *testing.T) {
	fs := vfs.NewMem()
	c := compactConfig()
	c.DeleteDelay = 0
	l, _ := mustOpen(t, fs, c, 0, 0)
	k := newKeyed(t, l, 4)
	k.steps(400)
	must(t, l.Sync())
	byOffset := map[int64]written{}
	for _, w := range k.all {
		byOffset[w.offset] = w
	}
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		readers.Go(func() {
			for {
				for at, last := int64(0), int64(-1); at < l.End(); {
					s, err := l.Locate(at, l.End(), 2000, true)
					if err != nil {
						t.Errorf("locate %d: %v", at, err)
						return
					}
					p := make([]byte, s.Len)
					if err := s.ReadAt(p); err == ErrTruncated {
						continue
					} else if err != nil {
						t.Errorf("read at %d: %v", at, err)
						return
					}
					for len(p) > 0 {
						b, rest, err := record.Next(p)
						if err != nil {
							t.Error(err)
							return
						}
						p = rest
						for r := range b.Records(nil) {
							offset := b.BaseOffset() + int64(r.OffsetDelta)
							if w := byOffset[offset]; offset <= last && offset >= at || w.key != string(r.Key) || w.value != string(r.Value) {
								t.Errorf("at %d: %s=%s, written was %+v", offset, r.Key, r.Value, w)
								return
							}
							last = max(last, offset)
						}
					}
					at = s.NextOffset
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	var lock sync.Mutex
	for range 20 {
		d, err := l.Cleanable(t0, l.End(), 0)
		must(t, err)
		_, err = newCleaner().Clean(l, d, time.Hour, t0, &lock)
		must(t, err)
		must(t, l.DeletePending(t0))
	}
	close(stop)
	readers.Wait()
}

func TestCleanable(t *testing.T) {
	fs := vfs.NewMem()
	l, _ := mustOpen(t, fs, compactConfig(), 0, 0)
	if d, err := l.Cleanable(t0, math.MaxInt64, 0); err != nil || d.From != 0 || d.To != 0 || d.Ratio() != 0 {
		t.Fatalf("an empty log has %+v, %v", d, err)
	}
	k := newKeyed(t, l, 1)
	k.steps(200)
	must(t, l.Sync())
	segs := l.segments()
	d, err := l.Cleanable(t0, l.End(), 0)
	must(t, err)
	if active := segs[len(segs)-1]; d.From != 0 || d.To != active.base || d.Bytes != l.Size()-active.size.Load() || d.Ratio() != 1 || d.OldestMs < t0.UnixMilli() {
		t.Fatalf("%+v, the active segment begins at %d", d, active.base)
	}
	if d, _ := l.Cleanable(t0, segs[2].base+1, 0); d.To != segs[2].base {
		t.Fatalf("with limit %d: %+v", segs[2].base+1, d)
	}
	largest, err := l.largest(segs[1])
	must(t, err)
	if d, _ := l.Cleanable(time.UnixMilli(largest+999), l.End(), time.Second); d.To != segs[1].base {
		t.Fatalf("records younger than the lag: %+v", d)
	}
	done := compact(t, newCleaner(), l, t0, time.Hour)
	if d, _ := l.Cleanable(t0, l.End(), 0); d.From != done.To || d.To != done.To || d.Bytes != 0 || d.CleanBytes == 0 {
		t.Fatalf("after a run: %+v", d)
	}
}

// A reader reaches the end of a log whose last records are all taken out: a lag that nobody can work off looks like a fault.
func TestTheEndStaysReachable(t *testing.T) {
	l, _ := mustOpen(t, vfs.NewMem(), compactConfig(), 0, 0)
	for i := range int64(4) {
		b := record.NewBuilder(record.BuilderOptions{})
		must(t, b.Append(t0.UnixMilli(), []byte("k"), nil))
		batch := b.Build()
		batch.SetBaseOffset(i)
		batch.SetLeaderEpoch(1)
		mustAppend(t, l, batch)
	}
	must(t, l.Roll(t0))
	must(t, l.Sync())
	for hours := range 3 {
		compact(t, newCleaner(), l, t0.Add(time.Duration(hours)*time.Hour), time.Hour)
	}
	if left := visible(t, l, 0); len(left) != 0 {
		t.Fatalf("left is %+v", left)
	}
}
