package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// consume reads the topic twice: once to warm up, once against the clock.
func (g *generator) consume(ctx context.Context) (result, error) {
	if g.Warmup > 0 {
		if _, err := g.readAll(ctx); err != nil {
			return result{}, err
		}
	}
	if err := g.ready(); err != nil {
		return result{}, err
	}
	return g.timedRead(ctx)
}

// count reads the topic once and says how many records are there.
func (g *generator) count(ctx context.Context) (result, error) {
	if err := g.ready(); err != nil {
		return result{}, err
	}
	return g.timedRead(ctx)
}

func (g *generator) timedRead(ctx context.Context) (result, error) {
	r, err := g.readAll(ctx)
	if err == nil {
		g.stop(&r, time.Now())
	}
	return r, err
}

// readAll reads every partition from its start to the end it had at the beginning, and checks that each record follows
// the one before.
func (g *generator) readAll(ctx context.Context) (result, error) {
	left, ends, err := g.awaitEnds(ctx)
	if err != nil || left == 0 {
		return result{}, err
	}
	from := map[int32]kgo.Offset{}
	next := make([]int64, len(ends))
	for p := range ends {
		from[int32(p)] = kgo.NewOffset().AtStart()
	}
	cl, err := g.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{g.Topic: from}))
	if err != nil {
		return result{}, err
	}
	defer cl.Close()
	var r result
	for left > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return r, err
		}
		var wrong error
		fetches.EachRecord(func(rec *kgo.Record) {
			if rec.Offset != next[rec.Partition] && wrong == nil {
				wrong = fmt.Errorf("partition %d: offset %d where %d was expected", rec.Partition, rec.Offset, next[rec.Partition])
			}
			next[rec.Partition] = rec.Offset + 1
			if rec.Offset < ends[rec.Partition] {
				left--
				r.Records++
				r.Bytes += int64(len(rec.Key) + len(rec.Value))
			}
		})
		if wrong != nil {
			return r, wrong
		}
	}
	return r, nil
}

// awaitEnds is ends once they reach the number of records that is expected: what acks=1 and acks=0 acknowledge becomes
// visible only when it is committed. A record that does not come in time is missed by whoever counts.
func (g *generator) awaitEnds(ctx context.Context) (sum int64, ends []int64, err error) {
	for until := time.Now().Add(20 * time.Second); ; {
		if sum, ends, err = g.ends(ctx); err != nil || sum >= g.Records || time.Now().After(until) {
			return sum, ends, err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return 0, nil, err
		}
	}
}

// ends are the partitions' end offsets, and their sum.
func (g *generator) ends(ctx context.Context) (sum int64, ends []int64, err error) {
	cl, err := g.client()
	if err != nil {
		return 0, nil, err
	}
	defer cl.Close()
	listed, err := kadm.NewClient(cl).ListEndOffsets(ctx, g.Topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return 0, nil, err
	}
	listed.Each(func(o kadm.ListedOffset) {
		for int(o.Partition) >= len(ends) {
			ends = append(ends, 0)
		}
		ends[o.Partition] = o.Offset
		sum += o.Offset
	})
	return sum, ends, nil
}

// mixed reads the whole topic while another topic is written at the rate; the topic written to has the suffix -new.
func (g *generator) mixed(ctx context.Context) (result, error) {
	writer := *g
	writer.Topic += "-new"
	if err := writer.createTopic(ctx); err != nil {
		return result{}, err
	}
	l, err := writer.newLoad()
	if err != nil {
		return result{}, err
	}
	defer l.close()
	if err := l.run(ctx, 0, g.warmup()); err != nil {
		return result{}, err
	}
	if err := g.ready(); err != nil {
		return result{}, err
	}
	stop, cancel := context.WithCancel(ctx)
	written := make(chan error, 1)
	go func() { written <- l.run(stop, 0, 0) }()
	r, err := g.timedRead(ctx)
	cancel()
	<-written // ended by cancel, so with its error
	r.ProducerP99 = l.phase.latency.ms(0.99)
	return r, err
}
