package vfs

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Mem is a file system in memory that forgets what was not synced when the power goes: see CrashClone.
// Names are taken relative to its root, with or without a leading slash.
type Mem struct {
	gate sync.Mutex // held over a mutating operation and its observer calls, so that they see a boundary

	mu       sync.Mutex // guards all that follows
	own      *token     // inodes with this token belong to this Mem alone
	inodes   map[inodeID]*inode
	last     inodeID
	sweepAt  int      // inodes above which it is worth looking for dead ones
	names    []nameOp // changes of names that are not durable yet, oldest first
	handles  map[inodeID]int
	locks    map[string]bool
	ops      int64
	observer func(op Op, done bool)
	clock    func() time.Time
	capacity int64
}

type inodeID uint64

const (
	rootID  inodeID = 1
	memType         = "mem"
)

// inode is a file or a directory. It is copied before it is changed if another Mem has it, too.
type inode struct {
	own     *token
	modTime time.Time

	// A file: what is read, what a power cut leaves for certain, and what was changed in between.
	cur, disk pages
	pending   []change
	lost      bool // a failed sync dropped changes: cur has bytes that will never be on disk
	unsaid    bool // a failed SyncFS did, and this file's own Sync has not said so yet

	// A directory (children not nil): what is seen, and what a power cut leaves for certain.
	children, diskChildren map[string]inodeID
}

// change is an unsynced write or truncation of a file.
type change struct {
	truncate bool
	off      int64 // of a write; the size of a truncation
	n        int64
	data     []byte // nil: zeros
}

// nameOp is an unsynced change of names. It happens as a whole or not at all.
type nameOp []nameSet

type nameSet struct {
	dir  inodeID
	name string
	to   inodeID // 0: the name goes
}

// NewMem returns an empty file system.
func NewMem() *Mem {
	m := &Mem{own: new(token), inodes: map[inodeID]*inode{}, handles: map[inodeID]int{}, locks: map[string]bool{}, last: rootID}
	m.inodes[rootID] = m.newDir()
	return m
}

// Observe sets a function that is called before (done false) and after (done true) every mutating operation. It may
// take a Clone or CrashClone of m, but must not change m. Operations wait for each other meanwhile.
func (m *Mem) Observe(f func(op Op, done bool)) { m.locked(func() { m.observer = f }) }

// SetClock sets where modification times come from; without one they are the Unix epoch.
func (m *Mem) SetClock(clock func() time.Time) { m.locked(func() { m.clock = clock }) }

// SetCapacity limits the sum of all file lengths, in bytes; 0 lifts the limit. A write beyond it is cut short with
// ENOSPC.
func (m *Mem) SetCapacity(n int64) { m.locked(func() { m.capacity = n }) }

// Ops returns the number of mutating operations so far.
func (m *Mem) Ops() (n int64) { m.locked(func() { n = m.ops }); return n }

// OpenFiles returns the number of open files.
func (m *Mem) OpenFiles() (n int) {
	m.locked(func() {
		for _, c := range m.handles { // order-free
			n += c
		}
	})
	return n
}

func (m *Mem) locked(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// mutate runs one mutating operation between its two observer calls.
func (m *Mem) mutate(op Op, f func() error) error {
	m.gate.Lock()
	defer m.gate.Unlock()
	m.mu.Lock()
	m.ops++
	op.N = m.ops
	observer := m.observer
	m.mu.Unlock()

	if observer != nil {
		observer(op, false)
	}
	m.mu.Lock()
	err := f()
	m.mu.Unlock()
	if observer != nil {
		observer(op, true)
	}
	if err != nil {
		if _, wrapped := errors.AsType[*LockedError](err); wrapped {
			return err
		}
		return &fs.PathError{Op: op.Kind.String(), Path: op.Name, Err: err}
	}
	return nil
}

// query runs an operation that changes nothing.
func (m *Mem) query(kind OpKind, name string, f func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := f(); err != nil {
		return &fs.PathError{Op: kind.String(), Path: name, Err: err}
	}
	return nil
}

func (m *Mem) now() time.Time {
	if m.clock == nil {
		return time.Unix(0, 0)
	}
	return m.clock()
}

func (m *Mem) newDir() *inode {
	return &inode{own: m.own, modTime: m.now(), children: map[string]inodeID{}, diskChildren: map[string]inodeID{}}
}

func (m *Mem) add(in *inode) inodeID {
	m.last++
	m.inodes[m.last] = in
	return m.last
}

// edit returns the inode, free to be changed.
func (m *Mem) edit(id inodeID) *inode {
	in := m.inodes[id]
	if in.own == m.own {
		return in
	}
	c := *in
	c.own = m.own
	c.cur.own, c.disk.own = nil, nil
	c.pending = slices.Clip(c.pending)
	if c.children != nil {
		c.children, c.diskChildren = maps.Clone(c.children), maps.Clone(c.diskChildren)
	}
	m.inodes[id] = &c
	return &c
}

func split(name string) []string {
	name = strings.Trim(path.Clean("/"+name), "/")
	if name == "" {
		return nil
	}
	return strings.Split(name, "/")
}

// find returns the inode that a name leads to.
func (m *Mem) find(name string) (inodeID, *inode, error) { return m.walk(split(name)) }

func (m *Mem) walk(elems []string) (inodeID, *inode, error) {
	id := rootID
	for _, e := range elems {
		in := m.inodes[id]
		if in.children == nil {
			return 0, nil, syscall.ENOTDIR
		}
		next, ok := in.children[e]
		if !ok {
			return 0, nil, syscall.ENOENT
		}
		id = next
	}
	return id, m.inodes[id], nil
}

// parent returns the directory that holds, or would hold, a name.
func (m *Mem) parent(name string) (dir inodeID, base string, err error) {
	elems := split(name)
	if len(elems) == 0 {
		return 0, "", syscall.EINVAL
	}
	last := len(elems) - 1
	dir, in, err := m.walk(elems[:last])
	if err != nil {
		return 0, "", err
	}
	if in.children == nil {
		return 0, "", syscall.ENOTDIR
	}
	return dir, elems[last], nil
}

// setNames changes names at once in what is seen, and some day on disk.
func (m *Mem) setNames(op nameOp) {
	for _, s := range op {
		dir := m.edit(s.dir)
		if s.to == 0 {
			delete(dir.children, s.name)
		} else {
			dir.children[s.name] = s.to
		}
		dir.modTime = m.now()
	}
	m.names = append(m.names, op)
}

// Open implements FS.
func (m *Mem) Open(name string) (File, error) { return m.open(OpOpen, name, true) }

// OpenRead implements FS.
func (m *Mem) OpenRead(name string) (File, error) { return m.open(OpOpenRead, name, false) }

func (m *Mem) open(kind OpKind, name string, write bool) (f File, err error) {
	err = m.query(kind, name, func() error {
		id, in, err := m.find(name)
		if err != nil {
			return err
		}
		if in.children != nil {
			return syscall.EISDIR
		}
		f = m.handle(id, name, write)
		return nil
	})
	return f, err
}

func (m *Mem) handle(id inodeID, name string, write bool) *memFile {
	m.handles[id]++
	return &memFile{m: m, id: id, name: name, write: write}
}

// Create implements FS.
func (m *Mem) Create(name string) (f File, err error) {
	err = m.mutate(Op{Kind: OpCreate, Name: name}, func() error {
		id, err := m.create(name)
		if err != nil {
			return err
		}
		f = m.handle(id, name, true)
		return nil
	})
	return f, err
}

func (m *Mem) create(name string) (inodeID, error) {
	dir, base, err := m.parent(name)
	if err != nil {
		return 0, err
	}
	if id, ok := m.inodes[dir].children[base]; ok {
		if m.inodes[id].children != nil {
			return 0, syscall.EISDIR
		}
		m.truncate(id, 0)
		return id, nil
	}
	id := m.add(&inode{own: m.own, modTime: m.now()})
	m.setNames(nameOp{{dir, base, id}})
	return id, nil
}

// Remove implements FS.
func (m *Mem) Remove(name string) error {
	return m.mutate(Op{Kind: OpRemove, Name: name}, func() error {
		_, in, err := m.find(name)
		if err != nil {
			return err
		}
		if len(in.children) > 0 {
			return syscall.ENOTEMPTY
		}
		return m.unlink(name)
	})
}

func (m *Mem) unlink(name string) error {
	dir, base, err := m.parent(name)
	if err != nil {
		return err
	}
	m.setNames(nameOp{{dir, base, 0}})
	return nil
}

// RemoveAll implements FS. Each name below is an operation of its own to a power cut.
func (m *Mem) RemoveAll(name string) error {
	return m.mutate(Op{Kind: OpRemoveAll, Name: name}, func() error {
		err := m.removeAll(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

func (m *Mem) removeAll(name string) error {
	_, in, err := m.find(name)
	if err != nil {
		return err
	}
	for _, child := range slices.Sorted(maps.Keys(in.children)) {
		if err := m.removeAll(path.Join(name, child)); err != nil {
			return err
		}
	}
	return m.unlink(name)
}

// Rename implements FS.
func (m *Mem) Rename(from, to string) error {
	return m.mutate(Op{Kind: OpRename, Name: from, To: to}, func() error {
		id, in, err := m.find(from)
		if err != nil {
			return err
		}
		if in.children != nil && isBelow(to, from) {
			return syscall.EINVAL
		}
		fromDir, fromBase, err := m.parent(from)
		if err != nil {
			return err
		}
		toDir, toBase, err := m.parent(to)
		if err != nil {
			return err
		}
		if old, ok := m.inodes[toDir].children[toBase]; ok {
			if old == id {
				return nil
			}
			if err := mayReplace(m.inodes[old], in); err != nil {
				return err
			}
		}
		m.setNames(nameOp{{fromDir, fromBase, 0}, {toDir, toBase, id}})
		return nil
	})
}

func isBelow(name, dir string) bool {
	n, d := split(name), split(dir)
	return len(n) > len(d) && slices.Equal(n[:len(d)], d)
}

func mayReplace(old, by *inode) error {
	switch {
	case old.children != nil && by.children == nil:
		return syscall.EISDIR
	case old.children == nil && by.children != nil:
		return syscall.ENOTDIR
	case len(old.children) > 0:
		return syscall.ENOTEMPTY
	}
	return nil
}

// MkdirAll implements FS.
func (m *Mem) MkdirAll(dir string) error {
	return m.mutate(Op{Kind: OpMkdirAll, Name: dir}, func() error {
		at := rootID
		for _, e := range split(dir) {
			in := m.inodes[at]
			if in.children == nil {
				return syscall.ENOTDIR
			}
			next, ok := in.children[e]
			if !ok {
				next = m.add(m.newDir())
				m.setNames(nameOp{{at, e, next}})
			}
			at = next
		}
		if m.inodes[at].children == nil {
			return syscall.ENOTDIR
		}
		return nil
	})
}

// List implements FS.
func (m *Mem) List(dir string) (names []string, err error) {
	err = m.query(OpList, dir, func() error {
		_, in, err := m.find(dir)
		if err != nil {
			return err
		}
		if in.children == nil {
			return syscall.ENOTDIR
		}
		names = slices.Sorted(maps.Keys(in.children))
		return nil
	})
	return names, err
}

// Stat implements FS.
func (m *Mem) Stat(name string) (info Info, err error) {
	err = m.query(OpStat, name, func() error {
		_, in, err := m.find(name)
		if err != nil {
			return err
		}
		info = Info{Name: path.Base(path.Clean("/" + name)), Size: in.cur.size, IsDir: in.children != nil, ModTime: in.modTime}
		return nil
	})
	return info, err
}

// SyncDir implements FS.
func (m *Mem) SyncDir(dir string) error {
	return m.mutate(Op{Kind: OpSyncDir, Name: dir}, func() error {
		id, in, err := m.find(dir)
		if err != nil {
			return err
		}
		if in.children == nil {
			return syscall.ENOTDIR
		}
		m.settleNames(func(op nameOp) bool { return op.touches(id) })
		return nil
	})
}

// SyncFS implements FS.
func (m *Mem) SyncFS(dir string) error {
	return m.mutate(Op{Kind: OpSyncFS, Name: dir}, func() error {
		if _, _, err := m.find(dir); err != nil {
			return err
		}
		for id := range m.inodes { // order-free
			m.settle(id)
		}
		m.settleNames(func(nameOp) bool { return true })
		return nil
	})
}

// Lock implements FS. Locks belong to a Mem and its handles: a clone has none.
func (m *Mem) Lock(name string) (c io.Closer, err error) {
	key := path.Clean("/" + name)
	err = m.mutate(Op{Kind: OpLock, Name: name}, func() error {
		if m.locks[key] {
			return &LockedError{Name: name}
		}
		if _, err := m.create(name); err != nil {
			return err
		}
		m.locks[key] = true
		c = &memLock{m: m, key: key}
		return nil
	})
	return c, err
}

type memLock struct {
	m   *Mem
	key string
}

func (l *memLock) Close() error {
	l.m.locked(func() { delete(l.m.locks, l.key) })
	return nil
}

// Free implements FS. Without a capacity there are 2^50 bytes.
func (m *Mem) Free(dir string) (freeBytes, totalBytes int64, err error) {
	err = m.query(OpFree, dir, func() error {
		if _, _, err := m.find(dir); err != nil {
			return err
		}
		totalBytes = m.capacity
		if totalBytes == 0 {
			totalBytes = 1 << 50
		}
		freeBytes = max(0, totalBytes-m.used())
		return nil
	})
	return freeBytes, totalBytes, err
}

// Type implements FS: it is "mem".
func (m *Mem) Type(dir string) (string, error) {
	err := m.query(OpType, dir, func() error { _, _, err := m.find(dir); return err })
	return memType, err
}

var _ FS = (*Mem)(nil)
