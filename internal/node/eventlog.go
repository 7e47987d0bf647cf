package node

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/base/event"
	"holdfast/internal/base/metrics"
	"holdfast/internal/host/partition"
	"holdfast/internal/host/quorum"
	"holdfast/internal/proto/record"
)

const (
	maxEvents       = 1024         // events that wait to be stored; more are logged and counted only
	eventsRetention = "2592000000" // 30 days in ms
	storePatience   = 10 * time.Second
	repeatWindow    = 10 * time.Second
	maxRepeats      = 4096 // sources of events that are told apart within a window
)

// eventLog is the node's event sink: each event becomes a log line, a counter and a record in the event topic. Emit
// does not wait: storing happens on a goroutine of its own, from a bounded queue.
//
// The same thing said again of the same partition within repeatWindow is counted but neither logged nor stored, so that
// a client that asks a thousand times a second for an offset that is gone cannot fill a disk.
type eventLog struct {
	log      *slog.Logger
	registry *metrics.Registry
	dropped  metrics.Counter
	queue    chan event.Event
	stop     chan struct{}
	stopOnce sync.Once
	storing  sync.WaitGroup

	mu   sync.Mutex
	said map[source]time.Time
}

// source is what makes an event a repeat of another one.
type source struct {
	kind, topic, group string
	partition          int32
}

func newEventLog(log *slog.Logger, r *metrics.Registry) *eventLog {
	return &eventLog{
		log: log, registry: r, dropped: r.Counter(metrics.EventsDropped),
		queue: make(chan event.Event, maxEvents), stop: make(chan struct{}), said: map[source]time.Time{},
	}
}

// Emit takes an event where it happens.
func (l *eventLog) Emit(e event.Event) {
	l.registry.Counter(metrics.Events, e.Kind.Name).Inc()
	if l.repeats(e) {
		return
	}
	l.log.LogAttrs(context.Background(), e.Kind.Severity, e.Sentence(), slog.String("event", e.Kind.Name))
	select {
	case l.queue <- e:
	default:
		l.dropped.Inc()
	}
}

func (l *eventLog) repeats(e event.Event) bool {
	if e.Kind != event.KindFetchOutOfRange {
		return false // all others happen once
	}
	key := source{e.Kind.Name, e.Topic, e.Group, e.Partition}
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, ok := l.said[key]; ok && e.Time.Sub(last) < repeatWindow {
		return true
	}
	if len(l.said) >= maxRepeats {
		clear(l.said)
	}
	l.said[key] = e.Time
	return false
}

// store begins to write queued events to the event topic, which it creates before the first.
func (l *eventLog) store(m *partition.Manager, q *quorum.Driver) {
	l.storing.Go(func() {
		for {
			select {
			case e := <-l.queue:
				l.write(m, q, e)
			case <-l.stop:
				return
			}
		}
	})
}

// stopStoring ends store; what is still queued was logged.
func (l *eventLog) stopStoring() {
	l.stopOnce.Do(func() { close(l.stop) })
	l.storing.Wait()
}

func (l *eventLog) write(m *partition.Manager, q *quorum.Driver, e event.Event) {
	topic := m.Topic([]byte(event.Topic))
	if topic == nil {
		topic = l.create(m, q)
	}
	value, err := e.MarshalJSON()
	if topic == nil || topic.Partition(0) == nil || err != nil {
		l.dropped.Inc()
		return
	}
	b := record.NewBuilder(record.BuilderOptions{})
	if err := b.Append(e.Time.UnixMilli(), []byte(e.Kind.Name), value); err != nil {
		l.dropped.Inc()
		return
	}
	if err := topic.Partition(0).AppendInternal(b.Build(), time.Now()); err != nil {
		l.dropped.Inc()
	}
}

func (l *eventLog) create(m *partition.Manager, q *quorum.Driver) *partition.Topic {
	ctx, cancel := context.WithTimeout(context.Background(), storePatience)
	defer cancel()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = event.Topic, 1, -1
	for name, value := range map[string]string{"retention.ms": eventsRetention, "segment.bytes": "16777216"} {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = name, &value
		t.Configs = append(t.Configs, c)
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = req.MaxVersion()
	req.Topics = append(req.Topics, t)
	if _, err := q.Propose(ctx, req); err != nil {
		l.log.Warn("the event topic cannot be created; events are in this log only", "err", err)
	}
	return m.Topic([]byte(event.Topic))
}
