package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

// groupFlags are the flags of consume that only mean something with --group.
type groupFlags struct {
	name     string
	protocol string
	instance string
	interval time.Duration
	idle     time.Duration
	exec     execFlags
}

func (g *groupFlags) add(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&g.name, "group", "g", "", "read as a member of this group, and commit what was written")
	f.StringVar(&g.protocol, "protocol", "classic", "with --group: classic, or consumer, in which the cluster assigns (KIP-848)")
	f.StringVar(&g.instance, "instance", "", "with --group: be this static member, whose partitions wait for it while it restarts")
	f.DurationVar(&g.interval, "commit-interval", time.Second, "with --group: time between two commits")
	f.DurationVar(&g.idle, "idle", 0, "with --group: stop when no record came for so long; 0 goes on until interrupted")
	g.exec.add(f)
	completeFlag(cmd, "group", a.completeGroups)
	completeFlag(cmd, "protocol", cobra.FixedCompletions([]string{"classic", "consumer"}, cobra.ShellCompDirectiveNoFileComp))
}

// check refuses what does not go together.
func (g *groupFlags) check(c *consume) error {
	f := c.cmd.Flags()
	if g.name == "" {
		for _, name := range []string{"protocol", "instance", "commit-interval", "idle", "exec"} {
			if f.Changed(name) {
				return usage("Add --group NAME.", "--%s means something to a member of a group only", name)
			}
		}
		return g.exec.check(c)
	}
	switch {
	case len(c.partitions) > 0:
		return usage("Leave --partition out, or --group.", "a member of a group reads the partitions that the group assigns to it, not --partition")
	case f.Changed("follow") && !c.follow:
		return usage("--idle 10s stops when nothing comes any more.", "a group has no end: it reads on as records come")
	case g.interval <= 0 || g.idle < 0:
		return usage("", "--commit-interval is more than 0, and --idle is not negative")
	}
	return g.exec.check(c)
}

// options are the client's options of a member, with where reading goes on when its offset does not exist.
func (g *groupFlags) options(c *consume, s clientSettings) (opts []kgo.Opt, reset string, err error) {
	set := func(flag, key string, to *string) {
		if v, ok := s[key]; ok && !c.cmd.Flags().Changed(flag) {
			*to = v
		}
	}
	set("protocol", "group.protocol", &g.protocol)
	set("instance", "group.instance.id", &g.instance)
	g.protocol = strings.ToLower(g.protocol)
	if g.protocol != "classic" && g.protocol != "consumer" {
		return nil, "", usage("Use classic or consumer.", "there is no group protocol %q", g.protocol)
	}
	if _, ok := s["auto.commit.interval.ms"]; ok && !c.cmd.Flags().Changed("commit-interval") {
		g.interval = max(s.duration("auto.commit.interval.ms", g.interval), time.Millisecond)
	}
	start, reset, err := g.start(c, s)
	if err != nil {
		return nil, "", err
	}
	opts = []kgo.Opt{
		kgo.ConsumerGroup(g.name), kgo.ConsumeStartOffset(start), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.RebalanceTimeout(s.duration("max.poll.interval.ms", 5*time.Minute)),
	}
	if g.instance != "" {
		opts = append(opts, kgo.InstanceID(g.instance))
	}
	if _, ok := s["session.timeout.ms"]; ok {
		opts = append(opts, kgo.SessionTimeout(s.duration("session.timeout.ms", 0)))
	}
	if _, ok := s["heartbeat.interval.ms"]; ok {
		opts = append(opts, kgo.HeartbeatInterval(s.duration("heartbeat.interval.ms", 0)))
	}
	if g.protocol == "consumer" {
		balancer := kgo.StickyBalancer() // the client's name for the cluster's uniform assignor
		if s["group.remote.assignor"] == "range" {
			balancer = kgo.RangeBalancer()
		}
		return append(opts, kgo.ServerSideBalancer(), kgo.Balancers(balancer)), reset, nil
	}
	return append(opts, kgo.Balancers(balancers(s["partition.assignment.strategy"])...)), reset, nil
}

// start is where partitions begin that the group never committed, and where reading goes on when an offset does not exist.
func (g *groupFlags) start(c *consume, s clientSettings) (kgo.Offset, string, error) {
	text := c.offset
	if v, ok := s["auto.offset.reset"]; ok && !c.cmd.Flags().Changed("offset") {
		text = v
		if span, ok := strings.CutPrefix(v, "by_duration:"); ok {
			d, err := parseSpan(span)
			if err != nil {
				return kgo.Offset{}, "", err
			}
			text = "@" + d.String()
		}
	}
	if text == "none" {
		return kgo.NewOffset().AtCommitted(), "none", nil
	}
	p, err := parseOffset(text)
	if err != nil {
		return kgo.Offset{}, "", err
	}
	switch p.way {
	case "earliest":
		return kgo.NewOffset().AtStart(), "earliest", nil
	case "latest":
		return kgo.NewOffset().AtEnd(), "latest", nil
	case "time":
		return kgo.NewOffset().AfterMilli(p.since.UnixMilli()), "earliest", nil
	}
	return kgo.Offset{}, "", usage("It is one of earliest, latest, none, @TIME. `holdfast group reset` moves a group.",
		"--offset %s: with --group, --offset is where partitions begin that the group never committed", text)
}

// balancers are the assignors that a classic member offers, Kafka's default ones where none are named.
func balancers(names string) (list []kgo.GroupBalancer) {
	known := map[string]kgo.GroupBalancer{
		"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(), "sticky": kgo.StickyBalancer(), "cooperative-sticky": kgo.CooperativeStickyBalancer(),
	}
	for _, name := range strings.Split(names, ",") {
		if b := known[assignorName(name)]; b != nil {
			list = append(list, b)
		}
	}
	if len(list) == 0 {
		return []kgo.GroupBalancer{known["cooperative-sticky"], known["range"]}
	}
	return list
}

// assignorName is the short name of an assignor that is given by it or by its Java class; empty: there is no such.
func assignorName(name string) string {
	name = strings.TrimPrefix(strings.TrimSpace(name), "org.apache.kafka.clients.consumer.")
	switch strings.ToLower(strings.TrimSuffix(name, "Assignor")) {
	case "range":
		return "range"
	case "roundrobin":
		return "roundrobin"
	case "sticky":
		return "sticky"
	case "cooperativesticky", "cooperative-sticky":
		return "cooperative-sticky"
	}
	return ""
}
