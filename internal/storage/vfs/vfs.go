package vfs

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"
)

// FS is a file system. Names are slash separated paths. Errors are *fs.PathError (or *os.LinkError) that answer
// errors.Is with fs.ErrNotExist and fs.ErrExist.
type FS interface {
	// Open opens an existing file for reading and writing.
	Open(name string) (File, error)
	// OpenRead opens an existing file for reading.
	OpenRead(name string) (File, error)
	// Create opens a file for reading and writing, empty: it makes the file or truncates it.
	Create(name string) (File, error)
	// Remove removes a file or an empty directory.
	Remove(name string) error
	// RemoveAll removes a tree; a name that does not exist is no error. It is not atomic.
	RemoveAll(name string) error
	// Rename moves a file or directory and replaces a file that has the name already.
	Rename(from, to string) error
	// MkdirAll makes a directory and its missing parents.
	MkdirAll(dir string) error
	// List returns the base names of a directory, sorted.
	List(dir string) ([]string, error)
	// Stat describes a file or directory.
	Stat(name string) (Info, error)
	// SyncDir makes the names in a directory durable.
	SyncDir(dir string) error
	// SyncFS makes everything on the file system that holds dir durable, strangers' files included. Where
	// TrustSyncFS says no, it is not known to report every error. Call it once at start, before the first write:
	// errors are reported from the first call on.
	SyncFS(dir string) error
	// Lock takes the lock file called name for this process until the Closer is closed or the process ends, and
	// writes the process id into it. A lock held elsewhere is a *LockedError. A file left behind does no harm.
	Lock(name string) (io.Closer, error)
	// Free returns the bytes that an unprivileged process may still write at dir, and the size of its file system.
	Free(dir string) (freeBytes, totalBytes int64, err error)
	// Type returns the kind of file system that holds dir ("ext4", "xfs", "tmpfs", "nfs"...).
	Type(dir string) (string, error)
}

// File is an open file. ReadAt and WriteAt follow io.ReaderAt and io.WriterAt and do not allocate.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size returns the length in bytes.
	Size() (int64, error)
	// Truncate sets the length; bytes gained are zero.
	Truncate(size int64) error
	// Sync makes bytes and length durable, as fdatasync does. It does not make the name durable.
	Sync() error
	// Preallocate writes n zeros at off. Written blocks, unlike reserved ones, make later syncs cheap: overwriting
	// them changes no metadata.
	Preallocate(off, n int64) error
	// Fd returns the descriptor for system calls that this interface lacks; ok is false if there is none, and then
	// the caller must do without.
	Fd() (fd uintptr, ok bool)
}

// Info describes a file or a directory.
type Info struct {
	Name    string // base name
	Size    int64  // bytes; 0 for a directory
	IsDir   bool
	ModTime time.Time
}

// ErrLocked says that somebody else holds a lock; the error is a *LockedError.
var ErrLocked = errors.New("locked by another process")

// LockedError names the holder of a lock.
type LockedError struct {
	Name string
	PID  int // 0 if the holder has not written it (yet)
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is locked by another process", e.Name)
	}
	return fmt.Sprintf("%s is locked by process %d", e.Name, e.PID)
}

func (e *LockedError) Unwrap() error { return ErrLocked }

// IsFull tells whether err means that the disk or a quota has no room: nothing is broken, and it may heal.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// IsHandles tells whether err means that the process or the machine is short of open files or memory: the disk is
// not to blame.
func IsHandles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}

// TrustSyncFS tells whether SyncFS at dir is known to be a barrier that reports write errors, so that it may stand in
// for a Sync of each file: ext4, XFS and Btrfs on Linux from 5.8 on, and Mem.
func TrustSyncFS(fsys FS, dir string) bool {
	kind, err := fsys.Type(dir)
	if err != nil {
		return false
	}
	switch kind {
	case "ext4", "xfs", "btrfs":
		return syncFSReports()
	}
	return kind == memType
}

// Doubt says why a kind of file system, as Type returns it, is a poor home for data that must not be lost; it is empty for
// one that is not known to be.
func Doubt(kind string) string {
	switch kind {
	case "tmpfs", "ramfs":
		return "it is memory: everything is gone when the machine stops"
	case "overlay":
		return "it is the layer of a container and goes with it: use a volume"
	case "nfs", "smb", "ceph", "9p", "fuse":
		return "it is a network or user space file system: a sync may not reach a disk, and a lock may not hold"
	}
	return ""
}
