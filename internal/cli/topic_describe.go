package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

// describedTopic is one line of the JSON output of topic describe.
type describedTopic struct {
	Topic             string               `json:"topic"`
	ID                string               `json:"id"`
	ReplicationFactor int                  `json:"replicationFactor"`
	MinInSync         int                  `json:"minInSync"`
	Survival          survival             `json:"survival"`
	Settings          map[string]string    `json:"settings"` // those given explicitly
	Partitions        []describedPartition `json:"partitions"`
	durability        durability
}

type describedPartition struct {
	Partition int32   `json:"partition"`
	Leader    int32   `json:"leader"` // -1: none
	Epoch     int32   `json:"epoch"`
	Replicas  []int32 `json:"replicas"`
	InSync    []int32 `json:"inSync"`
	Start     int64   `json:"start"` // first offset that can be read; -1: not known
	End       int64   `json:"end"`   // high watermark; -1: not known
	Error     string  `json:"error,omitempty"`
}

func newTopicDescribeCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "describe TOPIC…",
		Short: "Show a topic, what it can survive now and what it is guaranteed to",
		Long: `Shows topics with their partitions, and says in words which brokers each may lose now without harm,
and what acks=all guarantees under its settings.`,
		Example: "  holdfast topic describe orders\n  holdfast topic describe orders payments -o json",
		Args:    takes(1, -1, "the name of a topic"),
	}
	flags := a.addClientFlags(cmd, anyCluster)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return runTopicDescribe(cmd.Context(), a, flags, args) }
	return cmd
}

func runTopicDescribe(ctx context.Context, a *app, flags *clientFlags, names []string) error {
	c, err := flags.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	details, err := c.topics(ctx, names...)
	if err != nil {
		return err
	}
	for i, d := range details {
		described, err := c.describe(ctx, d)
		if err != nil {
			return err
		}
		if a.json() {
			err = jsonLine(a.env.Out, described)
		} else {
			if i > 0 {
				fmt.Fprintln(a.env.Out)
			}
			err = described.print(a.env.Out)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// describe adds settings and offsets to what metadata says of a topic.
func (c *client) describe(ctx context.Context, d kadm.TopicDetail) (describedTopic, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	r := resource{topic: d.Topic}
	all, err := c.configs(ctx, r)
	if err != nil {
		return describedTopic{}, err
	}
	values, explicit := map[string]string{}, map[string]string{}
	for _, k := range all {
		values[k.Key] = k.MaybeValue()
		if r.isExplicit(k) {
			explicit[k.Key] = shownValue(k)
		}
	}
	t := describedTopic{Topic: d.Topic, ID: d.ID.String(), ReplicationFactor: summarize(d).ReplicationFactor, Settings: explicit}
	t.MinInSync, _ = strconv.Atoi(values["min.insync.replicas"])
	t.durability = durabilityOf(values)
	state := topicState{MinISR: t.MinInSync, Unclean: values["unclean.leader.election.enable"] == "true", Durability: t.durability}
	starts, _ := c.admin.ListStartOffsets(ctx, d.Topic) // an offline partition has none: shown as unknown
	ends, _ := c.admin.ListEndOffsets(ctx, d.Topic)
	for _, p := range d.Partitions.Sorted() {
		state.Partitions = append(state.Partitions, partitionState{p.Leader, p.Replicas, p.ISR})
		t.Partitions = append(t.Partitions, describePartition(p, starts, ends))
	}
	t.Survival = survive(state)
	return t, nil
}

func describePartition(p kadm.PartitionDetail, starts, ends kadm.ListedOffsets) describedPartition {
	dp := describedPartition{
		Partition: p.Partition, Leader: p.Leader, Epoch: p.LeaderEpoch,
		Replicas: append([]int32{}, p.Replicas...), InSync: append([]int32{}, p.ISR...), Start: -1, End: -1,
	}
	if o, ok := starts.Lookup(p.Topic, p.Partition); ok && o.Err == nil {
		dp.Start = o.Offset
	}
	if o, ok := ends.Lookup(p.Topic, p.Partition); ok && o.Err == nil {
		dp.End = o.Offset
	}
	if p.Err != nil {
		dp.Error = kafkaError(p.Err)
	}
	return dp
}

// durabilityOf reads a topic's settings: Holdfast says it with commit.sync; elsewhere only flushing every message is a sync.
func durabilityOf(values map[string]string) durability {
	switch {
	case values["commit.sync"] == "true", values["flush.messages"] == "1":
		return durabilitySynced
	case values["commit.sync"] == "false", values["flush.messages"] != "":
		return durabilityCached
	}
	return durabilityUnknown
}

func (t describedTopic) print(w io.Writer) error {
	commits := map[durability]string{
		durabilitySynced: "commits are synced", durabilityCached: "commits are not synced", durabilityUnknown: "syncing unknown",
	}[t.durability]
	fmt.Fprintf(w, "%s  %s, %s, min in sync %d, %s\n", t.Topic, plural(int64(len(t.Partitions)), "partition"),
		plural(int64(t.ReplicationFactor), "replica"), t.MinInSync, commits)
	for i, line := range t.Survival.Now {
		fmt.Fprintf(w, "  %-4s %s\n", map[bool]string{true: "now:"}[i == 0], line)
	}
	fmt.Fprintf(w, "  guaranteed: %s\n", t.Survival.Guaranteed)
	for _, line := range t.Survival.Trouble {
		fmt.Fprintf(w, "  trouble: %s\n", line)
	}
	for _, key := range sortedKeys(t.Settings) {
		fmt.Fprintf(w, "  %s=%s\n", key, t.Settings[key])
	}
	rows := newTable("PARTITION", "LEADER", "REPLICAS", "IN SYNC", "START", "END")
	rows.indent = "  "
	for _, p := range t.Partitions {
		rows.row(p.Partition, p.Leader, joinIDs(p.Replicas), joinIDs(p.InSync), shownOffset(p.Start), shownOffset(p.End))
	}
	return rows.print(w)
}

func shownOffset(n int64) string {
	if n < 0 {
		return "?"
	}
	return comma(n)
}
