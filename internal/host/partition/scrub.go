package partition

import (
	"errors"
	"time"

	"holdfast/internal/storage/commitlog"
)

// What nobody reads rots unseen. The scrubber reads it, a little at a time, as a consumer would: what the disk changed is
// quarantined, listed and told while a copy elsewhere may still be whole. It reads up to the recovery point only; what lies
// above it was written a moment ago. Where a file is in the page cache it is read from there: that is what readers get.
const (
	scrubEvery = 100 * time.Millisecond // a turn
	scrubIdle  = 10 * time.Second       // between looks whether there is something to do
	scrubRead  = 256 << 10              // at a time; one batch may be larger
)

// scrubber is where a pass over all partitions stands. Owned by one goroutine.
type scrubber struct {
	began  time.Time    // the pass
	queue  []*Partition // still to be read, the first from offset on
	offset int64
	buf    []byte
}

// scrub reads through the partitions until the manager stops.
func (m *Manager) scrub() {
	turn := time.NewTimer(scrubEvery)
	defer turn.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-turn.C:
			_, wait := m.scrubTurn(m.options.Now())
			turn.Reset(wait)
		}
	}
}

// scrubTurn reads about as much as log.scrub.bytes.per.second allows for a turn, and returns for how long nothing more may
// be read.
func (m *Manager) scrubTurn(now time.Time) (read int64, wait time.Duration) {
	c, s := m.options.Config(), &m.scrubber
	rate := c.Int64("log.scrub.bytes.per.second")
	if rate == 0 || m.Failed() != nil {
		s.queue, s.buf = nil, nil
		return 0, scrubIdle
	}
	if len(s.queue) == 0 {
		if s.buf = nil; now.Sub(s.began) < c.Duration("log.scrub.interval.ms") {
			return 0, scrubIdle
		}
		s.begin(m, now)
	}
	read = s.read(rate / int64(time.Second/scrubEvery))
	m.measured.scrubbed.Add(read)
	if read == 0 { // the end of the pass
		return 0, scrubIdle
	}
	return read, max(scrubEvery, time.Duration(float64(read)/float64(rate)*float64(time.Second)))
}

// begin starts a pass. Where it begins moves with the time, so that a node that is often restarted gets around, too.
func (s *scrubber) begin(m *Manager, now time.Time) {
	s.began, s.offset, s.queue = now, 0, nil
	m.each(now, func(p *Partition, _ time.Time) { s.queue = append(s.queue, p) })
	if n := len(s.queue); n > 0 {
		at := int(now.Unix() % int64(n))
		s.queue = append(s.queue[at:n:n], s.queue[:at]...)
	}
}

// read goes on with the pass for about so many bytes and returns how many it read.
func (s *scrubber) read(budget int64) (read int64) {
	for len(s.queue) > 0 && read < budget {
		n, more := s.queue[0].scrub(s, min(budget-read, scrubRead))
		if read += n; !more {
			s.queue, s.offset = s.queue[1:], 0
		}
	}
	return read
}

// scrub reads a piece of a partition; more is false at its end. Damage is told by lookForDamage.
func (p *Partition) scrub(s *scrubber, budget int64) (read int64, more bool) {
	p.mu.Lock()
	below := p.log.RecoveryPoint()
	if p.gone {
		below = 0
	}
	p.mu.Unlock()
	s.offset = max(s.offset, p.log.Start())
	if s.offset >= below {
		return 0, false
	}
	span, err := p.log.Locate(s.offset, below, int(budget), true)
	if err == nil && span.Len > 0 {
		if cap(s.buf) < span.Len {
			s.buf = make([]byte, span.Len)
		}
		err = span.ReadAt(s.buf[:span.Len])
	}
	var damaged *commitlog.DamagedError
	switch {
	case errors.As(err, &damaged):
		s.offset = max(s.offset+1, damaged.To)
		return int64(span.Len), true
	case err != nil:
		if !errors.Is(err, commitlog.ErrOutOfRange) && !errors.Is(err, commitlog.ErrTruncated) && !errors.Is(err, commitlog.ErrClosed) {
			p.manager.options.Log.Error("records cannot be read from the disk", "partition", p.String(), "offset", s.offset, "err", err)
		}
		return int64(span.Len), false // the next pass looks again
	}
	s.offset = span.NextOffset
	return int64(span.Len), span.Len > 0
}
