package record

import (
	"encoding/binary"
	"io"
	"math"
)

// chunkSize is how many bytes of a compressed payload a walk holds at a time.
const chunkSize = 32 << 10

// walk goes through the records that a client sent, one field after the other, and keeps none of it: a batch of
// 64 MiB is judged in 32 KiB. It is the one parser that strangers' records stream through.
type walk struct {
	source
	rules Rules // a copy: the caller's stays on its stack

	baseMs   int64
	low, top int64 // what a record's timestamp may be
	maxMs    int64 // the highest timestamp so far
}

// source is a payload that is read once from the front.
type source struct {
	p     []byte    // decompressed and not yet consumed
	taken int64     // bytes consumed
	r     io.Reader // of what comes after p; nil at the end
	chunk []byte    // holds p while r is there
	sink  io.Writer // gets all that came out of r, if it is there

	broken error // r or sink failed
	err    error // the records are malformed
}

// all checks every record of b. The error names the first offender.
func (w *walk) all(b Batch) *Error {
	w.baseMs, w.maxMs = b.BaseTimestamp(), math.MinInt64
	w.low, w.top = w.rules.window()
	for i := range b.Count() {
		if err := w.record(i); err != nil {
			return err
		}
	}
	if w.broken == nil && (len(w.p) > 0 || w.fill()) {
		return failf(InvalidRecord, "bytes follow the %d records that the header promises", b.Count())
	}
	return nil
}

// record checks the next record.
func (w *walk) record(i int32) *Error {
	size := w.varint(0, math.MaxInt32)
	end := w.taken + size
	w.skip(1, end) // attributes: no bit is used
	delta := w.varint(math.MinInt64, math.MaxInt64)
	offset := w.varint(math.MinInt32, math.MaxInt32)
	keySize := w.varint(-1, math.MaxInt32)
	w.skip(keySize, end)
	w.skip(w.varint(-1, math.MaxInt32), end)
	for n := w.varint(0, math.MaxInt32); n > 0 && w.ok(); n-- {
		w.skip(w.varint(0, math.MaxInt32), end)
		w.skip(w.varint(-1, math.MaxInt32), end)
	}
	if w.ok() && w.taken != end {
		w.err = errTrailer
	}
	switch {
	case w.broken != nil:
		return nil // the caller words it: it knows codec and limits
	case w.err != nil:
		return recordf(InvalidRecord, i, "it is malformed: %v", w.err)
	case offset != int64(i):
		return recordf(InvalidRecord, i, "it has offset delta %d instead of %d", offset, i)
	case w.rules.Compacted && keySize < 0:
		return recordf(InvalidRecord, i, "a compacted topic takes no record without a key")
	}
	return w.timestamp(i, delta)
}

func (w *walk) timestamp(i int32, delta int64) *Error {
	ms := w.baseMs + delta
	if (ms > w.baseMs) != (delta > 0) && delta != 0 {
		return recordf(InvalidTimestamp, i, "its timestamp %d + %d ms is out of range", w.baseMs, delta)
	}
	w.maxMs = max(w.maxMs, ms)
	if ms != NoTimestamp && (ms < w.low || ms > w.top) {
		return recordf(InvalidTimestamp, i, "timestamp %d is not within [%d, %d], which the topic's "+
			"message.timestamp.before.max.ms and message.timestamp.after.max.ms allow now", ms, w.low, w.top)
	}
	return nil
}

func (s *source) ok() bool { return s.err == nil && s.broken == nil }

// fill reads more behind what is left of p. It tells whether anything came.
func (s *source) fill() bool {
	if s.r == nil || !s.ok() {
		return false
	}
	kept := copy(s.chunk, s.p)
	n, err := 0, error(nil)
	for range 100 { // a reader may give nothing a few times
		if n, err = s.r.Read(s.chunk[kept:]); n > 0 || err != nil {
			break
		}
		err = io.ErrNoProgress
	}
	s.p = s.chunk[:kept+n]
	if err == io.EOF {
		s.r, err = nil, nil
	}
	if err == nil && n > 0 && s.sink != nil {
		_, err = s.sink.Write(s.chunk[kept : kept+n])
	}
	s.broken = err
	return n > 0 && err == nil
}

// varint reads a number and checks its range; after a failure it gives 0.
func (s *source) varint(lo, hi int64) int64 {
	v, n := binary.Varint(s.p)
	for n == 0 && s.fill() {
		v, n = binary.Varint(s.p)
	}
	switch {
	case !s.ok():
		return 0
	case n == 0:
		s.err = errCut
		return 0
	case n < 0 || v < lo || v > hi:
		s.err = errNumber
		return 0
	}
	s.p = s.p[n:]
	s.taken += int64(n)
	return v
}

// skip passes over n bytes of a record that ends at end; n is -1 for null.
func (s *source) skip(n, end int64) {
	if n <= 0 || !s.ok() {
		return
	}
	if n > end-s.taken {
		s.err = errTrailer
		return
	}
	for n > int64(len(s.p)) {
		n -= int64(len(s.p))
		s.taken += int64(len(s.p))
		s.p = nil
		if !s.fill() {
			if s.broken == nil {
				s.err = errCut
			}
			return
		}
	}
	s.p = s.p[n:]
	s.taken += n
}
