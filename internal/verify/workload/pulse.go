package workload

import (
	"context"
	"sync"
	"time"
)

// pulseSlice is the length of one value of Pulse.Series.
const pulseSlice = 100 * time.Millisecond

// Pulse is when acknowledgements came: how many over time, the longest silence of each partition, and who waits for the
// next one.
type Pulse struct {
	mu         sync.Mutex
	began      time.Time
	series     []int64 // acknowledgements by slice
	partitions []beat
	errors     map[string]int64 // by what they say
	wake       chan struct{}    // closed and replaced at an acknowledgement that somebody waits for
	waiting    int
}

type beat struct {
	last time.Time // the latest acknowledgement
	gap  time.Duration
}

// NewPulse begins to count.
func NewPulse(partitions int32) *Pulse {
	return &Pulse{began: time.Now(), partitions: make([]beat, partitions), errors: map[string]int64{}, wake: make(chan struct{})}
}

func (p *Pulse) acked(partition int32) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	at := int(now.Sub(p.began) / pulseSlice)
	for len(p.series) <= at {
		p.series = append(p.series, 0)
	}
	p.series[at]++
	b := &p.partitions[partition]
	if !b.last.IsZero() {
		b.gap = max(b.gap, now.Sub(b.last))
	}
	b.last = now
	if p.waiting > 0 {
		close(p.wake)
		p.wake = make(chan struct{})
	}
}

// most is how many different errors are kept apart.
const most = 50

func (p *Pulse) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := err.Error()
	if _, known := p.errors[text]; !known && len(p.errors) >= most {
		text = "others"
	}
	p.errors[text]++
}

// Await returns once every partition was acknowledged after since, and when the last of them was. Partitions without any
// acknowledgement so far do not count.
func (p *Pulse) Await(ctx context.Context, since time.Time) (time.Time, error) {
	for {
		at, wake := p.next(since)
		if wake == nil {
			return at, nil
		}
		var err error
		select {
		case <-wake:
		case <-ctx.Done():
			err = ctx.Err()
		}
		p.mu.Lock()
		p.waiting--
		p.mu.Unlock()
		if err != nil {
			return time.Time{}, err
		}
	}
}

// next is the moment, or what to wait for; who waits is counted.
func (p *Pulse) next(since time.Time) (time.Time, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var at time.Time
	ready := true
	for _, b := range p.partitions {
		ready = ready && (b.last.IsZero() || b.last.After(since))
		if b.last.After(at) {
			at = b.last
		}
	}
	if !ready || !at.After(since) {
		p.waiting++
		return time.Time{}, p.wake
	}
	return at, nil
}

// Summary is what a Pulse saw.
type Summary struct {
	Slice  time.Duration
	Series []int64         // acknowledgements by slice
	Gaps   []time.Duration // the longest time between two acknowledgements, by partition
	Errors map[string]int64
}

// Summary returns what was seen so far.
func (p *Pulse) Summary() Summary {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Summary{Slice: pulseSlice, Series: append([]int64(nil), p.series...), Errors: map[string]int64{}}
	for _, b := range p.partitions {
		s.Gaps = append(s.Gaps, b.gap)
	}
	for text, n := range p.errors {
		s.Errors[text] = n
	}
	return s
}

// Began is when the counting began.
func (p *Pulse) Began() time.Time { return p.began }
