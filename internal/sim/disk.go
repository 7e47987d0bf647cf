package sim

import (
	"errors"
	"syscall"
	"time"

	"holdfast/internal/storage/vfs"
)

// disk is the node's disk in one life, with its faults.
type disk struct {
	w      *world
	mem    *vfs.Mem
	faulty *vfs.Faulty

	past  int64         // operations of disks before
	cutIn int64         // mutating operations until the power goes; 0: it does not
	mode  vfs.CrashMode // of that cut
	left  *vfs.Mem      // what the cut left; nil before
	lossy bool          // a sync failed: bytes that the node still sees may never reach the disk
	quiet bool          // no faults: the judge looks

	fullUntil, readsUntil, handlesUntil time.Time
	failSyncIn                          int // syncs until one fails; 0: none does
}

// powerCut is what an operation panics with when the power goes before it.
type powerCut struct{}

// errNoPower is what remains to be said to deferred calls while that panic passes.
var errNoPower = errors.New("no power")

func (w *world) newDisk(mem *vfs.Mem) *disk {
	d := &disk{w: w, mem: mem}
	if w.disk != nil {
		d.past = w.disk.ops()
		d.fullUntil, d.readsUntil, d.handlesUntil = w.disk.fullUntil, w.disk.readsUntil, w.disk.handlesUntil
	}
	mem.SetClock(func() time.Time { return w.now })
	d.faulty = vfs.NewFaulty(mem, d.decide)
	return d
}

// ops is how many operations there were, in all lives.
func (d *disk) ops() int64 { return d.past + d.faulty.Ops() }

// decide is asked before every operation.
func (d *disk) decide(op vfs.Op) error {
	w := d.w
	switch {
	case d.left != nil:
		return errNoPower
	case d.quiet:
		return nil
	}
	if d.cutIn > 0 && op.Kind.Mutates() {
		if d.cutIn--; d.cutIn == 0 {
			w.note("power goes before", op.Kind.String()+" "+op.Name, op.Off, op.Len)
			w.counts[CutInside]++
			d.crash()
			panic(powerCut{})
		}
	}
	if w.healing {
		return nil
	}
	switch op.Kind {
	case vfs.OpSync, vfs.OpSyncDir, vfs.OpSyncFS:
		return d.sync(op)
	case vfs.OpWrite, vfs.OpPreallocate, vfs.OpCreate, vfs.OpMkdirAll:
		return d.write(op)
	case vfs.OpOpen, vfs.OpOpenRead:
		if w.now.Before(d.handlesUntil) && w.chance(0.5) {
			w.counts[FailedOpens]++
			return syscall.EMFILE
		}
	case vfs.OpRead:
		if w.now.Before(d.readsUntil) && w.chance(0.3) {
			w.counts[FailedReads]++
			return syscall.EIO
		}
	}
	return nil
}

func (d *disk) sync(op vfs.Op) error {
	if d.failSyncIn == 0 {
		return nil
	}
	if d.failSyncIn--; d.failSyncIn > 0 {
		return nil
	}
	d.w.note("sync fails", op.Kind.String()+" "+op.Name, 0, 0)
	d.w.counts[FailedSyncs]++
	d.lossy = true
	return syscall.EIO
}

func (d *disk) write(op vfs.Op) error {
	if !d.w.now.Before(d.fullUntil) || d.w.chance(0.3) {
		return nil
	}
	d.w.counts[FullWrites]++
	if op.Kind == vfs.OpWrite && op.Len > 1 {
		return vfs.Short(d.w.rand.Int64N(op.Len), syscall.ENOSPC)
	}
	return syscall.ENOSPC
}

// crash takes the power away now.
func (d *disk) crash() { d.left = d.mem.CrashClone(d.mode, d.w.rand.Uint64()) }

// faulted says that the disk may have refused something just now.
func (d *disk) faulted() bool {
	now := d.w.now
	return d.lossy || now.Before(d.fullUntil) || now.Before(d.readsUntil) || now.Before(d.handlesUntil)
}
