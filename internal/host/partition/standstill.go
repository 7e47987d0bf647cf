package partition

import (
	"time"

	"holdfast/internal/base/event"
)

// standstill is the oldest transaction that is open in a partition, since when it was seen to be so, and whether that was
// told. Guarded by the partition's mu.
type standstill struct {
	first int64
	since time.Time
	told  bool
}

// watchStable tells where readers of committed records stand for longer than any producer may leave a transaction open:
// its coordinator should have aborted it, and has not, or has not got to write the marker.
func (p *Partition) watchStable(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first, open := p.log.Producers().FirstUndecided()
	switch s := &p.standstill; {
	case p.gone:
	case !open:
		*s = standstill{}
	case s.since.IsZero() || s.first != first:
		*s = standstill{first: first, since: now}
	case !s.told && now.Sub(s.since) > p.manager.options.Config().Duration("transaction.max.timeout.ms")+sweepEvery:
		s.told = true
		p.tellStandstill(now)
	}
}

func (p *Partition) tellStandstill(now time.Time) {
	s := &p.standstill
	for _, e := range p.log.Producers().Entries() {
		if e.TxnFirstOffset == s.first {
			p.manager.options.Events.Emit(event.New(event.KindStableOffsetStands, now, p.manager.options.NodeID).In(p.Topic.Name, p.Index).
				Number("offset", s.first).Number("producer_id", e.ProducerID).Number("epoch", int64(e.Epoch)).
				Number("millis", now.Sub(s.since).Milliseconds()).Number("records", p.log.End()-s.first))
		}
	}
}
