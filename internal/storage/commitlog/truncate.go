package commitlog

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"holdfast/internal/core/producer"
	"holdfast/internal/proto/record"
	"holdfast/internal/storage/vfs"
)

// TruncateTo removes all batches that reach to offset or beyond: a follower goes back to where it agrees with its
// leader. It changes nothing at End or above; below the first segment it is ResetTo. Recovery point and start fall with it;
// the caller writes both down before, for Open takes a recovery point beyond the end for lost data and a start beyond it
// for a log that was emptied. After an error the log takes no appends until it is opened anew.
func (l *Log) TruncateTo(offset int64) error {
	if l.failed != nil {
		return l.failed
	}
	if offset >= l.End() {
		return nil
	}
	segs := l.segments()
	if len(segs) == 0 || offset < segs[0].base {
		return l.ResetTo(offset)
	}
	i := sort.Search(len(segs), func(i int) bool { return segs[i].base > offset }) - 1
	if err := l.truncate(segs, i, offset); err != nil {
		l.failed = fmt.Errorf("truncate %s to %d: %w", l.dir, offset, err)
		return l.failed
	}
	return nil
}

func (l *Log) truncate(segs []*segment, i int, offset int64) error {
	s := segs[i]
	size := s.size.Load()
	if err := l.load(s); err != nil {
		return err
	}
	if err := l.loadTxns(s); err != nil {
		return err
	}
	p, ok, err := l.find(s, offset, l.view(s))
	if errors.Is(err, ErrDamaged) { // just found: now it is known, and a place to cut at
		p, ok, err = l.find(s, offset, l.view(s))
	}
	if err != nil {
		return err
	}
	cut, end := size, offset
	if ok {
		cut, end = p.pos, min(offset, p.base)
	}
	l.end.Store(end)
	l.start.Store(min(l.Start(), end))
	l.publish(slices.Clone(segs[:i+1]))
	s.grow(cut, end)
	s.endKnown.Store(true)
	l.outdate(func(d Damage) bool { return d.To <= end })
	l.synced = min(l.synced, end)
	l.cleaned.Store(min(l.cleaned.Load(), end))
	l.active = s

	for _, gone := range segs[i+1:] {
		all := gone.all()
		if err := l.removeFiles(all[:]); err != nil {
			return err
		}
	}
	if err := l.cutFiles(s, cut, end); err != nil {
		return err
	}
	if err := l.dropSnapshots(func(at int64) bool { return at > end }); err != nil {
		return err
	}
	l.durable = -1
	l.epochs.cutEnd(end)
	if l.producers.Len() > 0 {
		_, err = l.replay(end, end, l.nowMs)
	}
	return err
}

// outdate makes readers throw away what they found before, damage included that one is about to report.
func (l *Log) outdate(keep func(Damage) bool) {
	l.finding.Lock()
	defer l.finding.Unlock()
	l.gen.Add(1)
	l.finished = 0
	l.filterDamage(keep)
	l.hints.clear()
}

// cutFiles cuts a segment's files to a size and an end.
func (l *Log) cutFiles(s *segment, size, end int64) error {
	s.rebuilding.Lock() // a reader may be about to replace the indexes
	defer s.rebuilding.Unlock()
	f, err := s.log.acquire()
	if err != nil {
		return err
	}
	defer s.log.release()
	if err := f.Truncate(size); err != nil {
		return err
	}
	l.soil(s.log)
	if err := s.offsets.keepBelow(colA, end-s.base, &l.files.small); err != nil {
		return err
	}
	if err := s.times.keepBelow(colB, end-s.base, &l.files.small); err != nil {
		return err
	}
	l.soilIfOpen(s.offsets.file)
	l.soilIfOpen(s.times.file)
	s.txns.keepBelow(end)
	s.sinceIndex = 0
	return l.restamp(s)
}

// soilIfOpen has a cut index file synced; one that does not exist needs none.
func (l *Log) soilIfOpen(h *file) {
	l.files.mu.Lock()
	open := h.f != nil
	l.files.mu.Unlock()
	if open {
		l.soil(h)
	}
}

// restamp finds the timestamps of a segment whose end has changed: from its last time entry on.
func (l *Log) restamp(s *segment) error {
	st := stamps{known: true, max: -1, first: unread}
	pos := int64(0)
	if e, ok := s.times.lastEntry(); ok {
		st.max, st.maxOffset = e.a, s.base+e.b
		if at, ok, err := s.offsets.floor(colA, e.b, &l.files.small); err == nil && ok {
			pos = at.b
		}
	}
	w, err := s.walk(l.view(s))
	if err != nil {
		return err
	}
	defer w.close()
	if first, _, err := w.header(0); err == nil {
		st.first = first.MaxTimestamp()
	}
	for pos < w.limit {
		b, size, err := w.header(pos)
		if errors.Is(err, errHeader) {
			if d, in := l.damageAt(s, pos); in {
				pos = d.Until
				continue
			}
			break
		}
		if err != nil {
			return err
		}
		if b.MaxTimestamp() > st.max {
			st.max, st.maxOffset = b.MaxTimestamp(), b.LastOffset()
		}
		pos += size
	}
	s.mu.Lock()
	s.clock = st
	s.mu.Unlock()
	return nil
}

// ResetTo empties the log; it goes on at offset, which is Start and End then. A follower does this whose leader's log
// begins beyond its own.
func (l *Log) ResetTo(offset int64) error {
	if l.failed != nil {
		return l.failed
	}
	if offset < 0 {
		return fmt.Errorf("reset %s to offset %d: %w", l.dir, offset, ErrOutOfRange)
	}
	if err := l.reset(offset); err != nil {
		l.failed = fmt.Errorf("reset %s to %d: %w", l.dir, offset, err)
		return l.failed
	}
	return nil
}

func (l *Log) reset(offset int64) error {
	segs := l.segments()
	l.start.Store(min(l.Start(), offset)) // start <= end at every moment
	l.end.Store(offset)
	l.start.Store(offset)
	l.publish(nil)
	l.outdate(func(Damage) bool { return false })
	l.synced = min(l.synced, offset)
	l.cleaned.Store(min(l.cleaned.Load(), offset))
	l.active = nil
	l.epochs.clear()
	l.producers = producer.State{}
	for _, s := range segs {
		all := s.all()
		if err := l.removeFiles(all[:]); err != nil {
			return err
		}
	}
	if err := l.dropSnapshots(func(int64) bool { return true }); err != nil {
		return err
	}
	l.durable = -1
	if len(segs) == 0 {
		return nil // no file before the first append
	}
	return l.begin(offset, l.nowMs) // so that the folder says where the log goes on
}

// replay makes the state of the producers anew: the newest snapshot that is valid and not above limit, and the batches
// after it. Markers of aborted transactions at txnFrom or above go into the transaction indexes. It reads headers only, and
// leaves every later segment with a snapshot at its base.
func (l *Log) replay(limit, txnFrom, nowMs int64) (read int64, err error) {
	from, err := l.restore(limit, nowMs)
	if err != nil {
		return 0, err
	}
	for _, s := range l.segments() {
		v := l.view(s)
		if s.base > from { // the snapshots above limit were not trusted: make them anew
			if err := l.writeSnapshot(s.base); err != nil {
				return read, err
			}
		}
		if v.next <= from || v.size == 0 {
			continue
		}
		n, err := l.visit(s, from, v, func(b record.Batch) { l.learn(s, b, nowMs, txnFrom) })
		read += n
		if err != nil {
			return read, err
		}
	}
	return read, nil
}

// restore loads the newest usable snapshot and returns its offset, or where the log begins. Broken ones are removed.
func (l *Log) restore(limit, nowMs int64) (from int64, err error) {
	l.producers = producer.State{}
	for i := len(l.snapshots) - 1; i >= 0; i-- {
		at := l.snapshots[i]
		if at > limit {
			continue
		}
		p, err := vfs.ReadFile(l.fs, l.name(at, snapshotSuffix), maxSnapshotBytes)
		if err != nil {
			return 0, err
		}
		entries, err := ParseSnapshot(p, nowMs)
		if err == nil {
			l.producers.Restore(entries)
			return at, nil
		}
		if err := l.dropSnapshots(func(o int64) bool { return o == at }); err != nil {
			return 0, err
		}
	}
	if segs := l.segments(); len(segs) > 0 {
		return segs[0].base, nil
	}
	return l.End(), nil
}

// maxSnapshotBytes bounds what a snapshot may be; five million producers fit.
const maxSnapshotBytes = 1 << 30

// visit calls do for every batch of a segment from an offset on, read without its records unless it is a control batch.
// Quarantined bytes are left out.
func (l *Log) visit(s *segment, from int64, v view, do func(record.Batch)) (read int64, err error) {
	p := place{0, s.base}
	if from > s.base {
		var ok bool
		p, ok, err = l.find(s, from, v)
		if errors.Is(err, ErrDamaged) {
			p, ok, err = l.find(s, from, v)
		}
		if err != nil || !ok {
			return 0, err
		}
	}
	w, err := s.walk(v)
	if err != nil {
		return 0, err
	}
	defer w.close()
	for pos := p.pos; pos < v.size; {
		if d, in := l.damageAt(s, pos); in {
			pos = d.Until
			continue
		}
		b, n, err := w.header(pos)
		if errors.Is(err, errHeader) {
			if err := l.rotten(s, pos, max(from, s.base), v.gen); errors.Is(err, ErrDamaged) {
				continue
			}
			return w.read, err
		}
		if err != nil {
			return w.read, err
		}
		if b.Control() && b.ProducerID() >= 0 {
			if b, err = w.whole(pos, n); err != nil {
				return w.read, err
			}
		}
		if b.BaseOffset() >= from {
			do(b)
		}
		from = max(from, b.NextOffset())
		pos += n
	}
	return w.read, nil
}

// maxControlBytes bounds a control batch; a marker has 78 bytes.
const maxControlBytes = 4 << 10

// whole reads the batch at pos with its records, if it is no larger than a control batch can be.
func (w *walker) whole(pos, size int64) (record.Batch, error) {
	p := make([]byte, min(size, maxControlBytes))
	if n, err := w.f.ReadAt(p, pos); err != nil && n < len(p) {
		return nil, err
	}
	return record.Batch(p), nil
}
