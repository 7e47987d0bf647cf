package commitlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"sort"

	"holdfast/internal/proto/record"
)

// Span is a run of whole batches in one segment, found by Locate and read by ReadAt. It is a value; it holds nothing open.
type Span struct {
	Len         int   // bytes; 0: nothing to read there (yet)
	FirstOffset int64 // base offset of the first batch; the asked offset if Len is 0
	NextOffset  int64 // the offset after the last batch; where to go on
	log         *Log
	seg         *segment
	pos         int64
	gen         uint64
}

// Position is where the span begins: base offset of its segment, byte in its file.
func (s Span) Position() (segment, pos int64) {
	if s.seg == nil {
		return 0, 0
	}
	return s.seg.base, s.pos
}

// ReadAt reads the whole span into p, which must be Len bytes long, and checks every batch against its checksum: what
// the disk changed is not served but quarantined, with an error that is ErrDamaged. ErrTruncated means that the log was
// truncated since Locate, ErrOutOfRange that the segment was removed since. It does not allocate.
func (s Span) ReadAt(p []byte) error {
	if s.Len == 0 {
		return nil
	}
	if len(p) != s.Len {
		return fmt.Errorf("read of %d bytes into a buffer of %d", s.Len, len(p))
	}
	f, err := s.seg.log.acquire()
	if errors.Is(err, fs.ErrNotExist) {
		return s.log.vanished(s.seg, s.gen)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", s.log.dir, err)
	}
	n, err := f.ReadAt(p, s.pos)
	s.seg.log.release()
	if s.log.gen.Load() != s.gen {
		return ErrTruncated
	}
	if n < len(p) && err != nil && err != io.EOF {
		return fmt.Errorf("read %s: %w", s.log.dir, err)
	}
	return s.check(p[:n])
}

// check goes through what was read. Base offset and leader epoch are outside the checksum, but both are known.
func (s Span) check(p []byte) error {
	pos, want := s.pos, s.FirstOffset
	for end := s.pos + int64(s.Len); pos < end; {
		b, rest, err := record.Next(p)
		if err != nil || !s.log.follows(b, want) || !b.CheckCRC() || b.NextOffset() > s.NextOffset || !s.log.epochRight(b) {
			return s.log.rotten(s.seg, pos, want, s.gen)
		}
		pos, want, p = pos+int64(len(b)), b.NextOffset(), rest
	}
	if !s.log.mayMiss(want, s.NextOffset) {
		return s.log.hole(s.seg, want, place{pos, s.NextOffset}, view{gen: s.gen})
	}
	return nil
}

// follows tells whether a batch may be where the offset want should be.
func (l *Log) follows(b record.Batch, want int64) bool {
	return b.BaseOffset() == want || b.BaseOffset() > want && l.mayMiss(want, b.BaseOffset())
}

// vanished is the error for a segment file that is not there: the log was truncated, or another segment is in its place
// since compaction, or retention took it away.
func (l *Log) vanished(s *segment, gen uint64) error {
	if l.gen.Load() != gen || s.next.Load() > l.Start() && !slices.Contains(l.segments(), s) {
		return ErrTruncated
	}
	return ErrOutOfRange
}

// Locate finds the whole batches from the one that contains at, up to but not including the first that reaches below or
// goes beyond maxBytes; with atLeastOne the first batch comes whatever its size. An empty span is no error: the end, or
// no room. The error is ErrOutOfRange where at is not within Start and End, and ErrDamaged where it is quarantined; a
// span ends before a quarantined range. Compaction leaves gaps, so the first batch may be after at. It does not allocate.
func (l *Log) Locate(at, below int64, maxBytes int, atLeastOne bool) (Span, error) {
	for {
		gen := l.gen.Load()
		s, err := l.locate(at, below, int64(maxBytes), atLeastOne)
		if l.gen.Load() == gen && !errors.Is(err, ErrTruncated) {
			s.gen = gen
			return s, err
		}
	}
}

func (l *Log) locate(at, below, maxBytes int64, atLeastOne bool) (Span, error) {
	end := l.End()
	if at < l.Start() || at > end {
		return Span{FirstOffset: at, NextOffset: at}, ErrOutOfRange
	}
	below = min(below, end)
	segs := l.segments()
	i := sort.Search(len(segs), func(i int) bool { return segs[i].base > at }) - 1
	for from := at; from < below && i < len(segs); i++ {
		if i < 0 { // the first batch is after a gap
			continue
		}
		limit, err := l.undamaged(from, below)
		if err != nil {
			return Span{FirstOffset: at, NextOffset: at}, err
		}
		s, found, err := l.locateIn(segs[i], from, limit, maxBytes, atLeastOne)
		if err != nil || found {
			s.log = l
			return s, err
		}
		from = max(from, segs[i].next.Load())
	}
	return Span{FirstOffset: at, NextOffset: at}, nil
}

// undamaged is the error for an offset in quarantine, else below, or less if a quarantined range comes first.
func (l *Log) undamaged(at, below int64) (int64, error) {
	for _, d := range l.Damaged() {
		if at < d.To && d.From <= at {
			return below, &DamagedError{Dir: l.dir, Damage: d}
		}
		if d.From > at {
			return min(below, d.From), nil
		}
	}
	return below, nil
}

// locateIn finds the span in one segment; found is false where the segment has no batch from at on.
func (l *Log) locateIn(s *segment, at, below, maxBytes int64, atLeastOne bool) (Span, bool, error) {
	v := l.view(s)
	size, next := v.size, v.next
	none := Span{FirstOffset: at, NextOffset: at}
	if at >= next {
		return none, false, nil
	}
	first, ok, err := l.find(s, at, v)
	if err == nil && !ok {
		if next, err = l.confirmEnd(s, v, next); at >= next && err == nil {
			_, err = l.undamaged(at, below)
		}
	}
	if err != nil || !ok {
		return none, false, err
	}
	if !l.mayMiss(at, first.base) {
		return none, false, l.hole(s, at, first, v)
	}
	if first.base >= below {
		return none, true, nil
	}
	hi, hiNext := size, next
	if below < next {
		cut, ok, err := l.find(s, below, v)
		if err != nil {
			return none, false, err
		}
		if ok {
			hi, hiNext = cut.pos, min(below, cut.base)
		}
	}
	spoilt := false
	for _, d := range l.Damaged() {
		if d.Segment == s.base && d.Position > first.pos && d.Position <= hi && d.From >= first.base {
			hi, hiNext, spoilt = d.Position, min(hiNext, d.From), true
		}
	}
	if hi == size && !spoilt {
		if hiNext, err = l.confirmEnd(s, v, hiNext); err != nil {
			return none, false, err
		}
	}
	if hi == first.pos { // the first batch reaches to below, or says so
		if _, good := l.goodAt(s, first.pos, first.base, size, math.MaxInt64); !good {
			return none, false, l.rotten(s, first.pos, first.base, v.gen)
		}
	}
	if hi < first.pos && !l.mayMiss(at, below) { // offsets do not rise along the file
		return none, false, l.hole(s, at, place{first.pos, below}, v)
	}
	out := Span{FirstOffset: first.base, seg: s, pos: first.pos}
	if hi-first.pos > maxBytes {
		if hi, hiNext, err = l.bound(s, first, view{hi, hiNext, v.gen}, maxBytes, atLeastOne); err != nil {
			return none, false, err
		}
	}
	if hi <= first.pos {
		return none, true, nil
	}
	out.Len, out.NextOffset = int(hi-first.pos), hiNext
	if spoilt {
		return out, true, nil // the next batch is not at hi
	}
	l.remember(s, hiNext, hi, v.gen)
	return out, true, nil
}

// place is where a batch begins.
type place struct{ pos, base int64 }

// confirmEnd is where a segment that was not read at start ends: at its successor, or, where the file turns out to end
// too early, before offsets that are quarantined now.
func (l *Log) confirmEnd(s *segment, v view, next int64) (int64, error) {
	if s.endKnown.Load() || next <= l.gaps.Load() {
		return next, nil
	}
	p, ok, err := l.find(s, next-1, v)
	if err != nil {
		if errors.Is(err, ErrDamaged) {
			return next, nil // whoever reads there is told
		}
		return next, err
	}
	if !ok && p.base < next {
		l.missing(s, p.base, v)
	}
	s.endKnown.Store(true)
	return s.next.Load(), nil
}

// find is the place of the first batch whose last offset is at least offset. ok is false where the segment has none;
// the place is then its end.
func (l *Log) find(s *segment, offset int64, v view) (p place, ok bool, err error) {
	if pos, ok := l.hints.find(s, offset); ok && pos < v.size {
		return place{pos, offset}, true, nil
	}
	if err := l.load(s); err != nil {
		return p, false, err
	}
	w, err := s.walk(v)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = l.vanished(s, v.gen)
		}
		return p, false, err
	}
	defer w.close()
	start, err := s.before(&w, offset)
	if errors.Is(err, errIndex) { // the file is wrong: make it anew from the batches, and use that
		if err = l.rebuild(s); err == nil {
			start, err = s.before(&w, offset)
		}
		if errors.Is(err, errIndex) {
			start, err = 0, nil
		}
	}
	if err != nil {
		return p, false, err
	}
	return l.walkTo(s, &w, start, offset)
}

// before is the position of a batch from which the one with the offset can be reached by walking: the index says which,
// and the batch found there must be the one that the index names.
func (s *segment) before(w *walker, offset int64) (int64, error) {
	e, ok, err := s.offsets.floor(colA, offset-s.base, &s.files.small)
	if err != nil || !ok {
		return 0, err
	}
	if err := s.confirm(w, e); err != nil {
		return 0, err
	}
	return e.b, nil
}

func (s *segment) confirm(w *walker, e entry) error {
	b, _, err := w.header(e.b)
	if errors.Is(err, errHeader) || err == nil && b.LastOffset() != s.base+e.a {
		return errIndex
	}
	return err
}

// walkTo goes from batch to batch, over quarantined bytes, to the first that has the offset or a later one.
func (l *Log) walkTo(s *segment, w *walker, pos, offset int64) (p place, ok bool, err error) {
	from := s.base
	if pos > 0 {
		from = -1 // the index names the batch; it was compared
	}
	for pos < w.limit {
		if d, in := l.damageAt(s, pos); in {
			if offset < d.To {
				return place{d.Position, d.From}, true, nil
			}
			pos, from = d.Until, d.To
			continue
		}
		b, size, err := w.header(pos)
		if errors.Is(err, errHeader) || err == nil && (from >= 0 && !l.follows(b, from) || b.LastOffset() >= s.next.Load()) {
			return p, false, l.rotten(s, pos, from, w.gen)
		}
		if err != nil {
			return p, false, err
		}
		if b.LastOffset() >= offset {
			return place{pos, b.BaseOffset()}, true, nil
		}
		pos, from = pos+size, b.NextOffset()
	}
	return place{pos, from}, false, nil
}

// damageAt is the quarantined range that a position is in.
func (l *Log) damageAt(s *segment, pos int64) (Damage, bool) {
	for _, d := range l.Damaged() {
		if d.Segment == s.base && d.Position <= pos && pos < d.Until {
			return d, true
		}
	}
	return Damage{}, false
}

// bound is the last boundary of batches within maxBytes of the first one, and the offset there.
func (l *Log) bound(s *segment, first place, v view, maxBytes int64, atLeastOne bool) (pos, next int64, err error) {
	w, err := s.walk(v)
	if err != nil {
		return 0, 0, err
	}
	defer w.close()
	pos, next = first.pos, first.base
	if e, ok, err := s.offsets.floor(colB, first.pos+maxBytes, &s.files.small); err == nil && ok && e.b > first.pos && s.confirm(&w, e) == nil {
		if b, _, err := w.header(e.b); err == nil && b.BaseOffset() > first.base {
			pos, next = e.b, b.BaseOffset()
		}
	}
	for pos < v.size {
		b, size, err := w.header(pos)
		if errors.Is(err, errHeader) || err == nil && !l.follows(b, next) {
			if pos > first.pos {
				return pos, next, nil // whoever goes on from here finds the rot
			}
			return 0, 0, l.rotten(s, pos, next, v.gen)
		}
		if err != nil {
			return 0, 0, err
		}
		if pos+size-first.pos > maxBytes && !(atLeastOne && pos == first.pos) {
			break
		}
		pos, next = pos+size, b.NextOffset()
	}
	return pos, next, nil
}
