package handler

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/proto/wire"
)

// producerIDs hands out ids from a block that the metadata quorum gave this node for itself: no id is ever given twice,
// by any node, before or after any restart.
type producerIDs struct {
	mu        sync.Mutex
	next, end int64
}

func (h *Handler) nextProducerID(ctx context.Context) (int64, wire.Code) {
	h.ids.mu.Lock()
	defer h.ids.mu.Unlock()
	if h.ids.next == h.ids.end {
		q := kmsg.NewPtrAllocateProducerIDsRequest()
		q.BrokerID = h.options.NodeID
		if b := h.image().Broker(h.options.NodeID); b != nil {
			q.BrokerEpoch = b.Epoch
		}
		r, code := decide[*kmsg.AllocateProducerIDsResponse](ctx, h, q, 0)
		if code != wire.None || r.ErrorCode != 0 {
			return -1, wire.CoordinatorLoadInProgress // clients ask again
		}
		h.ids.next, h.ids.end = r.ProducerIDStart, r.ProducerIDStart+int64(r.ProducerIDLen)
	}
	h.ids.next++
	return h.ids.next - 1, wire.None
}

// initProducerID gives a producer its id: the coordinator of its transactional id does, or, without one, this node. A
// producer without a transactional id gets a new one each time it
// asks, whatever it had before: as in Kafka, only a transactional id carries identity over.
func (h *Handler) initProducerID(ctx context.Context, c *Call, q *kmsg.InitProducerIDRequest) *kmsg.InitProducerIDResponse {
	if q.TransactionalID != nil {
		return coordinated(ctx, h, c, h.options.Transactions.Ask(ctx, *q.TransactionalID, q, c.who()).(*kmsg.InitProducerIDResponse))
	}
	r := kmsg.NewPtrInitProducerIDResponse()
	r.ProducerID, r.ProducerEpoch = -1, -1
	id, code := h.nextProducerID(ctx)
	if code == wire.None {
		r.ProducerID, r.ProducerEpoch = id, 0
	}
	r.ErrorCode = h.code(c, code)
	return r
}
