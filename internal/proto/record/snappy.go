package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/s2"
)

// Snappy has no stream format of its own that Kafka uses. Java clients write that of the xerial library: a header
// of 16 bytes, then blocks, each with its compressed size in four bytes before it. librdkafka and others write one
// raw block. The header's first bytes tell which: a raw block cannot begin with them.
//
//	┌─────────────────────┬───────────┬──────────────────┬────────┬───────┬────────┬──
//	│ 0x82 "SNAPPY" 0 (8) │ version 4 │ least reader's 4 │ size 4 │ block │ size 4 │ ...
//	└─────────────────────┴───────────┴──────────────────┴────────┴───────┴────────┴──
var xerialHeader = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1}

const (
	xerialMagic = 8        // of the header's bytes, the ones that tell
	xerialBlock = 32 << 10 // what Java clients put into a block before they compress it
)

var errSnappy = errors.New("a block is not valid snappy")

// snappyReader reads a payload in either form, one block in memory at a time.
type snappyReader struct {
	rest   []byte // of the payload
	raw    bool   // the payload is a single block without framing
	max    int    // how large a block may become
	block  []byte // buffer
	unread []byte // of block
}

func (r *snappyReader) reset(payload []byte, maxBlock int) error {
	r.rest, r.unread, r.max = payload, nil, maxBlock
	r.raw = !bytes.HasPrefix(payload, xerialHeader[:xerialMagic])
	if r.raw {
		return nil
	}
	if len(payload) < len(xerialHeader) {
		return io.ErrUnexpectedEOF
	}
	r.rest = payload[len(xerialHeader):]
	return nil
}

// release lets go of the payload, and of a buffer that only a rare block needs.
func (r *snappyReader) release() {
	r.rest, r.unread = nil, nil
	if cap(r.block) > 1<<20 {
		r.block = nil
	}
}

// Read gives what the next blocks hold.
func (r *snappyReader) Read(p []byte) (int, error) {
	for len(r.unread) == 0 {
		block, err := r.next()
		if err != nil {
			return 0, err
		}
		if r.unread, err = r.decode(block); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.unread)
	r.unread = r.unread[n:]
	return n, nil
}

// next cuts the next compressed block off the payload.
func (r *snappyReader) next() (block []byte, err error) {
	if len(r.rest) == 0 {
		return nil, io.EOF
	}
	if r.raw {
		block, r.rest = r.rest, nil
		return block, nil
	}
	if len(r.rest) < 4 {
		return nil, io.ErrUnexpectedEOF
	}
	size := binary.BigEndian.Uint32(r.rest)
	if uint64(size) > uint64(len(r.rest)-4) {
		return nil, io.ErrUnexpectedEOF
	}
	block, r.rest = r.rest[4:4+size], r.rest[4+size:]
	return block, nil
}

// decode decompresses one block. The size that the block announces is held against what snappy can reach at all, so
// a small lie gets no large buffer.
func (r *snappyReader) decode(block []byte) ([]byte, error) {
	size, err := s2.DecodedLen(block)
	switch {
	case err != nil:
		return nil, errSnappy
	case int64(size) > Snappy.expansion()*int64(len(block)):
		return nil, errSnappy
	case size > r.max:
		return nil, errExpands
	}
	if cap(r.block) < size {
		r.block = make([]byte, size)
	}
	out, err := s2.Decode(r.block[:cap(r.block)], block)
	if err != nil {
		return nil, errSnappy
	}
	return out, nil
}

// snappyWriter writes the framing of Java clients.
type snappyWriter struct {
	w      io.Writer
	plain  []byte // not yet compressed, less than a block
	block  []byte // buffer
	framed bool   // the header is written
}

func (s *snappyWriter) Reset(w io.Writer) { s.w, s.plain, s.framed = w, s.plain[:0], false }

// Write compresses whole blocks and keeps the rest.
func (s *snappyWriter) Write(p []byte) (n int, err error) {
	for n < len(p) {
		part := p[n:min(len(p), n+xerialBlock-len(s.plain))]
		s.plain = append(s.plain, part...)
		n += len(part)
		if len(s.plain) == xerialBlock {
			if err := s.flush(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// Close writes what is left; the underlying writer stays open.
func (s *snappyWriter) Close() error {
	if len(s.plain) == 0 && s.framed {
		return nil
	}
	return s.flush()
}

func (s *snappyWriter) flush() error {
	out := s.block[:0]
	if !s.framed {
		out, s.framed = append(out, xerialHeader...), true
	}
	at := len(out) + 4
	if need := at + s2.MaxEncodedLen(xerialBlock); cap(out) < need {
		out = append(make([]byte, 0, need), out...)
	}
	encoded := s2.EncodeSnappy(out[at:cap(out)], s.plain)
	out = binary.BigEndian.AppendUint32(out, uint32(len(encoded)))
	out = out[:at+len(encoded)]
	s.block, s.plain = out, s.plain[:0]
	_, err := s.w.Write(out)
	return err
}
