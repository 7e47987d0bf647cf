package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

// knownProducer is what a partition knows of a producer; one line of the JSON output of partition producers and of txn
// hanging.
type knownProducer struct {
	Topic            string `json:"topic"`
	Partition        int32  `json:"partition"`
	ProducerID       int64  `json:"producerId"`
	Epoch            int16  `json:"producerEpoch"`
	LastSequence     int32  `json:"lastSequence"` // -1: none in this epoch
	LastMs           int64  `json:"lastMs"`       // timestamp of its last batch or marker
	CoordinatorEpoch int32  `json:"coordinatorEpoch"`
	OpenSince        int64  `json:"openSince"` // offset of its open transaction's first record; -1: none is open
}

func (p knownProducer) name() string { return fmt.Sprintf("%s:%d", p.Topic, p.Partition) }

// producers lists what partitions know of their producers: of the topics named, or of all.
func (c *client) producers(ctx context.Context, topics []string, partitions []int32) ([]knownProducer, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	details, err := c.admin.ListTopicsWithInternal(ctx, topics...)
	if err != nil {
		return nil, c.explain(err, "list topics")
	}
	for _, t := range details.Sorted() {
		if t.Err != nil {
			return nil, c.explain(t.Err, "describe topic "+t.Topic)
		}
	}
	asked := kadm.TopicsSet{}
	details.EachPartition(func(p kadm.PartitionDetail) {
		if len(partitions) == 0 || slices.Contains(partitions, p.Partition) {
			asked.Add(p.Topic, p.Partition)
		}
	})
	if len(asked) == 0 {
		return nil, nil
	}
	described, err := c.admin.DescribeProducers(ctx, asked)
	if err != nil {
		return nil, c.explain(err, "describe producers")
	}
	var out []knownProducer
	for _, p := range described.SortedPartitions() {
		if p.Err != nil {
			return nil, c.explain(p.Err, fmt.Sprintf("describe the producers of %s:%d", p.Topic, p.Partition))
		}
		for _, d := range p.ActiveProducers.Sorted() {
			out = append(out, knownProducer{d.Topic, d.Partition, d.ProducerID, d.ProducerEpoch, d.LastSequence, d.LastTimestamp, d.CoordinatorEpoch, d.CurrentTxnStartOffset})
		}
	}
	return out, nil
}

func newPartitionProducersCommand(a *app) *cobra.Command {
	var flags *clientFlags
	var partitions []int32
	var open bool
	cmd := &cobra.Command{
		Use:   "producers TOPIC…",
		Short: "Show the idempotent and transactional producers that partitions know",
		Long: `Shows what partitions know of producers: epoch, the last sequence, when they last wrote, and from where on a transaction
of theirs is open. Readers of committed records wait at the lowest of those offsets.`,
		Example: "  holdfast partition producers orders\n  holdfast partition producers orders --partition 3 --open",
		Args:    takes(1, -1, "a topic"),
		RunE: func(cmd *cobra.Command, topics []string) error {
			c, err := flags.open(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			all, err := c.producers(cmd.Context(), topics, partitions)
			if err != nil {
				return err
			}
			if open {
				all = slices.DeleteFunc(all, func(p knownProducer) bool { return p.OpenSince < 0 })
			}
			return a.showProducers(all, "no producer is known there: only idempotent and transactional ones are, for producer.id.expiration.ms")
		},
	}
	flags = a.addClientFlags(cmd, anyCluster)
	cmd.Flags().Int32SliceVarP(&partitions, "partition", "p", nil, "only these partitions")
	cmd.Flags().BoolVar(&open, "open", false, "only producers with an open transaction")
	return cmd
}

func (a *app) showProducers(all []knownProducer, none string) error {
	t := newTable("TOPIC", "PARTITION", "PRODUCER", "EPOCH", "LAST SEQUENCE", "LAST WRITE", "OPEN SINCE OFFSET")
	for _, p := range all {
		if a.json() {
			if err := jsonLine(a.env.Out, p); err != nil {
				return err
			}
			continue
		}
		t.row(p.Topic, p.Partition, p.ProducerID, p.Epoch, shownOffset(int64(p.LastSequence)), time.UnixMilli(p.LastMs).UTC().Format(time.RFC3339), shownOffset(p.OpenSince))
	}
	switch {
	case a.json():
		return nil
	case len(all) == 0:
		a.notice("%s", none)
		return nil
	}
	return t.print(a.env.Out)
}

func newTxnHangingCommand(a *app) *cobra.Command {
	var flags *clientFlags
	var longer time.Duration
	cmd := &cobra.Command{
		Use:   "hanging [TOPIC…]",
		Short: "Find open transactions that no coordinator will end",
		Long: `Looks in all partitions, or in those of some topics, for transactions that are open there and that no coordinator knows
of. Readers of committed records would wait at them for ever. Holdfast begins none, restored data may hold some.

Exits with 1 if there are any. What each needs is printed with it.`,
		Example: "  holdfast txn hanging\n  holdfast txn hanging orders --longer-than 1h",
		Args:    takes(0, -1, ""),
		RunE: func(cmd *cobra.Command, topics []string) error {
			c, err := flags.open(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			found, err := c.hanging(cmd.Context(), topics, longer)
			if err != nil {
				return err
			}
			if err := a.showProducers(found, "no transaction hangs"); err != nil || len(found) == 0 {
				return err
			}
			p := found[0]
			a.notice("%s: readers of committed records wait there for ever. End each with `holdfast txn abort --partition %s --producer %d`", plural(int64(len(found)), "hanging transaction"), p.name(), p.ProducerID)
			return reported(exitFailed)
		},
	}
	flags = a.addClientFlags(cmd, anyCluster)
	cmd.Flags().DurationVar(&longer, "longer-than", 15*time.Minute, "only where the producer has not written for longer: what is younger may be on its way")
	return cmd
}

// hanging finds what is open in partitions and not known to any coordinator. It asks the partitions first: what begins
// after that is not taken for hanging, what ends is asked for again.
func (c *client) hanging(ctx context.Context, topics []string, longer time.Duration) ([]knownProducer, error) {
	open, err := c.producers(ctx, topics, nil)
	if err != nil {
		return nil, err
	}
	old := time.Now().Add(-longer).UnixMilli()
	open = slices.DeleteFunc(open, func(p knownProducer) bool { return p.OpenSince < 0 || p.LastMs > old })
	if len(open) == 0 {
		return nil, nil
	}
	coordinated, err := c.transactions(ctx, nil)
	if err != nil {
		return nil, err
	}
	unknown := slices.DeleteFunc(open, func(p knownProducer) bool {
		return slices.ContainsFunc(coordinated, func(t transaction) bool {
			return t.ProducerID == p.ProducerID && slices.Contains(t.Partitions[p.Topic], p.Partition)
		})
	})
	if len(unknown) == 0 {
		return nil, nil
	}
	again, err := c.producers(ctx, namesOf(unknown), nil)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(unknown, func(p knownProducer) bool { return !slices.Contains(again, p) }), nil
}

func namesOf(all []knownProducer) (topics []string) {
	for _, p := range all {
		if !slices.Contains(topics, p.Topic) {
			topics = append(topics, p.Topic)
		}
	}
	slices.SortFunc(topics, strings.Compare)
	return topics
}
