package producer

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func batch(epoch int16, first, last int32, offset int64) Batch {
	n := int64(last) - int64(first)
	if n < 0 {
		n += math.MaxInt32 + 1
	}
	return Batch{ProducerID: 7, Epoch: epoch, FirstSeq: first, LastSeq: last, FirstOffset: offset, LastOffset: offset + n, TimestampMs: 1000 + offset}
}

func TestCheck(t *testing.T) {
	s := &State{}
	for i := range 7 {
		s.Update(batch(2, int32(i*10), int32(i*10+9), int64(100+i*10)), 5)
	}
	txn := batch(2, 70, 70, 0)
	txn.Transactional = true
	for _, c := range []struct {
		name  string
		b     Batch
		kind  Kind
		first int64
	}{
		{"unknown producer, any sequence", Batch{ProducerID: 8, FirstSeq: 55, LastSeq: 60}, Append, 0},
		{"next", batch(2, 70, 79, 0), Append, 0},
		{"gap", batch(2, 71, 79, 0), OutOfOrderSequence, 0},
		{"last again", batch(2, 60, 69, 0), Duplicate, 160},
		{"fifth last again", batch(2, 20, 29, 0), Duplicate, 120},
		{"sixth last again", batch(2, 10, 19, 0), OutOfOrderSequence, 0},
		{"part of a known batch", batch(2, 60, 65, 0), OutOfOrderSequence, 0},
		{"older epoch", batch(1, 70, 79, 0), InvalidEpoch, 0},
		{"newer epoch from zero", batch(3, 0, 9, 0), Append, 0},
		{"newer epoch, not from zero", batch(3, 70, 79, 0), OutOfOrderSequence, 0},
		{"begins a transaction", txn, Append, 0},
	} {
		if v := s.Check(c.b); v.Kind != c.kind || v.Kind == Duplicate && (v.FirstOffset != c.first || v.LastOffset != c.first+9 || v.TimestampMs != 1000+c.first) {
			t.Errorf("%s: %v %+v", c.name, v.Kind, v)
		}
	}
	if n := testing.AllocsPerRun(100, func() { s.Check(batch(2, 70, 79, 0)) }); n != 0 {
		t.Errorf("Check allocates %v times", n)
	}
	next := int32(70)
	if n := testing.AllocsPerRun(100, func() { s.Update(batch(2, next, next, 500), 9); next++ }); n != 0 {
		t.Errorf("Update allocates %v times", n)
	}
}

func TestSequenceWraps(t *testing.T) {
	s := &State{}
	s.Update(batch(0, math.MaxInt32-4, math.MaxInt32, 10), 0)
	if v := s.Check(batch(0, 0, 4, 0)); v.Kind != Append {
		t.Fatalf("after the last sequence: %+v", v)
	}
	s = &State{}
	s.Update(batch(0, math.MaxInt32-4, 5, 10), 0)
	if v := s.Check(batch(0, math.MaxInt32-4, 5, 0)); v.Kind != Duplicate || v.FirstOffset != 10 || v.LastOffset != 20 {
		t.Fatalf("a batch over the wrap again: %+v", v)
	}
	if v := s.Check(batch(0, 6, 6, 0)); v.Kind != Append {
		t.Fatalf("after the wrap: %+v", v)
	}
}

func TestTransactionsHoldTheStableOffset(t *testing.T) {
	s := &State{}
	begin := func(id, offset int64) {
		s.Update(Batch{ProducerID: id, FirstOffset: offset, LastOffset: offset, Transactional: true}, 0)
	}
	end := func(id, offset int64, abort bool) Completed {
		done, ok := s.UpdateMarker(Marker{ProducerID: id, Offset: offset, Abort: abort, CoordinatorEpoch: 3}, 0)
		if !ok {
			t.Fatalf("no transaction of %d", id)
		}
		return done
	}
	stable := func(highWatermark, want int64) {
		t.Helper()
		if at, ok := s.FirstUnstable(highWatermark); ok != (want >= 0) || ok && at != want {
			t.Fatalf("unstable from %d (%v), want %d", at, ok, want)
		}
	}
	begin(1, 10)
	begin(2, 11)
	begin(1, 12) // same transaction
	stable(13, 10)
	if v := s.Check(Batch{ProducerID: 1, FirstSeq: 1, LastSeq: 1}); v.Kind != InvalidTxnState {
		t.Fatalf("a plain batch in a transaction: %v", v.Kind)
	}
	if v := s.Check(Batch{ProducerID: 1, Epoch: 1, Transactional: true}); v.Kind != InvalidTxnState {
		t.Fatalf("a batch of a newer epoch in a transaction that has no marker yet: %v", v.Kind)
	}
	if !s.InTransaction(1, 0) || s.InTransaction(1, 1) || s.InTransaction(7, 0) {
		t.Fatal("who is in a transaction")
	}
	if v := s.CheckMarker(Marker{ProducerID: 1, Epoch: 0, CoordinatorEpoch: 3, Bumped: true}); v.Kind != InvalidEpoch {
		t.Fatalf("a late marker of the transaction before: %v", v.Kind)
	}
	if v := s.CheckMarker(Marker{ProducerID: 1, Epoch: 1, CoordinatorEpoch: 3, Bumped: true}); v.Kind != Append {
		t.Fatalf("a marker that raises the epoch: %v", v.Kind)
	}
	if d := end(1, 13, true); d != (Completed{1, 10, 13, 11, true}) {
		t.Fatalf("%+v", d)
	}
	stable(13, 10) // the marker is not below the high watermark
	stable(14, 11)
	if d := end(2, 14, false); d != (Completed{2, 11, 14, 15, false}) {
		t.Fatalf("%+v", d)
	}
	stable(15, -1)
	if v := s.CheckMarker(Marker{ProducerID: 1, CoordinatorEpoch: 2}); v.Kind != CoordinatorFenced {
		t.Fatalf("an old coordinator: %v", v.Kind)
	}
	if v := s.CheckMarker(Marker{ProducerID: 1, Epoch: -1, CoordinatorEpoch: 3}); v.Kind != InvalidEpoch {
		t.Fatalf("an old producer epoch: %v", v.Kind)
	}
	if _, ok := s.UpdateMarker(Marker{ProducerID: 1, Epoch: 1, CoordinatorEpoch: 3, Offset: 20}, 0); ok {
		t.Fatal("a marker without a transaction ended one")
	}
	if v := s.Check(Batch{ProducerID: 1, Epoch: 1, FirstSeq: 0}); v.Kind != Append {
		t.Fatalf("after a marker that raised the epoch: %v", v.Kind)
	}
}

func TestExpire(t *testing.T) {
	s := &State{}
	s.Update(Batch{ProducerID: 1, TimestampMs: 1 << 50}, 100) // its own clock is of no account
	s.Update(Batch{ProducerID: 2, Transactional: true}, 100)
	s.Update(Batch{ProducerID: 3}, 150)
	if n := s.Expire(199, 100); n != 0 {
		t.Fatalf("%d expired early", n)
	}
	if n := s.Expire(200, 100); n != 1 || s.Len() != 2 {
		t.Fatalf("%d expired, %d left", n, s.Len())
	}
	if n := s.Expire(1000, 100); n != 1 || s.Len() != 1 {
		t.Fatalf("an open transaction expired: %d left", s.Len())
	}
}

// TestRestore runs random histories: a state restored from its entries answers like the one that lived through it.
func TestRestore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &State{}
		seqs, offset := map[int64]int32{}, int64(0)
		for i := range rapid.IntRange(1, 60).Draw(t, "n") {
			id := rapid.Int64Range(1, 4).Draw(t, "id")
			if rapid.IntRange(0, 5).Draw(t, "marker") == 0 {
				s.UpdateMarker(Marker{ProducerID: id, Epoch: 1, CoordinatorEpoch: 1, Offset: offset, TimestampMs: int64(i)}, int64(i))
				offset++
				continue
			}
			n := rapid.Int32Range(1, 5).Draw(t, "count")
			b := Batch{ProducerID: id, Epoch: 1, FirstSeq: seqs[id], LastSeq: seqs[id] + n - 1, FirstOffset: offset, LastOffset: offset + int64(n) - 1, TimestampMs: int64(i), Transactional: id > 2}
			s.Update(b, int64(i))
			seqs[id] += n
			offset += int64(n)
		}
		r := &State{}
		r.Restore(s.Entries())
		if diff := cmp.Diff(s.Entries(), r.Entries(), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		if a, ok := s.FirstUndecided(); true {
			if b, ok2 := r.FirstUndecided(); a != b || ok != ok2 {
				t.Fatalf("undecided from %d %v, restored %d %v", a, ok, b, ok2)
			}
		}
		for _, e := range s.Entries() {
			for _, m := range e.Batches {
				b := Batch{ProducerID: e.ProducerID, Epoch: e.Epoch, FirstSeq: m.FirstSeq(), LastSeq: m.LastSeq}
				if v := r.Check(b); v.Kind != Duplicate || v.LastOffset != m.LastOffset {
					t.Fatalf("%+v: %v", b, v)
				}
			}
		}
		ids := []int64{}
		for _, e := range s.Entries() {
			ids = append(ids, e.ProducerID)
		}
		if !slices.IsSorted(ids) {
			t.Fatal(fmt.Sprint(ids))
		}
	})
}
