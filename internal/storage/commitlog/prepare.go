package commitlog

import (
	"errors"
	"fmt"
)

// How much space is prepared behind the end: as much as the segment holds, so that a partition that gets little costs
// little, up to spaceMost; and again when a quarter of that is left.
const (
	spaceFrom = 64 << 10
	spaceMost = 4 << 20
)

// Prepare writes zeros behind the end of the active segment where few are left, and reports whether it did: a sync of
// bytes that overwrite others has no metadata to write, which halves its time and takes away most of its tail. The
// next sync makes the zeros durable. They are no part of the log: Open takes zeros for its end, and a roll and a clean
// stop cut them off. Under the partition's lock.
func (l *Log) Prepare() (bool, error) {
	s := l.active
	if s == nil || l.failed != nil {
		return false, nil
	}
	size := s.size.Load()
	from := size
	if l.spaced == s {
		from = max(l.spacedTo, size)
	}
	want := min(size, spaceMost)
	to := min(size+want, l.conf().SegmentBytes)
	if size < spaceFrom || from-size > want/4 || to <= from {
		return false, nil
	}
	f, err := s.log.acquire()
	if err != nil {
		return false, err
	}
	defer s.log.release()
	l.soil(s.log)
	l.spaced, l.spacedTo = s, to
	if err := f.Preallocate(from, to-from); err != nil {
		err = fmt.Errorf("prepare space in %s: %w", l.dir, err)
		return true, errors.Join(err, f.Truncate(size))
	}
	return true, nil
}
