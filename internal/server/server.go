package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/base/invariant"
	"holdfast/internal/server/handler"
)

// Options bound what a server takes on. Who holds work waits for no frame, and who holds an answer for neither: so those
// who wait always get their turn.
type Options struct {
	Log        *slog.Logger
	Metrics    Metrics
	MaxFrame   int             // bytes of one request, where its API has no smaller bound (socket.request.max.bytes)
	Frames     *handler.Budget // of requests' own bytes, from when they arrive to when they are answered
	Work       *handler.Budget // of what working on requests may take besides
	Answers    *handler.Budget // of large answers on their way out
	Limits     func() *Limits  // as they are now; asked for each new connection
	IdleLimit  time.Duration   // a connection silent for longer is closed (connections.max.idle.ms)
	WriteLimit time.Duration   // a client that takes no bytes of its answer for longer is cut off
}

// Metrics is what a server counts. Every field may be called at any time, from any goroutine.
type Metrics struct {
	Opened   func(listener string)
	Closed   func(listener, reason string) // reason: client, idle, error, frame, panic, slow, stop
	Refused  func(listener, reason string) // a connection was not taken; reason: per_ip, handles, stop
	Panicked func()                        // a request broke the broker's code: always a bug
	Violated func()                        // a request broke an invariant: likewise
}

// Server serves the Kafka protocol on any number of listeners.
type Server struct {
	options Options
	handler *handler.Handler

	workers  sync.WaitGroup // connections and their writers
	draining atomic.Bool    // no connection waits for a further request

	mu    sync.Mutex
	conns map[*conn]struct{}
	perIP map[netip.Addr]int
	freed chan struct{} // capacity one: a connection went
	rate  bucket
}

// New returns a server whose requests h answers.
func New(h *handler.Handler, o Options) *Server {
	return &Server{
		options: o, handler: h,
		conns: map[*conn]struct{}{}, perIP: map[netip.Addr]int{}, freed: make(chan struct{}, 1),
	}
}

// Serve accepts connections until ctx ends or the listener fails. Listener says which one, for clients' metadata.
func (s *Server) Serve(ctx context.Context, l net.Listener, listener string) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var pause time.Duration
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.take(ctx, nc, listener)
		case ctx.Err() != nil:
			return nil
		case isExhausted(err):
			// Out of file handles: closing connections will free some. Accepting must not spin meanwhile.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.options.Metrics.Refused(listener, "handles")
			s.options.Log.Warn("cannot accept a connection", "err", err, "retry in", pause)
			sleep(ctx, pause)
		default:
			return fmt.Errorf("listener %s: %w", listener, err)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// take starts serving a connection as soon as the limits allow it, or closes it where its address holds too many.
func (s *Server) take(ctx context.Context, nc net.Conn, listener string) {
	c := &conn{server: s, net: nc, client: handler.NewClient(nc, listener)}
	c.client.Watch = c.watch
	if !s.register(c) {
		s.options.Metrics.Refused(listener, "per_ip")
		nc.Close()
		return
	}
	if s.waitForRoom(ctx) != nil {
		s.options.Metrics.Refused(listener, "stop")
		s.forget(c)
		return
	}
	s.options.Metrics.Opened(listener)
	s.workers.Go(func() {
		reason := s.run(ctx, c)
		s.forget(c)
		s.options.Metrics.Closed(listener, reason)
	})
}

// run serves one connection. A panic while it is served ends this connection only: whatever the bytes were that led
// there, other clients have no part in it.
func (s *Server) run(ctx context.Context, c *conn) (reason string) {
	defer s.survive(c, &reason)
	err := c.serve(ctx)
	reason = whyClosed(ctx, err)
	if reason == "frame" {
		s.options.Log.Info("connection closed", "client", c.client.Address, "why", err)
	}
	return reason
}

// survive is deferred by every goroutine that runs a client's request.
func (s *Server) survive(c *conn, reason *string) {
	if broke := recover(); broke != nil {
		*reason = "panic"
		if _, ok := broke.(*invariant.Violation); ok {
			s.options.Metrics.Violated()
		} else {
			s.options.Metrics.Panicked()
		}
		s.options.Log.Error("a request broke the broker; its connection is closed",
			"client", c.client.Address, "panic", broke, "stack", string(debug.Stack()))
	}
}

// Drain waits until the connections' work is done, after the context of Serve ended: requests already read are
// answered, and idle connections are closed. It gives up, closing what is left, when ctx ends.
func (s *Server) Drain(ctx context.Context) error {
	s.draining.Store(true)
	s.each(func(c *conn) {
		c.net.SetReadDeadline(time.Now())                     //nolint:errcheck // wakes idle readers; a closed one is gone already
		c.net.SetWriteDeadline(time.Now().Add(drainPatience)) //nolint:errcheck // wakes those whose client takes nothing
	})
	done := make(chan struct{})
	go func() {
		s.workers.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.each(func(c *conn) { c.net.Close() })
		<-done
		return errors.New("connections were cut before their requests were answered")
	}
}

func (s *Server) each(do func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		do(c)
	}
}
