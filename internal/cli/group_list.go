package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// listedGroup is one line of the JSON output of group list.
type listedGroup struct {
	Group       string `json:"group"`
	State       string `json:"state"`
	Type        string `json:"type"` // classic, consumer, share, streams
	Assignor    string `json:"assignor,omitempty"`
	Members     int    `json:"members"` // -1: not known
	Coordinator int32  `json:"coordinator"`
}

type groupList struct {
	app    *app
	client *clientFlags
	states []string
	kinds  []string
}

func newGroupListCommand(a *app) *cobra.Command {
	l := &groupList{app: a}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List groups with their state, type and members",
		Long: `Lists the groups of the cluster. A group whose members are all gone is Empty and stays listed while its offsets are
kept. A simple consumer, which commits offsets without joining, has an Empty group too.`,
		Example: "  holdfast group list\n  holdfast group list --state stable,empty --type consumer -o json",
		Args:    takes(0, 0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return l.run(cmd.Context()) },
	}
	l.client = a.addClientFlags(cmd, anyCluster)
	cmd.Flags().StringSliceVar(&l.states, "state", nil, "only groups in one of these states, as in stable,empty")
	cmd.Flags().StringSliceVar(&l.kinds, "type", nil, "only groups of one of these types: classic, consumer, share, streams")
	return cmd
}

func (l *groupList) run(ctx context.Context) error {
	c, err := l.client.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	all, refused := c.listGroups(ctx)
	chosen := slices.DeleteFunc(all, func(g group) bool { return !l.wanted(g) })
	var names []string
	for _, g := range chosen {
		if g.kind != "share" && g.kind != "streams" {
			names = append(names, g.name)
		}
	}
	described, err := c.describeGroups(ctx, names)
	if err != nil {
		return err
	}
	t := newTable("GROUP", "STATE", "TYPE", "ASSIGNOR", "MEMBERS", "COORDINATOR")
	for _, g := range chosen {
		line := listedGroup{Group: g.name, State: g.state, Type: g.kind, Members: -1, Coordinator: g.coordinator}
		if d, ok := described[g.name]; ok {
			line.State, line.Type, line.Assignor, line.Members = d.state, d.kind, d.assignor, len(d.members)
		}
		if l.app.json() {
			if err := jsonLine(l.app.env.Out, line); err != nil {
				return err
			}
			continue
		}
		t.row(line.Group, line.State, orDash(line.Type), orDash(line.Assignor), shownOffset(int64(line.Members)), line.Coordinator)
	}
	switch {
	case l.app.json():
	case len(chosen) == 0 && refused == nil:
		l.app.notice("no such groups; one comes to be when its first member joins or commits")
	default:
		if err := t.print(l.app.env.Out); err != nil {
			return err
		}
	}
	return refused
}

func (l *groupList) wanted(g group) bool {
	among := func(list []string, word string) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, word) })
	}
	return among(l.states, g.state) && among(l.kinds, g.kind)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
