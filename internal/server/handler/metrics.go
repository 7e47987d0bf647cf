package handler

import (
	"time"

	"holdfast/internal/base/metrics"
	"holdfast/internal/proto/wire"
)

// Metrics counts requests by API. Its handles are bound once, so that counting costs no look-up.
type Metrics struct {
	registry *metrics.Registry
	byKey    []apiMetrics // by API key
	panics   metrics.Counter

	inFlight, produceWaiting, fetchWaiting metrics.Gauge
	commit                                 metrics.Histogram
	sessionsEvicted                        metrics.Counter
}

type apiMetrics struct {
	name           string
	requests       metrics.Counter
	seconds        metrics.Histogram
	received, sent metrics.Counter
}

// NewMetrics binds the counters of every API in wire's table.
func NewMetrics(r *metrics.Registry) *Metrics {
	m := &Metrics{
		registry: r, panics: r.Counter(metrics.DecodePanics),
		inFlight: r.Gauge(metrics.RequestsInFlight), produceWaiting: r.Gauge(metrics.ProduceWaiting),
		fetchWaiting: r.Gauge(metrics.FetchWaiting), commit: r.Histogram(metrics.CommitSeconds),
		sessionsEvicted: r.Counter(metrics.FetchSessionsLost),
	}
	for _, api := range wire.APIs() {
		for int(api.Key) >= len(m.byKey) {
			m.byKey = append(m.byKey, apiMetrics{})
		}
		m.byKey[api.Key] = apiMetrics{
			name:     api.Name,
			requests: r.Counter(metrics.Requests, api.Name),
			seconds:  r.Histogram(metrics.RequestSeconds, api.Name),
			received: r.Counter(metrics.RequestBytes, api.Name),
			sent:     r.Counter(metrics.ResponseBytes, api.Name),
		}
	}
	return m
}

// of finds an API's metrics; those of an unknown key count nothing.
func (m *Metrics) of(key int16) *apiMetrics {
	if key < 0 || int(key) >= len(m.byKey) {
		return &apiMetrics{}
	}
	return &m.byKey[key]
}

// answered notes a request whose answer is ready.
func (m *Metrics) answered(c *Call, took time.Duration) {
	a := m.of(c.header.Key)
	a.requests.Inc()
	a.seconds.Seconds(took)
	a.received.Add(int64(len(c.Frame.B)))
	a.sent.Add(int64(len(c.Answer())))
}

// outOfRange notes a fetch for an offset that the topic does not have.
func (m *Metrics) outOfRange(topic string) { m.registry.Counter(metrics.FetchOutOfRange, topic).Inc() }

// refused notes an error code that is answered.
func (m *Metrics) refused(key int16, code wire.Code) {
	if code == wire.None {
		return
	}
	m.registry.Counter(metrics.RequestErrors, m.of(key).name, code.String()).Inc()
	if key == wire.KeyProduce {
		m.registry.Counter(metrics.BatchesRefused, code.String()).Inc()
	}
}
