package commitlog

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/proto/record"
	"holdfast/internal/storage/vfs"
)

// TestFaults fails the n-th operation of a run, for every n: what an append reported as written is there, what it
// refused is not, now and after a restart without that fault.
func TestFaults(t *testing.T) {
	type kept struct {
		batches []record.Batch
		failed  bool
	}
	run := func(fs vfs.FS) (l *Log, k kept, err error) {
		c := smallConfig()
		c.SegmentBytes = 1500
		l, _, err = Open(Options{FS: fs, Dir: dir, Config: c, Files: NewFiles(fs, 2), Now: t0})
		if err != nil {
			return nil, k, err
		}
		for i := range 40 {
			b := batchSpec{base: l.End(), epoch: int32(i / 20), count: 1 + i%2, size: 60, ms: t0.UnixMilli(), pid: 1 + int64(i%3), salt: byte(i)}.build()
			if l.Append(b, t0) == nil {
				k.batches = append(k.batches, b)
			}
			if i%9 == 8 && l.Sync() != nil {
				k.failed = true
				break // a failed sync ends acknowledging
			}
			if i%15 == 14 && l.Checkpoint() != nil && l.failed != nil {
				break
			}
		}
		return l, k, nil
	}
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC, syscall.EMFILE, vfs.Short(30, syscall.ENOSPC)} {
		for n := int64(1); ; n++ {
			mem := vfs.NewMem()
			faulty := vfs.NewFaulty(mem, vfs.FailAt(n, fault))
			l, k, err := run(faulty)
			if faulty.Ops() < n {
				break
			}
			if err != nil {
				continue // the log did not open: nothing was promised
			}
			if l.End() > 0 && len(k.batches) > 0 && l.End() != k.batches[len(k.batches)-1].NextOffset() {
				t.Fatalf("%v at %d: log ends at %d", fault, n, l.End())
			}
			faulty.Decide(nil)
			got, err := readAll(l, 0, l.End(), 500)
			if err != nil || !bytes.Equal(got, join(k.batches)) {
				t.Fatalf("%v at %d: read %d bytes, want %d: %v", fault, n, len(got), len(join(k.batches)), err)
			}
			point := l.RecoveryPoint()
			c := smallConfig()
			l2, r, err := Open(Options{FS: mem, Dir: dir, Config: c, Files: NewFiles(mem, 2), RecoveryPoint: point, Now: t0})
			if err != nil || len(r.Damaged) > 0 || r.Lost != nil {
				t.Fatalf("%v at %d: reopened: %v %+v", fault, n, err, r)
			}
			got, err = readAll(l2, 0, l2.End(), 500)
			if err != nil || !bytes.HasPrefix(got, join(k.batches)) || l.failed == nil && !bytes.Equal(got, join(k.batches)) {
				t.Fatalf("%v at %d: after a restart %d bytes, want %d: %v", fault, n, len(got), len(join(k.batches)), err)
			}
			l2.Discard()
			l.Discard()
			if open := mem.OpenFiles(); open != 0 {
				t.Fatalf("%v at %d: %d files left open", fault, n, open)
			}
		}
	}
}

// TestReadersDoNotDisturb reads from several goroutines while one appends, rolls, truncates, retains and syncs. Every
// batch says in its bytes which offset it is for, so a reader knows what it must get.
func TestReadersDoNotDisturb(t *testing.T) {
	fs := vfs.NewMem()
	c := smallConfig()
	c.RetentionBytes = 30_000
	l, _ := mustOpen(t, fs, c, 0, 0)
	fill(t, l, 50, 0)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for {
				select {
				case <-stop:
					return
				default:
				}
				at := l.Start() + r.Int64N(l.End()-l.Start()+1)
				s, err := l.Locate(at, l.End(), 1+r.IntN(4000), true)
				if err == nil {
					p := make([]byte, s.Len)
					if err = s.ReadAt(p); err == nil {
						checkSpan(t, s, p)
					}
				}
				if err != nil && !errors.Is(err, ErrOutOfRange) && !errors.Is(err, ErrTruncated) {
					t.Errorf("read at %d: %v", at, err)
					return
				}
				if _, _, _, err := l.OffsetForTime(t0.UnixMilli() + at); err != nil && !errors.Is(err, ErrOutOfRange) && !errors.Is(err, ErrTruncated) {
					t.Errorf("time %d: %v", at, err)
				}
				if _, err := l.Aborted(at, at+10); err != nil && !errors.Is(err, ErrOutOfRange) && !errors.Is(err, ErrTruncated) {
					t.Errorf("aborted: %v", err)
				}
				l.EpochEnd(1)
			}
		}()
	}
	r := rand.New(rand.NewPCG(9, 9))
	epoch := int32(0)
	for i := range 1500 {
		switch r.IntN(20) {
		case 0:
			must(t, l.TruncateTo(l.End()-min(r.Int64N(30), l.End()-l.Start())))
			epoch++
		case 1:
			_, err := l.Retain(t0.Add(time.Duration(i)*time.Hour), l.End())
			must(t, err)
			must(t, l.DeletePending(t0.Add(time.Duration(i)*time.Hour)))
		case 2:
			must(t, l.Sync())
		case 3:
			must(t, l.Checkpoint())
		default:
			fill(t, l, 1, epoch)
		}
	}
	close(stop)
	wg.Wait()
	if d := l.Damaged(); len(d) > 0 {
		t.Fatalf("%+v", d)
	}
}

func checkSpan(t *testing.T, s Span, p []byte) {
	want := s.FirstOffset
	for len(p) > 0 {
		b, rest, err := record.Next(p)
		if err != nil || b.BaseOffset() != want {
			t.Errorf("span %+v: batch at %d: %v", s, want, err)
			return
		}
		want, p = b.NextOffset(), rest
	}
	if want != s.NextOffset {
		t.Errorf("span goes on at %d, its batches end at %d", s.NextOffset, want)
	}
}

func TestFilesStayWithinTheLimit(t *testing.T) {
	fs := vfs.NewMem()
	files := NewFiles(fs, 3)
	var all []*file
	for i := range 10 {
		h := files.file(fileName(int64(i), logSuffix))
		_, err := h.create()
		must(t, err)
		h.release()
		all = append(all, h)
	}
	if files.Open() != 3 || fs.OpenFiles() != 3 {
		t.Fatalf("%d open, %d on disk", files.Open(), fs.OpenFiles())
	}
	for _, h := range all {
		_, err := h.acquire()
		must(t, err)
		h.setDirty(true)
		h.release()
	}
	if files.Open() != 10 {
		t.Fatalf("files with unsynced bytes were closed: %d open", files.Open())
	}
	for _, h := range all {
		h.setDirty(false)
	}
	_, err := all[0].acquire()
	must(t, err)
	all[0].shut()
	if _, err := fs.Stat(all[0].name); err != nil || fs.OpenFiles() < 1 {
		t.Fatal("shut closed a file in use")
	}
	all[0].release()
	if _, err := all[0].acquire(); err == nil {
		t.Fatal("a shut file opened")
	}
	for _, h := range slices.Backward(all) {
		h.shut()
	}
	if fs.OpenFiles() != 0 || files.Open() != 0 {
		t.Fatalf("%d open, %d on disk", files.Open(), fs.OpenFiles())
	}
}

// TestHalfAWriteIsCutOff: what a full disk took of a write before it refused is given back, at once.
func TestHalfAWriteIsCutOff(t *testing.T) {
	mem := vfs.NewMem()
	faulty := vfs.NewFaulty(mem, nil)
	l, _, err := Open(Options{FS: faulty, Dir: dir, Config: smallConfig(), Files: NewFiles(faulty, 2), Now: t0})
	if err != nil {
		t.Fatal(err)
	}
	batch := func(base int64) record.Batch {
		return batchSpec{base: base, count: 1, size: 200, ms: t0.UnixMilli(), pid: -1}.build()
	}
	if err := l.Append(batch(0), t0); err != nil {
		t.Fatal(err)
	}
	size := func() int64 {
		info, err := mem.Stat(l.active.log.name)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size
	}
	before := size()
	faulty.Decide(func(op vfs.Op) error {
		if op.Kind == vfs.OpWrite {
			return vfs.Short(150, syscall.ENOSPC)
		}
		return nil
	})
	if err := l.Append(batch(1), t0); !vfs.IsFull(err) {
		t.Fatalf("%v", err)
	}
	if after := size(); after != before {
		t.Errorf("the file has %d bytes, and had %d before the write that was refused", after, before)
	}
}
