package partition

import (
	"time"

	"holdfast/internal/base/event"
	"holdfast/internal/storage/commitlog"
)

// How often the house is kept. Checkpoints are kept close behind the syncs, because what lies between a recovery point
// and the end of its log is read and checked after a crash.
const (
	checkpointEvery = time.Second
	sweepEvery      = 10 * time.Second // unsynced topics' pages, deleted segments whose delay has passed, idle producers
)

// keepHouse writes checkpoints and retires what is old until the manager stops.
func (m *Manager) keepHouse() {
	checkpoint := time.NewTicker(checkpointEvery)
	defer checkpoint.Stop()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	retain := time.NewTimer(m.retentionInterval())
	defer retain.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-checkpoint.C:
			m.watchSpace(m.options.Now())
			m.each(m.options.Now(), (*Partition).flushAged)
			m.each(m.options.Now(), (*Partition).lookForDamage)
			if err := m.saveCheckpoints(); err != nil {
				m.options.Log.Warn("checkpoints not written; recovery after a crash will read more", "err", err)
			}
		case <-sweep.C:
			m.retryOffline()
			m.each(m.options.Now(), (*Partition).watchStable)
			m.Sweep(m.options.Now())
		case <-retain.C:
			m.retain(m.options.Now())
			retain.Reset(m.retentionInterval())
		}
	}
}

func (m *Manager) retentionInterval() time.Duration {
	return max(m.options.Config().Duration("log.retention.check.interval.ms"), time.Millisecond)
}

// each does something with every partition.
func (m *Manager) each(now time.Time, do func(*Partition, time.Time)) {
	for _, t := range m.Topics() {
		for _, p := range t.Partitions() {
			if p != nil {
				do(p, now)
			}
		}
	}
}

// flushAged syncs an unsynced topic whose oldest unsynced record is older than flush.ms, to the second.
func (p *Partition) flushAged(now time.Time) {
	s := p.Topic.settings.Load()
	if s.commitSync() || s.topic.FlushMs >= sweepEvery.Milliseconds() {
		return // synced anyway, or swept before that
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.gone || p.log.RecoveryPoint() == p.log.End():
		p.unsyncedSince = time.Time{}
	case p.unsyncedSince.IsZero():
		p.unsyncedSince = now
	case now.Sub(p.unsyncedSince).Milliseconds() >= s.topic.FlushMs-checkpointEvery.Milliseconds():
		p.markDirty()
		p.unsyncedSince = time.Time{}
	}
}

// sweep writes back what an unsynced topic left in the page cache, removes segments whose delay has passed and forgets
// producers that were idle for too long.
func (p *Partition) sweep(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || p.manager.Failed() != nil {
		return
	}
	if p.log.RecoveryPoint() < p.log.End() {
		if err := p.log.Checkpoint(); err != nil {
			p.manager.options.Log.Warn("indexes and producers not written ahead of a sync", "partition", p.String(), "err", err)
		}
		p.markDirty()
	}
	if err := p.log.DeletePending(now); err != nil {
		p.manager.options.Log.Warn("deleted segments not removed yet", "partition", p.String(), "err", err)
	}
	p.log.ExpireProducers(now)
}

// retain deletes segments that the topics' retention no longer keeps, never above the high watermark; of topics without
// cleanup.policy=delete only those below the log start. First the starts
// rise, then they are written down, then files go: a crash may undo the removal of some files and not of others.
func (m *Manager) retain(now time.Time) {
	m.each(now, (*Partition).expire)
	if err := m.saveCheckpoints(); err != nil {
		m.options.Log.Warn("retention waits: log starts not written", "err", err)
		return
	}
	m.each(now, (*Partition).dropExpired)
}

func (p *Partition) expire(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || p.manager.Failed() != nil {
		return
	}
	removed, err := p.log.Expire(now, p.leader.HighWatermark())
	if err != nil {
		p.manager.options.Log.Warn("retention not done", "partition", p.String(), "err", err)
	}
	if len(removed) > 0 {
		p.leader.StartMoved(p.log.Start())
		p.tellExpired(now, removed)
	}
}

func (p *Partition) dropExpired(now time.Time) {
	p.manager.saving.Lock()
	written := p.savedStart
	p.manager.saving.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || p.manager.Failed() != nil {
		return
	}
	if err := p.log.DropExpired(written, now); err != nil {
		p.manager.options.Log.Warn("expired segments are still there", "partition", p.String(), "err", err)
	}
}

// tellExpired says what retention took away, one event for each reason.
func (p *Partition) tellExpired(now time.Time, removed []commitlog.Removed) {
	for len(removed) > 0 {
		n, bytes := 0, int64(0)
		for n < len(removed) && removed[n].Reason == removed[0].Reason {
			bytes += removed[n].Bytes
			n++
		}
		p.manager.dropped(removed[0].Reason, n)
		p.manager.options.Events.Emit(event.New(event.KindRecordsExpired, now, p.manager.options.NodeID).In(p.Topic.Name, p.Index).
			Number("first", removed[0].From).Number("before", removed[n-1].To).Number("bytes", bytes).Text("reason", removed[0].Reason))
		removed = removed[n:]
	}
}
