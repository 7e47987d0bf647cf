package group

import (
	"holdfast/internal/core/shard"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func (t *turn) sync(r *kmsg.SyncGroupRequest) {
	known := t.s.classic(r.Group)
	switch {
	case !validGroup(r.Group):
		t.reply(t.cmd.Call, syncError(r.Version, wire.InvalidGroupID))
		return
	case known == nil || known.state == stateEmpty:
		if c := t.s.consumer(r.Group); c != nil {
			t.syncConsumer(c, r)
			return
		}
		t.reply(t.cmd.Call, syncError(r.Version, wire.UnknownMemberID))
		return
	}
	if code := checkSync(known, r); code != wire.None {
		t.reply(t.cmd.Call, syncError(r.Version, code))
		return
	}
	g := known.clone()
	m := g.edit(r.MemberID)
	m.unsynced = false
	if g.allSynced() {
		t.disarm(TimerSync, g.id, "")
	}
	if g.state == stateStable {
		t.reply(t.cmd.Call, g.synced(m, r.Version))
		t.arm(TimerSession, g.id, m.id, m.session)
		t.close(g)
		return
	}
	if m.sync != nil {
		t.reply(m.sync.call, syncError(m.sync.version, wire.RebalanceInProgress)) // the client gave up on that call
	}
	m.sync = &parked{t.cmd.Call, r.Version}
	if m.id == g.leader {
		t.assign(g, r.GroupAssignment)
	}
	t.close(g)
}

func checkSync(g *classic, r *kmsg.SyncGroupRequest) wire.Code {
	if code := g.check(r.MemberID, r.InstanceID); code != wire.None {
		return code
	}
	switch {
	case r.Generation != g.generation:
		return wire.IllegalGeneration
	case r.ProtocolType != nil && *r.ProtocolType != g.protocolType, r.Protocol != nil && g.protocol != nil && *r.Protocol != *g.protocol:
		return wire.InconsistentGroupProtocol
	case g.state == statePreparing:
		return wire.RebalanceInProgress
	}
	return wire.None
}

// assign makes the leader's word true and gives everybody who waits its part. Ids the group does not have are left
// out; a member the leader forgot has an empty assignment.
func (t *turn) assign(g *classic, assignments []kmsg.SyncGroupRequestGroupAssignment) {
	given := make(map[string][]byte, len(assignments))
	for _, a := range assignments {
		given[a.MemberID] = a.MemberAssignment
	}
	for i := range g.members {
		m := g.edit(g.members[i].id)
		m.assignment = given[m.id]
		if m.assignment == nil {
			m.assignment = []byte{}
		}
	}
	t.enter(g, stateStable)
	v := g.value()
	if size := len(v.AppendTo(nil)) + len(g.id); size > t.s.cfg.MaxRecordBytes {
		// It can not be written, so it cannot be. Everybody is told, and may come with less.
		g.state = stateCompleting
		t.failSync(g, wire.MessageTooLarge)
		return
	}
	t.out.Records = append(t.out.Records, &ClassicRecord{g.id, v})
	for i := range g.members {
		if g.members[i].sync == nil {
			continue
		}
		m := g.edit(g.members[i].id)
		t.reply(m.sync.call, g.synced(m, m.sync.version))
		m.sync = nil
		t.arm(TimerSession, g.id, m.id, m.session)
	}
}

// failSync tells everybody who waits that there will be no assignment, and begins again.
func (t *turn) failSync(g *classic, code wire.Code) {
	for i := range g.members {
		if g.members[i].sync == nil {
			continue
		}
		m := g.edit(g.members[i].id)
		t.reply(m.sync.call, syncError(m.sync.version, code))
		m.sync = nil
		t.arm(TimerSession, g.id, m.id, m.session)
	}
	t.prepare(g)
}

func (g *classic) synced(m *member, version int16) *kmsg.SyncGroupResponse {
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.Version, resp.ProtocolType, resp.Protocol, resp.MemberAssignment = version, &g.protocolType, g.protocol, m.assignment
	return resp
}

func syncError(version int16, code wire.Code) *kmsg.SyncGroupResponse {
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.Version, resp.ErrorCode, resp.MemberAssignment = version, int16(code), []byte{}
	return resp
}

func (t *turn) heartbeat(r *kmsg.HeartbeatRequest) {
	resp := kmsg.NewPtrHeartbeatResponse()
	resp.Version = r.Version
	resp.ErrorCode = int16(t.beat(r))
	t.out.Replies = append(t.out.Replies, shard.Reply{Call: t.cmd.Call, Response: resp, Early: true})
}

func (t *turn) beat(r *kmsg.HeartbeatRequest) wire.Code {
	if !validGroup(r.Group) {
		return wire.InvalidGroupID
	}
	g := t.s.classic(r.Group)
	if g == nil {
		if c := t.s.consumer(r.Group); c != nil {
			return t.beatConsumer(c, r)
		}
		return wire.UnknownMemberID
	}
	if code := g.check(r.MemberID, r.InstanceID); code != wire.None {
		return code
	}
	if r.Generation != g.generation {
		return wire.IllegalGeneration
	}
	t.arm(TimerSession, g.id, r.MemberID, g.member(r.MemberID).session)
	if g.state == statePreparing {
		return wire.RebalanceInProgress
	}
	return wire.None
}

func (t *turn) leave(r *kmsg.LeaveGroupRequest) {
	resp := kmsg.NewPtrLeaveGroupResponse()
	resp.Version = r.Version
	members := r.Members
	if r.Version < 3 {
		members = []kmsg.LeaveGroupRequestMember{{MemberID: r.MemberID}}
	}
	known := t.s.classic(r.Group)
	switch c := t.s.consumer(r.Group); {
	case !validGroup(r.Group):
		resp.ErrorCode = int16(wire.InvalidGroupID)
	case known == nil && c != nil:
		resp.Members = t.leaveConsumer(c, members)
	default:
		resp.Members = t.leaveClassic(known, members)
	}
	if r.Version < 3 && len(resp.Members) > 0 {
		resp.ErrorCode, resp.Members = resp.Members[0].ErrorCode, nil
	}
	t.reply(t.cmd.Call, resp)
}

func (t *turn) leaveClassic(known *classic, members []kmsg.LeaveGroupRequestMember) []kmsg.LeaveGroupResponseMember {
	g := &classic{}
	if known != nil {
		g = known.clone()
	}
	var out []kmsg.LeaveGroupResponseMember
	left := false
	for _, m := range members {
		code := wire.UnknownMemberID
		id := m.MemberID
		if id == "" && m.InstanceID != nil {
			// An administrator removes a static member by its instance.
			if s := g.static(*m.InstanceID); s != nil {
				id, code = s.id, wire.None
			}
		} else if g.isPending(id) {
			code = wire.None
		} else {
			code = g.check(id, m.InstanceID)
		}
		if code == wire.None {
			t.remove(g, id, wire.UnknownMemberID)
			left = true
		}
		out = append(out, kmsg.LeaveGroupResponseMember{MemberID: m.MemberID, InstanceID: m.InstanceID, ErrorCode: int16(code)})
	}
	if left {
		t.removed(g)
		t.close(g)
	}
	return out
}
