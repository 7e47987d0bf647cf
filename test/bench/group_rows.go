package main

import (
	"context"
	"fmt"
	"time"
)

// idleFor is how long an idle group is watched.
const idleFor = 10 * time.Second

// groupRows compare coordinators: how long a group takes to share its partitions, and how many commits a second.
func (b *bench) groupRows() []row {
	rows := []row{
		b.groupRow("classic", 100, 0, 2),
		b.groupRow("classic", 300, 0, 2),
		b.groupRow("consumer", 100, 0, 5),
		b.groupRow("consumer", 300, 0, 5),
		b.groupRow("consumer", 1000, 0, 5),
		b.groupRow("classic", 100, 100, 0),
		b.commitRow(1),
		b.commitRow(20),
	}
	return rows
}

// groupRow has so many members share two partitions each. Joins and leaves are learned of by heartbeat, the client's own
// of 3 s where heartbeatMs is 0; a row with fast heartbeats shows what is the broker's share of them.
func (b *bench) groupRow(protocol string, members, heartbeatMs int, ratio float64) row {
	members = max(int(float64(members)*min(b.scale*10, 1)), 3)
	name := fmt.Sprintf("group %s %d members", protocol, members)
	what := "2 partitions a member, cooperative-sticky: until each is owned exactly once"
	if protocol == "consumer" {
		what = "2 partitions a member, KIP-848: until each is owned exactly once"
	}
	aims := []aim{{figure: allIn, ours: ratio}, {figure: oneJoins, ours: 1}, {figure: oneLeaves, ours: 1}}
	if heartbeatMs > 0 {
		name += fmt.Sprintf(", %d ms heartbeat", heartbeatMs)
	}
	if protocol == "consumer" && members == 1000 {
		aims[0].most = 2
	}
	c := cost{fixed: 12 + float64(members)/50}
	if heartbeatMs > 0 {
		c.fixed = 3
	}
	w := work{
		Kind: "group", Create: true, Partitions: int32(2 * members), Members: members, Protocol: protocol, HeartbeatMs: heartbeatMs,
		Warmup: b.warmup.Seconds(),
	}
	if members >= 1000 {
		w.Seconds = idleFor.Seconds()
		aims = append(aims, aim{figure: idleCPU, ours: 1})
		c.fixed += 2 * w.Seconds
	}
	return row{
		name: name, what: what, variants: everybody[:2], aims: aims, cost: c,
		run: func(ctx context.Context, s *session, _ variant) (figures, error) {
			w := w
			w.Topic = s.newTopic()
			return s.group(ctx, w)
		},
	}
}

// group drives a group's work, and looks at the broker while the group is idle.
func (s *session) group(ctx context.Context, w work) (figures, error) {
	d, err := s.drive(ctx, w)
	if err != nil {
		return nil, err
	}
	m, err := startMeter(s.pid(), s.device)
	if err == nil {
		err = d.say("go")
	}
	if err != nil {
		return nil, d.failed(err)
	}
	stopProfile := s.profile(ctx)
	defer stopProfile()
	if w.Seconds == 0 {
		return s.rebalanced(d, m)
	}
	if err := d.awaitReady(); err != nil {
		return nil, err
	}
	before, err := usageOf(s.pid())
	if err == nil {
		err = pause(ctx, idleFor)
	}
	if err != nil {
		return nil, d.failed(err)
	}
	after, err := usageOf(s.pid())
	if err == nil {
		err = d.say("looked")
	}
	if err != nil {
		return nil, d.failed(err)
	}
	f, err := s.rebalanced(d, m)
	if err == nil {
		f[idleCPU] = float64((after.cpu - before.cpu).Milliseconds()) / idleFor.Seconds()
	}
	return f, err
}

// rebalanced waits for the generator's answer.
func (s *session) rebalanced(d *driven, m meter) (figures, error) {
	r, err := d.result()
	if err != nil {
		return nil, err
	}
	f, err := m.stop(r)
	if err == nil {
		f[allIn], f[oneJoins], f[oneLeaves] = r.AllIn, r.Joins, r.Leaves
	}
	return f, err
}

// commitVariants set the topic of the offsets each to its own, as they share a broker.
var commitVariants = []variant{
	{theirs.name, theirs.system, map[string]string{"flush.messages": "9223372036854775807"}},
	theirsSynced,
	{ours.name, ours.system, map[string]string{"commit.sync": "true"}},
	oursUnsynced,
}

// commitRow has clients commit one topic's six partitions as fast as they are answered.
func (b *bench) commitRow(clients int) row {
	w := work{Kind: "commits", Create: true, Partitions: 6, Producers: clients, Seconds: max(10*min(b.scale, 1), 2), Warmup: min(b.warmup.Seconds(), 3)}
	return row{
		name: fmt.Sprintf("group commits %d clients", clients), what: "OffsetCommit of 6 partitions, the next when the last is answered, a group each; read back",
		variants: commitVariants, cost: cost{fixed: 1, scaled: 10},
		aims: []aim{{figure: commitsASecond, ours: 3, unsynced: 3}, {figure: p99, ours: 1, unsynced: 3}},
		run: func(ctx context.Context, s *session, v variant) (figures, error) {
			w := w
			w.Topic, w.Configs = s.newTopic(), v.topic
			f, r, err := s.measure(ctx, w)
			if err == nil {
				f[commitsASecond] = float64(r.Records) / r.Seconds
			}
			return f, err
		},
	}
}
