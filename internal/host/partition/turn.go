package partition

import "holdfast/internal/proto/record"

// turns remembers, of producers that the log does not know, which batch has to come next: one that was refused because
// the disk was full. The log takes any sequence from a producer it does not know, so what such a producer had on the way
// behind the refused batch would get in before it. Guarded by the partition's mu.
type turns map[int64]turn

type turn struct {
	epoch int16
	seq   int32
}

// maxTurns bounds it: that many producers have their first batch refused by one partition. Beyond it all are forgotten.
const maxTurns = 1000

// turnAway notes that batch was refused and will come again.
func (p *Partition) turnAway(b record.Batch) {
	id := b.ProducerID()
	if id < 0 || p.log.Producers().Knows(id) {
		return
	}
	if t, ok := p.turns[id]; ok && t.epoch == b.ProducerEpoch() {
		return // this one is behind it
	}
	if p.turns == nil || len(p.turns) >= maxTurns {
		p.turns = turns{}
	}
	p.turns[id] = turn{b.ProducerEpoch(), b.BaseSequence()}
}

// outOfTurn tells whether another batch of the same producer has to come before this one, which the log would take.
func (p *Partition) outOfTurn(b record.Batch) bool {
	t, ok := p.turns[b.ProducerID()]
	if !ok {
		return false
	}
	if t.epoch == b.ProducerEpoch() && t.seq != b.BaseSequence() {
		return true
	}
	delete(p.turns, b.ProducerID())
	return false
}
