package verify

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"holdfast/internal/local"
	"holdfast/internal/verify/workload"
)

// Scenario is a plan: a setting of the producers, and what is done to the cluster.
type Scenario struct {
	Name  string
	Short string // one sentence for the list
	Kills bool   // nodes are killed in rounds; needs nodes of our own
	Deed  Deed   // what befalls members of groups, in rounds; empty is nothing
	Reads bool   // it is about groups, and has some unless others are given
	Stirs bool   // while a node is killed, a member of each group leaves and comes back

	Acks       int16
	Idempotent bool
	Retries    int
	Fixed      bool // the setting is the point of it: it cannot be given otherwise
}

var scenarios = []Scenario{
	{Name: "steady", Short: "load and no faults, on any Kafka cluster", Acks: -1, Idempotent: true, Retries: workload.RetriesMax},
	{
		Name: "leader-kill", Kills: true, Short: "SIGKILL at random moments; acks=all, idempotent, endless retries: nothing may be lost, doubled or reordered",
		Acks: -1, Idempotent: true, Retries: workload.RetriesMax,
	},
	{Name: "acks1-leader-kill", Kills: true, Fixed: true, Short: "the same with acks=1: what is lost is counted", Acks: 1, Retries: workload.RetriesMax},
	{Name: "acks0-leader-kill", Kills: true, Fixed: true, Short: "the same with acks=0: what is lost is counted", Retries: workload.RetriesMax},
	{Name: "no-retries-leader-kill", Kills: true, Fixed: true, Short: "the same with acks=all and no retries: every missing record is one the producer was told about", Acks: -1},
	{
		Name: "coordinator-kill", Kills: true, Reads: true, Stirs: true,
		Short: "SIGKILL at random moments while groups read and members come and go: no commit may be lost or moved back",
		Acks:  -1, Idempotent: true, Retries: workload.RetriesMax,
	},
	{
		Name: "consumer-bounce", Deed: Bounce, Reads: true, Short: "members of groups leave with SIGTERM and come back: nothing may be delivered twice",
		Acks: -1, Idempotent: true, Retries: workload.RetriesMax,
	},
	{
		Name: "consumer-kill", Deed: Slay, Reads: true, Short: "members are killed: what comes again was not committed, and nothing else does",
		Acks: -1, Idempotent: true, Retries: workload.RetriesMax,
	},
	{
		Name: "consumer-pause", Deed: Freeze, Reads: true, Short: "members are paused until others take over: they learn of it, and commit nothing any more",
		Acks: -1, Idempotent: true, Retries: workload.RetriesMax,
	},
}

// Scenarios are all there are, in the order of the list.
func Scenarios() []Scenario { return slices.Clone(scenarios) }

// Find returns a scenario by its name.
func Find(name string) (Scenario, bool) {
	i := slices.IndexFunc(scenarios, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return Scenario{}, false
	}
	return scenarios[i], true
}

// Options of a run.
type Options struct {
	Tool    string // name and version of who runs it, for the report
	Command string // that repeats it, for the report

	Scenario Scenario
	Seed     uint64
	Rounds   int           // kills
	Duration time.Duration // of the load, where nothing is killed
	Every    time.Duration // between a recovery and the next kill, on average

	Topic       string // made by the run
	Partitions  int32
	Replication int16             // -1 leaves it to the cluster
	Configs     map[string]string // of the topic
	Producers   int
	Load        workload.Settings // of one producer; the topic and its partitions are filled in

	Groups  []GroupPlan   // consumer groups that read the topic
	Members int           // of each group
	Member  []string      // the program that is one member, with its arguments; --spec and its settings as JSON are added
	Session time.Duration // after which the coordinator gives up a silent member of a classic group, and the cluster any other

	// RecoverWithin is an objective: from a start to acknowledgements of every partition, from a deed until each group reads
	// every partition.
	RecoverWithin time.Duration
	GapWithin     time.Duration // objective: the longest silence of a partition; 0 is none

	// Journal takes what members of groups told, an event a line as workload.AppendEvent writes it, under a line with the name
	// of each; nil is nobody.
	Journal io.Writer

	Open  workload.Opener
	Local *local.Cluster // whose nodes are killed; nil where nothing is
	Say   func(progress string)
}

// Check says what cannot be meant.
func (o *Options) Check() error {
	switch {
	case o.Scenario.Kills && o.Local == nil:
		return fmt.Errorf("%s kills nodes, so it needs its own: --local 1", o.Scenario.Name)
	case o.faults() && o.Rounds < 1:
		return fmt.Errorf("%s needs at least one round", o.Scenario.Name)
	case !o.faults() && o.Duration <= 0:
		return fmt.Errorf("%s needs a duration", o.Scenario.Name)
	case o.Partitions < 1 || o.Producers < 1:
		return errors.New("a run needs a partition and a producer")
	case o.Load.Idempotent && o.Load.Acks != -1:
		return fmt.Errorf("an idempotent producer needs acks=all, not acks=%d", o.Load.Acks)
	case o.Load.Idempotent && o.Load.Retries == 0:
		return errors.New("an idempotent producer needs retries")
	case o.Scenario.Reads && len(o.Groups) == 0:
		return fmt.Errorf("%s needs a group", o.Scenario.Name)
	case len(o.Groups) > 0 && (o.Members < 1 || len(o.Member) == 0):
		return errors.New("a group needs a member, and the program that is one")
	case o.Load.Rate < 0 || o.Load.Size < workload.HeaderSize:
		return fmt.Errorf("a rate is not negative, and a value has at least %d bytes, which say whose it is", workload.HeaderSize)
	}
	return nil
}

// faults says whether the scenario has rounds.
func (o *Options) faults() bool { return o.Scenario.Kills || o.Scenario.Deed != "" }
