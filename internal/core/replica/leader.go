package replica

import "holdfast/internal/base/invariant"

// Leader is the leader's view of one partition in one leader epoch. The zero value is not usable; see NewLeader.
type Leader struct {
	epoch      int32
	commitSync bool

	start  int64 // first offset that may be read
	end    int64 // next offset to be appended
	synced int64 // below it everything is on stable storage
	vowed  int64 // below it records were appended under commit.sync=true; since then it was switched off
	high   int64 // high watermark: below it everything is committed
}

// Opening is what a log held when its replica became leader.
type Opening struct {
	Epoch      int32
	CommitSync bool
	Start      int64 // log start offset
	End        int64 // log end offset
	Synced     int64 // end of what is known to be on stable storage, <= End
}

// NewLeader starts a leader epoch over a log as it was found. Nothing beyond the confirmed end is committed.
func NewLeader(o Opening) Leader {
	l := Leader{epoch: o.Epoch, commitSync: o.CommitSync, start: o.Start, end: o.End, synced: o.Synced, high: o.Start}
	l.advance()
	return l
}

// Epoch is the leader epoch that stamps what is appended.
func (l *Leader) Epoch() int32 { return l.epoch }

// HighWatermark is the offset below which every record is committed.
func (l *Leader) HighWatermark() int64 { return l.high }

// Appended says that the log now ends at end. It reports whether the high watermark moved.
func (l *Leader) Appended(end int64) (moved bool) {
	if end < l.end {
		invariant.Fail("log end fell from %d to %d within leader epoch %d", l.end, end, l.epoch)
	}
	l.end = end
	return l.advance()
}

// Synced says that everything below end is on stable storage. It reports whether the high watermark moved.
func (l *Leader) Synced(end int64) (moved bool) {
	if end > l.end {
		invariant.Fail("synced end %d lies beyond log end %d", end, l.end)
	}
	l.synced = max(l.synced, end)
	return l.advance()
}

// StartMoved says that records below start are gone, by retention or by request. The start never passes the high
// watermark: what is not yet committed cannot be deleted.
func (l *Leader) StartMoved(start int64) {
	if start > l.high {
		invariant.Fail("log start %d lies beyond high watermark %d", start, l.high)
	}
	l.start = max(l.start, start)
}

// Raise starts a higher leader epoch over the same log: this replica leads on, in a new incarnation.
func (l *Leader) Raise(epoch int32) {
	if epoch <= l.epoch {
		invariant.Fail("leader epoch would fall from %d to %d", l.epoch, epoch)
	}
	l.epoch = epoch
}

// SetCommitSync follows a change of the topic's commit.sync. It reports whether the high watermark moved: switching
// syncing on takes nothing back that was already shown. Switching it off breaks no promise: who appended under it and waits
// is answered after the sync, and so is who comes behind.
func (l *Leader) SetCommitSync(on bool) (moved bool) {
	if l.commitSync && !on {
		l.vowed = l.end
	}
	l.commitSync = on
	return l.advance()
}

func (l *Leader) confirmed() int64 {
	if l.commitSync || l.synced < l.vowed {
		return l.synced
	}
	return l.end
}

func (l *Leader) advance() (moved bool) {
	if c := l.confirmed(); c > l.high {
		l.high = c
		moved = true
	}
	if l.start > l.high || l.high > l.end {
		invariant.Fail("want log start %d <= high watermark %d <= log end %d", l.start, l.high, l.end)
	}
	return moved
}
