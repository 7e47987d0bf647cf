package crash

import (
	"fmt"
	"time"

	"holdfast/internal/host/partition"
	"holdfast/internal/proto/wire"
)

// workload is what clients do to a running node. It is short, because each operation of the disk in it is a place to
// crash at; a recording has several lives, so what it does must make sense again.
type workload struct {
	name string
	run  func(w *world, b *box) error
}

// workloads cover what the storage can do to a disk.
var workloads = []workload{
	{"rolling by size", rollBySize},
	{"rolling by time, idempotent producers", rollByTime},
	{"retention", retention},
	{"DeleteRecords", deleteRecords},
	{"a name deleted and made anew", sameName},
	{"few files in one sync", func(w *world, b *box) error { return together(w, b, 3) }},
	{"many files in one sync", func(w *world, b *box) error { return together(w, b, 9) }},
	{"unsynced topics", unsynced},
	{"metadata and its snapshots", metadata},
	{"clean stop", cleanStop},
}

// pass lets time go by: that of the bubble.
func pass(d time.Duration) { time.Sleep(d) } // sleep: fake time

// ensure makes a topic unless an earlier life did.
func (w *world) ensure(b *box, name string, partitions int, settings map[string]string) error {
	if w.topics[name] != nil {
		return nil
	}
	return w.create(b, name, partitions, settings)
}

func rollBySize(w *world, b *box) error {
	if err := w.ensure(b, "sized", 1, map[string]string{"segment.bytes": "1048576"}); err != nil {
		return err
	}
	for range 6 {
		n := plan{topic: "sized", count: 1 + w.rand.IntN(3), size: 60_000 + w.rand.IntN(100_000)}
		if err := w.mustProduce(b, w.acks(), n); err != nil {
			return err
		}
		if w.rand.IntN(3) == 0 {
			b.pass(time.Second)
		}
	}
	return nil
}

// acks is all, mostly.
func (w *world) acks() partition.Acks {
	if w.rand.IntN(4) == 0 {
		return partition.AcksLeader
	}
	return partition.AcksAll
}

func rollByTime(w *world, b *box) error {
	if err := w.ensure(b, "timed", 2, map[string]string{"segment.ms": "1000", "index.interval.bytes": "100"}); err != nil {
		return err
	}
	for range 12 {
		n := plan{topic: "timed", index: int32(w.rand.IntN(2)), count: 1 + w.rand.IntN(3), size: 40, producer: int64(w.rand.IntN(3))}
		acks := partition.AcksAll
		if w.rand.IntN(2) == 0 { // unsynced when the segment rolls
			acks = partition.AcksLeader
		}
		if err := w.mustProduce(b, acks, n); err != nil {
			return err
		}
		if w.rand.IntN(4) == 0 {
			b.pass(time.Duration(700+w.rand.IntN(700)) * time.Millisecond)
		}
	}
	return nil
}

func retention(w *world, b *box) error {
	settings := map[string]string{"segment.ms": "500", "retention.ms": "20000", "file.delete.delay.ms": "1000"}
	if err := w.ensure(b, "short-lived", 1, settings); err != nil {
		return err
	}
	for i := range 8 {
		n := plan{topic: "short-lived", count: 1 + w.rand.IntN(2), size: 30, producer: int64(w.rand.IntN(3))}
		if err := w.mustProduce(b, partition.AcksAll, n); err != nil {
			return err
		}
		if i == 3 || i == 6 {
			b.pass(time.Duration(15+w.rand.IntN(15)) * time.Second)
		} else {
			b.pass(400 * time.Millisecond)
		}
	}
	b.pass(12 * time.Second)
	return nil
}

func deleteRecords(w *world, b *box) error {
	if err := w.ensure(b, "trimmed", 2, map[string]string{"segment.ms": "500", "file.delete.delay.ms": "1000"}); err != nil {
		return err
	}
	for range 9 {
		index := int32(w.rand.IntN(2))
		if err := w.mustProduce(b, partition.AcksAll, plan{topic: "trimmed", index: index, count: 3, size: 30, producer: 1}); err != nil {
			return err
		}
		p := b.partition(w.topics["trimmed"].id, index)
		switch w.rand.IntN(4) {
		case 0: // up to the high watermark: all of it
			if err := w.deleteRecords(b, "trimmed", index, p.HighWatermark()); err != nil {
				return err
			}
		case 1:
			from := p.LogStart() + w.rand.Int64N(p.HighWatermark()-p.LogStart()+1)
			if err := w.deleteRecords(b, "trimmed", index, from); err != nil {
				return err
			}
		case 2:
			b.pass(time.Duration(w.rand.IntN(25)) * time.Second)
		}
		b.pass(300 * time.Millisecond)
	}
	return nil
}

func sameName(w *world, b *box) error {
	for range 3 {
		if err := w.ensure(b, "again", 2, map[string]string{"segment.ms": "500"}); err != nil {
			return err
		}
		for range 1 + w.rand.IntN(3) {
			n := plan{topic: "again", index: int32(w.rand.IntN(2)), count: 1 + w.rand.IntN(4), size: 30, producer: 1}
			if err := w.mustProduce(b, w.acks(), n); err != nil {
				return err
			}
		}
		if w.rand.IntN(2) == 0 {
			if err := w.deleteRecords(b, "again", 0, b.partition(w.topics["again"].id, 0).HighWatermark()); err != nil {
				return err
			}
		}
		if w.rand.IntN(2) == 0 {
			b.pass(time.Second)
		}
		if err := w.remove(b, "again"); err != nil {
			return err
		}
	}
	return w.ensure(b, "again", 2, nil)
}

// together has one request write to every partition, so that they share syncs.
func together(w *world, b *box, partitions int) error {
	name := fmt.Sprintf("wide-%d", partitions)
	if err := w.ensure(b, name, partitions, nil); err != nil {
		return err
	}
	for range 5 {
		var plans []plan
		for i := range partitions {
			if w.rand.IntN(6) > 0 {
				plans = append(plans, plan{topic: name, index: int32(i), count: 1 + w.rand.IntN(2), size: 20})
			}
		}
		if err := w.mustProduce(b, partition.AcksAll, plans...); err != nil {
			return err
		}
		if w.rand.IntN(3) == 0 {
			b.pass(time.Second)
		}
	}
	return nil
}

func unsynced(w *world, b *box) error {
	if err := w.ensure(b, "fast", 1, map[string]string{"commit.sync": "false", "segment.ms": "500"}); err != nil {
		return err
	}
	if err := w.ensure(b, "flushed", 1, map[string]string{"commit.sync": "false", "flush.messages": "1"}); err != nil {
		return err
	}
	for i := range 10 {
		name := "fast"
		if w.rand.IntN(3) == 0 {
			name = "flushed"
		}
		if err := w.mustProduce(b, partition.AcksAll, plan{topic: name, count: 1 + w.rand.IntN(3), size: 300, producer: 1}); err != nil {
			return err
		}
		if i == 6 {
			b.pass(11 * time.Second) // the sweep writes back
		} else {
			b.pass(200 * time.Millisecond)
		}
	}
	return nil
}

func metadata(w *world, b *box) error {
	for i := range 10 {
		name := fmt.Sprintf("made-%d", i)
		if w.topics[name] != nil {
			if err := w.remove(b, name); err != nil {
				return err
			}
			continue
		}
		if err := w.create(b, name, 1+i%2, nil); err != nil {
			return err
		}
		if i%3 == 0 {
			if err := w.mustProduce(b, partition.AcksAll, plan{topic: name, count: 1, size: 20}); err != nil {
				return err
			}
		}
	}
	return nil
}

// cleanStop stops the partitions and opens them again over the same disk, twice.
func cleanStop(w *world, b *box) error {
	if err := w.ensure(b, "stopped", 2, map[string]string{"segment.ms": "500"}); err != nil {
		return err
	}
	for range 2 {
		for range 4 {
			n := plan{topic: "stopped", index: int32(w.rand.IntN(2)), count: 2, size: 40, producer: int64(w.rand.IntN(2))}
			if err := w.mustProduce(b, partition.AcksAll, n); err != nil {
				return err
			}
			b.pass(300 * time.Millisecond)
		}
		if err := b.restart(); err != nil {
			return err
		}
		if err := w.verify(b, false); err != nil {
			return fmt.Errorf("after a clean stop: %w", err)
		}
	}
	return nil
}

// refused tells whether codes has an answer that is not None.
func refused(codes []wire.Code) bool {
	for _, c := range codes {
		if c != wire.None {
			return true
		}
	}
	return false
}
