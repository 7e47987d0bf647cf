package commitlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"slices"

	"holdfast/internal/storage/vfs"
)

// txnSum vouches for the first entries of a segment's transaction index. A reader of committed records that misses one sees
// aborted data, and Kafka's file has no checksum; so the snapshot that is written when a segment ends, and with every
// checkpoint, says behind its own end what the index has to hold. The zero value vouches for nothing.
type txnSum struct {
	base  int64 // of the segment
	count int
	crc   uint32
}

// sumTxns vouches for the entries of markers below an offset.
func (s *segment) sumTxns(below int64) (sum txnSum) {
	s.txns.mu.Lock()
	defer s.txns.mu.Unlock()
	if !s.txns.loaded {
		return txnSum{}
	}
	return sumOf(s.base, s.txns.entries, below)
}

func sumOf(base int64, entries []AbortedTxn, below int64) txnSum {
	sum := txnSum{base: base}
	var p []byte
	for _, t := range entries {
		if t.LastOffset >= below {
			break
		}
		p = appendTxn(p[:0], t)
		sum.count, sum.crc = sum.count+1, crc32.Update(sum.crc, castagnoli, p)
	}
	return sum
}

func (t txnSum) appendTo(dst []byte) []byte {
	dst = append(dst, txnSumMagic...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.base))
	dst = binary.BigEndian.AppendUint32(dst, uint32(t.count))
	return binary.BigEndian.AppendUint32(dst, t.crc)
}

// parseTxnSum reads it from the end of a snapshot that was parsed; ok is false where it has none.
func parseTxnSum(p []byte) (sum txnSum, ok bool) {
	if len(p) < snapshotHeader+txnSumSize || !bytes.HasPrefix(p[len(p)-txnSumSize:], []byte(txnSumMagic)) {
		return sum, false
	}
	p = p[len(p)-txnSumSize+len(txnSumMagic):]
	sum = txnSum{int64(binary.BigEndian.Uint64(p)), int(binary.BigEndian.Uint32(p[8:])), binary.BigEndian.Uint32(p[12:])}
	return sum, true
}

// vouched compares a segment's transaction index with what the snapshot at its end, or the newest one within the last segment,
// says; errIndex says that it is not what was written. Nobody vouches for the segments of compaction, which makes indexes
// anew, and for what Kafka wrote.
func (l *Log) vouched(s *segment) error {
	segs := l.segments()
	i := slices.Index(segs, s)
	if i < 0 || s.base < l.gaps.Load() {
		return nil
	}
	at := segs[min(i+1, len(segs)-1)].base
	if i == len(segs)-1 {
		names, err := l.fs.List(l.dir)
		if err != nil {
			return err
		}
		for _, name := range names {
			if offset, ok := parseName(name, snapshotSuffix); ok && offset <= l.End() {
				at = max(at, offset)
			}
		}
	}
	p, err := vfs.ReadFile(l.fs, l.name(at, snapshotSuffix), maxSnapshotBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := ParseSnapshot(p, 0); err != nil {
		return nil // damaged: it says nothing
	}
	if said, ok := parseTxnSum(p); ok && said.base == s.base && said != s.sumTxns(at) {
		return errIndex
	}
	return nil
}
