package server

import (
	"holdfast/internal/server/handler"
)

// maxJoined bounds the bytes of answers that are joined into one send.
const maxJoined = 64 << 10

// startWriter makes the connection's writer, if it has none yet. A connection that never waits never has one.
func (c *conn) startWriter() {
	if c.queue != nil {
		return
	}
	c.queue, c.finished = make(chan *handler.Call, maxQueued), make(chan struct{})
	c.server.workers.Go(c.writeQueued)
}

// stopWriter returns when the writer has finished what is queued, and is gone. Only then may the connection be closed.
func (c *conn) stopWriter() {
	if c.queue != nil {
		close(c.queue)
		<-c.finished
	}
}

// joined gathers answers that leave in one send.
type joined struct {
	conn  *conn
	bytes []byte
	calls int32 // answers in bytes
}

// writeQueued finishes and writes queued answers in order. Answers that are ready together leave in one send. After a
// failed send it goes on finishing, so that every call is released.
func (c *conn) writeQueued() {
	defer close(c.finished)
	out := joined{conn: c}
	for call := range c.queue {
		if !call.Ready() {
			out.send()
		}
		answer, whole := c.finish(call)
		if len(out.bytes)+len(answer) > maxJoined {
			out.send()
			c.writeOrBreak(answer)
		} else {
			out.bytes = append(out.bytes, answer...)
		}
		out.calls++
		if whole {
			c.release(call)
		} else {
			c.drop(call)
		}
		if len(c.queue) == 0 {
			out.send()
		}
	}
}

// finish waits for a call's answer. A panic there ends this connection only; the call is then not whole.
func (c *conn) finish(call *handler.Call) (answer []byte, whole bool) {
	reason := ""
	defer func() {
		if reason != "" {
			answer, whole = nil, false
			c.breakOff()
		}
	}()
	defer c.server.survive(c, &reason)
	call.Finish()
	return call.Answer(), true
}

// send writes what was gathered. Only then may the reader write again on its own: its answer is a later one.
func (j *joined) send() {
	j.conn.writeOrBreak(j.bytes)
	j.conn.queued.Add(-j.calls)
	j.bytes, j.calls = j.bytes[:0], 0
}

func (c *conn) writeOrBreak(answer []byte) {
	if c.broken.Load() {
		return
	}
	if err := c.write(answer); err != nil {
		c.breakOff()
	}
}

func (c *conn) breakOff() {
	c.broken.Store(true)
	c.net.Close() // wakes the reader
}
