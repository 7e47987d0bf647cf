package commitlog

import (
	"errors"
	"hash/crc32"
	"io"

	"holdfast/internal/proto/record"
	"holdfast/internal/storage/vfs"
)

// scanner reads batches in order and checks their checksums, through one pooled buffer whatever the size of a batch.
type scanner struct {
	seg   *segment
	f     vfs.File
	pool  *[]byte
	pos   int64 // of the next batch
	limit int64
	at    int64 // position of buffer[0]
	n     int
	bytes int64 // read
	err   error
}

// errBatch says that no intact batch is at a position.
var errBatch = errors.New("no intact batch")

// scan begins at pos; the caller must close it.
func (l *Log) scan(s *segment, pos, limit int64) *scanner {
	sc := &scanner{seg: s, pos: pos, limit: limit}
	if sc.f, sc.err = s.log.acquire(); sc.err == nil {
		sc.pool = l.files.big.Get().(*[]byte)
	}
	return sc
}

func (sc *scanner) close() {
	if sc.pool != nil {
		sc.seg.files.big.Put(sc.pool)
		sc.seg.log.release()
		sc.pool = nil
	}
}

// next returns the batch at pos and goes on. The view has the whole batch if it fits in the buffer, else the header
// only, and is valid until the next call. io.EOF is the end, errBatch an intact batch missing.
func (sc *scanner) next() (b record.Batch, pos int64, err error) {
	if sc.err != nil {
		return nil, sc.pos, sc.err
	}
	pos = sc.pos
	if pos >= sc.limit {
		return nil, pos, io.EOF
	}
	if err := sc.want(record.HeaderSize); err != nil {
		return nil, pos, err
	}
	b = record.Batch((*sc.pool)[pos-sc.at:][:record.HeaderSize])
	size, ok := headerSize(b)
	if !ok || size > sc.limit-pos {
		return nil, pos, errBatch
	}
	if size <= int64(len(*sc.pool)) {
		if err := sc.want(size); err != nil {
			return nil, pos, err
		}
		b = record.Batch((*sc.pool)[pos-sc.at:][:size])
		if b.Check() != nil {
			return nil, pos, errBatch
		}
	} else if b, err = sc.long(size); err != nil {
		return nil, pos, err
	}
	sc.pos = pos + size
	return b, pos, nil
}

// want has n bytes from pos in the buffer.
func (sc *scanner) want(n int64) error {
	if sc.pos >= sc.at && sc.pos+n <= sc.at+int64(sc.n) {
		return nil
	}
	got, err := sc.f.ReadAt((*sc.pool)[:min(int64(len(*sc.pool)), sc.limit-sc.pos)], sc.pos)
	sc.at, sc.n = sc.pos, got
	sc.bytes += int64(got)
	if int64(got) >= n {
		return nil
	}
	if err == nil || err == io.EOF {
		return errBatch
	}
	return err
}

// long checks a batch that is larger than the buffer; the header that it returns is a copy.
func (sc *scanner) long(size int64) (record.Batch, error) {
	header := append(record.Batch(nil), (*sc.pool)[sc.pos-sc.at:][:record.HeaderSize]...)
	if err := sc.want(int64(len(*sc.pool))); err != nil {
		return nil, err
	}
	const covered = 21 // the checksum covers all from the attributes on
	sum := crc32.Update(0, castagnoli, (*sc.pool)[sc.pos-sc.at+covered:sc.n])
	for at := sc.at + int64(sc.n); at < sc.pos+size; {
		n, err := sc.f.ReadAt((*sc.pool)[:min(int64(len(*sc.pool)), sc.pos+size-at)], at)
		if n == 0 {
			if err == nil || err == io.EOF {
				err = errBatch
			}
			return nil, err
		}
		sum = crc32.Update(sum, castagnoli, (*sc.pool)[:n])
		at += int64(n)
		sc.bytes += int64(n)
	}
	sc.n = 0
	if sum != header.CRC() {
		return nil, errBatch
	}
	return header, nil
}
