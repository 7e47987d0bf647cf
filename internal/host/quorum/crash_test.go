package quorum

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/core/image"
	"holdfast/internal/storage/vfs"
)

// promises is what a client was told and holds the node to.
type promises struct {
	topics      map[string]image.TopicID // created
	gone        map[image.TopicID]bool   // deleted
	doubtful    map[string]bool          // asked for, not answered: may be or not
	producerID  int64                    // the next id nobody was given
	brokerEpoch int64
	ids         map[image.TopicID]string // every id ever told
}

func newPromises() *promises {
	return &promises{topics: map[string]image.TopicID{}, gone: map[image.TopicID]bool{}, doubtful: map[string]bool{}, ids: map[image.TopicID]string{}}
}

func (p *promises) clone() *promises {
	c := *p
	c.topics, c.gone, c.doubtful, c.ids = maps.Clone(p.topics), maps.Clone(p.gone), maps.Clone(p.doubtful), maps.Clone(p.ids)
	return &c
}

// check holds an image against the promises.
func (p *promises) check(t *testing.T, img *image.Image) {
	t.Helper()
	for name, id := range p.topics { // order-free
		if topic := img.Topic(name); (topic == nil || topic.ID != id) && !p.doubtful[name] {
			t.Fatalf("topic %s with id %v was acknowledged; now it is %+v", name, id, topic)
		}
	}
	for topic := range img.Topics() {
		if p.gone[topic.ID] {
			t.Fatalf("topic %s was deleted and is back", topic.Name)
		}
		if p.topics[topic.Name] != topic.ID && !p.doubtful[topic.Name] {
			t.Fatalf("topic %s with id %v: nobody made it", topic.Name, topic.ID)
		}
		if len(topic.Partitions) != 2 {
			t.Fatalf("topic %s has %d partitions: half a batch was applied", topic.Name, len(topic.Partitions))
		}
	}
	if img.NextProducerID() < p.producerID {
		t.Fatalf("producer ids up to %d were given out; %d would be next", p.producerID, img.NextProducerID())
	}
}

// client does one thing after the other and remembers what it was told.
type client struct {
	t    *testing.T
	mu   sync.Mutex // guards p: a crash may be taken at any moment
	p    *promises
	rand *rand.Rand
	life byte
	n    int
}

func (c *client) promises() *promises {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.p.clone()
}

func (c *client) note(f func(p *promises)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c.p)
}

// work registers the broker, then makes and deletes topics and takes producer ids; it ends early with the driver.
func (c *client) work(d *Driver, steps int) {
	reply, err := d.Propose(context.Background(), register(1, c.life))
	if err != nil {
		return
	}
	epoch := reply.(*kmsg.BrokerRegistrationResponse).BrokerEpoch
	if epoch <= c.p.brokerEpoch {
		c.t.Fatalf("broker epoch %d after %d", epoch, c.p.brokerEpoch)
	}
	c.note(func(p *promises) { p.brokerEpoch = epoch })
	for range steps {
		c.n++
		switch c.rand.IntN(4) {
		case 0:
			err = c.allocate(d, epoch)
		case 1:
			err = c.remove(d)
		default:
			err = c.create(d)
		}
		if err != nil {
			return
		}
	}
}

func (c *client) create(d *Driver) error {
	req := create(fmt.Sprintf("life%d-t%d", c.life, c.n), fmt.Sprintf("life%d-u%d", c.life, c.n))
	c.note(func(p *promises) {
		for i := range req.Topics {
			req.Topics[i].NumPartitions = 2
			p.doubtful[req.Topics[i].Topic] = true
		}
	})
	reply, err := d.Propose(context.Background(), req)
	if err != nil {
		return err
	}
	c.note(func(p *promises) {
		for _, topic := range reply.(*kmsg.CreateTopicsResponse).Topics {
			id := image.TopicID(topic.TopicID)
			if topic.ErrorCode != 0 || p.ids[id] != "" {
				c.t.Fatalf("create %s: code %d, id %v was that of %q", topic.Topic, topic.ErrorCode, id, p.ids[id])
			}
			p.topics[topic.Topic], p.ids[id] = id, topic.Topic
			delete(p.doubtful, topic.Topic)
		}
	})
	return nil
}

func (c *client) remove(d *Driver) error {
	p := c.promises()
	for name, id := range p.topics { // order-free
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.Version = 6
		req.Topics = []kmsg.DeleteTopicsRequestTopic{{TopicID: id}}
		c.note(func(p *promises) { p.doubtful[name] = true })
		reply, err := d.Propose(context.Background(), req)
		if err != nil {
			return err
		}
		c.note(func(p *promises) {
			if code := reply.(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode; code != 0 && code != 100 {
				c.t.Fatalf("delete %s: code %d", name, code)
			}
			delete(p.topics, name)
			delete(p.doubtful, name)
			p.gone[id] = true
		})
		return nil
	}
	return nil
}

func (c *client) allocate(d *Driver, epoch int64) error {
	req := kmsg.NewPtrAllocateProducerIDsRequest()
	req.BrokerID, req.BrokerEpoch = 1, epoch
	reply, err := d.Propose(context.Background(), req)
	if err != nil {
		return err
	}
	r := reply.(*kmsg.AllocateProducerIDsResponse)
	c.note(func(p *promises) {
		if r.ErrorCode != 0 || r.ProducerIDStart < p.producerID {
			c.t.Fatalf("code %d: producer ids from %d, when all below %d were given out", r.ErrorCode, r.ProducerIDStart, p.producerID)
		}
		p.producerID = r.ProducerIDStart + int64(r.ProducerIDLen)
	})
	return nil
}

func crashOptions(fs vfs.FS, seed uint64) Options {
	o := options(fs)
	o.SnapshotEvery, o.Random = 6, seeded(seed)
	return o
}

// TestCrashAtEveryOperation cuts the power after every change of the disk, in every way, and starts again.
func TestCrashAtEveryOperation(t *testing.T) {
	mem := vfs.NewMem()
	c := &client{t: t, p: newPromises(), rand: rand.New(rand.NewPCG(1, 1)), life: 1}
	type moment struct {
		disk *vfs.Mem
		p    *promises
		op   vfs.Op
	}
	var moments []moment
	mem.Observe(func(op vfs.Op, done bool) {
		if done { // what is before an operation was after the one before
			moments = append(moments, moment{mem.Clone(), c.promises(), op})
		}
	})
	d := start(t, crashOptions(mem, 1))
	c.work(d, 40)
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if len(moments) < 100 || len(c.p.topics) < 10 || len(c.p.gone) == 0 || c.p.producerID == 0 {
		t.Fatalf("too little happened: %d moments, %+v", len(moments), c.p)
	}
	for i, m := range moments {
		for _, mode := range vfs.CrashModes() {
			t.Run(fmt.Sprintf("%d-%v-%v", i, m.op.Kind, mode), func(t *testing.T) {
				disk := m.disk.CrashClone(mode, uint64(i))
				d, err := Open(crashOptions(disk, uint64(1000+i)))
				if err != nil {
					t.Fatal(err)
				}
				if err := d.Start(); err != nil {
					t.Fatal(err)
				}
				m.p.check(t, d.Image())
				after := &client{t: t, p: m.p.clone(), rand: rand.New(rand.NewPCG(2, uint64(i))), life: 2}
				after.work(d, 3)
				after.p.check(t, d.Image())
				if err := d.Stop(); err != nil {
					t.Fatal(err)
				}
			})
			if t.Failed() {
				return
			}
		}
	}
}

// TestManyLives crashes one node again and again, at any operation and by failing syncs, and goes on with what is left.
func TestManyLives(t *testing.T) {
	seeds := 12
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(uint64(seed), 3))
		c := &client{t: t, p: newPromises(), rand: r}
		disk := vfs.NewMem()
		for life := range 12 {
			c.life = byte(life + 1)
			faulty := vfs.NewFaulty(disk, nil)
			d, err := Open(crashOptions(faulty, uint64(seed*100+life)))
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Start(); err != nil {
				t.Fatal(err)
			}
			c.p.check(t, d.Image())
			settle(c.p, d.Image())
			var left *vfs.Mem
			var told *promises // until the power went
			if r.IntN(3) == 0 {
				faulty.Decide(vfs.FailFrom(faulty.Ops()+int64(r.IntN(60)), errors.New("I/O error")))
			} else {
				at := disk.Ops() + int64(r.IntN(60))
				disk.Observe(func(op vfs.Op, done bool) {
					if left == nil && op.N >= at {
						left, told = disk.Clone(), c.promises()
						faulty.Decide(vfs.FailFrom(0, errors.New("the power is gone")))
					}
				})
			}
			c.work(d, 25)
			_ = d.Stop()
			disk.Observe(nil)
			if left == nil {
				left, told = disk, c.p
			}
			c.p = told
			disk = left.CrashClone(vfs.CrashModes()[r.IntN(4)], r.Uint64())
		}
	}
}

// settle turns doubt into knowledge: what the image shows after a restart is committed.
func settle(p *promises, img *image.Image) {
	for name := range p.doubtful { // order-free
		if topic := img.Topic(name); topic != nil {
			p.topics[name] = topic.ID
		} else {
			delete(p.topics, name)
		}
	}
	clear(p.doubtful)
}
