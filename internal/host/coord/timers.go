package coord

import (
	"container/heap"
	"time"

	"holdfast/internal/core/shard"
)

// timers are the armed timers of one shard: one of a key, the earliest first, those of one moment in the order in which
// they were armed. The zero value has none.
type timers struct {
	heap  timerHeap
	byKey map[shard.TimerKey]*timer
	armed uint64
}

type timer struct {
	key   shard.TimerKey
	at    time.Time
	order uint64
	index int // in the heap
}

// set arms, re-arms or disarms.
func (ts *timers) set(t shard.Timer) {
	known := ts.byKey[t.Key]
	switch {
	case t.At.IsZero():
		if known != nil {
			heap.Remove(&ts.heap, known.index)
			delete(ts.byKey, t.Key)
		}
	case known != nil && t.Keep:
	case known != nil:
		ts.armed++
		known.at, known.order = t.At, ts.armed
		heap.Fix(&ts.heap, known.index)
	default:
		if ts.byKey == nil {
			ts.byKey = map[shard.TimerKey]*timer{}
		}
		ts.armed++
		known = &timer{key: t.Key, at: t.At, order: ts.armed}
		ts.byKey[t.Key] = known
		heap.Push(&ts.heap, known)
	}
}

// next is when the earliest is due.
func (ts *timers) next() (at time.Time, ok bool) {
	if len(ts.heap) == 0 {
		return at, false
	}
	return ts.heap[0].at, true
}

// pop takes the earliest out if it is due.
func (ts *timers) pop(now time.Time) (key shard.TimerKey, ok bool) {
	if len(ts.heap) == 0 || ts.heap[0].at.After(now) {
		return nil, false
	}
	t := heap.Pop(&ts.heap).(*timer)
	delete(ts.byKey, t.key)
	return t.key, true
}

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if c := h[i].at.Compare(h[j].at); c != 0 {
		return c < 0
	}
	return h[i].order < h[j].order
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return t
}
