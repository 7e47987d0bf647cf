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
