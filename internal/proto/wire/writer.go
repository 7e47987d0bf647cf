package wire

import "encoding/binary"

// writer appends fields of a response in the encoding of its version.
type writer struct {
	buf      []byte
	flexible bool
}

func (w *writer) int8(v int8)   { w.buf = append(w.buf, byte(v)) }
func (w *writer) int16(v int16) { w.buf = binary.BigEndian.AppendUint16(w.buf, uint16(v)) }
func (w *writer) int32(v int32) { w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(v)) }
func (w *writer) int64(v int64) { w.buf = binary.BigEndian.AppendUint64(w.buf, uint64(v)) }

func (w *writer) uuid(id [16]byte) { w.buf = append(w.buf, id[:]...) }

func (w *writer) uvarint(v uint32) {
	for v >= 0x80 {
		w.buf = append(w.buf, byte(v)|0x80)
		v >>= 7
	}
	w.buf = append(w.buf, byte(v))
}

// size writes the count of an array or the length of bytes; -1 is null.
func (w *writer) size(n int) {
	if w.flexible {
		w.uvarint(uint32(n + 1))
	} else {
		w.int32(int32(n))
	}
}

// stringSize writes the length of a string; -1 is null.
func (w *writer) stringSize(n int) {
	if w.flexible {
		w.uvarint(uint32(n + 1))
	} else {
		w.int16(int16(n))
	}
}

// appendString writes s, cut to what the protocol can carry.
func appendString[S string | []byte](w *writer, s S) {
	s = s[:min(len(s), maxStringBytes)]
	w.stringSize(len(s))
	w.buf = append(w.buf, s...)
}

// nullableString writes s, or null if it is empty.
func (w *writer) nullableString(s string) {
	if s == "" {
		w.stringSize(-1)
		return
	}
	appendString(w, s)
}

// noTags ends a structure that has no tagged field.
func (w *writer) noTags() {
	if w.flexible {
		w.buf = append(w.buf, 0)
	}
}

func uvarintSize(v uint32) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// one counts a tagged field that is there.
func one(there bool) uint32 {
	if there {
		return 1
	}
	return 0
}
