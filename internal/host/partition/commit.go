package partition

import (
	"sync/atomic"
	"time"

	"holdfast/internal/proto/wire"
)

// Commit collects what one acks=all request waits for: one entry a partition it appended to. It is reused from request
// to request; a request uses it as Begin, Append…, Seal and, unless Seal says that nothing is left, Wait.
type Commit struct {
	left  atomic.Int32  // entries not yet committed, plus one until Seal
	done  chan struct{} // receives once when left reaches zero after Seal
	waits []commitWait
	timer *time.Timer
}

// commitWait is one partition's part of a Commit, linked into that partition's queue while it waits.
type commitWait struct {
	commit     *Commit
	partition  *Partition
	queue      *commitQueue
	until      int64 // released when the queue's watermark reaches it
	result     *wire.ProducePartitionResult
	next, prev *commitWait
	linked     bool // guarded by partition.mu
}

// Begin readies c for a request of at most partitions appends.
func (c *Commit) Begin(partitions int) {
	if c.done == nil {
		c.done = make(chan struct{}, 1)
	}
	if cap(c.waits) < partitions {
		c.waits = make([]commitWait, 0, partitions) // never grown later: partitions hold pointers into it
	}
	clear(c.waits)
	c.waits = c.waits[:0]
	c.left.Store(1)
}

// add waits in one of p's queues. Called under p.mu.
func (c *Commit) add(p *Partition, q *commitQueue, until int64, r *wire.ProducePartitionResult) {
	c.waits = append(c.waits, commitWait{commit: c, partition: p, queue: q, until: until, result: r})
	c.left.Add(1)
	q.push(&c.waits[len(c.waits)-1])
}

// finish is called by whoever unlinked one of c's entries, after its result is final.
func (c *Commit) finish() {
	if c.left.Add(-1) == 0 {
		c.done <- struct{}{}
	}
}

// Seal says that all appends were made. It reports whether everything is committed already, so that nobody need wait.
func (c *Commit) Seal() (committed bool) { return c.left.Add(-1) == 0 }

// Committed reports whether Wait would return at once.
func (c *Commit) Committed() bool { return c.left.Load() == 0 }

// Wait returns when every entry is committed or refused, or when timeout passes: what is then still open is answered
// with REQUEST_TIMED_OUT, whose outcome is unknown.
func (c *Commit) Wait(timeout time.Duration) {
	if c.timer == nil {
		c.timer = time.NewTimer(timeout)
	} else {
		c.timer.Reset(timeout)
	}
	defer c.timer.Stop()
	select {
	case <-c.done:
		return
	case <-c.timer.C:
	}
	c.GiveUp()
}

// GiveUp is Wait when its time has passed: what is still open is answered with REQUEST_TIMED_OUT.
func (c *Commit) GiveUp() {
	if c.left.Add(1) == 1 { // the last entry was finished meanwhile
		<-c.done
		return
	}
	for i := range c.waits {
		c.waits[i].cancel()
	}
	if !c.Seal() {
		<-c.done
	}
}

func (w *commitWait) cancel() {
	w.partition.mu.Lock()
	linked := w.linked
	if linked {
		w.queue.remove(w)
		w.result.Code = wire.RequestTimedOut
	}
	w.partition.mu.Unlock()
	if linked {
		w.commit.finish()
	}
}

// commitQueue holds a partition's waiting requests in offset order. Guarded by the partition's mu.
type commitQueue struct{ head, tail *commitWait }

func (q *commitQueue) push(w *commitWait) {
	w.prev, w.next, w.linked = q.tail, nil, true
	if q.tail != nil {
		q.tail.next = w
	} else {
		q.head = w
	}
	q.tail = w
}

func (q *commitQueue) remove(w *commitWait) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		q.head = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.tail = w.prev
	}
	w.prev, w.next, w.linked = nil, nil, false
}

// release finishes all that the watermark has reached.
func (q *commitQueue) release(watermark int64) {
	for w := q.head; w != nil && w.until <= watermark; w = q.head {
		q.remove(w)
		w.commit.finish()
	}
}

// refuse finishes all with code.
func (q *commitQueue) refuse(code wire.Code) {
	for w := q.head; w != nil; w = q.head {
		q.remove(w)
		w.result.Code = code
		w.commit.finish()
	}
}
