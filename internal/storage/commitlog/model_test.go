package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"holdfast/internal/core/producer"
	"holdfast/internal/proto/record"
	"holdfast/internal/storage/vfs"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// model is what a log should be: a slice of batches. Everything that a log says can be derived from it.
type model struct {
	batches []record.Batch
	start   int64 // first offset that may be read
	base    int64 // where the log began when it was last reset
	epochs  []EpochStart
}

func (m *model) end() int64 {
	if n := len(m.batches); n > 0 {
		return m.batches[n-1].NextOffset()
	}
	return m.base
}

// from is the batches that a reader at offset sees.
func (m *model) from(offset int64) (out []byte) {
	for _, b := range m.batches {
		if b.LastOffset() >= offset {
			out = append(out, b...)
		}
	}
	return out
}

// truncate is TruncateTo.
func (m *model) truncate(offset int64) {
	for n := len(m.batches); n > 0 && m.batches[n-1].LastOffset() >= offset; n-- {
		offset = min(offset, m.batches[n-1].BaseOffset())
		m.batches = m.batches[:n-1]
	}
	if len(m.batches) == 0 {
		m.base = offset
	}
	m.start = min(m.start, offset)
	for n := len(m.epochs); n > 0 && m.epochs[n-1].Start >= offset; n-- {
		m.epochs = m.epochs[:n-1]
	}
}

// producers replays everything that was ever appended and not truncated.
func (m *model) producers() []producer.Entry {
	s := &producer.State{}
	for _, b := range m.batches {
		learnProducer(s, b, 0)
	}
	return s.Entries()
}

// machine drives a log and its model.
type machine struct {
	t     *rapid.T
	fs    *vfs.Mem
	l     *Log
	m     model
	point int64 // the recovery point that the host has written down
	start int64 // and the log start
	epoch int32
	seqs  map[int64]int32
	open  map[int64]bool
	ms    int64
}

func (x *machine) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

func (x *machine) config() Config {
	c := smallConfig()
	c.SegmentBytes = 2000
	return c
}

func (x *machine) reopen() Recovery {
	x.t.Helper()
	l, r, err := Open(Options{FS: x.fs, Dir: dir, Config: x.config(), Files: NewFiles(x.fs, 3), RecoveryPoint: x.point, LogStart: x.start, Now: t0})
	if err != nil {
		x.t.Fatalf("open: %v", err)
	}
	x.l = l
	return r
}

func (x *machine) next() record.Batch {
	pid := int64(rapid.IntRange(0, 3).Draw(x.t, "pid"))
	end := x.m.end()
	if pid > 0 && x.open[pid] && rapid.Bool().Draw(x.t, "marker") {
		x.open[pid] = false
		return marker(end, x.epoch, pid, 0, rapid.Bool().Draw(x.t, "commit"), x.ms)
	}
	x.ms += int64(rapid.IntRange(-20, 40).Draw(x.t, "ms"))
	s := batchSpec{
		base: end, epoch: x.epoch, count: rapid.IntRange(1, 4).Draw(x.t, "count"), ms: x.ms,
		size: rapid.IntRange(0, 300).Draw(x.t, "size"), pid: pid, seq: x.seqs[pid], salt: byte(x.epoch),
	}
	if pid > 0 {
		s.txn = x.open[pid] || pid == 3
		x.open[pid] = s.txn
		x.seqs[pid] += int32(s.count)
	}
	return s.build()
}

func (x *machine) append() {
	var p []byte
	for range rapid.IntRange(1, 3).Draw(x.t, "batches") {
		b := x.next()
		p = append(p, b...)
		x.m.batches = append(x.m.batches, b)
		if n := len(x.m.epochs); n == 0 || x.m.epochs[n-1].Epoch < x.epoch {
			x.m.epochs = append(x.m.epochs, EpochStart{x.epoch, b.BaseOffset()})
		}
	}
	x.must(x.l.Append(p, t0))
}

// settle is what the host learns of open transactions after the log went back.
func (x *machine) settle() {
	clear(x.open)
	clear(x.seqs)
	for _, e := range x.m.producers() {
		x.open[e.ProducerID] = e.TxnFirstOffset >= 0
		if n := len(e.Batches); n > 0 {
			x.seqs[e.ProducerID] = e.Batches[n-1].LastSeq + 1
		}
	}
}

func (x *machine) truncate() {
	offset := x.m.start + rapid.Int64Range(0, x.m.end()-x.m.start).Draw(x.t, "to")
	x.m.truncate(offset)
	x.point, x.start = min(x.point, x.m.end()), min(x.start, x.m.start) // the host writes them down before
	x.must(x.l.TruncateTo(offset))
	x.settle()
	x.epoch++
}

func (x *machine) retain() {
	offset := x.m.start + rapid.Int64Range(0, x.m.end()-x.m.start).Draw(x.t, "start")
	x.must(x.l.SetStart(offset))
	x.m.start = max(x.m.start, offset)
	x.start = x.m.start
	_, err := x.l.Retain(t0, x.m.end())
	x.must(err)
	x.must(x.l.DeletePending(t0.Add(time.Hour)))
}

func (x *machine) prepare() {
	_, err := x.l.prepare(1, 700)
	x.must(err)
}

func (x *machine) sync() {
	x.must(x.l.Sync())
	x.point = x.l.RecoveryPoint()
	if x.point != x.m.end() {
		x.t.Fatalf("synced to %d of %d", x.point, x.m.end())
	}
}

// check compares everything that can be asked.
func (x *machine) check(*rapid.T) {
	l, m := x.l, &x.m
	if l.Start() != m.start || l.End() != m.end() {
		x.t.Fatalf("log from %d to %d, want %d to %d", l.Start(), l.End(), m.start, m.end())
	}
	at := m.start + rapid.Int64Range(0, m.end()-m.start).Draw(x.t, "at")
	maxBytes := rapid.SampledFrom([]int{1, 200, 1000, 1 << 20}).Draw(x.t, "max")
	got, err := readAll(l, at, m.end(), maxBytes)
	if want := m.from(at); err != nil || !bytes.Equal(got, want) {
		x.t.Fatalf("read %d bytes from %d, want %d: %v", len(got), at, len(want), err)
	}
	if len(l.Damaged()) > 0 {
		x.t.Fatalf("damage: %+v", l.Damaged())
	}
	got2 := l.Producers().Entries()
	if diff := cmp.Diff(m.producers(), got2, cmpopts.IgnoreFields(producer.Entry{}, "SeenMs"), cmpopts.EquateEmpty()); diff != "" {
		x.t.Fatalf("producers (-want +got):\n%s", diff)
	}
	x.checkTime()
	x.checkAborted(at)
	x.checkEpochs()
}

func (x *machine) checkTime() {
	ms := x.ms + int64(rapid.IntRange(-200, 50).Draw(x.t, "time"))
	o, _, ok, err := x.l.OffsetForTime(ms)
	x.must(err)
	want := int64(-1)
search:
	for _, b := range x.m.batches {
		for r, err := range b.Records(nil) {
			x.must(err)
			if at := b.BaseOffset() + int64(r.OffsetDelta); b.Timestamp(r) >= ms && at >= x.m.start {
				want = at
				break search
			}
		}
	}
	if ok != (want >= 0) || ok && o != want {
		x.t.Fatalf("time %d: offset %d (%v), want %d", ms, o, ok, want)
	}
}

func (x *machine) checkAborted(from int64) {
	to := from + rapid.Int64Range(0, x.m.end()-from).Draw(x.t, "to")
	got, err := x.l.Aborted(from, to)
	x.must(err)
	s := &producer.State{}
	var want []AbortedTxn
	for _, b := range x.m.batches {
		done, ok := learnProducer(s, b, 0)
		if ok && done.Abort && done.LastOffset >= from && done.FirstOffset < to {
			want = append(want, AbortedTxn{done.ProducerID, done.FirstOffset, done.LastOffset, done.LastStable})
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		x.t.Fatalf("aborted in [%d, %d) (-want +got):\n%s", from, to, diff)
	}
}

func (x *machine) checkEpochs() {
	for e := int32(0); e <= x.epoch; e++ {
		// Epochs that ended at or before the start are forgotten, so only later ones are asked for.
		got, end := x.l.EpochEnd(e)
		i := -1
		for j, s := range x.m.epochs {
			if s.Epoch == e {
				i = j
			}
		}
		if i < 0 {
			continue
		}
		want := x.m.end()
		if i+1 < len(x.m.epochs) {
			want = x.m.epochs[i+1].Start
		}
		if want > x.m.start && (got != e || end != want) {
			x.t.Fatalf("epoch %d ended as %d at %d, want %d; log has %v, model %v", e, got, end, want, x.l.Epochs(), x.m.epochs)
		}
	}
}

func newMachine(t *rapid.T) *machine {
	x := &machine{t: t, fs: vfs.NewMem(), ms: t0.UnixMilli(), seqs: map[int64]int32{}, open: map[int64]bool{}}
	x.must(x.fs.MkdirAll("data")) // the data directory is the host's, and durable
	x.must(x.fs.SyncDir("/"))
	x.reopen()
	return x
}

// TestModel runs random operations on a log and on a slice.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := newMachine(t)
		t.Repeat(map[string]func(*rapid.T){
			"":           x.check,
			"append":     func(*rapid.T) { x.append() },
			"append2":    func(*rapid.T) { x.append() },
			"append3":    func(*rapid.T) { x.append() },
			"roll":       func(*rapid.T) { x.must(x.l.Roll(t0)) },
			"truncate":   func(*rapid.T) { x.truncate() },
			"retain":     func(*rapid.T) { x.retain() },
			"sync":       func(*rapid.T) { x.sync() },
			"prepare":    func(*rapid.T) { x.prepare() },
			"checkpoint": func(*rapid.T) { x.must(x.l.Checkpoint()) },
			"epoch":      func(*rapid.T) { x.epoch++ },
			"close": func(*rapid.T) {
				x.must(x.l.Close())
				x.point = x.l.RecoveryPoint()
				if r := x.reopen(); !r.Clean() || r.ScannedBytes > 0 {
					t.Fatalf("after a clean stop: %+v", r)
				}
			},
			"kill": func(*rapid.T) { // the page cache survives
				if r := x.reopen(); r.Cut != nil || r.Lost != nil || len(r.Damaged) > 0 {
					t.Fatalf("after a kill: %+v", r)
				}
			},
			"reset": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "rare") > 0 {
					t.Skip()
				}
				at := x.m.end() + 5
				x.point = min(x.point, at)
				x.must(x.l.ResetTo(at))
				x.m = model{start: at, base: at}
				x.start = at
				x.settle()
			},
		})
	})
}

// TestCrash cuts the power at any operation boundary: what was synced is there, what comes after it is a prefix of what
// was appended, and the log opens, takes appends and closes.
func TestCrash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := newMachine(t)
		type image struct {
			fs           *vfs.Mem
			point, start int64
			m            model
			what         string
		}
		var images []image
		every := int64(rapid.IntRange(1, 9).Draw(t, "every"))
		x.fs.Observe(func(op vfs.Op, done bool) {
			if done && x.fs.Ops()%every == 0 && len(images) < 20 {
				m := x.m
				m.batches = append([]record.Batch(nil), m.batches...)
				m.epochs = append([]EpochStart(nil), m.epochs...)
				images = append(images, image{x.fs.Clone(), x.point, x.start, m, fmt.Sprint(op)})
			}
		})
		steps := map[string]func(){
			"append": x.append, "sync": x.sync, "retain": x.retain, "prepare": x.prepare,
			"roll":       func() { x.must(x.l.Roll(t0)) },
			"checkpoint": func() { x.must(x.l.Checkpoint()) },
			"epoch":      func() { x.epoch++ },
		}
		names := []string{"append", "append", "append", "sync", "prepare", "retain", "roll", "checkpoint", "epoch"}
		for range rapid.IntRange(5, 25).Draw(t, "steps") {
			steps[rapid.SampledFrom(names).Draw(t, "step")]()
		}
		x.fs.Observe(nil)
		if testing.Verbose() {
			for i, im := range images {
				t.Log(i, im.what, im.point, im.start)
			}
		}
		for i, im := range images {
			for _, mode := range vfs.CrashModes() {
				fs := im.fs.CrashClone(mode, uint64(i))
				if err := checkCrashed(fs, im.point, im.start, &im.m); err != nil {
					t.Fatalf("image %d, %v after %s, recovery point %d: %v", i, mode, im.what, im.point, err)
				}
			}
		}
	})
}

func checkCrashed(fs *vfs.Mem, point, start int64, m *model) error {
	c := smallConfig()
	c.SegmentBytes = 2000
	l, r, err := Open(Options{FS: fs, Dir: dir, Config: c, Files: NewFiles(fs, 3), RecoveryPoint: point, LogStart: start, Now: t0})
	if err != nil {
		return err
	}
	if l.End() < point || r.Lost != nil {
		return fmt.Errorf("synced to %d, log ends at %d: %+v", point, l.End(), r)
	}
	if len(r.Damaged) > 0 {
		return fmt.Errorf("damage %+v", r.Damaged)
	}
	// A segment that was never synced may be gone while a later one is not: nobody was promised either.
	hole := len(l.segments()) > 0 && l.segments()[0].base > point
	if l.Start() > m.start && !hole || l.Start() > l.End() {
		return fmt.Errorf("log from %d to %d, start was %d", l.Start(), l.End(), m.start)
	}
	at := max(l.Start(), m.start)
	if at <= l.End() {
		got, err := readAll(l, at, l.End(), 1<<20)
		if want := m.from(at); err != nil || !bytes.HasPrefix(want, got) {
			return fmt.Errorf("read %d bytes from %d to %d, not a prefix of %d: %w", len(got), at, l.End(), len(want), err)
		}
	}
	kept := model{base: m.base}
	for _, b := range m.batches {
		if b.LastOffset() < l.End() {
			kept.batches = append(kept.batches, b)
		}
	}
	reset := start > 0 && l.Size() == 0 && l.Start() == start // the start was raised beyond what survived
	if diff := cmp.Diff(kept.producers(), l.Producers().Entries(), cmpopts.IgnoreFields(producer.Entry{}, "SeenMs"), cmpopts.EquateEmpty()); diff != "" && !reset && !hole {
		return fmt.Errorf("producers (-want +got):\n%s", diff)
	}
	b := batchSpec{base: l.End(), epoch: 1000, count: 2, size: 10, ms: 1}.build()
	if err := l.Append(b, t0); err != nil {
		return err
	}
	if err := l.Close(); err != nil {
		return err
	}
	l, r, err = Open(Options{FS: fs, Dir: dir, Config: c, Files: NewFiles(fs, 3), RecoveryPoint: l.RecoveryPoint(), LogStart: l.Start(), Now: t0})
	if err != nil || !r.Clean() || l.End() != b.NextOffset() {
		return errors.Join(err, fmt.Errorf("after a clean stop the log ends at %d, %+v", l.End(), r))
	}
	return nil
}
