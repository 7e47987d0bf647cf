package cli

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strconv"
)

// baseOf is the base offset that the name of a segment's file begins with.
func baseOf(path string) int64 {
	n, _ := strconv.ParseInt(filepath.Base(path)[:20], 10, 64) // kindOf saw twenty digits
	return n
}

// dumpedOffset is one entry of an offset index.
type dumpedOffset struct {
	Kind     string `json:"kind"`   // offsetIndex
	Offset   int64  `json:"offset"` // the last of a batch
	Position int64  `json:"position"`
}

func (o dumpedOffset) line() string { return fmt.Sprintf("offset %d  @%d", o.Offset, o.Position) }

// offsetIndex: entries of 4 bytes offset from the base and 4 bytes position. Apache Kafka prepares space ahead: zeros.
func (d *dump) offsetIndex(path string) error {
	b, err := d.whole(path)
	if err != nil {
		return err
	}
	base, last := baseOf(path), dumpedOffset{Offset: -1, Position: -1}
	return d.entries(path, b, 8, func(e []byte, at int64) error {
		o := dumpedOffset{"offsetIndex", base + int64(binary.BigEndian.Uint32(e)), int64(binary.BigEndian.Uint32(e[4:]))}
		if o.Offset <= last.Offset || o.Position <= last.Position && at > 0 {
			return d.fault(path, at, "the entry does not follow the one before: offset %d @%d", o.Offset, o.Position)
		}
		last = o
		return d.emit(o)
	})
}

// dumpedTime is one entry of a time index: no record up to the offset is later than the time.
type dumpedTime struct {
	Kind        string `json:"kind"` // timeIndex
	TimestampMs int64  `json:"timestampMs"`
	Offset      int64  `json:"offset"`
}

func (t dumpedTime) line() string {
	return fmt.Sprintf("%s  offset %d", shownMs(t.TimestampMs), t.Offset)
}

func (d *dump) timeIndex(path string) error {
	b, err := d.whole(path)
	if err != nil {
		return err
	}
	base, last := baseOf(path), dumpedTime{TimestampMs: -1, Offset: -1}
	return d.entries(path, b, 12, func(e []byte, at int64) error {
		t := dumpedTime{"timeIndex", int64(binary.BigEndian.Uint64(e)), base + int64(binary.BigEndian.Uint32(e[8:]))}
		if t.TimestampMs < last.TimestampMs || t.Offset < last.Offset {
			return d.fault(path, at, "the entry does not follow the one before: %d ms, offset %d", t.TimestampMs, t.Offset)
		}
		last = t
		return d.emit(t)
	})
}

// dumpedTxn is one entry of a transaction index: a transaction that was aborted.
type dumpedTxn struct {
	Kind        string `json:"kind"` // abortedTransaction
	ProducerID  int64  `json:"producerId"`
	FirstOffset int64  `json:"firstOffset"`
	LastOffset  int64  `json:"lastOffset"`
	LastStable  int64  `json:"lastStableOffset"`
}

func (t dumpedTxn) line() string {
	return fmt.Sprintf("producer %d aborted offsets %d-%d, last stable offset %d", t.ProducerID, t.FirstOffset, t.LastOffset, t.LastStable)
}

func (d *dump) txnIndex(path string) error {
	b, err := d.whole(path)
	if err != nil {
		return err
	}
	return d.entries(path, b, 34, func(e []byte, at int64) error {
		if v := binary.BigEndian.Uint16(e); v != 0 {
			return d.fault(path, at, "entries of version %d are not known", v)
		}
		field := func(i int) int64 { return int64(binary.BigEndian.Uint64(e[2+8*i:])) }
		t := dumpedTxn{"abortedTransaction", field(0), field(1), field(2), field(3)}
		if t.FirstOffset > t.LastOffset {
			return d.fault(path, at, "a transaction of offsets %d to %d", t.FirstOffset, t.LastOffset)
		}
		return d.emit(t)
	})
}

// entries calls show for each entry of a file of entries of one size. Zeros to the end are prepared space, except that the
// very first entry of an index may be all zeros. After a fault there is nothing to be trusted.
func (d *dump) entries(path string, b []byte, size int, show func(e []byte, at int64) error) error {
	for at, n := 0, 0; at+size <= len(b); at, n = at+size, n+1 {
		if at > 0 && zero(b[at:]) {
			return d.remark(path, "%d bytes of zeros: space prepared ahead", len(b)-at)
		}
		if d.count > 0 && n == d.count {
			return nil
		}
		before := d.damaged
		d.damaged = false
		err := show(b[at:at+size], int64(at))
		stop := d.damaged
		d.damaged = before || stop
		if err != nil || stop {
			return err
		}
	}
	if left := len(b) % size; left > 0 {
		return d.remark(path, "torn end: %d bytes are less than an entry", left)
	}
	return nil
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
