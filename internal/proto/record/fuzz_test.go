package record

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// The bounds on what strangers' bytes may take from the heap: a part that grows with the input, and a part for the
// codec's own state (stateBytes) that does not.
const (
	bytesPerByte = 24 // snappy may turn a byte into 22
	slack        = 128 << 10
	fuzzLimit    = 128 << 10 // on what a batch may decompress to
)

func bound(c Codec, input int) uint64 {
	if !c.Known() {
		c = None
	}
	return uint64(input)*bytesPerByte + slack + stateBytes(c)
}

// seeds gives f every batch at hand.
func seeds(f *testing.F, add func(Batch)) {
	files, err := filepath.Glob(filepath.Join("testdata", "java", "*.bin"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		add(raw)
	}
	for c := None; c <= Zstd; c++ {
		add(sample(f, BuilderOptions{Codec: c}, 20))
		if c != None {
			add(compressed(c, 1, oneBigRecord(c, 3*fuzzLimit)))
		}
	}
	add(handmade(1, 12, 0, 0, 0, 1, 1, 0))
	add(handmade(1e9, 12, 0, 0, 0, 1, 1, 0))
	add(handmade(1, append([]byte{20, 0, 0, 0, 1, 1}, varint(math.MaxInt32)...)...))
}

func FuzzNext(f *testing.F) {
	seeds(f, func(b Batch) { f.Add([]byte(b)) })
	f.Add([]byte(append(handmade(1, 12, 0, 0, 0, 1, 1, 0), handmade(1, 12, 0, 0, 0, 1, 1, 0)...)))
	f.Fuzz(func(t *testing.T, in []byte) {
		for rest := in; ; {
			b, after, err := Next(rest)
			if err != nil {
				return
			}
			if len(b) < HeaderSize || len(b)+len(after) != len(rest) || int(b.int32(atLength))+prefixSize != len(b) {
				t.Fatalf("%d bytes became a batch of %d and %d more", len(rest), len(b), len(after))
			}
			_ = b.Check()
			_, _ = b.Marker()
			_, _ = b.LastSequence(), b.NextOffset()
			rest = after
		}
	})
}

// FuzzPrepare mends length and checksum, or no input would come past them.
func FuzzPrepare(f *testing.F) {
	seeds(f, func(b Batch) {
		for flags := range byte(16) {
			f.Add([]byte(b), flags, "producer")
		}
		f.Add([]byte(b), byte(0), "zstd")
		f.Add([]byte(b), byte(0), "uncompressed")
	})
	d := &Decompressor{Max: fuzzLimit}
	f.Fuzz(func(t *testing.T, in []byte, flags byte, compressionType string) {
		b := Batch(bytes.Clone(in))
		if len(b) < HeaderSize {
			return
		}
		b[atMagic] = magic
		b.seal()
		r := Rules{
			MaxBytes: len(b), Full: flags&1 != 0, Compacted: flags&2 != 0, LogAppendTime: flags&4 != 0, Codec: compressionType,
			NowMs: nowMs, BeforeMaxMs: math.MaxInt64, AfterMaxMs: 1000, MaxDecompressed: fuzzLimit,
		}
		if flags&8 != 0 {
			r.BeforeMaxMs = 1000
		}
		before := allocated()
		got, err := r.Prepare(b)
		limit := bound(b.Codec(), len(b))
		if c, err := ParseCodec(compressionType); err == nil && c != b.Codec() {
			limit += 8 << 20 // an encoder's tables
		}
		if used := allocated() - before; used > limit {
			t.Fatalf("%d bytes of input took %d from the heap", len(b), used)
		}
		if err != nil {
			return
		}
		if cerr := got.Check(); cerr != nil {
			t.Fatalf("accepted a broken batch: %v", cerr)
		}
		if r.Full || got.Codec() != Batch(in).Codec() {
			parsersAgree(t, unstamped(got), d)
		}
	})
}

// unstamped is b as a client may send it.
func unstamped(b Batch) Batch {
	b = bytes.Clone(b)
	b.setAttributes(b.Attributes() &^ logAppendTimeBit)
	b.seal()
	return b
}

func FuzzRecords(f *testing.F) {
	seeds(f, func(b Batch) { f.Add(b.Payload(), b.Count(), byte(b.Codec())) })
	d := &Decompressor{Max: fuzzLimit}
	f.Fuzz(func(t *testing.T, payload []byte, count int32, codec byte) {
		b := compressed(Codec(codec%8), count, payload)
		before := allocated()
		n := int32(0)
		for _, err := range b.Records(d) {
			if err != nil {
				break
			}
			n++
		}
		// A header is 48 bytes for two of the input: the worst that a record can do, on all that was decompressed.
		if used := allocated() - before; used > bound(b.Codec(), len(payload))+3*24*(uint64(len(d.plain))+uint64(len(payload)))+4*fuzzLimit {
			t.Fatalf("%d bytes of input took %d from the heap", len(payload), used)
		}
		if n > max(count, 0) {
			t.Fatalf("%d records of %d", n, count)
		}
		parsersAgree(t, b, d)
	})
}

func fuzzDecompress(f *testing.F, c Codec) {
	seeds(f, func(b Batch) {
		if b.Codec() == c {
			f.Add(b.Payload())
		}
	})
	f.Add(compress(nil, c, 0, nil))
	f.Add(compress(nil, c, 9, bytes.Repeat([]byte("abc"), 50_000)))
	d := &Decompressor{Max: fuzzLimit}
	f.Fuzz(func(t *testing.T, payload []byte) {
		b := compressed(c, 1, payload)
		before := allocated()
		got, err := d.Payload(b)
		if used := allocated() - before; used > bound(c, len(payload))+4*fuzzLimit {
			t.Fatalf("%d bytes of input took %d from the heap", len(payload), used)
		}
		if len(got) > fuzzLimit {
			t.Fatalf("decompressed to %d bytes over a limit of %d", len(got), fuzzLimit)
		}
		if err != nil {
			return
		}
		// What is read once is written and read again.
		again, err := new(Decompressor).Payload(compressed(c, 1, compress(nil, c, 0, got)))
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("%d bytes came back as %d: %v", len(got), len(again), err)
		}
	})
}

func FuzzGzip(f *testing.F)   { fuzzDecompress(f, Gzip) }
func FuzzSnappy(f *testing.F) { fuzzDecompress(f, Snappy) }
func FuzzLZ4(f *testing.F) {
	if frame, err := os.ReadFile("testdata/linked.lz4"); err == nil {
		f.Add(frame)
	}
	fuzzDecompress(f, LZ4)
}
func FuzzZstd(f *testing.F) { fuzzDecompress(f, Zstd) }
