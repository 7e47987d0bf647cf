package handler

import (
	"sync/atomic"
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

	decision                               metrics.Histogram
	decided, decisionRefused, decisionLost metrics.Counter
}

type apiMetrics struct {
	name           string
	requests       metrics.Counter
	seconds        metrics.Histogram
	received, sent metrics.Counter
	errors         *[errorCodes]atomic.Pointer[metrics.Counter] // by code; bound when first answered
}

// errorCodes is how many codes are counted without a look-up; Kafka has fewer, from -1 on.
const errorCodes = 160

// NewMetrics binds the counters of every API in wire's table.
func NewMetrics(r *metrics.Registry) *Metrics {
	m := &Metrics{
		registry: r, panics: r.Counter(metrics.DecodePanics),
		inFlight: r.Gauge(metrics.RequestsInFlight), produceWaiting: r.Gauge(metrics.ProduceWaiting),
		fetchWaiting: r.Gauge(metrics.FetchWaiting), commit: r.Histogram(metrics.CommitSeconds),
		sessionsEvicted: r.Counter(metrics.FetchSessionsLost),
		decision:        r.Histogram(metrics.QuorumCommitSeconds), decided: r.Counter(metrics.QuorumProposals, "ok"),
		decisionRefused: r.Counter(metrics.QuorumProposals, "refused"), decisionLost: r.Counter(metrics.QuorumProposals, "lost"),
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
			errors:   new([errorCodes]atomic.Pointer[metrics.Counter]),
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
	a.received.Add(int64(c.size))
	a.sent.Add(int64(len(c.Answer())))
}

// outOfRange notes a fetch for an offset that the topic does not have.
func (m *Metrics) outOfRange(topic string) { m.registry.Counter(metrics.FetchOutOfRange, topic).Inc() }

// refused notes an error code that is answered.
func (m *Metrics) refused(key int16, code wire.Code) {
	if code == wire.None {
		return
	}
	m.failed(m.of(key), code).Inc()
	if key == wire.KeyProduce {
		m.registry.Counter(metrics.BatchesRefused, code.String()).Inc()
	}
}

// failed finds the counter of an API's error. A request may name a hundred thousand partitions that are not there.
func (m *Metrics) failed(a *apiMetrics, code wire.Code) metrics.Counter {
	at := int(code) + 1
	if a.errors == nil || at < 0 || at >= errorCodes {
		return m.registry.Counter(metrics.RequestErrors, a.name, code.String())
	}
	if c := a.errors[at].Load(); c != nil {
		return *c
	}
	c := m.registry.Counter(metrics.RequestErrors, a.name, code.String())
	a.errors[at].Store(&c)
	return c
}
