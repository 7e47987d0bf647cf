package coord

import (
	"crypto/rand"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/base/event"
	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"
)

// Host runs the shards of one kind that this node leads.
type Host struct {
	o       Options
	metrics hostMetrics
	image   atomic.Pointer[image.Image] // the newest, perhaps ahead of what the rest of the node has seen
	loads   chan struct{}               // holds one for each load that runs
	work    sync.WaitGroup
	topic   creation

	mu      sync.Mutex
	id      image.TopicID // of the topic that the runners belong to
	stopped bool
	runners atomic.Pointer[[]*runner] // by shard; nil where it is led elsewhere. Replaced under mu
}

// New returns a host that runs nothing yet.
func New(o Options) *Host {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Events == nil {
		o.Events = event.Discard
	}
	h := &Host{o: o, loads: make(chan struct{}, 2*runtime.GOMAXPROCS(0))}
	h.metrics.bind(h)
	h.image.Store(o.Image)
	h.runners.Store(new([]*runner))
	return h
}

// Start begins to load what the image gives to this node. It does not wait for it.
func (h *Host) Start() { h.reconcile() }

// Follow brings the shards to a new committed image. It is called in the image's order, after the partitions followed,
// and does not wait for anybody.
func (h *Host) Follow(after *image.Image, d image.Delta) {
	h.image.Store(after)
	var n news
	for _, c := range d.Topics {
		switch {
		case c.After == nil:
			n.deleted = append(n.deleted, shard.DeletedTopic{Name: c.Before.Name, ID: c.Before.ID})
		case c.Before == nil || len(c.Before.Partitions) != len(c.After.Partitions):
			n.changed = true
		}
		if c.Before != nil && c.Before.Name == h.o.Kind.Topic || c.After != nil && c.After.Name == h.o.Kind.Topic {
			h.reconcile()
		}
	}
	if n.changed || len(n.deleted) > 0 {
		for _, r := range h.all() {
			r.hear(n)
		}
	}
}

// reconcile has the shards run here that the image has led here.
func (h *Host) reconcile() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return
	}
	topic := h.image.Load().Topic(h.o.Kind.Topic)
	before := *h.runners.Load()
	if topic == nil || topic.ID != h.id {
		for _, r := range before {
			h.end(r)
		}
		before = nil
	}
	if topic == nil {
		h.runners.Store(new([]*runner))
		return
	}
	h.id = topic.ID
	after := make([]*runner, len(topic.Partitions))
	copy(after, before)
	for i, p := range topic.Partitions {
		switch {
		case p.Leader == h.o.NodeID && after[i] != nil:
			after[i].lead(p.LeaderEpoch)
		case p.Leader == h.o.NodeID:
			after[i] = newRunner(h, topic.ID, int32(i), p.LeaderEpoch)
			if !h.o.InOrder {
				h.work.Go(after[i].run)
			}
		case after[i] != nil:
			h.end(after[i])
			after[i] = nil
		}
	}
	h.runners.Store(&after)
}

// end ends a shard that is led here no more.
func (h *Host) end(r *runner) {
	if r == nil {
		return
	}
	r.end(ended)
	if h.o.InOrder {
		for r.turn() {
		}
	}
}

// runner finds a shard that is led here; nil where there is none.
func (h *Host) runner(index int32) *runner {
	rs := *h.runners.Load()
	if index < 0 || int(index) >= len(rs) {
		return nil
	}
	return rs[index]
}

// all lists the shards that are led here, by number.
func (h *Host) all() []*runner {
	rs := *h.runners.Load()
	out := make([]*runner, 0, len(rs))
	for _, r := range rs {
		if r != nil {
			out = append(out, r)
		}
	}
	return out
}

// ShardFor is the shard that a key belongs to; -1 while the topic does not exist.
func (h *Host) ShardFor(key string) int32 {
	topic := h.image.Load().Topic(h.o.Kind.Topic)
	if topic == nil {
		return -1
	}
	return h.o.Kind.PartitionFor(key, int32(len(topic.Partitions)))
}

// Stop refuses whoever waits, lets answers leave whose records are about to be committed, and ends every shard.
func (h *Host) Stop() {
	h.mu.Lock()
	if !h.stopped {
		h.stopped = true
		for _, r := range h.all() {
			if h.o.InOrder {
				h.end(r)
			}
			r.end(leaving)
		}
	}
	h.mu.Unlock()
	h.work.Wait()
}
