package handler

import (
	"context"
	"time"

	"holdfast/internal/host/partition"
	"holdfast/internal/proto/wire"
)

// serveProduce appends each partition's batch on this goroutine. An acks=all request whose records are not yet
// committed leaves with waits set: the connection goes on reading while the flusher syncs.
func (h *Handler) serveProduce(ctx context.Context, c *Call) error {
	p := &c.produce
	if err := p.Parse(c.header.Version, c.body); err != nil {
		return err
	}
	c.produced.Mirror(p)
	acks := partition.Acks(p.Acks)
	if refused := h.produceRefusal(c, acks); refused != wire.None {
		refuseAll(&c.produced, refused)
		h.answerProduce(c)
		return nil
	}
	if p.TransactionalID != nil {
		defer h.beginTransactions(ctx, c)()
	}
	now := h.now()
	c.commit.Begin(countPartitions(p))
	for i := range p.Topics {
		h.produceTopic(c, i, acks, now)
	}
	committed := c.commit.Seal()
	switch {
	case acks == partition.AcksNone:
		return h.afterAcksNone(c)
	case committed:
		h.answerProduce(c)
	default:
		c.waits = true
		h.metrics.produceWaiting.Add(1)
	}
	return nil
}

// produceRefusal says why a request is refused as a whole.
func (h *Handler) produceRefusal(c *Call, acks partition.Acks) wire.Code {
	switch {
	case c.header.Version < wire.ProduceFloor:
		return wire.UnsupportedForMessageFormat
	case acks < partition.AcksAll || acks > partition.AcksLeader:
		return wire.InvalidRequiredAcks
	default:
		return wire.None
	}
}

func (h *Handler) produceTopic(c *Call, i int, acks partition.Acks, now time.Time) {
	from, to := &c.produce.Topics[i], &c.produced.Topics[i]
	byID := c.header.Version >= 13
	topic := h.topic(from.Name, from.ID, byID)
	for j := range from.Partitions {
		in, r := &from.Partitions[j], &to.Partitions[j]
		if r.Code != wire.None {
			continue // its transaction could not be begun
		}
		switch part := h.partition(topic, in.Index); {
		case part == nil:
			r.Code = absent(topic, in.Index, byID)
		case topic.Internal:
			r.Code, r.ErrorMessage = wire.InvalidTopicException, "the broker alone writes to this topic"
		case c.produce.TransactionalID == nil && transactional(in.Records):
			r.Code = wire.TransactionalIDAuthorizationFailed
		default:
			part.Append(in.Records, acks, now, &c.commit, r)
		}
	}
}

// afterAcksNone ends a request that gets no answer. Where a partition refused, the connection is closed, as in Kafka:
// it is the only way to tell such a client.
func (h *Handler) afterAcksNone(c *Call) error {
	for i := range c.produced.Topics {
		for j := range c.produced.Topics[i].Partitions {
			if code := c.produced.Topics[i].Partitions[j].Code; code != wire.None {
				return refusedAcksNone{code}
			}
		}
	}
	return nil
}

// refusedAcksNone closes a connection whose acks=0 request failed.
type refusedAcksNone struct{ code wire.Code }

func (r refusedAcksNone) Error() string {
	return "an acks=0 produce was refused with " + r.code.String() + ": closing the connection is the only answer it gets"
}

// finishProduce waits for the commit, at most for the client's own time-out, and builds the answer.
func (h *Handler) finishProduce(c *Call) {
	c.commit.Wait(time.Duration(max(c.produce.TimeoutMs, 0)) * time.Millisecond)
	c.waits = false
	h.metrics.produceWaiting.Add(-1)
	if allGood(&c.produced) {
		h.metrics.commit.Seconds(h.now().Sub(c.began))
	}
	h.answerProduce(c)
}

func allGood(r *wire.ProduceResponse) bool {
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			if r.Topics[i].Partitions[j].Code != wire.None {
				return false
			}
		}
	}
	return true
}

func (h *Handler) answerProduce(c *Call) {
	for i := range c.produced.Topics {
		for j := range c.produced.Topics[i].Partitions {
			h.check(c.header.Key, c.produced.Topics[i].Partitions[j].Code)
		}
	}
	frame := c.begin(64 + 64*countPartitions(&c.produce))
	c.end(c.produced.Append(frame, c.header.Version))
}

func countPartitions(p *wire.Produce) (n int) {
	for i := range p.Topics {
		n += len(p.Topics[i].Partitions)
	}
	return n
}

func refuseAll(r *wire.ProduceResponse, code wire.Code) {
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			r.Topics[i].Partitions[j].Code = code
		}
	}
}
