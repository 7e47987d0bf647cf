package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// Removed is a segment that retention took away.
type Removed struct {
	From, To int64 // offsets, To not included
	Bytes    int64
	Reason   string // "log start", "size" or "time"
}

type pendingDelete struct {
	due   time.Time
	files []*file
}

// SetStart raises the first offset that may be read, at most to End: DeleteRecords, or the leader's start. Bytes are
// removed by Retain. A lower offset changes nothing.
func (l *Log) SetStart(offset int64) error {
	if offset > l.End() {
		return fmt.Errorf("start %d of %s would be beyond its end %d: %w", offset, l.dir, l.End(), ErrOutOfRange)
	}
	if offset > l.Start() {
		l.start.Store(offset)
		l.epochs.cutStart(offset)
	}
	return nil
}

// Retain takes away the oldest segments that are below the start, exceed the size or are older than the age, as Kafka
// decides it: a segment is as old as its largest timestamp, and one that reaches above the high watermark stays. The
// active segment goes too once all of it qualifies; an empty one takes its place. Files get the suffix .deleted and are
// removed by DeletePending. The caller writes Start down, best before the files are removed.
func (l *Log) Retain(now time.Time, highWatermark int64) (removed []Removed, err error) {
	if l.failed != nil {
		return nil, l.failed
	}
	l.ExpireProducers(now)
	c := l.conf()
	excess := l.Size() - c.RetentionBytes
	for _, rule := range [...]struct {
		reason string
		on     bool
		gone   func(s *segment, next int64) (bool, error)
	}{
		{"log start", true, func(_ *segment, next int64) (bool, error) { return next <= l.Start(), nil }},
		{"size", c.RetentionBytes >= 0, func(s *segment, _ int64) (bool, error) {
			size := s.size.Load()
			if excess-size < 0 {
				return false, nil
			}
			excess -= size
			return true, nil
		}},
		{"time", c.RetentionAge >= 0, func(s *segment, _ int64) (bool, error) {
			largest, err := l.largest(s)
			return err == nil && now.UnixMilli()-largest > c.RetentionAge.Milliseconds(), err
		}},
	} {
		if !rule.on {
			continue
		}
		n, err := l.expired(highWatermark, rule.gone)
		for i := range n {
			s := l.segments()[i]
			removed = append(removed, Removed{From: s.base, To: l.nextBase(i), Bytes: s.size.Load(), Reason: rule.reason})
			if rule.reason == "log start" {
				excess -= s.size.Load()
			}
		}
		if err == nil && n > 0 {
			err = l.dropFront(n, now)
		}
		if err != nil {
			return removed, fmt.Errorf("retention of %s: %w", l.dir, err)
		}
	}
	return removed, nil
}

// expired counts the oldest segments for which gone says yes.
func (l *Log) expired(highWatermark int64, gone func(*segment, int64) (bool, error)) (n int, err error) {
	segs := l.segments()
	for i, s := range segs {
		next := l.nextBase(i)
		if next > highWatermark || i == len(segs)-1 && s.size.Load() == 0 {
			return i, nil
		}
		if yes, err := gone(s, next); !yes || err != nil {
			return i, err
		}
	}
	return len(segs), nil
}

// nextBase is the offset at which a segment's successor begins, or the end of the log.
func (l *Log) nextBase(i int) int64 {
	if segs := l.segments(); i+1 < len(segs) {
		return segs[i+1].base
	}
	return l.End()
}

// largest is the largest timestamp of a segment in ms, or, where its records have none or some cannot be read, when
// its file was written last.
func (l *Log) largest(s *segment) (int64, error) {
	t, err := l.stampsOf(s)
	if err != nil {
		return 0, err
	}
	damaged := slices.ContainsFunc(l.Damaged(), func(d Damage) bool { return d.Segment == s.base })
	if t.max >= 0 && !damaged {
		return t.max, nil
	}
	info, err := l.fs.Stat(s.log.name)
	if err != nil {
		return 0, err
	}
	return max(t.max, info.ModTime.UnixMilli()), nil
}

// dropFront takes the n oldest segments away. The start rises first, so that nobody looks for them; the snapshots of
// their bases go, the newest that is durable stays: the state of producers outlives their records.
func (l *Log) dropFront(n int, now time.Time) error {
	segs := l.segments()
	if n == len(segs) {
		if err := l.Roll(now); err != nil {
			return err
		}
		if segs = l.segments(); n == len(segs) { // no active segment, so nothing was rolled
			return fmt.Errorf("no segment to go on with after offset %d", l.End())
		}
	}
	first := segs[n].base
	if err := l.keepProducers(first); err != nil {
		return err
	}
	if err := l.SetStart(first); err != nil {
		return err
	}
	l.publish(slices.Clone(segs[n:]))
	l.keepDamage(func(d Damage) bool { return d.Segment >= first })
	p := pendingDelete{due: now.Add(l.conf().DeleteDelay)}
	var failed error
	for _, s := range segs[:n] {
		for _, h := range s.all() {
			l.clean(h)
			switch err := h.rename(h.name + deletedSuffix); {
			case err == nil:
				p.files = append(p.files, h)
				l.newNames = true
			case !errors.Is(err, fs.ErrNotExist):
				failed = errors.Join(failed, err)
				p.files = append(p.files, h)
			}
		}
	}
	l.pending = append(l.pending, p)
	return errors.Join(failed, l.dropSnapshots(func(offset int64) bool { return offset < min(first, l.durable) }))
}

// keepProducers makes the snapshot durable that covers the records below the base of a segment, before they go.
func (l *Log) keepProducers(first int64) error {
	if l.durable >= first {
		return nil
	}
	h := l.files.file(l.name(first, snapshotSuffix)) // written when the segment began
	f, err := h.acquire()
	if err != nil {
		return err
	}
	err = f.Sync()
	h.release()
	h.shut()
	if err == nil {
		err = l.SyncDir()
	}
	if err == nil {
		l.durable = first
	}
	return err
}

// clean forgets that a file has unsynced bytes: it is going away.
func (l *Log) clean(h *file) {
	if i := slices.Index(l.dirty, h); i >= 0 {
		l.dirty = slices.Delete(l.dirty, i, i+1)
		h.setDirty(false)
	}
}

// DeletePending removes the files of segments that were taken away Config.DeleteDelay ago.
func (l *Log) DeletePending(now time.Time) error {
	for len(l.pending) > 0 && !l.pending[0].due.After(now) {
		if err := l.removeFiles(l.pending[0].files); err != nil {
			return fmt.Errorf("delete files of %s: %w", l.dir, err)
		}
		l.pending = slices.Delete(l.pending, 0, 1)
	}
	return nil
}

// Pending says whether removed files wait for DeletePending.
func (l *Log) Pending() bool { return len(l.pending) > 0 }

func (l *Log) removeFiles(files []*file) (failed error) {
	for _, h := range files {
		l.clean(h)
		h.shut()
		if err := l.fs.Remove(h.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
		l.newNames = true
	}
	return failed
}

func (l *Log) keepDamage(keep func(Damage) bool) {
	l.finding.Lock()
	defer l.finding.Unlock()
	l.filterDamage(keep)
}

func (l *Log) filterDamage(keep func(Damage) bool) {
	old := l.Damaged()
	kept := slices.DeleteFunc(slices.Clone(old), func(d Damage) bool { return !keep(d) })
	if len(kept) < len(old) {
		l.damage.Store(&kept)
	}
}
