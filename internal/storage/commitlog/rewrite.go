package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
)

// After a failed sync the kernel calls the pages clean although the disk never got them: the next sync succeeds without
// them, and a power cut takes them. So a start writes what it keeps, and does not know to be synced, over itself: the same
// bytes in place, so that no crash can leave others.

// rewrite writes the bytes of a file between two positions once more. The caller soils it.
func (h *file) rewrite(from, to int64) error {
	f, err := h.acquire()
	if err != nil {
		return err
	}
	defer h.release()
	buf := h.files.big.Get().(*[]byte)
	defer h.files.big.Put(buf)
	for from < to {
		p := (*buf)[:min(int64(len(*buf)), to-from)]
		n, err := f.ReadAt(p, from)
		if n < len(p) {
			return fmt.Errorf("write %s once more: read %d of %d bytes at %d: %w", h.name, n, len(p), from, err)
		}
		if err := writeAt(f, p, from); err != nil {
			return fmt.Errorf("write %s once more: %w", h.name, err)
		}
		from += int64(n)
	}
	return nil
}

// rewriteAll is rewrite of a whole file of which an error may be left to be told.
func (h *file) rewriteAll() error {
	if err := h.hearOut(); err != nil {
		return err
	}
	f, err := h.acquire()
	if err != nil {
		return err
	}
	defer h.release()
	size, err := f.Size()
	if err != nil {
		return err
	}
	return h.rewrite(0, size)
}

// hearOut lets the kernel say what it has left to say of a file. A write-back that failed is told to whoever syncs the file
// next, though that be a later process: after a failed syncfs, which tells only itself, or one that nobody asked for. What
// was not known to be synced is written once more after this, or made anew, so the error is of yesterday; told later, it
// would fail the directory a second time for one fault.
func (h *file) hearOut() error {
	f, err := h.acquire()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer h.release()
	_ = f.Sync()
	return nil
}
