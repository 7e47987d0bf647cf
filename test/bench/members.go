package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// rebalanceLimit ends a measurement in which a group does not come to rest.
const rebalanceLimit = 4 * time.Minute

// ownership is who owns what, as the members themselves say: a partition counts from the callback that assigns it to the
// one that takes it away.
type ownership struct {
	mu      sync.Mutex
	owners  []int         // of each partition, how many members own it
	owned   map[int]int   // of each member, how many partitions it owns
	changed chan struct{} // closed, and made anew, at each change
	failed  error
}

func newOwnership(partitions int) *ownership {
	return &ownership{owners: make([]int, partitions), owned: map[int]int{}, changed: make(chan struct{})}
}

// change adds by to what member owns of the partitions.
func (o *ownership) change(member int, partitions map[string][]int32, by int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, list := range partitions {
		for _, p := range list {
			o.owners[p] += by
			o.owned[member] += by
			if o.owners[p] > 1 && o.failed == nil {
				o.failed = fmt.Errorf("partition %d is owned twice", p)
			}
		}
	}
	close(o.changed)
	o.changed = make(chan struct{})
}

// await returns when every partition is owned once and these members own something, or an error where a partition was
// owned twice on the way.
func (o *ownership) await(ctx context.Context, members []*groupMember, most int) error {
	for {
		o.mu.Lock()
		failed, changed, rest := o.failed, o.changed, o.atRest(members, most)
		o.mu.Unlock()
		if failed != nil || rest {
			return failed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			o.mu.Lock()
			defer o.mu.Unlock()
			unowned := 0
			for _, n := range o.owners {
				if n == 0 {
					unowned++
				}
			}
			return fmt.Errorf("%d of %d partitions have no owner: %w", unowned, len(o.owners), ctx.Err())
		}
	}
}

// atRest tells whether the members share all partitions, none owning more than most.
func (o *ownership) atRest(members []*groupMember, most int) bool {
	for _, n := range o.owners {
		if n != 1 {
			return false
		}
	}
	for _, m := range members {
		if n := o.owned[m.number]; n == 0 || n > most {
			return false
		}
	}
	return true
}

// groupMember is one consumer of the group: a client of its own, with its own connections.
type groupMember struct {
	number int
	client *kgo.Client
}

func (g *generator) newMember(group string, number int, o *ownership) (*groupMember, error) {
	took := func(by int) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			o.change(number, partitions, by)
		}
	}
	opts := []kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(g.Topic), kgo.DisableAutoCommit(), kgo.DisableClientMetrics(),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.OnPartitionsAssigned(took(1)), kgo.OnPartitionsRevoked(took(-1)), kgo.OnPartitionsLost(took(-1)),
	}
	if g.Protocol == "consumer" {
		opts = append(opts, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
	}
	if g.HeartbeatMs > 0 {
		opts = append(opts, kgo.HeartbeatInterval(time.Duration(g.HeartbeatMs)*time.Millisecond))
	}
	cl, err := g.client(opts...)
	return &groupMember{number, cl}, err
}

// group has members come, one more join, and that one leave, and then stay idle until the harness has looked.
func (g *generator) group(ctx context.Context) (r result, err error) {
	ctx, cancel := context.WithTimeout(ctx, rebalanceLimit)
	defer cancel()
	if g.Warmup > 0 { // makes the topic that groups are kept in, too
		few, err := g.assemble(ctx, g.Topic+"-warm", max(g.Members/10, 3), newOwnership(int(g.Partitions)))
		closeAll(few)
		if err != nil {
			return r, fmt.Errorf("warm up: %w", err)
		}
	}
	if err := g.ready(); err != nil {
		return r, err
	}
	o, began := newOwnership(int(g.Partitions)), time.Now()
	members, err := g.assemble(ctx, g.Topic+"-group", g.Members, o)
	defer func() { closeAll(members) }()
	if err != nil {
		return r, fmt.Errorf("all in: %w", err)
	}
	r.AllIn = time.Since(began).Seconds()
	each := int(g.Partitions) / g.Members
	if err := g.oneMore(ctx, o, members, each, &r); err != nil {
		return r, err
	}
	g.stop(&r, time.Now())
	if g.Seconds == 0 {
		return r, nil
	}
	if err := pause(ctx, g.rest()); err != nil {
		return r, err
	}
	return r, g.looked()
}

// assemble has so many members come and returns when they share all partitions.
func (g *generator) assemble(ctx context.Context, group string, n int, o *ownership) (members []*groupMember, err error) {
	for i := range n {
		m, err := g.newMember(group, i, o)
		if err != nil {
			return members, err
		}
		members = append(members, m)
	}
	return members, o.await(ctx, members, (int(g.Partitions)+n-1)/n)
}

// rest is how long a group is left alone between two changes. A change meets all heartbeats at the same age, as the one
// before made members begin them together: how long it takes to be noticed is chance, so the age is left to chance, too.
func (g *generator) rest() time.Duration {
	heartbeat := 3 * time.Second
	if g.HeartbeatMs > 0 {
		heartbeat = time.Duration(g.HeartbeatMs) * time.Millisecond
	}
	return heartbeat/2 + rand.N(heartbeat)
}

// oneMore has a member join, and leave again.
func (g *generator) oneMore(ctx context.Context, o *ownership, members []*groupMember, each int, r *result) error {
	if err := pause(ctx, g.rest()); err != nil {
		return err
	}
	began := time.Now()
	m, err := g.newMember(g.Topic+"-group", len(members), o)
	if err != nil {
		return err
	}
	defer m.client.Close()
	if err := o.await(ctx, append(members[:len(members):len(members)], m), each); err != nil {
		return fmt.Errorf("one joins: %w", err)
	}
	r.Joins = time.Since(began).Seconds()
	if err := pause(ctx, g.rest()); err != nil {
		return err
	}
	began = time.Now()
	if err := m.client.LeaveGroupContext(ctx); err != nil {
		return fmt.Errorf("one leaves: %w", err)
	}
	if err := o.await(ctx, members, each); err != nil {
		return fmt.Errorf("one leaves: %w", err)
	}
	r.Leaves = time.Since(began).Seconds()
	return nil
}

// closeAll closes the clients together: each waits for the answer to its leave.
func closeAll(members []*groupMember) {
	var all sync.WaitGroup
	for _, m := range members {
		all.Go(m.client.Close)
	}
	all.Wait()
}

// commits has clients commit offsets, each of a group of its own and its next when the last is answered.
func (g *generator) commits(ctx context.Context) (r result, err error) {
	committers := make([]*committer, g.Producers)
	for i := range committers {
		if committers[i], err = g.newCommitter(ctx, i); err != nil {
			return r, err
		}
		defer committers[i].client.Close()
	}
	if err := commitFor(ctx, committers, g.warmup(), new(histogram)); err != nil {
		return r, err
	}
	if err := g.ready(); err != nil {
		return r, err
	}
	var latency histogram
	if err := commitFor(ctx, committers, g.duration(), &latency); err != nil {
		return r, err
	}
	g.stop(&r, time.Now())
	r.Records = latency.total.Load()
	r.P50, r.P99, r.P999, r.Max = latency.ms(0.5), latency.ms(0.99), latency.ms(0.999), latency.ms(1)
	return r, errors.Join(checkCommitted(ctx, committers))
}

// commitFor has all committers commit for so long.
func commitFor(ctx context.Context, committers []*committer, d time.Duration, latency *histogram) error {
	var all sync.WaitGroup
	failures := make([]error, len(committers))
	until := time.Now().Add(d)
	for i, c := range committers {
		all.Go(func() {
			for time.Now().Before(until) && failures[i] == nil && ctx.Err() == nil {
				began := time.Now()
				failures[i] = c.commit(ctx)
				latency.add(time.Since(began))
			}
		})
	}
	all.Wait()
	return errors.Join(failures...)
}
