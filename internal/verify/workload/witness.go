package workload

import (
	"context"
	"encoding/binary"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/proto/wire"
	"holdfast/internal/verify/check"
)

// Witness watches the bytes between a producer and its brokers, to tell a record that is surely not in the log from one
// that may be.
//
// It knows partitions, not records: a doubt about one record of a partition is shared by all that were on their way
// there at that time. Partitions are told apart by number only, so a client that it watches writes to one topic.
type Witness struct {
	mu         sync.Mutex
	clock      uint64 // rises by one an event
	partitions map[int32]*witnessed
}

// witnessed holds, for one partition, the clock of the last event of a kind.
type witnessed struct {
	sent     uint64 // a Produce request with it was written
	doubtful uint64 // an answer left open whether it was appended, or no answer can come any more
	inflight int    // requests written and not answered
}

// NewWitness makes a witness for the connections of one client.
func NewWitness() *Witness { return &Witness{partitions: map[int32]*witnessed{}} }

// Now is to be taken before a record is handed to the client, and given to Result when it was not acked.
func (w *Witness) Now() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

// Result says what is known of a record of partition that was handed over at since and was not acked: check.Refused or
// check.Unsure.
func (w *Witness) Result(partition int32, since uint64) check.Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.partitions[partition]
	switch {
	case p == nil || p.sent <= since:
		return check.Refused // it never left
	case p.inflight > 0 || p.doubtful > since:
		return check.Unsure
	}
	return check.Refused // every answer since was a refusal
}

// Dial opens connections, as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, host string) (net.Conn, error)

// Watch is dial with the witness on every connection.
func (w *Witness) Watch(dial Dial) Dial {
	return func(ctx context.Context, network, host string) (net.Conn, error) {
		conn, err := dial(ctx, network, host)
		if err != nil {
			return nil, err
		}
		return &watchedConn{Conn: conn, witness: w, waiting: map[int32]waiting{}}, nil
	}
}

// waiting is a Produce request without an answer yet.
type waiting struct {
	version    int16
	partitions []int32
}

// watchedConn reads along on one connection. Its own fields are guarded by witness.mu.
type watchedConn struct {
	net.Conn
	witness       *Witness
	writes, reads frames
	waiting       map[int32]waiting // by correlation id
}

func (c *watchedConn) Write(p []byte) (int, error) {
	c.witness.mu.Lock()
	c.writes.add(p, c.request)
	c.witness.mu.Unlock()
	n, err := c.Conn.Write(p)
	if err != nil {
		c.lost()
	}
	return n, err
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.witness.mu.Lock()
	c.reads.add(p[:n], c.response)
	c.witness.mu.Unlock()
	if err != nil {
		c.lost()
	}
	return n, err
}

func (c *watchedConn) Close() error {
	c.lost()
	return c.Conn.Close()
}

// lost marks everything without an answer as doubtful: none can come any more.
func (c *watchedConn) lost() {
	c.witness.mu.Lock()
	defer c.witness.mu.Unlock()
	c.witness.clock++
	for id, w := range c.waiting {
		c.answered(w)
		c.doubt(w.partitions...)
		delete(c.waiting, id)
	}
}

func (c *watchedConn) answered(w waiting) {
	for _, p := range w.partitions {
		c.witness.partition(p).inflight--
	}
}

func (c *watchedConn) doubt(partitions ...int32) {
	for _, p := range partitions {
		c.witness.partition(p).doubtful = c.witness.clock
	}
}

func (w *Witness) partition(p int32) *witnessed {
	if w.partitions[p] == nil {
		w.partitions[p] = &witnessed{}
	}
	return w.partitions[p]
}

// request notes which partitions a Produce request carries. Other requests are of no interest.
func (c *watchedConn) request(frame []byte) {
	if len(frame) < 10 || binary.BigEndian.Uint16(frame) != uint16(kmsg.Produce) {
		return
	}
	req := kmsg.ProduceRequest{Version: int16(binary.BigEndian.Uint16(frame[2:]))}
	id, body := int32(binary.BigEndian.Uint32(frame[4:])), frame[8:]
	if n := int16(binary.BigEndian.Uint16(body)); n > 0 { // the client id
		body = body[min(int(n), len(body)-2):]
	}
	body = body[2:]
	if req.IsFlexible() && len(body) > 0 {
		body = body[1:] // the client sends no tagged header fields
	}
	if req.UnsafeReadFrom(body) != nil {
		return
	}
	w := waiting{version: req.Version}
	c.witness.clock++
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			seen := c.witness.partition(p.Partition)
			seen.sent = c.witness.clock
			if req.Acks == 0 {
				seen.doubtful = c.witness.clock // no answer will ever come
				continue
			}
			seen.inflight++
			w.partitions = append(w.partitions, p.Partition)
		}
	}
	if req.Acks != 0 {
		c.waiting[id] = w
	}
}

// response notes what a Produce request was answered.
func (c *watchedConn) response(frame []byte) {
	if len(frame) < 4 {
		return
	}
	id := int32(binary.BigEndian.Uint32(frame))
	w, ok := c.waiting[id]
	if !ok {
		return
	}
	delete(c.waiting, id)
	c.witness.clock++
	c.answered(w)
	resp, body := kmsg.ProduceResponse{Version: w.version}, frame[4:]
	if resp.IsFlexible() && len(body) > 0 {
		body = body[1:]
	}
	if resp.ReadFrom(body) != nil {
		c.doubt(w.partitions...)
		return
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if leavesDoubt(p.ErrorCode) {
				c.doubt(p.Partition)
			}
		}
	}
}

// leavesDoubt tells the answers after which the batch may be in the log all the same, among them every one that nobody
// has classified.
func leavesDoubt(code int16) bool {
	class, known := wire.Answers(wire.KeyProduce, wire.Code(code))
	return !known || class.Outcome == wire.Unknown
}

// frames cuts a stream into Kafka's length-prefixed frames.
type frames struct{ rest []byte }

func (f *frames) add(p []byte, each func(frame []byte)) {
	if len(f.rest) > 0 {
		f.rest = append(f.rest, p...)
		p = f.rest
	}
	for len(p) >= 4 {
		size := int(int32(binary.BigEndian.Uint32(p)))
		if size < 0 || len(p)-4 < size {
			break
		}
		each(p[4 : 4+size])
		p = p[4+size:]
	}
	f.rest = append(f.rest[:0], p...)
}
