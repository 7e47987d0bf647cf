package txn

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"holdfast/internal/core/shard"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// State is where a transaction stands, with Kafka's numbers and names.
type State = kmsg.TransactionState

// The states that are written. Kafka numbers two more, Dead and PrepareEpochFence, which it never writes.
const (
	Empty          = kmsg.TransactionStateEmpty          // a producer has its epoch, and has begun nothing
	Ongoing        = kmsg.TransactionStateOngoing        // partitions were added, nothing is decided
	PrepareCommit  = kmsg.TransactionStatePrepareCommit  // decided: markers are being written
	PrepareAbort   = kmsg.TransactionStatePrepareAbort   // decided: markers are being written
	CompleteCommit = kmsg.TransactionStateCompleteCommit // every partition has its marker
	CompleteAbort  = kmsg.TransactionStateCompleteAbort  // every partition has its marker
)

const (
	// NoEpoch is the epoch of a producer that has none.
	NoEpoch int16 = -1
	// lastEpoch is the last epoch a producer is given. One more is left, for the marker that fences it.
	lastEpoch int16 = 1<<15 - 2

	// protocol2 is transaction.version 2 (KIP-890): every end raises the epoch.
	protocol2 int16 = 2

	noStart int64 = -1
)

// Partition is one partition of a transaction.
type Partition struct {
	Topic string
	Index int32
}

func (p Partition) compare(o Partition) int {
	return cmp.Or(cmp.Compare(p.Topic, o.Topic), cmp.Compare(p.Index, o.Index))
}

// Transaction is what is known of one transactional id: the producer that holds it, and its transaction. It is never
// changed; a transition makes another.
type Transaction struct {
	ID         string // transactional id
	ProducerID int64
	Epoch      int16
	LastEpoch  int16 // the epoch before, if who held it may still repeat its last request; NoEpoch if not
	PreviousID int64 // the producer id before the last transition; another than ProducerID once its epochs were used up
	NextID     int64 // the producer id after the transaction that is being completed; shard.NoProducer for the same
	Timeout    time.Duration
	State      State
	Version    int16       // transaction.version by which the last transition was made
	Partitions []Partition // sorted
	StartMs    int64       // when the transaction began; -1 if none did
	UpdateMs   int64       // when this was written
}

// Record is one transactional id as it is from now on, or its end.
type Record struct {
	ID    string
	Value *Transaction // nil: forgotten
}

// tagLastEpoch is a tagged field of our own in Kafka's record, numbered far above Kafka's: the epoch before, where it
// does not follow from the state. Kafka forgets it when a coordinator moves, and fences a producer that only repeats.
const tagLastEpoch = 10_000

const (
	keyVersion   = 0
	valueVersion = 1 // the first with tagged fields
)

// Encode writes Kafka's TransactionLogKey and TransactionLogValue.
func (r *Record) Encode() (key, value []byte) {
	k := kmsg.TxnMetadataKey{Version: keyVersion, TransactionalID: r.ID}
	key = k.AppendTo(make([]byte, 0, 4+len(r.ID)))
	if x := r.Value; x != nil {
		value = x.value().AppendTo(nil)
	}
	return key, value
}

func (x *Transaction) value() *kmsg.TxnMetadataValue {
	v := &kmsg.TxnMetadataValue{
		Version: valueVersion, ProducerID: x.ProducerID, ProducerEpoch: x.Epoch, TimeoutMillis: int32(x.Timeout.Milliseconds()), State: x.State,
		LastUpdateTimestamp: x.UpdateMs, StartTimestamp: x.StartMs,
		PreviousProducerID: x.PreviousID, NextProducerID: x.NextID, ClientTransactionVersion: x.Version, NextProducerEpoch: NoEpoch,
	}
	if x.State != Empty {
		v.Topics = []kmsg.TxnMetadataValueTopic{}
	}
	for _, p := range x.Partitions {
		if n := len(v.Topics); n > 0 && v.Topics[n-1].Topic == p.Topic {
			v.Topics[n-1].Partitions = append(v.Topics[n-1].Partitions, p.Index)
		} else {
			v.Topics = append(v.Topics, kmsg.TxnMetadataValueTopic{Topic: p.Topic, Partitions: []int32{p.Index}})
		}
	}
	if x.LastEpoch != x.impliedLast() {
		v.UnknownTags.Set(tagLastEpoch, binary.BigEndian.AppendUint16(nil, uint16(x.LastEpoch)))
	}
	return v
}

// impliedLast is the epoch before, as far as it follows from the rest.
func (x *Transaction) impliedLast() int16 {
	switch {
	case x.Version < protocol2:
	case x.State == PrepareCommit, x.State == PrepareAbort:
		return x.Epoch - 1
	case x.State == CompleteCommit, x.State == CompleteAbort:
		if x.rotated() {
			return lastEpoch
		}
		return x.Epoch - 1
	}
	return NoEpoch
}

// rotated reports whether the last transition gave a new producer id because the epochs were used up.
func (x *Transaction) rotated() bool { return x.PreviousID >= 0 && x.PreviousID != x.ProducerID }

// Decode reads a record of the log. A nil value is a tombstone. Errors: shard.ErrUnknownRecord, or the bytes are not
// what their type says, or of a version newer than Kafka 4.3 writes.
func Decode(key, value []byte) (*Record, error) {
	if len(key) < 2 {
		return nil, fmt.Errorf("txn: a key of %d bytes in __transaction_state", len(key))
	}
	if version := int16(binary.BigEndian.Uint16(key)); version != keyVersion {
		return nil, fmt.Errorf("txn: key version %d: %w", version, shard.ErrUnknownRecord)
	}
	var k kmsg.TxnMetadataKey
	if err := k.ReadFrom(key); err != nil {
		return nil, fmt.Errorf("txn: the key of a transactional id: %w", err)
	}
	r := &Record{ID: k.TransactionalID}
	if value == nil {
		return r, nil
	}
	var err error
	if r.Value, err = decodeValue(k.TransactionalID, value); err != nil {
		return nil, fmt.Errorf("txn: the state of transactional id %q: %w", k.TransactionalID, err)
	}
	return r, nil
}

func decodeValue(id string, b []byte) (*Transaction, error) {
	if len(b) < 2 {
		return nil, fmt.Errorf("a value of %d bytes", len(b))
	}
	if version := int16(binary.BigEndian.Uint16(b)); version < 0 || version > valueVersion {
		return nil, fmt.Errorf("version %d is newer than %d, the newest this build reads", version, valueVersion)
	}
	var v kmsg.TxnMetadataValue
	if err := v.ReadFrom(b); err != nil {
		return nil, err
	}
	switch {
	case v.State < Empty || v.State > CompleteAbort:
		return nil, fmt.Errorf("state %d is none that is written", v.State)
	case v.ProducerID < 0 || v.ProducerEpoch < 0 || v.TimeoutMillis < 0:
		return nil, fmt.Errorf("producer id %d, epoch %d, time-out %d ms: none may be negative", v.ProducerID, v.ProducerEpoch, v.TimeoutMillis)
	}
	x := &Transaction{
		ID: id, ProducerID: v.ProducerID, Epoch: v.ProducerEpoch, PreviousID: v.PreviousProducerID, NextID: v.NextProducerID,
		Timeout: time.Duration(v.TimeoutMillis) * time.Millisecond, State: v.State, Version: v.ClientTransactionVersion,
		StartMs: v.StartTimestamp, UpdateMs: v.LastUpdateTimestamp,
	}
	for _, t := range v.Topics {
		for _, p := range t.Partitions {
			x.Partitions = append(x.Partitions, Partition{t.Topic, p})
		}
	}
	x.Partitions = union(nil, x.Partitions) // Kafka's sets have no order
	x.LastEpoch = x.impliedLast()
	v.UnknownTags.Each(func(tag uint32, b []byte) {
		if tag == tagLastEpoch && len(b) == 2 {
			x.LastEpoch = int16(binary.BigEndian.Uint16(b))
		}
	})
	return x, nil
}

// union is a new sorted slice of what is in either.
func union(a, b []Partition) []Partition {
	out := slices.Concat(a, b)
	slices.SortFunc(out, Partition.compare)
	return slices.Compact(out)
}

func (x *Transaction) has(p Partition) bool {
	_, ok := slices.BinarySearchFunc(x.Partitions, p, Partition.compare)
	return ok
}
