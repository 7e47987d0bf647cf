package txn

import (
	"time"

	"holdfast/internal/base/event"
	"holdfast/internal/core/shard"
)

// TimerKey names a timer: there is at most one of a key.
type TimerKey struct {
	Kind TimerKind
	ID   string // transactional id; "" for a timer of the shard
}

// TimerKind is what a timer is for.
type TimerKind uint8

// The timers of a shard.
const (
	TimerTimeout  TimerKind = iota // a transaction is open for as long as its producer may leave it
	TimerPatience                  // a request has waited long enough for the transaction before it
	TimerSweep                     // look for ids that expire; of the shard
)

var timerNames = [...]string{"timeout", "patience", "sweep"}

// String is the kind in a word.
func (k TimerKind) String() string { return timerNames[k] }

func (t *turn) arm(kind TimerKind, id string, at time.Time) {
	t.out.Timers = append(t.out.Timers, shard.Timer{Key: TimerKey{kind, id}, At: at})
}

// fired handles a timer that is due. What it was armed for may be gone: then it means nothing.
func (t *turn) fired(k TimerKey) {
	switch k.Kind {
	case TimerTimeout:
		t.timeOut(k.ID)
	case TimerPatience:
		t.impatient(k.ID)
	case TimerSweep:
		t.sweep()
	}
}

// timeOut aborts a transaction whose producer was not heard of, and fences the producer.
func (t *turn) timeOut(id string) {
	x := t.get(id)
	if x == nil || x.State != Ongoing || t.now.Before(x.deadline()) {
		return
	}
	t.put(x.fenced(NoEpoch, t.now))
	t.out.Events = append(t.out.Events, event.New(event.KindTransactionTimedOut, t.now, 0).
		Text("transactional_id", id).Number("producer_id", x.ProducerID).Number("epoch", int64(x.Epoch)).
		Number("timeout_ms", x.Timeout.Milliseconds()).Number("partitions", int64(len(x.Partitions))))
}

// sweep forgets ids that nobody used for long. They are as if they had never been: a producer that still has one is
// told INVALID_PRODUCER_ID_MAPPING.
func (t *turn) sweep() {
	before := t.now.Add(-t.s.cfg.Expiration).UnixMilli()
	next := t.now.Add(t.s.cfg.SweepInterval)
	gone := 0
	for _, id := range t.s.names() {
		x := t.s.txns[id]
		if x.State == Ongoing || x.completing() || x.UpdateMs > before {
			continue
		}
		if gone == t.s.cfg.MaxSweep {
			next = t.now
			break
		}
		gone++
		t.txns[id] = nil
		t.out.Records = append(t.out.Records, &Record{ID: id})
	}
	t.arm(TimerSweep, "", next)
}

// loaded starts the clocks of what the log told of, and goes on with what was decided.
func (t *turn) loaded(epoch int32) {
	t.epoch = leads(epoch)
	t.out.Records = append(t.out.Records, t.epoch)
	for _, id := range t.s.names() {
		switch x := t.s.txns[id]; {
		case x.State == Ongoing:
			t.arm(TimerTimeout, id, x.deadline())
		case x.completing():
			t.writeMarkers(x)
		}
	}
	t.arm(TimerSweep, "", t.now.Add(t.s.cfg.SweepInterval))
}
