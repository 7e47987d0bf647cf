package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent lets no broker outlive a harness that is killed. The kernel means the parent's thread, so main keeps
// its own for good.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// deviceOf is where the kernel shows the statistics of the device below a folder.
func deviceOf(dir string) string {
	var st unix.Stat_t
	if unix.Stat(dir, &st) != nil {
		return ""
	}
	return fmt.Sprintf("/sys/dev/block/%d:%d/stat", unix.Major(st.Dev), unix.Minor(st.Dev))
}

// settle writes out everybody's dirty pages, so that no measurement pays for the one before.
func settle() { unix.Sync() }

// warmMemory touches so many bytes and gives them back: on a virtual machine the first use of a page since the host
// took it back costs about 3 us, which is the host's price and neither system's.
func warmMemory(n int) error {
	if n == 0 {
		return nil
	}
	mem, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	parts := runtime.NumCPU()
	for i := range parts {
		all.Go(func() {
			for at := i * (n / parts); at < (i+1)*(n/parts); at += os.Getpagesize() {
				mem[at] = 1
			}
		})
	}
	all.Wait()
	return unix.Munmap(mem)
}

// forgetPages drops the page cache of all files below dir, after writing them out.
func forgetPages(dir string) error {
	unix.Sync()
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
	})
}
