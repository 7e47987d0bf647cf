package handler

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/core/producer"
	"holdfast/internal/proto/wire"
)

func (h *Handler) describeTransactions(ctx context.Context, c *Call, q *kmsg.DescribeTransactionsRequest) *kmsg.DescribeTransactionsResponse {
	r := kmsg.NewPtrDescribeTransactionsResponse()
	for _, id := range q.TransactionalIDs {
		one := *q
		one.TransactionalIDs = []string{id}
		r.TransactionStates = append(r.TransactionStates, h.options.Transactions.Ask(ctx, id, &one, c.who()).(*kmsg.DescribeTransactionsResponse).TransactionStates...)
	}
	return coordinated(ctx, h, c, r)
}

// listTransactions lists the transactions that this broker coordinates. As long as one of its shards is loading, the list
// would have gaps, and there is none.
func (h *Handler) listTransactions(ctx context.Context, c *Call, q *kmsg.ListTransactionsRequest) *kmsg.ListTransactionsResponse {
	r := kmsg.NewPtrListTransactionsResponse()
	for _, part := range h.options.Transactions.AskAll(ctx, q, c.who()) {
		of := part.(*kmsg.ListTransactionsResponse)
		switch wire.Code(of.ErrorCode) {
		case wire.None:
			r.TransactionStates = append(r.TransactionStates, of.TransactionStates...)
			r.UnknownStateFilters = of.UnknownStateFilters
		case wire.NotCoordinator: // it went elsewhere while we asked
		default:
			r.TransactionStates, r.UnknownStateFilters, r.ErrorCode = nil, nil, of.ErrorCode
			return coordinated(ctx, h, c, r)
		}
	}
	return coordinated(ctx, h, c, r)
}

// describeProducers tells what partitions know of their producers, and which of those hold the last stable offset back.
func (h *Handler) describeProducers(ctx context.Context, c *Call, q *kmsg.DescribeProducersRequest) *kmsg.DescribeProducersResponse {
	r := kmsg.NewPtrDescribeProducersResponse()
	for _, asked := range q.Topics {
		topic := h.options.Partitions.Topic([]byte(asked.Topic))
		out := kmsg.DescribeProducersResponseTopic{Topic: asked.Topic}
		for _, index := range asked.Partitions {
			p := kmsg.DescribeProducersResponseTopicPartition{Partition: index}
			part := h.partition(topic, index)
			if part == nil {
				p.ErrorCode = h.code(c, absent(topic, index, false))
				out.Partitions = append(out.Partitions, p)
				continue
			}
			h.code(c, wire.None)
			known := part.Producers()
			h.hold(ctx, c, len(known)*producerBytes)
			for _, e := range known {
				p.ActiveProducers = append(p.ActiveProducers, activeProducer(e))
			}
			out.Partitions = append(out.Partitions, p)
		}
		r.Topics = append(r.Topics, out)
	}
	return r
}

const producerBytes = 128 // of an answer, about

func activeProducer(e producer.Entry) kmsg.DescribeProducersResponseTopicPartitionActiveProducer {
	a := kmsg.DescribeProducersResponseTopicPartitionActiveProducer{
		ProducerID: e.ProducerID, ProducerEpoch: int32(e.Epoch), LastSequence: producer.NoSequence, LastTimestamp: e.TimestampMs,
		CoordinatorEpoch: e.CoordinatorEpoch, CurrentTxnStartOffset: e.TxnFirstOffset,
	}
	if n := len(e.Batches); n > 0 {
		a.LastSequence = e.Batches[n-1].LastSeq
	}
	return a
}

// txnParts yields every error code in an answer of a transaction coordinator; see parts.
func txnParts(r kmsg.Response, yield func(int16, int) bool) {
	switch r := r.(type) {
	case *kmsg.InitProducerIDResponse:
		yield(r.ErrorCode, 0)
	case *kmsg.EndTxnResponse:
		yield(r.ErrorCode, 0)
	case *kmsg.AddPartitionsToTxnResponse:
		addedParts(r, yield)
	case *kmsg.TxnOffsetCommitResponse:
		for i := range r.Topics {
			for j := range r.Topics[i].Partitions {
				if !yield(r.Topics[i].Partitions[j].ErrorCode, 8) {
					return
				}
			}
		}
	case *kmsg.DescribeTransactionsResponse:
		for i := range r.TransactionStates {
			t := &r.TransactionStates[i]
			size := 128 + len(t.TransactionalID)
			for j := range t.Topics {
				size += 32 + len(t.Topics[j].Topic) + 4*len(t.Topics[j].Partitions)
			}
			if !yield(t.ErrorCode, size) {
				return
			}
		}
	case *kmsg.ListTransactionsResponse:
		size := 0
		for i := range r.TransactionStates {
			size += 64 + len(r.TransactionStates[i].TransactionalID)
		}
		yield(r.ErrorCode, size)
	}
}

func addedParts(r *kmsg.AddPartitionsToTxnResponse, yield func(int16, int) bool) {
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			if !yield(r.Topics[i].Partitions[j].ErrorCode, 8) {
				return
			}
		}
	}
	for i := range r.Transactions {
		for j := range r.Transactions[i].Topics {
			for _, p := range r.Transactions[i].Topics[j].Partitions {
				if !yield(p.ErrorCode, 8) {
					return
				}
			}
		}
	}
}
