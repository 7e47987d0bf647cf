package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const nowMs = 1_700_000_000_000

// sample builds a batch of n records with keys, values, headers and nulls.
func sample(t testing.TB, o BuilderOptions, n int) Batch {
	t.Helper()
	b := NewBuilder(o)
	for i := range n {
		var key []byte
		if i%4 != 3 {
			key = []byte{'k', byte(i)}
		}
		value := bytes.Repeat([]byte{byte(i), 'v'}, i%50)
		if err := b.Append(nowMs+int64(i%7), key, value, Header{[]byte("h"), nil}, Header{[]byte{}, value}); err != nil {
			t.Fatal(err)
		}
	}
	return b.Build()
}

// records collects the records of b, copied.
func records(t testing.TB, b Batch) []Record {
	t.Helper()
	var all []Record
	for r, err := range b.Records(nil) {
		if err != nil {
			t.Fatalf("record %d: %v", len(all), err)
		}
		all = append(all, r.Clone())
	}
	return all
}

// same wants equal records, null distinct from empty.
func same(t interface {
	Helper()
	Fatalf(string, ...any)
}, want, got []Record,
) {
	t.Helper()
	if !reflect.DeepEqual(want, got) { // cmp is slow on so many small slices
		t.Fatalf("records differ (-want +got):\n%s", cmp.Diff(want, got))
	}
}

func TestNextTakesWholeBatches(t *testing.T) {
	first, second := sample(t, BuilderOptions{}, 3), sample(t, BuilderOptions{Codec: Zstd}, 5)
	log := append(append([]byte{}, first...), second...)
	b, rest, err := Next(log)
	if err != nil || !bytes.Equal(b, first) {
		t.Fatalf("first: %v, %d bytes", err, len(b))
	}
	if b, rest, err = Next(rest); err != nil || !bytes.Equal(b, second) || len(rest) != 0 {
		t.Fatalf("second: %v, %d bytes, %d left", err, len(b), len(rest))
	}
	for cut := range first {
		if _, _, err := Next(first[:cut]); !errors.Is(err, ErrShort) {
			t.Fatalf("cut at %d: %v, want ErrShort", cut, err)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _, _, _ = Next(log) }); n != 0 {
		t.Errorf("Next allocates %v times", n)
	}
}

func TestNextRefuses(t *testing.T) {
	length := func(n int32) []byte {
		b := sample(t, BuilderOptions{}, 1)
		binary.BigEndian.PutUint32(b[atLength:], uint32(n))
		return b
	}
	magicOf := func(m int8) []byte {
		b := sample(t, BuilderOptions{}, 1)
		b[atMagic] = byte(m)
		return b
	}
	for _, c := range []struct {
		name  string
		bytes []byte
		want  error
	}{
		{"nothing", nil, ErrShort},
		{"prepared space", make([]byte, 4096), ErrLength},
		{"length negative", length(-1), ErrLength},
		{"length least", length(math.MinInt32), ErrLength},
		{"length below a header", length(HeaderSize - prefixSize - 1), ErrLength},
		{"length above an int32 with its prefix", length(math.MaxInt32), ErrLength},
		{"length of 2 GB", length(math.MaxInt32 - prefixSize), ErrShort},
		{"magic 0", magicOf(0), MagicError(0)},
		{"magic 1", magicOf(1), MagicError(1)},
		{"magic 3", magicOf(3), MagicError(3)},
		{"magic -1", magicOf(-1), MagicError(-1)},
	} {
		if _, rest, err := Next(c.bytes); err != c.want || len(rest) != len(c.bytes) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestOffsetAndEpochAreOutsideTheChecksum(t *testing.T) {
	b := sample(t, BuilderOptions{}, 3)
	b.SetBaseOffset(1 << 40)
	b.SetLeaderEpoch(7)
	if err := b.Check(); err != nil || b.BaseOffset() != 1<<40 || b.LeaderEpoch() != 7 || b.NextOffset() != 1<<40+3 {
		t.Errorf("%v: offset %d, epoch %d, next %d", err, b.BaseOffset(), b.LeaderEpoch(), b.NextOffset())
	}
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	b := sample(t, BuilderOptions{Codec: LZ4}, 3)
	for bit := atCRC * 8; bit < len(b)*8; bit++ {
		b[bit/8] ^= 1 << (bit % 8)
		if b.CheckCRC() {
			t.Fatalf("bit %d flipped and not found", bit)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
}

func TestCheckRefusesOffsetsThatCannotBe(t *testing.T) {
	for name, change := range map[string]func(Batch){
		"base offset negative":       func(b Batch) { b.SetBaseOffset(-1) },
		"last offset delta negative": func(b Batch) { b.setInt32(atLastOffsetDelta, -1) },
		"next offset overflows":      func(b Batch) { b.SetBaseOffset(math.MaxInt64 - 1) },
		"count negative":             func(b Batch) { b.setInt32(atCount, -1) },
	} {
		b := sample(t, BuilderOptions{}, 3)
		change(b)
		b.seal()
		var e *Error
		if err := b.Check(); !errors.As(err, &e) || e.Kind != Corrupt {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSequencesWrapAround(t *testing.T) {
	b := NewBuilder(BuilderOptions{Idempotent: true, ProducerID: 9, BaseSequence: math.MaxInt32 - 1})
	for range 3 {
		if err := b.Append(1, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	batch := b.Build()
	if first, last := batch.BaseSequence(), batch.LastSequence(); first != math.MaxInt32-1 || last != 0 {
		t.Errorf("sequences %d to %d", first, last)
	}
	_ = b.Append(1, nil, nil)
	if batch = b.Build(); batch.BaseSequence() != 1 || batch.LastSequence() != 1 {
		t.Errorf("the next batch has sequence %d", batch.BaseSequence())
	}
}

func TestMarkers(t *testing.T) {
	for _, want := range []Marker{
		{Commit: true, ProducerID: 5, ProducerEpoch: 2, CoordinatorEpoch: 9, TimestampMs: nowMs},
		{Commit: false, ProducerID: math.MaxInt64, ProducerEpoch: math.MaxInt16, CoordinatorEpoch: 0, TimestampMs: 0},
	} {
		b := want.Batch()
		if err := b.Check(); err != nil {
			t.Fatal(err)
		}
		if got, ok := b.Marker(); !ok || got != want || !b.Control() || !b.Transactional() {
			t.Errorf("%+v came back as %+v, %v", want, got, ok)
		}
	}
	leaderChange := Marker{Commit: true}.Batch()
	leaderChange[HeaderSize+5+3] = 2 // the key's type
	if _, ok := leaderChange.Marker(); ok {
		t.Error("a control batch of another type is no marker")
	}
	if _, ok := sample(t, BuilderOptions{}, 1).Marker(); ok {
		t.Error("a batch of records is no marker")
	}
}

func TestBuilderKeepsItsBound(t *testing.T) {
	b := NewBuilder(BuilderOptions{MaxBytes: 200})
	var e *Error
	if err := b.Append(1, nil, make([]byte, 200)); !errors.As(err, &e) || e.Kind != TooLarge {
		t.Fatalf("a record larger than any batch: %v", err)
	}
	if b.Build() != nil {
		t.Fatal("a builder without records made a batch")
	}
	for b.Append(1, nil, make([]byte, 20)) == nil {
	}
	if err := b.Append(1, nil, make([]byte, 20)); !errors.Is(err, ErrFull) {
		t.Fatalf("full: %v", err)
	}
	size, count := b.Size(), b.Count()
	if batch := b.Build(); len(batch) != size || len(batch) > 200 || int(batch.Count()) != count {
		t.Fatalf("built %d bytes, %d records; announced %d, %d", len(batch), batch.Count(), size, count)
	}
}
