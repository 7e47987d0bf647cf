package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"holdfast/internal/storage/vfs"
)

// A segment is a file of a fixed size: one page of header, then blocks, then whatever an earlier life of the file left.

const (
	segmentMagic   = "HFjrnl\r\n"
	segmentVersion = 1
	segmentSuffix  = ".journal"
	spareSuffix    = ".spare"
	tempSuffix     = ".tmp"

	maxSegment  = MaxAppend + 4*pageSize
	maxSequence = 1 << 62 // far from overflow, out of reach
)

// segment is one file of the journal.
type segment struct {
	first uint64 // sequence of its first block
	size  int64
}

func (s segment) name(dir string) string { return path.Join(dir, segmentName(s.first, segmentSuffix)) }

func segmentName(first uint64, suffix string) string { return fmt.Sprintf("%016x%s", first, suffix) }

// parseName reads the sequence from a name with the suffix.
func parseName(name, suffix string) (first uint64, ok bool) {
	hex, ok := strings.CutSuffix(name, suffix)
	if !ok || len(hex) != 16 {
		return 0, false
	}
	first, err := strconv.ParseUint(hex, 16, 64)
	return first, err == nil && segmentName(first, suffix) == name
}

// header is the first page of a segment: magic, checksum of the rest, version, id, first sequence, size, zeros.
type header struct {
	id    ID
	first uint64
	size  int64 // of the file; one of another size was cut off or extended by a stranger
}

func (h header) encode() []byte {
	b := make([]byte, pageSize)
	copy(b, segmentMagic)
	binary.BigEndian.PutUint32(b[12:], segmentVersion)
	copy(b[16:], h.id[:])
	binary.BigEndian.PutUint64(b[32:], h.first)
	binary.BigEndian.PutUint64(b[40:], uint64(h.size))
	binary.BigEndian.PutUint32(b[8:], checksum(ID{}, b[12:]))
	return b
}

var errHeader = errors.New("the header does not check")

func decodeHeader(b []byte) (header, error) {
	switch {
	case len(b) < pageSize, !bytes.HasPrefix(b, []byte(segmentMagic)), binary.BigEndian.Uint32(b[8:]) != checksum(ID{}, b[12:pageSize]):
		return header{}, errHeader
	case binary.BigEndian.Uint32(b[12:]) != segmentVersion:
		return header{}, ErrVersion
	}
	h := header{ID(b[16:32]), binary.BigEndian.Uint64(b[32:]), int64(binary.BigEndian.Uint64(b[40:]))}
	if h.first == 0 || h.first > maxSequence {
		return header{}, errHeader
	}
	return h, nil
}

// readFile reads a whole file of at most limit bytes. A journal is small, and all of it is read once at start.
func readFile(fsys vfs.FS, name string, limit int64) (b []byte, err error) {
	f, err := fsys.OpenRead(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, &RotError{File: name, Detail: fmt.Sprintf("it has %d bytes, more than it may have", size)}
	}
	b = make([]byte, size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return nil, fmt.Errorf("read %s: %w", name, shortRead(err))
	}
	return b, nil
}

// shortRead makes a short read without a reason an error.
func shortRead(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// scan is what the blocks of one segment say.
type scan struct {
	head   header
	blocks []block // in order, from head.first on, without a gap
	end    int     // offset after the last of them
	stray  []stray // valid blocks behind the end that are no older than the end: the disk wrote them, not what is before them
}

type stray struct {
	block
	at int
}

// count is the number of entries.
func (s *scan) count() (n int) {
	for i := range s.blocks {
		n += s.blocks[i].count
	}
	return n
}

// next is the sequence that follows the last block.
func (s *scan) next() uint64 { return s.head.first + uint64(len(s.blocks)) }

// scanSegment decodes a file read by readSegment. The only error is one of the header.
func scanSegment(b []byte) (*scan, error) {
	head, err := decodeHeader(b)
	if err != nil {
		return nil, err
	}
	s := &scan{head: head, end: pageSize}
	for {
		bl, ok := decodeBlock(b[s.end:], head.id)
		if !ok || bl.seq != s.next() {
			break
		}
		s.blocks = append(s.blocks, bl)
		s.end += bl.size
	}
	for at := s.end; at+pageSize <= len(b); at += pageSize {
		if peekSeq(b[at:]) < s.next() { // zeros, or an earlier life of the file: the rule, and no checksum to pay for
			continue
		}
		if bl, ok := decodeBlock(b[at:], head.id); ok {
			s.stray = append(s.stray, stray{bl, at})
		}
	}
	return s, nil
}
