package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// allocated is how many bytes were ever taken from the heap.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// stateBytes is what a codec's own tables and window may take from the heap, whatever the input: LZ4's library takes
// two buffers of the largest block, 4 MiB; zstd its window and two blocks.
func stateBytes(c Codec) uint64 {
	return [...]uint64{64 << 10, 256 << 10, 64 << 10, 9 << 20, zstdWindow + 2<<20}[c]
}

func TestBombsAreRefusedWithinBounds(t *testing.T) {
	const limit = 256 << 10
	for c := Gzip; c <= Zstd; c++ {
		payload := oneBigRecord(c, 64<<20)
		b := compressed(c, 1, payload)
		r := defaults()
		r.MaxBytes, r.Full, r.MaxDecompressed = len(b), true, limit
		runtime.GC()
		before := allocated()
		_, err := r.Prepare(b)
		if used := allocated() - before; used > stateBytes(c)+chunkSize {
			t.Errorf("%v: a walk over a bomb took %d bytes", c, used)
		}
		if err == nil || err.Kind != TooLarge {
			t.Errorf("%v: a walk over a bomb: %v", c, err)
		}

		d := &Decompressor{Max: limit}
		before = allocated()
		var e *Error
		if _, err := d.Payload(b); !errors.As(err, &e) || e.Kind != TooLarge {
			t.Errorf("%v: reading a bomb: %v", c, err)
		}
		if used := allocated() - before; used > stateBytes(c)+4*limit {
			t.Errorf("%v: reading a bomb took %d bytes", c, used)
		}
	}
}

// A walk holds one window and one chunk, however large the batch becomes.
func TestWalksStream(t *testing.T) {
	for c := Gzip; c <= Zstd; c++ {
		b := compressed(c, 1, oneBigRecord(c, 48<<20))
		r := defaults()
		r.MaxBytes, r.Full = len(b), true
		runtime.GC()
		before := allocated()
		if _, err := r.Prepare(b); err != nil {
			t.Errorf("%v: %v", c, err)
		}
		if used := allocated() - before; used > stateBytes(c)+chunkSize {
			t.Errorf("%v: took %d bytes", c, used)
		}
	}
}

func TestLimitIsExact(t *testing.T) {
	for c := Gzip; c <= Zstd; c++ {
		plain := bytes.Repeat([]byte("0123456789"), 10_000)
		b := compressed(c, 1, compress(nil, c, 0, plain))
		for spare, ok := range map[int]bool{0: true, 1: true, -1: false} {
			d := &Decompressor{Max: len(plain) + spare}
			if got, err := d.Payload(b); (err == nil) != ok || ok && !bytes.Equal(got, plain) {
				t.Errorf("%v: %d bytes, limit %d: %v", c, len(plain), d.Max, err)
			}
		}
	}
}

func TestDecompressorIsReusableAfterErrors(t *testing.T) {
	d := new(Decompressor)
	for c := Gzip; c <= Zstd; c++ {
		good := sample(t, BuilderOptions{Codec: c}, 200)
		want, err := d.Payload(good)
		if err != nil {
			t.Fatal(err)
		}
		want = bytes.Clone(want)
		for cut := range 64 {
			_, _ = d.Payload(compressed(c, 1, good.Payload()[:cut]))
			flipped := compressed(c, 1, bytes.Clone(good.Payload()))
			flipped[HeaderSize+cut] ^= 0x55
			_, _ = d.Payload(flipped)
		}
		if got, err := d.Payload(good); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: after broken streams: %v", c, err)
		}
	}
}

func TestSnappyInBothForms(t *testing.T) {
	plain := bytes.Repeat([]byte("some text, "), 20_000)
	frame := func(blocks ...[]byte) []byte {
		out := bytes.Clone(xerialHeader)
		for _, b := range blocks {
			out = append(binary.BigEndian.AppendUint32(out, uint32(len(b))), b...)
		}
		return out
	}
	half := len(plain) / 2
	for name, c := range map[string]struct {
		payload []byte
		ok      bool
	}{
		"raw, as librdkafka writes":         {s2.EncodeSnappy(nil, plain), true},
		"framed":                            {compress(nil, Snappy, 0, plain), true},
		"framed with large blocks":          {frame(s2.EncodeSnappy(nil, plain[:half]), s2.EncodeSnappy(nil, plain[half:])), true},
		"framed, block cut":                 {frame(s2.EncodeSnappy(nil, plain))[:100], false},
		"framed, size cut":                  {append(frame(s2.EncodeSnappy(nil, plain)), 0, 0), false},
		"header cut":                        {xerialHeader[:12], false},
		"block that announces 4 GB":         {[]byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0}, false},
		"block that announces 60 MB":        {binary.AppendUvarint(nil, 60<<20), false},
		"framed block that announces 60 MB": {frame(binary.AppendUvarint(nil, 60<<20)), false},
	} {
		before := allocated()
		got, err := new(Decompressor).Payload(compressed(Snappy, 1, c.payload))
		if c.ok && (err != nil || !bytes.Equal(got, plain)) || !c.ok && err == nil {
			t.Errorf("%s: %v", name, err)
		}
		if used := allocated() - before; !c.ok && used > 1<<20 {
			t.Errorf("%s: took %d bytes", name, used)
		}
	}
}

// kafka-python's LZ4 links its blocks: each may refer to the one before. testdata/linked.lz4 was written by Python's
// lz4.frame 4.x with block_linked, blocks of 64 KiB and a checksum over the content.
func TestLZ4LinkedBlocks(t *testing.T) {
	frame, err := os.ReadFile("testdata/linked.lz4")
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for range 15 {
		for i := range 1200 {
			want = fmt.Appendf(want, "%d,", i*i)
		}
	}
	if got, err := new(Decompressor).Payload(compressed(LZ4, 1, frame)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v, %d bytes of %d", err, len(got), len(want))
	}
}

// What announces a window above ours is read as long as it does not use it.
func TestZstdWindows(t *testing.T) {
	text := bytes.Repeat([]byte("the quick brown fox "), 500_000) // 10 MB
	for _, c := range []struct {
		name   string
		window int
		plain  []byte
		single bool
	}{
		{"window of 512 MiB, small batch", 512 << 20, text[:1000], false},
		{"window of 128 MiB, large batch", 128 << 20, text, false},
		{"single segment of 10 MB", 16 << 20, text, true},
	} {
		e, err := zstd.NewWriter(nil, zstd.WithWindowSize(c.window), zstd.WithEncoderConcurrency(1), zstd.WithSingleSegment(c.single))
		if err != nil {
			t.Fatal(err)
		}
		var frame []byte
		if c.single {
			frame = e.EncodeAll(c.plain, nil)
		} else {
			var out bytes.Buffer
			e.Reset(&out)
			// Two writes keep the encoder from shrinking the window to the content.
			for _, part := range [][]byte{c.plain[:10], c.plain[10:]} {
				if _, err := e.Write(part); err != nil {
					t.Fatal(err)
				}
				if err := e.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			frame = out.Bytes()
		}
		head, _ := clampWindow(nil, frame)
		if head == nil {
			t.Errorf("%s: the frame announces no large window: % x", c.name, frame[:8])
		}
		got, perr := new(Decompressor).Payload(compressed(Zstd, 1, frame))
		if perr != nil || !bytes.Equal(got, c.plain) {
			t.Errorf("%s: %v", c.name, perr)
		}
	}
}

// Several frames behind each other are one stream in gzip and zstd, as Java reads them.
func TestConcatenatedFrames(t *testing.T) {
	for _, c := range []Codec{Gzip, LZ4, Zstd} {
		b := compressed(c, 1, append(compress(nil, c, 0, []byte("first ")), compress(nil, c, 0, []byte("second"))...))
		if got, err := new(Decompressor).Payload(b); err != nil || string(got) != "first second" {
			t.Errorf("%v: %q, %v", c, got, err)
		}
	}
}

func TestCodecNames(t *testing.T) {
	for c := None; c <= Zstd; c++ {
		if got, err := ParseCodec(c.String()); err != nil || got != c {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
	if c, err := ParseCodec("uncompressed"); err != nil || c != None {
		t.Errorf("uncompressed: %v, %v", c, err)
	}
	if _, err := ParseCodec("brotli"); err == nil {
		t.Error("brotli is no codec of Kafka")
	}
}

func TestOutputIsBounded(t *testing.T) {
	o := output{max: 10}
	if _, err := io.WriteString(&o, "0123456789"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Write([]byte{1}); !errors.Is(err, errFull) || len(o.buf) != 10 {
		t.Errorf("%v, %d bytes", err, len(o.buf))
	}
}

// Codecs work in their caller's goroutine: a dropped Decompressor or an idle encoder must not keep one.
func TestCodecsStartNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	for c := Gzip; c <= Zstd; c++ {
		for range 10 {
			if _, err := new(Decompressor).Payload(sample(t, BuilderOptions{Codec: c}, 2000)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines became %d", before, after)
	}
}

// A stream that really reaches back further than our window is refused; the default validation does not open it.
func TestZstdBeyondTheWindow(t *testing.T) {
	noise := make([]byte, zstdWindow+1<<20)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(noise)
	e, err := zstd.NewWriter(nil, zstd.WithWindowSize(64<<20), zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		t.Fatal(err)
	}
	frame := e.EncodeAll(append(noise, noise[:1<<20]...), nil)
	var refused *Error
	_, got := new(Decompressor).Payload(compressed(Zstd, 1, frame))
	if !errors.As(got, &refused) || refused.Kind != InvalidRecord || !strings.Contains(refused.Message, "level below 20") {
		t.Errorf("%v", got)
	}
}
