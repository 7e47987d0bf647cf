package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"holdfast/internal/storage/vfs"
)

// TestFaultAtEveryOperation fails operation n of a workload, for every n and kind of error. Then the process ends, and the
// journal is opened on the disk as it is, page cache and all, and on disks after a power cut.
func TestFaultAtEveryOperation(t *testing.T) {
	faults := map[string]error{
		"EIO":         syscall.EIO,
		"EIO, done":   vfs.Late(syscall.EIO),
		"ENOSPC":      syscall.ENOSPC,
		"EDQUOT":      syscall.EDQUOT,
		"short write": vfs.Short(pageSize+100, syscall.ENOSPC),
		"EMFILE":      syscall.EMFILE,
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			runs := 0
			for seed := range uint64(*crashRounds) {
				n := int64(1)
				for faultAt(t, seed, n, fault) {
					n++
				}
				runs += int(n) - 1
			}
			t.Logf("%d operations", runs)
		})
	}
}

// faultAt runs a workload that fails at operation n, and tells whether it has so many.
func faultAt(t *testing.T, seed uint64, n int64, fault error) (hit bool) {
	r := &faultRun{disk: newDisk(t), seed: seed, decide: func(op vfs.Op) error {
		if op.N != n {
			return nil
		}
		hit = true
		return fault
	}}
	if err := r.run(); err != nil {
		t.Fatalf("seed %d, fault at operation %d: %v", seed, n, err)
	}
	return hit
}

type faultRun struct {
	disk   *vfs.Mem
	seed   uint64
	decide vfs.Decider
}

func (r *faultRun) run() error {
	w := &workload{rand: rand.New(rand.NewPCG(r.seed, 2)), fs: vfs.NewFaulty(r.disk, r.decide)}
	err := w.open()
	for i := 0; i < 40 && err == nil; i++ {
		err = w.step(i)
		if err != nil && w.mayGoOn(err) {
			err = nil
		}
	}
	if err != nil && w.j != nil {
		if err := w.refuses(); err != nil {
			return err
		}
	}
	return r.judge(w.promise())
}

// mayGoOn: a full disk or a lack of handles before anything was touched is no failure of the journal.
func (w *workload) mayGoOn(err error) bool {
	if w.j.Failed() != nil || !vfs.IsFull(err) && !vfs.IsHandles(err) {
		return false
	}
	w.inFlight = nil
	return true
}

// refuses: a journal that failed does nothing any more.
func (w *workload) refuses() error {
	failed := w.j.Failed()
	if failed == nil {
		return nil // the snapshot failed, or Open did
	}
	_, err := w.j.Append(entry(1, 1))
	for _, err := range []error{failed, err, w.j.Sync(), w.j.Cut(1), w.j.Prepare(), w.j.Close()} {
		if !errors.Is(err, ErrFailed) {
			return fmt.Errorf("a failed journal answers %v", err)
		}
	}
	return nil
}

func (r *faultRun) judge(p promise) error {
	for _, mode := range vfs.CrashModes() {
		if err := p.judge(r.disk.CrashClone(mode, r.seed)); err != nil {
			return fmt.Errorf("%s: %w", mode, err)
		}
	}
	return nil
}

// TestFullDiskHeals fills the disk until no new file can be made, makes room, and goes on.
func TestFullDiskHeals(t *testing.T) {
	disk := newDisk(t)
	disk.SetCapacity(3*testSegment + 100)
	j, _ := openTest(t, disk)
	var want []Entry
	full := 0
	for i := range 100 {
		seq, err := j.Append(entry(i, 3000))
		if err == nil {
			e := entry(i, 3000)
			e.Seq = seq
			want = append(want, e)
			continue
		}
		if full++; !vfs.IsFull(err) || j.Failed() != nil {
			t.Fatalf("append to a full disk: %v", err)
		}
		must(t, j.Sync()) // what was appended can still be made durable
		disk.SetCapacity(int64(3+full) * testSegment * 2)
	}
	if full == 0 {
		t.Fatal("the disk never was full")
	}
	must(t, j.Close())
	_, got := openTest(t, disk)
	must(t, same(want, got))
}
