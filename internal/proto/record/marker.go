package record

import "encoding/binary"

// Marker ends a transaction in one partition. It is the only record of a control batch: its key says which end, its
// value which coordinator decided.
//
//	key:   ┌───────────┬────────┐   value: ┌───────────┬─────────────────────┐
//	       │ version 2 │ type 2 │          │ version 2 │ coordinator epoch 4 │
//	       └───────────┴────────┘          └───────────┴─────────────────────┘
type Marker struct {
	Commit           bool // or abort
	ProducerID       int64
	ProducerEpoch    int16
	CoordinatorEpoch int32
	TimestampMs      int64
}

// The types of control records that end a transaction.
const (
	controlAbort  = 0
	controlCommit = 1
)

// Batch encodes the marker, with base offset 0 and leader epoch -1.
func (m Marker) Batch() Batch {
	key, value := make([]byte, 4), make([]byte, 6)
	if m.Commit {
		binary.BigEndian.PutUint16(key[2:], controlCommit)
	}
	binary.BigEndian.PutUint32(value[2:], uint32(m.CoordinatorEpoch))
	r := Record{Key: key, Value: value}

	b := newHeader(HeaderSize + recordSize(r))
	b.setAttributes(controlBit | transactionalBit)
	b.setInt64(atBaseTimestamp, m.TimestampMs)
	b.setInt64(atMaxTimestamp, m.TimestampMs)
	b.setProducer(m.ProducerID, m.ProducerEpoch, -1)
	b.setInt32(atCount, 1)
	b = appendRecord(b, r)
	b.seal()
	return b
}

// Marker reads b as the end of a transaction. It is not ok for any other batch, other kinds of control batch included.
func (b Batch) Marker() (m Marker, ok bool) {
	if !b.Control() || b.Codec() != None || b.Count() != 1 {
		return m, false
	}
	r, rest, err := parseRecord(b.Payload(), nil)
	if err != nil || len(rest) > 0 || len(r.Key) < 4 || len(r.Value) < 6 {
		return m, false
	}
	// Later versions of either only append, as Kafka's readers assume too; negative ones do not exist.
	kind := binary.BigEndian.Uint16(r.Key[2:])
	if kind > controlCommit || int8(r.Key[0]) < 0 || int8(r.Value[0]) < 0 {
		return m, false
	}
	return Marker{
		Commit:           kind == controlCommit,
		ProducerID:       b.ProducerID(),
		ProducerEpoch:    b.ProducerEpoch(),
		CoordinatorEpoch: int32(binary.BigEndian.Uint32(r.Value[2:])),
		TimestampMs:      b.Timestamp(r),
	}, true
}
