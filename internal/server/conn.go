package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

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

	queue  chan *handler.Call // to the writer; made with it, on the first answer that waits
	queued atomic.Int32       // calls given to the writer and not yet written
	broken atomic.Bool        // the writer failed: there is nobody to answer
}

// serve reads and answers until the client leaves, breaks the protocol, or the server stops.
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

// next reads one request frame. What does not parse as far as its header ends the connection, as in Kafka: there is no
// correlation id to answer to.
func (c *conn) next(ctx context.Context) (*handler.Call, error) {
	var prefix [8]byte // frame length, API key, version: enough to know the API's own bound
	if err := c.read(prefix[:4]); err != nil {
		return nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(prefix[:4])))
	if size < 8 {
		return nil, fmt.Errorf("frame length %d: a request has at least 8 bytes", size)
	}
	if err := c.read(prefix[4:]); err != nil {
		return nil, midFrame(err)
	}
	key := int16(binary.BigEndian.Uint16(prefix[4:]))
	weight, err := c.server.weigh(key, size)
	if err != nil {
		return nil, err
	}
	if err := c.server.requests.Acquire(ctx, weight); err != nil {
		return nil, err
	}
	call := c.server.handler.NewCall(&c.client, size, weight)
	copy(call.Frame.B, prefix[4:])
	if err := c.read(call.Frame.B[4:]); err != nil {
		c.release(call)
		return nil, midFrame(err)
	}
	return call, nil
}

// answer runs the call and writes its answer, or leaves that to the writer.
func (c *conn) answer(ctx context.Context, call *handler.Call) error {
	if err := c.server.handler.Serve(ctx, call); err != nil {
		c.release(call)
		return err
	}
	if c.broken.Load() {
		c.release(call)
		return net.ErrClosed
	}
	if !call.Waits() && c.queued.Load() == 0 {
		err := c.write(call.Answer())
		c.release(call)
		return err
	}
	c.startWriter()
	c.queued.Add(1)
	select {
	case c.queue <- call:
		return nil
	case <-ctx.Done():
		c.queued.Add(-1)
		c.release(call)
		return ctx.Err()
	}
}

func (c *conn) release(call *handler.Call) {
	c.server.requests.Release(call.Weight)
	c.server.handler.EndCall(call)
}

// read fills p, taking what was received ahead first. Only the first byte of a request may be waited for long.
func (c *conn) read(p []byte) error {
	for len(p) > 0 {
		if c.from < c.upto {
			n := copy(p, c.ahead[c.from:c.upto])
			c.from += n
			p = p[n:]
			continue
		}
		if len(p) >= len(c.ahead) {
			_, err := io.ReadFull(deadlined{c}, p)
			return err
		}
		n, err := deadlined{c}.Read(c.ahead[:])
		c.from, c.upto = 0, n
		if n == 0 && err != nil {
			return err
		}
	}
	return nil
}

// deadlined reads from the connection with the idle limit armed anew before each receive.
type deadlined struct{ c *conn }

func (d deadlined) Read(p []byte) (int, error) {
	d.c.armIdle()
	return d.c.net.Read(p)
}

func (c *conn) armIdle() {
	if idle := c.server.options.IdleLimit; idle > 0 {
		c.net.SetReadDeadline(time.Now().Add(idle)) //nolint:errcheck // a closed connection says so on the read
	}
	if c.server.draining.Load() { // looked at after arming, so that Drain's own deadline is never overwritten
		c.net.SetReadDeadline(time.Now()) //nolint:errcheck // as above
	}
}

func (c *conn) write(answer []byte) error {
	if len(answer) == 0 {
		return nil // acks=0
	}
	c.net.SetWriteDeadline(time.Now().Add(c.server.options.WriteLimit)) //nolint:errcheck // as above
	_, err := c.net.Write(answer)
	return err
}

func midFrame(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("connection ended inside a request")
	}
	return err
}

// whyClosed says how a connection ended: by the client, by a limit, by the stop of the node, or by a frame that is none.
func whyClosed(ctx context.Context, err error) string {
	var network net.Error
	switch {
	case ctx.Err() != nil:
		return "stop"
	case err == nil || errors.Is(err, io.EOF):
		return "client"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "idle"
	case errors.As(err, &network) || errors.Is(err, net.ErrClosed):
		return "error"
	default:
		return "frame"
	}
}

// weigh returns what a request of size bytes takes from the budget, or why it is refused.
func (s *Server) weigh(key int16, size int) (int64, error) {
	api, ok := wire.Lookup(key)
	if !ok {
		return 0, fmt.Errorf("request for API key %d, which this broker does not serve", key)
	}
	limit := api.FrameCap
	if limit == 0 || limit > s.options.MaxFrame {
		limit = s.options.MaxFrame
	}
	if size > limit {
		return 0, fmt.Errorf("%s request of %d bytes: the limit is %d (%s)", api.Name, size, limit, limitKey(key))
	}
	return min(int64(size)*int64(max(api.MemoryFactor, 1)), s.options.Budget), nil
}

func limitKey(key int16) string {
	if key == int16(kmsg.Produce) {
		return "socket.request.max.bytes"
	}
	return "fixed for this API"
}
