package main

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// histogram counts durations in 64 buckets a doubling: a percentile is at most 1.6 % above the true value.
type histogram struct {
	counts [64 * 60]atomic.Int64
	total  atomic.Int64
	most   atomic.Int64
}

func (h *histogram) add(d time.Duration) {
	v := uint64(max(d, 0))
	shift := max(bits.Len64(v)-7, 0)
	h.counts[shift*64+int(v>>shift)].Add(1)
	h.total.Add(1)
	for most := h.most.Load(); int64(v) > most && !h.most.CompareAndSwap(most, int64(v)); most = h.most.Load() {
	}
}

// ms returns the value in milliseconds that the share q (0 to 1) of all values do not exceed.
func (h *histogram) ms(q float64) float64 {
	rank, seen := max(int64(q*float64(h.total.Load())+0.5), 1), int64(0)
	for i := range h.counts {
		n := h.counts[i].Load()
		if seen += n; n > 0 && seen >= rank {
			return float64(min(top(i), uint64(h.most.Load()))) / 1e6
		}
	}
	return float64(h.most.Load()) / 1e6
}

// top is the greatest value of a bucket.
func top(i int) uint64 {
	if i < 128 {
		return uint64(i)
	}
	shift := i/64 - 1
	return (uint64(i-shift*64)+1)<<shift - 1
}
