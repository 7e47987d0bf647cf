//go:build linux || darwin

package cli

import "golang.org/x/sys/unix"

func spaceCheck(dir string) hostCheck {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return unknown("free space", err)
	}
	return judgeSpace(st.Bavail*uint64(st.Bsize), st.Blocks*uint64(st.Bsize))
}

func openFilesCheck() hostCheck {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return unknown("open files", err)
	}
	return judgeOpenFiles(r.Cur)
}
