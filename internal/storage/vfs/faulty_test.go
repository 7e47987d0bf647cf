package vfs

import (
	"errors"
	"syscall"
	"testing"
)

func TestFaultsHitTheChosenOperation(t *testing.T) {
	run := func(fsys FS) (errs []error) {
		note := func(err error) { errs = append(errs, err) }
		f, err := fsys.Create("f")
		note(err)
		if err != nil {
			return errs
		}
		_, err = f.WriteAt([]byte("abc"), 0)
		note(err)
		note(f.Sync())
		note(f.Close())
		note(fsys.SyncDir("/"))
		return errs
	}
	for n := int64(1); n <= 6; n++ {
		faulty := NewFaulty(NewMem(), FailAt(n, syscall.EIO))
		for i, err := range run(faulty) {
			if failed := errors.Is(err, syscall.EIO); failed != (int64(i+1) == n) {
				t.Errorf("fault at %d: operation %d: %v", n, i+1, err)
			}
		}
	}
}

// TestFailedSyncLosesForGood is the lesson of fsync on Linux: the next sync succeeds and has written nothing.
func TestFailedSyncLosesForGood(t *testing.T) {
	for _, kind := range []OpKind{OpSync, OpSyncFS} {
		m := NewMem()
		faulty := NewFaulty(m, nil)
		f, err := faulty.Create("f")
		must(t, err)
		must(t, faulty.SyncDir("/"))
		sync := f.Sync
		if kind == OpSyncFS {
			sync = func() error { return faulty.SyncFS("/") }
		}
		put := func(s string, off int64) {
			_, err := f.WriteAt([]byte(s), off)
			must(t, err)
		}
		put("aaaa", 0)
		must(t, sync())
		put("bb", 0)
		faulty.Decide(FailWhen(func(op Op) bool { return op.Kind == kind }, syscall.EIO))
		if err := sync(); !errors.Is(err, syscall.EIO) {
			t.Fatalf("sync: %v", err)
		}
		faulty.Decide(nil)
		put("c", 3)
		must(t, sync())
		if got := content(t, m, "f"); got != "bbac" {
			t.Errorf("%s: reads see %q, want bbac", kind, got)
		}
		for _, mode := range CrashModes() {
			if mode == KillOnly {
				continue
			}
			if got := content(t, m.CrashClone(mode, 1), "f"); got != "aaac" {
				t.Errorf("%s: the disk has %q after %s, want aaac", kind, got, mode)
			}
		}
	}
}

func TestShortAndLateFaults(t *testing.T) {
	m := NewMem()
	faulty := NewFaulty(m, nil)
	f, err := faulty.Create("f")
	must(t, err)
	isWrite := func(op Op) bool { return op.Kind == OpWrite }

	faulty.Decide(FailWhen(isWrite, Short(2, syscall.ENOSPC)))
	if n, err := f.WriteAt([]byte("abcd"), 0); n != 2 || !IsFull(err) {
		t.Errorf("short write: %d, %v", n, err)
	}
	faulty.Decide(FailWhen(isWrite, Late(syscall.EIO)))
	if n, err := f.WriteAt([]byte("xyz"), 2); n != 3 || !errors.Is(err, syscall.EIO) {
		t.Errorf("late fault: %d, %v", n, err)
	}
	if got := content(t, m, "f"); got != "abxyz" {
		t.Errorf("file has %q", got)
	}
	faulty.Decide(FailWhen(func(op Op) bool { return op.Kind == OpClose }, syscall.EIO))
	if err := f.Close(); !errors.Is(err, syscall.EIO) || m.OpenFiles() != 0 {
		t.Errorf("close: %v, %d files open", err, m.OpenFiles())
	}
}

func TestDeadDisk(t *testing.T) {
	faulty := NewFaulty(NewMem(), FailFrom(2, syscall.EIO))
	must(t, faulty.MkdirAll("d"))
	for range 3 {
		if err := faulty.SyncDir("d"); !errors.Is(err, syscall.EIO) {
			t.Errorf("a dead disk says %v", err)
		}
	}
	if faulty.Ops() != 4 {
		t.Errorf("%d operations counted, want 4", faulty.Ops())
	}
}
