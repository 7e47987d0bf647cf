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

// Retain is Expire and DropExpired in one: for callers without a log start to write down.
func (l *Log) Retain(now time.Time, highWatermark int64) (removed []Removed, err error) {
	if removed, err = l.Expire(now, highWatermark); err != nil {
		return removed, err
	}
	return removed, l.DropExpired(l.Start(), now)
}

// Expire raises the start over the oldest segments that are below it, exceed the size or are older than the age, as Kafka
// decides it: a segment is as old as its largest timestamp, and one that reaches above the high watermark stays. Their
// files stay, too, until DropExpired. In between the caller writes the start down: a crash may undo the removal of any of
// the files and not of others, and only a start beyond them says that nobody misses those in between.
func (l *Log) Expire(now time.Time, highWatermark int64) (removed []Removed, err error) {
	if l.failed != nil {
		return nil, l.failed
	}
	l.ExpireProducers(now)
	c := l.conf()
	excess := l.Size() - c.RetentionBytes
	segs := l.segments()
	for i, s := range segs {
		size, next := s.size.Load(), l.nextBase(i)
		if next > highWatermark || i == len(segs)-1 && size == 0 {
			break
		}
		reason := ""
		switch {
		case next <= l.Start():
			reason = "log start"
		case c.RetentionBytes >= 0 && excess >= size:
			reason = "size"
		case c.RetentionAge >= 0:
			largest, err := l.largest(s)
			if err != nil {
				return removed, fmt.Errorf("retention of %s: %w", l.dir, err)
			}
			if now.UnixMilli()-largest > c.RetentionAge.Milliseconds() {
				reason = "time"
			}
		}
		if reason == "" {
			break
		}
		excess -= size
		removed = append(removed, Removed{From: s.base, To: next, Bytes: size, Reason: reason})
		if err := l.SetStart(next); err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// DropExpired takes away the segments that are below the start and below the offset that was written down as the start.
// The active one goes, too, once all of it is below; an empty one takes its place. Files get the suffix .deleted and are
// removed by DeletePending.
func (l *Log) DropExpired(written int64, now time.Time) error {
	if l.failed != nil {
		return l.failed
	}
	segs, n := l.segments(), 0
	for n < len(segs) && l.nextBase(n) <= min(written, l.Start()) && (n < len(segs)-1 || segs[n].size.Load() > 0) {
		n++
	}
	if n == 0 {
		return nil
	}
	if err := l.dropFront(n, now); err != nil {
		return fmt.Errorf("retention of %s: %w", l.dir, err)
	}
	return nil
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
	failed := l.retire(segs[:n], now)
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
