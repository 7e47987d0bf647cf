package partition

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"

	"pgregory.net/rapid"
)

// TestReadersOfCommittedRecords: producers begin, write and end transactions over each other, others write outside of any.
// A reader that starts anywhere and takes little at a time, and leaves out what the lists of aborted transactions tell it
// to, sees exactly the records that were committed or written outside, and nothing behind the first that is undecided;
// also after a restart.
func TestReadersOfCommittedRecords(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fsys := vfs.NewMem()
		h := open(t, fsys, 1, "segment.bytes=1048576")
		w := &stableWorld{h: h, t: t, open: map[int64]int64{}, epoch: map[int64]int16{}, sequence: map[int64]int32{}, fate: map[int64]*[]int64{}}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			w.step(rt)
			if rapid.IntRange(0, 9).Draw(rt, "look") == 0 {
				w.look(rt)
			}
		}
		if rapid.Bool().Draw(rt, "restart") {
			if err := h.Manager.Stop(); err != nil {
				t.Fatal(err)
			}
			if err := h.start(fsys, "second boot"); err != nil {
				t.Fatal(err)
			}
		}
		w.look(rt)
		if err := h.Manager.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

type stableWorld struct {
	h        *house
	t        *testing.T
	open     map[int64]int64 // first offset of what a producer has open
	epoch    map[int64]int16
	sequence map[int64]int32
	fate     map[int64]*[]int64 // offsets of what a producer has open
	seen     []int64            // offsets of what readers are to see, in any order
}

func (w *stableWorld) step(rt *rapid.T) {
	id := rapid.Int64Range(0, 3).Draw(rt, "producer")
	_, open := w.open[id]
	switch what := rapid.IntRange(0, 5).Draw(rt, "what"); {
	case id == 0:
		w.seen = append(w.seen, w.append(record.BuilderOptions{}, nil))
	case open && what < 2:
		w.end(id, what == 0)
	default:
		o := record.BuilderOptions{Idempotent: true, Transactional: true, ProducerID: id, ProducerEpoch: w.epoch[id], BaseSequence: w.sequence[id]}
		w.sequence[id]++
		if !open {
			w.fate[id] = &[]int64{}
		}
		at := w.append(o, func(b record.Batch) func() {
			c := w.h.part(0).ClaimFor(b, false)
			if (c == nil) != open {
				w.t.Fatal("a claim is wanted where a transaction begins, and only there")
			}
			if c == nil {
				return func() {}
			}
			c.Grant()
			return c.Release
		})
		*w.fate[id] = append(*w.fate[id], at)
		if !open {
			w.open[id] = at
		}
	}
}

func (w *stableWorld) append(o record.BuilderOptions, before func(record.Batch) func()) int64 {
	b := record.NewBuilder(o)
	if err := b.Append(time.Now().UnixMilli(), nil, fmt.Append(nil, w.h.part(0).LogEnd())); err != nil {
		w.t.Fatal(err)
	}
	batch := b.Build()
	if before != nil {
		defer before(batch)()
	}
	var c Commit
	var r wire.ProducePartitionResult
	c.Begin(1)
	w.h.part(0).Append(batch, AcksAll, time.Now(), &c, &r)
	w.wait(&c)
	if r.Code != wire.None {
		w.t.Fatalf("append: %v %s", r.Code, r.ErrorMessage)
	}
	return r.BaseOffset
}

func (w *stableWorld) wait(c *Commit) {
	if !c.Seal() {
		c.Wait(10 * time.Second)
	}
}

func (w *stableWorld) end(id int64, commit bool) {
	w.epoch[id]++
	w.sequence[id] = 0
	var c Commit
	var r wire.ProducePartitionResult
	c.Begin(1)
	w.h.part(0).AppendMarker(record.Marker{Commit: commit, ProducerID: id, ProducerEpoch: w.epoch[id]}, true, time.Now(), &c, &r)
	w.wait(&c)
	if r.Code != wire.None {
		w.t.Fatalf("marker: %v %s", r.Code, r.ErrorMessage)
	}
	if commit {
		w.seen = append(w.seen, *w.fate[id]...)
	}
	delete(w.open, id)
	delete(w.fate, id)
}

// look reads as a client does, from any offset on.
func (w *stableWorld) look(rt *rapid.T) {
	p := w.h.part(0)
	stable := p.HighWatermark()
	for _, first := range slices.Collect(maps.Values(w.open)) {
		stable = min(stable, first)
	}
	if p.LastStable() != stable {
		w.t.Fatalf("the last stable offset is %d, want %d", p.LastStable(), stable)
	}
	from := rapid.Int64Range(0, p.LogEnd()).Draw(rt, "from")
	var got, want []int64
	for at := from; at < stable; {
		r := p.Read(ReadRequest{Offset: at, CurrentEpoch: -1, MaxBytes: rapid.IntRange(1, 400).Draw(rt, "bytes"), AtLeastOne: true, ReadCommitted: true})
		if r.Code != wire.None || r.Span.Len == 0 {
			w.t.Fatalf("nothing at %d of %d: %v", at, stable, r.Code)
		}
		buf := make([]byte, r.Span.Len)
		if err := r.Span.ReadAt(buf); err != nil {
			w.t.Fatal(err)
		}
		seen, next := w.filter(r, buf, at)
		got, at = append(got, seen...), next
	}
	for _, at := range w.seen {
		if at >= from && at < stable {
			want = append(want, at)
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Fatalf("from %d: seen %v, want %v", from, got, want)
	}
}

// filter leaves out what is aborted, as Kafka's consumer does: it walks the list along with the batches, which takes it to
// be sorted by first offset, and lets a producer go at its ABORT marker.
func (w *stableWorld) filter(r Reading, buf []byte, from int64) (seen []int64, next int64) {
	aborted := r.Aborted
	out := map[int64]bool{}
	for rest := buf; len(rest) > 0; {
		var b record.Batch
		var err error
		if b, rest, err = record.Next(rest); err != nil {
			w.t.Fatal(err)
		}
		for len(aborted) > 0 && aborted[0].FirstOffset <= b.LastOffset() {
			out[aborted[0].ProducerID] = true
			aborted = aborted[1:]
		}
		next = b.LastOffset() + 1
		m, marker := b.Marker()
		switch {
		case marker && !m.Commit:
			delete(out, b.ProducerID())
		case marker, b.Transactional() && out[b.ProducerID()], b.BaseOffset() < from:
		default:
			seen = append(seen, b.BaseOffset())
		}
	}
	return seen, next
}
