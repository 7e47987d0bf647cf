package commitlog

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"holdfast/internal/proto/record"
)

// rotten quarantines the bytes at pos, where a batch with the offset from, or a later one, should be. Readers call it;
// the error is a *DamagedError, or ErrTruncated if a truncation explains what was read.
func (l *Log) rotten(s *segment, pos, from int64, gen uint64) error {
	l.finding.Lock()
	defer l.finding.Unlock()
	if l.gen.Load() != gen {
		return ErrTruncated
	}
	if d, known := l.damageAt(s, pos); known {
		return &DamagedError{Dir: l.dir, Damage: d}
	}
	size, next := s.extent()
	pos, from = l.blame(s, pos, from, size)
	d, err := l.extent(s, pos, from, size, next)
	if err != nil {
		return err
	}
	if l.gen.Load() != gen {
		return ErrTruncated
	}
	l.quarantine(d)
	return &DamagedError{Dir: l.dir, Damage: d}
}

// missing quarantines offsets whose batches are not in their segment: it ends too early.
func (l *Log) missing(s *segment, from int64, v view) {
	l.finding.Lock()
	defer l.finding.Unlock()
	now, next := s.extent()
	if s.endKnown.Load() || l.gen.Load() != v.gen || now != v.size || from >= next { // another reader was first, or a truncation
		return
	}
	s.grow(now, from)
	l.quarantine(Damage{From: from, To: next, Segment: s.base, Position: now, Until: now, Reason: "the file ends too early"})
}

// hole quarantines offsets that no batch has, where gaps cannot be: several things are wrong at once, or a quarantined
// range swallowed a good batch.
func (l *Log) hole(s *segment, from int64, to place, v view) error {
	l.finding.Lock()
	defer l.finding.Unlock()
	if l.gen.Load() != v.gen {
		return ErrTruncated
	}
	d := Damage{From: from, To: to.base, Segment: s.base, Position: to.pos, Until: to.pos, Reason: "no batch has these offsets"}
	l.quarantine(d)
	return &DamagedError{Dir: l.dir, Damage: d}
}

func (l *Log) quarantine(d Damage) {
	d.From = min(d.From, d.To) // what came before may have had a wrong offset, too
	all := append(slices.Clone(l.Damaged()), d)
	slices.SortFunc(all, func(a, b Damage) int { return cmp.Compare(a.From, b.From) })
	l.damage.Store(&all)
	l.hints.clear()
}

// blame goes one batch back where that is the one at fault: a length or last offset that was changed is noticed only by
// what should follow.
func (l *Log) blame(s *segment, pos, from, size int64) (int64, int64) {
	w, err := s.walk(view{size: size})
	if err != nil {
		return pos, from
	}
	defer w.close()
	for below := pos; below > 0; {
		e, ok, err := s.offsets.floor(colB, below-1, &s.files.small)
		if err != nil || !ok || s.confirm(&w, e) != nil {
			e.b = 0
		}
		if at, want, landed := s.endingAt(&w, e.b, pos); landed {
			if _, known := l.damageAt(s, at); known {
				return pos, from
			}
			if _, good := l.goodAt(s, at, want, size, math.MaxInt64); !good {
				return at, want
			}
			return pos, from
		}
		below = e.b // the walk that failed came over an earlier batch
	}
	return pos, from
}

// endingAt walks from a batch to the one that ends at pos, and returns its place.
func (s *segment) endingAt(w *walker, start, pos int64) (at, want int64, ok bool) {
	want = s.base
	for at = start; at < pos; {
		b, n, err := w.header(at)
		if err != nil {
			return 0, 0, false
		}
		if at == start && start > 0 {
			want = b.BaseOffset()
		}
		if at+n == pos {
			return at, want, true
		}
		at, want = at+n, b.NextOffset()
	}
	return 0, 0, false
}

// extent measures a damage: it ends where good batches begin again, at the latest at limit and to, the offset there.
func (l *Log) extent(s *segment, pos, from, limit, to int64) (Damage, error) {
	d := Damage{From: from, To: to, Segment: s.base, Position: pos, Until: limit, Reason: "no batch follows"}
	w, err := s.walk(view{size: limit})
	if err != nil {
		return d, err
	}
	defer w.close()
	b, size, err := w.header(pos)
	switch {
	case err == nil && b.BaseOffset() >= from && b.LastOffset() < to:
		d.Reason = "the checksum of a batch is wrong"
	case err == nil:
		d.Reason = fmt.Sprintf("a batch says that it has offset %d", b.BaseOffset())
	case !errors.Is(err, errHeader):
		return d, err
	default:
		d.Reason = "there is no batch"
	}
	if err == nil { // usually the header is whole, and the next batch is where it says
		last := b.LastOffset()
		if base, ok := l.goodAt(s, pos+size, last+1, limit, to); ok && base == last+1 || pos+size == limit && last+1 == to {
			d.To, d.Until = last+1, pos+size
			return d, nil
		}
	}
	return d, l.resync(s, &d, limit, to)
}

// goodAt tells whether an intact batch is at pos, with an offset of at least from and below to.
func (l *Log) goodAt(s *segment, pos, from, limit, to int64) (base int64, ok bool) {
	sc := l.scan(s, pos, limit)
	defer sc.close()
	b, _, err := sc.next()
	if err != nil || b.BaseOffset() < from || b.LastOffset() >= to {
		return 0, false
	}
	return b.BaseOffset(), true
}

// resync looks byte by byte for the next intact batch that is followed by another, or by the end: a batch that a user
// keeps inside a record is not.
func (l *Log) resync(s *segment, d *Damage, limit, to int64) error {
	f, err := s.log.acquire()
	if err != nil {
		return err
	}
	defer s.log.release()
	buf := l.files.big.Get().(*[]byte)
	defer l.files.big.Put(buf)
	const overlap = record.HeaderSize - 1
	for at := d.Position + 1; limit-at >= record.HeaderSize; at += int64(len(*buf)) - overlap {
		p := (*buf)[:min(int64(len(*buf)), limit-at)]
		n, err := f.ReadAt(p, at)
		if err != nil && err != io.EOF {
			return err
		}
		for i := 0; i+record.HeaderSize <= n; i++ {
			b := record.Batch(p[i : i+record.HeaderSize])
			if b[16] != 2 || b.BaseOffset() < d.From || b.BaseOffset() >= to {
				continue
			}
			size, ok := headerSize(b)
			pos, next := at+int64(i), b.NextOffset()
			if !ok || size > limit-pos {
				continue
			}
			base, ok := l.goodAt(s, pos, d.From, limit, to)
			if !ok {
				continue
			}
			if _, followed := l.goodAt(s, pos+size, next, limit, to); followed || pos+size == limit && (next == to || to == math.MaxInt64) {
				d.To, d.Until = base, pos
				return nil
			}
		}
	}
	return nil
}
