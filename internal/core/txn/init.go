package txn

import (
	"time"

	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// init gives a transactional id to whoever asks, at a new epoch, and so shuts out who had it before. What the one
// before has begun is aborted first.
//
// A producer that knows its own id and epoch goes on with them (KIP-360): it is fenced if another came in between, and
// may repeat a request whose answer it missed.
func (t *turn) init(r *kmsg.InitProducerIDRequest) (kmsg.Response, hold) {
	resp := kmsg.NewPtrInitProducerIDResponse()
	resp.Version, resp.ProducerID, resp.ProducerEpoch = r.Version, -1, -1
	refuse := func(code wire.Code) (kmsg.Response, hold) {
		resp.ErrorCode = int16(fenceCode(code, r.Version >= 4))
		return resp, ready
	}
	claim, stated := claimOf(r)
	id, timeout := *orEmpty(r.TransactionalID), time.Duration(r.TransactionTimeoutMillis)*time.Millisecond
	switch {
	case id == "" || !stated:
		return refuse(wire.InvalidRequest)
	case timeout <= 0 || timeout > t.s.cfg.MaxTimeout:
		return refuse(wire.InvalidTransactionTimeout)
	}
	x := t.get(id)
	var y *Transaction
	switch {
	case x == nil:
		fresh, ok := t.takeID()
		if !ok {
			return nil, needID
		}
		y = created(id, fresh, timeout, t.now)
	case !x.admits(claim):
		return refuse(wire.ProducerFenced)
	case x.completing():
		return nil, complete
	case x.State == Ongoing:
		t.put(x.fenced(claim.epoch, t.now))
		return nil, complete
	case x.usedUp(claim):
		fresh, ok := t.takeID()
		if !ok {
			return nil, needID
		}
		y = x.held(fresh, 0, claim.epoch, timeout, t.now)
	case claim.epoch != NoEpoch && claim.epoch != x.Epoch: // it repeats its last request
		y = x.held(x.ProducerID, x.Epoch, x.LastEpoch, timeout, t.now)
	default:
		y = x.held(x.ProducerID, x.Epoch+1, claim.epoch, timeout, t.now)
	}
	t.put(y)
	resp.ProducerID, resp.ProducerEpoch = y.ProducerID, y.Epoch
	return resp, ready
}

// claim is who a producer says it is.
type claim struct {
	producer int64
	epoch    int16 // NoEpoch: it says nothing
}

// claimOf is not ok where a request says half of it.
func claimOf(r *kmsg.InitProducerIDRequest) (claim, bool) {
	if r.Version < 3 || r.ProducerID == -1 && r.ProducerEpoch == NoEpoch {
		return claim{-1, NoEpoch}, true
	}
	return claim{r.ProducerID, r.ProducerEpoch}, r.ProducerID >= 0 && r.ProducerEpoch >= 0
}

// admits tells a producer that goes on from one that was replaced. Kafka looks at the epoch only while no transaction
// is open, so that a producer replaced long ago can still abort the transaction of the one that replaced it.
func (x *Transaction) admits(c claim) bool {
	id, epoch := x.identity()
	return c.epoch == NoEpoch || c.producer == id && c.epoch == epoch && epoch <= lastEpoch || x.was(c.producer, c.epoch)
}

// usedUp reports whether there is no epoch left to give, so that another producer id is due.
func (x *Transaction) usedUp(c claim) bool {
	if c.epoch == NoEpoch || c.epoch == x.Epoch {
		return x.Epoch >= lastEpoch
	}
	return x.Epoch > lastEpoch
}

// fenceCode is the error for a producer that was replaced: clients older than KIP-588 know no PRODUCER_FENCED.
func fenceCode(code wire.Code, known bool) wire.Code {
	if code == wire.ProducerFenced && !known {
		return wire.InvalidProducerEpoch
	}
	return code
}
