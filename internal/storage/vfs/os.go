package vfs

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// OS returns the file system of the operating system.
func OS() FS { return &osFS{dirs: map[string]*os.File{}} }

type osFS struct {
	mu sync.Mutex
	// dirs holds the directories that SyncFS was called for. They stay open, because the kernel reports a write error
	// that happened in the background only to descriptors that were open by then.
	dirs map[string]*os.File
}

const (
	fileMode = 0o644
	dirMode  = 0o755
)

func (*osFS) Open(name string) (File, error) {
	return newOSFile(os.OpenFile(name, os.O_RDWR, 0))
}

func (*osFS) OpenRead(name string) (File, error) {
	return newOSFile(os.Open(name))
}

func (*osFS) Create(name string) (File, error) {
	return newOSFile(os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, fileMode))
}

func (*osFS) Remove(name string) error     { return os.Remove(name) }
func (*osFS) RemoveAll(name string) error  { return os.RemoveAll(name) }
func (*osFS) Rename(from, to string) error { return os.Rename(from, to) }
func (*osFS) MkdirAll(dir string) error    { return os.MkdirAll(dir, dirMode) }

func (*osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (*osFS) Stat(name string) (Info, error) {
	st, err := os.Stat(name)
	if err != nil {
		return Info{}, err
	}
	info := Info{Name: st.Name(), IsDir: st.IsDir(), ModTime: st.ModTime()}
	if !info.IsDir {
		info.Size = st.Size()
	}
	return info, nil
}

func (*osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (o *osFS) SyncFS(dir string) error {
	dir = filepath.Clean(dir)
	o.mu.Lock()
	d := o.dirs[dir]
	if d == nil {
		var err error
		if d, err = os.Open(dir); err != nil {
			o.mu.Unlock()
			return err
		}
		o.dirs[dir] = d
	}
	o.mu.Unlock()
	return syncFS(d)
}

func (*osFS) Free(dir string) (freeBytes, totalBytes int64, err error) {
	freeBytes, totalBytes, _, err = statFS(dir)
	return freeBytes, totalBytes, err
}

func (*osFS) Type(dir string) (string, error) {
	_, _, kind, err := statFS(dir)
	return kind, err
}

// Lock uses flock: the kernel drops it with the process, so no file left behind can block a start.
func (*osFS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	err = retryEINTR(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) })
	if err != nil {
		defer f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &LockedError{Name: name, PID: readPID(f)}
		}
		return nil, &os.PathError{Op: "flock", Path: name, Err: err}
	}
	if err := writePID(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &osLock{f: f}, nil
}

type osLock struct{ f *os.File }

// Close empties the file, so that nobody reads an old pid, and lets go. The file stays: removing it would let two
// processes lock two files of the same name.
func (l *osLock) Close() error {
	return errors.Join(l.f.Truncate(0), l.f.Close())
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func readPID(f *os.File) int {
	var b [32]byte
	n, _ := f.ReadAt(b[:], 0) // a short read is the rule here; an unreadable pid is reported as 0
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

// retryEINTR repeats a system call that a signal interrupted.
func retryEINTR(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

type osFile struct{ f *os.File }

func newOSFile(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return &osFile{f: f}, nil
}

func (o *osFile) ReadAt(p []byte, off int64) (int, error)  { return o.f.ReadAt(p, off) }
func (o *osFile) WriteAt(p []byte, off int64) (int, error) { return o.f.WriteAt(p, off) }
func (o *osFile) Close() error                             { return o.f.Close() }
func (o *osFile) Truncate(size int64) error                { return o.f.Truncate(size) }
func (o *osFile) Sync() error                              { return syncData(o.f) }
func (o *osFile) Fd() (uintptr, bool)                      { return o.f.Fd(), true }

func (o *osFile) Size() (int64, error) {
	st, err := o.f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

var zeros [256 << 10]byte // only ever read

func (o *osFile) Preallocate(off, n int64) error {
	for n > 0 {
		k := min(n, int64(len(zeros)))
		if _, err := o.f.WriteAt(zeros[:k], off); err != nil {
			return err
		}
		off, n = off+k, n-k
	}
	return nil
}
