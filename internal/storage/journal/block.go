package journal

import (
	"encoding/binary"
	"hash/crc32"
)

// ID is the identity of a journal. It seeds every checksum, so that a block of another journal never checks.
type ID = [16]byte

// Entry is one opaque record.
type Entry struct {
	Seq  uint64 // of the block that holds it: set by Open, ignored by Append
	Type uint8  // the caller's
	Data []byte
}

const (
	pageSize = 4096 // blocks begin at multiples of it

	// MaxAppend bounds the bytes of one Append: the sum over its entries of their data and 5 bytes each.
	MaxAppend = 256 << 20
	// MaxEntries bounds the entries of one Append.
	MaxEntries = 1<<16 - 1

	blockHead = 4 + 8 + 8 + 4 + 2 // crc, seq, synced, len, count
	entryHead = 1 + 4             // type, length
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the CRC-32C of id and b.
func checksum(id ID, b []byte) uint32 {
	return crc32.Update(crc32.Checksum(id[:], castagnoli), castagnoli, b)
}

// block is one decoded block; body aliases the buffer it was read from.
type block struct {
	seq    uint64
	synced uint64 // every block up to this one was durable when this one was written
	count  int
	body   []byte
	size   int // bytes on disk, padding included
}

// pages rounds n up to whole pages.
func pages(n int) int { return (n + pageSize - 1) / pageSize * pageSize }

// blockSize returns the bytes that a block of these entries takes on disk.
func blockSize(entries []Entry) int {
	n := blockHead
	for _, e := range entries {
		n += entryHead + len(e.Data)
	}
	return pages(n)
}

// encodeBlock writes a block into buf, which it grows if needed.
func encodeBlock(buf []byte, id ID, seq, synced uint64, entries []Entry) []byte {
	size := blockSize(entries)
	if cap(buf) < size {
		buf = make([]byte, 0, size)
	}
	b := append(buf[:0], 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, seq)
	b = binary.BigEndian.AppendUint64(b, synced)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(entries)))
	for _, e := range entries {
		b = append(b, e.Type)
		b = binary.BigEndian.AppendUint32(b, uint32(len(e.Data)))
		b = append(b, e.Data...)
	}
	binary.BigEndian.PutUint32(b[20:], uint32(len(b)-blockHead))
	end := len(b)
	b = b[:size]
	clear(b[end:])
	binary.BigEndian.PutUint32(b, checksum(id, b[4:]))
	return b
}

// peekSeq is the sequence of the block at the start of b, if there is one.
func peekSeq(b []byte) uint64 { return binary.BigEndian.Uint64(b[4:]) }

// decodeBlock reads the block at the start of b; ok is false if there is none that checks.
func decodeBlock(b []byte, id ID) (bl block, ok bool) {
	if len(b) < pageSize {
		return block{}, false
	}
	bl.seq = binary.BigEndian.Uint64(b[4:])
	bl.synced = binary.BigEndian.Uint64(b[12:])
	length := binary.BigEndian.Uint32(b[20:])
	bl.count = int(binary.BigEndian.Uint16(b[24:]))
	// Sequences start at 1 and only older blocks can be synced: zeros and most garbage need no checksum.
	if bl.seq == 0 || bl.synced >= bl.seq || uint64(length) > uint64(len(b)-blockHead) {
		return block{}, false
	}
	bl.size = pages(blockHead + int(length))
	if bl.size > len(b) || binary.BigEndian.Uint32(b) != checksum(id, b[4:bl.size]) {
		return block{}, false
	}
	bl.body = b[blockHead : blockHead+int(length)]
	return bl, bl.wellFormed()
}

// wellFormed tells whether the entries fill the body exactly.
func (b *block) wellFormed() bool {
	rest := b.body
	for range b.count {
		if len(rest) < entryHead {
			return false
		}
		n := binary.BigEndian.Uint32(rest[1:])
		if uint64(n) > uint64(len(rest)-entryHead) {
			return false
		}
		rest = rest[entryHead+int(n):]
	}
	return len(rest) == 0
}

// appendEntries decodes the block's entries. Their data share one new allocation.
func (b *block) appendEntries(dst []Entry) []Entry {
	rest := append([]byte(nil), b.body...)
	for range b.count {
		end := entryHead + int(binary.BigEndian.Uint32(rest[1:]))
		dst = append(dst, Entry{Seq: b.seq, Type: rest[0], Data: rest[entryHead:end:end]})
		rest = rest[end:]
	}
	return dst
}
