package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func newGroupCommand(a *app) *cobra.Command {
	return noun("group", "List, describe, measure, reset and delete consumer groups", "  holdfast group lag orders-app",
		newGroupListCommand(a),
		newGroupDescribeCommand(a),
		newGroupLagCommand(a),
		newGroupResetCommand(a),
		newGroupDeleteCommand(a),
	)
}

// groupBatch is how many groups one request asks about: answers carry every member of each.
const groupBatch = 200

// group is what the cluster says of a group.
type group struct {
	name        string
	state       string // Kafka's word: Empty, Stable, PreparingRebalance, …
	kind        string // classic, consumer, share, streams; empty where the cluster is too old to say
	assignor    string
	coordinator int32
	epoch       int32 // of a consumer group; -1: has none
	members     []member
}

type member struct {
	Member   string             `json:"member"`
	Instance string             `json:"instance,omitempty"` // of a static member
	Client   string             `json:"client"`
	Host     string             `json:"host"`
	Epoch    int32              `json:"epoch"`             // of a member of a consumer group; -1: has none
	Protocol string             `json:"protocol"`          // classic or consumer
	Assigned map[string][]int32 `json:"assigned"`          // partitions by topic
	Target   map[string][]int32 `json:"target,omitempty"`  // where it is to get others
	Topics   []string           `json:"topics,omitempty"`  // subscribed by name
	Pattern  string             `json:"pattern,omitempty"` // subscribed by pattern
}

// holds tells whether the group's members may commit, so that offsets are not for others to change.
func (g group) holds() bool {
	return len(g.members) > 0 || g.state != "Empty" && g.state != "Dead" && g.state != ""
}

// title is "3 members" with what is known of the group besides.
func (g group) title() string {
	parts := []string{strings.ToLower(g.state)}
	switch {
	case g.kind != "" && g.assignor != "":
		parts = append(parts, g.kind+" ("+g.assignor+")")
	case g.kind != "":
		parts = append(parts, g.kind)
	}
	parts = append(parts, plural(int64(len(g.members)), "member"))
	if g.coordinator >= 0 {
		parts = append(parts, fmt.Sprintf("coordinator %d", g.coordinator))
	}
	if g.epoch >= 0 {
		parts = append(parts, fmt.Sprintf("epoch %d", g.epoch))
	}
	return strings.Join(parts, ", ")
}

// listGroups returns all groups of the cluster by name. A broker that does not answer is an error beside what others said.
func (c *client) listGroups(ctx context.Context) ([]group, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	var list []group
	var refused []error
	for _, shard := range c.RequestSharded(ctx, kmsg.NewPtrListGroupsRequest()) {
		at := fmt.Sprintf("list the groups of broker %d", shard.Meta.NodeID)
		if shard.Err != nil {
			refused = append(refused, c.explain(shard.Err, at))
			continue
		}
		resp := shard.Resp.(*kmsg.ListGroupsResponse)
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			refused = append(refused, c.explain(err, at))
			continue
		}
		for _, g := range resp.Groups {
			list = append(list, group{name: g.Group, state: g.GroupState, kind: strings.ToLower(g.GroupType), coordinator: shard.Meta.NodeID, epoch: -1})
		}
	}
	slices.SortFunc(list, func(a, b group) int { return strings.Compare(a.name, b.name) })
	return list, joinProblems(refused)
}

// describeGroups returns the named groups that exist, by name. A group is of one of two kinds, and there is a request for
// each; whoever does not know the kind asks both.
func (c *client) describeGroups(ctx context.Context, names []string) (map[string]group, error) {
	found := map[string]group{}
	for batch := range slices.Chunk(names, groupBatch) {
		if err := c.describeConsumer(ctx, batch, found); err != nil {
			return nil, err
		}
		rest := slices.DeleteFunc(slices.Clone(batch), func(name string) bool { _, ok := found[name]; return ok })
		if err := c.describeClassic(ctx, rest, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (c *client) describeConsumer(ctx context.Context, names []string, to map[string]group) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	var described kadm.DescribedConsumerGroups
	err := patiently(ctx, func() (err error) {
		described, err = c.admin.DescribeConsumerGroups(ctx, names...)
		for _, d := range described {
			err = cmp.Or(err, awaited(d.Err))
		}
		return err
	})
	if err != nil && len(described) == 0 {
		return nil // a cluster without groups of this kind; what else is wrong, the other request meets too
	}
	for _, d := range described {
		switch {
		case errors.Is(d.Err, kerr.GroupIDNotFound), errors.Is(d.Err, kerr.UnsupportedVersion):
			continue
		case d.Err != nil:
			return c.explain(d.Err, "describe group "+d.Group)
		}
		g := group{name: d.Group, state: d.State, kind: "consumer", assignor: d.AssignorName, coordinator: d.Coordinator.NodeID, epoch: d.Epoch}
		for _, m := range d.Members {
			one := member{
				Member: m.MemberID, Instance: text(m.InstanceID), Client: m.ClientID, Host: host(m.ClientHost), Epoch: m.MemberEpoch, Protocol: "consumer",
				Assigned: topicSet(m.Assignment), Topics: m.SubscribedTopics, Pattern: text(m.SubscribedTopicRegex),
			}
			if m.MemberType == 0 {
				one.Protocol = "classic"
			}
			if target := topicSet(m.TargetAssignment); !maps.EqualFunc(target, one.Assigned, slices.Equal) {
				one.Target = target
			}
			g.members = append(g.members, one)
		}
		to[g.name] = g
	}
	return nil
}

func (c *client) describeClassic(ctx context.Context, names []string, to map[string]group) error {
	if len(names) == 0 {
		return nil
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	var described kadm.DescribedGroups
	err := patiently(ctx, func() (err error) {
		described, err = c.admin.DescribeGroups(ctx, names...)
		for _, d := range described {
			err = cmp.Or(err, awaited(d.Err))
		}
		return err
	})
	if err != nil {
		return c.explain(err, "describe group "+strings.Join(names[:min(len(names), 3)], ", "))
	}
	for _, d := range described {
		switch {
		case errors.Is(d.Err, kerr.GroupIDNotFound), d.Err == nil && d.State == "Dead":
			continue
		case d.Err != nil:
			return c.explain(d.Err, "describe group "+d.Group)
		}
		g := group{name: d.Group, state: d.State, kind: "classic", assignor: d.Protocol, coordinator: d.Coordinator.NodeID, epoch: -1}
		for _, m := range d.Members {
			one := member{Member: m.MemberID, Instance: text(m.InstanceID), Client: m.ClientID, Host: host(m.ClientHost), Epoch: -1, Protocol: "classic", Assigned: map[string][]int32{}}
			if joined, ok := m.Join.AsConsumer(); ok {
				one.Topics = slices.Sorted(slices.Values(joined.Topics))
			}
			if assigned, ok := m.Assigned.AsConsumer(); ok {
				for _, t := range assigned.Topics {
					one.Assigned[t.Topic] = slices.Sorted(slices.Values(t.Partitions))
				}
			}
			g.members = append(g.members, one)
		}
		to[g.name] = g
	}
	return nil
}

// patiently tries again while the group's coordinator is on its way: the first question of all makes the cluster create
// the topic that groups are kept in, and a coordinator that has moved loads it.
func patiently(ctx context.Context, do func() error) error {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := do()
		if awaited(err) == nil {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// awaited is err where waiting for the coordinator helps, and nil otherwise.
func awaited(err error) error {
	for _, passing := range []error{kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator} {
		if errors.Is(err, passing) {
			return err
		}
	}
	return nil
}

// noSuchGroup says that a group is not there, with the nearest one that is.
func (c *client) noSuchGroup(ctx context.Context, name string) error {
	what := fmt.Sprintf("group %q does not exist on %s", name, c.settings["bootstrap.servers"])
	all, _ := c.listGroups(ctx) // only for a better sentence
	names := make([]string, 0, len(all))
	for _, g := range all {
		if g.name == name {
			return failed(kerr.GroupIDNotFound, "These commands are for classic and consumer groups.", "group %q is a %s group", name, g.kind)
		}
		names = append(names, g.name)
	}
	if n := nearest(name, names); n != "" {
		return failed(kerr.GroupIDNotFound, "", "%s. Did you mean %s? (holdfast group list shows all)", what, n)
	}
	return failed(kerr.GroupIDNotFound, "`holdfast group list` shows all.", "%s", what)
}

// busy says that a group's offsets are its members' while it has any.
func (g group) busy(doing string) error {
	who := make([]string, 0, 3)
	for _, m := range g.members[:min(len(g.members), 3)] {
		who = append(who, m.Client+" on "+m.Host)
	}
	if more := len(g.members) - len(who); more > 0 {
		who = append(who, fmt.Sprintf("%d more", more))
	}
	whom := ""
	if len(who) > 0 {
		whom = " (" + strings.Join(who, ", ") + ")"
	}
	return failed(kerr.NonEmptyGroup, "Stop them first: a running member would go on where it is, and its next commit would take the place of what is done here.\n"+
		"A member that was killed counts until its session has timed out.",
		"could not %s: it has %s%s and is %s", doing, plural(int64(len(g.members)), "member"), whom, strings.ToLower(g.state))
}

func topicSet(set kadm.TopicsSet) map[string][]int32 {
	list := map[string][]int32{}
	for t, ps := range set {
		list[t] = slices.Sorted(maps.Keys(ps))
	}
	return list
}

// host is the address of a client as Kafka reports it, without its slash.
func host(h string) string { return strings.TrimPrefix(h, "/") }

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// shownPartitions is "orders 0-3,7  payments 2".
func shownPartitions(set map[string][]int32) string {
	var parts []string
	for _, t := range slices.Sorted(maps.Keys(set)) {
		if len(set[t]) > 0 {
			parts = append(parts, t+" "+ranges(set[t]))
		}
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, "  ")
}

// ranges is "0-3,7" of sorted numbers.
func ranges(list []int32) string {
	var s strings.Builder
	for i := 0; i < len(list); {
		end := i
		for end+1 < len(list) && list[end+1] == list[end]+1 {
			end++
		}
		if i > 0 {
			s.WriteByte(',')
		}
		fmt.Fprint(&s, list[i])
		if end > i {
			fmt.Fprintf(&s, "-%d", list[end])
		}
		i = end + 1
	}
	return s.String()
}
