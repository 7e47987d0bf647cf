package txn

import (
	"slices"
	"time"

	"holdfast/internal/core/shard"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxWaiting bounds who waits for producer ids.
const maxWaiting = 10_000

// parked is a request that cannot be answered yet.
type parked struct {
	call    shard.Call
	request kmsg.Request
	until   time.Time // when it is refused instead; zero before it waits for the first time
}

// hold is what a request waits for.
type hold uint8

const (
	ready    hold = iota // nothing: it has its answer
	complete             // the transaction that is being completed
	needID               // producer ids
)

// waits is volatile: who waits for a transaction to complete.
type waits struct {
	id   string
	list []parked
}

// Encode gives nothing.
func (*waits) Encode() (key, value []byte) { return nil, nil }

// reserve is volatile: producer ids that nobody has yet, and who waits for some.
type reserve struct {
	next, end int64
	asked     bool // a task is under way
	waiting   []parked
}

// Encode gives nothing.
func (*reserve) Encode() (key, value []byte) { return nil, nil }

func (r *reserve) same(o *reserve) bool {
	return r.next == o.next && r.end == o.end && r.asked == o.asked && slices.EqualFunc(r.waiting, o.waiting, func(a, b parked) bool { return a.call == b.call })
}

// serve answers a request, or parks it.
func (t *turn) serve(p parked) {
	var resp kmsg.Response
	var id string
	var hold hold
	switch r := p.request.(type) {
	case *kmsg.InitProducerIDRequest:
		id = *orEmpty(r.TransactionalID)
		resp, hold = t.init(r)
	case *kmsg.AddPartitionsToTxnRequest:
		a := addition(r)
		id = a.id
		resp, hold = t.add(a)
	case *kmsg.EndTxnRequest:
		id = r.TransactionalID
		resp, hold = t.end(r)
	}
	switch hold {
	case ready:
		t.reply(p.call, resp)
	case complete:
		t.park(id, p)
	case needID:
		if len(t.ids.waiting) >= maxWaiting {
			t.reply(p.call, Refuse(p.request, wire.CoordinatorLoadInProgress))
			return
		}
		t.ids.waiting = append(slices.Clip(t.ids.waiting), p)
		if !t.ids.asked {
			t.ids.asked = true
			t.out.Tasks = append(t.out.Tasks, &AllocateProducerIDs{})
		}
	}
}

func orEmpty(s *string) *string {
	if s == nil {
		return new(string)
	}
	return s
}

// takeID takes a producer id out of the reserve.
func (t *turn) takeID() (int64, bool) {
	if t.ids.next == t.ids.end {
		return 0, false
	}
	t.ids.next++
	return t.ids.next - 1, true
}

// producerIDs fills the reserve and serves who waited for that.
func (t *turn) producerIDs(r *ProducerIDs) {
	waiting := t.ids.waiting
	t.ids = reserve{next: r.First, end: r.First + int64(r.Count)}
	for _, p := range waiting {
		if r.Count == 0 { // else they would ask for more, again and again
			t.reply(p.call, Refuse(p.request, wire.CoordinatorLoadInProgress))
			continue
		}
		t.serve(p)
	}
}

func (t *turn) waiting(id string) []parked {
	if list, ok := t.parked[id]; ok {
		return list
	}
	return t.s.parked[id]
}

// park makes a request wait until the transaction that is being completed is complete, for a while.
func (t *turn) park(id string, p parked) {
	list := t.waiting(id)
	if p.until.IsZero() {
		p.until = t.now.Add(t.s.cfg.Patience)
	}
	if !p.until.After(t.now) || len(list) >= t.s.cfg.MaxParked {
		t.reply(p.call, Refuse(p.request, wire.ConcurrentTransactions))
		return
	}
	t.parked[id] = append(slices.Clip(list), p)
}

// wake serves all who wait for a transaction that is complete now. One of them may begin and end another: then the rest
// waits on.
func (t *turn) wake(id string) {
	list := t.waiting(id)
	if len(list) == 0 {
		return
	}
	t.parked[id] = nil
	for _, p := range list {
		t.serve(p)
	}
}

// impatient refuses those who have waited long enough.
func (t *turn) impatient(id string) {
	list := t.waiting(id)
	t.parked[id] = nil
	for _, p := range list {
		t.park(id, p)
	}
}

// armPatience times the request that has waited longest.
func (t *turn) armPatience(id string) {
	var first time.Time
	for _, p := range t.parked[id] {
		if first.IsZero() || p.until.Before(first) {
			first = p.until
		}
	}
	t.arm(TimerPatience, id, first)
}
