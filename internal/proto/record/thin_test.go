package record

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// stamped is a record with its own offset and timestamp, wherever they count from.
type stamped struct {
	Offset, Ms int64
	Record     Record
}

func stampedRecords(t testing.TB, b Batch) (out []stamped) {
	t.Helper()
	for r, err := range b.Records(nil) {
		if err != nil {
			t.Fatal(err)
		}
		s := stamped{b.BaseOffset() + int64(r.OffsetDelta), b.Timestamp(r), r.Clone()}
		s.Record.TimestampDelta = 0 // counts from the base, which a horizon moves
		out = append(out, s)
	}
	return out
}

func TestThinKeepsWhatItKeeps(t *testing.T) {
	thinner := NewThinner(0)
	rapid.Check(t, func(rt *rapid.T) {
		o := BuilderOptions{Codec: Codec(rapid.IntRange(0, 4).Draw(rt, "codec")), Idempotent: true, ProducerID: 5, ProducerEpoch: 2, BaseSequence: 77, Transactional: rapid.Bool().Draw(rt, "txn")}
		builder, n := NewBuilder(o), rapid.IntRange(1, 30).Draw(rt, "n")
		tombstones := make([]bool, n)
		for i := range n {
			tombstones[i] = rapid.Bool().Draw(rt, "tombstone")
			value := []byte(nil)
			if !tombstones[i] {
				value = rapid.SliceOfN(rapid.Byte(), 0, 90).Draw(rt, "value")
				value = append([]byte{}, value...)
			}
			if err := builder.Append(nowMs+rapid.Int64Range(-1e6, 1e6).Draw(rt, "ms"), []byte{byte(i)}, value, Header{[]byte("h"), value}); err != nil {
				t.Fatal(err)
			}
		}
		b := builder.Build()
		b.SetBaseOffset(1000)
		b.SetLeaderEpoch(9)
		if rapid.Bool().Draw(rt, "append time") {
			b.SetLogAppendTime(nowMs + 5)
		}
		all, horizon := stampedRecords(t, b), nowMs+rapid.Int64Range(0, 1e9).Draw(rt, "horizon")
		for range 2 { // what was thinned is thinned again
			keep := map[int64]bool{}
			for _, s := range all {
				keep[s.Offset] = rapid.IntRange(0, 3).Draw(rt, "keep") > 0
			}
			want := slices.DeleteFunc(slices.Clone(all), func(s stamped) bool { return !keep[s.Offset] })
			out, err := thinner.Thin(b, horizon, func(r Record) bool { return keep[1000+int64(r.OffsetDelta)] })
			if err != nil {
				t.Fatal(err)
			}
			if len(want) == 0 {
				if out != nil {
					t.Fatalf("%d records where none is kept", out.Count())
				}
				return
			}
			if diff := cmp.Diff(want, stampedRecords(t, out)); diff != "" {
				t.Fatal(diff)
			}
			tombstone := slices.ContainsFunc(want, func(s stamped) bool { return s.Record.Value == nil })
			if ms, marked := out.HorizonMs(); marked != (tombstone || b.DeleteHorizon()) || marked && ms != horizon {
				t.Fatalf("horizon %v at %d, with a tombstone: %v, asked for %d", marked, ms, tombstone, horizon)
			}
			if err := out.Check(); err != nil || out.LastOffset() != b.LastOffset() || out.BaseOffset() != 1000 || out.LeaderEpoch() != 9 || out.ProducerID() != 5 ||
				out.ProducerEpoch() != 2 || out.BaseSequence() != 77 || out.LastSequence() != b.LastSequence() || out.Transactional() != b.Transactional() ||
				out.Codec() != b.Codec() || out.LogAppendTime() != b.LogAppendTime() || int(out.Count()) != len(want) {
				t.Fatalf("%v: the header is %x, was %x", err, out[:HeaderSize], b[:HeaderSize])
			}
			b, all = append(Batch(nil), out...), want
		}
	})
}

func TestEmptied(t *testing.T) {
	b := sample(t, BuilderOptions{Codec: Gzip, Idempotent: true, ProducerID: 3, BaseSequence: 8}, 20)
	b.SetBaseOffset(40)
	e := b.Emptied()
	if err := e.Check(); err != nil || len(e) != HeaderSize || e.LastOffset() != b.LastOffset() || e.LastSequence() != b.LastSequence() || e.Codec() != None ||
		e.MaxTimestamp() != b.MaxTimestamp() || e.Count() != 0 || len(stampedRecords(t, e)) != 0 {
		t.Fatalf("%v: %x", err, []byte(e))
	}
}

func TestMarkerWithHorizon(t *testing.T) {
	m := Marker{Commit: true, ProducerID: 4, ProducerEpoch: 1, CoordinatorEpoch: 6, TimestampMs: nowMs}
	out, err := NewThinner(0).WithHorizon(m.Batch(), nowMs+1000)
	if err != nil || out.Check() != nil {
		t.Fatal(err)
	}
	got, ok := out.Marker()
	if ms, marked := out.HorizonMs(); !ok || got != m || !marked || ms != nowMs+1000 {
		t.Fatalf("%+v, horizon %d %v", got, ms, marked)
	}
}

func FuzzThin(f *testing.F) {
	seeds(f, func(b Batch) { f.Add([]byte(b), uint64(0x5555)) })
	thinner := NewThinner(fuzzLimit)
	f.Fuzz(func(t *testing.T, in []byte, mask uint64) {
		b, _, err := Next(in)
		if err != nil {
			return
		}
		n := 0
		out, err := thinner.Thin(b, nowMs, func(Record) bool { n++; return mask>>(n%64)&1 == 1 })
		if err != nil || out == nil {
			return
		}
		if out.LastOffset() != b.LastOffset() || &out[0] != &b[0] && !out.CheckCRC() {
			t.Fatalf("%x became %x", []byte(b), []byte(out))
		}
		for _, err := range out.Records(&Decompressor{Max: 4 * fuzzLimit}) {
			if err != nil {
				t.Fatalf("%x became %x, which cannot be read: %v", []byte(b), []byte(out), err)
			}
		}
		if _, err := thinner.WithHorizon(append(Batch(nil), out...), nowMs); err != nil {
			t.Fatal(err)
		}
	})
}
