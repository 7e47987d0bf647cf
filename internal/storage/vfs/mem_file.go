package vfs

import (
	"errors"
	"io"
	"io/fs"
	"syscall"
)

// memFile is an open file of a Mem.
type memFile struct {
	m      *Mem
	id     inodeID
	name   string
	write  bool
	closed bool // under m.mu
}

var errNegative = errors.New("negative offset or length")

func (f *memFile) check(mutates bool) error {
	switch {
	case f.closed:
		return fs.ErrClosed
	case mutates && !f.write:
		return syscall.EBADF
	}
	return nil
}

func (f *memFile) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.m.query(OpRead, f.name, func() error {
		if off < 0 {
			return errNegative
		}
		if err := f.check(false); err != nil {
			return err
		}
		n = f.m.inodes[f.id].cur.readAt(p, off)
		return nil
	})
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (f *memFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.m.mutate(Op{Kind: OpWrite, Name: f.name, Off: off, Len: int64(len(p))}, func() error {
		n64, err := f.put(off, int64(len(p)), p)
		n = int(n64)
		return err
	})
	return n, err
}

func (f *memFile) Preallocate(off, n int64) error {
	return f.m.mutate(Op{Kind: OpPreallocate, Name: f.name, Off: off, Len: n}, func() error {
		_, err := f.put(off, n, nil)
		return err
	})
}

// put writes n bytes at off, as many as there is room for; data is nil for zeros.
func (f *memFile) put(off, n int64, data []byte) (int64, error) {
	if off < 0 || n < 0 {
		return 0, errNegative
	}
	if err := f.check(true); err != nil {
		return 0, err
	}
	m := f.m
	var full error
	if room := m.room(f.id); off+n > room {
		n, full = max(0, room-off), syscall.ENOSPC
	}
	if n == 0 {
		return 0, full
	}
	c := change{off: off, n: n}
	if data != nil {
		c.data = append(make([]byte, 0, n), data[:n]...)
	}
	in := m.edit(f.id)
	in.pending = append(in.pending, c)
	c.apply(&in.cur)
	in.modTime = m.now()
	return n, full
}

// apply makes the change in p.
func (c *change) apply(p *pages) {
	switch {
	case c.truncate:
		p.truncate(c.off)
	case c.data == nil:
		p.zero(c.off, c.n)
	default:
		p.writeAt(c.data, c.off)
	}
}

func (f *memFile) Truncate(size int64) error {
	return f.m.mutate(Op{Kind: OpTruncate, Name: f.name, Len: size}, func() error {
		if size < 0 {
			return errNegative
		}
		if err := f.check(true); err != nil {
			return err
		}
		if size > f.m.room(f.id) {
			return syscall.ENOSPC // a real file could be sparse; nobody here wants one
		}
		f.m.truncate(f.id, size)
		return nil
	})
}

func (m *Mem) truncate(id inodeID, size int64) {
	in := m.edit(id)
	if in.cur.size == size {
		return
	}
	c := change{truncate: true, off: size}
	in.pending = append(in.pending, c)
	c.apply(&in.cur)
	in.modTime = m.now()
}

func (f *memFile) Sync() error {
	return f.m.mutate(Op{Kind: OpSync, Name: f.name}, func() error {
		if err := f.check(false); err != nil {
			return err
		}
		f.m.settle(f.id)
		if f.m.inodes[f.id].unsaid {
			f.m.edit(f.id).unsaid = false
			return syscall.EIO
		}
		return nil
	})
}

// dropUnsynced is what a failed fsync does on ext4: the pages count as clean, reads still see them, and no later sync
// will write them.
func (f *memFile) dropUnsynced() {
	f.m.locked(func() { f.m.drop(f.id) })
}

func (f *memFile) Size() (size int64, err error) {
	err = f.m.query(OpSize, f.name, func() error {
		if err := f.check(false); err != nil {
			return err
		}
		size = f.m.inodes[f.id].cur.size
		return nil
	})
	return size, err
}

func (f *memFile) Close() error {
	return f.m.query(OpClose, f.name, func() error {
		if err := f.check(false); err != nil {
			return err
		}
		f.closed = true
		m := f.m
		if m.handles[f.id]--; m.handles[f.id] == 0 {
			delete(m.handles, f.id)
		}
		return nil
	})
}

func (*memFile) Fd() (uintptr, bool) { return 0, false }
