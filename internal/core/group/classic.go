package group

import (
	"slices"
	"strings"
	"time"

	"holdfast/internal/core/shard"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// state is where a classic group stands.
type state uint8

const (
	stateEmpty      state = iota // no members
	statePreparing               // members are to join
	stateCompleting              // all have joined, the leader's assignment is awaited
	stateStable                  // everybody may have its assignment
)

var stateNames = [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable"}

func (s state) String() string { return stateNames[s] }

const consumerProtocol = "consumer" // the protocol type whose subscriptions can be read

// classic is a classic group at one moment. A published one never changes: a decision works on a copy (turn.open) and
// hands that over as a whole (turn.close).
type classic struct {
	id           string
	state        state
	initial      bool          // the rebalance under way is the first of an empty group, and waits for more members
	grown        bool          // somebody came since the initial delay was armed
	remaining    time.Duration // by which the initial delay may still be extended
	generation   int32
	protocolType string
	protocol     *string // nil until a generation has one
	leader       string  // "" for none
	sinceMs      int64   // when the state was entered; -1: unknown
	members      []*member
	pending      []string // member ids given out that nobody joined with yet, sorted

	topics      map[string]bool // subscribed topics, if they are known
	topicsKnown bool
}

// member is one member at one moment; like the group it never changes once published.
type member struct {
	id         string
	instance   *string
	client     shard.Client
	session    time.Duration
	rebalance  time.Duration
	protocols  []kmsg.JoinGroupRequestProtocol // in the member's order of preference
	assignment []byte
	isNew      bool // has not had an answer to its first join: it cannot send heartbeats yet
	unsynced   bool // has joined this generation and not asked for its assignment
	join, sync *parked
}

// parked is a caller that waits.
type parked struct {
	call    shard.Call
	version int16
}

func compare(a, b string) int { return strings.Compare(a, b) }

func (g *classic) clone() *classic {
	c := *g
	c.members = slices.Clone(g.members)
	c.pending = slices.Clone(g.pending)
	return &c
}

func (g *classic) index(id string) (int, bool) {
	return slices.BinarySearchFunc(g.members, id, func(m *member, id string) int { return compare(m.id, id) })
}

func (g *classic) member(id string) *member {
	if i, ok := g.index(id); ok {
		return g.members[i]
	}
	return nil
}

// edit is the member's own copy in this copy of the group.
func (g *classic) edit(id string) *member {
	i, _ := g.index(id)
	m := *g.members[i]
	g.members[i] = &m
	return &m
}

func (g *classic) insert(m *member) {
	i, _ := g.index(m.id)
	g.members = slices.Insert(g.members, i, m)
}

// static is the member of an instance id; nil when there is none.
func (g *classic) static(instance string) *member {
	for _, m := range g.members {
		if m.instance != nil && *m.instance == instance {
			return m
		}
	}
	return nil
}

func (g *classic) isPending(id string) bool {
	_, ok := slices.BinarySearch(g.pending, id)
	return ok
}

func (g *classic) removePending(id string) {
	if i, ok := slices.BinarySearch(g.pending, id); ok {
		g.pending = slices.Delete(g.pending, i, i+1)
	}
}

func (g *classic) joining() int {
	n := 0
	for _, m := range g.members {
		if m.join != nil {
			n++
		}
	}
	return n
}

func (g *classic) allJoined() bool { return len(g.pending) == 0 && g.joining() == len(g.members) }

func (g *classic) allSynced() bool {
	return !slices.ContainsFunc(g.members, func(m *member) bool { return m.unsynced })
}

// rebalanceTimeout is that of the slowest member.
func (g *classic) rebalanceTimeout() time.Duration {
	var d time.Duration
	for _, m := range g.members {
		d = max(d, m.rebalance)
	}
	return d
}

// supports tells whether a member with these protocols can be in the group: some protocol must be everybody's.
func (g *classic) supports(protocolType string, protocols []kmsg.JoinGroupRequestProtocol) bool {
	if g.state == stateEmpty || len(g.members) == 0 {
		return protocolType != "" && len(protocols) > 0
	}
	if protocolType != g.protocolType {
		return false
	}
	counts := g.protocolCounts()
	return slices.ContainsFunc(protocols, func(p kmsg.JoinGroupRequestProtocol) bool { return counts[p.Name] == len(g.members) })
}

func (g *classic) protocolCounts() map[string]int {
	counts := map[string]int{}
	for _, m := range g.members {
		for i, p := range m.protocols {
			if !slices.ContainsFunc(m.protocols[:i], func(q kmsg.JoinGroupRequestProtocol) bool { return q.Name == p.Name }) {
				counts[p.Name]++
			}
		}
	}
	return counts
}

// vote chooses the protocol that most members like best among those that all support. Of several with as many votes
// the first in the leader's order wins.
func (g *classic) vote() string {
	counts := g.protocolCounts()
	votes := map[string]int{}
	for _, m := range g.members {
		for _, p := range m.protocols {
			if counts[p.Name] == len(g.members) {
				votes[p.Name]++
				break
			}
		}
	}
	voter := g.member(g.leader)
	if voter == nil && len(g.members) > 0 {
		voter = g.members[0]
	}
	best := ""
	for _, p := range voter.protocols {
		if counts[p.Name] == len(g.members) && (best == "" || votes[p.Name] > votes[best]) {
			best = p.Name
		}
	}
	return best
}

// metadata is what a member said along with a protocol.
func (m *member) metadata(protocol *string) []byte {
	for _, p := range m.protocols {
		if protocol != nil && p.Name == *protocol {
			return p.Metadata
		}
	}
	return []byte{}
}

func sameProtocols(a, b []kmsg.JoinGroupRequestProtocol) bool {
	return slices.EqualFunc(a, b, func(x, y kmsg.JoinGroupRequestProtocol) bool {
		return x.Name == y.Name && string(x.Metadata) == string(y.Metadata)
	})
}

// learnTopics works out what the group is subscribed to, where its members speak the consumer protocol.
func (g *classic) learnTopics() {
	g.topics, g.topicsKnown = nil, false
	if g.protocolType != consumerProtocol {
		return
	}
	topics := map[string]bool{}
	for _, m := range g.members {
		if g.protocol == nil {
			return
		}
		var meta kmsg.ConsumerMemberMetadata
		if err := meta.ReadFrom(m.metadata(g.protocol)); err != nil {
			return // not ours to judge: the group works, its topics are unknown
		}
		for _, t := range meta.Topics {
			topics[t] = true
		}
	}
	g.topics, g.topicsKnown = topics, true
}

// subscribed tells whether the group may be reading a topic.
func (g *classic) subscribed(topic string) bool {
	if g.topicsKnown {
		return g.topics[topic]
	}
	return g.protocolType == consumerProtocol
}

// value is the group as it is written to the log.
func (g *classic) value() *kmsg.GroupMetadataValue {
	v := &kmsg.GroupMetadataValue{
		Version: classicValueVersion, ProtocolType: g.protocolType, Generation: g.generation, Protocol: g.protocol, CurrentStateTimestamp: g.sinceMs,
	}
	if g.leader != "" {
		leader := g.leader
		v.Leader = &leader
	}
	for _, m := range g.members {
		v.Members = append(v.Members, kmsg.GroupMetadataValueMember{
			MemberID: m.id, InstanceID: m.instance, ClientID: m.client.ID, ClientHost: m.client.Host,
			RebalanceTimeoutMillis: int32(m.rebalance.Milliseconds()), SessionTimeoutMillis: int32(m.session.Milliseconds()),
			Subscription: m.metadata(g.protocol), Assignment: m.assignment,
		})
	}
	return v
}

// fromValue is the group that a restart finds in the log: its members are in, and have their assignment.
func fromValue(id string, v *kmsg.GroupMetadataValue) *classic {
	g := &classic{id: id, generation: v.Generation, protocolType: v.ProtocolType, protocol: v.Protocol, sinceMs: v.CurrentStateTimestamp}
	if v.Leader != nil {
		g.leader = *v.Leader
	}
	protocol := ""
	if v.Protocol != nil {
		protocol = *v.Protocol
	}
	for i := range v.Members {
		m := &v.Members[i]
		session := millis(m.SessionTimeoutMillis)
		rebalance := millis(m.RebalanceTimeoutMillis)
		if m.RebalanceTimeoutMillis < 0 {
			rebalance = session
		}
		if g.member(m.MemberID) != nil {
			continue
		}
		g.insert(&member{
			id: m.MemberID, instance: m.InstanceID, client: shard.Client{ID: m.ClientID, Host: m.ClientHost}, session: session, rebalance: rebalance,
			protocols: []kmsg.JoinGroupRequestProtocol{{Name: protocol, Metadata: m.Subscription}}, assignment: m.Assignment,
		})
	}
	if len(g.members) > 0 {
		g.state = stateStable
		if g.member(g.leader) == nil {
			g.leader = g.members[0].id
		}
	}
	g.learnTopics()
	return g
}

func millis(ms int32) time.Duration { return time.Duration(ms) * time.Millisecond }
