package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
)

// AbortedTxn is one aborted transaction. LastOffset is its ABORT marker's; LastStable is the last stable offset that
// the marker left.
type AbortedTxn struct {
	ProducerID, FirstOffset, LastOffset, LastStable int64
}

// txnIndex lists the transactions that were aborted by a marker in one segment, in the order of the markers. Unlike the
// sparse indexes it is not a hint: a reader of committed records that misses an entry sees aborted data. So it is in
// memory before its marker is published, in the file before the marker counts as synced, and rebuilt above the recovery
// point.
//
//	┌───────────┬───────────────┬────────────────┬───────────────┬──────────────────────┐
//	│ version 2 │ producer id 8 │ first offset 8 │ last offset 8 │ last stable offset 8 │
//	└───────────┴───────────────┴────────────────┴───────────────┴──────────────────────┘
type txnIndex struct {
	file *file

	mu      sync.Mutex
	loaded  bool
	entries []AbortedTxn
	flushed int // entries in the file; -1: the file is to be written anew
}

const (
	txnEntrySize    = 34
	txnEntryVersion = 0
)

func appendTxn(dst []byte, t AbortedTxn) []byte {
	dst = binary.BigEndian.AppendUint16(dst, txnEntryVersion)
	for _, v := range [...]int64{t.ProducerID, t.FirstOffset, t.LastOffset, t.LastStable} {
		dst = binary.BigEndian.AppendUint64(dst, uint64(v))
	}
	return dst
}

// parseTxns reads a transaction index. It returns what precedes the first entry that cannot be, and errIndex with it.
func parseTxns(p []byte, base int64) (out []AbortedTxn, err error) {
	last := base - 1
	for len(p) >= txnEntrySize {
		field := func(i int) int64 { return int64(binary.BigEndian.Uint64(p[2+8*i:])) }
		t := AbortedTxn{ProducerID: field(0), FirstOffset: field(1), LastOffset: field(2), LastStable: field(3)}
		switch {
		case binary.BigEndian.Uint16(p) != txnEntryVersion, t.ProducerID < 0, t.FirstOffset < 0,
			t.LastOffset <= last, t.FirstOffset > t.LastOffset, t.LastStable < 0, t.LastStable > t.LastOffset+1:
			return out, errIndex
		}
		out, last, p = append(out, t), t.LastOffset, p[txnEntrySize:]
	}
	if len(p) > 0 {
		return out, errIndex
	}
	return out, nil
}

// load reads the file once; a missing file is an empty index. errIndex says that the segment must be read instead.
func (x *txnIndex) load(base int64) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.loaded {
		return nil
	}
	f, err := x.file.acquire()
	if errors.Is(err, fs.ErrNotExist) {
		x.loaded = true
		return nil
	}
	if err != nil {
		return err
	}
	defer x.file.release()
	size, err := f.Size()
	if err != nil {
		return err
	}
	p := make([]byte, size)
	if n, err := f.ReadAt(p, 0); err != nil && n < len(p) {
		return err
	}
	entries, err := parseTxns(p, base)
	if err != nil {
		return err
	}
	x.loaded, x.entries, x.flushed = true, entries, len(entries)
	return nil
}

// set replaces the entries by rebuilt ones.
func (x *txnIndex) set(entries []AbortedTxn) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.loaded, x.entries, x.flushed = true, entries, -1
}

func (x *txnIndex) add(t AbortedTxn) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.entries = append(x.entries, t)
}

// keepBelow forgets the transactions whose marker is at limit or above.
func (x *txnIndex) keepBelow(limit int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n, _ := slices.BinarySearchFunc(x.entries, limit, func(t AbortedTxn, v int64) int { return int(min(max(t.LastOffset-v, -1), 1)) })
	if n < len(x.entries) {
		x.entries, x.flushed = slices.Clone(x.entries[:n]), -1 // readers may hold the old slice
	}
}

// collect appends the transactions that touch [from, to). done says that no later segment can have any.
func (x *txnIndex) collect(dst []AbortedTxn, from, to int64) (out []AbortedTxn, done bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, t := range x.entries {
		if t.LastOffset >= from && t.FirstOffset < to {
			dst = append(dst, t)
		}
		if t.LastStable >= to {
			return dst, true
		}
	}
	return dst, false
}

// flush brings the file up to date and reports whether it wrote.
func (x *txnIndex) flush() (wrote bool, err error) {
	x.mu.Lock()
	entries, flushed := x.entries, x.flushed
	x.mu.Unlock()
	if flushed == len(entries) {
		return false, nil
	}
	f, err := x.file.acquire()
	if errors.Is(err, fs.ErrNotExist) {
		if len(entries) == 0 {
			x.written(0)
			return false, nil
		}
		f, err = x.file.create()
	}
	if err != nil {
		return false, err
	}
	defer x.file.release()
	if flushed < 0 {
		flushed = 0
		if err := f.Truncate(0); err != nil {
			return false, err
		}
	}
	var p []byte
	for _, t := range entries[flushed:] {
		p = appendTxn(p, t)
	}
	if err := writeAt(f, p, int64(flushed*txnEntrySize)); err != nil {
		return false, fmt.Errorf("write transaction index: %w", err)
	}
	x.written(len(entries))
	return true, nil
}

func (x *txnIndex) written(n int) {
	x.mu.Lock()
	x.flushed = n
	x.mu.Unlock()
}
