package group

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"

	"holdfast/internal/core/shard"
)

// A snapshot is the shortest log that leads to the state, sorted. Each entry is
//
//	producer id 8, its epoch 2, place in the log 8, length of key 4, of value 4, key, value
//
// in big-endian order; the producer id is -1 for what is part of no open transaction.
const entryHeader = 26

// Snapshot writes the state in its canonical form: equal states give equal bytes. What a restart forgets - who waits,
// who has joined so far - is not part of it.
func (s *Shard) Snapshot(w io.Writer) error {
	var b []byte
	for _, id := range s.ids() {
		g := s.groups[id]
		if g.record != nil {
			b = appendEntry(b, shard.NoProducer, 0, 0, &ClassicRecord{id, g.record})
		}
		if g.consumer != nil {
			for _, r := range g.consumer.records() {
				b = appendEntry(b, shard.NoProducer, 0, 0, r)
			}
		}
		for _, key := range sortedKeys(g.offsets) {
			c := g.offsets[key]
			b = appendEntry(b, shard.NoProducer, 0, c.at, &OffsetRecord{Group: id, Topic: key.topic, Partition: key.partition, Committed: c.Committed})
		}
	}
	for _, producer := range slices.Sorted(maps.Keys(s.open)) {
		for _, p := range s.open[producer] {
			b = appendEntry(b, producer, p.record.ProducerEpoch, p.at, p.record)
		}
	}
	_, err := w.Write(b)
	return err
}

func appendEntry(b []byte, producer int64, epoch int16, at int64, r shard.Record) []byte {
	key, value := r.Encode()
	b = binary.BigEndian.AppendUint64(b, uint64(producer))
	b = binary.BigEndian.AppendUint16(b, uint16(epoch))
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	b = binary.BigEndian.AppendUint32(b, uint32(len(key)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
	return append(append(b, key...), value...)
}

// Restore replaces the state by one that Snapshot wrote.
func (s *Shard) Restore(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	fresh := New(s.cfg)
	for len(b) > 0 {
		if len(b) < entryHeader {
			return fmt.Errorf("group: a snapshot ends within an entry: %w", io.ErrUnexpectedEOF)
		}
		producer, epoch, at := int64(binary.BigEndian.Uint64(b)), int16(binary.BigEndian.Uint16(b[8:])), int64(binary.BigEndian.Uint64(b[10:]))
		keyLen, valueLen := uint64(binary.BigEndian.Uint32(b[18:])), uint64(binary.BigEndian.Uint32(b[22:]))
		b = b[entryHeader:]
		if keyLen+valueLen > uint64(len(b)) {
			return fmt.Errorf("group: a snapshot ends within an entry: %w", io.ErrUnexpectedEOF)
		}
		record, err := Decode(b[:keyLen], b[keyLen:keyLen+valueLen])
		if err != nil {
			return fmt.Errorf("group: an entry of a snapshot: %w", err)
		}
		if o, ok := record.(*OffsetRecord); ok {
			o.ProducerID, o.ProducerEpoch = producer, epoch
		}
		fresh.Apply(at, record)
		b = b[keyLen+valueLen:]
	}
	*s = *fresh
	return nil
}
