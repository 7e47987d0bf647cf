package cli

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
)

// describedGroup is one line of the JSON output of group describe.
type describedGroup struct {
	Group       string          `json:"group"`
	State       string          `json:"state"`
	Type        string          `json:"type"`
	Assignor    string          `json:"assignor,omitempty"`
	Coordinator int32           `json:"coordinator"`
	Epoch       int32           `json:"epoch"` // of a consumer group; -1: has none
	Lag         int64           `json:"lag"`
	BehindMs    int64           `json:"behindMs"`
	Members     []member        `json:"members"`
	Partitions  []groupPosition `json:"partitions"`
}

func newGroupDescribeCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "describe GROUP…",
		Short: "Show a group's members, what each owns, and where it is",
		Long: `Shows groups: members with the partitions each owns, and for every partition what is committed, where the partition
ends, and how far behind that is in records and in time. TIME is the age of the first unread record.`,
		Example:           "  holdfast group describe orders-app\n  holdfast group describe orders-app billing -o json",
		Args:              takes(1, -1, "the name of a group"),
		ValidArgsFunction: a.completeGroups,
	}
	flags := a.addClientFlags(cmd, anyCluster)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return runGroupDescribe(cmd.Context(), a, flags, args) }
	return cmd
}

func runGroupDescribe(ctx context.Context, a *app, flags *clientFlags, names []string) error {
	c, err := flags.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	groups, err := c.groups(ctx, names)
	if err != nil {
		return err
	}
	for i, g := range groups {
		list, err := c.positions(ctx, []group{g}, nil)
		if err != nil {
			return err
		}
		if a.json() {
			err = jsonLine(a.env.Out, describedOf(g, list))
		} else {
			if i > 0 {
				fmt.Fprintln(a.env.Out)
			}
			err = g.print(a.env.Out, list)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// groups returns the named groups in the order of the names; one that does not exist is a Problem with the nearest name.
func (c *client) groups(ctx context.Context, names []string) ([]group, error) {
	described, err := c.describeGroups(ctx, names)
	if err != nil {
		return nil, err
	}
	var list []group
	for _, name := range names {
		g, ok := described[name]
		if !ok {
			return nil, c.noSuchGroup(ctx, name)
		}
		list = append(list, g)
	}
	return list, nil
}

func describedOf(g group, list []groupPosition) describedGroup {
	lag, behind := total(list)
	return describedGroup{
		Group: g.name, State: g.state, Type: g.kind, Assignor: g.assignor, Coordinator: g.coordinator, Epoch: g.epoch,
		Lag: lag, BehindMs: behind.Milliseconds(), Members: append([]member{}, g.members...), Partitions: append([]groupPosition{}, list...),
	}
}

func (g group) print(w io.Writer, list []groupPosition) error {
	fmt.Fprintf(w, "%s  %s\n", g.name, g.title())
	switch lag, behind := total(list); {
	case len(list) == 0:
		fmt.Fprintln(w, "  nothing committed")
	case behind > 0:
		fmt.Fprintf(w, "  %s behind, the first of them %s old\n", plural(lag, "record"), shortDuration(behind))
	default:
		fmt.Fprintf(w, "  %s behind\n", plural(lag, "record"))
	}
	if len(g.members) > 0 {
		if err := g.memberTable().print(w); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		return nil
	}
	return positionTable(list, false, nil).print(w)
}

func (g group) memberTable() *table {
	t := newTable("MEMBER", "CLIENT", "HOST", "PARTITIONS")
	t.indent = "  "
	static := slices.ContainsFunc(g.members, func(m member) bool { return m.Instance != "" })
	for _, m := range g.members {
		name := m.Member
		if static && m.Instance != "" {
			name += " (static " + m.Instance + ")"
		}
		if m.Protocol == "classic" && g.kind == "consumer" {
			name += " (classic)"
		}
		owns := shownPartitions(m.Assigned)
		if m.Target != nil {
			owns += "  -> " + shownPartitions(m.Target)
		}
		t.row(name, m.Client, m.Host, owns)
	}
	return t
}

// positionTable is a line a partition; change says how a lag moved since the last look, where there was one.
func positionTable(list []groupPosition, withGroup bool, change func(groupPosition) string) *table {
	noted := slices.ContainsFunc(list, func(p groupPosition) bool { return p.note() != "" })
	header := []string{"TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "TIME"}
	if withGroup {
		header = append([]string{"GROUP"}, header...)
	}
	if change != nil {
		header = append(header, "CHANGE")
	}
	header = append(header, "CLIENT")
	if noted {
		header = append(header, "NOTE")
	}
	t := newTable(header...)
	if !withGroup {
		t.indent = "  "
	}
	for _, p := range list {
		cells := []any{p.Topic, p.Partition, shownCount(p.Committed), shownCount(p.End), shownCount(p.Lag), shownBehind(p)}
		if withGroup {
			cells = append([]any{p.Group}, cells...)
		}
		if change != nil {
			cells = append(cells, change(p))
		}
		client := "-"
		if p.Client != "" {
			client = p.Client + "@" + p.Host
		}
		cells = append(cells, client)
		if noted {
			cells = append(cells, p.note())
		}
		t.row(cells...)
	}
	return t
}
