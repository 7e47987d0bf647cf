package metrics

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"holdfast/internal/base/invariant"
)

// Type is how a metric behaves.
type Type uint8

// The types. A Collected one is a gauge whose values are asked for at the scrape.
const (
	TypeCounter Type = iota
	TypeGauge
	TypeHistogram
	TypeCollected
)

// String is Prometheus's name of the type.
func (t Type) String() string {
	return [...]string{"counter", "gauge", "histogram", "gauge"}[t]
}

// Def is one metric of the list. Treat it as read-only.
type Def struct {
	Name    string // with its unit: _seconds, _bytes, _total
	Type    Type
	Help    string
	Labels  []string
	Buckets []float64 // upper bounds of a histogram, in the unit of the name
}

// Registry holds one node's metrics.
type Registry struct {
	prom       *prometheus.Registry
	counters   map[*Def]*prometheus.CounterVec
	gauges     map[*Def]*prometheus.GaugeVec
	histograms map[*Def]*prometheus.HistogramVec
}

// New makes a registry with every metric of the list in it, and the process's own (process_*, go_*).
// Metrics without labels are there from the start at zero; those with labels appear with their first handle.
func New() *Registry {
	r := &Registry{
		prom: prometheus.NewRegistry(), counters: map[*Def]*prometheus.CounterVec{},
		gauges: map[*Def]*prometheus.GaugeVec{}, histograms: map[*Def]*prometheus.HistogramVec{},
	}
	r.prom.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, d := range All() {
		r.declare(d)
	}
	return r
}

func (r *Registry) declare(d *Def) {
	switch d.Type {
	case TypeCounter:
		r.counters[d] = prometheus.NewCounterVec(prometheus.CounterOpts{Name: d.Name, Help: d.Help}, d.Labels)
		r.prom.MustRegister(r.counters[d])
	case TypeGauge:
		r.gauges[d] = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: d.Name, Help: d.Help}, d.Labels)
		r.prom.MustRegister(r.gauges[d])
	case TypeHistogram:
		r.histograms[d] = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: d.Name, Help: d.Help, Buckets: d.Buckets}, d.Labels)
		r.prom.MustRegister(r.histograms[d])
	}
	if len(d.Labels) > 0 {
		return
	}
	switch d.Type {
	case TypeCounter:
		r.Counter(d)
	case TypeGauge:
		r.Gauge(d)
	case TypeHistogram:
		r.Histogram(d)
	}
}

// Counter is the handle of one series; two calls with the same labels give the same series.
func (r *Registry) Counter(d *Def, labels ...string) Counter {
	check(d, TypeCounter, labels)
	return Counter{r.counters[d].WithLabelValues(labels...)}
}

// Gauge is the handle of one series.
func (r *Registry) Gauge(d *Def, labels ...string) Gauge {
	check(d, TypeGauge, labels)
	return Gauge{r.gauges[d].WithLabelValues(labels...)}
}

// Histogram is the handle of one series.
func (r *Registry) Histogram(d *Def, labels ...string) Histogram {
	check(d, TypeHistogram, labels)
	return Histogram{r.histograms[d].WithLabelValues(labels...)}
}

// Delete forgets one series, such as that of a topic that was deleted. A handle of it counts on unseen.
func (r *Registry) Delete(d *Def, labels ...string) {
	switch d.Type {
	case TypeCounter:
		r.counters[d].DeleteLabelValues(labels...)
	case TypeGauge:
		r.gauges[d].DeleteLabelValues(labels...)
	case TypeHistogram:
		r.histograms[d].DeleteLabelValues(labels...)
	}
}

// Collect has collect called at every scrape; it calls emit once for each series. It runs on the goroutine of the
// scrape, while scrapes may overlap. A second Collect of the same metric is a bug and panics.
func (r *Registry) Collect(d *Def, collect func(emit func(value float64, labels ...string))) {
	invariant.That(d.Type == TypeCollected, "metrics: %s is not a collected metric", d.Name)
	r.prom.MustRegister(&collected{prometheus.NewDesc(d.Name, d.Help, d.Labels, nil), d, collect})
}

// GaugeFunc is Collect for a metric without labels.
func (r *Registry) GaugeFunc(d *Def, value func() float64) {
	r.Collect(d, func(emit func(float64, ...string)) { emit(value()) })
}

// Handler serves the registry in Prometheus's and OpenMetrics' text format.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.prom, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorHandling: promhttp.ContinueOnError})
}

// Gatherer gives tests the current values.
func (r *Registry) Gatherer() prometheus.Gatherer { return r.prom }

func check(d *Def, t Type, labels []string) {
	invariant.That(d.Type == t && len(labels) == len(d.Labels), "metrics: %s is a %s with labels %v, not a %s with %d", d.Name, d.Type, d.Labels, t, len(labels))
}

type collected struct {
	desc    *prometheus.Desc
	def     *Def
	collect func(emit func(value float64, labels ...string))
}

func (c *collected) Describe(out chan<- *prometheus.Desc) { out <- c.desc }

func (c *collected) Collect(out chan<- prometheus.Metric) {
	c.collect(func(value float64, labels ...string) {
		m, err := prometheus.NewConstMetric(c.desc, prometheus.GaugeValue, value, labels...)
		if err != nil {
			m = prometheus.NewInvalidMetric(c.desc, fmt.Errorf("collect %s: %w", c.def.Name, err))
		}
		out <- m
	})
}

// Counter only grows. Its methods are safe for many goroutines and allocate nothing.
// The zero Counter counts nothing, for code that is tested without a registry.
type Counter struct{ c prometheus.Counter }

// Inc adds one.
func (c Counter) Inc() {
	if c.c != nil {
		c.c.Inc()
	}
}

// Add adds n, which must not be negative.
func (c Counter) Add(n int64) {
	if c.c != nil {
		c.c.Add(float64(n))
	}
}

// Gauge goes up and down. Its methods are safe for many goroutines and allocate nothing.
// The zero Gauge shows nothing.
type Gauge struct{ g prometheus.Gauge }

// Set replaces the value.
func (g Gauge) Set(v float64) {
	if g.g != nil {
		g.g.Set(v)
	}
}

// Add adds n, which may be negative.
func (g Gauge) Add(n int64) {
	if g.g != nil {
		g.g.Add(float64(n))
	}
}

// Histogram sorts observations into buckets. Its methods are safe for many goroutines and allocate nothing.
// The zero Histogram sees nothing.
type Histogram struct{ h prometheus.Observer }

// Seconds observes a duration.
func (h Histogram) Seconds(d time.Duration) {
	if h.h != nil {
		h.h.Observe(d.Seconds())
	}
}

// Observe observes a plain number in the unit of the metric's name.
func (h Histogram) Observe(v float64) {
	if h.h != nil {
		h.h.Observe(v)
	}
}
