package record

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// anyBytes draws null, empty, and bytes.
func anyBytes(t *rapid.T, label string) []byte {
	if rapid.Bool().Draw(t, label+" null") {
		return nil
	}
	b := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, label)
	return append([]byte{}, b...)
}

// anyRecords draws what a client may write, and the batch that holds it.
func anyRecords(t *rapid.T, o BuilderOptions) ([]Record, Batch) {
	n := rapid.IntRange(1, 60).Draw(t, "records")
	base := rapid.Int64Range(0, 1<<50).Draw(t, "base timestamp")
	want := make([]Record, n)
	b := NewBuilder(o)
	for i := range want {
		r := Record{OffsetDelta: int32(i), Key: anyBytes(t, "key"), Value: anyBytes(t, "value")}
		if i > 0 {
			r.TimestampDelta = rapid.Int64Range(-base, 1<<50).Draw(t, "timestamp delta")
		}
		for range rapid.IntRange(0, 3).Draw(t, "headers") {
			key := append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "header")...)
			r.Headers = append(r.Headers, Header{key, anyBytes(t, "header value")})
		}
		if err := b.Append(base+r.TimestampDelta, r.Key, r.Value, r.Headers...); err != nil {
			t.Fatalf("append: %v", err)
		}
		want[i] = r
	}
	size := b.Size()
	batch := b.Build()
	if o.Codec == None && len(batch) != size {
		t.Fatalf("built %d bytes and announced %d", len(batch), size)
	}
	return want, batch
}

func read(t *rapid.T, b Batch, d *Decompressor) []Record {
	var got []Record
	for r, err := range b.Records(d) {
		if err != nil {
			t.Fatalf("record %d: %v", len(got), err)
		}
		got = append(got, r.Clone())
	}
	return got
}

// What is built is read back, accepted under every rule, and survives any chain of re-encodings.
func TestRoundTrip(t *testing.T) {
	d := new(Decompressor)
	rapid.Check(t, func(t *rapid.T) {
		codec := rapid.Custom(func(t *rapid.T) Codec { return Codec(rapid.IntRange(int(None), int(Zstd)).Draw(t, "codec")) })
		want, b := anyRecords(t, BuilderOptions{Codec: codec.Draw(t, "from"), Level: rapid.IntRange(-1, 20).Draw(t, "level")})
		same(t, want, read(t, b, d))

		r := Rules{
			MaxBytes: DefaultMaxBatch, Full: true, NowMs: 1 << 51, BeforeMaxMs: 1 << 52, AfterMaxMs: 1 << 52,
			Level: rapid.IntRange(-1, 20).Draw(t, "level"),
		}
		for range rapid.IntRange(1, 3).Draw(t, "re-encodings") {
			r.Codec = codec.Draw(t, "to").String()
			maxMs := b.MaxTimestamp()
			var err *Error
			if b, err = r.Prepare(b); err != nil {
				t.Fatalf("to %s: %v", r.Codec, err)
			}
			if b.Check() != nil || b.Codec().String() != r.Codec || b.MaxTimestamp() != maxMs {
				t.Fatalf("to %s: a wrong header", r.Codec)
			}
			if next, rest, err := Next(b); err != nil || len(rest) > 0 || !bytes.Equal(next, b) {
				t.Fatalf("to %s: no whole batch: %v", r.Codec, err)
			}
		}
		same(t, want, read(t, b, d))
	})
}

// A batch whose checksum is right and whose bytes are not is refused or read to the end: both parsers agree.
func TestParsersAgree(t *testing.T) {
	d := new(Decompressor)
	rapid.Check(t, func(t *rapid.T) {
		_, b := anyRecords(t, BuilderOptions{})
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			b[rapid.IntRange(HeaderSize, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		b.seal()
		parsersAgree(t, b, d)
	})
}

// parsersAgree holds the two parsers against each other: what a walk accepts, Records must read.
func parsersAgree(t interface{ Fatalf(string, ...any) }, b Batch, d *Decompressor) {
	r := Rules{MaxBytes: len(b), Full: true, LogAppendTime: true, MaxDecompressed: d.Max}
	prepared, refused := r.Prepare(append(Batch{}, b...))
	if refused != nil {
		return
	}
	n := int32(0)
	for rec, err := range prepared.Records(d) {
		if err != nil {
			t.Fatalf("a walk accepted what cannot be read at record %d: %v", n, err)
		}
		if rec.OffsetDelta != n {
			t.Fatalf("a walk accepted offset delta %d at record %d", rec.OffsetDelta, n)
		}
		n++
	}
	if n != prepared.Count() {
		t.Fatalf("a walk accepted %d records, %d were read", prepared.Count(), n)
	}
}
