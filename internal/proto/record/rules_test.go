package record

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"sync"
	"testing"
)

// defaults are the rules of a topic with Kafka's default settings.
func defaults() Rules {
	return Rules{MaxBytes: DefaultMaxBatch, NowMs: nowMs, BeforeMaxMs: math.MaxInt64, AfterMaxMs: 3_600_000}
}

// changed is a good batch of five records with one change under a right checksum.
func changed(t *testing.T, o BuilderOptions, change func(Batch)) Batch {
	t.Helper()
	b := sample(t, o, 5)
	change(b)
	binary.BigEndian.PutUint32(b[atCRC:], b.sum())
	return b
}

// handmade is a batch of one record whose body is given byte by byte.
func handmade(count int32, body ...byte) Batch {
	b := newHeader(HeaderSize)
	b.setInt32(atCount, count)
	b.setInt32(atLastOffsetDelta, count-1)
	b.setInt64(atBaseTimestamp, nowMs)
	b.setInt64(atMaxTimestamp, nowMs)
	b = append(b, body...)
	b.seal()
	return b
}

// compressed is a batch of one record around a payload of any kind.
func compressed(c Codec, count int32, payload []byte) Batch {
	b := handmade(count, payload...)
	b.setAttributes(int16(c))
	b.seal()
	return b
}

type badBatch struct {
	name  string
	rules func(*Rules)
	batch Batch
	kind  Kind
	index int32
	says  string
}

func badHeaders(t *testing.T) []badBatch {
	plain := BuilderOptions{}
	wrong := sample(t, plain, 5)
	wrong[len(wrong)-1] ^= 1
	legacy := func(m byte) Batch { b := sample(t, plain, 5); b[atMagic] = m; return b }
	set := func(at int, v int32) Batch { return changed(t, plain, func(b Batch) { b.setInt32(at, v) }) }
	attribute := func(bit int16) Batch {
		return changed(t, plain, func(b Batch) { b.setAttributes(b.Attributes() | bit) })
	}
	producer := func(id int64, epoch int16, seq int32) Batch {
		return changed(t, plain, func(b Batch) { b.setProducer(id, epoch, seq) })
	}
	return []badBatch{
		{"wrong CRC", nil, wrong, Corrupt, -1, "checksum"},
		{"cut short", nil, sample(t, plain, 5)[:80], Corrupt, -1, "length"},
		{"magic 0", nil, legacy(0), UnsupportedFormat, -1, "newer client"},
		{"magic 1", nil, legacy(1), UnsupportedFormat, -1, "newer client"},
		{"magic 3", nil, legacy(3), UnsupportedFormat, -1, "unknown"},
		{"unknown codec 5", nil, attribute(5), UnsupportedCodec, -1, "codec 5"},
		{"unknown codec 7", nil, attribute(7), UnsupportedCodec, -1, "codec 7"},
		{"count too high", nil, set(atCount, 6), InvalidRecord, -1, "count of 6"},
		{"count too low", nil, set(atCount, 4), InvalidRecord, -1, "count of 4"},
		{"count zero", nil, set(atCount, 0), InvalidRecord, -1, "count of 0"},
		{"count negative", nil, set(atCount, -1), InvalidRecord, -1, "count of -1"},
		{"last offset delta negative", nil, set(atLastOffsetDelta, -1), InvalidRecord, -1, "last offset delta is -1"},
		{"last offset delta highest", nil, set(atLastOffsetDelta, math.MaxInt32), InvalidRecord, -1, "2147483647"},
		{"a billion offsets in a few bytes", nil, handmade(1e9, 12, 0, 0, 0, 1, 1, 0), InvalidRecord, -1, "cannot hold"},
		{"base offset negative", nil, changed(t, plain, func(b Batch) { b.SetBaseOffset(-1) }), InvalidRecord, -1, "not -1"},
		{"base offset set", nil, changed(t, plain, func(b Batch) { b.SetBaseOffset(7) }), InvalidRecord, -1, "not 7"},
		{"too large", func(r *Rules) { r.MaxBytes = 100 }, sample(t, plain, 5), TooLarge, -1, "max.message.bytes"},
		{"control batch", nil, attribute(controlBit), InvalidRecord, -1, "control"},
		{"marker", nil, Marker{ProducerID: 1}.Batch(), InvalidRecord, -1, "control"},
		{"delete horizon", nil, attribute(deleteHorizonBit), InvalidRecord, -1, "delete horizon"},
		{"LogAppendTime from a client", nil, attribute(logAppendTimeBit), InvalidTimestamp, 0, "LogAppendTime"},
		{"producer without epoch", nil, producer(1, -1, 0), InvalidRecord, -1, "epoch -1"},
		{"producer without sequence", nil, producer(1, 0, -1), InvalidRecord, -1, "sequence number -1"},
		{"producer id -2", nil, producer(-2, 0, 0), InvalidRecord, -1, "producer id -2"},
		{"transaction without producer", nil, attribute(transactionalBit), InvalidRecord, -1, "producer id"},
	}
}

func badRecords(t *testing.T) []badBatch {
	full := func(r *Rules) { r.Full = true }
	at := func(ms ...int64) Batch {
		b := NewBuilder(BuilderOptions{Codec: LZ4})
		for _, ms := range ms {
			if err := b.Append(ms, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		return b.Build()
	}
	bomb := compress(nil, Zstd, 0, make([]byte, 32<<20))
	return []badBatch{
		{"too new", nil, at(nowMs, nowMs+1, nowMs+3_600_001), InvalidTimestamp, 2, "message.timestamp.after.max.ms"},
		{"too old", func(r *Rules) { r.BeforeMaxMs = 1000 }, at(nowMs, nowMs-1001), InvalidTimestamp, 1, "before.max.ms"},
		{
			"timestamp overflows", full, handmade(1, append([]byte{30, 0}, append(varint(math.MaxInt64), 0, 1, 1, 0)...)...),
			InvalidTimestamp, 0, "out of range",
		},
		{
			"no key on a compacted topic", func(r *Rules) { r.Compacted = true }, sample(t, BuilderOptions{Codec: Gzip}, 5),
			InvalidRecord, 3, "without a key",
		},
		{"offset delta repeated", full, handmade(2, 12, 0, 0, 0, 1, 1, 0, 12, 0, 0, 0, 1, 1, 0), InvalidRecord, 1, "offset delta 0"},
		{"offset delta negative", full, handmade(1, 12, 0, 0, 1, 1, 1, 0), InvalidRecord, 0, "offset delta -1"},
		{"fewer records than counted", full, handmade(2, 26, 0, 0, 0, 1, 14, 1, 2, 3, 4, 5, 6, 7, 0), InvalidRecord, 1, "middle"},
		{"more records than counted", full, handmade(1, 12, 0, 0, 0, 1, 1, 0, 12, 0, 0, 2, 1, 1, 0), InvalidRecord, -1, "follow"},
		{"record cut", full, handmade(1, 14, 0, 0, 0, 1, 4, 0), InvalidRecord, 0, "malformed"},
		{"record longer than its fields", full, handmade(1, 14, 0, 0, 0, 1, 1, 0, 0), InvalidRecord, 0, "length"},
		{"record shorter than its fields", full, handmade(1, 10, 0, 0, 0, 1, 1, 0), InvalidRecord, 0, "length"},
		{"record length negative", full, handmade(1, 1, 0, 0, 0, 1, 1, 0), InvalidRecord, 0, "range"},
		{"key length -2", full, handmade(1, 12, 0, 0, 0, 3, 1, 0), InvalidRecord, 0, "range"},
		{"key longer than its record", full, handmade(1, 12, 0, 0, 0, 40, 1, 0), InvalidRecord, 0, "length"},
		{"header count negative", full, handmade(1, 12, 0, 0, 0, 1, 1, 1), InvalidRecord, 0, "range"},
		{
			"header count of two billion", full, handmade(1, append([]byte{20, 0, 0, 0, 1, 1}, varint(math.MaxInt32)...)...),
			InvalidRecord, 0, "malformed",
		},
		{"header key null", full, handmade(1, 16, 0, 0, 0, 1, 1, 2, 1, 1), InvalidRecord, 0, "range"},
		{"number without end", full, handmade(1, bytes.Repeat([]byte{0xff}, 30)...), InvalidRecord, 0, "range"},
		{
			"bomb", func(r *Rules) { r.Full, r.MaxDecompressed = true, 1<<20 }, compressed(Zstd, 1, oneBigRecord(Zstd, 32<<20)),
			TooLarge, -1, "smaller batches",
		},
		{"bomb of something else", full, compressed(Zstd, 1, bomb), InvalidRecord, 0, "malformed"},
		{
			"bomb into uncompressed", func(r *Rules) { r.Codec = "uncompressed" }, compressed(Gzip, 1, oneBigRecord(Gzip, 32<<20)),
			TooLarge, -1, "compression.type",
		},
		{"broken stream", full, compressed(Gzip, 1, []byte("no gzip at all")), InvalidRecord, -1, "gzip stream is broken"},
		{"stream cut", full, compressed(Zstd, 1, bomb[:len(bomb)-5]), InvalidRecord, 0, "malformed"},
	}
}

func varint(v int64) []byte { return binary.AppendVarint(nil, v) }

// oneBigRecord is a payload with one record of size zeros.
func oneBigRecord(c Codec, size int) []byte {
	return compress(nil, c, 0, appendRecord(nil, Record{Value: make([]byte, size)}))
}

func TestBadInput(t *testing.T) {
	for _, c := range append(badHeaders(t), badRecords(t)...) {
		t.Run(c.name, func(t *testing.T) {
			r := defaults()
			if c.rules != nil {
				c.rules(&r)
			}
			_, err := r.Prepare(c.batch)
			switch {
			case err == nil:
				t.Fatal("it was accepted")
			case err.Kind != c.kind || err.RecordIndex != c.index || !strings.Contains(err.Error(), c.says):
				t.Fatalf("%v, record %d: %v\nwant %v, record %d, with %q", err.Kind, err.RecordIndex, err, c.kind, c.index, c.says)
			}
		})
	}
}

func TestSingle(t *testing.T) {
	b := sample(t, BuilderOptions{}, 2)
	if got, err := Single(b); err != nil || !bytes.Equal(got, b) {
		t.Errorf("one batch: %v", err)
	}
	old := bytes.Clone(b)
	old[atMagic] = 1
	for _, c := range []struct {
		name string
		in   []byte
		kind Kind
	}{
		{"null", nil, InvalidRecord},
		{"two", append(bytes.Clone(b), b...), InvalidRecord},
		{"one and a bit", append(bytes.Clone(b), 0), InvalidRecord},
		{"cut", b[:len(b)-1], Corrupt},
		{"magic 1", old, UnsupportedFormat},
	} {
		if _, err := Single(c.in); err == nil || err.Kind != c.kind {
			t.Errorf("%s: %v, want %v", c.name, err, c.kind)
		}
	}
}

func TestHeaderValidationTakesWhatItDoesNotOpen(t *testing.T) {
	b := compressed(Zstd, 5, []byte("not zstd"))
	r := defaults()
	if got, err := r.Prepare(b); err != nil || &got[0] != &b[0] {
		t.Fatalf("default validation opened a compressed batch: %v", err)
	}
	r.Full = true
	if _, err := r.Prepare(b); err == nil {
		t.Fatal("full validation did not")
	}
}

func TestWrongMaxTimestampIsRepaired(t *testing.T) {
	for _, o := range []BuilderOptions{{}, {Codec: Snappy}} {
		b := changed(t, o, func(b Batch) { b.setInt64(atMaxTimestamp, NoTimestamp) })
		r := defaults()
		got, err := r.Prepare(b)
		if err != nil || got.MaxTimestamp() != nowMs+4 || !got.CheckCRC() {
			t.Errorf("%v: %v, max timestamp %d", o.Codec, err, got.MaxTimestamp())
		}
	}
}

func TestRecordsWithoutTimestampPass(t *testing.T) {
	b := NewBuilder(BuilderOptions{})
	_ = b.Append(NoTimestamp, nil, nil)
	r := defaults()
	r.BeforeMaxMs = 1000
	if _, err := r.Prepare(b.Build()); err != nil {
		t.Error(err)
	}
}

func TestLogAppendTime(t *testing.T) {
	for _, compressionType := range []string{"producer", "lz4"} {
		r := defaults()
		r.LogAppendTime, r.Codec = true, compressionType
		r.BeforeMaxMs, r.AfterMaxMs = 0, 0 // limits are for the times of clients
		r.NowMs = nowMs - 5_000_000
		b, err := r.Prepare(sample(t, BuilderOptions{}, 9))
		if err != nil || !b.LogAppendTime() || b.MaxTimestamp() != r.NowMs || b.Check() != nil {
			t.Fatalf("%s: %v", compressionType, err)
		}
		for rec := range b.Records(nil) {
			if b.Timestamp(rec) != r.NowMs {
				t.Fatalf("%s: a record has time %d", compressionType, b.Timestamp(rec))
			}
		}
	}
}

func TestReencoding(t *testing.T) {
	for from := None; from <= Zstd; from++ {
		for to := None; to <= Zstd; to++ {
			for _, level := range []int{0, -1, 1, 9, 22} {
				b := sample(t, BuilderOptions{
					Codec: from, Idempotent: true, ProducerID: 7, ProducerEpoch: 1, BaseSequence: 3, Transactional: true,
				}, 500)
				want := records(t, b)
				r := defaults()
				r.Codec, r.Level = to.String(), level
				got, err := r.Prepare(b)
				if err != nil {
					t.Fatalf("%v to %v, level %d: %v", from, to, level, err)
				}
				if (from == to) != (&got[0] == &b[0]) {
					t.Errorf("%v to %v: copied where it need not, or not where it must", from, to)
				}
				if got.Codec() != to || got.Check() != nil || !got.Transactional() || got.LastSequence() != 502 {
					t.Errorf("%v to %v: the header is wrong", from, to)
				}
				same(t, want, records(t, got))
			}
		}
	}
}

func TestReencodingKeepsMaxBytes(t *testing.T) {
	r := defaults()
	for c := None; c <= LZ4; c++ {
		b := sample(t, BuilderOptions{Codec: Zstd}, 3000)
		r.MaxBytes, r.Codec = len(b), c.String()
		if _, err := r.Prepare(b); err == nil || err.Kind != TooLarge {
			t.Errorf("zstd to %v within zstd's size: %v", c, err)
		}
	}
}

func TestUnknownCompressionType(t *testing.T) {
	r := defaults()
	r.Codec = "brotli"
	if _, err := r.Prepare(sample(t, BuilderOptions{}, 1)); err == nil || err.Kind != UnsupportedCodec {
		t.Errorf("%v", err)
	}
}

func TestPlainPathDoesNotAllocate(t *testing.T) {
	for c := None; c <= Zstd; c++ {
		b := sample(t, BuilderOptions{Codec: c}, 100)
		r := defaults()
		if n := testing.AllocsPerRun(100, func() {
			b, err := Single(b)
			if err == nil {
				_, err = r.Prepare(b)
			}
			if err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v: header validation allocates %v times", c, n)
		}
	}
}

// One Rules serves all connections of a topic.
func TestRulesServeManyGoroutines(t *testing.T) {
	r := defaults()
	r.Full, r.Codec = true, "zstd"
	var wg sync.WaitGroup
	for c := None; c <= Zstd; c++ {
		wg.Go(func() {
			want := sample(t, BuilderOptions{Codec: c}, 300)
			for range 20 {
				b, err := r.Prepare(bytes.Clone(want))
				if err != nil || b.Count() != 300 || b.Check() != nil {
					t.Errorf("%v: %v", c, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
