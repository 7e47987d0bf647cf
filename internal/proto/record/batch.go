package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// HeaderSize is the size in bytes of a batch before its records.
const HeaderSize = 61

// NoTimestamp is what a client writes into a record that has no timestamp.
const NoTimestamp = -1

const (
	magic = 2

	// prefixSize is what comes before the bytes that a batch's length counts: base offset and length itself.
	prefixSize = 12
	// minLegacy is the smallest length of a message of magic 0: crc, magic, attributes, two null fields.
	minLegacy = 14

	atLength          = 8
	atLeaderEpoch     = 12
	atMagic           = 16
	atCRC             = 17
	atAttributes      = 21
	atLastOffsetDelta = 23
	atBaseTimestamp   = 27
	atMaxTimestamp    = 35
	atProducerID      = 43
	atProducerEpoch   = 51
	atBaseSequence    = 53
	atCount           = 57
)

// The bits of a batch's attributes.
const (
	codecMask        int16 = 0x07
	logAppendTimeBit int16 = 0x08
	transactionalBit int16 = 0x10
	controlBit       int16 = 0x20
	deleteHorizonBit int16 = 0x40
	keptOnReencoding       = transactionalBit
)

// What Next says of bytes that do not begin with a whole batch. A batch of an older format is a MagicError.
var (
	ErrShort  = errors.New("record batch is cut short")
	ErrLength = errors.New("record batch has an impossible length")
)

// MagicError is the format version of a batch or message that is not of version 2.
type MagicError int8

// Error names the version and the remedy.
func (m MagicError) Error() string {
	if m == 0 || m == 1 {
		return fmt.Sprintf("message format %d is from before Kafka 0.11 and is not supported: use a newer client", int8(m))
	}
	return fmt.Sprintf("message format %d is unknown", int8(m))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch is one encoded batch of magic 2. It aliases the bytes that it was found in. The accessors want a batch that
// came out of Next, Builder or Marker; they do not check again.
type Batch []byte

// Next cuts the first batch off b. It checks that the batch is whole, of magic 2 and at least as long as its header,
// nothing else: Check and Rules.Prepare look deeper.
//
// The error is ErrShort where b ends before the batch does (an empty b included), ErrLength where the length field
// cannot be true - also in space prepared with zeros -, or a MagicError. It does not allocate.
func Next(b []byte) (first Batch, rest []byte, err error) {
	if len(b) < prefixSize {
		return nil, b, ErrShort
	}
	length := int32(binary.BigEndian.Uint32(b[atLength:]))
	if length < minLegacy || length > math.MaxInt32-prefixSize {
		return nil, b, ErrLength
	}
	if len(b) <= atMagic {
		return nil, b, ErrShort
	}
	if m := int8(b[atMagic]); m != magic {
		return nil, b, MagicError(m)
	}
	size := int(length) + prefixSize
	if size < HeaderSize {
		return nil, b, ErrLength
	}
	if len(b) < size {
		return nil, b, ErrShort
	}
	return Batch(b[:size:size]), b[size:], nil
}

// BaseOffset is the offset of the first record that the batch was written with.
func (b Batch) BaseOffset() int64 { return int64(binary.BigEndian.Uint64(b)) }

// LeaderEpoch is the epoch of the leader that took the batch, -1 when no leader has yet.
func (b Batch) LeaderEpoch() int32 { return b.int32(atLeaderEpoch) }

// CRC is the checksum as written; CheckCRC tells whether it is right.
func (b Batch) CRC() uint32 { return binary.BigEndian.Uint32(b[atCRC:]) }

// Attributes are the flags as written; Codec, Control and their like read them.
func (b Batch) Attributes() int16 { return int16(binary.BigEndian.Uint16(b[atAttributes:])) }

// LastOffsetDelta is the distance from the base offset to the offset of the last record that the batch was written
// with: compaction removes records and leaves it.
func (b Batch) LastOffsetDelta() int32 { return b.int32(atLastOffsetDelta) }

// LastOffset is the highest offset that the batch occupies.
func (b Batch) LastOffset() int64 { return b.BaseOffset() + int64(b.LastOffsetDelta()) }

// NextOffset is the offset that follows the batch.
func (b Batch) NextOffset() int64 { return b.LastOffset() + 1 }

// BaseTimestamp is what the timestamps of the records count from, in ms: the timestamp of the first record, or the
// delete horizon where DeleteHorizon is set.
func (b Batch) BaseTimestamp() int64 { return b.int64(atBaseTimestamp) }

// MaxTimestamp is the highest timestamp of the records in ms; with LogAppendTime it is the timestamp of them all.
func (b Batch) MaxTimestamp() int64 { return b.int64(atMaxTimestamp) }

// ProducerID is the idempotent producer that wrote the batch, -1 if none did.
func (b Batch) ProducerID() int64 { return b.int64(atProducerID) }

// ProducerEpoch is the producer's epoch, -1 if there is none.
func (b Batch) ProducerEpoch() int16 { return int16(binary.BigEndian.Uint16(b[atProducerEpoch:])) }

// BaseSequence is the producer's sequence number of the first record, -1 if there is none.
func (b Batch) BaseSequence() int32 { return b.int32(atBaseSequence) }

// LastSequence is the sequence number of the last record: numbers run to 2^31-1 and go on at 0. It is -1 if there
// is none.
func (b Batch) LastSequence() int32 {
	first := b.BaseSequence()
	if first < 0 {
		return -1
	}
	return int32((int64(first) + int64(b.LastOffsetDelta())) & math.MaxInt32)
}

// Count is how many records the header promises.
func (b Batch) Count() int32 { return b.int32(atCount) }

// Payload is what follows the header: the records, compressed where Codec says so.
func (b Batch) Payload() []byte { return b[HeaderSize:] }

// Codec is how the payload is compressed. It can be a number that no codec has: Codec.Known tells.
func (b Batch) Codec() Codec { return Codec(b.Attributes() & codecMask) }

// LogAppendTime says that all records have the time at which the leader took them, MaxTimestamp.
func (b Batch) LogAppendTime() bool { return b.Attributes()&logAppendTimeBit != 0 }

// Transactional says that the batch belongs to a transaction.
func (b Batch) Transactional() bool { return b.Attributes()&transactionalBit != 0 }

// Control says that the batch holds a marker for brokers and clients, no record of a user.
func (b Batch) Control() bool { return b.Attributes()&controlBit != 0 }

// DeleteHorizon says that compaction wrote into BaseTimestamp the time from which tombstones may go.
func (b Batch) DeleteHorizon() bool { return b.Attributes()&deleteHorizonBit != 0 }

// SetBaseOffset gives the batch its place in a log. The checksum does not cover it.
func (b Batch) SetBaseOffset(offset int64) { binary.BigEndian.PutUint64(b, uint64(offset)) }

// SetLeaderEpoch says which leader took the batch. The checksum does not cover it.
func (b Batch) SetLeaderEpoch(epoch int32) {
	binary.BigEndian.PutUint32(b[atLeaderEpoch:], uint32(epoch))
}

// SetLogAppendTime makes ms the timestamp of all records and writes a new checksum.
func (b Batch) SetLogAppendTime(ms int64) {
	b.setAttributes(b.Attributes() | logAppendTimeBit)
	b.setInt64(atMaxTimestamp, ms)
	b.seal()
}

// CheckCRC tells whether the checksum is that of the bytes that it covers.
func (b Batch) CheckCRC() bool { return b.CRC() == b.sum() }

// Check tells whether a batch that a broker wrote is intact: the checksum holds and the offsets can be. Recovery and
// followers ask; what a client sent goes through Rules.Prepare. The error is an *Error of kind Corrupt.
func (b Batch) Check() error {
	switch {
	case !b.CheckCRC():
		return b.crcError()
	case b.BaseOffset() < 0 || b.LastOffsetDelta() < 0 || b.BaseOffset() > math.MaxInt64-1-int64(b.LastOffsetDelta()):
		return failf(Corrupt, "batch with base offset %d and last offset delta %d", b.BaseOffset(), b.LastOffsetDelta())
	case b.Count() < 0:
		return failf(Corrupt, "batch at offset %d with a count of %d records", b.BaseOffset(), b.Count())
	}
	return nil
}

func (b Batch) crcError() *Error {
	return failf(Corrupt, "batch at offset %d has checksum %08x, but its bytes give %08x", b.BaseOffset(), b.CRC(), b.sum())
}

func (b Batch) sum() uint32 { return crc32.Checksum(b[atAttributes:], castagnoli) }

// seal writes length and checksum of a batch whose other fields are final.
func (b Batch) seal() {
	binary.BigEndian.PutUint32(b[atLength:], uint32(len(b)-prefixSize))
	binary.BigEndian.PutUint32(b[atCRC:], b.sum())
}

func (b Batch) setAttributes(a int16) { binary.BigEndian.PutUint16(b[atAttributes:], uint16(a)) }

func (b Batch) int32(at int) int32 { return int32(binary.BigEndian.Uint32(b[at:])) }
func (b Batch) int64(at int) int64 { return int64(binary.BigEndian.Uint64(b[at:])) }

func (b Batch) setInt32(at int, v int32) { binary.BigEndian.PutUint32(b[at:], uint32(v)) }
func (b Batch) setInt64(at int, v int64) { binary.BigEndian.PutUint64(b[at:], uint64(v)) }
