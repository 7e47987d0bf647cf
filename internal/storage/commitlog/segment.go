package commitlog

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"sync"
	"sync/atomic"

	"holdfast/internal/proto/record"
	"holdfast/internal/storage/vfs"
)

// segment is a run of batches in one .log file, with its indexes. The last segment of a log is written to, the others
// never change again.
//
// size and next are published by the appender after the bytes are in the file; readers never look beyond size.
type segment struct {
	base    int64
	files   *Files
	log     *file
	offsets sparse
	times   sparse
	txns    txnIndex

	size atomic.Int64 // bytes of whole batches; the file may be longer: zeros prepared ahead
	next atomic.Int64 // the offset after the last batch

	endKnown atomic.Bool // next is read from the batches, not taken from the successor's name

	rebuilding sync.Mutex // one rebuild at a time

	mu    sync.Mutex // clock; size and next together
	clock stamps

	// The appender's own.
	sinceIndex int64 // bytes since the last index entry
	createdMs  int64
	jitterMs   int64
}

// stamps is what a segment knows of its timestamps, in ms.
type stamps struct {
	known     bool  // false: not read from the time index yet
	max       int64 // -1: none
	maxOffset int64 // the last offset of the first batch that has max
	first     int64 // largest of the first batch; -1: none, -2: not read yet
}

const unread = -2

// maxSegmentBytes is what a position in an index can address.
const maxSegmentBytes = math.MaxInt32

func (l *Log) newSegment(base int64) *segment {
	at := func(suffix string) *file { return l.files.file(path.Join(l.dir, fileName(base, suffix))) }
	s := &segment{base: base, files: l.files, log: at(logSuffix), jitterMs: jitter(l.dir, base, l.conf().SegmentJitter.Milliseconds())}
	s.offsets.file = at(indexSuffix)
	s.times.file, s.times.wide = at(timeSuffix), true
	s.txns.file = at(txnSuffix)
	s.next.Store(base)
	s.clock = stamps{max: -1, first: unread}
	return s
}

// jitter spreads the rolls of many partitions over a while: a fixed number of each segment, so that storage needs no
// random source.
func jitter(dir string, base, limit int64) int64 {
	if limit <= 0 {
		return 0
	}
	h := uint64(14695981039346656037)
	for _, c := range []byte(dir) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	h = (h ^ uint64(base)) * 1099511628211
	return int64(h>>1) % limit
}

// all lists every file that the segment may have.
func (s *segment) all() [4]*file { return [4]*file{s.log, s.offsets.file, s.times.file, s.txns.file} }

// stamp counts a batch's timestamp.
func (s *segment) stamp(maxMs, last int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clock.first == unread {
		s.clock.first = maxMs
	}
	if maxMs > s.clock.max {
		s.clock.max, s.clock.maxOffset = maxMs, last
	}
}

// grow publishes appended batches, or what a truncation left.
func (s *segment) grow(size, next int64) {
	s.mu.Lock()
	s.next.Store(next)
	s.size.Store(size)
	s.mu.Unlock()
}

// extent is the size and the offset there, of one moment.
func (s *segment) extent() (size, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size.Load(), s.next.Load()
}

// view is a segment at one moment. gen is from before the rest was looked at: if it is still the log's when something
// looks wrong, no truncation explains it.
type view struct {
	size, next int64
	gen        uint64
}

func (l *Log) view(s *segment) view {
	v := view{gen: l.gen.Load()}
	v.size, v.next = s.extent()
	return v
}

func (s *segment) stamps() stamps {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

// index adds an entry to both indexes where the batch at pos is the interval away from the last one. Kafka's rule: an
// entry points at a batch and names its last offset.
func (s *segment) index(last, pos, size int64, interval int) {
	if s.sinceIndex > int64(interval) {
		s.offsets.add(entry{last - s.base, pos})
		if t := s.stamps(); t.max >= 0 {
			s.times.add(entry{t.max, t.maxOffset - s.base})
		}
		s.sinceIndex = 0
	}
	s.sinceIndex += size
}

// walker reads batch headers in order through one pooled buffer.
type walker struct {
	seg   *segment
	f     vfs.File
	pool  *[]byte
	limit int64 // bytes of the segment
	gen   uint64
	buf   []byte
	at    int64 // position of buf[0]
	n     int   // bytes in buf
	read  int64 // bytes read so far
}

// errHeader says that the bytes at a position are not the header of a batch that fits in the segment.
var errHeader = errors.New("no batch header")

// header returns a view of the header of the batch at pos, valid until the next call, and the batch's size.
func (w *walker) header(pos int64) (record.Batch, int64, error) {
	if pos < 0 || w.limit-pos < record.HeaderSize {
		return nil, 0, errHeader
	}
	if pos < w.at || pos+record.HeaderSize > w.at+int64(w.n) {
		n, err := w.f.ReadAt(w.buf[:min(int64(len(w.buf)), w.limit-pos)], pos)
		w.read += int64(n)
		if n < record.HeaderSize {
			w.n = 0
			if err == nil || err == io.EOF {
				err = errHeader
			}
			return nil, 0, err
		}
		w.at, w.n = pos, n
	}
	b := record.Batch(w.buf[pos-w.at:][:record.HeaderSize])
	size, ok := headerSize(b)
	if !ok || size > w.limit-pos {
		return nil, 0, errHeader
	}
	return b, size, nil
}

// headerSize reads the size of the batch that a header is of; ok says that the header can be one.
func headerSize(b record.Batch) (size int64, ok bool) {
	length := int64(b[8])<<24 | int64(b[9])<<16 | int64(b[10])<<8 | int64(b[11])
	size = length + 12
	ok = b[16] == 2 && length < math.MaxInt32-12 && size >= record.HeaderSize &&
		b.BaseOffset() >= 0 && b.LastOffsetDelta() >= 0 && b.BaseOffset() < math.MaxInt64-1-math.MaxInt32
	return size, ok
}

// walk opens a walker over what the view shows; close gives its buffer and file back.
func (s *segment) walk(v view) (walker, error) {
	f, err := s.log.acquire()
	if err != nil {
		return walker{}, err
	}
	buf := s.files.small.Get().(*[]byte)
	return walker{seg: s, f: f, limit: v.size, gen: v.gen, pool: buf, buf: *buf}, nil
}

func (w *walker) close() {
	w.seg.files.small.Put(w.pool)
	w.seg.log.release()
}

// load brings the sparse indexes into memory, rebuilt from the batches where the files cannot be trusted.
func (l *Log) load(s *segment) error {
	limit := entry{math.MaxInt32, s.size.Load() - 1}
	errOffsets := s.offsets.load(limit, &s.files.small)
	errTimes := s.times.load(entry{math.MaxInt64, math.MaxInt32}, &s.files.small)
	for _, err := range [...]error{errOffsets, errTimes} {
		if err != nil && !errors.Is(err, errIndex) {
			return fmt.Errorf("load index of segment %d: %w", s.base, err)
		}
	}
	if errOffsets == nil && errTimes == nil || s.size.Load() == 0 {
		return nil
	}
	return l.rebuild(s)
}

// rebuild makes both sparse indexes anew from the headers of all batches. Readers may call it, also while batches are
// appended: entries that the appender added meanwhile are kept.
func (l *Log) rebuild(s *segment) error {
	interval := l.conf().IndexInterval
	s.rebuilding.Lock()
	defer s.rebuilding.Unlock()
	size := s.size.Load()
	w, err := s.walk(view{size: size})
	if err != nil {
		return err
	}
	defer w.close()
	fresh := segment{base: s.base}
	fresh.times.wide = true
	fresh.clock = stamps{max: -1, first: unread}
	from := s.base
	for pos := int64(0); pos < size; {
		b, n, err := w.header(pos)
		if err != nil {
			if errors.Is(err, errHeader) {
				break // rot: what follows is found by whoever reads it
			}
			return err
		}
		fresh.stamp(b.MaxTimestamp(), b.LastOffset())
		if from < 0 || l.follows(b, from) {
			fresh.index(b.LastOffset(), pos, n, interval)
			from = b.NextOffset()
		} else {
			from = -1 // its offset is wrong: no entry may name it
		}
		pos += n
	}
	if s.size.Load() < size {
		return nil // truncated meanwhile, and about to be cut
	}
	s.mu.Lock()
	if !s.clock.known {
		fresh.clock.known = true
		s.clock = fresh.clock
	}
	s.mu.Unlock()
	newer := func(x *sparse, y *sparse, c column, from int64) {
		x.mu.Lock()
		tail := append([]byte(nil), x.tail...)
		x.mu.Unlock()
		for w := x.width(); len(tail) >= w; tail = tail[w:] {
			if e := x.decode(tail); e.col(c) >= from {
				y.add(e)
			}
		}
		x.replace(y.tail)
	}
	newer(&s.offsets, &fresh.offsets, colB, size)
	last, _ := fresh.offsets.lastEntry()
	newer(&s.times, &fresh.times, colB, last.a)
	return nil
}
