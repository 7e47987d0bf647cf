package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// deletedGroup is one line of the JSON output of group delete.
type deletedGroup struct {
	Group      string  `json:"group"`
	Topic      string  `json:"topic,omitempty"` // with --topic: whose offsets
	Partitions []int32 `json:"partitions,omitempty"`
	Deleted    bool    `json:"deleted"` // false: it was not there, and --if-exists was given
}

type groupDelete struct {
	app      *app
	client   *clientFlags
	topics   []string
	ifExists bool
}

func newGroupDeleteCommand(a *app) *cobra.Command {
	d := &groupDelete{app: a}
	cmd := &cobra.Command{
		Use:   "delete GROUP…",
		Short: "Delete groups with their offsets, or a topic's offsets of a group",
		Long: `Deletes groups with all that they committed: their members, should they come back, begin as new ones do. With --topic
only the offsets of that topic, or of some of its partitions, are deleted and the group stays.

A group that has members is not deleted, and neither are the offsets of a topic that a member reads.`,
		Example:           "  holdfast group delete orders-app\n  holdfast group delete orders-app --topic old-orders\n  holdfast group delete orders-app --topic orders:3",
		Args:              takes(1, -1, "the name of a group"),
		ValidArgsFunction: a.completeGroups,
		RunE:              func(cmd *cobra.Command, args []string) error { return d.run(cmd.Context(), args) },
	}
	d.client = a.addClientFlags(cmd, anyCluster)
	cmd.Flags().StringArrayVarP(&d.topics, "topic", "t", nil, "delete only the offsets of this topic: NAME or NAME:0,2 (repeatable)")
	cmd.Flags().BoolVar(&d.ifExists, "if-exists", false, "a group, or an offset, that does not exist is no error")
	completeFlag(cmd, "topic", a.completeTopics)
	return cmd
}

func (d *groupDelete) run(ctx context.Context, names []string) error {
	wanted, err := parseTopicPartitions(d.topics)
	if err != nil {
		return err
	}
	c, err := d.client.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	slices.Sort(names)
	var refused []error
	for _, name := range slices.Compact(names) {
		if len(wanted) > 0 {
			err = d.offsets(ctx, c, name, wanted)
		} else {
			err = d.whole(ctx, c, name)
		}
		if err != nil {
			refused = append(refused, err)
		}
	}
	return joinProblems(refused)
}

// whole deletes a group.
func (d *groupDelete) whole(ctx context.Context, c *client, name string) error {
	err := patiently(ctx, func() error {
		r, err := c.admin.DeleteGroup(ctx, name)
		return cmp.Or(err, r.Err)
	})
	missing := errors.Is(err, kerr.GroupIDNotFound)
	switch {
	case missing && !d.ifExists:
		return c.noSuchGroup(ctx, name)
	case errors.Is(err, kerr.NonEmptyGroup):
		now, _ := c.describeGroups(ctx, []string{name}) // for the names of its members
		g := now[name]
		g.name = name
		return g.busy("delete group " + name)
	case err != nil && !missing:
		return c.explain(err, "delete group "+name)
	case d.app.json():
		return jsonLine(d.app.env.Out, deletedGroup{Group: name, Deleted: !missing})
	}
	word := map[bool]string{true: "was not there", false: "deleted"}[missing]
	_, err = fmt.Fprintf(d.app.env.Out, "%s %s\n", name, word)
	return err
}

// offsets deletes what a group committed in some topics.
func (d *groupDelete) offsets(ctx context.Context, c *client, name string, wanted []topicPartitions) error {
	committed, err := c.committed(ctx, name)
	if err != nil {
		return err
	}
	var refused []error
	for _, w := range wanted {
		there := []int32{}
		for p, o := range committed[w.topic] {
			if o.At >= 0 && (w.partitions == nil || slices.Contains(w.partitions, p)) {
				there = append(there, p)
			}
		}
		slices.Sort(there)
		if len(there) == 0 && !d.ifExists {
			refused = append(refused, failed(nil, "`holdfast group describe "+name+"` shows what there is.", "group %s has committed nothing in topic %s", name, w.topic))
			continue
		}
		if err := d.deleteOffsets(ctx, c, name, w.topic, there); err != nil {
			refused = append(refused, err)
		}
	}
	return joinProblems(refused)
}

func (d *groupDelete) deleteOffsets(ctx context.Context, c *client, name, topic string, partitions []int32) error {
	doing := fmt.Sprintf("delete the offsets of group %s in topic %s", name, topic)
	if len(partitions) > 0 {
		set := kadm.TopicsSet{}
		set.Add(topic, partitions...)
		answers, err := c.admin.DeleteOffsets(ctx, name, set)
		if err == nil {
			err = answers.Error()
		}
		switch {
		case errors.Is(err, kerr.GroupSubscribedToTopic), errors.Is(err, kerr.NonEmptyGroup):
			return failed(err, "Stop the members that read it first.", "could not %s: a member is subscribed to it", doing)
		case err != nil:
			return c.explain(err, doing)
		}
	}
	if d.app.json() {
		return jsonLine(d.app.env.Out, deletedGroup{Group: name, Topic: topic, Partitions: partitions, Deleted: len(partitions) > 0})
	}
	if len(partitions) == 0 {
		_, err := fmt.Fprintf(d.app.env.Out, "%s: nothing in %s\n", name, topic)
		return err
	}
	_, err := fmt.Fprintf(d.app.env.Out, "%s: offsets of %s %s deleted\n", name, topic, ranges(partitions))
	return err
}
