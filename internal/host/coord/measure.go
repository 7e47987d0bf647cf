package coord

import "holdfast/internal/base/metrics"

// hostMetrics are the handles of what a host counts.
type hostMetrics struct {
	full    metrics.Counter
	unloads metrics.Counter
	load    metrics.Histogram
}

func (m *hostMetrics) bind(h *Host) {
	r, topic := h.o.Metrics, h.o.Kind.Topic
	m.full = r.Counter(metrics.CoordinatorFull, topic)
	m.unloads = r.Counter(metrics.CoordinatorUnloads, topic)
	m.load = r.Histogram(metrics.CoordinatorLoadSeconds, topic)
}

// Topic is the topic that the shards have their logs in.
func (h *Host) Topic() string { return h.o.Kind.Topic }

// Shards counts the shards that this node leads by what they do, and gives the length of the longest mailbox.
func (h *Host) Shards() (byState map[string]int, mailbox int) {
	byState = map[string]int{loading.String(): 0, serving.String(): 0, resting.String(): 0}
	for _, r := range h.all() {
		r.mu.Lock()
		byState[r.state.String()]++
		mailbox = max(mailbox, len(r.mail))
		r.mu.Unlock()
	}
	return byState, mailbox
}
