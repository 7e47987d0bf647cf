package record

import (
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// DefaultLevel asks for the codec's own default. So do Kafka's default values: gzip -1, lz4 9, zstd 3.
const DefaultLevel = 0

// encoderWindow is how far back our zstd looks, in bytes: batches are rarely larger.
const encoderWindow = 1 << 20

// encoder is what the four codecs have in common.
type encoder interface {
	io.Writer
	Close() error
	Reset(w io.Writer)
}

// encoders keeps idle encoders by codec and class: their tables are large, batches are small. It is a cache and holds
// no bytes of anybody.
var encoders [Zstd + 1][maxClass + 1]sync.Pool

const maxClass = 9

// class folds Kafka's level of a codec into what the library distinguishes; 0 is the default. Levels beyond the
// range are the nearest that there is: the settings' own checks refuse them earlier.
func class(c Codec, level int) int {
	switch c {
	case Gzip: // 1..9, -1 is the default
		return min(max(level, 0), 9)
	case LZ4: // 1..17; Kafka's default, 9, means the fast method, the others the thorough one
		if level == 9 {
			return 0
		}
		return min(max(level, 0), 9)
	case Zstd: // -131072..22; the library has four speeds
		if level == DefaultLevel {
			level = 3
		}
		return int(zstd.EncoderLevelFromZstd(level))
	}
	return 0
}

func takeEncoder(c Codec, level int) (encoder, *sync.Pool) {
	class := class(c, level)
	pool := &encoders[c][class]
	if e, ok := pool.Get().(encoder); ok {
		return e, pool
	}
	return newEncoder(c, class), pool
}

// newEncoder makes an encoder of a known class. The options are constants, so an error is a mistake in this file.
func newEncoder(c Codec, class int) (e encoder) {
	var err error
	switch c {
	case Gzip:
		if class == 0 {
			class = gzip.DefaultCompression
		}
		e, err = gzip.NewWriterLevel(nil, class)
	case Snappy:
		e = new(snappyWriter)
	case LZ4:
		// Java's reader knows independent blocks only, and takes a buffer of the block's size: 64 KiB is its own.
		level := lz4.Fast
		if class > 0 {
			level = 1 << (8 + class)
		}
		w := lz4.NewWriter(nil)
		e, err = w, w.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false), lz4.ConcurrencyOption(1),
			lz4.CompressionLevelOption(level))
	case Zstd:
		e, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevel(class)), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(encoderWindow), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false),
			zstd.WithZeroFrames(true))
	}
	if err != nil {
		panic("record: encoder options: " + err.Error())
	}
	return e
}

var errFull = errors.New("no room left")

// output collects a batch up to max bytes.
type output struct {
	buf []byte
	max int
}

// Write fails with errFull rather than growing over max.
func (o *output) Write(p []byte) (int, error) {
	if len(p) > o.max-len(o.buf) {
		return 0, errFull
	}
	o.buf = append(o.buf, p...)
	return len(p), nil
}

// compress appends plain to dst in the codec. Into memory this cannot fail.
func compress(dst []byte, c Codec, level int, plain []byte) []byte {
	if c == None {
		return append(dst, plain...)
	}
	out := output{buf: dst, max: maxInt}
	e, pool := takeEncoder(c, level)
	e.Reset(&out)
	_, err := e.Write(plain)
	if err = errors.Join(err, e.Close()); err != nil {
		panic("record: " + c.String() + " into memory: " + err.Error())
	}
	e.Reset(nil)
	pool.Put(e)
	return out.buf
}

const maxInt = int(^uint(0) >> 1)
