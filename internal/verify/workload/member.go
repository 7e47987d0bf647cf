package workload

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// MemberSettings are what a member of a group is told to do. They are handed to other processes as JSON.
type MemberSettings struct {
	Topic    string `json:"topic"`
	Group    string `json:"group"`
	Run      uint64 `json:"run"`      // whose records it expects
	Protocol string `json:"protocol"` // classic or consumer
	// Assignor is cooperative-sticky, sticky, range or roundrobin; with the consumer protocol uniform or range.
	Assignor string `json:"assignor"`
	Instance string `json:"instance,omitempty"`
	// Commit is each (after every poll, and waited for), async (after every poll), or auto (by the client, every Interval).
	// Whatever it is, all that was given is committed before a partition that is asked back is let go.
	Commit   string        `json:"commit"`
	Interval time.Duration `json:"interval"`

	Session   time.Duration `json:"session"`   // classic only: the consumer protocol's is the cluster's
	Heartbeat time.Duration `json:"heartbeat"` // as Session
	Rebalance time.Duration `json:"rebalance"`
	MaxPoll   int           `json:"maxPoll"` // records a poll
}

// The words that MemberSettings knows.
var (
	MemberProtocols = []string{"classic", "consumer"}
	CommitModes     = []string{"each", "async", "auto"}
)

// Check says what cannot be meant.
func (s MemberSettings) Check() error {
	switch {
	case !slices.Contains(MemberProtocols, s.Protocol):
		return fmt.Errorf("there is no group protocol %q, use classic or consumer", s.Protocol)
	case balancerOf(s.Protocol, s.Assignor) == nil:
		return fmt.Errorf("the %s protocol has no assignor %q here", s.Protocol, s.Assignor)
	case !slices.Contains(CommitModes, s.Commit):
		return fmt.Errorf("there is no way to commit %q, use each, async or auto", s.Commit)
	}
	return nil
}

func balancerOf(protocol, assignor string) kgo.GroupBalancer {
	switch protocol + "/" + assignor {
	case "classic/cooperative-sticky":
		return kgo.CooperativeStickyBalancer()
	case "classic/sticky", "consumer/uniform":
		return kgo.StickyBalancer()
	case "classic/range", "consumer/range":
		return kgo.RangeBalancer()
	case "classic/roundrobin":
		return kgo.RoundRobinBalancer()
	}
	return nil
}

// revokeLimit bounds the commit before a partition is let go.
const revokeLimit = 10 * time.Second

// Member is one member of a group. It tells everything that happens to it, in order, before it goes on.
type Member struct {
	settings MemberSettings
	client   *kgo.Client

	mu      sync.Mutex // over all below, and held while something is told
	tell    func(Event)
	holds   map[int32]int32 // by partition: the hold, or the last one
	commits map[*kmsg.OffsetCommitRequest][]Event
	hold    int32
	commit  int64
}

// NewMember opens a member; Run lets it join. tell is called with one event after the other.
func NewMember(s MemberSettings, open Opener, tell func(Event)) (*Member, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	m := &Member{settings: s, tell: tell, holds: map[int32]int32{}, commits: map[*kmsg.OffsetCommitRequest][]Event{}}
	client, err := open(nil, m.options()...)
	if err != nil {
		return nil, err
	}
	m.client = client
	return m, nil
}

func (m *Member) options() []kgo.Opt {
	s := m.settings
	opts := []kgo.Opt{
		kgo.ConsumerGroup(s.Group), kgo.ConsumeTopics(s.Topic), kgo.Balancers(balancerOf(s.Protocol, s.Assignor)),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.BlockRebalanceOnPoll(), // so that what is committed is what the member owns
		kgo.OnPartitionsAssigned(m.assigned), kgo.OnPartitionsRevoked(m.revoked), kgo.OnPartitionsLost(m.lost),
		kgo.AdjustFetchOffsetsFn(m.positioned),
		// The context of every request that the client makes by itself, so that also automatic commits are seen before they leave.
		kgo.WithContext(kgo.PreCommitFnContext(context.Background(), m.committing)),
	}
	if s.Protocol == "consumer" {
		opts = append(opts, kgo.ServerSideBalancer())
	}
	if s.Instance != "" {
		opts = append(opts, kgo.InstanceID(s.Instance))
	}
	if s.Session > 0 {
		opts = append(opts, kgo.SessionTimeout(s.Session))
	}
	if s.Heartbeat > 0 {
		opts = append(opts, kgo.HeartbeatInterval(s.Heartbeat))
	}
	if s.Rebalance > 0 {
		opts = append(opts, kgo.RebalanceTimeout(s.Rebalance))
	}
	if s.Commit != "auto" {
		return append(opts, kgo.DisableAutoCommit())
	}
	return append(opts, kgo.AutoCommitInterval(s.Interval), kgo.AutoCommitCallback(m.committed))
}

// Run reads until ctx ends, then leaves the group.
func (m *Member) Run(ctx context.Context) {
	m.say(Event{Kind: Started})
	for ctx.Err() == nil {
		fetches := m.client.PollRecords(ctx, m.settings.MaxPoll)
		fetches.EachError(func(_ string, p int32, err error) {
			if !errors.Is(err, context.Canceled) {
				m.say(Event{Kind: Failed, Text: fmt.Sprintf("read partition %d: %v", p, err)})
			}
		})
		m.got(fetches)
		if !fetches.Empty() {
			m.commitAll()
		}
		m.client.AllowRebalance()
	}
	m.client.CloseAllowingRebalance()
	m.say(Event{Kind: Left})
}

// say tells one event.
func (m *Member) say(e Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tellNow(e)
}

func (m *Member) tellNow(e Event) {
	e.At = now()
	m.tell(e)
}

// got tells the records of a poll.
func (m *Member) got(fetches kgo.Fetches) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		e := Event{Kind: Got, Hold: m.holds[p.Partition], Partition: p.Partition, Records: make([]Read, len(p.Records))}
		for i, r := range p.Records {
			e.Records[i] = Read(readOf(m.settings.Run, r))
		}
		m.tellNow(e)
	})
}

// commitAll commits what was polled, in the way that was asked for.
func (m *Member) commitAll() {
	ctx := m.client.Context()
	switch m.settings.Commit {
	case "each":
		m.commitSync(ctx)
	case "async":
		m.client.CommitOffsets(ctx, m.client.UncommittedOffsets(), m.committed)
	}
}

func (m *Member) commitSync(ctx context.Context) {
	limit, cancel := context.WithTimeout(ctx, revokeLimit)
	defer cancel()
	m.client.CommitOffsetsSync(limit, m.client.UncommittedOffsets(), m.committed)
}

// committing is called by the client before a commit leaves.
func (m *Member) committing(req *kmsg.OffsetCommitRequest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			m.commit++
			e := Event{Kind: Committing, Hold: m.holds[p.Partition], Partition: p.Partition, Offset: p.Offset, Commit: m.commit, Epoch: req.Generation}
			m.commits[req] = append(m.commits[req], e)
			m.tellNow(e)
		}
	}
	return nil
}

// committed is called by the client when a commit is over. What was refused may have been accepted by an earlier try.
func (m *Member) committed(_ *kgo.Client, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	failures := map[int32]error{}
	if resp != nil {
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				failures[p.Partition] = kerr.ErrorForCode(p.ErrorCode)
			}
		}
	}
	for _, e := range m.commits[req] {
		e.Kind = Committed
		failure, answered := failures[e.Partition]
		switch {
		case err != nil:
			e.Text = err.Error()
		case !answered:
			e.Text = "the answer does not name the partition"
		case failure != nil:
			e.Text, e.Fenced = failure.Error(), givenUp(failure)
		}
		m.tellNow(e)
	}
	delete(m.commits, req)
}

// givenUp tells the refusals by which a member learns that it is none any more.
func givenUp(err error) bool {
	return errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.FencedInstanceID) || errors.Is(err, kerr.FencedMemberEpoch)
}

func (m *Member) assigned(_ context.Context, client *kgo.Client, given map[string][]int32) {
	_, epoch := client.GroupMetadata()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range given[m.settings.Topic] {
		m.hold++
		m.holds[p] = m.hold
		m.tellNow(Event{Kind: Assigned, Hold: m.hold, Partition: p, Epoch: epoch})
	}
}

// positioned is called by the client with the committed offsets, before it reads from there.
func (m *Member) positioned(_ context.Context, at map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	offsets := at[m.settings.Topic]
	for _, p := range slices.Sorted(maps.Keys(offsets)) {
		o := offsets[p]
		m.tellNow(Event{Kind: Positioned, Hold: m.holds[p], Partition: p, Offset: max(o.EpochOffset().Offset, -1)})
	}
	return at, nil
}

// revoked is called at the end of a session too, with nothing to let go.
func (m *Member) revoked(ctx context.Context, _ *kgo.Client, taken map[string][]int32) {
	if len(taken[m.settings.Topic]) > 0 {
		m.commitSync(ctx)
	}
	m.letGo(Revoked, taken)
}

func (m *Member) lost(_ context.Context, _ *kgo.Client, taken map[string][]int32) {
	m.letGo(Lost, taken)
}

func (m *Member) letGo(kind EventKind, taken map[string][]int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range taken[m.settings.Topic] {
		m.tellNow(Event{Kind: kind, Hold: m.holds[p], Partition: p})
	}
}
