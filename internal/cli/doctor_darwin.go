//go:build darwin

package cli

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

func fileSystemCheck(dir string) hostCheck {
	const name = "file system"
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return unknown(name, err)
	}
	kind := unix.ByteSliceToString(st.Fstypename[:])
	switch kind {
	case "nfs", "smbfs", "webdav", "afpfs":
		return bad(name, "A network file system may answer a sync before the data is safe. Choose a local disk.", "%s is %s", dir, kind)
	}
	return warn(name, "Durability is promised on Linux. This is good for trying and for development.", "%s is %s, on macOS", dir, kind)
}

// syncData asks for the disk's own cache to be emptied too; a plain fsync does not do that here.
func syncData(f *os.File) error {
	_, err := unix.FcntlInt(f.Fd(), unix.F_FULLFSYNC, 0)
	return err
}

func clockCheck() hostCheck { return unknown("clock", "the kernel does not say") }

func machineChecks() []hostCheck { return []hostCheck{good("processors", "%d", runtime.NumCPU())} }
