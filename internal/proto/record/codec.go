package record

import "fmt"

// Codec is how the records of a batch are compressed, as Kafka numbers it.
type Codec int8

const (
	None Codec = iota
	Gzip
	Snappy // written in the framing of Java clients; raw blocks are read too
	LZ4    // the frame format
	Zstd
)

var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

// Known tells whether there is such a codec.
func (c Codec) Known() bool { return c >= None && c <= Zstd }

// String is the codec's name in Kafka's commands.
func (c Codec) String() string {
	if !c.Known() {
		return fmt.Sprintf("codec %d", int8(c))
	}
	return codecNames[c]
}

// ParseCodec reads a codec's name: none, gzip, snappy, lz4, zstd; uncompressed is none, as in compression.type.
func ParseCodec(name string) (Codec, error) {
	if name == "uncompressed" {
		return None, nil
	}
	for i, n := range codecNames {
		if n == name {
			return Codec(i), nil
		}
	}
	return None, fmt.Errorf("there is no codec %q: use none, gzip, snappy, lz4 or zstd", name)
}

// minRecord is the smallest record in bytes: seven fields of one byte.
const minRecord = 7

// expansion is a bound on the bytes that a byte of the codec's output can stand for, from the formats: deflate copies
// 258 bytes with two bits, snappy 64 with three bytes, LZ4 adds 255 a byte, zstd repeats 128 KiB with four bytes.
// It lets a header with an absurd count be refused without decompressing.
func (c Codec) expansion() int64 {
	switch c {
	case Gzip:
		return 1032
	case Snappy:
		return 22
	case LZ4:
		return 255
	case Zstd:
		return 32 << 10
	}
	return 1
}
