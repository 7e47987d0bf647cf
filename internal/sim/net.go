package sim

import (
	"time"

	"holdfast/internal/host/partition"
	"holdfast/internal/proto/wire"
)

// conn is a connection to one life of the node. Requests arrive in the order they were sent, and are answered in it.
type conn struct {
	w        *world
	node     *node
	arrive   time.Time // of the last request
	answered time.Time // of the last answer
	requests []*request
	broken   bool // the client has given it up
}

// request is a produce request of one batch on its way.
type request struct {
	conn   *conn
	log    *plog
	batch  *batch
	acks   partition.Acks
	commit partition.Commit
	result wire.ProducePartitionResult
	synced bool // flush.messages asks for a sync before the answer, whatever the topic promises else
	open   bool // and waits for its commit
	done   func(ok bool, r *wire.ProducePartitionResult)
}

// dial connects to the node, or reports that nobody listens.
func (w *world) dial() *conn {
	if w.node == nil {
		return nil
	}
	w.conns++
	return &conn{w: w, node: w.node}
}

// alive reports whether the node of the connection still runs.
func (c *conn) alive() bool { return c.node == c.w.node }

// send sends a request; its done is called with the answer, or with false once the connection is known to be broken.
func (c *conn) send(r *request) {
	w := c.w
	r.conn = c
	at := w.now.Add(w.between(10*time.Microsecond, w.plan.delay))
	if w.plan.has(lateFault) && !w.healing && w.chance(0.01) {
		at = at.Add(w.between(0, 10*time.Second))
	}
	if at.Before(c.arrive) {
		at = c.arrive
	}
	c.arrive = at
	w.after(at.Sub(w.now), func() { c.receive(r) })
}

// receive is the node's side. A request whose connection the client has given up may arrive all the same.
func (c *conn) receive(r *request) {
	w := c.w
	if !c.alive() || c.broken && !w.plan.has(lateFault) {
		w.after(w.between(0, w.plan.delay), func() { r.finish(false) })
		return
	}
	if c.broken {
		w.counts[LateRequests]++
	}
	c.requests = append(c.requests, r)
	w.node.conns = appendOnce(w.node.conns, c)
	r.commit.Begin(1)
	if r.log.part == nil {
		r.result.Code = wire.UnknownTopicOrPartition
	} else {
		c := r.log.part.Topic.Config()
		r.synced = c.FlushMessages == 1 && !c.CommitSync
		w.append(r.log, r.batch, r.acks, &r.commit, &r.result)
	}
	r.open = !r.commit.Seal()
	if r.open {
		w.node.after(produceTimeout, func() {
			if r.open && !r.commit.Committed() {
				w.counts[TimedOut]++
				r.commit.GiveUp()
			}
		})
	}
}

// produceTimeout is what producers give the node to commit.
const produceTimeout = 1500 * time.Millisecond

func appendOnce(conns []*conn, c *conn) []*conn {
	for _, d := range conns {
		if d == c {
			return conns
		}
	}
	return append(conns, c)
}

// serve sends the answers that are ready, connection by connection, in the order of their requests.
func (n *node) serve() {
	rest := n.conns[:0]
	for _, c := range n.conns {
		for len(c.requests) > 0 {
			r := c.requests[0]
			if r.open && !r.commit.Committed() {
				break
			}
			r.open = false
			c.requests = c.requests[1:]
			c.answer(r)
		}
		if len(c.requests) > 0 {
			rest = append(rest, c)
		}
	}
	clear(n.conns[len(rest):])
	n.conns = rest
}

// answer sends one answer. What it says is judged here, where it is said.
func (c *conn) answer(r *request) {
	w := c.w
	if r.acks == partition.AcksAll && r.result.Code == wire.None {
		r.log.committed(r.batch, r.result.BaseOffset, r.synced)
	}
	at := w.now.Add(w.between(10*time.Microsecond, w.plan.delay))
	if at.Before(c.answered) {
		at = c.answered
	}
	c.answered = at
	w.after(at.Sub(w.now), func() { r.finish(c.alive()) })
}

func (r *request) finish(ok bool) { r.done(ok && !r.conn.broken, &r.result) }
