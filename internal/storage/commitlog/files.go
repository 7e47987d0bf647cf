package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"holdfast/internal/storage/vfs"
)

// Files holds the open files of all logs of one data directory: at most max of them, the least recently used closed
// first. A file in use, and a file with unsynced bytes, stays open: the kernel reports a failed write-back only to
// descriptors that were open when it failed. So more than max are open where more than max are dirty.
//
// Files is safe for concurrent use. Lock order: file.opening before Files.mu.
type Files struct {
	fs  vfs.FS
	max int

	mu   sync.Mutex
	open int
	lru  file // sentinel of a ring: next is the most recently used

	small, big sync.Pool // of *[]byte: header walks and scans
}

const (
	smallBuffer = 8 << 10
	bigBuffer   = 256 << 10
	// evictTries bounds the look for a victim while most files are pinned.
	evictTries = 32
)

// NewFiles returns an empty set of at most limit open files, a soft bound.
func NewFiles(fsys vfs.FS, limit int) *Files {
	f := &Files{fs: fsys, max: max(limit, 1)}
	f.lru.prev, f.lru.next = &f.lru, &f.lru
	f.small.New = func() any { b := make([]byte, smallBuffer); return &b }
	f.big.New = func() any { b := make([]byte, bigBuffer); return &b }
	return f
}

// Open returns how many files are open now.
func (c *Files) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// file is one file of a log, open or not. All fields but opening are under Files.mu.
type file struct {
	files      *Files
	opening    sync.Mutex // held while the descriptor is made
	name       string
	f          vfs.File // nil while closed
	refs       int      // users of f
	dirty      bool     // has bytes that no sync has covered
	once       bool     // shut when it has been synced
	gone       bool     // shut for good; the descriptor closes with its last user
	prev, next *file    // in the ring while open
}

func (c *Files) file(name string) *file { return &file{files: c, name: name} }

// acquire returns the open file; the caller must release it. It does not allocate while the file is open.
func (h *file) acquire() (vfs.File, error) { return h.get(h.files.fs.Open) }

// create makes the file anew, empty, and acquires it.
func (h *file) create() (vfs.File, error) { return h.get(h.files.fs.Create) }

func (h *file) get(open func(string) (vfs.File, error)) (vfs.File, error) {
	c := h.files
	c.mu.Lock()
	if h.f != nil {
		f := h.use()
		c.mu.Unlock()
		return f, nil
	}
	c.mu.Unlock()

	h.opening.Lock()
	defer h.opening.Unlock()
	c.mu.Lock()
	if h.f != nil {
		f := h.use()
		c.mu.Unlock()
		return f, nil
	}
	name, gone := h.name, h.gone
	c.mu.Unlock()
	if gone {
		return nil, fmt.Errorf("%s was removed: %w", name, fs.ErrNotExist)
	}
	f, err := open(name)
	if vfs.IsHandles(err) { // too many open files: give back what can be given back, then once more
		c.closeAll(c.victims(c.max))
		f, err = open(name)
	}
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	h.f = f
	c.open++
	h.link()
	h.refs++
	c.mu.Unlock()
	if victims := c.victims(0); len(victims) > 0 {
		c.closeAll(victims)
	}
	return f, nil
}

func (h *file) use() vfs.File {
	h.refs++
	if h.files.lru.next != h {
		h.unlink()
		h.link()
	}
	return h.f
}

func (h *file) link() {
	head := &h.files.lru
	h.prev, h.next = head, head.next
	h.next.prev, head.next = h, h
}

func (h *file) unlink() {
	h.prev.next, h.next.prev = h.next, h.prev
	h.prev, h.next = nil, nil
}

// release ends one use.
func (h *file) release() {
	c := h.files
	c.mu.Lock()
	h.refs--
	var f vfs.File
	if h.gone && h.refs == 0 {
		f = h.detach()
	}
	c.mu.Unlock()
	closeClean(f)
}

// setDirty says whether the file has unsynced bytes.
func (h *file) setDirty(dirty bool) {
	h.files.mu.Lock()
	h.dirty = dirty
	h.files.mu.Unlock()
}

// shut closes the file for good, now or with its last user.
func (h *file) shut() {
	c := h.files
	c.mu.Lock()
	h.gone, h.dirty = true, false
	var f vfs.File
	if h.refs == 0 {
		f = h.detach()
	}
	c.mu.Unlock()
	closeClean(f)
}

// rename moves the file; an open descriptor goes on.
func (h *file) rename(to string) error {
	h.opening.Lock()
	defer h.opening.Unlock()
	if err := h.files.fs.Rename(h.name, to); err != nil {
		return err
	}
	h.files.mu.Lock()
	h.name = to
	h.files.mu.Unlock()
	return nil
}

func (h *file) detach() vfs.File {
	f := h.f
	if f != nil {
		h.f = nil
		h.unlink()
		h.files.open--
	}
	return f
}

// victims takes files out of the ring that nobody needs open: those above the limit, or at least want of them.
func (c *Files) victims(want int) (out []vfs.File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.lru.prev
	for tries := evictTries + want; h != &c.lru && tries > 0 && (c.open > c.max || len(out) < want); tries-- {
		older := h.prev
		if h.refs == 0 && !h.dirty {
			out = append(out, h.detach())
		}
		h = older
	}
	return out
}

func (c *Files) closeAll(files []vfs.File) {
	for _, f := range files {
		closeClean(f)
	}
}

// closeClean closes a file without unsynced bytes, or one whose bytes nobody needs: closing it cannot lose anything,
// so its error says nothing.
func closeClean(f vfs.File) {
	if f != nil {
		_ = f.Close()
	}
}

// writeFile makes name anew with the given contents; it stays open until it has been synced.
func (c *Files) writeFile(name string, contents []byte) (*file, error) {
	h := c.file(name)
	h.once = true
	f, err := h.create()
	if err != nil {
		return nil, err
	}
	defer h.release()
	if err := writeAt(f, contents, 0); err != nil {
		h.shut()
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return h, nil
}

// writeAt is WriteAt that takes a short write for the error it is.
func writeAt(f vfs.File, p []byte, off int64) error {
	n, err := f.WriteAt(p, off)
	if err == nil && n < len(p) {
		err = errors.New("short write")
	}
	return err
}
