package cli

import (
	"math/bits"
	"sync"
	"time"
)

// histogram counts durations in fixed buckets: exact up to 127 ns, then 64 buckets for each doubling, so that a percentile
// is at most 1.6 % above the true value whatever its size. It never drops a value and never grows.
type histogram struct {
	mu     sync.Mutex
	counts [64 * 60]uint64
	total  uint64
	sum    float64 // nanoseconds
	most   time.Duration
}

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.mu.Lock()
	h.counts[bucketOf(uint64(d))]++
	h.total++
	h.sum += float64(d)
	h.most = max(h.most, d)
	h.mu.Unlock()
}

// bucketOf puts v into 64 buckets a doubling, by its six bits after the leading one.
func bucketOf(v uint64) int {
	shift := max(bits.Len64(v)-7, 0)
	return shift*64 + int(v>>shift)
}

// bucketTop is the greatest value of a bucket.
func bucketTop(i int) uint64 {
	if i < 128 {
		return uint64(i)
	}
	shift := i/64 - 1
	return (uint64(i-shift*64)+1)<<shift - 1
}

// percentile returns the value that the share q (0 to 1) of all values do not exceed.
func (h *histogram) percentile(q float64) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	rank := uint64(q*float64(h.total) + 0.5)
	rank = min(max(rank, 1), h.total)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; n > 0 && seen >= rank {
			return min(time.Duration(bucketTop(i)), h.most)
		}
	}
	return h.most
}

// percentiles are a distribution in milliseconds, for people and JSON.
type percentiles struct {
	Count uint64  `json:"count"`
	Mean  float64 `json:"meanMs"`
	P50   float64 `json:"p50Ms"`
	P90   float64 `json:"p90Ms"`
	P99   float64 `json:"p99Ms"`
	P999  float64 `json:"p999Ms"`
	P9999 float64 `json:"p9999Ms"`
	Max   float64 `json:"maxMs"`
}

func (h *histogram) percentiles() *percentiles {
	h.mu.Lock()
	p := &percentiles{Count: h.total, Max: ms(h.most)}
	if h.total > 0 {
		p.Mean = round3(h.sum / float64(h.total) / 1e6)
	}
	h.mu.Unlock()
	p.P50, p.P90, p.P99 = ms(h.percentile(0.5)), ms(h.percentile(0.9)), ms(h.percentile(0.99))
	p.P999, p.P9999 = ms(h.percentile(0.999)), ms(h.percentile(0.9999))
	return p
}

func ms(d time.Duration) float64 { return round3(float64(d) / 1e6) }

func round3(f float64) float64 { return float64(int64(f*1000+0.5)) / 1000 }
