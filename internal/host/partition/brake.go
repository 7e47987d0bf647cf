package partition

import (
	"errors"
	"math"
	"time"
)

const (
	// stint is how long a run works before it rests, where others want the disk.
	stint = 5 * time.Millisecond
	// restShare is how many times as long it rests then.
	restShare = 2
)

// errStops ends a run because the node stops.
var errStops = errors.New("the node stops")

// brake holds a run of compaction back. It keeps to so many bytes a second, and, as long as producers' records are synced
// meanwhile, rests twice as long as it works: whoever waits for a sync waits behind what a run writes. It ends the run when
// the node stops.
type brake struct {
	m     *Manager
	rate  float64 // bytes a second
	began time.Time
	spent float64 // bytes

	resumed time.Time // when the run last came back to work
	rounds  int64     // of the flusher, then
}

func (m *Manager) newBrake(rate float64) *brake {
	now := time.Now()
	return &brake{m: m, rate: rate, began: now, resumed: now, rounds: m.flusher.told.Load()}
}

// spend is told of bytes before they are read or written. It may sleep.
func (b *brake) spend(n int) error {
	if b.m.options.InOrder {
		return b.m.Failed()
	}
	now := time.Now()
	b.spent += float64(n)
	rest := time.Duration(min(b.spent/b.rate*float64(time.Second), math.MaxInt64/2)) - now.Sub(b.began)
	if worked := now.Sub(b.resumed); worked >= stint {
		if rounds := b.m.flusher.told.Load(); rounds != b.rounds {
			b.rounds = rounds
			rest = max(rest, restShare*worked)
		}
		b.resumed = now
	}
	if rest < time.Millisecond {
		rest = 0
	}
	t := time.NewTimer(rest)
	defer t.Stop()
	select {
	case <-b.m.stop:
		return errStops
	case <-t.C:
	}
	if rest > 0 {
		b.resumed = time.Now()
	}
	return b.m.Failed()
}
