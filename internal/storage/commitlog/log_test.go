package commitlog

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"holdfast/internal/storage/vfs"
)

func TestAppendReadReopen(t *testing.T) {
	fs := vfs.NewMem()
	l, _ := mustOpen(t, fs, smallConfig(), 0, 0)
	if names, _ := fs.List("data"); len(names) != 0 {
		t.Fatalf("files before the first append: %v", names)
	}
	all := fill(t, l, 200, 3)
	if l.Segments() < 3 {
		t.Fatalf("%d segments", l.Segments())
	}
	check := func(l *Log) {
		t.Helper()
		for _, maxBytes := range []int{1, 300, 5000, 1 << 20} {
			got, err := readAll(l, 0, l.End(), maxBytes)
			if err != nil || !bytes.Equal(got, join(all)) {
				t.Fatalf("max %d: read %d bytes, want %d: %v", maxBytes, len(got), len(join(all)), err)
			}
		}
	}
	check(l)
	must(t, l.Close())
	if _, err := l.Locate(0, 1, 1, true); err == nil {
		s, _ := l.Locate(0, 1, 1, true)
		if err := s.ReadAt(make([]byte, s.Len)); err == nil {
			t.Fatal("a closed log serves")
		}
	}
	end, point := l.End(), l.RecoveryPoint()
	if point != end {
		t.Fatalf("recovery point %d, end %d", point, end)
	}
	l, r := mustOpen(t, fs, smallConfig(), point, 0)
	if l.End() != end || !r.Clean() || r.ScannedBytes != 0 || l.LastEpoch() != 3 {
		t.Fatalf("end %d, recovery %+v, epoch %d", l.End(), r, l.LastEpoch())
	}
	check(l)
	all = append(all, fill(t, l, 50, 4)...)
	check(l)
	must(t, l.Close())
	l, r = mustOpen(t, fs, smallConfig(), 0, 0) // as if nothing was ever synced
	if !r.Clean() || l.Size() != int64(len(join(all))) || r.ScannedBytes < l.Size() {
		t.Fatalf("recovery %+v", r)
	}
	check(l)
	if e, end := l.EpochEnd(3); e != 3 || end != 399 {
		t.Fatalf("epoch 3 ended as %d at %d", e, end)
	}
}

func TestLocateBounds(t *testing.T) {
	l, _ := mustOpen(t, vfs.NewMem(), smallConfig(), 0, 0)
	must(t, l.Append(batchSpec{base: 0, count: 5, size: 50}.build(), t0))
	must(t, l.Append(batchSpec{base: 5, count: 5, size: 50}.build(), t0))
	for _, c := range []struct {
		at, below int64
		maxBytes  int
		one       bool
		first, n  int64
		err       error
	}{
		{at: 0, below: 10, maxBytes: 1 << 20, first: 0, n: 10},
		{at: 3, below: 10, maxBytes: 1 << 20, first: 0, n: 10},
		{at: 7, below: 10, maxBytes: 1 << 20, first: 5, n: 10},
		{at: 0, below: 9, maxBytes: 1 << 20, first: 0, n: 5},
		{at: 0, below: 5, maxBytes: 1 << 20, first: 0, n: 5},
		{at: 0, below: 4, maxBytes: 1 << 20, first: 0, n: 0},
		{at: 0, below: 10, maxBytes: 1, first: 0, n: 0},
		{at: 0, below: 10, maxBytes: 1, one: true, first: 0, n: 5},
		{at: 10, below: 10, maxBytes: 100, one: true, first: 10, n: 0},
		{at: 11, below: 10, err: ErrOutOfRange},
		{at: -1, below: 10, err: ErrOutOfRange},
	} {
		s, err := l.Locate(c.at, c.below, c.maxBytes, c.one)
		if !errors.Is(err, c.err) {
			t.Errorf("%+v: %v", c, err)
		}
		if err != nil {
			continue
		}
		if c.n == 0 && s.Len != 0 || c.n > 0 && (s.Len == 0 || s.FirstOffset != c.first || s.NextOffset != c.n) {
			t.Errorf("%+v: len %d, %d to %d", c, s.Len, s.FirstOffset, s.NextOffset)
		}
	}
}

func TestAppendRefusesWhatDoesNotFollow(t *testing.T) {
	l, _ := mustOpen(t, vfs.NewMem(), smallConfig(), 0, 0)
	fill(t, l, 3, 2)
	end := l.End()
	for name, b := range map[string][]byte{ // order-free
		"overlap":     batchSpec{base: end - 1, epoch: 2, count: 1}.build(),
		"gap":         batchSpec{base: end + 1, epoch: 2, count: 1}.build(),
		"older epoch": batchSpec{base: end, epoch: 1, count: 1}.build(),
		"cut short":   batchSpec{base: end, epoch: 2, count: 1, size: 9}.build()[:70],
	} {
		if err := l.Append(b, t0); err == nil || l.End() != end {
			t.Errorf("%s: %v, end %d", name, err, l.End())
		}
	}
}

func TestRollByTimeJitterAndIndex(t *testing.T) {
	c := smallConfig()
	c.SegmentBytes, c.SegmentAge = 1<<30, time.Minute
	l, _ := mustOpen(t, vfs.NewMem(), c, 0, 0)
	ms := t0.UnixMilli()
	for _, s := range []struct {
		ms       int64
		segments int
	}{{ms, 1}, {ms + 60_000, 1}, {ms + 60_001, 2}, {ms, 2}, {ms + 120_001, 2}, {ms + 120_002, 3}} {
		mustAppend(t, l, batchSpec{base: l.End(), count: 1, ms: s.ms}.build())
		if l.Segments() != s.segments {
			t.Fatalf("record at %d: %d segments, want %d", s.ms-ms, l.Segments(), s.segments)
		}
	}
	if a, b := jitter(dir, 0, 1000), jitter(dir, 1, 1000); a == b || a < 0 || a >= 1000 || jitter(dir, 0, 1000) != a {
		t.Fatalf("jitter %d %d", a, b)
	}
	c.SegmentAge, c.IndexBytes, c.IndexInterval = time.Hour, 80, 1
	l.SetConfig(c)
	must(t, l.Roll(t0))
	before := l.Segments()
	for range 30 {
		mustAppend(t, l, batchSpec{base: l.End(), count: 1, ms: ms}.build())
	}
	if got := l.Segments() - before; got != 2 { // 10 entries each, the first batch has none
		t.Fatalf("%d segments more", got)
	}
}

func TestRetention(t *testing.T) {
	fs := vfs.NewMem()
	c := smallConfig()
	c.DeleteDelay = time.Minute
	l, _ := mustOpen(t, fs, c, 0, 0)
	fill(t, l, 300, 0)
	segs := l.Segments()

	c.RetentionAge = 100 * time.Millisecond
	l.SetConfig(c)
	if gone, err := l.Retain(t0.Add(time.Hour), 0); err != nil || len(gone) != 0 {
		t.Fatalf("removed above the high watermark: %v %v", gone, err)
	}
	gone, err := l.Retain(t0.Add(300*time.Millisecond), l.End())
	if err != nil || len(gone) == 0 || len(gone) >= segs || gone[0].Reason != "time" {
		t.Fatalf("%d of %d removed: %+v %v", len(gone), segs, gone, err)
	}
	if start := l.Start(); start != gone[len(gone)-1].To {
		t.Fatalf("start %d, removed %+v", start, gone)
	}
	if _, err := l.Locate(l.Start()-1, l.End(), 100, true); !errors.Is(err, ErrOutOfRange) {
		t.Fatal(err)
	}
	deleted := func() (n int) {
		names, _ := fs.List(dir)
		for _, name := range names {
			if len(name) > 8 && name[len(name)-8:] == deletedSuffix {
				n++
			}
		}
		return n
	}
	must(t, l.DeletePending(t0.Add(30*time.Second)))
	if deleted() == 0 || !l.Pending() {
		t.Fatal("removed before the delay")
	}
	must(t, l.DeletePending(t0.Add(2*time.Minute)))
	if deleted() != 0 || l.Pending() {
		t.Fatal("still there after the delay")
	}

	must(t, l.SetStart(l.End()-1))
	if gone, err = l.Retain(t0, l.End()); err != nil || len(gone) == 0 || gone[0].Reason != "log start" {
		t.Fatalf("%+v %v", gone, err)
	}
	if l.Segments() != 1 {
		t.Fatalf("%d segments", l.Segments())
	}

	// all of it is too old: an empty segment keeps the end
	end := l.End()
	gone, err = l.Retain(t0.Add(time.Hour), l.End())
	if err != nil || len(gone) != 1 || l.Size() != 0 || l.Start() != end || l.End() != end {
		t.Fatalf("%+v %v, size %d, %d to %d", gone, err, l.Size(), l.Start(), l.End())
	}
	if gone, err = l.Retain(t0.Add(time.Hour), l.End()); err != nil || len(gone) != 0 {
		t.Fatalf("an empty segment was removed: %+v %v", gone, err)
	}
	must(t, l.Close())
	l, r := mustOpen(t, fs, c, l.RecoveryPoint(), 0)
	if l.End() != end || l.Start() != end || !r.Clean() || deleted() != 0 {
		t.Fatalf("%d to %d: %+v", l.Start(), l.End(), r)
	}

	c.RetentionAge, c.RetentionBytes = -1, 9000
	l.SetConfig(c)
	fill(t, l, 300, 0)
	if gone, err = l.Retain(t0, l.End()); err != nil || l.Size() < 9000 || l.Size() > 9000+4096 {
		t.Fatalf("size %d: %+v %v", l.Size(), gone, err)
	}
}

func TestTruncate(t *testing.T) {
	fs := vfs.NewMem()
	l, _ := mustOpen(t, fs, smallConfig(), 0, 0)
	all := fill(t, l, 100, 1)
	all = append(all, fill(t, l, 100, 2)...)
	span, err := l.Locate(l.End()-3, l.End(), 1<<20, true)
	must(t, err)
	cut := slices.IndexFunc(all, func(b recordBatch) bool { return b.BaseOffset() >= 250 })
	must(t, l.TruncateTo(all[cut].BaseOffset()))
	all = all[:cut]
	if err := span.ReadAt(make([]byte, span.Len)); !errors.Is(err, ErrTruncated) {
		t.Fatalf("read across a truncation: %v", err)
	}
	if got, err := readAll(l, 0, l.End(), 700); err != nil || !bytes.Equal(got, join(all)) {
		t.Fatalf("%d bytes, want %d: %v", len(got), len(join(all)), err)
	}
	all = append(all, fill(t, l, 60, 5)...)
	if e, end := l.EpochEnd(3); e != 2 || end != all[cut].BaseOffset() {
		t.Fatalf("epoch 3: %d at %d", e, end)
	}
	must(t, l.Close())
	l, r := mustOpen(t, fs, smallConfig(), l.RecoveryPoint(), 0)
	if got, err := readAll(l, 0, l.End(), 700); err != nil || !bytes.Equal(got, join(all)) || !r.Clean() {
		t.Fatalf("%d bytes, want %d: %v %+v", len(got), len(join(all)), err, r)
	}
	must(t, l.ResetTo(10_000))
	if l.Start() != 10_000 || l.End() != 10_000 || l.LastEpoch() != UndefinedEpoch || l.Size() != 0 {
		t.Fatalf("%d to %d", l.Start(), l.End())
	}
	must(t, l.Close())
	l, _ = mustOpen(t, fs, smallConfig(), l.RecoveryPoint(), 0)
	if l.Start() != 10_000 || l.End() != 10_000 {
		t.Fatalf("%d to %d", l.Start(), l.End())
	}
}

func TestFullDiskHeals(t *testing.T) {
	fs := vfs.NewMem()
	l, _ := mustOpen(t, fs, smallConfig(), 0, 0)
	all := fill(t, l, 20, 0)
	fs.SetCapacity(l.Size() + 100)
	big := batchSpec{base: l.End(), count: 3, size: 200, ms: t0.UnixMilli()}.build()
	for range 3 {
		if err := l.Append(big, t0); !vfs.IsFull(err) {
			t.Fatal(err)
		}
	}
	if got, err := readAll(l, 0, l.End(), 999); err != nil || !bytes.Equal(got, join(all)) {
		t.Fatal("the log changed", err)
	}
	if info, _ := fs.Stat(l.segments()[0].log.name); info.Size != l.Size() {
		t.Fatalf("the file has %d bytes, the log %d", info.Size, l.Size())
	}
	fs.SetCapacity(0)
	mustAppend(t, l, big)
	if got, err := readAll(l, 0, l.End(), 999); err != nil || !bytes.Equal(got, join(append(all, big))) {
		t.Fatal("the log did not heal", err)
	}
}

func TestOffsetForTime(t *testing.T) {
	fs := vfs.NewMem()
	l, _ := mustOpen(t, fs, smallConfig(), 0, 0)
	type at struct{ offset, ms int64 }
	var recs []at
	for i := range 150 {
		n, ms := 1+i%3, t0.UnixMilli()+int64((i*37)%400) // out of order
		for j := range n {
			recs = append(recs, at{l.End() + int64(j), ms + int64(j)})
		}
		mustAppend(t, l, batchSpec{base: l.End(), count: n, ms: ms, size: 30}.build())
	}
	check := func(l *Log) {
		t.Helper()
		best := at{-1, -1}
		for _, r := range recs {
			if r.ms > best.ms {
				best = r
			}
		}
		if o, ms, err := l.MaxTimestamp(); err != nil || o != best.offset || ms != best.ms {
			t.Fatalf("max %d at %d, want %+v: %v", ms, o, best, err)
		}
		for ms := t0.UnixMilli() - 5; ms < t0.UnixMilli()+420; ms += 3 {
			i := slices.IndexFunc(recs, func(r at) bool { return r.ms >= ms && r.offset >= l.Start() })
			o, got, ok, err := l.OffsetForTime(ms)
			if err != nil || ok != (i >= 0) || ok && (o != recs[i].offset || got != recs[i].ms) {
				t.Fatalf("%d: offset %d, %v %v, want record %d", ms-t0.UnixMilli(), o, ok, err, i)
			}
		}
	}
	check(l)
	must(t, l.SetStart(77))
	check(l)
	must(t, l.Close())
	l, _ = mustOpen(t, fs, smallConfig(), l.RecoveryPoint(), 77)
	check(l)
	l, _ = mustOpen(t, fs, smallConfig(), 100, 77)
	check(l)
}
