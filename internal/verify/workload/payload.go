package workload

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"
)

// HeaderSize is the part of a value that identifies its record, and so the smallest value.
const HeaderSize = 44

// magic begins every value: "HFV" and the version of the layout.
const magic = "HFV\x01"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Payload is what a record says about itself.
//
//	┌─────────┬───────┬────────────┬─────────────┬───────┬────────┬──────────┬────────┬──────────┐
//	│ magic 4 │ run 8 │ producer 4 │ partition 4 │ seq 8 │ time 8 │ crc32c 4 │ size 4 │ filler … │
//	└─────────┴───────┴────────────┴─────────────┴───────┴────────┴──────────┴────────┴──────────┘
//
// All numbers are big-endian. time is Unix nanoseconds of the sender's clock. size is the length of the whole value. The
// checksum covers everything but itself, so that a changed, cut or merged value is recognised as such. The filler looks
// random and follows from the sequence: nothing compresses away, and no two values are alike.
type Payload struct {
	Run       uint64 // tells the records of one run from all others
	Producer  int32
	Partition int32 // where the producer sent it
	Seq       int64 // from 0, a producer and partition
	Time      time.Time
}

// ErrForeign is a value that no workload wrote.
var ErrForeign = errors.New("the value was not written by a verifier")

// ErrDamaged is a value that a workload wrote, and that has changed since.
var ErrDamaged = errors.New("the value has changed since it was written")

// Append adds the value of p, size bytes long, but at least HeaderSize.
func (p Payload) Append(b []byte, size int) []byte {
	at := len(b)
	size = max(size, HeaderSize)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint64(b, p.Run)
	b = binary.BigEndian.AppendUint32(b, uint32(p.Producer))
	b = binary.BigEndian.AppendUint32(b, uint32(p.Partition))
	b = binary.BigEndian.AppendUint64(b, uint64(p.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(p.Time.UnixNano()))
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	for x := p.Run ^ uint64(p.Producer)<<40 ^ uint64(p.Seq); len(b)-at < size; {
		x = x*6364136223846793005 + 1442695040888963407 // a step of Knuth's MMIX generator
		b = append(b, byte(x>>56))
	}
	binary.BigEndian.PutUint32(b[at+36:], checksum(b[at:]))
	return b
}

// Parse reads a value.
func Parse(b []byte) (Payload, error) {
	if len(b) < len(magic) || string(b[:len(magic)]) != magic {
		return Payload{}, ErrForeign
	}
	if len(b) < HeaderSize || int64(binary.BigEndian.Uint32(b[40:])) != int64(len(b)) || binary.BigEndian.Uint32(b[36:]) != checksum(b) {
		return Payload{}, ErrDamaged
	}
	return Payload{
		Run:       binary.BigEndian.Uint64(b[4:]),
		Producer:  int32(binary.BigEndian.Uint32(b[12:])),
		Partition: int32(binary.BigEndian.Uint32(b[16:])),
		Seq:       int64(binary.BigEndian.Uint64(b[20:])),
		Time:      time.Unix(0, int64(binary.BigEndian.Uint64(b[28:]))),
	}, nil
}

// checksum is the CRC of a value without the checksum itself.
func checksum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:36], castagnoli), castagnoli, b[40:])
}
