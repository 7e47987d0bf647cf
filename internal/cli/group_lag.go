package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

type groupLag struct {
	app    *app
	client *clientFlags
	topics []string
	top    int
	watch  bool
	every  time.Duration

	wantLag    int64
	wantBehind time.Duration

	before map[string]int64 // what was committed at the last look, by group and partition
	looked time.Time
}

// lagLine is one line of the JSON output of group lag.
type lagLine struct {
	Time time.Time `json:"time"`
	groupPosition
}

func newGroupLagCommand(a *app) *cobra.Command {
	l := &groupLag{app: a}
	cmd := &cobra.Command{
		Use:   "lag [GROUP…]",
		Short: "Show how far groups are behind, in records and in time, worst first",
		Long: `Shows one line for each partition of each group, the worst first: what the group committed, where the partition ends,
how many records lie between, and TIME, the age of the first of them. Without a name all groups are shown.

Time is read from the first unread record itself, a few KB a partition; where that cannot be had, a dash stands. Marks of
transactions count as offsets and not as records: a group that has read all records is not behind. A partition that the
group never committed has no lag.

With --want-lag or --want-behind the exit code is 4 where a partition is further behind.`,
		Example: "  holdfast group lag orders-app\n" +
			"  holdfast group lag --top 20 --watch\n" +
			"  holdfast group lag orders-app --want-behind 5m || echo too late",
		Args:              takes(0, -1, ""),
		ValidArgsFunction: a.completeGroups,
		RunE:              func(cmd *cobra.Command, args []string) error { return l.run(cmd.Context(), args) },
	}
	l.client = a.addClientFlags(cmd, anyCluster)
	f := cmd.Flags()
	f.StringArrayVarP(&l.topics, "topic", "t", nil, "only this topic (repeatable)")
	f.IntVarP(&l.top, "top", "n", 0, "only the worst so many; 0 shows all")
	f.BoolVarP(&l.watch, "watch", "w", false, "look again and again, until interrupted")
	f.DurationVar(&l.every, "every", 2*time.Second, "with --watch: time between two looks")
	f.Int64Var(&l.wantLag, "want-lag", -1, "exit with 4 where a partition is more records behind")
	f.DurationVar(&l.wantBehind, "want-behind", -1, "exit with 4 where a partition is longer behind")
	completeFlag(cmd, "topic", a.completeTopics)
	return cmd
}

func (l *groupLag) run(ctx context.Context, names []string) error {
	if l.every < 100*time.Millisecond {
		return usage("", "--every %v is too often: 100ms at least", l.every)
	}
	c, err := l.client.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if !l.watch {
		list, err := l.look(ctx, c, names)
		if err != nil {
			return err
		}
		if err := l.print(list); err != nil {
			return err
		}
		return l.judge(list)
	}
	tick := time.NewTicker(l.every)
	defer tick.Stop()
	for {
		list, err := l.look(ctx, c, names)
		if ctx.Err() != nil {
			return nil // the only way in which watching ends
		}
		if err != nil {
			return err
		}
		if l.clears() {
			fmt.Fprint(l.app.env.Out, "\x1b[H\x1b[2J")
		}
		if err := l.print(list); err != nil {
			return err
		}
		l.remember(list)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// look returns the positions of the groups, worst first.
func (l *groupLag) look(ctx context.Context, c *client, names []string) ([]groupPosition, error) {
	var groups []group
	var err error
	if len(names) > 0 {
		groups, err = c.groups(ctx, names)
	} else {
		groups, err = c.allGroups(ctx)
	}
	if err != nil {
		return nil, err
	}
	list, err := c.positions(ctx, groups, l.topics)
	slices.SortFunc(list, worstFirst)
	if l.top > 0 {
		list = list[:min(l.top, len(list))]
	}
	return list, err
}

// allGroups are the classic and consumer groups of the cluster with their members.
func (c *client) allGroups(ctx context.Context) ([]group, error) {
	listed, err := c.listGroups(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, g := range listed {
		if g.kind != "share" && g.kind != "streams" {
			names = append(names, g.name)
		}
	}
	described, err := c.describeGroups(ctx, names)
	var list []group
	for _, name := range names {
		if g, ok := described[name]; ok { // it may have gone since it was listed
			list = append(list, g)
		}
	}
	return list, err
}

func (l *groupLag) print(list []groupPosition) error {
	now := time.Now()
	if l.app.json() {
		for _, p := range list {
			if err := jsonLine(l.app.env.Out, lagLine{now.UTC(), p}); err != nil {
				return err
			}
		}
		return nil
	}
	if l.watch {
		lag, _ := total(list)
		fmt.Fprintf(l.app.env.Out, "%s  %s behind in %s\n", now.Format(time.DateTime), plural(lag, "record"), plural(int64(len(list)), "partition"))
	}
	if len(list) == 0 {
		if !l.watch {
			l.app.notice("nothing committed, nothing assigned")
		}
		return nil
	}
	var change func(groupPosition) string
	if l.before != nil {
		change = l.change
	}
	return positionTable(list, true, change).print(l.app.env.Out)
}

func (l *groupLag) remember(list []groupPosition) {
	l.before, l.looked = map[string]int64{}, time.Now()
	for _, p := range list {
		if p.Lag != nil {
			l.before[placeName(p)] = *p.Lag
		}
	}
}

// change is by how many records a second the lag grew or shrank since the last look.
func (l *groupLag) change(p groupPosition) string {
	before, ok := l.before[placeName(p)]
	if !ok || p.Lag == nil {
		return "-"
	}
	rate := int64(float64(*p.Lag-before) / time.Since(l.looked).Seconds())
	if rate == 0 {
		return "0"
	}
	sign := ""
	if rate > 0 {
		sign = "+"
	}
	return sign + comma(rate) + "/s"
}

func placeName(p groupPosition) string { return fmt.Sprintf("%s/%s/%d", p.Group, p.Topic, p.Partition) }

// clears tells whether each look takes the place of the one before: on a terminal.
func (l *groupLag) clears() bool {
	f, ok := l.app.env.Out.(*os.File)
	return ok && isTerminal(f) && !l.app.json()
}

// judge compares with what was wanted.
func (l *groupLag) judge(list []groupPosition) error {
	var missed []error
	for _, p := range list {
		where := fmt.Sprintf("group %s is behind in %s partition %d: ", p.Group, p.Topic, p.Partition)
		if l.wantLag >= 0 && p.Lag != nil && *p.Lag > l.wantLag {
			missed = append(missed, errors.New(where+plural(*p.Lag, "record")+", wanted at most "+comma(l.wantLag)))
		}
		if d, ok := p.behind(); ok && l.wantBehind >= 0 && d > l.wantBehind {
			missed = append(missed, errors.New(where+shortDuration(d)+", wanted at most "+shortDuration(l.wantBehind)))
		}
	}
	if len(missed) == 0 {
		return nil
	}
	what := missed[0].Error()
	if more := len(missed) - 1; more > 0 {
		what += fmt.Sprintf(" (and %s)", plural(int64(more), "other"))
	}
	return &Problem{Code: exitMissed, What: what}
}
