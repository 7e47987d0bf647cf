package cli

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

// listedTopic is one line of the JSON output of topic list.
type listedTopic struct {
	Topic             string `json:"topic"`
	ID                string `json:"id"`
	Internal          bool   `json:"internal"`
	Partitions        int    `json:"partitions"`
	ReplicationFactor int    `json:"replicationFactor"`
	Offline           int    `json:"offline"`         // partitions without a leader
	UnderReplicated   int    `json:"underReplicated"` // partitions with a replica out of sync
}

func newTopicListCommand(a *app) *cobra.Command {
	var internal bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List topics",
		Long:    "Lists topics with what is wrong with them: partitions without a leader, partitions with a replica out of sync.",
		Example: "  holdfast topic list\n  holdfast topic list --internal -o json",
		Args:    takes(0, 0, ""),
	}
	flags := a.addClientFlags(cmd, anyCluster)
	cmd.Flags().BoolVar(&internal, "internal", false, "show internal topics too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return runTopicList(cmd.Context(), a, flags, internal) }
	return cmd
}

func runTopicList(ctx context.Context, a *app, flags *clientFlags, internal bool) error {
	c, err := flags.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	all, err := c.admin.ListTopicsWithInternal(ctx)
	if err != nil {
		return c.explain(err, "list the topics")
	}
	t := newTable("TOPIC", "PARTITIONS", "REPLICAS", "OFFLINE", "UNDER-REPLICATED")
	for _, d := range all.Sorted() {
		if isInternalTopic(d) && !internal {
			continue
		}
		l := summarize(d)
		if a.json() {
			if err := jsonLine(a.env.Out, l); err != nil {
				return err
			}
			continue
		}
		t.row(l.Topic, l.Partitions, l.ReplicationFactor, l.Offline, l.UnderReplicated)
	}
	if a.json() {
		return nil
	}
	if len(t.rows) == 1 {
		a.notice("no topics yet; `holdfast topic create NAME` makes one")
		return nil
	}
	return t.print(a.env.Out)
}

// isInternalTopic also hides the topics of Holdfast itself, which are ordinary topics to Kafka's flag.
func isInternalTopic(d kadm.TopicDetail) bool {
	return d.IsInternal || len(d.Topic) > 2 && d.Topic[:2] == "__"
}

func summarize(d kadm.TopicDetail) listedTopic {
	l := listedTopic{Topic: d.Topic, ID: d.ID.String(), Internal: isInternalTopic(d), Partitions: len(d.Partitions)}
	for _, p := range d.Partitions.Sorted() {
		l.ReplicationFactor = max(l.ReplicationFactor, len(p.Replicas))
		if p.Leader < 0 {
			l.Offline++
		}
		if len(p.ISR) < len(p.Replicas) {
			l.UnderReplicated++
		}
	}
	return l
}
