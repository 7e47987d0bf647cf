package commitlog

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// slotBytes is the memory of one key: sixteen bytes of hash, eight of offset.
const slotBytes = 24

// keyTable remembers the last offset of every key of a stretch of log, in a bounded number of bytes. It holds no key but
// sixteen bytes of its SHA-256: two keys are one with a probability of 1 to 2^128, and, unlike with MD5, nobody can make
// two that are, to have one record take another one's place.
type keyTable struct {
	slots []slot
	used  int
	most  int // of the slots, so many may be used
}

type slot struct {
	high, low uint64
	next      int64 // the offset after the key's last one; 0: the slot is free
}

// newKeyTable makes a table of at most so many bytes, filled to at most load, for no more than expected keys.
func newKeyTable(bytes int64, load float64, expected int64) *keyTable {
	slots := max(bytes/slotBytes, 16)
	if want := int64(float64(expected)/load) + 16; want < slots {
		slots = want
	}
	return &keyTable{slots: make([]slot, slots), most: max(min(int(float64(slots)*load), int(slots)-1), 1)}
}

// room tells whether so many more keys fit.
func (t *keyTable) room(keys int) bool { return keys <= t.most-t.used }

// put notes a key's offset; offsets rise from call to call. A new key in a full table is left out.
func (t *keyTable) put(key []byte, offset int64) {
	s := t.find(key)
	if s.next == 0 {
		if t.used == t.most {
			return
		}
		t.used++
	}
	s.next = offset + 1
}

// last is the last offset of a key; ok is false where the stretch has no such key.
func (t *keyTable) last(key []byte) (offset int64, ok bool) {
	s := t.find(key)
	return s.next - 1, s.next > 0
}

// find is the key's slot, or the free one where it belongs.
func (t *keyTable) find(key []byte) *slot {
	sum := sha256.Sum256(key)
	high, low := binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:])
	at, _ := bits.Mul64(high, uint64(len(t.slots)))
	for {
		s := &t.slots[at]
		if s.next == 0 {
			s.high, s.low = high, low
			return s
		}
		if s.high == high && s.low == low {
			return s
		}
		if at++; at == uint64(len(t.slots)) {
			at = 0
		}
	}
}
