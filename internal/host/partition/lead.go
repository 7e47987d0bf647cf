package partition

import (
	"holdfast/internal/core/replica"
	"holdfast/internal/proto/wire"
)

// take makes this replica the leader as its log was found.
func (p *Partition) take(epoch int32, commitSync bool) {
	p.leader = replica.NewLeader(replica.Opening{
		Epoch: epoch, CommitSync: commitSync,
		Start: p.log.Start(), End: p.log.End(), Synced: p.log.RecoveryPoint(),
	})
	p.epoch.Store(epoch)
	p.high.Store(p.leader.HighWatermark())
	p.stable.Store(p.log.LastStable(p.leader.HighWatermark()))
}

// lead starts a new leader epoch over the log as it stands.
func (p *Partition) lead(epoch int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if epoch > p.leader.Epoch() {
		p.leader.Raise(epoch)
		p.epoch.Store(epoch)
		p.watches.signal()
	}
}

// configure takes over a topic's new settings.
func (p *Partition) configure(s *settings) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log.SetConfig(s.log)
	if s.commitSync() && p.log.RecoveryPoint() < p.log.End() {
		p.markDirty() // what was appended unsynced is synced from here on
	}
	if p.leader.SetCommitSync(s.commitSync()) {
		p.moved()
	}
}

// finish has what a clean stop leaves written, to be synced with the next round.
func (p *Partition) finish() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || p.manager.Failed() != nil {
		return nil
	}
	err := p.log.Finish()
	p.markDirty()
	return err
}

// close ends the partition for a clean stop: everything is synced.
func (p *Partition) close() error {
	p.leave(wire.NotLeaderOrFollower)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Close()
}
