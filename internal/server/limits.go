package server

import (
	"context"
	"net/netip"
	"time"
)

// Limits bound connections. They may change while the server runs.
type Limits struct {
	Connections int                // at a time; more wait at the door (max.connections)
	PerIP       int                // at a time from one address; more are closed at once (max.connections.per.ip)
	Overrides   map[netip.Addr]int // other limits than PerIP (max.connections.per.ip.overrides)
	Rate        int                // new ones a second; more wait at the door (max.connection.creation.rate)
}

// look is how often a listener that waits at the door looks whether the limits have changed.
const look = 100 * time.Millisecond

func (l *Limits) of(ip netip.Addr) int {
	if n, ok := l.Overrides[ip]; ok {
		return n
	}
	return l.PerIP
}

// register counts a connection in, unless its address holds as many as it may.
func (s *Server) register(c *conn) bool {
	ip := c.client.Address.Addr()
	limit := s.options.Limits().of(ip)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.perIP[ip] >= limit {
		return false
	}
	s.conns[c] = struct{}{}
	s.perIP[ip]++
	return true
}

// forget closes a connection and counts it out.
func (s *Server) forget(c *conn) {
	c.net.Close()
	ip := c.client.Address.Addr()
	s.mu.Lock()
	delete(s.conns, c)
	if s.perIP[ip]--; s.perIP[ip] == 0 {
		delete(s.perIP, ip)
	}
	s.mu.Unlock()
	select {
	case s.freed <- struct{}{}:
	default:
	}
}

// waitForRoom holds a new connection, and its listener with it, until there are no more connections than may be, and no
// more new ones this second. Those that come meanwhile wait in the kernel's queue.
func (s *Server) waitForRoom(ctx context.Context) error {
	for {
		wait := s.room(time.Now())
		if wait <= 0 {
			return nil
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-s.freed:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// room says how long to wait before looking again; 0 lets a connection in.
func (s *Server) room(now time.Time) time.Duration {
	limits := s.options.Limits()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) > limits.Connections { // the new one is counted in already
		return look
	}
	return min(s.rate.take(now, limits.Rate), look)
}

// bucket lets in so many a second, after a rest so many at once.
type bucket struct {
	tokens float64
	at     time.Time
}

// take takes a token, or says when the next one comes.
func (b *bucket) take(now time.Time, perSecond int) (wait time.Duration) {
	rate := float64(perSecond)
	b.tokens = min(b.tokens+now.Sub(b.at).Seconds()*rate, rate)
	b.at = now
	switch {
	case b.tokens >= 1:
		b.tokens--
		return 0
	case rate == 0:
		return time.Hour
	default:
		return max(time.Duration((1-b.tokens)/rate*float64(time.Second)), 1)
	}
}
