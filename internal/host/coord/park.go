package coord

import (
	"time"

	"holdfast/internal/core/shard"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// waiting is something that leaves when the high watermark reaches until: an answer, a marker that is done, a task.
type waiting struct {
	until    int64
	by       time.Time // who waits is refused by then; zero: it waits
	asked    *Asked
	response kmsg.Response
	mark     *mark
	task     any
}

// parked is what waits, in the order of until.
type parked struct {
	queue []waiting
	head  int
}

func (p *parked) push(w waiting) {
	if p.head > 0 && p.head*2 >= len(p.queue) { // move down what is left
		n := copy(p.queue, p.queue[p.head:])
		clear(p.queue[n:])
		p.queue, p.head = p.queue[:n], 0
	}
	p.queue = append(p.queue, w)
}

func (p *parked) empty() bool { return p.head == len(p.queue) }

// deadline is when the first of those who wait is to be refused.
func (p *parked) deadline() (by time.Time, ok bool) {
	for i := p.head; i < len(p.queue); i++ {
		if w := &p.queue[i]; !w.by.IsZero() {
			return w.by, true
		}
	}
	return by, false
}

// refuse empties the queue. A task that was not handed over is found again by the next load.
func (p *parked) refuse(h *Host, code wire.Code) {
	for ; p.head < len(p.queue); p.head++ {
		p.queue[p.head].refuse(h, code)
	}
	*p = parked{}
}

func (w *waiting) refuse(h *Host, code wire.Code) {
	if w.asked != nil {
		w.asked.refuse(h, code)
	}
	if w.mark != nil {
		w.mark.refuse(h, code)
	}
	w.asked, w.mark, w.by = nil, nil, time.Time{}
}

// park lets replies and tasks wait for what they followed.
func (r *runner) park(now time.Time, out shard.Outcome) {
	by := now.Add(r.host.o.CommitTimeout())
	for _, reply := range out.Replies {
		a := r.calls[reply.Call]
		if a == nil {
			continue // refused meanwhile
		}
		delete(r.calls, reply.Call)
		if reply.Early {
			a.answer <- reply.Response
			continue
		}
		r.parked.push(waiting{until: r.applied, by: by, asked: a, response: reply.Response})
	}
	for _, task := range out.Tasks {
		r.parked.push(waiting{until: r.applied, task: task})
	}
}

// release lets go what is committed, and refuses who has waited for too long: whether it will be is not known then.
func (r *runner) release(now time.Time) {
	p := &r.parked
	high := r.partition.HighWatermark()
	for ; p.head < len(p.queue) && p.queue[p.head].until <= high; p.head++ {
		w := &p.queue[p.head]
		switch {
		case w.asked != nil:
			w.asked.answer <- w.response
		case w.mark != nil:
			w.mark.done <- wire.None
		case w.task != nil:
			r.host.o.Kind.Task(r.index, w.task)
		}
		if w.until > r.began {
			r.failures = 0 // it writes, and what it writes is committed
		}
		*w = waiting{}
	}
	if p.empty() {
		p.queue, p.head = p.queue[:0], 0
		return
	}
	for i := p.head; i < len(p.queue); i++ {
		w := &p.queue[i]
		if w.by.IsZero() {
			continue
		}
		if w.by.After(now) {
			return
		}
		w.refuse(r.host, wire.CoordinatorNotAvailable)
	}
}
