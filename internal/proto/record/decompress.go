package record

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// DefaultMaxDecompressed bounds in bytes what a batch may decompress to where nobody says otherwise.
const DefaultMaxDecompressed = 64 << 20

// zstdWindow is the history in bytes that a zstd stream may make the reader keep: what RFC 8878 asks decoders to support.
const zstdWindow = 8 << 20

var (
	errExpands = errors.New("it decompresses to more than the limit")
	errCodec   = errors.New("there is no such codec")
)

// Decompressor reads the payload of compressed batches. It keeps the state of each codec that it has met and its
// buffers, so reuse it; it is not for use by several goroutines at once. The zero value is ready.
type Decompressor struct {
	// Max is how many bytes a batch may decompress to; 0 means DefaultMaxDecompressed.
	Max int

	in      input
	clamped bool // in announced a larger zstd window than we keep
	gzip    *gzip.Reader
	lz4     *lz4.Reader
	zstd    *zstd.Decoder
	snappy  snappyReader
	limit   limiter
	plain   []byte   // a whole decompressed payload, for Records
	walk    walk     // of a payload that streams through
	headers []Header // of the record that Records yields
}

// Payload gives the records of b decompressed. They alias b, or a buffer that is valid until d is used again.
// The error is an *Error: TooLarge over the limit, UnsupportedCodec, or InvalidRecord for a broken stream.
func (d *Decompressor) Payload(b Batch) ([]byte, error) {
	if b.Codec() == None {
		return b.Payload(), nil
	}
	r, err := d.open(b.Codec(), b.Payload())
	if err == nil {
		d.plain, err = readAll(d.plain[:0], r, d.max())
	}
	d.close()
	if err != nil {
		return nil, d.fail(b.Codec(), err)
	}
	return d.plain, nil
}

// open starts to decompress payload. The reader gives errExpands instead of a byte more than the limit.
func (d *Decompressor) open(c Codec, payload []byte) (r io.Reader, err error) {
	d.in, d.clamped = input{rest: payload}, false
	switch c {
	case None:
		r = &d.in
	case Gzip:
		if d.gzip == nil {
			d.gzip = new(gzip.Reader)
		}
		r, err = d.gzip, d.gzip.Reset(&d.in)
	case Snappy:
		r, err = &d.snappy, d.snappy.reset(payload, d.max())
	case LZ4:
		if d.lz4 == nil {
			d.lz4 = lz4.NewReader(nil)
		}
		d.lz4.Reset(&d.in)
		r = d.lz4
	case Zstd:
		if d.zstd == nil {
			// One at a time means in the caller's goroutine: a decoder that is dropped leaves nothing running.
			d.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
				zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderMaxMemory(1<<62))
		}
		if err == nil {
			d.in.head, d.in.rest = clampWindow(d.in.headBuf[:0], payload)
			d.clamped = d.in.head != nil
			r, err = d.zstd, d.zstd.Reset(&d.in)
		}
	default:
		err = errCodec
	}
	d.limit = limiter{r: r, left: d.max()}
	if c == None {
		d.limit.left = len(payload) // nothing expands
	}
	return &d.limit, err
}

// close lets go of the payload, so that a pooled Decompressor holds no request's memory.
func (d *Decompressor) close() {
	d.in, d.limit = input{}, limiter{}
	d.snappy.release()
}

func (d *Decompressor) max() int {
	if d.Max <= 0 {
		return DefaultMaxDecompressed
	}
	return d.Max
}

// fail words what went wrong while reading a payload. A broken stream is the client's fault and not the network's,
// since the checksum held: it must not be answered with a code that makes the client send it again.
func (d *Decompressor) fail(c Codec, err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, errExpands):
		return failf(TooLarge, "the batch decompresses to more than %d bytes: send smaller batches", d.max())
	case errors.Is(err, errCodec):
		return failf(UnsupportedCodec, "%v is not known: use none, gzip, snappy, lz4 or zstd", c)
	case d.clamped, errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return failf(InvalidRecord, "the zstd stream wants a window of more than %d bytes, and cannot be read with that: "+
			"use a level below 20 (%v)", zstdWindow, err)
	}
	return failf(InvalidRecord, "the %v stream is broken: %v", c, err)
}

// input is a payload that is read once, with room for a beginning that replaces the payload's own.
type input struct {
	headBuf [18]byte
	head    []byte
	rest    []byte
}

// Read gives the replaced beginning, then the rest.
func (in *input) Read(p []byte) (n int, err error) {
	if len(in.head) == 0 {
		in.head, in.rest = in.rest, nil
	}
	if len(in.head) == 0 {
		return 0, io.EOF
	}
	n = copy(p, in.head)
	in.head = in.head[n:]
	return n, nil
}

// ReadByte spares gzip a buffer of its own.
func (in *input) ReadByte() (byte, error) {
	var b [1]byte
	if _, err := in.Read(b[:]); err != nil {
		return 0, err
	}
	return b[0], nil
}

// limiter passes on at most left bytes; then it wants the end.
type limiter struct {
	r    io.Reader
	left int
}

// Read fails with errExpands once there is a byte too many.
func (l *limiter) Read(p []byte) (int, error) {
	if len(p) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if n > l.left {
		return 0, errExpands
	}
	l.left -= n
	return n, err
}

// readAll reads r, which ends within most bytes, into dst. The buffer doubles with what really came; what was
// announced counts for nothing.
func readAll(dst []byte, r io.Reader, most int) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			grown := make([]byte, len(dst), min(max(2*len(dst), 4<<10), max(most, len(dst))+1))
			copy(grown, dst)
			dst = grown
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}

// clampWindow rewrites the header of a zstd frame that announces a window of more than zstdWindow, so that it
// announces zstdWindow. Java's high levels announce 128 MiB for the smallest batch, and the decoder takes the window
// from the heap before it sees a byte. A batch that fits into the smaller window decompresses as before; one that
// really reaches back further fails. The new header is appended to dst; rest follows it. A frame that is fine, or
// not understood, comes back as rest with no head.
func clampWindow(dst, frame []byte) (head, rest []byte) {
	const magicSize, windowLog, single = 4, 23, 0x20
	if len(frame) < magicSize+2 || binary.LittleEndian.Uint32(frame) != 0xFD2FB528 {
		return nil, frame
	}
	descriptor, body := frame[magicSize], frame[magicSize+1:]
	if descriptor&single == 0 {
		if body[0] <= (windowLog-10)<<3 { // exponent in the upper five bits, eighths in the lower three
			return nil, frame
		}
		dst = append(dst, frame[:magicSize+1]...)
		return append(dst, (windowLog-10)<<3), body[1:]
	}
	// A single segment has no window of its own: the content's size is its window. Give it one.
	skip := [4]int{0, 1, 2, 4}[descriptor&3]  // dictionary id
	size := [4]int{1, 2, 4, 8}[descriptor>>6] // content size
	if len(body) < skip+size || size < 4 {
		return nil, frame
	}
	var content uint64
	for i, b := range body[skip : skip+size] {
		content |= uint64(b) << (8 * i)
	}
	if content <= zstdWindow {
		return nil, frame
	}
	dst = append(dst, frame[:magicSize]...)
	dst = append(dst, descriptor&^single, (windowLog-10)<<3)
	return dst, body
}
