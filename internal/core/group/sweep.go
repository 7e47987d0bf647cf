package group

import (
	"strings"

	"holdfast/internal/base/event"
	"holdfast/internal/core/shard"
)

// maxForgotten bounds the bytes of what ends offsets in one decision: a group's name may have 32 KB, and each record has it.
const maxForgotten = 8 << 20

// forgotEnough tells whether the decision ends as many offsets as one may.
func (t *turn) forgotEnough() bool { return t.forgotten >= maxForgotten }

// full tells whether a decision that nobody waits for is large enough; another follows.
func (t *turn) full() bool { return len(t.out.Records) >= t.s.cfg.MaxSweepRecords || t.forgotEnough() }

// sweep ends offsets whose time has come, those of topics that are gone, and groups of which nothing is left. It takes
// a bounded number at a time, and goes on at once if there is more.
func (t *turn) sweep() {
	next := t.s.cfg.SweepInterval
	for _, id := range t.s.ids() {
		if t.full() {
			next = 0
			break
		}
		t.sweepGroup(id, t.s.groups[id])
	}
	if t.full() {
		next = 0
	}
	t.arm(TimerSweep, "", "", next)
}

func (t *turn) sweepGroup(id string, g *group) {
	left := len(g.offsets)
	for _, key := range sortedKeys(g.offsets) {
		if t.full() {
			return
		}
		c := g.offsets[key]
		kind := event.KindOffsetExpired
		topic := t.cmd.Image.Topic(key.topic)
		switch {
		case !sameTopic(c.Committed, topic):
			kind = event.KindOffsetTopicGone
		case g.unstable[key] > 0 || !t.expired(g, key.topic, c.Committed):
			continue
		}
		t.lost(kind, id, key, c.Committed)
		t.forget(id, key)
		left--
	}
	if left == 0 && len(g.unstable) == 0 && g.empty() && g.idle() {
		t.endMembership(id, g)
	}
}

// lost tells that a committed offset is no more.
func (t *turn) lost(kind *event.Kind, group string, key offsetKey, c *Committed) {
	t.tell(event.New(kind, t.now, 0).In(key.topic, key.partition).Of(group).Number("offset", c.Offset))
}

// deleted tells that somebody had a committed offset deleted.
func (t *turn) deleted(group string, key offsetKey, c *Committed) {
	t.tell(event.New(event.KindOffsetDeleted, t.now, 0).In(key.topic, key.partition).Of(group).
		Text("client_id", t.cmd.Client.ID).Text("client_host", t.host()).Number("offset", c.Offset))
}

// host is where the client comes from, as events say it: without the slash of Kafka's form.
func (t *turn) host() string { return strings.TrimPrefix(t.cmd.Client.Host, "/") }

// idle tells whether nobody is about to join.
func (g *group) idle() bool { return g.classic == nil || len(g.classic.pending) == 0 }

// expired tells whether an offset has outlived the retention. The clock of a group with members runs only for topics
// nobody is subscribed to; that of an empty group starts when the last member leaves, that of a group that never had
// any when the offset was committed.
func (t *turn) expired(g *group, topic string, c *Committed) bool {
	since := c.CommitMs
	switch {
	case g.consumer != nil:
		if g.consumer.subscribed(topic) {
			return false
		}
	case g.classic == nil || g.classic.protocolType == "":
	case g.classic.state == stateEmpty:
		if g.classic.sinceMs >= 0 {
			since = g.classic.sinceMs
		}
	case g.classic.state != stateStable || !g.classic.topicsKnown || g.classic.topics[topic]:
		return false
	}
	if c.ExpireMs >= 0 {
		return t.nowMs() >= c.ExpireMs
	}
	return t.nowMs()-since >= t.s.cfg.OffsetsRetention.Milliseconds()
}

// topicsDeleted ends the offsets of topics that are gone: those committed to exactly these topics, and those of which
// only the name is known.
func (t *turn) topicsDeleted(r *shard.TopicsDeleted) {
	for _, id := range t.s.ids() {
		g := t.s.groups[id]
		for _, key := range sortedKeys(g.offsets) {
			c := g.offsets[key]
			for _, gone := range r.Topics {
				if gone.ID != c.TopicID && !(c.TopicID.Zero() && gone.Name == key.topic) {
					continue
				}
				if t.full() && !c.TopicID.Zero() {
					t.arm(TimerSweep, "", "", 0) // the sweep finds the rest by its id
					break
				}
				t.lost(event.KindOffsetTopicGone, id, key, c.Committed)
				t.forget(id, key)
				break
			}
		}
	}
	t.metadataChanged()
}
