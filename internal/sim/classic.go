package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/proto/wire"
)

// classicGroup is a group of the classic protocol and what its coordinator said: who may have what in which generation.
type classicGroup struct {
	g       *groups
	id      string
	members []*classicMember
	anchor  bool // an offset is committed that never goes: the group is not forgotten

	joined int32 // the highest generation told to a member in this life of the node
	synced int32 // the highest whose assignment was told, in any
	given  map[int32]map[string]string

	healthy int // commits of members accepted since healing began
}

const sharedParts = 6 // what the members of a group divide among them

func (g *groups) newClassic(i int) *classicGroup {
	c := &classicGroup{g: g, id: fmt.Sprintf("classic-%d", i), given: map[int32]map[string]string{}}
	g.anchor(c.id, &c.anchor)
	for i := range 1 + g.w.rand.IntN(4) {
		m := &classicMember{c: c, name: fmt.Sprintf("%s/%d", c.id, i)}
		c.members = append(c.members, m)
		m.later()
	}
	return c
}

// anchor commits, again and again until that is accepted, an offset for a topic that is never deleted.
func (g *groups) anchor(id string, done *bool) {
	again := func() { g.w.after(200*time.Millisecond, func() { g.anchor(id, done) }) }
	t := g.w.truth.img.Topic(offsetsTopic)
	if t == nil {
		again()
		return
	}
	g.commit(offsetKey{id, t.ID, 0}, committing{generation: -1}, func() { *done = true }, func(wire.Code, bool) {
		if !*done {
			again()
		}
	})
}

// classicMember is one consumer. It joins, divides the partitions if it leads, commits what it has, and now and then
// hangs, leaves or dies.
type classicMember struct {
	c          *classicGroup
	name       string
	id         string
	generation int32 // 0: not joined
	parts      []int32
}

func (m *classicMember) later() { m.c.g.w.after(m.c.g.w.about(300*time.Millisecond), m.tick) }

func (m *classicMember) tick() {
	w := m.c.g.w
	switch {
	case !m.c.anchor:
		m.later()
	case m.generation == 0:
		m.join()
	case !w.healing && w.chance(0.02): // it hangs, for longer than its session, and goes on as if nothing had been
		w.after(w.between(time.Second, 12*time.Second), m.tick)
	case !w.healing && w.chance(0.02): // it dies, and comes back as another
		m.id, m.generation, m.parts = "", 0, nil
		m.later()
	case !w.healing && w.chance(0.02):
		m.leave()
	case w.chance(0.5):
		m.commit()
	default:
		m.beat()
	}
}

func (m *classicMember) join() {
	q := kmsg.NewPtrJoinGroupRequest()
	q.Version, q.Group, q.MemberID, q.ProtocolType = 9, m.c.id, m.id, "consumer"
	q.SessionTimeoutMillis, q.RebalanceTimeoutMillis = 6000, 10_000
	q.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "sim", Metadata: []byte(m.name)}}
	m.c.g.send(m.c.id, q, &ask{
		waits: true,
		judge: func(_ *ask, r kmsg.Response) {
			if j := r.(*kmsg.JoinGroupResponse); j.ErrorCode == 0 {
				m.c.tellJoined(j.Generation)
			}
		},
		done: func(r kmsg.Response) {
			if r == nil {
				m.later()
				return
			}
			m.hearJoined(r.(*kmsg.JoinGroupResponse))
		},
	})
}

// tellJoined judges a generation that is told.
func (c *classicGroup) tellJoined(generation int32) {
	c.g.w.note("generation", c.id, int64(generation), 0)
	if generation < c.joined || generation < c.synced {
		violate("group %s: a member joins generation %d after %d, and %d had its assignment", c.id, generation, c.joined, c.synced)
	}
	c.joined = generation
}

func (m *classicMember) hearJoined(j *kmsg.JoinGroupResponse) {
	switch code := wire.Code(j.ErrorCode); code {
	case wire.None:
		m.id, m.generation = j.MemberID, j.Generation
		m.sync(j)
		return
	case wire.MemberIDRequired:
		m.id = j.MemberID
	default:
		m.trouble(code)
	}
	m.later()
}

func (m *classicMember) sync(j *kmsg.JoinGroupResponse) {
	q := kmsg.NewPtrSyncGroupRequest()
	q.Version, q.Group, q.MemberID, q.Generation = 3, m.c.id, m.id, m.generation
	if j.LeaderID == m.id {
		ids := make([]string, 0, len(j.Members))
		for _, o := range j.Members {
			ids = append(ids, o.MemberID)
		}
		for i, id := range ids {
			text := id
			for p := i; p < sharedParts; p += len(ids) {
				text += fmt.Sprintf(" %d", p)
			}
			q.GroupAssignment = append(q.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: id, MemberAssignment: []byte(text)})
		}
	}
	generation, id := m.generation, m.id
	m.c.g.send(m.c.id, q, &ask{
		waits: true,
		judge: func(_ *ask, r kmsg.Response) {
			if s := r.(*kmsg.SyncGroupResponse); s.ErrorCode == 0 {
				m.c.tellSynced(generation, id, string(s.MemberAssignment))
			}
		},
		done: func(r kmsg.Response) {
			if r == nil {
				m.generation = 0
			} else if s := r.(*kmsg.SyncGroupResponse); s.ErrorCode != 0 {
				m.trouble(wire.Code(s.ErrorCode))
				m.generation = 0
			} else {
				m.parts = partsOf(string(s.MemberAssignment))
			}
			m.later()
		},
	})
}

func partsOf(assignment string) (parts []int32) {
	for _, word := range strings.Fields(assignment)[min(1, len(strings.Fields(assignment))):] {
		parts = append(parts, int32(word[0]-'0'))
	}
	return parts
}

// tellSynced judges an assignment that is told: it is the one made for that member, for that generation, and nobody else
// has any of it.
func (c *classicGroup) tellSynced(generation int32, member, assignment string) {
	c.g.w.counts[Assignments]++
	if generation < c.synced {
		violate("group %s: a member has its assignment of generation %d after %d", c.id, generation, c.synced)
	}
	c.synced = generation
	if owner, _, _ := strings.Cut(assignment, " "); owner != member {
		violate("group %s: member %s is given %q", c.id, member, assignment)
	}
	given := c.given[generation]
	if given == nil {
		given = map[string]string{}
		c.given[generation] = given
	}
	if before, told := given[member]; told && before != assignment {
		violate("group %s: in generation %d member %s is given %q, then %q", c.id, generation, member, before, assignment)
	}
	given[member] = assignment
	for other, theirs := range given { // order-free
		if other == member {
			continue
		}
		for _, p := range partsOf(theirs) {
			if slices.Contains(partsOf(assignment), p) {
				violate("group %s: in generation %d partition %d is given to %s and to %s", c.id, generation, p, member, other)
			}
		}
	}
}

// commit commits what the member has read, as of the generation it believes in.
func (m *classicMember) commit() {
	k, ok := m.c.g.place(m.c.id)
	if !ok {
		m.later()
		return
	}
	m.c.commitAs(k, committing{m.id, m.generation}, func(code wire.Code, answered bool) {
		if answered && code != wire.UnknownTopicID && code != wire.UnknownTopicOrPartition {
			m.trouble(code)
		}
		m.later()
	})
}

// commitAs commits, and judges that nobody commits in a generation that is over.
func (c *classicGroup) commitAs(k offsetKey, who committing, done func(wire.Code, bool)) {
	c.g.commit(k, who, func() {
		if who.generation < c.joined || who.generation < c.synced {
			violate("group %s: a commit of generation %d is accepted, and generation %d was told, %d had its assignment", c.id, who.generation, c.joined, c.synced)
		}
		if c.g.w.healing {
			c.healthy++
		}
	}, done)
}

func (m *classicMember) beat() {
	q := kmsg.NewPtrHeartbeatRequest()
	q.Version, q.Group, q.MemberID, q.Generation = 4, m.c.id, m.id, m.generation
	m.c.g.send(m.c.id, q, &ask{
		judge: func(*ask, kmsg.Response) {},
		done: func(r kmsg.Response) {
			if r != nil {
				m.trouble(wire.Code(r.(*kmsg.HeartbeatResponse).ErrorCode))
			}
			m.later()
		},
	})
}

func (m *classicMember) leave() {
	q := kmsg.NewPtrLeaveGroupRequest()
	q.Version, q.Group = 3, m.c.id
	q.Members = []kmsg.LeaveGroupRequestMember{{MemberID: m.id}}
	m.c.g.send(m.c.id, q, &ask{
		judge: func(*ask, kmsg.Response) {},
		done: func(kmsg.Response) {
			m.id, m.generation, m.parts = "", 0, nil
			m.later()
		},
	})
}

// late has a commit of the generation that ends arrive later, as an asynchronous one may.
func (m *classicMember) late() {
	w := m.c.g.w
	k, ok := m.c.g.place(m.c.id)
	if m.generation == 0 || !ok || !w.chance(0.5) {
		return
	}
	who := committing{m.id, m.generation}
	w.after(w.between(0, 3*time.Second), func() { m.c.commitAs(k, who, func(wire.Code, bool) {}) })
}

// trouble does what a consumer does about an error.
func (m *classicMember) trouble(code wire.Code) {
	switch {
	case code == wire.None || retriable(code):
	case code == wire.RebalanceInProgress:
		m.late()
		m.generation = 0
	case code == wire.UnknownMemberID, code == wire.IllegalGeneration:
		m.id, m.generation, m.parts = "", 0, nil
	default:
		violate("group %s: a member is answered %v", m.c.id, code)
	}
}
