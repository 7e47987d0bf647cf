package record

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// golden reads a batch that Apache Kafka 4.3.1's own classes wrote (testdata/java/Golden.java).
func golden(t testing.TB, name string) Batch {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "java", name))
	if err != nil {
		t.Fatal(err)
	}
	b, rest, err := Next(raw)
	if err != nil || len(rest) > 0 {
		t.Fatalf("%s: %v, %d bytes left", name, err, len(rest))
	}
	return b
}

// javaSample builds what Golden.java builds.
func javaSample(t testing.TB, o BuilderOptions, n int) Batch {
	t.Helper()
	b := NewBuilder(o)
	optional := func(null bool, format string, args ...any) []byte {
		if null {
			return nil
		}
		return fmt.Appendf(nil, format, args...)
	}
	for i := range n {
		var headers []Header
		for h := range i % 3 {
			headers = append(headers, Header{fmt.Appendf(nil, "h%d", h), optional(h == 1, "v%d", i)})
		}
		ms := int64(nowMs - 10*i)
		if i%2 == 0 {
			ms = int64(nowMs + 10*i)
		}
		key, value := optional(i%4 == 3, "key-%d", i), optional(i%5 == 4, "value-%d%s", i, strings.Repeat("-é", i))
		if err := b.Append(ms, key, value, headers...); err != nil {
			t.Fatal(err)
		}
	}
	return b.Build()
}

func TestJavaBatchesAreReadAndAccepted(t *testing.T) {
	want := records(t, javaSample(t, BuilderOptions{}, 40))
	for name, codec := range map[string]Codec{
		"none.bin": None, "gzip.bin": Gzip, "snappy.bin": Snappy, "lz4.bin": LZ4, "lz4-17.bin": LZ4,
		"zstd.bin": Zstd, "zstd-22.bin": Zstd, // level 22 announces a window of 128 MiB
	} {
		b := golden(t, name)
		if b.Codec() != codec || b.Count() != 40 || b.MaxTimestamp() != nowMs+380 || b.BaseTimestamp() != nowMs {
			t.Errorf("%s: codec %v, %d records, timestamps %d to %d", name, b.Codec(), b.Count(), b.BaseTimestamp(), b.MaxTimestamp())
		}
		same(t, want, records(t, b))
		r := defaults()
		r.Full = true
		if got, err := r.Prepare(b); err != nil || &got[0] != &b[0] {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPlainBatchesAreJavasByteForByte(t *testing.T) {
	for name, got := range map[string]Batch{
		"none.bin": javaSample(t, BuilderOptions{}, 40),
		"txn.bin": javaSample(t, BuilderOptions{
			Idempotent: true, ProducerID: 4711, ProducerEpoch: 3, BaseSequence: 2147483646, Transactional: true,
		}, 3),
		"commit.bin": Marker{Commit: true, ProducerID: 4711, ProducerEpoch: 3, CoordinatorEpoch: 12, TimestampMs: nowMs}.Batch(),
		"abort.bin":  Marker{ProducerID: 4711, ProducerEpoch: 3, CoordinatorEpoch: 12, TimestampMs: nowMs}.Batch(),
	} {
		if want := golden(t, name); !bytes.Equal(want, got) {
			t.Errorf("%s:\nJava  %x\nours  %x", name, []byte(want), []byte(got))
		}
	}
}

func TestJavaMarkersAreRead(t *testing.T) {
	for name, commit := range map[string]bool{"commit.bin": true, "abort.bin": false} {
		want := Marker{Commit: commit, ProducerID: 4711, ProducerEpoch: 3, CoordinatorEpoch: 12, TimestampMs: nowMs}
		if got, ok := golden(t, name).Marker(); !ok || got != want {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
}

// franz-go is the other Go implementation: what its codecs write we read, and the other way round.
func TestFranzCodecs(t *testing.T) {
	theirs := kgo.DefaultDecompressor()
	for codec, c := range map[Codec]kgo.CompressionCodec{
		Gzip: kgo.GzipCompression(), Snappy: kgo.SnappyCompression(), LZ4: kgo.Lz4Compression(), Zstd: kgo.ZstdCompression(),
	} {
		plain := sample(t, BuilderOptions{}, 2000)
		compressor, err := kgo.DefaultCompressor(c)
		if err != nil {
			t.Fatal(err)
		}
		payload, used := compressor.Compress(new(bytes.Buffer), plain.Payload())
		if Codec(used) != codec {
			t.Fatalf("franz-go used %d for %v", used, codec)
		}
		got, err := new(Decompressor).Payload(compressed(codec, 2000, payload))
		if err != nil || !bytes.Equal(got, plain.Payload()) {
			t.Errorf("%v of franz-go: %v", codec, err)
		}
		ours := sample(t, BuilderOptions{Codec: codec}, 2000)
		got, err = theirs.Decompress(ours.Payload(), kgo.CompressionCodecType(codec))
		if err != nil || !bytes.Equal(got, plain.Payload()) {
			t.Errorf("franz-go of our %v: %v", codec, err)
		}
	}
}

func TestFranzMessageAgrees(t *testing.T) {
	b := sample(t, BuilderOptions{Idempotent: true, ProducerID: 5, ProducerEpoch: 2, BaseSequence: 8, Transactional: true}, 9)
	b.SetBaseOffset(77)
	b.SetLeaderEpoch(4)
	var m kmsg.RecordBatch
	if err := m.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
	if m.FirstOffset != b.BaseOffset() || m.PartitionLeaderEpoch != b.LeaderEpoch() || uint32(m.CRC) != b.CRC() ||
		m.Attributes != b.Attributes() || m.LastOffsetDelta != b.LastOffsetDelta() || m.FirstTimestamp != b.BaseTimestamp() ||
		m.MaxTimestamp != b.MaxTimestamp() || m.ProducerID != b.ProducerID() || m.ProducerEpoch != b.ProducerEpoch() ||
		m.FirstSequence != b.BaseSequence() || m.NumRecords != b.Count() || !bytes.Equal(m.Records, b.Payload()) {
		t.Errorf("kmsg reads the header differently: %+v", m)
	}
	rest := m.Records
	for r := range b.Records(nil) {
		var theirs kmsg.Record
		if err := theirs.ReadFrom(rest); err != nil {
			t.Fatal(err)
		}
		if theirs.OffsetDelta != r.OffsetDelta || theirs.TimestampDelta64 != r.TimestampDelta ||
			!bytes.Equal(theirs.Key, r.Key) || !bytes.Equal(theirs.Value, r.Value) || len(theirs.Headers) != len(r.Headers) {
			t.Errorf("kmsg reads record %d differently: %+v", r.OffsetDelta, theirs)
		}
		rest = rest[recordSize(r):]
	}
}
