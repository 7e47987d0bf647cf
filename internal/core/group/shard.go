package group

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"holdfast/internal/base/event"
	"holdfast/internal/core/shard"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TimerKey names a timer.
type TimerKey struct {
	Kind   TimerKind
	Group  string // "" for a timer of the shard
	Member string // "" where the group as a whole is timed
}

// TimerKind is what a timer is for.
type TimerKind uint8

// The timers of a shard.
const (
	TimerSweep        TimerKind = iota // look for offsets that expire; of the shard
	TimerSession                       // a member was not heard of
	TimerPending                       // a member id was given out and nobody joined with it
	TimerInitialDelay                  // more members may come to a new group
	TimerRebalance                     // who has not joined by now is out
	TimerSync                          // who has not synced by now is out
	TimerRevoke                        // KIP-848: who has not given up partitions by now is out
	TimerAssign                        // KIP-848: changes were gathered long enough, assign
	TimerMetadata                      // KIP-848: go on looking for groups whose topics changed; of the shard
	TimerRejoin                        // a classic member of a KIP-848 group was told to rejoin
)

var timerNames = [...]string{"sweep", "session", "pending", "initial-delay", "rebalance", "sync", "revoke", "assign", "metadata", "rejoin"}

// String is the kind in a word.
func (k TimerKind) String() string { return timerNames[k] }

// Shard is the state of one partition of __consumer_offsets. It is not safe for concurrent use.
type Shard struct {
	cfg    Config
	groups map[string]*group
	open   map[int64][]pendingOffset // offsets of transactions that have not ended, by producer id, in their order
}

// group is all that a shard knows of one group id. One of them at most has members, classic or consumer.
type group struct {
	record   *kmsg.GroupMetadataValue // the classic group as the log has it; nil: it has not
	classic  *classic                 // the classic group as it is; nil: there is none
	consumer *consumer                // the KIP-848 group; nil: there is none
	offsets  map[offsetKey]stored
	unstable map[offsetKey]int // transactions that have committed an offset and not ended
}

type offsetKey struct {
	topic     string
	partition int32
}

// stored is a committed offset and where the log has it.
type stored struct {
	*Committed
	at int64
}

type pendingOffset struct {
	record *OffsetRecord
	at     int64
}

// New returns an empty shard.
func New(cfg Config) *Shard {
	return &Shard{cfg: cfg, groups: map[string]*group{}, open: map[int64][]pendingOffset{}}
}

// Decide answers cmd from the state as it is and says what must become true. It changes nothing.
//
// Requests are JoinGroup, SyncGroup, Heartbeat, LeaveGroup, DescribeGroups, ListGroups, DeleteGroups, OffsetCommit,
// TxnOffsetCommit, OffsetFetch, OffsetDelete, ConsumerGroupHeartbeat and ConsumerGroupDescribe.
func (s *Shard) Decide(now time.Time, cmd shard.Command) shard.Outcome {
	t := &turn{s: s, now: now, cmd: &cmd}
	switch r := cmd.Request.(type) {
	case *kmsg.HeartbeatRequest:
		t.heartbeat(r)
	case *kmsg.OffsetCommitRequest:
		t.commit(r)
	case *kmsg.ConsumerGroupHeartbeatRequest:
		t.consumerHeartbeat(r)
	case *kmsg.JoinGroupRequest:
		t.join(r)
	case *kmsg.SyncGroupRequest:
		t.sync(r)
	case *kmsg.LeaveGroupRequest:
		t.leave(r)
	case *kmsg.OffsetFetchRequest:
		t.fetch(r)
	case *kmsg.TxnOffsetCommitRequest:
		t.commitInTransaction(r)
	case *kmsg.OffsetDeleteRequest:
		t.deleteOffsets(r)
	case *kmsg.DescribeGroupsRequest:
		t.describe(r)
	case *kmsg.ListGroupsRequest:
		t.list(r)
	case *kmsg.DeleteGroupsRequest:
		t.deleteGroups(r)
	case *kmsg.ConsumerGroupDescribeRequest:
		t.describeConsumers(r)
	case *shard.Fired:
		t.fired(r.Timer.(TimerKey))
	case *shard.Loaded:
		t.loaded()
	case *shard.TopicsDeleted:
		t.topicsDeleted(r)
	case *shard.MetadataChanged:
		t.metadataChanged()
	default:
		panic(fmt.Sprintf("group: no command %T", r))
	}
	return t.out
}

// Apply makes a record part of the state. It cannot fail: a record that was decided, or is in the log, is a fact. The
// offset is the record's place in the log; for a volatile one, that of the last record before it.
func (s *Shard) Apply(offset int64, record shard.Record) {
	switch r := record.(type) {
	case *OffsetRecord:
		s.applyOffset(offset, r)
	case *ClassicRecord:
		s.applyClassic(r)
	case becomes:
		s.at(r.group.id).classic = r.group
		s.tidy(r.group.id)
	case *shard.Marker:
		s.applyMarker(r)
	case *ConsumerRecord:
		s.applyConsumer(r)
	default:
		panic(fmt.Sprintf("group: no record %T", r))
	}
}

func (s *Shard) applyClassic(r *ClassicRecord) {
	g := s.at(r.Group)
	if r.Value == nil {
		g.record, g.classic = nil, nil
	} else {
		g.record, g.classic = r.Value, fromValue(r.Group, r.Value)
	}
	s.tidy(r.Group)
}

func (s *Shard) at(id string) *group {
	g := s.groups[id]
	if g == nil {
		g = &group{offsets: map[offsetKey]stored{}, unstable: map[offsetKey]int{}}
		s.groups[id] = g
	}
	return g
}

// tidy forgets a group of which nothing is left.
func (s *Shard) tidy(id string) {
	g := s.groups[id]
	if c := g.classic; c != nil && g.record == nil && c.state == stateEmpty && len(c.pending) == 0 {
		g.classic = nil
	}
	if g.classic == nil && g.consumer == nil && len(g.offsets) == 0 && len(g.unstable) == 0 {
		delete(s.groups, id)
	}
}

func (s *Shard) classic(id string) *classic {
	if g := s.groups[id]; g != nil {
		return g.classic
	}
	return nil
}

func (s *Shard) consumer(id string) *consumer {
	if g := s.groups[id]; g != nil {
		return g.consumer
	}
	return nil
}

func (s *Shard) ids() []string { return slices.Sorted(maps.Keys(s.groups)) }

// Census is what a shard has, for metrics.
type Census struct {
	Groups  map[Standing]int
	Offsets int // committed ones
}

// Standing is a group's protocol and state, in ListGroups' words.
type Standing struct{ Protocol, State string }

// Add counts the shard in.
func (c *Census) Add(s *Shard) {
	if c.Groups == nil {
		c.Groups = map[Standing]int{}
	}
	for _, g := range s.groups { // order-free
		_, state, protocol := g.listed()
		c.Groups[Standing{protocol, state}]++
		c.Offsets += len(g.offsets)
	}
}

// turn is one decision as it comes about.
type turn struct {
	s   *Shard
	now time.Time
	cmd *shard.Command
	out shard.Outcome

	forgotten int // bytes of the records that end offsets
}

func (t *turn) nowMs() int64 { return t.now.UnixMilli() }

func (t *turn) reply(call shard.Call, resp kmsg.Response) {
	t.out.Replies = append(t.out.Replies, shard.Reply{Call: call, Response: resp})
}

func (t *turn) tell(e event.Event) { t.out.Events = append(t.out.Events, e) }

// close hands a changed copy of a classic group over to Apply.
func (t *turn) close(changed *classic) {
	t.out.Records = append(t.out.Records, becomes{changed})
}
