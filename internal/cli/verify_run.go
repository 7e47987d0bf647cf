package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdfast/internal/local"
	"holdfast/internal/verify"
)

type verifyRun struct {
	app    *app
	cmd    *cobra.Command
	client *clientFlags
	o      verify.Options

	local   int
	set     []string
	dir     string
	keep    bool
	acks    string
	retries string
	plain   bool
	rate    float64
	configs []string
	groups  []string
	journal string
}

func newVerifyRunCommand(a *app) *cobra.Command {
	v := &verifyRun{app: a}
	cmd := &cobra.Command{
		Use:   "run SCENARIO",
		Short: "Put load on a cluster, break it, and judge every record",
		Long: `Writes records that say who wrote them, does to the cluster what the scenario says, reads everything back and judges
record by record: lost, twice, out of order, changed, invented. Scenarios:

` + scenarioList() + `
A loss under weaker settings than acks=all is counted and is no failure: nothing else was promised. Exit codes:
0 pass, 3 a promise was broken, 4 an objective in time was missed, 5 not enough was seen to say.

Scenarios that kill nodes need some of their own, --local 1: a fresh cluster in a folder that goes with a pass and stays
otherwise. Members of groups are processes of this program, on any cluster. The same seed gives the same moments of faults, not the same history.`,
		Example: "  holdfast verify run leader-kill --local 1 --rounds 20 --seed 7\n" +
			"  holdfast verify run steady --bootstrap kafka1:9092 --duration 1m --rate 5000 -o json",
		Args: takes(1, 1, "the name of a scenario"),
		RunE: func(cmd *cobra.Command, args []string) error { return v.run(cmd.Context(), args[0]) },
	}
	v.cmd, v.client = cmd, a.addClientFlags(cmd, anyCluster+" Faults need --local.")
	f, o := cmd.Flags(), &v.o
	f.IntVar(&v.local, "local", 0, "run on so many fresh nodes of this machine; today 1")
	f.StringVar(&v.dir, "dir", "", "folder of the fresh nodes; it must not hold a cluster (default a temporary one)")
	f.StringArrayVar(&v.set, "set", nil, "one setting of every fresh node as key=value; may be repeated")
	f.BoolVar(&v.keep, "keep", false, "keep the folder of the fresh nodes also after a pass")
	f.IntVar(&o.Rounds, "rounds", 10, "how often a node is killed, or a member of each group is met")
	f.DurationVar(&o.Every, "every", 500*time.Millisecond, "time between a recovery and the next fault, on average")
	f.DurationVar(&o.Duration, "duration", 10*time.Second, "of the load, where there are no faults")
	f.Uint64Var(&o.Seed, "seed", 0, "of the moments of faults (default another every time)")
	f.StringVar(&o.Topic, "topic", "", "name of the topic that the run makes (default a new one every time)")
	f.Int32VarP(&o.Partitions, "partitions", "p", 3, "of the topic")
	f.Int16VarP(&o.Replication, "replication-factor", "r", -1, "of the topic; -1 is the cluster's default")
	f.StringArrayVarP(&v.configs, "config", "c", nil, "setting of the topic, KEY=VALUE (repeatable)")
	f.IntVar(&o.Producers, "producers", 4, "number of producers, each with its own connections")
	f.StringVarP(&v.acks, "acks", "a", "all", "all, 1 or 0; scenarios with acks in their name have their own")
	f.StringVar(&v.retries, "retries", "max", "how often a record is tried again: 0, 1, … or max")
	f.BoolVar(&v.plain, "plain", false, "producers are not idempotent, with one request in flight")
	f.DurationVar(&o.Load.DeliveryTimeout, "delivery-timeout", defaultDeliveryTimeout, "how long a record may take, retries included")
	f.Float64Var(&v.rate, "rate", 2000, "records a second of all producers together; 0 is as fast as possible")
	f.IntVar(&o.Load.Size, "size", 200, "bytes of a value")
	f.IntVar(&o.Load.Keys, "keys", 0, "number of different keys; 0 sends without")
	f.StringVarP(&o.Load.Codec, "compression", "z", "none", "none, gzip, snappy, lz4, zstd")
	f.DurationVar(&o.Load.Linger, "linger", 0, "how long a producer waits to fill a batch")
	f.DurationVar(&o.RecoverWithin, "recover", 10*time.Second, "objective: from the start of a killed node to acknowledgements of every partition; from what befell a member until its group reads every partition")
	f.StringArrayVar(&v.groups, "group", nil, "a group that reads, PROTOCOL[/ASSIGNOR[/COMMIT]], where COMMIT is each, async or auto (repeatable; default "+strings.Join(defaultGroups, ", ")+" in scenarios about groups)")
	f.IntVar(&o.Members, "members", 3, "of each group")
	f.DurationVar(&o.Session, "session-timeout", 0, "of classic groups, and of all on fresh nodes (default 2s there, else 6s)")
	f.StringVar(&v.journal, "journal", "", "write what happened to members of groups to this file, an event a line")
	f.DurationVar(&o.GapWithin, "gap", 0, "objective: the longest time in which a partition acknowledges nothing; 0 is none")
	return cmd
}

// scenarioList is the scenarios for the help.
func scenarioList() string {
	var b strings.Builder
	for _, s := range verify.Scenarios() {
		fmt.Fprintf(&b, "  %-23s %s\n", s.Name, s.Short)
	}
	return b.String()
}

func (v *verifyRun) run(ctx context.Context, name string) error {
	if err := v.plan(name); err != nil {
		return err
	}
	settings, err := v.client.settings()
	if err != nil {
		return err
	}
	if err := settings.set("retry.backoff.max.ms", "100"); err != nil { // so that what is timed is the cluster, not the client
		return err
	}
	down := func(bool) {}
	if v.local > 0 {
		if down, err = v.up(ctx, settings); err != nil {
			return err
		}
	}
	report, err := v.judge(ctx, settings)
	down(err == nil && report.Verdict == verify.Pass)
	if err != nil {
		return err
	}
	return v.report(report)
}

// plan fills the options from the scenario and the flags.
func (v *verifyRun) plan(name string) error {
	scenario, ok := verify.Find(name)
	if !ok {
		var names []string
		for _, s := range verify.Scenarios() {
			names = append(names, s.Name)
		}
		return usage("Use one of: "+strings.Join(names, ", ")+".", "there is no scenario %q. %s", name, didYouMean(name, names))
	}
	v.o.Scenario = scenario
	if v.local > local.MaxNodes || v.local < 0 {
		return usage("Use --local 1.", "cannot start %d nodes: %v", v.local, local.ErrNodes)
	}
	if scenario.Kills && v.local == 0 {
		return usage("Add --local 1: the scenario kills nodes, so it runs on its own.", "%s does not run on a cluster that others use", name)
	}
	if !v.cmd.Flags().Changed("seed") {
		v.o.Seed = rand.Uint64N(1_000_000)
	}
	if v.o.Topic == "" {
		v.o.Topic = fmt.Sprintf("verify-%s-%d", name, time.Now().UnixMilli())
	}
	if err := v.planGroups(scenario); err != nil {
		return err
	}
	configs, err := parseAssignments(v.configs)
	if err != nil {
		return err
	}
	v.o.Configs = configs
	build := readBuildInfo()
	v.o.Tool, v.o.Command = strings.TrimSpace("holdfast "+build.Version+" "+build.Commit), v.command()
	return v.load(scenario)
}

// load fills what the producers are told.
func (v *verifyRun) load(s verify.Scenario) error {
	l := &v.o.Load
	l.Acks, l.Idempotent, l.Retries = s.Acks, s.Idempotent, s.Retries
	for _, flag := range []string{"acks", "retries", "plain"} {
		if s.Fixed && v.cmd.Flags().Changed(flag) {
			return usage("Use leader-kill, which leaves it open.", "%s is about a setting of its own: --%s cannot be given", s.Name, flag)
		}
	}
	if !s.Fixed {
		switch v.acks {
		case "all", "-1":
		case "0", "1":
			l.Acks = int16(v.acks[0] - '0')
		default:
			return usage("Use --acks all, 1 or 0.", "there is no acks=%s", v.acks)
		}
		if v.retries != "max" {
			n, err := strconv.ParseUint(v.retries, 10, 31)
			if err != nil {
				return usage("Use a whole number, or max.", "--retries %s", v.retries)
			}
			l.Retries = int(n)
		}
		l.Idempotent = l.Acks == -1 && l.Retries > 0 && !v.plain
	}
	if !slices.Contains([]string{"none", "gzip", "snappy", "lz4", "zstd"}, l.Codec) {
		return usage("Use none, gzip, snappy, lz4 or zstd.", "there is no compression %q", l.Codec)
	}
	if v.rate < 0 || math.IsNaN(v.rate) {
		return usage("", "a rate cannot be %v", v.rate)
	}
	l.Rate = v.rate / float64(max(v.o.Producers, 1))
	return nil
}

// up starts the fresh nodes. What it returns ends them, and deletes them if they passed.
func (v *verifyRun) up(ctx context.Context, settings clientSettings) (down func(passed bool), err error) {
	dir := v.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "holdfast-verify-"); err != nil {
			return nil, failed(err, "", "make a folder for the nodes: %v", err)
		}
		dir = filepath.Join(dir, "cluster")
	}
	port, err := local.FreePort(v.local)
	if err != nil {
		return nil, failed(err, "", "%v", err)
	}
	c, err := local.Create(local.Options{Dir: dir, Nodes: v.local, Port: port, Set: append(v.groupSettings(), v.set...)})
	if err != nil {
		return nil, localProblem(err)
	}
	down = func(passed bool) {
		if err := c.Close(localStopLimit); err != nil {
			v.app.notice("%v", err)
		}
		if !passed || v.keep {
			v.app.notice("the nodes' data and logs are in %s", dir)
			return
		}
		if err := c.Remove(); err != nil {
			v.app.notice("%v", err)
		} else if v.dir == "" {
			_ = os.Remove(filepath.Dir(dir)) // the temporary folder, empty now
		}
	}
	ready, cancel := context.WithTimeout(ctx, localReadyLimit)
	defer cancel()
	if err := c.Up(ready); err != nil {
		down(false)
		return nil, localProblem(err)
	}
	v.o.Local = c
	return down, settings.set("bootstrap.servers", c.Bootstrap())
}

func (v *verifyRun) judge(ctx context.Context, settings clientSettings) (*verify.Report, error) {
	open, err := settings.opener()
	if err != nil {
		return nil, err
	}
	v.o.Open = open
	if v.o.Member, err = v.memberProgram(settings); err != nil {
		return nil, err
	}
	if err := v.o.Check(); err != nil {
		return nil, usage("", "%v", err)
	}
	c, err := v.client.connect(ctx, settings) // so that a cluster that is not there is told in the usual words
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if v.journal != "" {
		file, err := os.Create(v.journal)
		if err != nil {
			return nil, usage("", "--journal: %v", err)
		}
		buffered := bufio.NewWriter(file)
		v.o.Journal = buffered
		defer func() {
			if err := errors.Join(buffered.Flush(), file.Close()); err != nil {
				v.app.notice("the journal is not whole: %v", err)
			}
		}()
	}
	current := make(chan string, 1)
	current <- "starting"
	v.o.Say = func(text string) { <-current; current <- text }
	defer v.app.progress(func() string { text := <-current; current <- text; return text })()
	report, err := verify.Run(ctx, v.o)
	if err != nil {
		return nil, c.explain(err, "run the scenario")
	}
	return report, nil
}

// report prints what the run came to, and makes the exit code of it.
func (v *verifyRun) report(r *verify.Report) error {
	if v.app.json() {
		if err := jsonLine(v.app.env.Out, r); err != nil {
			return err
		}
	} else if err := r.Print(v.app.env.Out); err != nil {
		return err
	}
	switch r.Verdict {
	case verify.Fail:
		return reported(exitViolation)
	case verify.Missed:
		return reported(exitMissed)
	case verify.Inconclusive:
		return reported(exitInconclusive)
	}
	return nil
}

// command is how to repeat the run.
func (v *verifyRun) command() string {
	words := []string{"holdfast verify run", v.o.Scenario.Name}
	v.cmd.Flags().Visit(func(f *pflag.Flag) {
		switch values, many := f.Value.(pflag.SliceValue); {
		case f.Name == "seed" || f.Name == "output":
		case many:
			for _, value := range values.GetSlice() {
				words = append(words, "--"+f.Name, value)
			}
		case f.Value.Type() == "bool":
			words = append(words, "--"+f.Name+"="+f.Value.String())
		default:
			words = append(words, "--"+f.Name, f.Value.String())
		}
	})
	return strings.Join(append(words, "--seed", strconv.FormatUint(v.o.Seed, 10)), " ")
}
