package handler

import (
	"encoding/binary"
	"time"

	"holdfast/internal/host/partition"
	"holdfast/internal/proto/wire"
)

// Call is one request on its way through the broker: the frame it came in, the scratch it is worked on with, and the
// answer. It is lent by NewCall and given back by EndCall; the connection that read it owns it in between.
type Call struct {
	Frame  *Buffer // the request without its length prefix; views alias it. nil once a request waits that needs it no more
	Weight int64   // bytes taken for the frame from its budget
	Work   int64   // bytes taken for working on it
	Client *Client

	handler *Handler
	header  wire.Header
	body    []byte
	size    int     // of the frame
	answer  *Buffer // with length prefix; nil where the request gets none

	began    time.Time
	served   bool  // counted as in flight
	reserved int64 // bytes of the answer taken from their budget

	// An acks=all produce waits for its commit before it is answered.
	waits    bool
	produce  wire.Produce
	produced wire.ProduceResponse
	commit   partition.Commit

	fetch fetchScratch
}

// NewCall lends a call for a frame of size bytes, to be filled in by the caller.
func (h *Handler) NewCall(client *Client, size int, weight int64) *Call {
	call, ok := h.calls.Get().(*Call)
	if !ok {
		call = &Call{handler: h}
	}
	call.Frame, call.Client, call.Weight, call.Work = h.buffers.Get(size), client, weight, 0
	return call
}

// Grow makes room for a frame of size bytes, keeping those that are there.
func (h *Handler) Grow(c *Call, size int) {
	grown := h.buffers.Get(size)
	copy(grown.B, c.Frame.B)
	h.buffers.Put(c.Frame)
	c.Frame = grown
}

// EndCall takes a call back, its buffers with it.
func (h *Handler) EndCall(c *Call) {
	h.DropCall(c)
	h.buffers.Put(c.Frame)
	h.buffers.Put(c.answer)
	c.Frame, c.answer, c.Client, c.body, c.waits = nil, nil, nil, nil, false
	c.header = wire.Header{}
	h.calls.Put(c)
}

// DropCall ends a call that broke halfway. Somebody may still hold a part of it, so that it is never lent again.
func (h *Handler) DropCall(c *Call) {
	h.options.Answers.Give(c.reserved)
	c.reserved = 0
	if c.served {
		h.metrics.inFlight.Add(-1)
		c.served = false
	}
}

// Waits reports whether the answer must be waited for with Finish.
func (c *Call) Waits() bool { return c.waits }

// Ready reports whether Finish would return without waiting.
func (c *Call) Ready() bool { return !c.waits || c.commit.Committed() }

// Finish waits for what the answer depends on and builds it.
func (c *Call) Finish() {
	if c.waits {
		c.handler.finishProduce(c)
		c.handler.metrics.answered(c, c.handler.now().Sub(c.began))
	}
}

// Answer is the whole frame to send, or nothing where the request gets no answer.
func (c *Call) Answer() []byte {
	if c.answer == nil {
		return nil
	}
	return c.answer.B
}

// begin lends the answer's buffer, of about size bytes, and returns it with room for the length and with the header.
func (c *Call) begin(size int) []byte {
	c.answer = c.handler.buffers.Get(size + 64)
	return wire.AppendResponseHeader(append(c.answer.B[:0], 0, 0, 0, 0), c.header.Key, c.header.Version, c.header.Correlation)
}

// end makes frame, begun by begin, the answer.
func (c *Call) end(frame []byte) {
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	c.answer.B = frame
}
