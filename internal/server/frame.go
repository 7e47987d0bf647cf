package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/proto/wire"
	"holdfast/internal/server/handler"
)

const (
	// A request that has begun must arrive within bodyPatience, and a second more for each slowestBytes of its length.
	bodyPatience = 30 * time.Second
	slowestBytes = 16 << 10

	// memoryPatience bounds the wait of a half-read request for more memory: those who hold some and wait for more could
	// otherwise wait for each other.
	memoryPatience = 30 * time.Second

	firstPiece = 1 << 10 // bytes that a request gets before any of its body came, where memory is short
)

// next reads one request frame. What does not parse as far as its header ends the connection, as in Kafka: there is no
// correlation id to answer to.
func (c *conn) next(ctx context.Context) (*handler.Call, error) {
	c.arm(c.server.options.IdleLimit)
	if err := c.read(c.head[:4]); err != nil {
		return nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(c.head[:4])))
	if size < 8 {
		return nil, fmt.Errorf("frame length %d: a request has at least 8 bytes", size)
	}
	if c.upto-c.from < size { // else all of it is here
		c.arm(bodyPatience + time.Duration(size/slowestBytes)*time.Second)
	}
	if err := c.read(c.head[4:]); err != nil {
		return nil, midFrame(err)
	}
	work, err := c.server.weigh(int16(binary.BigEndian.Uint16(c.head[4:])), size)
	if err != nil {
		return nil, err
	}
	call, err := c.body(ctx, size)
	if err != nil {
		return nil, err
	}
	if call.Work, err = c.server.options.Work.Take(ctx, work); err != nil {
		c.release(call)
		return nil, err
	}
	return call, nil
}

// body reads the rest of a request whose key and version are in c.head. Where memory is ample it is read in one piece.
// Where it is short, what is merely announced costs nothing: the buffer grows as bytes arrive.
func (c *conn) body(ctx context.Context, size int) (*handler.Call, error) {
	room := size
	taken, ok := c.server.options.Frames.TakeFreely(int64(size))
	if !ok {
		room = min(size, firstPiece)
		var err error
		if taken, err = c.server.options.Frames.Take(ctx, int64(room)); err != nil {
			return nil, err
		}
	}
	call := c.server.handler.NewCall(&c.client, room, taken)
	filled := copy(call.Frame.B, c.head[4:])
	for {
		if err := c.read(call.Frame.B[filled:]); err != nil {
			c.release(call)
			return nil, midFrame(err)
		}
		filled = room
		if room = min(2*room, size); room == filled {
			return call, nil
		}
		if err := c.takeMore(ctx, call, int64(room)); err != nil {
			c.release(call)
			return nil, err
		}
		c.server.handler.Grow(call, room)
	}
}

// takeMore raises what the call has taken for its frame to size bytes.
func (c *conn) takeMore(ctx context.Context, call *handler.Call, size int64) error {
	budget := c.server.options.Frames
	more := min(size, budget.Limit()) - call.Weight
	if more <= 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, memoryPatience)
	defer cancel()
	taken, err := budget.Take(ctx, more)
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("too many requests are being read to read on with another one: raise memory.budget.bytes")
	}
	call.Weight += taken
	return err
}

// read fills p, taking what was received ahead first.
func (c *conn) read(p []byte) error {
	for len(p) > 0 {
		if c.from < c.upto {
			n := copy(p, c.ahead[c.from:c.upto])
			c.from += n
			p = p[n:]
			continue
		}
		if len(p) >= len(c.ahead) {
			_, err := io.ReadFull(c.net, p)
			return err
		}
		n, err := c.net.Read(c.ahead[:])
		c.from, c.upto = 0, n
		if n == 0 && err != nil {
			return err
		}
	}
	return nil
}

// arm bounds the time until the next bytes are all there; 0 or less is no bound.
func (c *conn) arm(limit time.Duration) {
	at := time.Time{}
	if limit > 0 {
		at = time.Now().Add(limit)
	}
	c.net.SetReadDeadline(at)     //nolint:errcheck // a closed connection says so on the read
	if c.server.draining.Load() { // looked at after arming, so that Drain's own deadline is never overwritten
		c.net.SetReadDeadline(time.Now()) //nolint:errcheck // as above
	}
}

// midFrame says what an error of a read means inside a request.
func midFrame(err error) error {
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("connection ended inside a request")
	case isTimeout(err):
		return errSlow
	default:
		return err
	}
}

// weigh returns what working on a request of size bytes may take besides its frame, or why it is refused.
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
	return api.Memory(size) - int64(size), nil
}

func limitKey(key int16) string {
	if key == int16(kmsg.Produce) {
		return "socket.request.max.bytes"
	}
	return "fixed for this API"
}
