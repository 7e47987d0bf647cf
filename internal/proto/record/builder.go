package record

import (
	"errors"
	"math"
)

// ErrFull says that the batch has no room for one more record: build it and begin the next.
var ErrFull = errors.New("the batch is full")

// DefaultMaxBatch bounds a batch in bytes before compression where nobody says otherwise: Kafka's max.message.bytes.
const DefaultMaxBatch = 1<<20 + 12

// BuilderOptions says what a Builder makes. The zero value makes plain batches of no producer.
type BuilderOptions struct {
	Codec    Codec
	Level    int // Kafka's level of the codec; 0 is its default
	MaxBytes int // of the batch before compression, header included; 0 means DefaultMaxBatch

	Idempotent    bool // the fields below are those of a producer
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32
	Transactional bool
}

// Builder makes one batch after the other. It is not for use by several goroutines at once.
type Builder struct {
	opts    BuilderOptions
	records []byte
	count   int32
	baseMs  int64
	maxMs   int64
}

// NewBuilder makes a builder.
func NewBuilder(o BuilderOptions) *Builder {
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBatch
	}
	return &Builder{opts: o}
}

// Append adds a record. It copies; a nil key or value is null. The error is ErrFull where the record needs the next
// batch, or an *Error of kind TooLarge where no batch has room for it: in both cases nothing was added.
func (b *Builder) Append(timestampMs int64, key, value []byte, headers ...Header) error {
	r := Record{OffsetDelta: b.count, Key: key, Value: value, Headers: headers}
	if b.count > 0 {
		r.TimestampDelta = timestampMs - b.baseMs
	}
	size := recordSize(r)
	if size > b.opts.MaxBytes-b.Size() || b.count == math.MaxInt32 {
		if b.count > 0 {
			return ErrFull
		}
		return failf(TooLarge, "a record of %d bytes does not fit into a batch of %d", size, b.opts.MaxBytes)
	}
	if b.count == 0 {
		b.baseMs, b.maxMs = timestampMs, timestampMs
	}
	b.maxMs = max(b.maxMs, timestampMs)
	b.records = appendRecord(b.records, r)
	b.count++
	return nil
}

// Count is how many records were added since the last Build.
func (b *Builder) Count() int { return int(b.count) }

// Size is the size of the batch in bytes before compression.
func (b *Builder) Size() int { return HeaderSize + len(b.records) }

// Build gives the batch, with base offset 0 and leader epoch -1, in memory of its own, and empties the builder for
// the next one, whose sequence goes on. Without a record it gives nil.
func (b *Builder) Build() Batch {
	if b.count == 0 {
		return nil
	}
	o := &b.opts
	batch := newHeader(HeaderSize + len(b.records))
	attributes := int16(o.Codec)
	if o.Transactional {
		attributes |= transactionalBit
	}
	batch.setAttributes(attributes)
	batch.setInt32(atLastOffsetDelta, b.count-1)
	batch.setInt64(atBaseTimestamp, b.baseMs)
	batch.setInt64(atMaxTimestamp, b.maxMs)
	batch.setInt32(atCount, b.count)
	if o.Idempotent {
		batch.setProducer(o.ProducerID, o.ProducerEpoch, o.BaseSequence)
		o.BaseSequence = int32((int64(o.BaseSequence) + int64(b.count)) & math.MaxInt32)
	}
	batch = compress(batch, o.Codec, o.Level, b.records)
	batch.seal()
	b.Reset()
	return batch
}

// Reset forgets the records added since the last Build.
func (b *Builder) Reset() { b.records, b.count = b.records[:0], 0 }

// newHeader makes the header of a batch that nobody has numbered and no idempotent producer wrote.
func newHeader(capacity int) Batch {
	b := make(Batch, HeaderSize, capacity)
	b.SetLeaderEpoch(-1)
	b[atMagic] = magic
	b.setProducer(-1, -1, -1)
	return b
}

func (b Batch) setProducer(id int64, epoch int16, sequence int32) {
	b.setInt64(atProducerID, id)
	b[atProducerEpoch], b[atProducerEpoch+1] = byte(uint16(epoch)>>8), byte(epoch)
	b.setInt32(atBaseSequence, sequence)
}
