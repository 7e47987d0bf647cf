package partition

import (
	"sync"

	"holdfast/internal/base/event"
	"holdfast/internal/core/image"
	"holdfast/internal/storage/vfs"
)

// offline is why partitions of a topic that belong to this node do not serve. Where the cause may pass they are tried
// again and again, else with the next start.
type offline struct {
	mu  sync.Mutex
	why map[int32]down
}

type down struct {
	err       error
	partition *image.Partition // as it is to be opened
}

// Offline is why a partition of this node does not serve, or nil.
func (t *Topic) Offline(index int32) error {
	t.offline.mu.Lock()
	defer t.offline.mu.Unlock()
	return t.offline.why[index].err
}

// set notes why a partition is offline, or, without an error, that it is no more.
func (o *offline) set(index int32, d down) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.why == nil {
		o.why = map[int32]down{}
	}
	if o.why[index] = d; d.err == nil {
		delete(o.why, index)
	}
}

// passing lists what may open now: it was short of handles or space.
func (o *offline) passing() map[int32]*image.Partition {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[int32]*image.Partition{}
	for index, d := range o.why { // order-free
		if vfs.IsHandles(d.err) || vfs.IsFull(d.err) {
			out[index] = d.partition
		}
	}
	return out
}

// takeOffline notes and tells that a partition does not serve.
func (m *Manager) takeOffline(t *Topic, index int32, p *image.Partition, why error) {
	t.offline.set(index, down{why, p})
	m.options.Events.Emit(event.New(event.KindPartitionOffline, m.options.Now(), m.options.NodeID).
		In(t.Name, index).Text("reason", why.Error()))
}

// retryOffline opens what was offline for a cause that may have passed.
func (m *Manager) retryOffline() {
	m.following.Lock()
	defer m.following.Unlock()
	for _, t := range m.Topics() {
		for index, p := range t.offline.passing() { // order-free
			opened, err := m.open(t, index, p)
			if err != nil {
				if !vfs.IsHandles(err) && !vfs.IsFull(err) {
					m.takeOffline(t, index, p, err)
				}
				continue
			}
			now := *t.partitions.Load()
			with := make([]*Partition, len(now))
			copy(with, now)
			with[index] = opened
			t.partitions.Store(&with)
			t.offline.set(index, down{})
			m.options.Log.Info("a partition serves again", "partition", opened.String())
		}
	}
}
