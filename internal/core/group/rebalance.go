package group

import (
	"slices"
	"time"

	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// prepareOrComplete begins a rebalance, or, if one is under way, ends its first half when everybody is there.
func (t *turn) prepareOrComplete(g *classic) {
	if g.state == statePreparing {
		t.maybeComplete(g)
	} else {
		t.prepare(g)
	}
}

// prepare asks all members to join again.
func (t *turn) prepare(g *classic) {
	if g.state == stateCompleting {
		t.abandonSync(g)
	}
	for _, m := range g.members {
		if m.unsynced {
			g.edit(m.id).unsynced = false
		}
	}
	t.disarm(TimerSync, g.id, "")
	if g.state == stateEmpty {
		// The group is new: give more members the time to come, so that it is not rebalanced for each.
		delay := t.s.cfg.InitialRebalanceDelay
		g.initial, g.grown, g.remaining = true, false, max(g.rebalanceTimeout()-delay, 0)
		t.enter(g, statePreparing)
		t.arm(TimerInitialDelay, g.id, "", delay)
		return
	}
	g.initial = false
	t.enter(g, statePreparing)
	if g.allJoined() {
		t.complete(g)
	} else {
		t.arm(TimerRebalance, g.id, "", g.rebalanceTimeout())
	}
}

// abandonSync sends those who wait for their assignment back to join.
func (t *turn) abandonSync(g *classic) {
	for _, m := range g.members {
		if m.sync == nil && m.assignment == nil {
			continue
		}
		m := g.edit(m.id)
		m.assignment = nil
		if m.sync != nil {
			t.reply(m.sync.call, syncError(m.sync.version, wire.RebalanceInProgress))
			m.sync = nil
			t.arm(TimerSession, g.id, m.id, m.session)
		}
	}
}

func (t *turn) enter(g *classic, s state) { g.state, g.sinceMs = s, t.nowMs() }

// maybeComplete ends the joining when everybody is there. The first rebalance of a group ends by its timer alone.
func (t *turn) maybeComplete(g *classic) {
	if g.state == statePreparing && !g.initial && g.allJoined() {
		t.complete(g)
	}
}

// complete ends the joining: who has not come is out, the rest is the next generation.
func (t *turn) complete(g *classic) {
	t.disarm(TimerInitialDelay, g.id, "")
	t.disarm(TimerRebalance, g.id, "")
	for _, m := range slices.Clone(g.members) {
		if m.join == nil && m.instance == nil {
			t.remove(g, m.id, wire.UnknownMemberID)
		}
	}
	if !g.electJoined() {
		// Static members are left, and none of them has come: wait until their sessions end, and not by turning in
		// circles where they want to wait no time at all.
		t.arm(TimerRebalance, g.id, "", max(g.rebalanceTimeout(), time.Second))
		return
	}
	g.generation++
	g.initial, g.grown, g.remaining = false, false, 0
	if len(g.members) == 0 {
		g.protocol = nil
		g.learnTopics()
		t.enter(g, stateEmpty)
		t.writeClassic(g)
		return
	}
	protocol := g.vote()
	g.protocol = &protocol
	g.learnTopics()
	t.enter(g, stateCompleting)
	t.raiseGeneration(g)
	for i := range g.members {
		m := g.edit(g.members[i].id)
		if m.join != nil {
			t.reply(m.join.call, g.joined(m, m.join.version))
		}
		m.join, m.isNew, m.unsynced = nil, false, true
		t.arm(TimerSession, g.id, m.id, m.session)
	}
	t.arm(TimerSync, g.id, "", g.rebalanceTimeout())
}

// electJoined makes sure that the leader is one who joined. False: there are members and none has.
func (g *classic) electJoined() bool {
	if len(g.members) == 0 {
		g.leader = ""
		return true
	}
	if m := g.member(g.leader); m != nil && m.join != nil {
		return true
	}
	for _, m := range g.members {
		if m.join != nil {
			g.leader = m.id
			return true
		}
	}
	return false
}

// raiseGeneration writes the new generation down before the leader has assigned anything, along with the members and
// assignments that hold until then. Otherwise a coordinator that fails now would give the same generation to other
// members, and a late request of this one could pass for one of that.
func (t *turn) raiseGeneration(g *classic) {
	v := &kmsg.GroupMetadataValue{Version: classicValueVersion, ProtocolType: g.protocolType, CurrentStateTimestamp: g.sinceMs}
	if known := t.s.groups[g.id]; known != nil && known.record != nil {
		old := *known.record
		v = &old
	}
	v.Generation = g.generation
	t.out.Records = append(t.out.Records, &ClassicRecord{g.id, v})
}

func (t *turn) writeClassic(g *classic) {
	t.out.Records = append(t.out.Records, &ClassicRecord{g.id, g.value()})
}

// remove takes a member, or an id given out, from the group, and answers what it waits for.
func (t *turn) remove(g *classic, id string, code wire.Code) {
	if g.isPending(id) {
		g.removePending(id)
		t.disarm(TimerPending, g.id, id)
	}
	i, ok := g.index(id)
	if !ok {
		return
	}
	m := *g.members[i]
	g.members = slices.Delete(g.members, i, i+1)
	t.disarm(TimerSession, g.id, id)
	t.answer(&m, code)
	if g.leader == id {
		g.leader = ""
		if len(g.members) > 0 {
			g.leader = g.members[0].id
		}
	}
}

// answer ends the waiting of a member with an error.
func (t *turn) answer(m *member, code wire.Code) {
	if m.join != nil {
		id := m.id
		if code == wire.UnknownMemberID {
			id = "" // so that the client joins as a new member
		}
		t.reply(m.join.call, joinError(m.join.version, id, code))
	}
	if m.sync != nil {
		t.reply(m.sync.call, syncError(m.sync.version, code))
	}
	m.join, m.sync = nil, nil
}

// removed goes on after members left: a settled group rebalances, one that waits may have everybody now.
func (t *turn) removed(g *classic) {
	switch g.state {
	case stateStable, stateCompleting:
		t.prepare(g)
	case statePreparing:
		t.maybeComplete(g)
	}
}
