package record

// Thinner takes records out of batches that lie in a log, as compaction does. What stays keeps its offset, its timestamp
// and its bytes; the batch keeps its place, its epoch, its producer and its sequences. It keeps its buffers, so reuse it;
// it is not for use by several goroutines at once.
type Thinner struct {
	d    Decompressor
	kept []run
	out  []byte
	text []byte // records before they are compressed again
}

// run is a stretch of records, as bytes of a decompressed payload.
type run struct{ from, to int }

// NewThinner makes a thinner for batches that decompress to at most max bytes; 0 means DefaultMaxDecompressed.
func NewThinner(max int) *Thinner { return &Thinner{d: Decompressor{Max: max}} }

// Records is b.Records with the thinner's own buffers.
func (t *Thinner) Records(b Batch) func(yield func(Record, error) bool) { return b.Records(&t.d) }

// Thin makes the batch of those records of b that keep wants. It is b itself where that changes nothing, and nil where no
// record is left; else it lies in the thinner's memory until the next call. Where a tombstone stays (a record without
// value) and b has no delete horizon yet, the batch gets horizonMs for one: the base timestamp says so from then on, and
// timestamps count from it. The error is an *Error; b is as it was.
func (t *Thinner) Thin(b Batch, horizonMs int64, keep func(Record) bool) (Batch, error) {
	plain, err := t.d.Payload(b)
	if err != nil {
		return nil, err
	}
	var (
		count     int32
		maxMs     = int64(NoTimestamp)
		tombstone bool
		rest      = plain
	)
	t.kept = t.kept[:0]
	for i := range b.Count() {
		at := len(plain) - len(rest)
		var r Record
		if r, rest, err = parseRecord(rest, t.d.headers[:0]); err != nil {
			return nil, recordf(InvalidRecord, i, "%v", err)
		}
		t.d.headers = r.Headers[:0]
		if !keep(r) {
			continue
		}
		count++
		maxMs = max(maxMs, b.Timestamp(r))
		tombstone = tombstone || r.Value == nil
		if end := len(plain) - len(rest); len(t.kept) > 0 && t.kept[len(t.kept)-1].to == at {
			t.kept[len(t.kept)-1].to = end
		} else {
			t.kept = append(t.kept, run{at, end})
		}
	}
	if len(rest) > 0 {
		return nil, failf(InvalidRecord, "%d bytes follow the %d records of the batch", len(rest), b.Count())
	}
	marks := tombstone && !b.DeleteHorizon()
	switch {
	case count == 0:
		return nil, nil
	case count == b.Count() && !marks:
		return b, nil
	}
	baseMs := b.BaseTimestamp()
	if marks {
		baseMs = horizonMs
	}
	return t.rebuild(b, plain, count, baseMs, maxMs, marks), nil
}

// WithHorizon is b, a batch without tombstones, with a delete horizon: what compaction gives to the marker of a
// transaction of which nothing is left. It lies in the thinner's memory until the next call.
func (t *Thinner) WithHorizon(b Batch, horizonMs int64) (Batch, error) {
	plain, err := t.d.Payload(b)
	if err != nil {
		return nil, err
	}
	t.kept = append(t.kept[:0], run{0, len(plain)})
	return t.rebuild(b, plain, b.Count(), horizonMs, b.MaxTimestamp(), true), nil
}

// rebuild makes a batch of the kept runs; marked says that the base timestamp is a delete horizon now.
func (t *Thinner) rebuild(b Batch, plain []byte, count int32, baseMs, maxMs int64, marked bool) Batch {
	t.text = t.text[:0]
	for _, k := range t.kept {
		t.text = appendShifted(t.text, plain[k.from:k.to], b.BaseTimestamp()-baseMs)
	}
	out := append(Batch(t.out[:0]), b[:HeaderSize]...)
	out.setInt32(atCount, count)
	out.setInt64(atBaseTimestamp, baseMs)
	if marked {
		out.setAttributes(out.Attributes() | deleteHorizonBit)
	}
	if !b.LogAppendTime() {
		out.setInt64(atMaxTimestamp, maxMs)
	}
	out = compress(out, b.Codec(), DefaultLevel, t.text)
	out.seal()
	t.out = out
	return out
}

// appendShifted copies records whose timestamps count from a base that is shift later. They were parsed before.
func appendShifted(dst, records []byte, shift int64) []byte {
	if shift == 0 {
		return append(dst, records...)
	}
	var headers []Header
	for len(records) > 0 {
		r, rest, err := parseRecord(records, headers[:0])
		if err != nil {
			panic("record: a record that was parsed before: " + err.Error())
		}
		headers = r.Headers
		r.TimestampDelta += shift
		dst = appendRecord(dst, r)
		records = rest
	}
	return dst
}

// Emptied is the header of b without records: what compaction leaves of a batch where the offsets, or the sequences of its
// producer, must stay known.
func (b Batch) Emptied() Batch {
	out := append(make(Batch, 0, HeaderSize), b[:HeaderSize]...)
	out.setAttributes(b.Attributes() &^ (codecMask | deleteHorizonBit))
	out.setInt64(atBaseTimestamp, NoTimestamp)
	out.setInt32(atCount, 0)
	out.seal()
	return out
}

// HorizonMs is the time in ms from which the tombstones of the batch, or the marker that it holds, may go. It is not ok
// where compaction has not met the batch yet.
func (b Batch) HorizonMs() (ms int64, ok bool) {
	return b.BaseTimestamp(), b.DeleteHorizon()
}
