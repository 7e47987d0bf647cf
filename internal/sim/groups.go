package sim

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/base/event"
	"holdfast/internal/core/group"
	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"
	"holdfast/internal/host/coord"
	"holdfast/internal/proto/wire"
)

const (
	offsetShards   = 2
	commitPatience = 5 * time.Second
	shortAnswer    = commitPatience + 3*time.Second // by then whoever asks has an answer; a load may be in the way twice
	longAnswer     = 60 * time.Second               // and whoever joins
)

// groups is the life of consumer groups around the coordinator: who asks it, and what it said.
type groups struct {
	w        *world
	arrivals int64 // numbers requests as they reach the node
	value    int64 // the last offset that anybody commits: each does once only
	offsets  map[offsetKey]*offset
	classic  []*classicGroup
	next     []*nextGroup
	simple   []*committer
}

func (w *world) newGroups() *groups {
	g := &groups{w: w, offsets: map[offsetKey]*offset{}}
	for i := range 1 + w.rand.IntN(2) {
		g.simple = append(g.simple, g.newCommitter(i))
	}
	for i := range w.rand.IntN(2) + 1 {
		g.classic = append(g.classic, g.newClassic(i))
	}
	for i := range w.rand.IntN(2) + 1 {
		g.next = append(g.next, g.newNext(i))
	}
	return g
}

// openCoordinator starts the node's coordinators of groups, as internal/node does.
func (n *node) openCoordinator() {
	w := n.w
	cfg := group.DefaultConfig()
	cfg.InitialRebalanceDelay, cfg.SweepInterval = 100*time.Millisecond, 20*time.Second
	cfg.ConsumerSessionMin, cfg.ConsumerSessionTimeout = nextSession, nextSession
	n.coord = coord.New(coord.Options{
		Kind: coord.Kind{
			Topic: image.TopicOffsets, New: func() shard.Machine { return group.New(cfg) },
			Decode: group.Decode, Refuse: group.Refuse, PartitionFor: shard.PartitionFor,
		},
		NodeID: nodeID, Partitions: n.parts, Image: n.quorum.Image(), Events: event.SinkFunc(n.emit), Metrics: w.bench.metrics,
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.now }, Random: io.Reader(seeded(w.rand.Uint64())),
		CommitTimeout: func() time.Duration { return commitPatience }, InOrder: true,
	})
	n.coord.Start()
	n.every(100*time.Millisecond, n.ensureOffsets)
	n.every(3*time.Second, func() {
		if did, _ := n.parts.Compact(w.now); did {
			w.counts[Compactions]++
		}
	})
}

// ensureOffsets has the topic of the coordinators made, once.
func (n *node) ensureOffsets() {
	if n.ensured || n.quorum.Image().Topic(image.TopicOffsets) != nil {
		return
	}
	n.ensured = true
	q := kmsg.NewPtrCreateTopicsRequest()
	q.Version = 7
	k := kmsg.NewCreateTopicsRequestTopic()
	k.Topic, k.NumPartitions, k.ReplicationFactor = image.TopicOffsets, offsetShards, 1
	for _, c := range [][2]string{{"cleanup.policy", "compact"}, {"segment.ms", "5000"}, {"min.cleanable.dirty.ratio", "0.01"}, {"delete.retention.ms", "1000"}} {
		k.Configs = append(k.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: c[0], Value: &c[1]})
	}
	q.Topics = append(q.Topics, k)
	n.propose(q, func(reply any, err error) {
		if err != nil {
			n.ensured = false
		} else if r := reply.(*kmsg.CreateTopicsResponse); r.Topics[0].ErrorCode != 0 {
			violate("the topic of the coordinators is not made: %v", wire.Code(r.Topics[0].ErrorCode))
		}
	})
}

// coordinate lets the coordinator do its next thing soon, and judges what it says.
func (n *node) coordinate() {
	if n.coord == nil {
		return
	}
	n.answerGroups()
	w := n.w
	if n.coord.Ready() {
		if !n.coordinating {
			n.coordinating = true
			soon := w.between(0, 200*time.Microsecond)
			if n.coord.Loading() && w.chance(0.5) { // a large log takes its time
				soon = w.between(0, 800*time.Millisecond)
			}
			n.after(soon, func() {
				n.coordinating = false
				n.coord.Step()
			})
		}
		return
	}
	if at, ok := n.coord.Due(); ok && (!n.due.After(w.now) || at.Before(n.due)) {
		n.due = at
		n.after(at.Sub(w.now), func() {})
	}
}

// ask is a request to a coordinator on its way.
type ask struct {
	node    *node
	group   string
	what    string
	asked   *coord.Asked
	arrived time.Time
	seq     int64
	waits   bool // a join or a sync: others decide how long it takes
	judge   func(a *ask, r kmsg.Response)
	lost    func(a *ask)          // it reached the node, and nobody will know what came of it; may be nil
	done    func(r kmsg.Response) // the client's side; nil where the connection broke
}

// send sends a request to the coordinator of a group.
func (g *groups) send(id string, q kmsg.Request, a *ask) {
	w := g.w
	a.node, a.group, a.what = w.node, id, kmsg.NameForKey(q.Key())
	w.after(w.between(10*time.Microsecond, w.plan.delay), func() {
		if a.node == nil || a.node != w.node {
			w.after(w.between(0, w.plan.delay), func() { a.done(nil) })
			return
		}
		g.arrivals++
		a.seq, a.arrived = g.arrivals, w.now
		a.asked = a.node.coord.Send(a.node.coord.ShardFor(id), q, shard.Client{ID: "sim", Host: "/127.0.0.1"})
		a.node.asks = append(a.node.asks, a)
		w.counts[GroupRequests]++
	})
}

// answerGroups sends the answers that are there. Of those that came in one step, members hear of a generation last: what
// was decided before it leaves before it.
func (n *node) answerGroups() {
	var last []func()
	rest := n.asks[:0]
	for _, a := range n.asks {
		r, ok := a.asked.Answer()
		switch {
		case !ok && n.w.now.Sub(a.arrived) > a.patience():
			violate("group %s: a coordinator has not answered %s (%d) for %v", a.group, a.what, a.seq, n.w.now.Sub(a.arrived))
		case !ok:
			rest = append(rest, a)
		case a.waits:
			last = append(last, func() { a.answer(r) })
		default:
			a.answer(r)
		}
	}
	clear(n.asks[len(rest):])
	n.asks = rest
	for _, do := range last {
		do()
	}
}

func (a *ask) patience() time.Duration {
	if a.waits {
		return longAnswer
	}
	return shortAnswer
}

func (a *ask) answer(r kmsg.Response) {
	w := a.node.w
	a.judge(a, r)
	w.after(w.between(10*time.Microsecond, w.plan.delay), func() {
		if w.node != a.node {
			r = nil
		}
		a.done(r)
	})
}

// gone is called when the node is no more: who waits for it learns that in a while.
func (g *groups) gone(n *node) {
	for _, a := range n.asks {
		if a.lost != nil {
			a.lost(a)
		}
		g.w.after(g.w.between(0, g.w.plan.delay), func() { a.done(nil) })
	}
	n.asks = nil
	for _, c := range g.classic {
		c.joined = 0
	}
}

// offsetKey is what one offset is committed for.
type offsetKey struct {
	group     string
	topic     image.TopicID
	partition int32
}

// offset is what a coordinator may answer for a committed offset: what it said last, or what it was asked for since and
// did not say anything of.
type offset struct {
	known int64
	seq   int64 // of the request that made it known
	maybe []attempt
}

type attempt struct{ seq, value int64 }

func (g *groups) offset(k offsetKey) *offset {
	o := g.offsets[k]
	if o == nil {
		o = &offset{known: -1}
		g.offsets[k] = o
	}
	return o
}

// is takes over what is true from a request on.
func (o *offset) is(value, seq int64) {
	o.known, o.seq = value, seq
	rest := o.maybe[:0]
	for _, m := range o.maybe {
		if m.seq > seq {
			rest = append(rest, m)
		}
	}
	o.maybe = rest
}

func (o *offset) may(value, seq int64) bool {
	for _, m := range o.maybe {
		if m.value == value && m.seq < seq {
			return true
		}
	}
	return value == o.known
}

// doubtful are the codes after which nobody knows whether a commit was made.
func doubtful(c wire.Code) bool {
	return c == wire.NotCoordinator || c == wire.CoordinatorNotAvailable
}

// retriable are the codes with which a coordinator may turn anybody away at any time.
func retriable(c wire.Code) bool { return doubtful(c) || c == wire.CoordinatorLoadInProgress }

// place draws what to commit for: a partition of any topic there is, often the same.
func (g *groups) place(id string) (k offsetKey, ok bool) {
	img := g.w.truth.img
	var topics []*image.Topic
	for t := range img.Topics() {
		topics = append(topics, t)
	}
	if len(topics) == 0 {
		return k, false
	}
	if t := img.Topic(offsetsTopic); t != nil && g.w.chance(0.5) {
		return offsetKey{id, t.ID, 0}, true
	}
	t := pick(g.w, topics)
	return offsetKey{id, t.ID, int32(g.w.rand.IntN(len(t.Partitions)))}, true
}

// committing is who commits.
type committing struct {
	member     string
	generation int32
}

// commit commits the next offset for k. judge is told of an accepted one where it is; done of any end.
func (g *groups) commit(k offsetKey, who committing, accepted func(), done func(wire.Code, bool)) {
	g.value++
	value := g.value
	q := kmsg.NewPtrOffsetCommitRequest()
	q.Version, q.Group, q.MemberID, q.Generation = 10, k.group, who.member, who.generation
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = k.partition, value
	t := kmsg.NewOffsetCommitRequestTopic()
	t.TopicID, t.Partitions = k.topic, append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	code := func(r kmsg.Response) wire.Code {
		return wire.Code(r.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode)
	}
	g.send(k.group, q, &ask{
		judge: func(a *ask, r kmsg.Response) {
			o := g.offset(k)
			switch c := code(r); {
			case c == wire.None:
				g.w.note("committed", k.group, value, a.seq)
				g.w.counts[OffsetsCommitted]++
				o.is(value, a.seq)
				accepted()
			case doubtful(c):
				o.maybe = append(o.maybe, attempt{a.seq, value})
			}
		},
		lost: func(a *ask) {
			o := g.offset(k)
			o.maybe = append(o.maybe, attempt{a.seq, value})
		},
		done: func(r kmsg.Response) {
			if r == nil {
				done(0, false)
				return
			}
			done(code(r), true)
		},
	})
}

func fetchOf(k offsetKey) *kmsg.OffsetFetchRequest {
	q := kmsg.NewPtrOffsetFetchRequest()
	q.Version = 10
	t := kmsg.NewOffsetFetchRequestGroupTopic()
	t.TopicID, t.Partitions = k.topic, []int32{k.partition}
	of := kmsg.NewOffsetFetchRequestGroup()
	of.Group, of.Topics = k.group, append(of.Topics, t)
	q.Groups = append(q.Groups, of)
	return q
}

// fetch asks for an offset, and holds the coordinator to what it said before.
func (g *groups) fetch(k offsetKey, done func()) {
	g.send(k.group, fetchOf(k), &ask{
		judge: func(a *ask, r kmsg.Response) { g.judgeFetch(k, a.seq, r) },
		done:  func(kmsg.Response) { done() },
	})
}

func (g *groups) judgeFetch(k offsetKey, seq int64, r kmsg.Response) {
	of := r.(*kmsg.OffsetFetchResponse).Groups[0]
	if of.ErrorCode != 0 {
		if c := wire.Code(of.ErrorCode); !retriable(c) {
			violate("group %s: a fetch of offsets is answered %v", k.group, c)
		}
		return
	}
	p := of.Topics[0].Partitions[0]
	if p.ErrorCode != 0 {
		if c := wire.Code(p.ErrorCode); c != wire.UnknownTopicID || g.w.truth.img.TopicByID(k.topic) != nil && g.w.node.quorum.Image().TopicByID(k.topic) != nil {
			violate("group %s: a fetch of an offset of %v-%d is answered %v", k.group, k.topic, k.partition, c)
		}
		return
	}
	o := g.offset(k)
	if !o.may(p.Offset, seq) {
		violate("group %s has committed %d for %v-%d, and is told %d (in doubt: %v)", k.group, o.known, k.topic, k.partition, p.Offset, o.maybe)
	}
	g.w.counts[OffsetsFetched]++
	o.is(p.Offset, seq-1) // what was asked for before and is not there will not come any more
}

// audit asks the coordinators for every offset, at the end.
func (g *groups) audit(n *node) {
	for range 10_000 {
		if !n.coord.Ready() {
			break
		}
		n.coord.Step()
	}
	g.arrivals++
	for _, k := range sortedOffsets(g.offsets) {
		if n.quorum.Image().TopicByID(k.topic) == nil {
			continue
		}
		g.judgeFetch(k, g.arrivals, n.peek(k.group, fetchOf(k)))
	}
}

// peek asks the machine of a group's coordinator, past everything else.
func (n *node) peek(id string, q kmsg.Request) kmsg.Response {
	m := n.coord.Peek(n.coord.ShardFor(id))
	if m == nil {
		return group.Refuse(q, wire.CoordinatorNotAvailable)
	}
	out := m.Decide(n.w.now, shard.Command{Request: q, Image: n.quorum.Image()})
	if len(out.Replies) != 1 {
		violate("a question to group %s has %d answers", id, len(out.Replies))
	}
	return out.Replies[0].Response
}

// committer is an application without members: it commits and fetches offsets.
type committer struct {
	g    *groups
	id   string
	busy bool

	healthy int // commits accepted since healing began
}

func (g *groups) newCommitter(i int) *committer {
	c := &committer{g: g, id: fmt.Sprintf("simple-%d", i)}
	g.w.after(g.w.about(g.w.plan.rate), c.tick)
	return c
}

func (c *committer) tick() {
	w := c.g.w
	w.after(min(w.about(w.plan.rate), 300*time.Millisecond), c.tick)
	if c.busy {
		return
	}
	k, ok := c.g.place(c.id)
	if !ok {
		return
	}
	c.busy = true
	if w.chance(0.4) {
		c.g.fetch(k, func() { c.busy = false })
		return
	}
	c.g.commit(k, committing{generation: -1}, func() {
		if w.healing {
			c.healthy++
		}
	}, func(code wire.Code, answered bool) {
		c.busy = false
		if answered && code != wire.None && code != wire.UnknownTopicID && code != wire.UnknownTopicOrPartition && !retriable(code) {
			violate("group %s: a commit is answered %v", c.id, code)
		}
	})
}

// stuck says which group has not got on since healing began.
func (g *groups) stuck() string {
	for _, c := range g.simple {
		if c.healthy < 2 {
			return "group " + c.id + " commits nothing"
		}
	}
	for _, c := range g.classic {
		if c.healthy < 2 {
			return "no member of group " + c.id + " commits anything"
		}
	}
	for _, c := range g.next {
		if c.healthy < 2 && g.parts() > 0 {
			return "no member of group " + c.id + " commits anything"
		}
	}
	return ""
}

// parts is how many partitions there are to be had.
func (g *groups) parts() (n int) {
	for _, name := range topicNames[:g.w.plan.topics] {
		if t := g.w.truth.img.Topic(name); t != nil {
			n += len(t.Partitions)
		}
	}
	return n
}
