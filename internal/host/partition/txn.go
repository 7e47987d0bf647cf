package partition

import (
	"time"

	"holdfast/internal/core/producer"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
)

// A transaction is ended by its coordinator, in the partitions that the coordinator knows of. So before the first batch of
// a transaction is appended, whoever takes it claims the transaction here, asks the coordinator, and has the claim granted.
// Where a marker comes in between the claim is gone, and the batch is refused: nobody would end what it begins.

// Claim is a producer that is about to begin its transaction in a partition. It is released in the end.
type Claim struct {
	partition *Partition
	key       claimKey
	holders   int  // requests that hold it; guarded by partition.mu
	granted   bool // the coordinator knows; guarded by partition.mu
}

type claimKey struct {
	producer  int64
	epoch     int16
	protocol1 bool
}

// claims are those not yet released, nor undone by a marker. Guarded by the partition's mu.
type claims map[claimKey]*Claim

// ClaimFor claims the transaction that a client's batch would begin here; nil if it begins none: its transaction is open,
// it is part of none, or it will be refused or recognised as a repeat. protocol1 says that the producer keeps its epoch
// from transaction to transaction.
func (p *Partition) ClaimFor(records []byte, protocol1 bool) *Claim {
	if len(records) < record.HeaderSize {
		return nil
	}
	b := record.Batch(records)
	if !b.Transactional() || b.ProducerID() < 0 || b.Control() {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.log.Producers()
	if s.InTransaction(b.ProducerID(), b.ProducerEpoch()) {
		return nil
	}
	switch s.Check(producerBatch(b, 0, 0)).Kind {
	case producer.Append, producer.InvalidTxnState: // the transaction before has no marker here yet: the coordinator waits for it
		return p.claim(claimKey{b.ProducerID(), b.ProducerEpoch(), protocol1})
	default:
		return nil
	}
}

// Claim is ClaimFor for what a coordinator writes in a producer's transaction.
func (p *Partition) Claim(producerID int64, epoch int16, protocol1 bool) *Claim {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.log.Producers().InTransaction(producerID, epoch) {
		return nil
	}
	return p.claim(claimKey{producerID, epoch, protocol1})
}

func (p *Partition) claim(key claimKey) *Claim {
	c := p.claims[key]
	if c == nil {
		if p.claims == nil {
			p.claims = claims{}
		}
		c = &Claim{partition: p, key: key}
		p.claims[key] = c
	}
	c.holders++
	return c
}

// Grant says that the coordinator counts the partition to the transaction.
func (c *Claim) Grant() {
	c.partition.mu.Lock()
	defer c.partition.mu.Unlock()
	c.granted = true
}

// Refuse says that the batch was refused for now, and will come again: what its producer has on the way behind it must not
// get in before it.
func (c *Claim) Refuse(records []byte) {
	c.partition.mu.Lock()
	defer c.partition.mu.Unlock()
	c.partition.turnAway(record.Batch(records))
}

// Release ends a claim, used or not.
func (c *Claim) Release() {
	p := c.partition
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.holders--; c.holders == 0 && p.claims[c.key] == c {
		delete(p.claims, c.key)
	}
}

// mayWriteTransaction reports whether a producer's transaction is open here, or may be begun. Called under p.mu.
func (p *Partition) mayWriteTransaction(id int64, epoch int16) bool {
	if p.log.Producers().InTransaction(id, epoch) {
		return true
	}
	old, c := p.claims[claimKey{id, epoch, true}], p.claims[claimKey{id, epoch, false}]
	return c != nil && c.granted || old != nil && old.granted
}

// written undoes the claims of a producer whose transaction a marker has ended. By protocol 2 the marker has the epoch of
// the next transaction, whose claim may be here already. Called under p.mu.
func (p *Partition) written(b record.Batch) {
	if len(p.claims) == 0 || !b.Control() {
		return
	}
	for key := range p.claims {
		if key.producer == b.ProducerID() && (key.epoch < b.ProducerEpoch() || key.epoch == b.ProducerEpoch() && key.protocol1) {
			delete(p.claims, key)
		}
	}
}

// AppendMarker writes the end of a producer's transaction. bumped says that the marker's epoch is above that of the
// transaction's records, by protocol 2. r receives the answer when c says so: None once the marker is committed;
// INVALID_PRODUCER_EPOCH where a newer epoch has written, so that the transaction is over; TRANSACTION_COORDINATOR_FENCED
// where a newer coordinator has; or what may pass.
func (p *Partition) AppendMarker(m record.Marker, bumped bool, now time.Time, c *Commit, r *wire.ProducePartitionResult) {
	*r = wire.ProducePartitionResult{Index: p.Index, BaseOffset: -1, LogAppendTimeMs: -1, LogStart: -1}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		r.Code = wire.NotLeaderOrFollower
		return
	}
	if err := p.manager.dir.refuses(); err != nil {
		r.Code, r.ErrorMessage = wire.KafkaStorageError, err.Error()
		return
	}
	switch p.log.Producers().CheckMarker(producer.Marker{ProducerID: m.ProducerID, Epoch: m.ProducerEpoch, CoordinatorEpoch: m.CoordinatorEpoch, Bumped: bumped}).Kind {
	case producer.Append:
	case producer.CoordinatorFenced:
		r.Code = wire.TransactionCoordinatorFenced
		return
	default:
		r.Code = wire.InvalidProducerEpoch
		return
	}
	if until, ok := p.write(m.Batch(), now, r); ok && p.leader.HighWatermark() < until {
		c.add(p, &p.commits, until, r)
	}
}

// Open is the transaction that a producer has open here, as the producer's state tells it; false where there is none.
func (p *Partition) Open(producerID int64) (producer.Entry, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.log.Producers().Entry(producerID)
	return e, ok && e.TxnFirstOffset != producer.NoOffset
}

// Producers lists what the partition knows of its producers, by producer id.
func (p *Partition) Producers() []producer.Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Producers().Entries()
}
