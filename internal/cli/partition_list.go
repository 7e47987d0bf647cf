package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/proto/wire"
)

// listedPartition is one line of the JSON output of partition list.
type listedPartition struct {
	Topic         string          `json:"topic"`
	Partition     int32           `json:"partition"`
	Leader        int32           `json:"leader"` // -1: none
	Replicas      []int32         `json:"replicas"`
	InSync        []int32         `json:"inSync"`
	Start         int64           `json:"start"`         // first offset that can be read; -1: not known
	HighWatermark int64           `json:"highWatermark"` // below it everything is committed; -1: not known
	End           int64           `json:"end"`           // the leader's log end; -1: not known
	Bytes         int64           `json:"bytes"`         // on the leader's disk; -1: not known
	State         string          `json:"state"`         // ok, damaged, offline
	Copies        []listedReplica `json:"copies"`        // what each node says that holds one
}

// listedReplica is one copy of a partition. Brokers that are not Holdfast say only its size.
type listedReplica struct {
	Node    int32               `json:"node"`
	Dir     string              `json:"dir"`
	Bytes   int64               `json:"bytes"`
	Offline string              `json:"offline,omitempty"` // why it does not serve
	Damaged []wire.DamagedRange `json:"damaged,omitempty"`
	More    int                 `json:"moreDamaged,omitempty"` // ranges that are not listed

	end   int64
	known bool
}

const (
	partitionOK      = "ok"
	partitionDamaged = "damaged"
	partitionOffline = "offline"
)

type partitionList struct {
	app      *app
	client   *clientFlags
	damaged  bool
	offline  bool
	leader   int32
	internal bool
}

func newPartitionListCommand(a *app) *cobra.Command {
	l := &partitionList{app: a}
	cmd := &cobra.Command{
		Use:   "list [TOPIC…]",
		Short: "List partitions with their offsets, size and state",
		Long: `Lists partitions: who leads, the first offset, the high watermark (below it everything is committed), the log end, the
bytes on disk, and the state:
  ok        all of it is served
  damaged   some records are not what was written. They are not served and not deleted; all others are served. Each range is
            listed with its file and what can be done.
  offline   it has no leader, or the node that should serve it cannot, and says why.
Damage that no reader has met is found by the nodes' own search, which reads all records once a day at
log.scrub.bytes.per.second.

Brokers that are not Holdfast know no damage and no log end.`,
		Example: "  holdfast partition list\n  holdfast partition list orders payments -o json\n  holdfast partition list --damaged --offline",
		Args:    takes(0, -1, ""),
		RunE:    func(cmd *cobra.Command, args []string) error { return l.run(cmd.Context(), args) },
	}
	l.client = a.addClientFlags(cmd, anyCluster)
	f := cmd.Flags()
	f.BoolVar(&l.damaged, "damaged", false, "only partitions that are damaged (with --offline: or offline)")
	f.BoolVar(&l.offline, "offline", false, "only partitions that are offline (with --damaged: or damaged)")
	f.Int32Var(&l.leader, "leader", -1, "only partitions that this node leads")
	f.BoolVar(&l.internal, "internal", false, "show internal topics too")
	return cmd
}

func (l *partitionList) run(ctx context.Context, names []string) error {
	c, err := l.client.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	all, err := c.partitions(ctx, names, l.internal)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(p listedPartition) bool { return !l.wants(p) })
	if l.app.json() {
		for _, p := range all {
			if err := jsonLine(l.app.env.Out, p); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		l.app.notice("no partition is like that")
		return nil
	}
	return printPartitions(l.app.env.Out, all)
}

func (l *partitionList) wants(p listedPartition) bool {
	if l.leader >= 0 && p.Leader != l.leader {
		return false
	}
	return !l.damaged && !l.offline || l.damaged && p.State == partitionDamaged || l.offline && p.State == partitionOffline
}

// partitions reads all that is known of the partitions of some topics; without names, of all.
func (c *client) partitions(ctx context.Context, names []string, internal bool) ([]listedPartition, error) {
	var details []kadm.TopicDetail
	if len(names) > 0 {
		found, err := c.topics(ctx, names...)
		if err != nil {
			return nil, err
		}
		details = found
	} else {
		bounded, cancel := c.bounded(ctx)
		defer cancel()
		found, err := c.admin.ListTopicsWithInternal(bounded)
		if err != nil {
			return nil, c.explain(err, "list the topics")
		}
		details = slices.DeleteFunc(found.Sorted(), func(d kadm.TopicDetail) bool { return isInternalTopic(d) && !internal })
	}
	if len(details) == 0 {
		return nil, nil
	}
	bounded, cancel := c.bounded(ctx)
	defer cancel()
	asked := make([]string, len(details))
	for i, d := range details {
		asked[i] = d.Topic
	}
	starts, _ := c.admin.ListStartOffsets(bounded, asked...) // an offline partition has none: shown as unknown
	ends, _ := c.admin.ListEndOffsets(bounded, asked...)
	copies, err := c.copies(bounded)
	if err != nil {
		return nil, err
	}
	var all []listedPartition
	for _, d := range details {
		for _, p := range d.Partitions.Sorted() {
			all = append(all, listPartition(describePartition(p, starts, ends), d.Topic, copies[partitionOf{d.Topic, p.Partition}]))
		}
	}
	return all, nil
}

// partitionOf names a partition.
type partitionOf struct {
	topic string
	index int32
}

// copies asks every node what lies in its data directories.
func (c *client) copies(ctx context.Context) (map[partitionOf][]listedReplica, error) {
	out := map[partitionOf][]listedReplica{}
	for _, shard := range c.RequestSharded(ctx, kmsg.NewPtrDescribeLogDirsRequest()) {
		if shard.Err != nil {
			continue // a node that is down: its partitions have no leader, or another one
		}
		r := shard.Resp.(*kmsg.DescribeLogDirsResponse)
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			return nil, c.explain(err, "read the data directories")
		}
		for _, dir := range r.Dirs {
			if err := addCopies(out, shard.Meta.NodeID, dir); err != nil {
				return nil, err
			}
		}
	}
	for _, list := range out { // order-free
		slices.SortFunc(list, func(a, b listedReplica) int { return cmp.Compare(a.Node, b.Node) })
	}
	return out, nil
}

func addCopies(out map[partitionOf][]listedReplica, node int32, dir kmsg.DescribeLogDirsResponseDir) error {
	for i := range dir.Topics {
		t := &dir.Topics[i]
		states, err := wire.ReplicaStates(t)
		if err != nil {
			return failed(err, "", "node %d answers what cannot be read: %v", node, err)
		}
		here := map[int32]*listedReplica{}
		for _, p := range t.Partitions {
			here[p.Partition] = &listedReplica{Node: node, Dir: dir.Dir, Bytes: p.Size, end: -1}
		}
		for _, s := range states {
			r := here[s.Partition]
			if r == nil {
				r = &listedReplica{Node: node, Dir: dir.Dir, Bytes: -1}
				here[s.Partition] = r
			}
			r.known, r.end, r.Offline, r.Damaged, r.More = true, s.End, s.Offline, s.Damaged, s.More
		}
		failing := kerr.ErrorForCode(dir.ErrorCode)
		for index, r := range here { // order-free: sorted by the caller
			if failing != nil && r.Offline == "" {
				r.Offline = fmt.Sprintf("its data directory %s has failed: records are read, none are taken. Check the device, then restart the node", dir.Dir)
			}
			at := partitionOf{t.Topic, index}
			out[at] = append(out[at], *r)
		}
	}
	return nil
}

// listPartition puts together what the cluster and what each node says.
func listPartition(d describedPartition, topic string, copies []listedReplica) listedPartition {
	p := listedPartition{
		Topic: topic, Partition: d.Partition, Leader: d.Leader, Replicas: d.Replicas, InSync: d.InSync,
		Start: d.Start, HighWatermark: d.End, End: -1, Bytes: -1, State: partitionOK, Copies: append([]listedReplica{}, copies...),
	}
	if d.Leader < 0 {
		p.State = partitionOffline
	}
	for _, r := range copies {
		if r.Node == d.Leader {
			p.Bytes, p.End = r.Bytes, r.end
			if r.Offline != "" {
				p.State = partitionOffline
			}
		}
		if len(r.Damaged) > 0 && p.State == partitionOK {
			p.State = partitionDamaged
		}
	}
	return p
}

func printPartitions(w io.Writer, all []listedPartition) error {
	rows := newTable("TOPIC", "PARTITION", "LEADER", "REPLICAS", "IN SYNC", "START", "HIGH WATERMARK", "END", "SIZE", "STATE")
	for _, p := range all {
		leader := "none"
		if p.Leader >= 0 {
			leader = fmt.Sprint(p.Leader)
		}
		size := "?"
		if p.Bytes >= 0 {
			size = shownSize(p.Bytes)
		}
		rows.row(p.Topic, p.Partition, leader, joinIDs(p.Replicas), joinIDs(p.InSync), shownOffset(p.Start), shownOffset(p.HighWatermark), shownOffset(p.End), size, p.State)
	}
	if err := rows.print(w); err != nil {
		return err
	}
	for _, p := range all {
		for _, r := range p.Copies {
			r.explain(w, p)
		}
	}
	return nil
}

// explain says what is wrong with a copy, and what can be done.
func (r *listedReplica) explain(w io.Writer, p listedPartition) {
	name := fmt.Sprintf("%s-%d on node %d", p.Topic, p.Partition, r.Node)
	if r.Offline != "" {
		fmt.Fprintf(w, "\n%s is offline: %s\n", name, r.Offline)
	}
	for _, d := range r.Damaged {
		what := fmt.Sprintf("offset %s is", comma(d.First))
		if d.Last > d.First {
			what = fmt.Sprintf("offsets %s to %s are", comma(d.First), comma(d.Last))
		}
		fmt.Fprintf(w, "\n%s: %s damaged and not served: %s\n", name, what, d.Reason)
		fmt.Fprintf(w, "  Consumers are told CORRUPT_MESSAGE there; what lies before and behind is served.\n")
		fmt.Fprintf(w, "  look at it:   holdfast dump %s --offset %d     (bytes %d to %d)\n", filepath.Join(r.Dir, d.File), d.First, d.Position, d.Until)
		fmt.Fprintf(w, "  get it back:  stop node %d, put a good copy of that file there, start it\n", r.Node)
		fmt.Fprintf(w, "  go on behind: holdfast group reset GROUP --topic %s:%d --to-offset %d --execute\n", p.Topic, p.Partition, d.Last+1)
	}
	if r.More > 0 {
		fmt.Fprintf(w, "\n%s: %s more are damaged; `holdfast events --kind quarantined --topic %s` lists all\n", name, plural(int64(r.More), "range"), p.Topic)
	}
}
