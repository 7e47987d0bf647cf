package commitlog

import (
	"errors"
	"syscall"
	"testing"

	"holdfast/internal/storage/vfs"
)

// A sync fails, so the kernel calls the pages clean and the disk does not have them; the process ends and another opens
// the log, which it still sees in the page cache. What it makes durable then must be durable.
func TestWhatAFailedSyncDroppedIsWrittenOnceMore(t *testing.T) {
	mem := vfs.NewMem()
	must(t, vfs.MakeDirs(mem, "data"))
	fail := false
	faulty := vfs.NewFaulty(mem, vfs.FailWhen(func(op vfs.Op) bool { return fail && op.Kind == vfs.OpSync }, syscall.EIO))
	l, _ := mustOpen(t, faulty, smallConfig(), 0, 0)
	fill(t, l, 3, 0)
	must(t, l.Sync())
	point := l.RecoveryPoint()
	fill(t, l, 150, 0) // some segments of them
	fail = true
	if err := l.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("sync: %v", err)
	}

	killed := mem.CrashClone(vfs.KillOnly, 1)
	l, _ = mustOpen(t, killed, smallConfig(), point, 0)
	want, err := readAll(l, 0, l.End(), 1<<20)
	must(t, err)
	must(t, l.Sync())

	l, _ = mustOpen(t, killed.CrashClone(vfs.LoseAll, 1), smallConfig(), point, 0)
	got, err := readAll(l, 0, l.End(), 1<<20)
	must(t, err)
	if string(got) != string(want) {
		t.Errorf("%d bytes were durable, %d are there", len(want), len(got))
	}
}

// A failed syncfs leaves an error with every file that it dropped pages of, and whoever syncs one of them next is told,
// though that be another process. What it keeps it writes again, so the error says nothing about it: a directory must not
// fail twice for one fault.
func TestAnErrorFromBeforeTheStartIsNoErrorOfToday(t *testing.T) {
	mem := vfs.NewMem()
	must(t, vfs.MakeDirs(mem, "data"))
	faulty := vfs.NewFaulty(mem, vfs.FailWhen(func(op vfs.Op) bool { return op.Kind == vfs.OpSyncFS }, syscall.EIO))
	l, _ := mustOpen(t, faulty, smallConfig(), 0, 0)
	fill(t, l, 3, 0)
	must(t, l.Sync())
	point := l.RecoveryPoint()
	fill(t, l, 150, 0)
	must(t, l.Checkpoint())
	if err := faulty.SyncFS("data"); !errors.Is(err, syscall.EIO) {
		t.Fatalf("syncfs: %v", err)
	}

	killed := mem.CrashClone(vfs.KillOnly, 1)
	l, _ = mustOpen(t, killed, smallConfig(), point, 0)
	must(t, killed.SyncFS("data"))
	fill(t, l, 150, 0)
	must(t, l.Sync())
}

// The snapshot at the recovery point may be one that a failed sync dropped: it is in the page cache alone. Before older ones
// go because it is durable, it must be.
func TestASnapshotThatAFailedSyncDroppedIsWrittenOnceMore(t *testing.T) {
	mem := vfs.NewMem()
	must(t, vfs.MakeDirs(mem, "data"))
	faulty := vfs.NewFaulty(mem, vfs.FailWhen(func(op vfs.Op) bool { return op.Kind == vfs.OpSyncFS }, syscall.EIO))
	l, _ := mustOpen(t, faulty, smallConfig(), 0, 0)
	id := int64(7)
	produce := func(seq int32) {
		mustAppend(t, l, batchSpec{base: l.End(), count: 1, ms: t0.UnixMilli(), size: 10, pid: id, seq: seq}.build())
	}
	produce(0)
	must(t, l.Sync())
	must(t, l.Checkpoint()) // a snapshot at the recovery point
	if err := faulty.SyncFS("data"); !errors.Is(err, syscall.EIO) {
		t.Fatalf("syncfs: %v", err)
	}

	killed := mem.CrashClone(vfs.KillOnly, 1)
	l, _ = mustOpen(t, killed, smallConfig(), 1, 0)
	produce(1)
	must(t, l.Sync())
	cut := killed.CrashClone(vfs.LoseAll, 1)
	p, err := vfs.ReadFile(cut, l.name(1, snapshotSuffix), maxSnapshotBytes)
	must(t, err)
	if _, err := ParseSnapshot(p, 0); err != nil {
		t.Errorf("the snapshot counts as durable, and is not on the disk: %v", err)
	}
}
