package check

import (
	"cmp"
	"slices"
	"unsafe"
)

// Member is one life of a member of a group, from its start to its end; a process that is started again is another.
type Member int32

// End is how a member's hold of a partition ended.
type End uint8

// The ends of a hold.
const (
	Revoked End = iota + 1 // asked back, and given back: the member was in the group until then
	Lost                   // the member learned that the group had given it up, and let go
	Died                   // the member ended without a word
)

var endNames = [...]string{"", "revoked", "lost", "died"}

// none stands for no tenure.
const none int32 = -1

type member struct {
	group int32
	name  string
	held  []int32 // tenures that are not over
	out   bool    // it knows that the group has given it up
}

// tenure is one member's hold of one partition: a session of the group, with an owner.
type tenure struct {
	member    int32
	session   Session
	epoch     int32 // generation or member epoch, -1 if not known
	how       End   // 0: not over
	asked     bool  // for its position, without an answer yet
	failed    bool  // a commit was not acknowledged, and none was since
	contested bool  // somebody was given the partition, while this one still held it
	mark      uint16
	pending   int32 // commits on their way
	successor int32 // who was given it meanwhile, where contested

	committed   int64 // what it had acknowledged last, or began with
	redelivered int64 // to it
	blame       int32 // the tenure that had delivered the last of those before, or none
	late        int64 // redelivered to it after others had been given the partition, and got them first
}

// AddMember makes a member of a group known.
func (c *Checker) AddMember(group int32, name string) Member {
	if group <= Audit || int(group) >= len(c.groups) {
		c.gap("a member was told of a group that does not exist")
		return -1
	}
	c.members = append(c.members, member{group: group, name: name})
	c.groups[group].members++
	return Member(len(c.members) - 1)
}

// Assigned tells that a member was given a partition, in a generation or at a member epoch, -1 if that is not known.
// Tell it after the assignment came. That the committed offset is about to be asked for is told by it too.
func (c *Checker) Assigned(m Member, partition, epoch int32) Session {
	if m < 0 || int(m) >= len(c.members) || partition < 0 || int(partition) >= len(c.partitions) || !c.room() {
		c.gap("an assignment was told of a member or a partition that does not exist")
		return -1
	}
	who := &c.members[m]
	h := &c.groups[who.group].partitions[partition]
	s := c.open(who.group, partition, -1)
	n := int32(len(c.tenures))
	c.sessions[s].tenure = n
	c.bytes += int64(unsafe.Sizeof(tenure{}) + unsafe.Sizeof(session{}))
	for _, o := range h.owners {
		c.contest(o, n, m)
	}
	if epoch >= 0 && epoch+1 < h.epoch {
		c.owner(v13, false, s, "given to "+who.name+" in epoch "+text(int64(epoch))+", after it was given away in epoch "+text(int64(h.epoch-1)))
	}
	h.epoch = max(h.epoch, epoch+1)
	h.owners = append(h.owners, n)
	who.held, who.out = append(who.held, n), false
	c.tenures = append(c.tenures, tenure{member: int32(m), session: s, epoch: epoch, asked: true, successor: none, blame: none, committed: -1})
	c.groups[who.group].assigned++
	c.CommittedAsked(who.group, partition)
	return s
}

// contest notes that tenure o is not over, and m is given its partition. Whether that is right shows when o ends.
func (c *Checker) contest(o, n int32, m Member) {
	t := &c.tenures[o]
	if t.member == int32(m) {
		c.owner(v13, false, t.session, "given again to "+c.members[m].name+", which had not let it go")
	}
	if !t.contested {
		t.contested, t.successor = true, n
	}
}

// Positioned tells where a member begins to read: the committed offset it was answered, NoOffset for none, and the offset
// that it made of it.
func (c *Checker) Positioned(m Session, committed, from int64) {
	s, t := c.tenureOf(m)
	if t == nil || from < 0 {
		c.gap("a position was told of a session that is no member's, or none")
		return
	}
	if t.asked {
		t.asked = false
		c.CommittedAnswered(s.group, s.partition, committed, true)
	}
	if s.from >= 0 {
		return // the position it has is the one it reads on from
	}
	s.from, s.next, s.top = from, from, from
	t.committed = from
}

// before is the tenure, but s, that delivered furthest in the partition of s, if offset is below that; else none.
func (c *Checker) before(s *session, offset int64) int32 {
	h := &c.groups[s.group].partitions[s.partition]
	who, top := h.topBy-1, h.top
	for _, o := range h.owners {
		if at := c.sessions[c.tenures[o].session].top; o != s.tenure && at > top {
			who, top = o, at
		}
	}
	if offset >= top {
		return none
	}
	return who
}

// Released tells that a member let go of a partition. Tell it before the group learns of it.
func (c *Checker) Released(m Session, how End) {
	s, t := c.tenureOf(m)
	if t == nil || how < Revoked || how > Died {
		c.gap("the end of a hold was told of a session that is no member's")
		return
	}
	if t.how == 0 {
		c.release(s, t, how)
	}
}

// Fenced tells that a member learned that the group has given it up by being refused a commit: it may let go of what it holds
// as if it were asked to, and yet it is lost.
func (c *Checker) Fenced(m Member) {
	if m < 0 || int(m) >= len(c.members) {
		c.gap("the end of a membership was told of a member that does not exist")
		return
	}
	c.members[m].out = true
}

// Died tells that a member ended. What it still held, it holds no more; its commits on their way have no answer.
func (c *Checker) Died(m Member) {
	if m < 0 || int(m) >= len(c.members) {
		c.gap("the end of a member was told that does not exist")
		return
	}
	for _, n := range append([]int32(nil), c.members[m].held...) {
		t := &c.tenures[n]
		c.release(&c.sessions[t.session], t, Died)
	}
}

func (c *Checker) release(s *session, t *tenure, how End) {
	g, n := &c.groups[s.group], s.tenure
	h, who := &g.partitions[s.partition], &c.members[t.member]
	if how == Revoked && who.out {
		how = Lost
	}
	t.how, t.mark = how, uint16(c.after)
	if t.asked {
		t.asked = false
		c.CommittedAnswered(s.group, s.partition, NoOffset, false)
	}
	h.owners = without(h.owners, n)
	if s.top > h.top {
		h.top, h.topBy = s.top, n+1
	}
	who.held = without(who.held, n)
	g.ends[how]++
	behind := max(0, s.next-t.committed)
	g.behind[how] += behind
	if t.contested && how == Revoked {
		c.owner(v13, false, t.session, "given to "+c.holder(t.successor)+" while "+who.name+" held it, which was not fenced: it was asked back later")
	}
	if !g.HandsOver || how != Revoked {
		return
	}
	switch {
	case t.pending > 0:
		c.owner(v14, t.contested || g.MayBeFenced, t.session, who.name+" let it go with a commit on its way")
	case behind > 0:
		c.owner(v14, t.failed && (t.contested || g.MayBeFenced), t.session,
			who.name+" let it go at "+text(s.next)+", with "+text(t.committed)+" committed")
	}
}

// atEnd ends what was not told the end of: two holders of one partition are a fault then.
func (c *Checker) atEnd() {
	for n := range c.tenures {
		if t := &c.tenures[n]; t.how == 0 && t.contested {
			c.owner(v13, false, t.session, "held by "+c.members[t.member].name+" and by "+c.holder(t.successor)+" to the end")
		}
	}
}

// redelivered has delivered an offset to a member that the group had got before.
func (c *Checker) redelivered(s *session, offset int64, e entry) {
	g, t := &c.groups[s.group], &c.tenures[s.tenure]
	who := c.members[t.member].name
	why := "delivered to " + who + " again, and nobody but it had the partition meanwhile"
	blame := c.before(s, offset)
	explained := blame != none
	switch {
	case blame > s.tenure:
		t.late++
		why = "delivered again to " + who + ", which did not know yet that the partition was given to " + c.holder(blame)
	case explained:
		t.redelivered++
		t.blame = blame
		why = "delivered to " + who + " again: " + c.history(blame)
	}
	allowed := explained && (g.MaxRedelivered < 0 || g.redelivered < g.MaxRedelivered)
	g.redelivered++
	if c.count(v4, allowed, s.partition, offset) {
		o := c.entryOffender(s.partition, offset, e, why)
		o.Group = g.Name
		c.keep(v4, allowed, o)
	}
}

// history says what became of a tenure.
func (c *Checker) history(n int32) string {
	t := &c.tenures[n]
	s := &c.sessions[t.session]
	out := c.holder(n) + " had it up to " + text(s.top) + ", committed " + text(t.committed)
	switch t.how {
	case Revoked:
		out += ", and gave it back"
	case Lost:
		out += ", and was fenced"
	case Died:
		out += ", and died"
	default:
		return out + ", and holds it still"
	}
	if t.mark > 0 {
		out += " after " + c.marks[t.mark-1].Name
	}
	return out
}

func (c *Checker) holder(n int32) string { return c.members[c.tenures[n].member].name }

// owner counts an offender in who held what. It is placed at the session's position.
func (c *Checker) owner(check int, allowed bool, m Session, why string) {
	s := &c.sessions[m]
	if c.count(check, allowed, s.partition, s.next) {
		o := c.commitOffender(s.partition, s.next, c.groups[s.group].Name, why)
		if c.after > 0 {
			o.Fault = c.marks[c.after-1].Name
		}
		c.keep(check, allowed, o)
	}
}

// tenureOf is a session of a member, nil for any other.
func (c *Checker) tenureOf(m Session) (*session, *tenure) {
	if m < 0 || int(m) >= len(c.sessions) || c.sessions[m].tenure == none {
		return nil, nil
	}
	return &c.sessions[m], &c.tenures[c.sessions[m].tenure]
}

func without(list []int32, n int32) []int32 {
	for i, have := range list {
		if have == n {
			return append(list[:i], list[i+1:]...)
		}
	}
	return list
}

// MemberCommits tells that a member is about to commit offset, the next to read, in a partition. Tell it before the request
// leaves, and CommitDone after the answer came.
func (c *Checker) MemberCommits(m Session, offset int64) Commit {
	s, t := c.tenureOf(m)
	if t == nil {
		c.gap("a commit was told of a session that is no member's")
		return Commit{}
	}
	who, g := c.members[t.member].name, &c.groups[s.group]
	held := &g.partitions[s.partition].committed
	switch {
	case offset > s.next:
		c.committedWrong(s, offset, who+" committed past what it was given, which ends at "+text(s.next))
	case offset < t.committed:
		c.committedWrong(s, offset, who+" committed "+text(offset)+" after "+text(t.committed))
	case t.how == Revoked: // after it was fenced it may try, and is refused
		c.owner(v14, !g.HandsOver, m, who+" committed after it had let the partition go")
	}
	out := c.CommitSent(s.group, s.partition, offset)
	out.tenure, out.contested, out.after = s.tenure+1, t.contested, held.base
	t.pending++
	return out
}

func (c *Checker) committedWrong(s *session, offset int64, why string) {
	if c.count(v11, false, s.partition, offset) {
		c.keep(v11, false, c.commitOffender(s.partition, offset, c.groups[s.group].Name, why))
	}
}

// memberCommitted judges the answer to a member's commit.
func (c *Checker) memberCommitted(m Commit, r Result) {
	t := &c.tenures[m.tenure-1]
	s := &c.sessions[t.session]
	t.pending--
	if r != Acked {
		t.failed = true
		return
	}
	t.failed = false
	t.committed = max(t.committed, m.Offset)
	who := c.members[t.member].name
	switch {
	case m.contested:
		c.owner(v13, false, t.session, "a commit of "+who+" was accepted that it sent after "+c.holder(t.successor)+" was given the partition")
	case m.Offset+1 < m.after:
		c.committedWrong(s, m.Offset, "the committed offset was moved back by "+who+", from "+text(m.after-1))
	}
}

// maxHandovers is how many are listed a group.
const maxHandovers = 20

// handovers adds to the report of a group who owned what, and what was delivered again since.
func (c *Checker) handovers(group int32, out *GroupReads) {
	g := &c.groups[group]
	out.Members, out.Given = g.members, g.assigned
	again := map[End]int64{}
	for n := range c.tenures {
		t := &c.tenures[n]
		s := &c.sessions[t.session]
		if s.group != group {
			continue
		}
		if t.late > 0 {
			again[t.how] += t.late
			out.Late += t.late
		}
		if t.redelivered == 0 {
			continue
		}
		from := &c.tenures[t.blame]
		again[from.how] += t.redelivered
		h := Handover{
			Partition: c.partitions[s.partition].name, From: c.holder(t.blame), To: c.holder(int32(n)), How: endNames[from.how], Epoch: t.epoch,
			Delivered: c.sessions[from.session].top, Committed: from.committed, Redelivered: t.redelivered,
		}
		if from.mark > 0 {
			h.Fault = c.marks[from.mark-1].Name
		}
		out.Handovers = append(out.Handovers, h)
	}
	slices.SortStableFunc(out.Handovers, func(a, b Handover) int { return cmp.Compare(b.Redelivered, a.Redelivered) })
	out.Handovers = out.Handovers[:min(len(out.Handovers), maxHandovers)]
	for how := Revoked; how <= Died; how++ {
		if g.ends[how] > 0 {
			out.Ends = append(out.Ends, Ends{endNames[how], g.ends[how], g.behind[how], again[how]})
		}
	}
}
