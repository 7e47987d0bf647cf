package partition

import (
	"errors"
	"io/fs"
	"math"
	"time"

	"holdfast/internal/base/config"
	"holdfast/internal/base/event"
	"holdfast/internal/storage/commitlog"
	"holdfast/internal/storage/vfs"
)

const (
	// pendingEvery is how often a partition is looked at whose compaction somebody asked for, until it is done.
	pendingEvery = time.Second
	// uncleanFor is how long a partition rests that could not be compacted.
	uncleanFor = 10 * time.Minute
)

// compaction is what the janitor knows of one partition's. Owned by whoever compacts: one at a time.
type compaction struct {
	asked int64     // the request (compaction.requested.ms) that goal is of
	goal  int64     // the end of the log when it was taken up
	ran   bool      // since then
	met   int64     // the last request that is done
	rests time.Time // after a failure: not before
}

// candidate is a partition that is worth compacting now.
type candidate struct {
	p     *Partition
	dirty commitlog.Dirty
}

// keepCompact compacts, one partition after the other, until the manager stops. Between two partitions it looks anew which is
// the dirtiest; when none is worth it, it sleeps.
func (m *Manager) keepCompact() {
	for {
		wait := m.options.Config().Duration("log.cleaner.backoff.ms")
		did, pending := m.Compact(m.options.Now())
		switch {
		case did:
			wait = 0
		case pending:
			wait = min(wait, pendingEvery)
		}
		t := time.NewTimer(max(wait, time.Millisecond))
		select {
		case <-m.stop:
			t.Stop()
			return
		case <-m.compactNow:
		case <-t.C:
		}
		t.Stop()
	}
}

// Compact compacts the partition that needs it most, if one does. It reports whether it did, and whether one waits that
// somebody asked for. For a simulation, and for keepCompact: one call at a time.
func (m *Manager) Compact(now time.Time) (did, pending bool) {
	if !m.options.Config().Bool("log.cleaner.enable") || m.Failed() != nil {
		return false, false
	}
	var best *candidate
	if m.rollForCompaction(now) { // what was rolled counts from here on, if it is synced
		if err := m.saveCheckpoints(); err != nil {
			m.options.Log.Warn("compaction waits: recovery points not written", "err", err)
			return false, true
		}
	}
	m.each(now, func(p *Partition, now time.Time) {
		c, waits := p.candidate(now)
		pending = pending || waits
		if c != nil && (best == nil || c.dirty.Ratio() > best.dirty.Ratio()) {
			best = c
		}
	})
	if best == nil {
		return false, pending
	}
	best.p.compact(now, best.dirty)
	return true, pending
}

// rollForCompaction ends active segments whose records are to be compacted, and reports whether any was asked for.
func (m *Manager) rollForCompaction(now time.Time) (asked bool) {
	m.each(now, func(p *Partition, now time.Time) {
		s := p.Topic.settings.Load()
		if !s.compacts() {
			return
		}
		c := &p.compaction
		request := s.topic.CompactionRequestedMs
		isNew := request > c.met && request != c.asked
		if !isNew && s.topic.MaxCompactionLagMs == math.MaxInt64 {
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.gone {
			return
		}
		var err error
		if isNew {
			if err = p.log.Roll(now); err == nil {
				c.asked, c.goal, c.ran = request, p.log.End(), false
			}
			asked = true
		} else {
			err = p.log.RollAged(now)
		}
		p.markDirty() // a snapshot and the old segment's indexes were written
		if err != nil {
			m.options.Log.Warn("a segment to be compacted is not ended", "partition", p.String(), "err", err)
		}
	})
	return asked || m.anyAsked()
}

// anyAsked tells whether a request is not done yet.
func (m *Manager) anyAsked() (any bool) {
	m.each(time.Time{}, func(p *Partition, _ time.Time) { any = any || p.compaction.asked > p.compaction.met })
	return any
}

// candidate measures a partition. It is one if it was asked for, if its oldest dirty record waited for longer than the
// longest lag, or if it is dirtier than the least ratio. waits says that somebody asked for it and it is not done.
func (p *Partition) candidate(now time.Time) (found *candidate, waits bool) {
	s, c := p.Topic.settings.Load(), &p.compaction
	if !s.compacts() || now.Before(c.rests) {
		return nil, false
	}
	d, err := p.dirtiness(now, s)
	if err != nil {
		p.notCompacted(now, err)
		return nil, false
	}
	if c.asked > c.met {
		switch {
		case c.ran && p.log.CleanedTo() >= c.goal:
			c.met = c.asked
			return nil, false
		case d.Bytes == 0 && d.To < c.goal: // not synced yet, too young, or a transaction is open
			return nil, true
		}
		return &candidate{p, d}, true
	}
	overdue := d.Bytes > 0 && s.topic.MaxCompactionLagMs < now.UnixMilli() && d.OldestMs < now.UnixMilli()-s.topic.MaxCompactionLagMs
	if !overdue && d.Ratio() <= s.topic.MinCleanableRatio {
		return nil, false
	}
	return &candidate{p, d}, false
}

// dirtiness measures what may be compacted: it lies below the last stable offset and the recovery point that is written down.
func (p *Partition) dirtiness(now time.Time, s *settings) (commitlog.Dirty, error) {
	p.manager.saving.Lock()
	limit := min(p.savedPoint, p.LastStable())
	p.manager.saving.Unlock()
	return p.log.Cleanable(now, limit, config.Milliseconds(s.topic.MinCompactionLagMs))
}

// compact runs the cleaner over one partition.
func (p *Partition) compact(now time.Time, d commitlog.Dirty) {
	m := p.manager
	began := time.Now()
	done, err := p.clean(now, d)
	m.measured.compactions.Inc()
	m.measured.compactRead.Add(done.BytesIn)
	m.measured.compactWritten.Add(done.BytesOut)
	m.measured.compactRecords.Add(done.Records)
	m.measured.compactSeconds.Seconds(time.Since(began))
	if err != nil {
		p.notCompacted(now, err)
		return
	}
	p.unclean.Store(nil)
	p.compaction.ran = true
	p.compacted.Store(now.UnixMilli())
	m.options.Log.Debug("compacted", "partition", p.String(), "to", done.To, "keys", done.Keys, "records_out", done.Records,
		"bytes_before", done.BytesIn, "bytes_after", done.BytesOut, "segments_before", done.Segments, "segments_after", done.Left,
		"keyless", done.Keyless, "unreadable_batches", done.Unreadable, "took", time.Since(began).Round(time.Millisecond))
}

// clean writes down that offsets may be missing, has the log compacted, and writes down how far.
func (p *Partition) clean(now time.Time, d commitlog.Dirty) (done commitlog.Cleaned, err error) {
	m := p.manager
	p.log.AllowGaps(d.To)
	if err := m.saveCompacted(); err != nil {
		return done, err
	}
	retention := config.Milliseconds(p.Topic.settings.Load().topic.DeleteRetentionMs)
	if done, err = m.newCleaner().Clean(p.log, d, retention, now, &p.mu); err != nil {
		return done, err
	}
	return done, m.saveCompacted()
}

func (m *Manager) newCleaner() *commitlog.Cleaner {
	c := m.options.Config()
	return commitlog.NewCleaner(commitlog.CleanerOptions{
		KeyBytes: c.Int64("log.cleaner.dedupe.buffer.size"), KeyLoad: c.Float64("log.cleaner.io.buffer.load.factor"),
		BufferBytes: c.Int("log.cleaner.io.buffer.size"), MaxDecompressed: c.Int(config.DecompressedMaxBytes),
		Spend: m.newBrake(c.Float64("log.cleaner.io.max.bytes.per.second")).spend,
	})
}

// wakeCompaction has keepCompact look now.
func (m *Manager) wakeCompaction() {
	select {
	case m.compactNow <- struct{}{}:
	default:
	}
}

// notCompacted judges why a partition was not compacted. What stops, moves or fills up is tried again; the rest is told, and
// the partition rests for a while. A write or sync that failed ends the directory, as anywhere else.
func (p *Partition) notCompacted(now time.Time, err error) {
	m := p.manager
	p.mu.Lock()
	gone := p.gone
	p.mu.Unlock()
	switch {
	case gone || errors.Is(err, errStops) || commitlog.Moved(err) || m.Failed() != nil || errors.Is(err, fs.ErrClosed):
		return
	case errors.Is(err, commitlog.ErrNotDurable) && !vfs.IsFull(err) && !vfs.IsHandles(err):
		m.dir.fail(err)
		return
	}
	m.measured.compactFailures.Inc()
	p.compaction.rests = now.Add(uncleanFor)
	if before := p.unclean.Swap(&err); before == nil || (*before).Error() != err.Error() {
		m.options.Events.Emit(event.New(event.KindNotCompacted, now, m.options.NodeID).In(p.Topic.Name, p.Index).Text("reason", err.Error()))
	}
}

// Compaction is what of a topic on this node is not compacted.
type Compaction struct {
	Dirty     int64 // bytes
	Unclean   int   // partitions that cannot be compacted; events say why
	LastRunMs int64 // when the latest run ended, 0 if none did since the start
}

// Compaction measures a topic; ok is false for one that is not compacted.
func (t *Topic) Compaction(now time.Time) (c Compaction, ok bool) {
	s := t.settings.Load()
	if !s.compacts() {
		return c, false
	}
	for _, p := range t.Partitions() {
		if p == nil {
			continue
		}
		if d, err := p.dirtiness(now, s); err == nil {
			c.Dirty += d.Bytes
		}
		if p.unclean.Load() != nil {
			c.Unclean++
		}
		c.LastRunMs = max(c.LastRunMs, p.compacted.Load())
	}
	return c, true
}
