package record

import (
	"errors"
	"io"
	"math"
	"sync"
)

// Rules is what a partition accepts from clients; every field comes from the topic's settings but NowMs. A Rules may
// serve many goroutines as long as none changes it.
type Rules struct {
	MaxBytes      int    // of a batch as it is stored: max.message.bytes
	Compacted     bool   // every record needs a key: cleanup.policy with compact
	Full          bool   // look at every record even where no other rule asks for it: record.validation=full
	Codec         string // compression.type: "" or "producer" keeps the client's codec
	Level         int    // Kafka's compression level of Codec; 0 is the default
	LogAppendTime bool   // message.timestamp.type

	NowMs       int64 // the time of the append
	BeforeMaxMs int64 // message.timestamp.before.max.ms; math.MaxInt64 is no limit
	AfterMaxMs  int64 // message.timestamp.after.max.ms; math.MaxInt64 is no limit

	MaxDecompressed int // what a batch may decompress to in bytes; 0 means DefaultMaxDecompressed
}

// decompressors keeps idle ones for Prepare, like encoders does for the other direction.
var decompressors = sync.Pool{New: func() any { return new(Decompressor) }}

// Single gives the one batch that a partition of a produce request holds: since version 3 of Produce it is never
// more, because the answer has room for one result. It does not allocate where it succeeds.
func Single(records []byte) (Batch, *Error) {
	b, rest, err := Next(records)
	switch {
	case len(records) == 0:
		return nil, failf(InvalidRecord, "a produce request needs a record batch for each partition that it names")
	case err != nil:
		if _, ok := err.(MagicError); ok {
			return nil, failf(UnsupportedFormat, "%v", err)
		}
		return nil, failf(Corrupt, "%v", err)
	case len(rest) > 0:
		return nil, failf(InvalidRecord, "a produce request may hold one record batch for a partition, %d bytes follow it",
			len(rest))
	}
	return b, nil
}

// Prepare checks a client's batch against the rules and makes it what the log stores, offsets and leader epoch
// aside. The result is b itself, changed in place where a timestamp was set, or a new batch where the topic asks for
// another codec. The error names the record to blame where there is one; then nothing of b is of use.
//
// Checksum, header, codec, count against offsets and, as far as the header tells, timestamps are always checked.
// Records are looked at one by one where the rules need it: compacted topics, a limit on old timestamps, another
// codec, Full, or a header whose timestamps cannot be right. Without that nothing is decompressed or allocated.
func (r *Rules) Prepare(b Batch) (Batch, *Error) {
	if err := r.checkHeader(b); err != nil {
		return nil, err
	}
	codec, err := r.codec(b)
	if err != nil {
		return nil, err
	}
	if codec != b.Codec() || r.Compacted || r.Full || !r.LogAppendTime && r.doubtTimestamps(b) {
		if b, err = r.walk(b, codec); err != nil {
			return nil, err
		}
	}
	if r.LogAppendTime {
		b.SetLogAppendTime(r.NowMs)
	}
	return b, nil
}

// checkHeader checks what the header alone can tell, in the order in which Kafka does: clients' tests know it.
func (r *Rules) checkHeader(b Batch) *Error {
	switch {
	case len(b) < HeaderSize || int64(b.int32(atLength)) != int64(len(b)-prefixSize):
		return failf(Corrupt, "%v", ErrLength)
	case int8(b[atMagic]) != magic:
		return failf(UnsupportedFormat, "%v", MagicError(b[atMagic]))
	case b.BaseOffset() != 0:
		return failf(InvalidRecord, "a client's batch has base offset 0, not %d: the broker gives offsets", b.BaseOffset())
	case len(b) > r.MaxBytes:
		return r.tooLarge(len(b))
	case !b.CheckCRC():
		return b.crcError()
	case !b.Codec().Known():
		return new(Decompressor).fail(b.Codec(), errCodec)
	}
	if err := r.checkCount(b); err != nil {
		return err
	}
	switch {
	case b.Control():
		return failf(InvalidRecord, "clients may not write control batches")
	case b.DeleteHorizon():
		return failf(InvalidRecord, "clients may not set a delete horizon")
	case b.LogAppendTime():
		return recordf(InvalidTimestamp, 0, "clients may not set the timestamp type LogAppendTime: the topic's "+
			"message.timestamp.type does")
	}
	return checkProducer(b)
}

// checkCount holds the count against the offsets and against what the payload can hold at all, so that a small batch
// cannot occupy a billion offsets.
func (r *Rules) checkCount(b Batch) *Error {
	count, payload := int64(b.Count()), int64(len(b)-HeaderSize)
	switch {
	case b.LastOffsetDelta() < 0:
		return failf(InvalidRecord, "the last offset delta is %d", b.LastOffsetDelta())
	case count <= 0:
		return failf(InvalidRecord, "the batch has a count of %d records", count)
	case count != int64(b.LastOffsetDelta())+1:
		return failf(InvalidRecord, "the batch has a count of %d records, but a last offset delta of %d", count,
			b.LastOffsetDelta())
	case count*minRecord > b.Codec().expansion()*payload:
		return failf(InvalidRecord, "%d bytes cannot hold the %d records that the header promises", payload, count)
	}
	return nil
}

func checkProducer(b Batch) *Error {
	id := b.ProducerID()
	switch {
	case id < -1:
		return failf(InvalidRecord, "there is no producer id %d", id)
	case id >= 0 && b.ProducerEpoch() < 0:
		return failf(InvalidRecord, "producer id %d comes with epoch %d", id, b.ProducerEpoch())
	case id >= 0 && b.BaseSequence() < 0:
		return failf(InvalidRecord, "producer id %d comes with sequence number %d", id, b.BaseSequence())
	case id < 0 && b.Transactional():
		return failf(InvalidRecord, "a transactional batch needs a producer id")
	}
	return nil
}

func (r *Rules) tooLarge(size int) *Error {
	return failf(TooLarge, "the batch has %d bytes, the topic's max.message.bytes allows %d", size, r.MaxBytes)
}

// codec is what b shall be compressed with.
func (r *Rules) codec(b Batch) (Codec, *Error) {
	if r.Codec == "" || r.Codec == "producer" {
		return b.Codec(), nil
	}
	c, err := ParseCodec(r.Codec)
	if err != nil {
		return c, failf(UnsupportedCodec, "compression.type: %v", err)
	}
	return c, nil
}

// window is what timestamps may be. It has no limits where the broker sets them.
func (r *Rules) window() (low, top int64) {
	low, top = math.MinInt64, math.MaxInt64
	if r.LogAppendTime {
		return low, top
	}
	if r.BeforeMaxMs < math.MaxInt64 {
		low = r.NowMs - r.BeforeMaxMs
	}
	if r.AfterMaxMs < math.MaxInt64-max(r.NowMs, 0) {
		top = r.NowMs + r.AfterMaxMs
	}
	return low, top
}

// doubtTimestamps tells whether the records must be asked, because a record may be too old, the header says that one
// is too new, or the header contradicts itself.
func (r *Rules) doubtTimestamps(b Batch) bool {
	low, top := r.window()
	return low > math.MinInt64 || b.MaxTimestamp() > top || b.MaxTimestamp() < b.BaseTimestamp()
}

// walk looks at every record, and compresses them anew on the way if codec is not that of b.
func (r *Rules) walk(b Batch, codec Codec) (Batch, *Error) {
	d := decompressors.Get().(*Decompressor)
	defer decompressors.Put(d)
	d.Max = r.MaxDecompressed
	if codec != b.Codec() {
		return r.reencode(d, b, codec)
	}
	maxMs, err := r.judge(d, b, nil)
	if err != nil {
		return nil, err
	}
	if !r.LogAppendTime && b.MaxTimestamp() != maxMs {
		b.setInt64(atMaxTimestamp, maxMs)
		b.seal()
	}
	return b, nil
}

// reencode makes a batch with the same records in another codec. They stream from one into the other.
func (r *Rules) reencode(d *Decompressor, b Batch, codec Codec) (Batch, *Error) {
	out := output{buf: append(make([]byte, 0, len(b)+len(b)/8), b[:HeaderSize]...), max: r.MaxBytes}
	var maxMs int64
	var err *Error
	if codec == None {
		maxMs, err = r.judge(d, b, &out)
	} else {
		e, pool := takeEncoder(codec, r.Level)
		e.Reset(&out)
		maxMs, err = r.judge(d, b, e)
		if err == nil && e.Close() != nil {
			err = r.outgrown()
		}
		e.Reset(nil)
		pool.Put(e)
	}
	if err != nil {
		return nil, err
	}
	b = out.buf
	b.setAttributes(b.Attributes()&keptOnReencoding | int16(codec))
	b.setInt64(atMaxTimestamp, maxMs)
	b.seal()
	return b, nil
}

func (r *Rules) outgrown() *Error {
	return failf(TooLarge, "in the topic's compression.type %s the batch has more bytes than max.message.bytes allows (%d)",
		r.Codec, r.MaxBytes)
}

// judge walks over the records of b, sends them decompressed to sink if there is one, and finds their highest timestamp.
func (r *Rules) judge(d *Decompressor, b Batch, sink io.Writer) (maxMs int64, err *Error) {
	w := &d.walk
	*w = walk{rules: *r, source: source{chunk: w.chunk, sink: sink}}
	if b.Codec() == None && sink == nil {
		w.p = b.Payload()
	} else {
		if w.chunk == nil {
			w.chunk = make([]byte, chunkSize)
		}
		w.r, w.broken = d.open(b.Codec(), b.Payload())
	}
	if w.broken == nil {
		err = w.all(b)
	}
	if errors.Is(w.broken, errFull) {
		err = r.outgrown()
	} else if w.broken != nil {
		err = d.fail(b.Codec(), w.broken)
	}
	maxMs = w.maxMs
	d.close()
	*w = walk{source: source{chunk: w.chunk}}
	return maxMs, err
}
