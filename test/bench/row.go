package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// row is one line of the comparison.
type row struct {
	name     string
	what     string
	variants []variant
	run      func(ctx context.Context, s *session, v variant) (figures, error)
	aims     []aim
	alone    bool // each variant gets a broker of its own
	cost     cost // of one variant, for the estimate
}

// cost is about how many seconds a variant takes besides starting a broker and warming up: always, and with -scale 1.
type cost struct{ fixed, scaled float64 }

// aim is how far ahead of Kafka a figure shall be: the ratio, which is at least 1 where we are better; or, where the
// ratio is 0, an absolute bound.
type aim struct {
	figure   string
	ours     float64 // at our defaults
	unsynced float64
	against  string // the variant that is compared with, Kafka at its defaults unless said
	most     float64
}

// plain is the load that most produce rows vary.
func (b *bench) plain() work {
	return work{
		Kind: "produce", Create: true, Partitions: 1, Size: 1024, Acks: "all",
		Records: int64(b.scale * 1.5e6), Seconds: 20, Warmup: b.warmup.Seconds(),
	}
}

var everybody = []variant{theirs, ours, oursUnsynced}

// produceRow measures a produce load and reads it back.
func (b *bench) produceRow(name, what string, change func(*work), aims ...aim) row {
	w := b.plain()
	change(&w)
	c := cost{fixed: 1, scaled: 12} // writing, and reading back
	if w.Rate > 0 {
		c = cost{fixed: 2, scaled: 8}
	}
	return row{name: name, what: what, variants: everybody, aims: aims, cost: c, run: func(ctx context.Context, s *session, v variant) (figures, error) {
		w := w
		w.Topic, w.Configs = s.newTopic(), v.topic
		f, r, err := s.measure(ctx, w)
		if err != nil {
			return nil, err
		}
		return f, s.readBack(ctx, w.Topic, r.Total)
	}}
}

// consumeRow fills a topic and measures reading it.
func (b *bench) consumeRow(name, what string, partitions int32, aims ...aim) row {
	return row{name: name, what: what, variants: everybody[:2], aims: aims, cost: cost{fixed: 1, scaled: 18}, run: func(ctx context.Context, s *session, v variant) (figures, error) {
		topic := s.newTopic()
		if err := s.fill(ctx, topic, partitions, int64(b.scale*1.5e6), v); err != nil {
			return nil, err
		}
		f, _, err := s.measure(ctx, work{Kind: "consume", Topic: topic, Warmup: 1})
		return f, err
	}}
}

// fill writes records of 1 KB into a new topic, unmeasured.
func (s *session) fill(ctx context.Context, topic string, partitions int32, records int64, v variant) error {
	w := s.plain()
	w.Topic, w.Partitions, w.Records, w.Configs, w.Seconds, w.Warmup = topic, partitions, records, v.topic, 0, 0
	if partitions > 6 {
		w.Keys, w.LingerMs = 100*int(partitions), 5
	}
	d, err := s.drive(ctx, w)
	if err == nil {
		err = d.say("go")
	}
	if err != nil {
		return err
	}
	_, err = d.result()
	return err
}

// startRow measures a fresh process on an empty folder.
func (b *bench) startRow() row {
	return row{
		name: "start", what: "an empty folder: first answer to ApiVersions, first acknowledged record of a new topic, memory while idle",
		variants: everybody[:2], alone: true, cost: cost{fixed: 4},
		aims: []aim{{figure: toListening, ours: 30}, {figure: toFirstAck, ours: 20}, {figure: idleRSS, ours: 10, most: 25}},
		run: func(ctx context.Context, s *session, v variant) (figures, error) {
			if err := s.firstAck(ctx, s.newTopic(), true); err != nil {
				return nil, err
			}
			f := figures{toListening: s.ready.Seconds() * 1e3, toFirstAck: time.Since(s.began).Seconds() * 1e3, loadAvg: loadAverage()}
			if err := pause(ctx, 3*time.Second); err != nil {
				return nil, err
			}
			u, err := usageOf(s.pid())
			f[idleRSS] = float64(u.rss) / 1e6
			return f, err
		},
	}
}

// firstAck writes one record, trying again at once until it is acknowledged.
func (s *session) firstAck(ctx context.Context, topic string, create bool) error {
	g := generator{work: work{Address: s.address, Topic: topic, Create: create, Partitions: 1}}
	if create {
		for try := 0; ; try++ {
			err := g.createTopic(ctx)
			if err == nil {
				break
			}
			if try == 100 {
				return err
			}
			if err := pause(ctx, 10*time.Millisecond); err != nil {
				return err
			}
		}
	}
	cl, err := g.client(kgo.DefaultProduceTopic(topic), kgo.RetryBackoffFn(func(int) time.Duration { return 5 * time.Millisecond }))
	if err != nil {
		return err
	}
	defer cl.Close()
	return cl.ProduceSync(ctx, &kgo.Record{Value: []byte("first")}).FirstErr()
}

// recoveryRow kills a broker that holds much and measures how long it is away.
func (b *bench) recoveryRow(partitions int32, records int64) row {
	return row{
		name: "recovery", what: fmt.Sprintf("restart after kill -9 with %.1f GB in %d partitions: first acknowledged record", float64(records)/1e6, partitions),
		variants: everybody, alone: true, aims: []aim{{figure: toFirstAck, ours: 40, unsynced: 40}}, cost: cost{fixed: 5, scaled: 200},
		run: func(ctx context.Context, s *session, v variant) (figures, error) {
			topic := s.newTopic()
			if err := s.fill(ctx, topic, partitions, records, v); err != nil {
				return nil, err
			}
			if err := s.kill(); err != nil {
				return nil, err
			}
			if err := s.restart(ctx); err != nil {
				return nil, err
			}
			if err := s.firstAck(ctx, topic, false); err != nil {
				return nil, err
			}
			f := figures{toListening: s.ready.Seconds() * 1e3, toFirstAck: time.Since(s.began).Seconds() * 1e3, loadAvg: loadAverage()}
			return f, s.readBack(ctx, topic, records)
		},
	}
}

func (b *bench) topicsRow() row {
	n := int64(max(3000*min(b.scale, 1), 30))
	return row{
		name: "topics", what: fmt.Sprintf("%d topics created until all have a leader", n), variants: everybody[:2], alone: true,
		aims: []aim{{figure: seconds, ours: 15}}, cost: cost{fixed: 1, scaled: 10},
		run: func(ctx context.Context, s *session, v variant) (figures, error) {
			f, _, err := s.measure(ctx, work{Kind: "topics", Topic: s.newTopic(), Records: n})
			return f, err
		},
	}
}

// connectionsRow opens connections, and then more, which stay idle.
func (b *bench) connectionsRow(connections, hold int) row {
	w := work{Kind: "connections", Connections: max(connections, 1), Hold: max(hold, connections+1, 2)}
	return row{
		name: "connections", what: fmt.Sprintf("%d connections, one request each; memory with %d idle", w.Connections, w.Hold),
		variants: everybody[:2], alone: true, aims: []aim{{figure: brokerCPU, ours: 3}, {figure: idleRSS, most: 150}}, cost: cost{fixed: 2, scaled: 8},
		run: func(ctx context.Context, s *session, v variant) (figures, error) {
			d, err := s.drive(ctx, w)
			if err != nil {
				return nil, err
			}
			m, err := startMeter(s.pid(), s.device)
			if err == nil {
				err = d.say("go")
			}
			if err == nil {
				err = d.awaitReady()
			}
			if err != nil {
				return nil, d.failed(err)
			}
			u, err := usageOf(s.pid())
			if err == nil {
				err = d.say("looked")
			}
			if err != nil {
				return nil, d.failed(err)
			}
			r, err := d.result()
			if err != nil {
				return nil, err
			}
			f, err := m.stop(r)
			if err == nil {
				f[idleRSS] = float64(u.rss) / 1e6
			}
			return f, err
		},
	}
}

// coldRow reads a backlog from the device while a producer goes on.
func (b *bench) coldRow() row {
	return row{
		name: "consume cold", what: fmt.Sprintf("%.1f GB that are not in memory, while 50 MB/s are produced", 10*b.scale), variants: everybody[:2], alone: true, cost: cost{fixed: 3, scaled: 120},
		aims: []aim{{figure: mbps, ours: 1.2}, {figure: producerP99, ours: 5}},
		run: func(ctx context.Context, s *session, v variant) (figures, error) {
			topic := s.newTopic()
			if err := s.fill(ctx, topic, 6, int64(10e6*b.scale), v); err != nil {
				return nil, err
			}
			if err := forgetPages(filepath.Join(s.dir, "data")); err != nil && !os.IsNotExist(err) {
				return nil, err
			}
			w := s.plain()
			w.Kind, w.Create, w.Topic, w.Partitions, w.Rate, w.LingerMs = "mixed", false, topic, 6, 50_000, 5
			f, r, err := s.measure(ctx, w)
			if err == nil {
				f[producerP99] = r.ProducerP99
			}
			return f, err
		},
	}
}
