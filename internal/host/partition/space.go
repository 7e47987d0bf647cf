package partition

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"holdfast/internal/base/event"
)

// A reserve of the file system is left free: below it appends are refused while the cluster's metadata, checkpoints and
// whatever else shares the disk can still be written. It is maxReserve bytes, or a hundredth of a small file system.
const (
	maxReserve = 64 << 20
	minReserve = 4 << 10
)

// errReserve refuses an append before the disk is full to the last byte.
var errReserve = errors.New("too little space is left")

// space watches the room on the data directory's file system.
type space struct {
	refuse atomic.Pointer[error] // why appends are refused; nil while there is room
	since  time.Time             // when the disk was found full; owned by housekeeping
	hit    atomic.Bool           // an append ran into a full disk since housekeeping looked
}

// refuses is why the directory takes no appends, for good or for want of space, or nil.
func (d *dir) refuses() error {
	if e := d.space.refuse.Load(); e != nil {
		return *e
	}
	return d.Failed()
}

// watchSpace looks at the free space, refuses or allows appends by it, and tells when the disk fills and when it heals.
func (m *Manager) watchSpace(now time.Time) {
	free, total, err := m.options.FS.Free(m.options.Dir)
	if err != nil {
		return // the next look may tell; writes say for themselves
	}
	s := &m.dir.space
	reserve := max(min(maxReserve, total/100), minReserve)
	full := free < reserve || s.hit.Swap(false)
	if free < reserve {
		why := fmt.Errorf("%w in %s: %d bytes, and %d are kept in reserve. Free space or shorten retention; writing goes on by itself", errReserve, m.options.Dir, free, reserve)
		s.refuse.Store(&why)
	} else {
		s.refuse.Store(nil)
	}
	switch {
	case full && s.since.IsZero():
		s.since = now
		m.options.Events.Emit(event.New(event.KindDiskFull, now, m.options.NodeID).
			Text("dir", m.options.Dir).Number("free_bytes", free))
	case !full && !s.since.IsZero():
		m.options.Events.Emit(event.New(event.KindDiskFreed, now, m.options.NodeID).
			Text("dir", m.options.Dir).Number("free_bytes", free).Number("millis", now.Sub(s.since).Milliseconds()))
		s.since = time.Time{}
	}
}
