package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

type groupReset struct {
	app       *app
	client    *clientFlags
	cmd       *cobra.Command
	to        resetFlags
	topics    []string
	allTopics bool
	save      string
	execute   bool
}

func newGroupResetCommand(a *app) *cobra.Command {
	r := &groupReset{app: a}
	cmd := &cobra.Command{
		Use:   "reset GROUP",
		Short: "Move a group's offsets, and say first what that skips or reads again",
		Long: `Moves the offsets that a group has committed. Nothing is changed without --execute: the command only says, for each
partition, how many records would be skipped or read again, and from when they are.

Where to is one of
  --to-earliest, --to-latest   the first record there is; the end
  --to-offset N                the record with offset N
  --to-datetime TIME           the first record written at or after TIME: 2026-01-31T12:00:00Z, 2026-01-31, milliseconds
                               since 1970
  --by-duration D              the first record written since D ago: 90m, or PT1H30M as Kafka's tool has it
  --shift-by N                 N records on, or back where N is negative
  --from-file FILE             lines of topic,partition,offset; - is standard input
An offset outside what the partition holds is moved to its nearest end, and said.

Which partitions: --topic NAME for all of a topic, --topic NAME:0,2 for some of it, --all-topics for all that the group has
committed. --save FILE keeps the offsets as they were, for --from-file to go back.

While the group has members nothing is changed: they would go on where they are, and commit over it.`,
		Example: "  holdfast group reset orders-app --topic orders --to-datetime 2026-01-31T12:00:00Z\n" +
			"  holdfast group reset orders-app --topic orders:0,1 --shift-by -100 --save before.csv --execute\n" +
			"  holdfast group reset orders-app --from-file before.csv --execute",
		Args:              takes(1, 1, "the name of a group"),
		ValidArgsFunction: a.completeGroups,
		RunE:              func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args[0]) },
	}
	r.cmd, r.client = cmd, a.addClientFlags(cmd, anyCluster)
	r.to.add(cmd)
	f := cmd.Flags()
	f.StringArrayVarP(&r.topics, "topic", "t", nil, "move the offsets of this topic, or of some of its partitions: NAME or NAME:0,2 (repeatable)")
	f.BoolVar(&r.allTopics, "all-topics", false, "move the offsets of all topics that the group has committed")
	f.StringVar(&r.save, "save", "", "write the offsets as they are into this file first")
	f.BoolVar(&r.execute, "execute", false, "do it; without this, only say what would be done")
	completeFlag(cmd, "topic", a.completeTopics)
	return cmd
}

// resetMove is what becomes of one partition: one line of the JSON output of group reset.
type resetMove struct {
	Group     string `json:"group"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed *int64 `json:"committed,omitempty"` // none: the group never committed
	Start     int64  `json:"start"`
	End       int64  `json:"end"`
	New       int64  `json:"new"`
	Change    string `json:"change"`           // skip, repeat, begin (nothing was committed), none
	Records   int64  `json:"records"`          // skipped, or read again, or to be read from the beginning
	FromMs    *int64 `json:"fromMs,omitempty"` // when the first of them was written
	ToMs      *int64 `json:"toMs,omitempty"`   // and the last
	Moved     string `json:"moved,omitempty"`  // why New is not what was asked for
	Executed  bool   `json:"executed"`
}

func (r *groupReset) run(ctx context.Context, name string) error {
	target, err := r.to.parse(r.cmd, r.app.env.In, time.Now())
	if err != nil {
		return err
	}
	wanted, err := r.wanted(target)
	if err != nil {
		return err
	}
	c, err := r.client.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	g, err := r.group(ctx, c, name)
	if err != nil {
		return err
	}
	moves, err := r.plan(ctx, c, g, wanted, target)
	if err != nil {
		return err
	}
	if r.execute {
		if g.holds() {
			return g.busy("move the offsets of group " + g.name)
		}
		if err := saveOffsets(r.save, moves); err != nil {
			return err
		}
		if err := c.move(ctx, g, moves); err != nil {
			return err
		}
	} else if err := saveOffsets(r.save, moves); err != nil {
		return err
	}
	return r.print(g, moves)
}

// wanted is what --topic names: nil means all topics that the group has committed.
func (r *groupReset) wanted(target resetTarget) ([]topicPartitions, error) {
	switch {
	case len(r.topics) > 0 && (r.allTopics || target.file != nil):
		return nil, usage("", "--topic goes with neither --all-topics nor --from-file")
	case len(r.topics) == 0 && !r.allTopics && target.file == nil:
		return nil, usage("Add --topic NAME, --topic NAME:0,2 or --all-topics.", "group reset needs to know which topics")
	}
	return parseTopicPartitions(r.topics)
}

// group returns the group, which may be one that is yet to be: Kafka lets offsets be committed for it ahead.
func (r *groupReset) group(ctx context.Context, c *client, name string) (group, error) {
	described, err := c.describeGroups(ctx, []string{name})
	if err != nil {
		return group{}, err
	}
	g, ok := described[name]
	switch {
	case ok:
		return g, nil
	case r.allTopics:
		return group{}, c.noSuchGroup(ctx, name)
	}
	r.app.notice("%v", strings.SplitN(c.noSuchGroup(ctx, name).Error(), "\n", 2)[0])
	r.app.notice("it will begin where this says")
	return group{name: name, state: "Dead", coordinator: -1, epoch: -1}, nil
}

// plan works out what becomes of each partition.
func (r *groupReset) plan(ctx context.Context, c *client, g group, wanted []topicPartitions, target resetTarget) ([]resetMove, error) {
	bounded, cancel := c.bounded(ctx)
	defer cancel()
	committed, err := c.committed(bounded, g.name)
	if err != nil {
		return nil, err
	}
	places, err := r.places(ctx, c, committed, wanted, target)
	if err != nil {
		return nil, err
	}
	if len(places) == 0 {
		return nil, failed(nil, "Name a topic with --topic.", "group %s has committed nothing that could be moved", g.name)
	}
	var topics []string
	for _, p := range places {
		topics = append(topics, p.topic)
	}
	starts, ends, timed, err := c.listOffsets(bounded, target.position, slices.Compact(topics)...)
	if err != nil {
		return nil, err
	}
	moves := make([]resetMove, 0, len(places))
	for _, p := range places {
		start, end, at := starts[p.topic][p.partition], ends[p.topic][p.partition], timed[p.topic][p.partition]
		if err := cmp.Or(start.Err, end.Err, at.Err); err != nil {
			return nil, c.explain(err, fmt.Sprintf("find the offsets of %s partition %d", p.topic, p.partition))
		}
		m := resetMove{Group: g.name, Topic: p.topic, Partition: p.partition, Start: start.Offset, End: end.Offset}
		if o, ok := committed.Lookup(p.topic, p.partition); ok && o.At >= 0 {
			m.Committed = &o.At
		}
		if err := m.aim(target, p.offset, at.Offset); err != nil {
			return nil, err
		}
		moves = append(moves, m)
	}
	c.addSpans(bounded, moves)
	return moves, nil
}

// places are the partitions to move, sorted; those of a file carry their offset.
func (r *groupReset) places(ctx context.Context, c *client, committed kadm.OffsetResponses, wanted []topicPartitions, target resetTarget) (list []place, err error) {
	switch {
	case target.file != nil:
		list = target.file
		for _, p := range list {
			wanted = append(wanted, topicPartitions{p.topic, []int32{p.partition}})
		}
	case wanted == nil:
		for _, o := range committed.Sorted() {
			if o.At >= 0 {
				list = append(list, place{topic: o.Topic, partition: o.Partition})
			}
		}
	}
	for _, w := range wanted {
		details, err := c.topics(ctx, w.topic)
		if err != nil {
			return nil, err
		}
		exist := details[0].Partitions.Numbers()
		for _, p := range w.partitions {
			if !slices.Contains(exist, p) {
				return nil, failed(nil, "", "topic %s has no partition %d: it has %s, counted from 0", w.topic, p, plural(int64(len(exist)), "partition"))
			}
		}
		if target.file != nil {
			continue
		}
		if w.partitions == nil {
			w.partitions = exist
		}
		for _, p := range w.partitions {
			list = append(list, place{topic: w.topic, partition: p})
		}
	}
	slices.SortFunc(list, func(a, b place) int {
		return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	for i := 1; i < len(list); i++ {
		if list[i].topic == list[i-1].topic && list[i].partition == list[i-1].partition {
			return nil, usage("", "%s partition %d is named twice", list[i].topic, list[i].partition)
		}
	}
	return list, nil
}

// move commits the new offsets. Either all are committed or the error says which were not.
func (c *client) move(ctx context.Context, g group, moves []resetMove) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	offsets := kadm.Offsets{}
	for _, m := range moves {
		offsets.AddOffset(m.Topic, m.Partition, m.New, -1)
	}
	doing := "move the offsets of group " + g.name
	var committed kadm.OffsetResponses
	err := patiently(ctx, func() (err error) {
		committed, err = c.admin.CommitOffsets(ctx, g.name, offsets)
		return cmp.Or(err, committed.Error())
	})
	if err != nil && len(committed) == 0 {
		return c.explain(err, doing)
	}
	var refused []error
	for _, o := range committed.Sorted() {
		switch {
		case errors.Is(o.Err, kerr.UnknownMemberID), errors.Is(o.Err, kerr.IllegalGeneration), errors.Is(o.Err, kerr.StaleMemberEpoch):
			now, _ := c.describeGroups(ctx, []string{g.name}) // a member came in between
			return cmp.Or(now[g.name].busyIfAny(doing), c.explain(o.Err, doing))
		case o.Err != nil:
			refused = append(refused, c.explain(o.Err, fmt.Sprintf("move group %s in %s partition %d", g.name, o.Topic, o.Partition)))
		}
	}
	if len(refused) > 0 {
		return joinProblems(refused)
	}
	for i := range moves {
		moves[i].Executed = true
	}
	return nil
}

func (g group) busyIfAny(doing string) error {
	if !g.holds() {
		return nil
	}
	return g.busy(doing)
}

// print says what would be done, or was.
func (r *groupReset) print(g group, moves []resetMove) error {
	out := r.app.env.Out
	if r.app.json() {
		for _, m := range moves {
			if err := jsonLine(out, m); err != nil {
				return err
			}
		}
	} else {
		t := newTable("TOPIC", "PARTITION", "COMMITTED", "NEW", "WHAT IT DOES")
		for _, m := range moves {
			t.row(m.Topic, m.Partition, shownCount(m.Committed), comma(m.New), m.sentence())
		}
		if err := t.print(out); err != nil {
			return err
		}
	}
	switch {
	case r.execute:
		r.app.notice("group %s moved: %s", g.name, summary(moves))
	case g.holds():
		r.app.notice("nothing was changed, and --execute would be refused: group %s has %s and is %s", g.name, plural(int64(len(g.members)), "member"), strings.ToLower(g.state))
	default:
		r.app.notice("nothing was changed; --execute does it: %s", summary(moves))
	}
	return nil
}
