package commitlog

import (
	"errors"
	"fmt"

	"holdfast/internal/storage/vfs"
)

const (
	// Space is prepared for as many bytes as the segment holds, so that a partition that gets little costs little: from
	// spaceFrom bytes on, up to spaceMost, and again when a quarter of that is left.
	spaceFrom = 64 << 10
	spaceMost = 1 << 20

	// smallGroup is up to how many bytes between two syncs space is worth preparing. 1 KB a sync: half the time. 1 MB a
	// sync: the metadata is nothing beside the bytes, which would be written twice (measured: half the throughput).
	smallGroup = 32 << 10
)

// space is what is prepared behind the end of the log.
type space struct {
	seg   *segment // in its file
	to    int64    // zeros up to here
	size  int64    // of the segment when Prepare was last called
	group int64    // bytes between two calls, a running mean
}

// Prepare writes zeros behind the end of the active segment where syncs are small and few zeros are left, and reports
// whether it did: a sync of bytes that overwrite others has no metadata to write. The caller calls it after each sync,
// under the partition's lock, and has the zeros synced with the next appends. They are no part of the log: Open takes
// zeros for its end, and a roll and a clean stop cut them off. An error leaves the log as it was.
func (l *Log) Prepare() (bool, error) { return l.prepare(spaceFrom, spaceMost) }

func (l *Log) prepare(least, most int64) (bool, error) {
	s := l.active
	if s == nil || l.failed != nil {
		return false, nil
	}
	x, size := &l.space, s.size.Load()
	if x.seg != s {
		*x = space{seg: s}
	}
	x.group += (size - x.size - x.group) / 8
	x.size, x.to = size, max(x.to, size)
	want := min(size, most)
	to := min(size+want, l.conf().SegmentBytes)
	if size < least || x.group > smallGroup || x.to-size > want/4 || to <= x.to {
		return false, nil
	}
	f, err := s.log.acquire()
	if err != nil {
		return false, err
	}
	defer s.log.release()
	from := x.to
	x.to = to // tried, at least: a full disk is asked again when the log has grown as far
	l.soil(s.log)
	if err := f.Preallocate(from, to-from); err != nil {
		return false, fmt.Errorf("prepare space in %s: %w", l.dir, errors.Join(err, f.Truncate(size)))
	}
	return true, nil
}

// cutSpace cuts prepared space off a segment that ends. The cut is durable before a successor exists: zeros are the end
// of a log, and rot anywhere else.
func (l *Log) cutSpace(s *segment, f vfs.File) error {
	if err := f.Truncate(s.size.Load()); err != nil {
		return err
	}
	if l.space.seg != s || l.space.to <= s.size.Load() {
		return nil
	}
	l.space = space{}
	return f.Sync()
}
