package handler

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/core/group"
	"holdfast/internal/core/image"
	"holdfast/internal/core/txn"
	"holdfast/internal/host/partition"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
)

// addPartitionsToTxn serves the form of clients, up to version 3, and that of brokers, which names several transactions.
// The second adds nothing that the first would not: it names producer and epoch, too.
func (h *Handler) addPartitionsToTxn(ctx context.Context, c *Call, q *kmsg.AddPartitionsToTxnRequest) *kmsg.AddPartitionsToTxnResponse {
	if q.Version < 4 {
		return coordinated(ctx, h, c, h.options.Transactions.Ask(ctx, q.TransactionalID, q, c.who()).(*kmsg.AddPartitionsToTxnResponse))
	}
	r := kmsg.NewPtrAddPartitionsToTxnResponse()
	for i := range q.Transactions {
		one := *q
		one.Transactions = q.Transactions[i : i+1 : i+1]
		r.Transactions = append(r.Transactions, h.options.Transactions.Ask(ctx, q.Transactions[i].TransactionalID, &one, c.who()).(*kmsg.AddPartitionsToTxnResponse).Transactions...)
	}
	return coordinated(ctx, h, c, r)
}

// addOffsetsToTxn makes the partition of __consumer_offsets that keeps a group's offsets part of a transaction.
func (h *Handler) addOffsetsToTxn(ctx context.Context, c *Call, q *kmsg.AddOffsetsToTxnRequest) *kmsg.AddOffsetsToTxnResponse {
	r := kmsg.NewPtrAddOffsetsToTxnResponse()
	offsets, code := h.offsetsOf(ctx, q.Group)
	if code != wire.None {
		r.ErrorCode = h.code(c, code)
		return r
	}
	add := kmsg.NewPtrAddPartitionsToTxnRequest()
	add.Version = min(q.Version, 3)
	add.TransactionalID, add.ProducerID, add.ProducerEpoch = q.TransactionalID, q.ProducerID, q.ProducerEpoch
	add.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: offsets.Topic, Partitions: []int32{offsets.Index}}}
	answer := h.options.Transactions.Ask(ctx, q.TransactionalID, add, c.who()).(*kmsg.AddPartitionsToTxnResponse)
	r.ErrorCode = h.code(c, wire.Code(answer.Topics[0].Partitions[0].ErrorCode))
	return r
}

// offsetsOf is the partition that keeps a group's offsets.
func (h *Handler) offsetsOf(ctx context.Context, group string) (txn.Partition, wire.Code) {
	if err := h.options.Groups.EnsureTopic(ctx); err != nil {
		h.options.Log.Warn("the topic of the group coordinators was not created", "topic", image.TopicOffsets, "err", err)
		return txn.Partition{}, wire.CoordinatorNotAvailable
	}
	index := h.options.Groups.ShardFor(group)
	if index < 0 {
		return txn.Partition{}, wire.CoordinatorNotAvailable
	}
	return txn.Partition{Topic: image.TopicOffsets, Index: index}, wire.None
}

func (h *Handler) endTxn(ctx context.Context, c *Call, q *kmsg.EndTxnRequest) *kmsg.EndTxnResponse {
	return coordinated(ctx, h, c, h.options.Transactions.Ask(ctx, q.TransactionalID, q, c.who()).(*kmsg.EndTxnResponse))
}

// txnOffsetCommit commits offsets in a producer's transaction: they count when that is committed. Before the first of
// them the transaction's coordinator has to know of the partition that keeps them: from version 5 on (protocol 2) it is
// told here, before that the client has told it.
func (h *Handler) txnOffsetCommit(ctx context.Context, c *Call, q *kmsg.TxnOffsetCommitRequest) *kmsg.TxnOffsetCommitResponse {
	claim, code := h.beginOffsets(ctx, c, q)
	if claim != nil {
		defer claim.Release()
	}
	if code != wire.None {
		return coordinated(ctx, h, c, group.Refuse(q, code).(*kmsg.TxnOffsetCommitResponse))
	}
	return coordinated(ctx, h, c, h.options.Groups.Ask(ctx, q.Group, q, c.who()).(*kmsg.TxnOffsetCommitResponse))
}

func (h *Handler) beginOffsets(ctx context.Context, c *Call, q *kmsg.TxnOffsetCommitRequest) (*partition.Claim, wire.Code) {
	offsets, code := h.offsetsOf(ctx, q.Group)
	if code != wire.None {
		return nil, code
	}
	part := h.partition(h.options.Partitions.Topic([]byte(offsets.Topic)), offsets.Index)
	if part == nil {
		return nil, wire.NotCoordinator
	}
	claim := part.Claim(q.ProducerID, q.ProducerEpoch, q.Version < 5)
	if claim == nil {
		return nil, wire.None
	}
	code = h.askBegin(ctx, c, q.TransactionalID, q.ProducerID, q.ProducerEpoch, q.Version < 5, 5, []txn.Partition{offsets})[0]
	if code == wire.None {
		claim.Grant()
	}
	switch code {
	case wire.TransactionAbortable:
		if q.Version < 5 {
			code = wire.InvalidTxnState
		}
	case wire.ProducerFenced:
		code = wire.InvalidProducerEpoch
	case wire.NotCoordinator, wire.CoordinatorLoadInProgress, wire.OperationNotAttempted: // of the other coordinator: the client has asked the right one
		code = wire.CoordinatorNotAvailable
	}
	return claim, code
}

// transactional reports whether a client's batch says that it is part of a transaction.
func transactional(records []byte) bool {
	return len(records) >= record.HeaderSize && record.Batch(records).Transactional()
}

// beginPatience bounds how long a Produce waits to hear that its transaction may begin.
const beginPatience = 10 * time.Second

// beginning is one partition in which a request begins its producer's transaction.
type beginning struct {
	claim       *partition.Claim
	topic, part int // in the request
	of          txn.Partition
	producer    int64
	epoch       int16
}

// beginTransactions has the transaction's coordinator know of the partitions that a Produce is the first to write to in
// its transaction. Where that fails the result has its code. It returns what ends the claims, when all was appended.
func (h *Handler) beginTransactions(ctx context.Context, c *Call) (end func()) {
	all := h.beginnings(c)
	for from := 0; from < len(all); {
		to := from + 1
		for to < len(all) && all[to].producer == all[from].producer && all[to].epoch == all[from].epoch {
			to++
		}
		h.begin(ctx, c, all[from:to])
		from = to
	}
	return func() {
		for i := range all {
			all[i].claim.Release()
		}
	}
}

func (h *Handler) beginnings(c *Call) (all []beginning) {
	p := &c.produce
	byID := c.header.Version >= 13
	for i := range p.Topics {
		topic := h.topic(p.Topics[i].Name, p.Topics[i].ID, byID)
		if topic == nil || topic.Internal {
			continue
		}
		for j := range p.Topics[i].Partitions {
			in := &p.Topics[i].Partitions[j]
			part := h.partition(topic, in.Index)
			if part == nil {
				continue
			}
			if claim := part.ClaimFor(in.Records, c.header.Version < 12); claim != nil {
				b := record.Batch(in.Records)
				all = append(all, beginning{claim, i, j, txn.Partition{Topic: topic.Name, Index: in.Index}, b.ProducerID(), b.ProducerEpoch()})
			}
		}
	}
	return all
}

// begin asks for partitions of one transaction.
func (h *Handler) begin(ctx context.Context, c *Call, some []beginning) {
	ctx, cancel := context.WithTimeout(ctx, beginPatience)
	defer cancel()
	partitions := make([]txn.Partition, len(some))
	for i := range some {
		partitions[i] = some[i].of
	}
	version := int16(5)
	if c.header.Version < 11 { // which knows no TRANSACTION_ABORTABLE
		version = 4
	}
	codes := h.askBegin(ctx, c, string(c.produce.TransactionalID), some[0].producer, some[0].epoch, c.header.Version < 12, version, partitions)
	for i, b := range some {
		code := produceCode(codes[i])
		if code == wire.None {
			b.claim.Grant()
			continue
		}
		if code.Retriable() {
			b.claim.Refuse(c.produce.Topics[b.topic].Partitions[b.part].Records)
		}
		c.produced.Topics[b.topic].Partitions[b.part].Code = code
	}
}

// askBegin asks the coordinator to add partitions to a transaction, or whether they are in it. It gives a code for each.
func (h *Handler) askBegin(ctx context.Context, c *Call, id string, producer int64, epoch int16, verify bool, version int16, partitions []txn.Partition) []wire.Code {
	q := kmsg.NewPtrAddPartitionsToTxnRequest()
	q.Version = version
	t := kmsg.AddPartitionsToTxnRequestTransaction{TransactionalID: id, ProducerID: producer, ProducerEpoch: epoch, VerifyOnly: verify}
	for _, p := range partitions {
		t.Topics = append(t.Topics, kmsg.AddPartitionsToTxnRequestTransactionTopic{Topic: p.Topic, Partitions: []int32{p.Index}})
	}
	q.Transactions = append(q.Transactions, t)
	r := h.options.Transactions.Ask(ctx, id, q, c.who()).(*kmsg.AddPartitionsToTxnResponse)
	codes := make([]wire.Code, len(partitions))
	for i := range codes {
		codes[i] = wire.Code(r.Transactions[0].Topics[i].Partitions[0].ErrorCode)
	}
	return codes
}

// produceCode is what a producer is told where its transaction could not begin in a partition: an error that it tries
// again on, if it may pass.
func produceCode(code wire.Code) wire.Code {
	switch code {
	case wire.ProducerFenced:
		return wire.InvalidProducerEpoch
	case wire.ConcurrentTransactions, wire.CoordinatorLoadInProgress, wire.CoordinatorNotAvailable, wire.NotCoordinator, wire.OperationNotAttempted:
		return wire.NotEnoughReplicas
	case wire.InvalidRequest:
		return wire.InvalidTxnState
	default:
		return code
	}
}
