package sim

import (
	"fmt"
	"time"

	"holdfast/internal/host/partition"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
)

// producer is a client that writes to one partition: a queue of batches that are sent in order, up to five at once. When
// anything goes wrong it connects anew and sends again all that was not acknowledged.
type producer struct {
	w          *world
	name       string
	log        *plog
	acks       partition.Acks
	idempotent bool
	retries    bool

	id  int64 // -1: none yet
	seq int32

	queue  []*batch
	sent   int // of the queue, so many are on the way
	conn   *conn
	acked  int64 // the log was acknowledged up to here
	shaken bool  // records that it knows of were lost, and may be: the topic does not promise to keep them
	waits  bool  // for an id, or to connect again

	healthy int // batches acknowledged since healing began
}

// batch is one record batch.
type batch struct {
	bytes    record.Batch
	records  []int64
	once     bool  // of an idempotent producer: must not be there twice, nor out of order
	producer int64 // its id, -1 for a plain one
}

const inFlight = 5 // what the broker's memory of five batches is made for

func (w *world) newProducer(i int) *producer {
	p := &producer{
		w: w, name: fmt.Sprintf("producer-%d", i), id: -1,
		acks: partition.AcksAll, idempotent: w.chance(0.6), retries: w.chance(0.9),
	}
	if p.idempotent {
		p.retries = true
	} else {
		p.acks = pick(w, []partition.Acks{partition.AcksAll, partition.AcksAll, partition.AcksLeader, partition.AcksNone})
	}
	w.after(w.about(w.plan.rate), p.tick)
	return p
}

// tick makes a batch now and then.
func (p *producer) tick() {
	p.w.after(p.w.about(p.w.plan.rate), p.tick)
	if p.log == nil || p.log.gone {
		p.choose()
	}
	if p.log == nil || len(p.queue) >= inFlight || p.idempotent && p.id < 0 {
		p.send()
		return
	}
	p.queue = append(p.queue, p.make())
	p.send()
}

// choose looks for a partition to write to.
func (p *producer) choose() {
	p.reset()
	p.log = nil
	if logs := p.w.truth.logs; len(logs) > 0 {
		p.log = pick(p.w, logs)
		p.acked, p.shaken = 0, false
	}
}

// reset forgets everything on the way, and the identity.
func (p *producer) reset() {
	p.hangUp()
	p.queue, p.id, p.seq = nil, -1, 0
}

func (p *producer) hangUp() {
	if p.conn != nil {
		p.conn.broken = true
	}
	p.conn, p.sent = nil, 0
}

func (p *producer) make() *batch {
	w := p.w
	o := record.BuilderOptions{}
	if p.idempotent {
		o = record.BuilderOptions{Idempotent: true, ProducerID: p.id, BaseSequence: p.seq}
	}
	b := &batch{once: p.idempotent, producer: p.id}
	build := record.NewBuilder(o)
	for range 1 + w.rand.IntN(4) {
		w.serial++
		if err := build.Append(w.now.UnixMilli(), nil, content(w.serial)); err != nil {
			panic(err)
		}
		b.records = append(b.records, w.serial)
		if p.idempotent {
			w.writers[w.serial] = p.id
		}
	}
	p.seq += int32(len(b.records))
	b.bytes = build.Build()
	return b
}

// send sends what is to be sent.
func (p *producer) send() {
	w := p.w
	if p.log == nil || p.waits {
		return
	}
	if p.idempotent && p.id < 0 {
		p.askForID()
		return
	}
	if p.conn != nil && !p.conn.alive() {
		p.hangUp()
	}
	if p.sent == len(p.queue) {
		return
	}
	if p.conn == nil {
		if p.conn = w.dial(); p.conn == nil {
			p.again()
			return
		}
	}
	for ; p.sent < len(p.queue); p.sent++ {
		p.request(p.queue[p.sent])
	}
}

func (p *producer) request(b *batch) {
	conn := p.conn
	conn.send(&request{log: p.log, batch: b, acks: p.acks, done: func(ok bool, r *wire.ProducePartitionResult) {
		if p.conn == conn {
			p.answered(ok, r)
		}
	}})
}

// again connects once more after a while.
func (p *producer) again() {
	p.hangUp()
	p.waits = true
	p.w.after(p.w.between(20*time.Millisecond, 300*time.Millisecond), func() {
		p.waits = false
		p.send()
	})
}

func (p *producer) askForID() {
	n := p.w.node
	p.waits = true
	if n == nil {
		p.again()
		return
	}
	got := false
	n.producerID(func(id int64, ok bool) {
		if got || !ok {
			return
		}
		got = true
		if p.w.truth.ids[id] {
			violate("producer id %d was given out twice", id)
		}
		p.w.truth.ids[id] = true
		p.w.counts[NewProducerIDs]++
		p.id = id
	})
	p.again() // whether it came or not: look then
}

// answered takes the answer to the oldest batch on the way.
func (p *producer) answered(ok bool, r *wire.ProducePartitionResult) {
	w := p.w
	w.note("answer", p.name, r.BaseOffset, int64(r.Code))
	switch {
	case !ok:
	case r.Code == wire.None:
		p.acknowledged(r)
		return
	case r.Code == wire.OutOfOrderSequenceNumber || r.Code == wire.InvalidProducerEpoch:
		// The oldest batch not acknowledged follows the newest that was: the node may refuse it only if that is lost.
		if !p.shaken {
			violate("%v: %s, whose records up to %d were acknowledged, is told %v", p.log, p.name, p.acked, r.Code)
		}
		p.reset()
		p.shaken = false
	case r.Code == wire.UnknownTopicOrPartition || r.Code == wire.NotLeaderOrFollower || r.Code == wire.KafkaStorageError || r.Code == wire.RequestTimedOut:
		w.counts[Refused]++
	default:
		violate("%v: %s was answered %v", p.log, p.name, r.Code)
	}
	if !p.retries {
		p.queue = nil
	}
	p.again()
}

func (p *producer) acknowledged(r *wire.ProducePartitionResult) {
	b := p.queue[0]
	p.queue, p.sent = p.queue[1:], p.sent-1
	if p.w.healing {
		p.healthy++
	}
	if p.acks != partition.AcksNone {
		p.acked = max(p.acked, r.BaseOffset+int64(len(b.records)))
		p.w.counts[Acked]++
	}
	p.send()
}
