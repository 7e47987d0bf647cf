package txn

import (
	"holdfast/internal/core/shard"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The first version of EndTxn by protocol 2: the epoch rises, and the answer tells it.
const endBumps = 5

// end decides a producer's transaction. The answer leaves once the decision is committed; then it is a fact, and the
// markers follow.
func (t *turn) end(r *kmsg.EndTxnRequest) (kmsg.Response, hold) {
	resp := kmsg.NewPtrEndTxnResponse()
	resp.Version, resp.ProducerID, resp.ProducerEpoch = r.Version, -1, -1
	x := t.get(r.TransactionalID)
	var y *Transaction
	var code wire.Code
	var hold hold
	if r.Version >= endBumps {
		y, code, hold = t.endByProtocol2(x, r)
	} else {
		y, code = t.endByProtocol1(x, r)
	}
	switch {
	case hold != ready:
		return nil, hold
	case code != wire.None:
		resp.ErrorCode = int16(fenceCode(code, r.Version >= 2))
		return resp, ready
	}
	if y != x {
		t.put(y)
	}
	resp.ProducerID, resp.ProducerEpoch = y.identity()
	return resp, ready
}

// endByProtocol1 ends a transaction whose producer keeps its epoch. A request that comes late - delayed by the network,
// or repeated on another connection - cannot be told from one that ends the next transaction, and does end it: that is
// what protocol 2 is for.
func (t *turn) endByProtocol1(x *Transaction, r *kmsg.EndTxnRequest) (*Transaction, wire.Code) {
	if code := x.owner(r.TransactionalID, r.ProducerID, r.ProducerEpoch); code != wire.None {
		return nil, code
	}
	switch {
	case x.State == Ongoing:
		return x.decided(r.Commit, 0, shard.NoProducer, t.now), wire.None
	case x.State != Empty && x.committed() == r.Commit: // said again
		return x, wire.None
	default:
		return nil, wire.InvalidTxnState
	}
}

// endByProtocol2 raises the producer's epoch with every end, so that a late request is known by its epoch: that of the
// transaction which was ended last is a repeat, anything older is fenced. An abort of a transaction that never began
// raises the epoch too: the producer may not know whether something of it is still on its way.
func (t *turn) endByProtocol2(x *Transaction, r *kmsg.EndTxnRequest) (*Transaction, wire.Code, hold) {
	if x != nil && x.repeats(r) {
		if x.committed() == r.Commit {
			return x, wire.None, ready
		}
		return nil, wire.InvalidTxnState, ready
	}
	if code := x.owner(r.TransactionalID, r.ProducerID, r.ProducerEpoch); code != wire.None {
		return nil, code, ready
	}
	switch {
	case x.completing():
		return nil, wire.None, complete
	case x.State != Ongoing && r.Commit:
		return nil, wire.InvalidTxnState, ready
	}
	next := shard.NoProducer
	if x.Epoch >= lastEpoch {
		fresh, ok := t.takeID()
		if !ok {
			return nil, wire.None, needID
		}
		next = fresh
	}
	y := x.decided(r.Commit, protocol2, next, t.now)
	if len(y.Partitions) == 0 {
		y = y.completed(t.now)
	}
	return y, wire.None, ready
}

// repeats reports whether a request ends, once more, the transaction that was ended last.
func (x *Transaction) repeats(r *kmsg.EndTxnRequest) bool {
	return x.Version >= protocol2 && (x.completing() || x.ended()) && x.was(r.ProducerID, r.ProducerEpoch)
}
