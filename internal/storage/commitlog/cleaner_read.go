package commitlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"holdfast/internal/proto/record"
)

// batchReader reads the whole batches of a segment that changes no more, in order, in chunks, each against its checksum.
type batchReader struct {
	l     *Log
	s     *segment
	v     view
	pos   int64 // of the next batch
	from  int64 // the offset that it has, or that it is behind
	buf   []byte
	at    int64 // position of buf[0]
	have  int
	spend func(bytes int) error // is told of every read before it is made
}

// next returns the next batch, valid until the next call, or io.EOF. Rot is quarantined, and the error is ErrDamaged.
func (r *batchReader) next() (record.Batch, error) {
	if r.pos >= r.v.size {
		return nil, io.EOF
	}
	p, err := r.want(record.HeaderSize)
	if err != nil {
		return nil, err
	}
	size, ok := headerSize(record.Batch(p))
	if !ok || size > r.v.size-r.pos {
		return nil, r.rotten()
	}
	if p, err = r.want(size); err != nil {
		return nil, err
	}
	b := record.Batch(p)
	if !r.l.follows(b, r.from) || b.Check() != nil || b.LastOffset() >= r.v.next || !r.l.epochRight(b) {
		return nil, r.rotten()
	}
	r.pos, r.from = r.pos+size, b.NextOffset()
	return b, nil
}

// want has n bytes from pos in the buffer.
func (r *batchReader) want(n int64) ([]byte, error) {
	for r.pos+n > r.at+int64(r.have) {
		kept := copy(r.buf, r.buf[min(r.pos-r.at, int64(r.have)):r.have])
		r.at, r.have = r.pos, kept
		if n > int64(len(r.buf)) {
			r.buf = append(make([]byte, 0, n), r.buf[:kept]...)[:n]
		}
		p := r.buf[kept:min(int64(len(r.buf)), r.v.size-r.pos)]
		if err := r.spend(len(p)); err != nil {
			return nil, err
		}
		if err := r.read(p, r.pos+int64(kept)); err != nil {
			return nil, err
		}
		r.have += len(p)
	}
	return r.buf[r.pos-r.at:][:n], nil
}

func (r *batchReader) read(p []byte, pos int64) error {
	f, err := r.s.log.acquire()
	if errors.Is(err, fs.ErrNotExist) {
		return errMoved
	}
	if err != nil {
		return err
	}
	defer r.s.log.release()
	n, err := f.ReadAt(p, pos)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return r.rotten()
	}
	return fmt.Errorf("read %s: %w", r.s.log.name, err)
}

func (r *batchReader) rotten() error { return r.l.rotten(r.s, r.pos, r.from, r.v.gen) }
