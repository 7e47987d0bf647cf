package wire

import (
	"encoding/binary"
	"errors"
)

// What is wrong with a message. All errors of this package about input wrap one of these.
var (
	ErrShort   = errors.New("the message ends too early")
	ErrCount   = errors.New("a count or length is larger than the bytes that remain")
	ErrNull    = errors.New("a field that must have a value is null")
	ErrVarint  = errors.New("a variable-length number does not fit into 32 bits")
	ErrTooLong = errors.New("a string is longer than 32767 bytes")
	ErrTooMany = errors.New("the request lists more than is decoded at a time")
	ErrTag     = errors.New("a tagged field does not belong to this version")
)

// maxStringBytes is the protocol's limit of a string, also where the compact form could say more.
const maxStringBytes = 1<<15 - 1

// reader takes fields off a message. After the first error it stays at that error and returns zero values, so callers check once at the
// end; loops over counts end by themselves because count answers 0.
type reader struct {
	buf      []byte
	err      error
	flexible bool
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.buf = nil
}

// take returns the next n bytes, n >= 0, or nil.
func (r *reader) take(n int) []byte {
	if n > len(r.buf) {
		r.fail(ErrShort)
		return nil
	}
	b := r.buf[:n:n]
	r.buf = r.buf[n:]
	return b
}

func (r *reader) int8() int8 {
	b := r.take(1)
	if b == nil {
		return 0
	}
	return int8(b[0])
}

func (r *reader) int16() int16 {
	b := r.take(2)
	if b == nil {
		return 0
	}
	return int16(binary.BigEndian.Uint16(b))
}

func (r *reader) int32() int32 {
	b := r.take(4)
	if b == nil {
		return 0
	}
	return int32(binary.BigEndian.Uint32(b))
}

func (r *reader) int64() int64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

func (r *reader) uuid() (id [16]byte) {
	copy(id[:], r.take(len(id)))
	return id
}

// uvarint reads at most five bytes and 32 bits.
func (r *reader) uvarint() uint32 {
	var v uint32
	for i := range 5 {
		if i >= len(r.buf) {
			r.fail(ErrShort)
			return 0
		}
		c := r.buf[i]
		if i == 4 && c > 0x0f {
			break
		}
		v |= uint32(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.buf = r.buf[i+1:]
			return v
		}
	}
	r.fail(ErrVarint)
	return 0
}

// size reads a length or count: compact in flexible versions, else two or four bytes wide. -1 stands for null.
func (r *reader) size(wide bool) int {
	switch {
	case r.flexible:
		return int(r.uvarint()) - 1
	case wide:
		return max(-1, int(r.int32()))
	default:
		return max(-1, int(r.int16()))
	}
}

// sized returns the n bytes that follow a length; nil is null.
func (r *reader) sized(n int) []byte {
	if n < 0 || r.err != nil {
		return nil
	}
	if n > len(r.buf) {
		r.fail(ErrCount)
		return nil
	}
	return r.take(n)
}

func (r *reader) nullableString() []byte {
	n := r.size(false)
	if n > maxStringBytes {
		r.fail(ErrTooLong)
	}
	return r.sized(n)
}

func (r *reader) string() []byte {
	s := r.nullableString()
	if s == nil {
		r.fail(ErrNull)
	}
	return s
}

func (r *reader) nullableBytes() []byte {
	return r.sized(r.size(true))
}

// count reads the length of an array whose elements take at least minBytes each, so that the answer is backed by bytes that are there.
// Null is an error.
func (r *reader) count(minBytes int) int {
	n := r.size(true)
	switch {
	case n < 0:
		r.fail(ErrNull)
		return 0
	case n > len(r.buf)/minBytes:
		r.fail(ErrCount)
		return 0
	}
	return n
}

// tags skips the tagged fields at the end of a structure of a flexible version.
func (r *reader) tags() {
	for n := r.tagCount(); n > 0; n-- {
		r.tag()
	}
}

// tagCount reads how many tagged fields follow: none in versions that are not flexible.
func (r *reader) tagCount() int {
	if !r.flexible {
		return 0
	}
	n := r.uvarint()
	if int64(n) > int64(len(r.buf)/2) { // a number and a length are two bytes at least
		r.fail(ErrCount)
		return 0
	}
	return int(n)
}

// tag reads one tagged field. The reader it returns ends where the field does.
func (r *reader) tag() (number uint32, field reader) {
	number = r.uvarint()
	n := r.uvarint()
	if int64(n) > int64(len(r.buf)) {
		r.fail(ErrCount)
		return 0, reader{}
	}
	return number, reader{buf: r.take(int(n)), flexible: true}
}
