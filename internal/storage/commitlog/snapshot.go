package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"holdfast/internal/core/producer"
)

// A producer snapshot is Kafka's file with an appendix that Kafka's reader skips: its schema ends with the entries and
// its checksum covers the file to the end. Kafka keeps the last batch of a producer only, so after a restart it answers
// a retry of an older one with an error; the appendix keeps all five and when the producer was last seen.
//
//	┌───────────┬──────────┬─────────┬──────────────────────────────────────────────────────────────┐
//	│ version 2 │ crc32c 4 │ count 4 │ count × entry 46                                             │
//	└───────────┴──────────┴─────────┴──────────────────────────────────────────────────────────────┘
//	 entry: producer id 8, epoch 2, last sequence 4, last offset 8, offset delta 4, timestamp 8, coordinator epoch 4,
//	        first offset of the open transaction 8 (-1: none)
//	┌─────────┬──────────────────────────────────────────────────────────────┐
//	│ "HFp1"  │ count × (seen 8, batches 1, batches × batch 24), oldest first │
//	└─────────┴──────────────────────────────────────────────────────────────┘
//	 batch: last sequence 4, last offset 8, offset delta 4, timestamp 8
//	┌─────────┬────────┬─────────┬──────────┐
//	│ "HFt1"  │ base 8 │ count 4 │ crc32c 4 │ where the segment before the snapshot has aborted transactions
//	└─────────┴────────┴─────────┴──────────┘
//	 of the transaction index of the segment with that base, as far as the snapshot: Kafka's file has no checksum
const (
	snapshotVersion   = 1
	snapshotHeader    = 10
	snapshotEntrySize = 46
	appendixMagic     = "HFp1"
	appendixBatchSize = 24
	txnSumMagic       = "HFt1"
	txnSumSize        = 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errSnapshot = errors.New("not a valid producer snapshot")

// AppendSnapshot encodes producer entries as a snapshot file.
func AppendSnapshot(dst []byte, entries []producer.Entry) []byte {
	return appendSnapshot(dst, entries, txnSum{})
}

func appendSnapshot(dst []byte, entries []producer.Entry, sum txnSum) []byte {
	be, start := binary.BigEndian, len(dst)
	dst = be.AppendUint16(dst, snapshotVersion)
	dst = be.AppendUint32(dst, 0) // checksum, below
	dst = be.AppendUint32(dst, uint32(len(entries)))
	for _, e := range entries {
		last := producer.BatchMeta{LastSeq: producer.NoSequence, LastOffset: -1, TimestampMs: -1}
		if n := len(e.Batches); n > 0 {
			last = e.Batches[n-1]
		}
		dst = be.AppendUint64(dst, uint64(e.ProducerID))
		dst = be.AppendUint16(dst, uint16(e.Epoch))
		dst = be.AppendUint32(dst, uint32(last.LastSeq))
		dst = be.AppendUint64(dst, uint64(last.LastOffset))
		dst = be.AppendUint32(dst, uint32(last.OffsetDelta))
		dst = be.AppendUint64(dst, uint64(e.TimestampMs))
		dst = be.AppendUint32(dst, uint32(e.CoordinatorEpoch))
		dst = be.AppendUint64(dst, uint64(e.TxnFirstOffset))
	}
	if len(entries) > 0 {
		dst = appendAppendix(dst, entries)
	}
	if sum.count > 0 {
		dst = sum.appendTo(dst)
	}
	be.PutUint32(dst[start+2:], crc32.Checksum(dst[start+6:], castagnoli))
	return dst
}

func appendAppendix(dst []byte, entries []producer.Entry) []byte {
	be := binary.BigEndian
	dst = append(dst, appendixMagic...)
	for _, e := range entries {
		dst = be.AppendUint64(dst, uint64(e.SeenMs))
		dst = append(dst, byte(len(e.Batches)))
		for _, m := range e.Batches {
			dst = be.AppendUint32(dst, uint32(m.LastSeq))
			dst = be.AppendUint64(dst, uint64(m.LastOffset))
			dst = be.AppendUint32(dst, uint32(m.OffsetDelta))
			dst = be.AppendUint64(dst, uint64(m.TimestampMs))
		}
	}
	return dst
}

// ParseSnapshot reads a snapshot file, Kafka's or ours. Producers of a file without the appendix count as seen at
// seenMs. It allocates no more than a small multiple of len(p).
func ParseSnapshot(p []byte, seenMs int64) ([]producer.Entry, error) {
	be := binary.BigEndian
	if len(p) < snapshotHeader {
		return nil, fmt.Errorf("%w: %d bytes", errSnapshot, len(p))
	}
	if v := be.Uint16(p); v != snapshotVersion {
		return nil, fmt.Errorf("%w: version %d is unknown", errSnapshot, v)
	}
	if sum := crc32.Checksum(p[6:], castagnoli); sum != be.Uint32(p[2:]) {
		return nil, fmt.Errorf("%w: checksum %08x, computed %08x", errSnapshot, be.Uint32(p[2:]), sum)
	}
	count := int64(be.Uint32(p[6:]))
	if p = p[snapshotHeader:]; count*snapshotEntrySize > int64(len(p)) {
		return nil, fmt.Errorf("%w: %d entries do not fit in it", errSnapshot, count)
	}
	entries := make([]producer.Entry, count)
	for i := range entries {
		e := &entries[i]
		e.ProducerID = int64(be.Uint64(p))
		e.Epoch = int16(be.Uint16(p[8:]))
		last := producer.BatchMeta{LastSeq: int32(be.Uint32(p[10:])), LastOffset: int64(be.Uint64(p[14:])), OffsetDelta: int32(be.Uint32(p[22:])), TimestampMs: int64(be.Uint64(p[26:]))}
		e.TimestampMs = last.TimestampMs
		e.CoordinatorEpoch = int32(be.Uint32(p[34:]))
		e.TxnFirstOffset = int64(be.Uint64(p[38:]))
		e.SeenMs = seenMs
		if last.LastOffset >= 0 {
			e.Batches = []producer.BatchMeta{last}
		}
		p = p[snapshotEntrySize:]
	}
	return entries, parseAppendix(p, entries)
}

// parseAppendix adds what the appendix has; anything else behind the entries is none of ours.
func parseAppendix(p []byte, entries []producer.Entry) error {
	if len(p) < len(appendixMagic) || string(p[:len(appendixMagic)]) != appendixMagic {
		return nil
	}
	be := binary.BigEndian
	p = p[len(appendixMagic):]
	for i := range entries {
		e := &entries[i]
		if len(p) < 9 {
			return fmt.Errorf("%w: the appendix is cut short", errSnapshot)
		}
		e.SeenMs = int64(be.Uint64(p))
		n := int(p[8])
		if p = p[9:]; n > producer.Remembered || len(p) < n*appendixBatchSize {
			return fmt.Errorf("%w: the appendix names %d batches", errSnapshot, n)
		}
		e.Batches = e.Batches[:0]
		for range n {
			e.Batches = append(e.Batches, producer.BatchMeta{LastSeq: int32(be.Uint32(p)), LastOffset: int64(be.Uint64(p[4:])), OffsetDelta: int32(be.Uint32(p[12:])), TimestampMs: int64(be.Uint64(p[16:]))})
			p = p[appendixBatchSize:]
		}
	}
	return nil
}
