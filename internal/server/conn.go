package server

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"holdfast/internal/proto/wire"
	"holdfast/internal/server/handler"
)

// maxQueued bounds the answers that wait on one connection: the reader stops reading beyond it.
const maxQueued = 64

// conn is one client connection. Its fields belong to the reading goroutine unless said otherwise.
type conn struct {
	server *Server
	net    net.Conn
	client handler.Client

	ahead      [512]byte // bytes received but not yet consumed: a small request arrives in one receive
	from, upto int
	head       [8]byte // of the request being read: length, API key, version

	queue    chan *handler.Call // to the writer; made with it, on the first answer that waits
	finished chan struct{}      // the writer ended
	queued   atomic.Int32       // calls given to the writer and not yet written
	broken   atomic.Bool        // the writer failed: there is nobody to answer
}

// serve reads and answers until the client leaves, breaks the protocol, or the server stops. When it returns, all that
// was read is answered.
func (c *conn) serve(ctx context.Context) error {
	defer c.stopWriter()
	for {
		call, err := c.next(ctx)
		if err != nil {
			return err
		}
		if err := c.answer(ctx, call); err != nil {
			return err
		}
	}
}

// answer runs the call and writes its answer, or leaves that to the writer.
func (c *conn) answer(ctx context.Context, call *handler.Call) (err error) {
	ours, whole := true, false
	defer func() {
		switch {
		case !whole: // a panic
			c.drop(call)
		case ours:
			c.release(call)
		}
	}()
	err = c.server.handler.Serve(ctx, call)
	if err == nil && c.broken.Load() {
		err = net.ErrClosed
	}
	switch {
	case call.Waits() || err == nil && c.queued.Load() > 0:
		c.startWriter()
		c.queued.Add(1)
		c.queue <- call // the writer takes it, at the latest when the call in front has timed out
		ours = false
	case err == nil:
		err = c.write(call.Answer())
	}
	whole = true
	return err
}

// release gives back what the call took.
func (c *conn) release(call *handler.Call) {
	c.give(call)
	c.server.handler.EndCall(call)
}

// drop is release for a call that broke: partitions may still point into it, so it is not used again.
func (c *conn) drop(call *handler.Call) {
	c.give(call)
	c.server.handler.DropCall(call)
}

func (c *conn) give(call *handler.Call) {
	c.server.options.Frames.Give(call.Weight)
	c.server.options.Work.Give(call.Work)
}

func (c *conn) write(answer []byte) error {
	now := time.Now()
	for moved := now; len(answer) > 0; { // acks=0 has none
		c.net.SetWriteDeadline(now.Add(min(writeStep, c.server.patience()))) //nolint:errcheck // a closed connection says so on the write
		n, err := c.net.Write(answer)
		if answer = answer[n:]; err == nil {
			return nil
		}
		if !isTimeout(err) {
			return err
		}
		if now = time.Now(); n > 0 {
			moved = now
		}
		if now.Sub(moved) >= c.server.patience() {
			return errSlow
		}
	}
	return nil
}

// A client that takes nothing of its answer is looked at every writeStep. Where answers have little memory left it is
// cut off after shortPatience, and where others wait for that memory after queuePatience; where the node stops, after
// drainPatience.
const (
	writeStep     = 250 * time.Millisecond
	shortPatience = 1500 * time.Millisecond
	queuePatience = 500 * time.Millisecond
	drainPatience = 300 * time.Millisecond
)

func (s *Server) patience() time.Duration {
	switch {
	case s.draining.Load():
		return drainPatience
	case s.options.Answers.Ample():
		return s.options.WriteLimit
	case s.options.Answers.Wanted():
		return min(s.options.WriteLimit, queuePatience)
	default:
		return min(s.options.WriteLimit, shortPatience)
	}
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// errSlow ends a connection whose client does not take its answers, or does not send what it announced.
var errSlow = errors.New("the client is too slow")

// whyClosed says how a connection ended: by the client, by a limit, by the stop of the node, or by a frame that is none.
func whyClosed(ctx context.Context, err error) string {
	var network net.Error
	switch {
	case ctx.Err() != nil:
		return "stop"
	case err == nil || errors.Is(err, io.EOF):
		return "client"
	case errors.Is(err, errSlow):
		return "slow"
	case errors.Is(err, wire.ErrPanic):
		return "panic"
	case isTimeout(err):
		return "idle"
	case errors.As(err, &network) || errors.Is(err, net.ErrClosed):
		return "error"
	default:
		return "frame"
	}
}
