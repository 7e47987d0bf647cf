package commitlog

import (
	"errors"
	"fmt"

	"holdfast/internal/proto/record"
)

// OffsetForTime finds the first record, from Start on, whose timestamp is at least ms; ok is false where there is none.
// Safe for concurrent use.
func (l *Log) OffsetForTime(ms int64) (offset, timestampMs int64, ok bool, err error) {
	for {
		gen := l.gen.Load()
		offset, timestampMs, ok, err = l.offsetForTime(ms)
		if l.gen.Load() == gen {
			return offset, timestampMs, ok, err
		}
	}
}

func (l *Log) offsetForTime(ms int64) (offset, timestampMs int64, ok bool, err error) {
	for _, s := range l.segments() {
		v := l.view(s)
		if v.next <= l.Start() || v.size == 0 {
			continue
		}
		t, err := l.stampsOf(s)
		if err != nil {
			return 0, 0, false, err
		}
		if t.max < ms {
			continue
		}
		offset, timestampMs, ok, err = l.searchTime(s, v, ms)
		if ok || err != nil {
			return offset, timestampMs, ok, err
		}
	}
	return 0, 0, false, nil
}

func (l *Log) searchTime(s *segment, v view, ms int64) (offset, timestampMs int64, ok bool, err error) {
	w, err := s.walk(v)
	if err != nil {
		return 0, 0, false, err
	}
	defer w.close()
	pos, err := l.timeStart(s, &w, ms)
	from := s.base // where pos is not 0, timeStart has seen a batch there
	for err == nil && pos < v.size {
		if d, in := l.damageAt(s, pos); in {
			pos, from = d.Until, d.To
			continue
		}
		b, n, err := w.header(pos)
		if errors.Is(err, errHeader) {
			return 0, 0, false, l.rotten(s, pos, from, v.gen)
		}
		if err != nil {
			return 0, 0, false, err
		}
		if b.MaxTimestamp() >= ms && b.LastOffset() >= l.Start() {
			offset, timestampMs, ok, err = l.searchBatch(s, pos, n, v.gen, func(at, ts int64) bool { return ts >= ms && at >= l.Start() })
			if ok || err != nil {
				return offset, timestampMs, ok, err
			}
		}
		pos, from = pos+n, b.NextOffset()
	}
	return 0, 0, false, err
}

// timeStart is a position before which no record is as late as ms. An entry that does not describe the batch it names is
// not believed.
func (l *Log) timeStart(s *segment, w *walker, ms int64) (int64, error) {
	if err := l.load(s); err != nil {
		return 0, err
	}
	e, ok, err := s.times.floor(colA, ms, &s.files.small)
	if errors.Is(err, errIndex) || !ok {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	p, ok, err := l.find(s, s.base+e.b, view{size: w.limit, gen: w.gen})
	if err != nil || !ok {
		return 0, err
	}
	b, _, err := w.header(p.pos)
	if errors.Is(err, errHeader) || err == nil && (b.LastOffset() != s.base+e.b || b.MaxTimestamp() != e.a) {
		return 0, nil
	}
	return p.pos, err
}

// searchBatch reads one batch and returns the first record that want accepts.
func (l *Log) searchBatch(s *segment, pos, size int64, gen uint64, want func(offset, timestampMs int64) bool) (offset, timestampMs int64, ok bool, err error) {
	f, err := s.log.acquire()
	if err != nil {
		return 0, 0, false, err
	}
	defer s.log.release()
	p := make([]byte, size)
	if n, err := f.ReadAt(p, pos); err != nil && n < len(p) {
		return 0, 0, false, err
	}
	b := record.Batch(p)
	if !b.CheckCRC() {
		return 0, 0, false, l.rotten(s, pos, b.BaseOffset(), gen)
	}
	for r, err := range b.Records(nil) {
		if err != nil {
			return 0, 0, false, fmt.Errorf("%s: batch at offset %d: %w", l.dir, b.BaseOffset(), err)
		}
		if at, ts := b.BaseOffset()+int64(r.OffsetDelta), b.Timestamp(r); want(at, ts) {
			return at, ts, true, nil
		}
	}
	return 0, 0, false, nil
}

// MaxTimestamp is the first record with the largest timestamp of the log; offset and timestamp are -1 where no record has
// one. Safe for concurrent use.
func (l *Log) MaxTimestamp() (offset, timestampMs int64, err error) {
	var in *segment
	best := stamps{max: -1}
	for _, s := range l.segments() {
		if size, _ := s.extent(); size == 0 {
			continue
		}
		t, err := l.stampsOf(s)
		if err != nil {
			return -1, -1, err
		}
		if t.max > best.max {
			in, best = s, t
		}
	}
	if in == nil {
		return -1, -1, nil
	}
	v := l.view(in)
	p, ok, err := l.find(in, best.maxOffset, v)
	if err != nil || !ok {
		return -1, -1, err
	}
	w, err := in.walk(v)
	if err != nil {
		return -1, -1, err
	}
	defer w.close()
	_, n, err := w.header(p.pos)
	if err != nil {
		return -1, -1, err
	}
	offset, timestampMs, ok, err = l.searchBatch(in, p.pos, n, v.gen, func(_, ts int64) bool { return ts == best.max })
	if err != nil || !ok {
		return -1, -1, err
	}
	return offset, timestampMs, nil
}

// stampsOf is what a segment knows of its timestamps. An older segment's largest is the last entry of its time index, if
// the batch that it names agrees; else all headers are read.
func (l *Log) stampsOf(s *segment) (stamps, error) {
	if t := s.stamps(); t.known {
		return t, nil
	}
	if err := l.load(s); err != nil {
		return stamps{}, err
	}
	if t := s.stamps(); t.known { // rebuilt
		return t, nil
	}
	v := l.view(s)
	if e, ok := s.times.lastEntry(); ok {
		w, err := s.walk(v)
		if err != nil {
			return stamps{}, err
		}
		defer w.close()
		p, ok, err := l.find(s, s.base+e.b, v)
		if err != nil {
			return stamps{}, err
		}
		if b, _, err := w.header(p.pos); ok && err == nil && b.LastOffset() == s.base+e.b && b.MaxTimestamp() == e.a {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.clock.known, s.clock.max, s.clock.maxOffset = true, e.a, s.base+e.b
			return s.clock, nil
		}
	}
	if v.size == 0 {
		return stamps{known: true, max: -1, first: unread}, nil
	}
	if err := l.rebuild(s); err != nil {
		return stamps{}, err
	}
	return s.stamps(), nil
}
