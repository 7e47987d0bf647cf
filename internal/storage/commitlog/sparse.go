package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"holdfast/internal/storage/vfs"
)

// sparse is a sparse index of one segment, of offsets or of times: entries of two columns that both rise strictly.
//
//	offset index: (last offset of a batch - base offset, position of the batch)   4 + 4 bytes
//	time index:   (largest timestamp so far in ms, last offset of the batch that has it - base offset)   8 + 4 bytes
//
// Only the first entry of every block of 512 that is in the file is kept in memory, and the entries that are not in
// the file yet: a few KiB for a segment of 1 GiB. A look-up in the part on disk reads one block.
//
// The appender adds and flushes; readers look up at any time. mu is held for the arithmetic, not for reading.
type sparse struct {
	wide bool // 12-byte entries of the time index
	file *file

	mu      sync.Mutex
	loaded  bool
	flushed int     // entries in the file
	tops    []entry // the first of every block of them
	tail    []byte  // encoded entries after those
	last    entry   // the last of all
	stale   bool    // the file holds other bytes than the first flushed entries: it is written anew
	version int     // counts replacements, so that a flush notices one
}

type entry struct{ a, b int64 }

type column uint8

const (
	colA column = iota
	colB
)

func (e entry) col(c column) int64 {
	if c == colA {
		return e.a
	}
	return e.b
}

const blockEntries = 512

var errIndex = errors.New("index cannot be trusted")

func (x *sparse) width() int {
	if x.wide {
		return 12
	}
	return 8
}

func (x *sparse) decode(p []byte) entry {
	if x.wide {
		return entry{int64(binary.BigEndian.Uint64(p)), int64(int32(binary.BigEndian.Uint32(p[8:])))}
	}
	return entry{int64(int32(binary.BigEndian.Uint32(p))), int64(int32(binary.BigEndian.Uint32(p[4:])))}
}

func (x *sparse) encode(dst []byte, e entry) []byte {
	if x.wide {
		dst = binary.BigEndian.AppendUint64(dst, uint64(e.a))
	} else {
		dst = binary.BigEndian.AppendUint32(dst, uint32(e.a))
	}
	return binary.BigEndian.AppendUint32(dst, uint32(e.b))
}

// len is the number of entries.
func (x *sparse) len() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.flushed + len(x.tail)/x.width()
}

// add appends an entry unless it does not rise.
func (x *sparse) add(e entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.flushed+len(x.tail) > 0 && (e.a <= x.last.a || e.b <= x.last.b) {
		return
	}
	x.tail = x.encode(x.tail, e)
	x.last = e
}

// lastEntry is the last entry, if there is one.
func (x *sparse) lastEntry() (entry, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.last, x.flushed+len(x.tail) > 0
}

// reset forgets everything and marks the index as complete: an empty index of a new segment.
func (x *sparse) reset() { x.replace(nil) }

// replace puts rebuilt entries into memory; the next flush writes the whole file.
func (x *sparse) replace(encoded []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.loaded, x.flushed, x.tops, x.tail, x.last, x.stale = true, 0, nil, encoded, entry{}, true
	x.version++
	if n := len(encoded); n > 0 {
		x.last = x.decode(encoded[n-x.width():])
	}
}

// floor is the last entry whose column is at most target. pool lends the buffer for a block.
func (x *sparse) floor(c column, target int64, pool *sync.Pool) (entry, bool, error) {
	x.mu.Lock()
	w := x.width()
	if len(x.tail) > 0 && x.decode(x.tail).col(c) <= target {
		e, _ := x.search(x.tail, c, target)
		x.mu.Unlock()
		return e, true, nil
	}
	block := -1
	for lo, hi := 0, len(x.tops); lo < hi; {
		if mid := (lo + hi) / 2; x.tops[mid].col(c) <= target {
			block, lo = mid, mid+1
		} else {
			hi = mid
		}
	}
	if block < 0 {
		x.mu.Unlock()
		return entry{}, false, nil
	}
	n := min(blockEntries, x.flushed-block*blockEntries)
	x.mu.Unlock()

	f, err := x.file.acquire()
	if err != nil {
		return entry{}, false, err
	}
	defer x.file.release()
	buf := pool.Get().(*[]byte)
	defer pool.Put(buf)
	p := (*buf)[:n*w]
	got, err := f.ReadAt(p, int64(block*blockEntries*w))
	if err != nil && err != io.EOF {
		return entry{}, false, err
	}
	e, ok := x.search(p[:got], c, target)
	if !ok {
		return entry{}, false, errIndex
	}
	return e, true, nil
}

func (x *sparse) search(p []byte, c column, target int64) (found entry, ok bool) {
	w := x.width()
	for lo, hi := 0, len(p)/w; lo < hi; {
		mid := (lo + hi) / 2
		if e := x.decode(p[mid*w:]); e.col(c) <= target {
			found, ok, lo = e, true, mid+1
		} else {
			hi = mid
		}
	}
	return found, ok
}

// flush writes the entries that are not in the file yet and reports whether it wrote. Only the appender calls it.
func (x *sparse) flush() (wrote bool, err error) {
	x.mu.Lock()
	tail, flushed, stale, version := x.tail, x.flushed, x.stale, x.version
	x.mu.Unlock()
	if len(tail) == 0 && !stale {
		return false, nil
	}
	open := x.file.acquire
	if stale {
		open = x.file.create
	}
	f, err := open()
	if errors.Is(err, fs.ErrNotExist) {
		f, err = x.file.create()
	}
	if err != nil {
		return false, err
	}
	defer x.file.release()
	if stale { // the file may have been open already, and create then empties nothing
		if err := f.Truncate(0); err != nil {
			return false, err
		}
	}
	if err := writeAt(f, tail, int64(flushed*x.width())); err != nil {
		return false, fmt.Errorf("write index: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.version != version { // a reader found the index wrong and rebuilt it meanwhile: the next flush writes that
		return true, nil
	}
	x.adopt(tail)
	x.tail, x.stale = tail[:0], false
	return true, nil
}

// adopt counts encoded entries as part of the file.
func (x *sparse) adopt(p []byte) {
	w := x.width()
	for i := range len(p) / w {
		if (x.flushed+i)%blockEntries == 0 {
			x.tops = append(x.tops, x.decode(p[i*w:]))
		}
	}
	x.flushed += len(p) / w
}

// load reads the file and keeps the entries that rise, up to the first that does not. It answers errIndex where the file
// is missing, torn or not made of rising entries; what was good before that is kept. Both columns are bounded by limit.
func (x *sparse) load(limit entry, pool *sync.Pool) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.loaded {
		return nil
	}
	x.loaded, x.flushed, x.tops, x.tail, x.last, x.stale = true, 0, nil, nil, entry{}, false
	f, err := x.file.acquire()
	if errors.Is(err, fs.ErrNotExist) {
		return errIndex
	}
	if err != nil {
		x.loaded = false
		return err
	}
	defer x.file.release()
	size, err := f.Size()
	if err == nil {
		err = x.read(f, size, limit, pool)
	}
	if err != nil && !errors.Is(err, errIndex) {
		x.loaded = false
	}
	return err
}

func (x *sparse) read(f vfs.File, size int64, limit entry, pool *sync.Pool) error {
	buf := pool.Get().(*[]byte)
	defer pool.Put(buf)
	w := x.width()
	for at := int64(0); at < size; {
		p := (*buf)[:min(int64(len(*buf)/w*w), size-at)]
		if _, err := f.ReadAt(p, at); err != nil {
			return err
		}
		at += int64(len(p))
		good := 0
		for ; good+w <= len(p); good += w {
			e := x.decode(p[good:])
			first := x.flushed == 0 && good == 0
			if e == (entry{}) && !x.wide || e.a < 0 || e.b < 0 || e.a > limit.a || e.b > limit.b || !first && (e.a <= x.last.a || e.b <= x.last.b) {
				break
			}
			x.last = e
		}
		x.adopt(p[:good])
		if good < len(p) { // the rest of the file is no index
			x.stale = x.flushed == 0
			return errors.Join(errIndex, f.Truncate(int64(x.flushed*w)))
		}
	}
	return nil
}

// keepBelow cuts all entries whose column is limit or more. Only the appender calls it.
func (x *sparse) keepBelow(c column, limit int64, pool *sync.Pool) error {
	e, ok, err := x.floor(c, limit-1, pool)
	if err != nil || !ok {
		x.reset()
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	w := x.width()
	for n := len(x.tail); n > 0; n -= w {
		if x.decode(x.tail[n-w:]) == e {
			x.tail, x.last = x.tail[:n], e
			return nil
		}
	}
	x.tail, x.last = x.tail[:0], e
	return x.cutFile(e, pool)
}

// cutFile makes e the last entry of the file.
func (x *sparse) cutFile(e entry, pool *sync.Pool) error {
	f, err := x.file.acquire()
	if err != nil {
		return err
	}
	defer x.file.release()
	buf := pool.Get().(*[]byte)
	defer pool.Put(buf)
	w := x.width()
	for len(x.tops) > 0 && x.tops[len(x.tops)-1].a > e.a {
		x.tops = x.tops[:len(x.tops)-1]
	}
	first := (len(x.tops) - 1) * blockEntries
	p := (*buf)[:min(blockEntries, x.flushed-first)*w]
	if _, err := f.ReadAt(p, int64(first*w)); err != nil {
		return err
	}
	n := 0
	for n*w < len(p) && x.decode(p[n*w:]).a <= e.a {
		n++
	}
	x.flushed = first + n
	return f.Truncate(int64(x.flushed * w))
}

// pending is the number of entries that are not in the file.
func (x *sparse) pending() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.tail) / x.width()
}
