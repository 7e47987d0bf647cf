package partition

import "time"

// Flush syncs everything that is dirty, once, and releases who waited for it. This and the other steps in this file are
// for those who did not call Start: a simulation, which decides what happens when.
func (m *Manager) Flush() { m.flusher.flush() }

// Dirty reports whether a round of the flusher has something to do.
func (m *Manager) Dirty() bool {
	m.flusher.mu.Lock()
	defer m.flusher.mu.Unlock()
	return len(m.flusher.dirty) > 0
}

// Gather, SyncGathered and TellSynced are the thirds of Flush: appends, deletions and a crash may come in between.
// Gather reports whether there is anything to sync; if not, the round is over.
func (m *Manager) Gather() bool { return m.flusher.gather() }

// SyncGathered syncs what Gather collected.
func (m *Manager) SyncGathered() error { return m.flusher.sync() }

// TellSynced tells the partitions of the outcome of SyncGathered.
func (m *Manager) TellSynced(err error) { m.flusher.tell(err) }

// FlushAged, Sweep and Retain are the steps of the housekeeping, as of now.
func (m *Manager) FlushAged(now time.Time) { m.each(now, (*Partition).flushAged) }
func (m *Manager) Sweep(now time.Time)     { m.each(now, (*Partition).sweep) }
func (m *Manager) Retain(now time.Time)    { m.retain(now) }

// Scrub reads on in the search for rot, and returns for how long it may not be called again. LookForDamage tells what it
// found.
func (m *Manager) Scrub(now time.Time) (read int64, wait time.Duration) { return m.scrubTurn(now) }

func (m *Manager) LookForDamage(now time.Time) { m.each(now, (*Partition).lookForDamage) }

// SaveCheckpoints writes recovery points and log starts where they moved.
func (m *Manager) SaveCheckpoints() error { return m.saveCheckpoints() }
