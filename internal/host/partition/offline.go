package partition

import (
	"sync"

	"holdfast/internal/base/event"
)

// offline is why partitions of a topic that belong to this node do not serve. They are tried again with the next start.
type offline struct {
	mu  sync.Mutex
	why map[int32]error
}

// Offline is why a partition of this node does not serve, or nil.
func (t *Topic) Offline(index int32) error {
	t.offline.mu.Lock()
	defer t.offline.mu.Unlock()
	return t.offline.why[index]
}

// takeOffline notes and tells that a partition does not serve.
func (m *Manager) takeOffline(t *Topic, index int32, why error) {
	t.offline.mu.Lock()
	if t.offline.why == nil {
		t.offline.why = map[int32]error{}
	}
	t.offline.why[index] = why
	t.offline.mu.Unlock()
	m.options.Events.Emit(event.New(event.KindPartitionOffline, m.options.Now(), m.options.NodeID).
		In(t.Name, index).Text("reason", why.Error()))
}
