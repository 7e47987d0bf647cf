package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData is os.File.Sync, which is F_FULLFSYNC here: a plain fsync leaves the bytes in the drive's cache.
func syncData(f *os.File) error { return f.Sync() }

// syncFS can only ask for a sync(2), which does not wait for the drive and reports nothing: TrustSyncFS says no.
func syncFS(*os.File) error { return unix.Sync() }

func syncFSReports() bool { return false }

func statFS(dir string) (freeBytes, totalBytes int64, kind string, err error) {
	var st unix.Statfs_t
	if err := retryEINTR(func() error { return unix.Statfs(dir, &st) }); err != nil {
		return 0, 0, "", &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	unit := int64(st.Bsize)
	return int64(st.Bavail) * unit, int64(st.Blocks) * unit, unix.ByteSliceToString(st.Fstypename[:]), nil
}
