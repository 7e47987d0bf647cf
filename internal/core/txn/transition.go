package txn

import (
	"time"

	"holdfast/internal/core/shard"
)

// The transitions of a transaction. Each gives the transaction that takes the old one's place.
//
//	          InitProducerId            AddPartitions              EndTxn, time-out, fence        markers written
//	(nothing) ──────────────▶ Empty ───────────────▶ Ongoing ─────────────────▶ Prepare… ──────────────────▶ Complete…
//	                            ▲                       ▲                                                       │   │
//	                            │                       └───────────────── AddPartitions ───────────────────────┘   │
//	                            └────────────────────────────────── InitProducerId ─────────────────────────────────┘

// next is a copy to make a transition of.
func (x *Transaction) next(now time.Time) *Transaction {
	y := *x
	y.PreviousID, y.UpdateMs = x.ProducerID, now.UnixMilli()
	return &y
}

// created is a transactional id that nobody held before.
func created(id string, producer int64, timeout time.Duration, now time.Time) *Transaction {
	return &Transaction{
		ID: id, ProducerID: producer, Epoch: 0, LastEpoch: NoEpoch, PreviousID: producer, NextID: shard.NoProducer,
		Timeout: timeout, State: Empty, StartMs: noStart, UpdateMs: now.UnixMilli(),
	}
}

// held gives the id to a producer, at an epoch. last is what that producer may call itself when it repeats its request.
func (x *Transaction) held(producer int64, epoch, last int16, timeout time.Duration, now time.Time) *Transaction {
	y := x.next(now)
	if y.ProducerID == producer && x.rotated() && y.Epoch == epoch {
		y.PreviousID = x.PreviousID // a repeat: what was before stays before
	}
	y.ProducerID, y.Epoch, y.LastEpoch, y.Timeout = producer, epoch, last, timeout
	y.State, y.Partitions, y.StartMs = Empty, nil, noStart
	return y
}

// with adds partitions, and begins the transaction if none is open.
func (x *Transaction) with(added []Partition, version int16, now time.Time) *Transaction {
	y := x.next(now)
	if x.State != Ongoing {
		y.StartMs = y.UpdateMs
	}
	y.State, y.Version, y.LastEpoch = Ongoing, version, NoEpoch
	y.Partitions = union(x.Partitions, added)
	return y
}

// decided ends the transaction as its producer asks. By protocol 2 the epoch rises; nextID is the producer id after
// this if the epochs are used up.
func (x *Transaction) decided(commit bool, version int16, nextID int64, now time.Time) *Transaction {
	y := x.next(now)
	y.State = PrepareAbort
	if commit {
		y.State = PrepareCommit
	}
	y.Version, y.LastEpoch = version, NoEpoch
	if x.State != Ongoing {
		y.StartMs = y.UpdateMs
	}
	if version >= protocol2 {
		y.Epoch, y.LastEpoch, y.NextID = min(x.Epoch, lastEpoch)+1, x.Epoch, nextID
	}
	return y
}

// fenced aborts the transaction of a producer that is shut out with it. last is the epoch of who asked for that, if it
// is the producer itself. The version says that it was no end of the producer's own, which it might repeat.
func (x *Transaction) fenced(last int16, now time.Time) *Transaction {
	y := x.next(now)
	y.State, y.Version = PrepareAbort, 0
	y.Epoch, y.LastEpoch = min(x.Epoch, lastEpoch)+1, last
	return y
}

// completed is the transaction once every partition has its marker.
func (x *Transaction) completed(now time.Time) *Transaction {
	y := x.next(now)
	y.State, y.Partitions = CompleteAbort, nil
	if x.State == PrepareCommit {
		y.State = CompleteCommit
	}
	if x.NextID != shard.NoProducer {
		y.ProducerID, y.Epoch, y.NextID = x.NextID, 0, shard.NoProducer
	}
	return y
}

// identity is who the producer is once the transaction is complete: what it was told when its end was decided.
func (x *Transaction) identity() (producer int64, epoch int16) {
	if x.NextID != shard.NoProducer {
		return x.NextID, 0
	}
	return x.ProducerID, x.Epoch
}

// was reports whether a producer is the one that made the last transition, as it called itself then: it may repeat it.
func (x *Transaction) was(producer int64, epoch int16) bool {
	before := x.ProducerID
	if x.rotated() {
		before = x.PreviousID
	}
	return x.LastEpoch != NoEpoch && epoch == x.LastEpoch && producer == before
}

func (x *Transaction) completing() bool { return x.State == PrepareCommit || x.State == PrepareAbort }

func (x *Transaction) ended() bool { return x.State == CompleteCommit || x.State == CompleteAbort }

// committed reports which way a transaction went that is decided.
func (x *Transaction) committed() bool { return x.State == PrepareCommit || x.State == CompleteCommit }

// deadline is when an open transaction is aborted.
func (x *Transaction) deadline() time.Time { return time.UnixMilli(x.StartMs).Add(x.Timeout) }
