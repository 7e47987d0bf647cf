package handler

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"holdfast/internal/base/metrics"
)

// Budget bounds the memory of what is in work, in bytes. Whoever finds too little left waits, and is served in turn.
// Safe for concurrent use.
//
// Half of it is given freely; the rest only for what is there already. So nobody gets far by announcing much and
// sending little: see Ample.
type Budget struct {
	limit  int64
	used   atomic.Int64
	queue  atomic.Int64 // who waits in Take
	turns  *semaphore.Weighted
	waited metrics.Histogram
}

// NewBudget returns a budget of limit bytes. Its waits are observed by waited.
func NewBudget(limit int64, waited metrics.Histogram) *Budget {
	return &Budget{limit: limit, turns: semaphore.NewWeighted(limit), waited: waited}
}

// Take takes n bytes, waiting for them if it must; more than the whole budget counts as the whole. It returns what was
// taken, to be given back, or the context's error.
func (b *Budget) Take(ctx context.Context, n int64) (taken int64, err error) {
	n = min(n, b.limit)
	if !b.turns.TryAcquire(n) {
		began := time.Now()
		b.queue.Add(1)
		err := b.turns.Acquire(ctx, n)
		b.queue.Add(-1)
		b.waited.Seconds(time.Since(began))
		if err != nil {
			return 0, err
		}
	}
	b.used.Add(n)
	return n, nil
}

// TakeFreely takes n bytes where the budget is ample and has them.
func (b *Budget) TakeFreely(n int64) (taken int64, ok bool) {
	n = min(n, b.limit)
	if !b.Ample() || !b.turns.TryAcquire(n) {
		return 0, false
	}
	b.used.Add(n)
	return n, true
}

// TryTake is Take that does not wait.
func (b *Budget) TryTake(n int64) (taken int64, ok bool) {
	n = min(n, b.limit)
	if !b.turns.TryAcquire(n) {
		return 0, false
	}
	b.used.Add(n)
	return n, true
}

// Wanted reports whether somebody waits for what others hold.
func (b *Budget) Wanted() bool { return b.queue.Load() > 0 }

// Give gives back n bytes.
func (b *Budget) Give(n int64) {
	if n != 0 {
		b.used.Add(-n)
		b.turns.Release(n)
	}
}

// Ample reports whether less than half of the budget is taken.
func (b *Budget) Ample() bool { return b.used.Load() < b.limit/2 }

// Used is how much is taken, in bytes.
func (b *Budget) Used() int64 { return b.used.Load() }

// Limit is the budget's size in bytes.
func (b *Budget) Limit() int64 { return b.limit }
