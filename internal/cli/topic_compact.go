package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

// compactionRequested is the setting by which a topic's brokers learn that it is to be compacted now.
const compactionRequested = "compaction.requested.ms"

// compactedTopic is one line of the JSON output of topic compact.
type compactedTopic struct {
	Topic       string `json:"topic"`
	RequestedMs int64  `json:"requested_ms"` // what compaction.requested.ms is now
	Partitions  int    `json:"partitions"`
}

func newTopicCompactCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compact TOPIC",
		Short: "Have a compacted topic compacted now",
		Long: `Asks for the compaction of a topic with cleanup.policy=compact, whatever its dirty ratio: every broker that has
a replica ends its active segment and compacts what was written by now. It happens in the background, one partition at a
time, and leaves alone what an open transaction or min.compaction.lag.ms protects until they do not any more.

The request is a setting of the topic (compaction.requested.ms, in Unix time), so it survives a restart. Progress is in
the metrics holdfast_compaction_dirty_bytes and holdfast_compaction_last_run_timestamp_seconds.`,
		Example: "  holdfast topic compact customers",
		Args:    takes(1, 1, "the name of a topic"),
	}
	flags := a.addClientFlags(cmd, anyCluster)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return runTopicCompact(cmd.Context(), a, flags, args[0])
	}
	return cmd
}

func runTopicCompact(ctx context.Context, a *app, flags *clientFlags, name string) error {
	c, err := flags.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	topics, err := c.topics(ctx, name)
	if err != nil {
		return err
	}
	configs, err := c.configs(ctx, resource{topic: name})
	if err != nil {
		return err
	}
	request, err := compactionRequest(name, configs, time.Now())
	if err != nil {
		return err
	}
	set := map[string]string{compactionRequested: strconv.FormatInt(request, 10)}
	if err := c.alterConfigs(ctx, resource{topic: name}, set, nil, false); err != nil {
		return err
	}
	done := compactedTopic{name, request, len(topics[0].Partitions)}
	if a.json() {
		return jsonLine(a.env.Out, done)
	}
	_, err = fmt.Fprintf(a.env.Out, "%s is being compacted: %s, in the background\n", name, plural(int64(done.Partitions), "partition"))
	return err
}

// compactionRequest is the time of a new request: now, and after the one before even where clocks differ.
func compactionRequest(name string, configs []kadm.Config, now time.Time) (int64, error) {
	known, before, policy := false, int64(0), ""
	for _, k := range configs {
		switch k.Key {
		case compactionRequested:
			known = true
			if n, err := strconv.ParseInt(k.MaybeValue(), 10, 64); err == nil {
				before = n
			}
		case "cleanup.policy":
			policy = k.MaybeValue()
		}
	}
	switch {
	case !strings.Contains(policy, "compact"):
		return 0, failed(nil, "Change that with `holdfast topic alter "+name+" --config cleanup.policy=compact` if the last record of each key is all that is needed.",
			"topic %s is not compacted: its cleanup.policy is %s", name, policy)
	case !known:
		return 0, failed(nil, "Apache Kafka has no such request: a low min.cleanable.dirty.ratio and segment.ms have a similar effect.",
			"the cluster does not know %s, so compaction of %s cannot be asked for", compactionRequested, name)
	}
	return max(now.UnixMilli(), before+1), nil
}
