package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestOSLock(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	must(t, os.WriteFile(name, []byte("999999\n"), 0o600)) // left behind by a process long dead
	testLock(t, OS(), name, os.Getpid())
}

const lockEnv = "VFS_TEST_LOCK"

// TestOSLockOfAnotherProcess runs itself in a second process, which must learn who holds the lock.
func TestOSLockOfAnotherProcess(t *testing.T) {
	if name := os.Getenv(lockEnv); name != "" {
		_, err := OS().Lock(name)
		fmt.Println("answer:", err)
		return
	}
	name := filepath.Join(t.TempDir(), "lock")
	l, err := OS().Lock(name)
	must(t, err)
	defer l.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestOSLockOfAnotherProcess$")
	cmd.Env = append(os.Environ(), lockEnv+"="+name)
	out, err := cmd.CombinedOutput()
	must(t, err)
	if want := fmt.Sprintf("answer: %s is locked by process %d", name, os.Getpid()); !strings.Contains(string(out), want) {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestOSFile(t *testing.T) {
	dir := t.TempDir()
	fsys := OS()
	name := filepath.Join(dir, "f")
	if _, err := fsys.Open(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open what does not exist: %v", err)
	}
	f, err := fsys.Create(name)
	must(t, err)
	_, err = f.WriteAt([]byte("abc"), 0)
	must(t, err)
	must(t, f.Preallocate(1, int64(len(zeros))+1))
	must(t, f.Sync())
	size, err := f.Size()
	must(t, err)
	if want := int64(len(zeros)) + 2; size != want {
		t.Errorf("size %d, want %d", size, want)
	}
	var b [3]byte
	_, err = f.ReadAt(b[:], 0)
	must(t, err)
	if string(b[:]) != "a\x00\x00" {
		t.Errorf("read %q", b)
	}
	if _, ok := f.Fd(); !ok {
		t.Error("a real file has no descriptor")
	}
	must(t, f.Close())
	must(t, fsys.SyncDir(dir))
	must(t, fsys.SyncFS(dir))
	must(t, fsys.SyncFS(dir))
	must(t, fsys.RemoveAll(filepath.Join(dir, "nothing")))
}

func TestOSFreeAndType(t *testing.T) {
	free, total, err := OS().Free(t.TempDir())
	must(t, err)
	if free <= 0 || total < free {
		t.Errorf("%d of %d bytes free", free, total)
	}
	kind, err := OS().Type("/proc")
	if runtime.GOOS == "linux" && (err != nil || !strings.Contains(kind, "0x9fa0")) {
		t.Errorf("/proc is %q, %v", kind, err)
	}
	if kind, err := OS().Type(t.TempDir()); err != nil || kind == "" {
		t.Errorf("temp folder is %q, %v", kind, err)
	}
}

func TestWritesToFullDiskAndBeyondHandlesAreTold(t *testing.T) {
	for _, c := range []struct {
		err           error
		full, handles bool
	}{
		{syscall.ENOSPC, true, false},
		{syscall.EDQUOT, true, false},
		{syscall.EMFILE, false, true},
		{syscall.ENFILE, false, true},
		{syscall.ENOMEM, false, true},
		{syscall.EIO, false, false},
		{nil, false, false},
	} {
		err := fmt.Errorf("x: %w", &fs.PathError{Op: "write", Err: c.err})
		if IsFull(err) != c.full || IsHandles(err) != c.handles {
			t.Errorf("%v: full %v, handles %v", c.err, IsFull(err), IsHandles(err))
		}
	}
}

func TestOSFileDoesNotAllocate(t *testing.T) {
	f, err := OS().Create(filepath.Join(t.TempDir(), "f"))
	must(t, err)
	defer f.Close()
	b := make([]byte, 100)
	n := testing.AllocsPerRun(100, func() {
		_, werr := f.WriteAt(b, 0)
		_, rerr := f.ReadAt(b, 0)
		must(t, errors.Join(werr, rerr))
	})
	if n != 0 {
		t.Errorf("%v allocations for a write and a read", n)
	}
}
