package record

import (
	"encoding/binary"
	"errors"
	"iter"
	"math"
	"slices"
)

// Record is one record of a batch. A nil key or value is null.
type Record struct {
	OffsetDelta    int32 // from the batch's base offset
	TimestampDelta int64 // in ms, from the batch's base timestamp
	Key, Value     []byte
	Headers        []Header
}

// Header is one header of a record. A nil value is null.
type Header struct{ Key, Value []byte }

// Clone copies the record out of the buffers that it aliases.
func (r Record) Clone() Record {
	r.Key, r.Value, r.Headers = slices.Clone(r.Key), slices.Clone(r.Value), slices.Clone(r.Headers)
	for i, h := range r.Headers {
		r.Headers[i] = Header{slices.Clone(h.Key), slices.Clone(h.Value)}
	}
	return r
}

// Timestamp is when the record of b was made, or taken where the batch says so, in ms.
func (b Batch) Timestamp(r Record) int64 {
	if b.LogAppendTime() {
		return b.MaxTimestamp()
	}
	return b.BaseTimestamp() + r.TimestampDelta
}

// Records yields the records in order, then, where the batch is broken, an *Error that says where. It holds whatever
// a log can hold, compacted batches included, and checks only what it must to read on: rules for what clients send
// are in Rules.
//
// Keys and values alias b, or a buffer of d for compressed batches, and are valid until d is used again; the slice
// of headers is valid until the next record. Clone copies. d bounds what is decompressed; nil means a fresh one.
func (b Batch) Records(d *Decompressor) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if d == nil {
			d = new(Decompressor)
		}
		plain, err := d.Payload(b)
		if err != nil {
			yield(Record{}, err)
			return
		}
		for i := range b.Count() {
			var r Record
			if r, plain, err = parseRecord(plain, d.headers[:0]); err != nil {
				yield(Record{}, recordf(InvalidRecord, i, "%v", err))
				return
			}
			d.headers = r.Headers[:0]
			if len(r.Headers) == 0 {
				r.Headers = nil
			}
			if !yield(r, nil) {
				return
			}
		}
		if len(plain) > 0 {
			yield(Record{}, failf(InvalidRecord, "%d bytes follow the %d records of the batch", len(plain), b.Count()))
		}
	}
}

var (
	errCut     = errors.New("it ends in the middle of a field")
	errNumber  = errors.New("a number in it is out of range")
	errTrailer = errors.New("its length does not fit its fields")
)

// cursor reads fields from the front of p; the first failure stays.
type cursor struct {
	p   []byte
	err error
}

func (c *cursor) varint(lo, hi int64) int64 {
	v, n := binary.Varint(c.p)
	switch {
	case c.err != nil:
		return lo
	case n == 0:
		c.err = errCut
		return lo
	case n < 0 || v < lo || v > hi:
		c.err = errNumber
		return lo
	}
	c.p = c.p[n:]
	return v
}

func (c *cursor) take(n int64) []byte {
	if c.err == nil && n > int64(len(c.p)) {
		c.err = errCut
	}
	if c.err != nil {
		return nil
	}
	b := c.p[:n:n]
	c.p = c.p[n:]
	return b
}

// bytes reads a length and as many bytes; a length of -1 is null where least allows it.
func (c *cursor) bytes(least int64) []byte {
	n := c.varint(least, math.MaxInt32)
	if n < 0 {
		return nil
	}
	return c.take(n)
}

// parseRecord reads the record at the front of p; the headers are appended to headers.
func parseRecord(p []byte, headers []Header) (r Record, rest []byte, err error) {
	outer := cursor{p: p}
	body := outer.bytes(0)
	if outer.err != nil {
		return r, p, outer.err
	}
	c := cursor{p: body}
	c.take(1) // attributes: no bit is used
	r.TimestampDelta = c.varint(math.MinInt64, math.MaxInt64)
	r.OffsetDelta = int32(c.varint(0, math.MaxInt32))
	r.Key = c.bytes(-1)
	r.Value = c.bytes(-1)
	r.Headers = headers
	for n := c.varint(0, math.MaxInt32); n > 0 && c.err == nil; n-- {
		r.Headers = append(r.Headers, Header{Key: c.bytes(0), Value: c.bytes(-1)})
	}
	if c.err == nil && len(c.p) > 0 {
		c.err = errTrailer
	}
	return r, outer.p, c.err
}

// appendRecord encodes r.
func appendRecord(dst []byte, r Record) []byte {
	dst = binary.AppendVarint(dst, int64(bodySize(r)))
	dst = append(dst, 0)
	dst = binary.AppendVarint(dst, r.TimestampDelta)
	dst = binary.AppendVarint(dst, int64(r.OffsetDelta))
	dst = appendBytes(dst, r.Key)
	dst = appendBytes(dst, r.Value)
	dst = binary.AppendVarint(dst, int64(len(r.Headers)))
	for _, h := range r.Headers {
		dst = binary.AppendVarint(dst, int64(len(h.Key))) // a header's key cannot be null
		dst = append(dst, h.Key...)
		dst = appendBytes(dst, h.Value)
	}
	return dst
}

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return binary.AppendVarint(dst, -1)
	}
	dst = binary.AppendVarint(dst, int64(len(b)))
	return append(dst, b...)
}

// recordSize is the size of r encoded, its length field included.
func recordSize(r Record) int {
	n := bodySize(r)
	return varintSize(int64(n)) + n
}

func bodySize(r Record) int {
	n := 1 + varintSize(r.TimestampDelta) + varintSize(int64(r.OffsetDelta)) + bytesSize(r.Key) + bytesSize(r.Value) +
		varintSize(int64(len(r.Headers)))
	for _, h := range r.Headers {
		n += varintSize(int64(len(h.Key))) + len(h.Key) + bytesSize(h.Value)
	}
	return n
}

func bytesSize(b []byte) int {
	if b == nil {
		return 1
	}
	return varintSize(int64(len(b))) + len(b)
}

func varintSize(v int64) int {
	n := 1
	for u := uint64(v<<1) ^ uint64(v>>63); u >= 0x80; u >>= 7 {
		n++
	}
	return n
}
