package txn

import (
	"fmt"
	"testing"
	"time"

	"holdfast/internal/core/shard"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// world is a shard in a fake host, and clients that say anything at any time.
type world struct {
	*fakeHost
	marked map[string]bool    // partitions that have the marker of a decision, by id, producer, epoch and partition
	used   map[int64]bool     // producer ids that were ever given out
	heard  map[string][]claim // who anybody was told to be, by transactional id
}

var ids = []string{"t", "u"}

func newWorld(t *rapid.T) *world {
	w := &world{marked: map[string]bool{}, used: map[int64]bool{}, heard: map[string][]claim{}}
	w.fakeHost = newHost(t, DefaultConfig())
	w.topic("a", 1, 3)
	w.do(&shard.Loaded{})
	w.told = w.transition
	return w
}

// transition checks what may follow what.
func (w *world) transition(before, after *Transaction) {
	switch {
	case after == nil:
		if before.State == Ongoing || before.completing() {
			w.t.Fatalf("forgotten while %v", before.State)
		}
		return
	case before == nil:
		w.fresh(after.ProducerID)
		return
	case after.ProducerID == before.ProducerID:
		if after.Epoch < before.Epoch {
			w.t.Fatalf("the epoch of %s fell from %d to %d", after.ID, before.Epoch, after.Epoch)
		}
	default:
		if before.Epoch < lastEpoch || after.Epoch != 0 {
			w.t.Fatalf("%s: %d/%d became %d/%d", after.ID, before.ProducerID, before.Epoch, after.ProducerID, after.Epoch)
		}
		w.fresh(after.ProducerID)
	}
	switch {
	case before.completing():
		if !after.ended() || after.committed() != before.committed() {
			w.t.Fatalf("%v is followed by %v", before.State, after.State)
		}
		for _, p := range before.Partitions {
			if !w.marked[marker(before.ID, before.ProducerID, before.Epoch, p)] {
				w.t.Fatalf("%s is complete, and %v has no marker", before.ID, p)
			}
		}
	case before.State == Ongoing && after.State == Ongoing:
		if !subset(before.Partitions, after) {
			w.t.Fatalf("%v lost some of %v", after.Partitions, before.Partitions)
		}
	case before.State == Ongoing:
		if !after.completing() || fmt.Sprint(after.Partitions) != fmt.Sprint(before.Partitions) {
			w.t.Fatalf("an open transaction in %v became %v in %v", before.Partitions, after.State, after.Partitions)
		}
	case after.completing() || after.ended() && after.committed():
		w.t.Fatalf("%v is followed by %v", before.State, after.State)
	}
}

func (w *world) fresh(producer int64) {
	if w.used[producer] {
		w.t.Fatalf("producer id %d was given out before", producer)
	}
	w.used[producer] = true
}

func marker(id string, producer int64, epoch int16, p Partition) string {
	return fmt.Sprint(id, producer, "/", epoch, p)
}

// who is somebody a client may take itself for: mostly the producer that holds the id.
func (w *world) who(t *rapid.T, id string) claim {
	x, heard := w.shard.txns[id], w.heard[id]
	if x != nil && rapid.IntRange(0, 3).Draw(t, "current") > 0 {
		producer, epoch := x.identity() // at times one that only a marker has: it is nobody's
		return claim{producer, epoch}
	}
	if len(heard) == 0 {
		return claim{1000, 0}
	}
	return rapid.SampledFrom(heard).Draw(t, "who")
}

// ask sends a request as somebody, and checks that who was replaced changes nothing.
func (w *world) ask(id string, c claim, r kmsg.Request) {
	x := w.shard.txns[id]
	stranger := c.epoch != NoEpoch && x != nil && !x.admits(c)
	_, out := w.do(r)
	if stranger && len(out.Records) > 0 {
		w.t.Fatalf("%v is not %d/%d, and %T changed %v", c, x.ProducerID, x.Epoch, r, out.Records)
	}
	w.hear(out)
}

func (w *world) hear(out shard.Outcome) {
	for _, r := range out.Replies {
		if resp, ok := r.Response.(*kmsg.InitProducerIDResponse); ok && resp.ErrorCode == 0 {
			for _, id := range ids {
				if x := w.shard.txns[id]; x != nil && x.ProducerID == resp.ProducerID {
					w.heard[id] = append(w.heard[id], claim{resp.ProducerID, resp.ProducerEpoch})
				}
			}
		}
	}
}

func (w *world) step(t *rapid.T) {
	id := rapid.SampledFrom(ids).Draw(t, "id")
	switch rapid.SampledFrom([]string{"init", "add", "add", "end", "end", "written", "written", "tick", "ids", "restart", "age"}).Draw(t, "op") {
	case "init":
		r := kmsg.NewPtrInitProducerIDRequest()
		r.Version, r.TransactionalID, r.TransactionTimeoutMillis = 5, &id, rapid.Int32Range(1000, 5000).Draw(t, "timeout")
		c := claim{-1, NoEpoch}
		if rapid.Bool().Draw(t, "claims") {
			c = w.who(t, id)
			r.ProducerID, r.ProducerEpoch = c.producer, c.epoch
		}
		w.ask(id, c, r)
	case "add":
		c := w.who(t, id)
		r := kmsg.NewPtrAddPartitionsToTxnRequest()
		p := []int32{rapid.Int32Range(0, 2).Draw(t, "partition")}
		if r.Version = rapid.SampledFrom([]int16{3, 5}).Draw(t, "v"); r.Version == 3 {
			r.TransactionalID, r.ProducerID, r.ProducerEpoch = id, c.producer, c.epoch
			r.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "a", Partitions: p}}
		} else {
			r.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{{
				TransactionalID: id, ProducerID: c.producer, ProducerEpoch: c.epoch, VerifyOnly: rapid.Bool().Draw(t, "verify"),
				Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: "a", Partitions: p}},
			}}
		}
		w.ask(id, c, r)
	case "end":
		c := w.who(t, id)
		r := kmsg.NewPtrEndTxnRequest()
		r.Version, r.TransactionalID, r.ProducerID, r.ProducerEpoch = rapid.SampledFrom([]int16{4, 5}).Draw(t, "v"), id, c.producer, c.epoch
		r.Commit = rapid.Bool().Draw(t, "commit")
		w.ask(id, c, r)
	case "written":
		if len(w.tasks) > 0 {
			w.complete(rapid.IntRange(0, len(w.tasks)-1).Draw(t, "task"))
		}
	case "tick":
		for _, out := range w.allocate(2) { // a host gives up on them sooner than that
			w.hear(out)
		}
		w.tick(rapid.SampledFrom([]time.Duration{100 * time.Millisecond, time.Second, 4 * time.Second}).Draw(t, "time"), func(_ TimerKey, out shard.Outcome) { w.hear(out) })
	case "ids":
		for _, out := range w.allocate(rapid.Int32Range(0, 2).Draw(t, "count")) {
			w.hear(out)
		}
	case "restart":
		w.restart()
	case "age":
		if x := w.shard.txns[id]; x != nil && x.Epoch < lastEpoch-3 && x.State == Empty && rapid.IntRange(0, 3).Draw(t, "age") == 0 {
			y := *x
			y.Epoch = lastEpoch - 3
			w.apply(shard.Outcome{Records: []shard.Record{&Record{id, &y}}})
		}
	}
}

func (w *world) complete(i int) {
	task := w.tasks[i]
	for _, p := range task.Partitions {
		w.marked[marker(task.ID, task.ProducerID, task.Epoch, p)] = true
	}
	w.hear(w.written(i))
}

// TestProperties lets clients of both protocols, stale ones among them, say anything at any time, while coordinators
// die, and checks at every step what doc.go promises. In the end all is calm, and everybody has an answer.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			w.step(t)
			for _, x := range w.shard.txns {
				if x.State == Ongoing && x.deadline().Before(w.now) {
					t.Fatalf("%s is open since %d, now %d", x.ID, x.StartMs, w.now.UnixMilli())
				}
			}
		}
		for len(w.tasks) > 0 || w.asks > 0 {
			w.allocate(3)
			if len(w.tasks) > 0 {
				w.complete(0)
			}
		}
		w.tick(10*time.Second, func(TimerKey, shard.Outcome) {})
		for len(w.tasks) > 0 {
			w.complete(0)
		}
		if len(w.open) > 0 {
			t.Fatalf("%d callers have no answer", len(w.open))
		}
		for _, x := range w.shard.txns {
			if x.State == Ongoing || x.completing() {
				t.Fatalf("%s is %v in the end", x.ID, x.State)
			}
		}
	})
}
