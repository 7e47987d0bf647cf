package vfs

import (
	"errors"
	"io/fs"
	"path"
)

// MakeDirs makes a directory and its missing parents, durably: the name of each new one is synced in its parent. Without
// that a power cut may take a folder, and with it everything that was synced inside.
func MakeDirs(fsys FS, dir string) error {
	dir = path.Clean(dir)
	if _, err := fsys.Stat(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := path.Dir(dir)
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
