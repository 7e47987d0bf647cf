package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"syscall"
)

// MakeDirs makes a directory and its missing parents, durably: the name of each new one is synced in its parent. Without
// that a power cut may take a folder, and with it everything that was synced inside. So is the name of the first one that is
// there: a process before this one may have made it, and been killed before it was synced.
func MakeDirs(fsys FS, dir string) error {
	dir = path.Clean(dir)
	parent := path.Dir(dir)
	if _, err := fsys.Stat(dir); err == nil {
		return settled(fsys.SyncDir(parent))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if parent != dir {
		if err := MakeDirs(fsys, parent); err != nil {
			return err
		}
	}
	if err := fsys.MkdirAll(dir); err != nil {
		return err
	}
	return fsys.SyncDir(parent)
}

// settled is the error of a sync of a folder that was there before, unless we may not do that to it: then we did not make
// what is in it.
func settled(err error) error {
	for _, foreign := range []error{fs.ErrPermission, syscall.EINVAL, syscall.EROFS} {
		if errors.Is(err, foreign) {
			return nil
		}
	}
	return err
}

// ReadFile reads a small file whole. A file longer than limit bytes is an error: it is not what it was taken for.
func ReadFile(fsys FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.OpenRead(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("%s has %d bytes, more than such a file can have (%d)", name, size, limit)
	}
	p := make([]byte, size)
	if n, err := f.ReadAt(p, 0); err != nil && n < len(p) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return p, nil
}

// ReplaceFile gives a small file new contents: durably, and so that a crash leaves the old ones or the new ones. It
// writes beside it, syncs, and moves the result over it.
func ReplaceFile(fsys FS, name string, contents []byte) error {
	beside := name + ".tmp"
	f, err := fsys.Create(beside)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(contents, 0); err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", beside, err), fsys.Remove(beside))
	}
	if err := fsys.Rename(beside, name); err != nil {
		return err
	}
	return fsys.SyncDir(path.Dir(name))
}
