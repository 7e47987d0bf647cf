package vfs

import (
	"errors"
	"io"
	"io/fs"
	"sync/atomic"
)

// Faulty wraps an FS and lets a function decide which operations fail.
type Faulty struct {
	inner  FS
	decide atomic.Pointer[Decider]
	n      atomic.Int64
}

// Decider is asked before every operation; Op.N numbers them from 1. With nil the operation goes on; otherwise it fails
// with the error and is not done - except as Short and Late say. A Decider may block, to model a slow or a hanging disk.
//
// A failed Sync is as bad as ext4 makes it: the unsynced bytes of the file (of all files for SyncFS) will never reach the
// disk, though reads still return them and the next Sync succeeds (after SyncFS the one after the next: each file keeps
// the error for whoever syncs it). Truncations are kept. This needs a Mem inside; over other file systems the
// bytes are merely not synced.
type Decider func(op Op) error

// NewFaulty returns inner with the faults that decide asks for; nil asks for none.
func NewFaulty(inner FS, decide Decider) *Faulty {
	f := &Faulty{inner: inner}
	f.Decide(decide)
	return f
}

// Decide replaces the decider.
func (f *Faulty) Decide(decide Decider) {
	if decide == nil {
		decide = func(Op) error { return nil }
	}
	f.decide.Store(&decide)
}

// Ops returns the number of operations so far.
func (f *Faulty) Ops() int64 { return f.n.Load() }

// FailAt fails operation n.
func FailAt(n int64, err error) Decider {
	return func(op Op) error {
		if op.N == n {
			return err
		}
		return nil
	}
}

// FailFrom fails operation n and all later ones.
func FailFrom(n int64, err error) Decider {
	return func(op Op) error {
		if op.N >= n {
			return err
		}
		return nil
	}
}

// FailWhen fails those operations that match.
func FailWhen(match func(Op) bool, err error) Decider {
	return func(op Op) error {
		if match(op) {
			return err
		}
		return nil
	}
}

// Short makes a failing write or preallocation put n bytes first.
func Short(n int64, err error) error { return &partly{bytes: n, err: err} }

// Late makes an operation fail after it was done: the caller cannot know.
func Late(err error) error { return &partly{late: true, err: err} }

type partly struct {
	bytes int64
	late  bool
	err   error
}

func (p *partly) Error() string { return p.err.Error() }
func (p *partly) Unwrap() error { return p.err }

// verdict is what was decided about one operation.
type verdict struct {
	err   error // nil: it succeeds if the inner one does
	do    bool
	short int64
}

func (f *Faulty) ask(op Op) verdict {
	op.N = f.n.Add(1)
	err := (*f.decide.Load())(op)
	if err == nil {
		return verdict{do: true}
	}
	v := verdict{err: err}
	if p, ok := errors.AsType[*partly](err); ok {
		v = verdict{err: p.err, do: p.late, short: p.bytes}
	}
	v.err = &fs.PathError{Op: op.Kind.String(), Path: op.Name, Err: v.err}
	return v
}

// run does an operation that has only an error to return.
func (f *Faulty) run(op Op, do func() error) error {
	v := f.ask(op)
	if !v.do {
		return v.err
	}
	return errors.Join(v.err, do())
}

func (f *Faulty) open(op Op, do func(string) (File, error)) (File, error) {
	v := f.ask(op)
	if !v.do {
		return nil, v.err
	}
	file, err := do(op.Name)
	if err != nil {
		return nil, err
	}
	if v.err != nil {
		return nil, errors.Join(v.err, file.Close())
	}
	return &faultyFile{f: f, inner: file, name: op.Name}, nil
}

// Open implements FS.
func (f *Faulty) Open(name string) (File, error) {
	return f.open(Op{Kind: OpOpen, Name: name}, f.inner.Open)
}

// OpenRead implements FS.
func (f *Faulty) OpenRead(name string) (File, error) {
	return f.open(Op{Kind: OpOpenRead, Name: name}, f.inner.OpenRead)
}

// Create implements FS.
func (f *Faulty) Create(name string) (File, error) {
	return f.open(Op{Kind: OpCreate, Name: name}, f.inner.Create)
}

// Remove implements FS.
func (f *Faulty) Remove(name string) error {
	return f.run(Op{Kind: OpRemove, Name: name}, func() error { return f.inner.Remove(name) })
}

// RemoveAll implements FS.
func (f *Faulty) RemoveAll(name string) error {
	return f.run(Op{Kind: OpRemoveAll, Name: name}, func() error { return f.inner.RemoveAll(name) })
}

// Rename implements FS.
func (f *Faulty) Rename(from, to string) error {
	return f.run(Op{Kind: OpRename, Name: from, To: to}, func() error { return f.inner.Rename(from, to) })
}

// MkdirAll implements FS.
func (f *Faulty) MkdirAll(dir string) error {
	return f.run(Op{Kind: OpMkdirAll, Name: dir}, func() error { return f.inner.MkdirAll(dir) })
}

// List implements FS.
func (f *Faulty) List(dir string) (names []string, err error) {
	err = f.run(Op{Kind: OpList, Name: dir}, func() (err error) { names, err = f.inner.List(dir); return err })
	return names, err
}

// Stat implements FS.
func (f *Faulty) Stat(name string) (info Info, err error) {
	err = f.run(Op{Kind: OpStat, Name: name}, func() (err error) { info, err = f.inner.Stat(name); return err })
	return info, err
}

// SyncDir implements FS.
func (f *Faulty) SyncDir(dir string) error {
	return f.run(Op{Kind: OpSyncDir, Name: dir}, func() error { return f.inner.SyncDir(dir) })
}

// SyncFS implements FS.
func (f *Faulty) SyncFS(dir string) error {
	v := f.ask(Op{Kind: OpSyncFS, Name: dir})
	return v.sync(f.inner, func() error { return f.inner.SyncFS(dir) })
}

// sync does a sync, or drops what it should have written.
func (v verdict) sync(inner any, do func() error) error {
	if v.do {
		return errors.Join(v.err, do())
	}
	if d, ok := inner.(interface{ dropUnsynced() }); ok {
		d.dropUnsynced()
	}
	return v.err
}

// Lock implements FS.
func (f *Faulty) Lock(name string) (c io.Closer, err error) {
	err = f.run(Op{Kind: OpLock, Name: name}, func() (err error) { c, err = f.inner.Lock(name); return err })
	return c, err
}

// Free implements FS.
func (f *Faulty) Free(dir string) (freeBytes, totalBytes int64, err error) {
	err = f.run(Op{Kind: OpFree, Name: dir}, func() (err error) {
		freeBytes, totalBytes, err = f.inner.Free(dir)
		return err
	})
	return freeBytes, totalBytes, err
}

// Type implements FS.
func (f *Faulty) Type(dir string) (kind string, err error) {
	err = f.run(Op{Kind: OpType, Name: dir}, func() (err error) { kind, err = f.inner.Type(dir); return err })
	return kind, err
}

var _ FS = (*Faulty)(nil)

// faultyFile is an open file of a Faulty.
type faultyFile struct {
	f     *Faulty
	inner File
	name  string
}

func (f *faultyFile) run(op Op, do func() error) error {
	op.Name = f.name
	return f.f.run(op, do)
}

func (f *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	v := f.f.ask(Op{Kind: OpRead, Name: f.name, Off: off, Len: int64(len(p))})
	if v.err != nil {
		return 0, v.err
	}
	return f.inner.ReadAt(p, off)
}

func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	v := f.f.ask(Op{Kind: OpWrite, Name: f.name, Off: off, Len: int64(len(p))})
	if v.err == nil {
		return f.inner.WriteAt(p, off)
	}
	if !v.do {
		p = p[:min(v.short, int64(len(p)))]
	}
	if len(p) == 0 {
		return 0, v.err
	}
	n, err := f.inner.WriteAt(p, off)
	return n, errors.Join(v.err, err)
}

func (f *faultyFile) Preallocate(off, n int64) error {
	v := f.f.ask(Op{Kind: OpPreallocate, Name: f.name, Off: off, Len: n})
	if !v.do {
		n = min(v.short, n)
	}
	if n == 0 {
		return v.err
	}
	return errors.Join(v.err, f.inner.Preallocate(off, n))
}

func (f *faultyFile) Truncate(size int64) error {
	return f.run(Op{Kind: OpTruncate, Len: size}, func() error { return f.inner.Truncate(size) })
}

func (f *faultyFile) Sync() error {
	v := f.f.ask(Op{Kind: OpSync, Name: f.name})
	return v.sync(f.inner, f.inner.Sync)
}

func (f *faultyFile) Size() (n int64, err error) {
	err = f.run(Op{Kind: OpSize}, func() (err error) { n, err = f.inner.Size(); return err })
	return n, err
}

// Close closes the file in any case, as Linux does.
func (f *faultyFile) Close() error {
	v := f.f.ask(Op{Kind: OpClose, Name: f.name})
	return errors.Join(v.err, f.inner.Close())
}

// Fd hides the descriptor: every operation must pass through here.
func (*faultyFile) Fd() (uintptr, bool) { return 0, false }
