package group

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"holdfast/internal/core/shard"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Bounds on what a client may choose freely. Keys and group values of the log are not flexible: a string of more than
// 32767 bytes cannot be written.
const (
	maxName     = 32767
	maxIDPrefix = 512 // of a client or instance id that becomes part of a member id
)

func (t *turn) join(r *kmsg.JoinGroupRequest) {
	if code := t.checkJoin(r); code != wire.None {
		t.refuseJoin(r, r.MemberID, code)
		return
	}
	known := t.s.classic(r.Group)
	if c := t.s.consumer(r.Group); c != nil {
		if len(c.members) > 0 {
			t.joinConsumer(c, r)
			return
		}
		if r.MemberID == "" {
			t.dropConsumer(c) // an empty KIP-848 group gives way; its offsets stay, and generations go on where it was
			known = &classic{id: r.Group, sinceMs: t.nowMs(), generation: c.epoch}
		}
	}
	if known == nil {
		if r.MemberID != "" {
			t.refuseJoin(r, r.MemberID, wire.UnknownMemberID)
			return
		}
		known = &classic{id: r.Group, sinceMs: t.nowMs()}
	}
	g := known.clone()
	switch {
	case !t.roomFor(g, r.MemberID):
		t.remove(g, r.MemberID, wire.UnknownMemberID)
		t.maybeComplete(g)
		t.refuseJoin(r, "", wire.GroupMaxSizeReached)
	case !g.supports(r.ProtocolType, r.Protocols):
		t.refuseJoin(r, r.MemberID, wire.InconsistentGroupProtocol)
		return
	case t.tooLarge(g, r):
		t.refuseJoin(r, r.MemberID, wire.MessageTooLarge)
		return
	case r.MemberID == "":
		t.joinNew(g, r)
	case g.isPending(r.MemberID):
		if r.InstanceID != nil {
			t.refuseJoin(r, r.MemberID, wire.InvalidRequest) // an id that was given out without an instance cannot get one
			return
		}
		t.add(g, r, r.MemberID)
	default:
		t.joinAgain(g, r)
	}
	t.close(g)
}

func (t *turn) checkJoin(r *kmsg.JoinGroupRequest) wire.Code {
	session := millis(r.SessionTimeoutMillis)
	switch {
	case !validGroup(r.Group):
		return wire.InvalidGroupID
	case session < t.s.cfg.MinSessionTimeout || session > t.s.cfg.MaxSessionTimeout:
		return wire.InvalidSessionTimeout
	case len(r.ProtocolType) > maxName:
		return wire.InconsistentGroupProtocol
	case r.InstanceID != nil && len(*r.InstanceID) > maxName:
		return wire.InvalidRequest
	}
	for _, p := range r.Protocols {
		if len(p.Name) > maxName {
			return wire.InconsistentGroupProtocol
		}
	}
	return wire.None
}

func validGroup(id string) bool { return id != "" && len(id) <= maxName }

// roomFor keeps a group within its size. While members join, those who wait count, not those who were in: the last to
// come back are out when the limit was lowered.
func (t *turn) roomFor(g *classic, id string) bool {
	m := g.member(id)
	switch g.state {
	case stateEmpty:
		return true
	case statePreparing:
		return m != nil && m.join != nil || g.joining() < t.s.cfg.MaxSize
	default:
		return m != nil || len(g.members) < t.s.cfg.MaxSize
	}
}

// tooLarge foresees that the group would not fit into a record. The one who would make it so is turned away; if it
// were let in, the whole group could not sync any more.
func (t *turn) tooLarge(g *classic, r *kmsg.JoinGroupRequest) bool {
	widest := func(protocols []kmsg.JoinGroupRequestProtocol) int {
		n := 0
		for _, p := range protocols {
			n = max(n, len(p.Metadata))
		}
		return n
	}
	const perMember = 2 * 36 // lengths, time-outs and the random part of an id
	total := widest(r.Protocols) + perMember + len(r.MemberID) + 2*len(t.cmd.Client.ID)
	for _, m := range g.members {
		if m.id != r.MemberID {
			total += widest(m.protocols) + perMember + len(m.id) + len(m.client.ID)
		}
	}
	return total > t.s.cfg.MaxRecordBytes
}

// memberID is new to the world: nobody else has the nonce.
func (t *turn) memberID(prefix string) string {
	n := t.cmd.Nonce
	n[6], n[8] = n[6]&0x0f|0x40, n[8]&0x3f|0x80 // the form of a random UUID
	h := hex.EncodeToString(n[:])
	prefix = strings.ToValidUTF8(prefix[:min(len(prefix), maxIDPrefix)], "") // a letter that is cut in two is none
	return prefix + "-" + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func (t *turn) joinNew(g *classic, r *kmsg.JoinGroupRequest) {
	switch {
	case r.InstanceID != nil:
		id := t.memberID(*r.InstanceID)
		if old := g.static(*r.InstanceID); old != nil {
			t.replaceStatic(g, r, old.id, id)
		} else {
			t.add(g, r, id)
		}
	case r.Version >= 4:
		// A join that gets lost must not leave a member behind: the client comes again with this id.
		id := t.memberID(t.cmd.Client.ID)
		i, _ := slices.BinarySearch(g.pending, id)
		g.pending = slices.Insert(g.pending, i, id)
		t.arm(TimerPending, g.id, id, millis(r.SessionTimeoutMillis))
		t.refuseJoin(r, id, wire.MemberIDRequired)
	default:
		t.add(g, r, t.memberID(t.cmd.Client.ID))
	}
}

// joinAgain handles a member that says who it is.
func (t *turn) joinAgain(g *classic, r *kmsg.JoinGroupRequest) {
	if code := g.check(r.MemberID, r.InstanceID); code != wire.None {
		t.refuseJoin(r, r.MemberID, code)
		return
	}
	same := sameProtocols(g.member(r.MemberID).protocols, r.Protocols)
	switch {
	case g.state == stateEmpty:
		t.refuseJoin(r, r.MemberID, wire.UnknownMemberID)
	case g.state == stateCompleting && same, g.state == stateStable && same && r.MemberID != g.leader:
		// The answer to its join was lost, or nothing changed: the generation that is, is its own.
		t.reply(t.cmd.Call, g.joined(g.member(r.MemberID), r.Version))
		t.arm(TimerSession, g.id, r.MemberID, g.member(r.MemberID).session)
	default:
		// The leader that joins a stable group knows of a change its metadata does not show, a new partition say.
		t.update(g, r, r.MemberID)
		t.prepareOrComplete(g)
	}
}

// check is what every request of a member has to pass.
func (g *classic) check(id string, instance *string) wire.Code {
	if instance != nil {
		m := g.static(*instance)
		if m == nil {
			return wire.UnknownMemberID
		}
		if m.id != id {
			return wire.FencedInstanceID
		}
	}
	if g.member(id) == nil {
		return wire.UnknownMemberID
	}
	return wire.None
}

// add lets a new member in and parks its join.
func (t *turn) add(g *classic, r *kmsg.JoinGroupRequest, id string) {
	if g.isPending(id) {
		g.removePending(id)
		t.disarm(TimerPending, g.id, id)
	}
	if len(g.members) == 0 {
		g.protocolType = r.ProtocolType
	}
	if g.state == statePreparing && g.initial {
		g.grown = true
	}
	g.insert(&member{id: id, instance: r.InstanceID, client: t.cmd.Client, isNew: true})
	if g.leader == "" {
		g.leader = id
	}
	t.update(g, r, id)
	// It has no id to send heartbeats with, and may be gone for long while the rebalance takes its time.
	t.arm(TimerSession, g.id, id, t.s.cfg.NewMemberTimeout)
	t.prepareOrComplete(g)
}

// update takes over what a joining member says of itself, and parks its join.
func (t *turn) update(g *classic, r *kmsg.JoinGroupRequest, id string) {
	m := g.edit(id)
	m.protocols = r.Protocols
	m.session = millis(r.SessionTimeoutMillis)
	m.rebalance = max(millis(r.RebalanceTimeoutMillis), 0)
	if r.Version < 1 || r.RebalanceTimeoutMillis < 0 {
		m.rebalance = m.session
	}
	if m.join != nil && m.join.call != t.cmd.Call {
		// The client gave up on that call; whoever still listens there shall come again.
		t.reply(m.join.call, joinError(m.join.version, id, wire.RebalanceInProgress))
	}
	m.join = &parked{t.cmd.Call, r.Version}
}

// replaceStatic gives an instance id to whoever came last. The one before is fenced from here on.
func (t *turn) replaceStatic(g *classic, r *kmsg.JoinGroupRequest, oldID, newID string) {
	i, _ := g.index(oldID)
	m := *g.members[i]
	g.members = slices.Delete(g.members, i, i+1)
	t.answer(&m, wire.FencedInstanceID)
	t.disarm(TimerSession, g.id, oldID)
	wasLeader := g.leader == oldID
	leaderBefore := g.leader
	if wasLeader {
		g.leader = newID
	}
	m.id, m.client = newID, t.cmd.Client
	g.insert(&m)
	t.update(g, r, newID)
	t.arm(TimerSession, g.id, newID, g.member(newID).session)
	switch g.state {
	case stateStable:
		if g.protocol != nil && g.vote() == *g.protocol {
			t.reenter(g, r, newID, leaderBefore)
			return
		}
		t.prepareOrComplete(g)
	case stateCompleting:
		// The leader may be computing an assignment for the old id: the new one would get nothing.
		t.prepare(g)
	default:
		t.maybeComplete(g)
	}
}

// reenter lets a static member that restarted have its place and partitions without a rebalance.
func (t *turn) reenter(g *classic, r *kmsg.JoinGroupRequest, id, leaderBefore string) {
	m := g.edit(id)
	resp := g.joined(m, r.Version)
	if r.Version >= 9 {
		resp.SkipAssignment = g.leader == id // it leads, and need not assign
	} else {
		// It must not take itself for the leader, or it would assign anew.
		resp.LeaderID, resp.Members = leaderBefore, nil
	}
	t.reply(m.join.call, resp)
	m.join, m.isNew = nil, false
	t.writeClassic(g)
}

// joined is the answer to a member of a generation that is complete.
func (g *classic) joined(m *member, version int16) *kmsg.JoinGroupResponse {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.Version, resp.MemberID, resp.Generation, resp.Protocol, resp.LeaderID = version, m.id, g.generation, g.protocol, g.leader
	resp.ProtocolType = &g.protocolType
	if g.leader == m.id {
		for _, o := range g.members {
			resp.Members = append(resp.Members, kmsg.JoinGroupResponseMember{MemberID: o.id, InstanceID: o.instance, ProtocolMetadata: o.metadata(g.protocol)})
		}
	}
	return resp
}

func joinError(version int16, id string, code wire.Code) *kmsg.JoinGroupResponse {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.Version, resp.MemberID, resp.ErrorCode, resp.Generation = version, id, int16(code), -1
	if version < 7 {
		empty := ""
		resp.Protocol = &empty // cannot be null in these versions
	}
	return resp
}

func (t *turn) refuseJoin(r *kmsg.JoinGroupRequest, id string, code wire.Code) {
	t.reply(t.cmd.Call, joinError(r.Version, id, code))
}

// arm (re)starts a timer, disarm stops it.
func (t *turn) arm(kind TimerKind, group, member string, after time.Duration) {
	t.out.Timers = append(t.out.Timers, shard.Timer{Key: TimerKey{kind, group, member}, At: t.now.Add(after)})
}

func (t *turn) disarm(kind TimerKind, group, member string) {
	t.out.Timers = append(t.out.Timers, shard.Timer{Key: TimerKey{kind, group, member}})
}
