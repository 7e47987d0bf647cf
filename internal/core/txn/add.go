package txn

import (
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// adds is one transaction's part of an AddPartitionsToTxn request, in the form of clients (up to version 3) or in that
// of brokers (from version 4 on), which name several transactions: whoever asks a shard splits those.
type adds struct {
	id       string
	producer int64
	epoch    int16
	verify   bool // do not add, tell whether they are in the transaction
	version  int16
	topics   []kmsg.AddPartitionsToTxnRequestTopic
}

func addition(r *kmsg.AddPartitionsToTxnRequest) adds {
	if r.Version < 4 {
		return adds{r.TransactionalID, r.ProducerID, r.ProducerEpoch, false, r.Version, r.Topics}
	}
	a := adds{version: r.Version}
	if len(r.Transactions) > 0 {
		x := &r.Transactions[0]
		a.id, a.producer, a.epoch, a.verify = x.TransactionalID, x.ProducerID, x.ProducerEpoch, x.VerifyOnly
		for _, topic := range x.Topics {
			a.topics = append(a.topics, kmsg.AddPartitionsToTxnRequestTopic{Topic: topic.Topic, Partitions: topic.Partitions})
		}
	}
	return a
}

// add makes partitions part of the producer's transaction, before anything is written to them; the first one begins it.
func (t *turn) add(a adds) (kmsg.Response, hold) {
	x := t.get(a.id)
	code := x.owner(a.id, a.producer, a.epoch)
	switch {
	case code != wire.None:
	case a.verify:
		return t.verify(x, a), ready
	case x.completing():
		return nil, complete
	}
	if code != wire.None {
		return a.all(fenceCode(code, a.version >= 2)), ready
	}
	wanted, unknown := t.known(a)
	switch {
	case unknown:
		return a.each(func(p Partition) wire.Code {
			if t.exists(p) {
				return wire.OperationNotAttempted
			}
			return wire.UnknownTopicOrPartition
		}), ready
	case x.State == Ongoing && subset(wanted, x):
		return a.all(wire.None), ready
	case len(wanted) == 0:
		return a.all(wire.None), ready
	}
	version := int16(0)
	if a.version >= 4 {
		version = protocol2
	}
	y := x.with(wanted, version, t.now)
	if size(y) > t.s.cfg.MaxRecordBytes {
		return a.all(wire.InvalidRequest), ready
	}
	t.put(y)
	return a.all(wire.None), ready
}

// owner tells the producer that holds a transactional id from all others.
func (x *Transaction) owner(id string, producer int64, epoch int16) wire.Code {
	if id == "" {
		return wire.InvalidRequest
	}
	if x == nil {
		return wire.InvalidProducerIDMapping
	}
	switch ownID, own := x.identity(); {
	case producer != ownID:
		return wire.InvalidProducerIDMapping
	case epoch != own || own > lastEpoch: // which nobody was given
		return wire.ProducerFenced
	default:
		return wire.None
	}
}

// verify tells a partition's leader whether a transaction that is open has the partition. If not, nothing of that
// transaction may be written to it: nobody would end it there.
func (t *turn) verify(x *Transaction, a adds) kmsg.Response {
	if x.completing() {
		return a.all(wire.ConcurrentTransactions)
	}
	return a.each(func(p Partition) wire.Code {
		switch {
		case x.State == Ongoing && x.has(p):
			return wire.None
		case a.version >= 5:
			return wire.TransactionAbortable
		default:
			return wire.InvalidTxnState
		}
	})
}

func (t *turn) known(a adds) (wanted []Partition, unknown bool) {
	for _, topic := range a.topics {
		for _, index := range topic.Partitions {
			p := Partition{topic.Topic, index}
			unknown = unknown || !t.exists(p)
			wanted = append(wanted, p)
		}
	}
	return wanted, unknown
}

func (t *turn) exists(p Partition) bool {
	topic := t.cmd.Image.Topic(p.Topic)
	return topic != nil && p.Index >= 0 && int(p.Index) < len(topic.Partitions)
}

func subset(wanted []Partition, x *Transaction) bool {
	for _, p := range wanted {
		if !x.has(p) {
			return false
		}
	}
	return true
}

// size is at least what a transaction takes in the log.
func size(x *Transaction) int {
	n := 128 + 2*len(x.ID)
	topic := ""
	for _, p := range x.Partitions {
		n += 4
		if p.Topic != topic {
			n += 8 + len(p.Topic)
			topic = p.Topic
		}
	}
	return n
}

func (a adds) all(code wire.Code) kmsg.Response {
	return a.each(func(Partition) wire.Code { return code })
}

func (a adds) each(code func(Partition) wire.Code) kmsg.Response {
	resp := kmsg.NewPtrAddPartitionsToTxnResponse()
	resp.Version = a.version
	if a.version < 4 {
		for _, topic := range a.topics {
			out := kmsg.AddPartitionsToTxnResponseTopic{Topic: topic.Topic}
			for _, p := range topic.Partitions {
				out.Partitions = append(out.Partitions, kmsg.AddPartitionsToTxnResponseTopicPartition{Partition: p, ErrorCode: int16(code(Partition{topic.Topic, p}))})
			}
			resp.Topics = append(resp.Topics, out)
		}
		return resp
	}
	x := kmsg.AddPartitionsToTxnResponseTransaction{TransactionalID: a.id}
	for _, topic := range a.topics {
		out := kmsg.AddPartitionsToTxnResponseTransactionTopic{Topic: topic.Topic}
		for _, p := range topic.Partitions {
			out.Partitions = append(out.Partitions, kmsg.AddPartitionsToTxnResponseTransactionTopicPartition{Partition: p, ErrorCode: int16(code(Partition{topic.Topic, p}))})
		}
		x.Topics = append(x.Topics, out)
	}
	resp.Transactions = append(resp.Transactions, x)
	return resp
}
