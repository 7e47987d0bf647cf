package verify

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"holdfast/internal/verify/check"
	"holdfast/internal/verify/workload"
)

// The verdicts of a run. Missed: no promise was broken, and an objective in time was not met.
const (
	Pass                       = check.Pass
	Fail                       = check.Fail
	Missed       check.Verdict = "MISSED"
	Inconclusive               = check.Inconclusive
)

// reportSchema is the version of the report's JSON; a field that is added does not raise it.
const reportSchema = 1

// Report is what a run came to. Its JSON is stable.
type Report struct {
	Schema   int           `json:"schema"`
	Tool     string        `json:"tool"`
	Command  string        `json:"command"` // repeats the run
	Verdict  check.Verdict `json:"verdict"`
	Scenario string        `json:"scenario"`
	Seed     uint64        `json:"seed"`
	Began    time.Time     `json:"began"`
	Seconds  float64       `json:"seconds"` // of load
	Config   Config        `json:"config"`

	check.Report // its verdict is part of the one above

	Broken     string   `json:"broken,omitempty"`  // the cluster did not come back: a failure
	Missed     []string `json:"missed,omitempty"`  // objectives that were not met
	Remarks    []string `json:"remarks,omitempty"` // what else a reader should know
	Unanswered int64    `json:"unanswered"`        // records without an outcome at the end: they count as indeterminate

	// Exposure is the most acknowledged records that were lost of those sent between two marks: a kill and the recovery, or
	// a recovery and the next kill.
	Exposure int64 `json:"exposure"`

	Rounds  []Round          `json:"rounds"`
	Timings *Timings         `json:"timings,omitempty"` // of the rounds
	GapMs   []float64        `json:"gapMs"`             // longest time between two acknowledgements, by partition
	Series  Series           `json:"series"`
	Errors  map[string]int64 `json:"errors"`                 // what producers were told, with how often
	Reading map[string]int64 `json:"readErrors"`             // what the reader that follows was told
	Members map[string]int64 `json:"memberErrors,omitempty"` // what members of groups were told
}

// Config is how the run was set up.
type Config struct {
	Topic      string            `json:"topic"`
	Partitions int32             `json:"partitions"`
	Configs    map[string]string `json:"topicConfigs,omitempty"`
	Producers  int               `json:"producers"`
	Acks       string            `json:"acks"`
	Idempotent bool              `json:"idempotent"`
	Retries    string            `json:"retries"`
	Rate       float64           `json:"rate"` // of all producers together
	Size       int               `json:"size"`
	Keys       int               `json:"keys"`
	Codec      string            `json:"compression"`
	Local      int               `json:"local"` // nodes of our own, 0 for a cluster that was there
	Groups     []GroupPlan       `json:"groups,omitempty"`
	Members    int               `json:"members,omitempty"` // of each group
	SessionMs  float64           `json:"sessionTimeoutMs,omitempty"`
}

// Series is the acknowledgements over time.
type Series struct {
	SliceMs float64 `json:"sliceMs"`
	Acks    []int64 `json:"acks"`
}

// Timings are percentiles over the rounds, in ms.
type Timings struct {
	Ready     Spread `json:"readyMs"`
	Recovered Spread `json:"recoveredMs"`
	Groups    Spread `json:"groupsMs"`
}

// Spread is a distribution.
type Spread struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func newReport(o *Options) *Report {
	retries := fmt.Sprint(o.Load.Retries)
	if o.Load.Retries == workload.RetriesMax {
		retries = "max"
	}
	acks := fmt.Sprint(o.Load.Acks)
	if o.Load.Acks == -1 {
		acks = "all"
	}
	r := &Report{
		Schema: reportSchema, Tool: o.Tool, Command: o.Command, Scenario: o.Scenario.Name, Seed: o.Seed, Began: time.Now().UTC().Truncate(time.Second),
		Config: Config{
			Topic: o.Topic, Partitions: o.Partitions, Configs: o.Configs, Producers: o.Producers, Acks: acks, Idempotent: o.Load.Idempotent,
			Retries: retries, Rate: o.Load.Rate * float64(o.Producers), Size: o.Load.Size, Keys: o.Load.Keys, Codec: o.Load.Codec,
		},
		Rounds: []Round{}, Members: map[string]int64{},
	}
	if len(o.Groups) > 0 {
		r.Config.Groups, r.Config.Members, r.Config.SessionMs = o.Groups, o.Members, ms(o.Session)
	}
	if o.Local != nil {
		r.Config.Local = len(o.Local.Nodes())
	}
	return r
}

// conclude adds what was timed and makes one verdict of all.
func (r *Report) conclude(o *Options, s workload.Summary, reading map[string]int64) {
	r.Errors, r.Reading = s.Errors, reading
	r.Series = Series{SliceMs: ms(s.Slice), Acks: s.Series}
	r.Seconds = float64(len(s.Series)) * s.Slice.Seconds()
	for p, gap := range s.Gaps {
		r.GapMs = append(r.GapMs, ms(gap))
		if o.GapWithin > 0 && gap > o.GapWithin {
			r.Missed = append(r.Missed, fmt.Sprintf("partition %d acknowledged nothing for %s, the objective is %s", p, gap.Round(time.Millisecond), o.GapWithin))
		}
	}
	for _, f := range r.Faults {
		r.Exposure = max(r.Exposure, f.Lost)
	}
	var ready, recovered, groups []float64
	for i, round := range r.Rounds {
		ready, recovered, groups = append(ready, round.ReadyMs), append(recovered, round.RecordMs), append(groups, round.GroupsMs)
		if round.Late {
			r.Missed = append(r.Missed, fmt.Sprintf("round %d took %.0f ms to recover, the objective is %s", i+1, round.RecordMs, o.RecoverWithin))
		}
	}
	if len(r.Rounds) > 0 {
		r.Timings = &Timings{Ready: spread(ready), Recovered: spread(recovered), Groups: spread(groups)}
	}
	switch {
	case r.Report.Verdict == check.Fail || r.Broken != "":
		r.Verdict = check.Fail
	case len(r.Missed) > 0:
		r.Verdict = Missed
	default:
		r.Verdict = r.Report.Verdict
	}
}

func spread(values []float64) Spread {
	sorted := slices.Sorted(slices.Values(values))
	at := func(q float64) float64 { return sorted[int(math.Ceil(q*float64(len(sorted))))-1] }
	return Spread{P50: at(0.5), P99: at(0.99), Max: sorted[len(sorted)-1]}
}

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s   VERDICT  %s\n", r.Command, r.Verdict)
	c := r.Config
	kind := "plain"
	if c.Idempotent {
		kind = "idempotent"
	}
	rate := fmt.Sprintf("%.0f records/s wanted", c.Rate)
	if c.Rate == 0 {
		rate = "as fast as possible"
	}
	fmt.Fprintf(&b, "%d partitions, %d producers (acks=%s, %s, retries %s), %s, %d bytes, %.0f s of load\n",
		c.Partitions, c.Producers, c.Acks, kind, c.Retries, rate, c.Size, r.Seconds)
	if len(c.Groups) > 0 {
		fmt.Fprintf(&b, "%d groups of %d members: %s   session timeout %.1f s\n", len(c.Groups), c.Members, plans(c.Groups), c.SessionMs/1000)
	}
	b.WriteString(r.Block())
	if r.Ops.MissingTold > 0 || r.Ops.Lost > 0 {
		fmt.Fprintf(&b, "missing in the log: %d that producers were told about, %d that they were not", r.Ops.MissingTold, r.Ops.Lost)
		if r.Exposure > 0 {
			fmt.Fprintf(&b, " (at most %d between two marks)", r.Exposure)
		}
		b.WriteByte('\n')
	}
	r.pulse(&b)
	r.timings(&b)
	if len(r.GapMs) > 0 {
		fmt.Fprintf(&b, "longest silence of a partition %.0f ms\n", slices.Max(r.GapMs))
	}
	if r.Broken != "" {
		fmt.Fprintf(&b, "broken: %s\n", r.Broken)
	}
	for _, m := range r.Missed {
		fmt.Fprintf(&b, "missed: %s\n", m)
	}
	for _, m := range r.Remarks {
		fmt.Fprintf(&b, "remark: %s\n", m)
	}
	if r.Verdict != check.Pass {
		printErrors(&b, "producers were told", r.Errors)
		printErrors(&b, "the reader was told", r.Reading)
		printErrors(&b, "members were told", r.Members)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func plans(groups []GroupPlan) string {
	words := make([]string, len(groups))
	for i, g := range groups {
		words[i] = g.String()
	}
	return strings.Join(words, ", ")
}

// timings says how long it took to recover.
func (r *Report) timings(b *strings.Builder) {
	t := r.Timings
	switch {
	case t == nil:
	case r.Rounds[0].Member != "":
		fmt.Fprintf(b, "%d members met with %s   their groups read every partition again after p50 %.0f ms, p99 %.0f, max %.0f\n",
			len(r.Rounds), r.Rounds[0].Deed, t.Recovered.P50, t.Recovered.P99, t.Recovered.Max)
	default:
		again := 0
		for _, round := range r.Rounds {
			again += round.InStart
		}
		fmt.Fprintf(b, "%d kills, %d more during a start   ready after p50 %.0f ms, max %.0f   recovered after p50 %.0f ms, p99 %.0f, max %.0f\n",
			len(r.Rounds), again, t.Ready.P50, t.Ready.Max, t.Recovered.P50, t.Recovered.P99, t.Recovered.Max)
		if t.Groups.Max > 0 {
			fmt.Fprintf(b, "groups read every partition again after p50 %.0f ms, p99 %.0f, max %.0f\n", t.Groups.P50, t.Groups.P99, t.Groups.Max)
		}
	}
}

func printErrors(b *strings.Builder, who string, errors map[string]int64) {
	var lines []string
	for text, n := range errors { // order-free: sorted below
		lines = append(lines, fmt.Sprintf("%s %d times: %s\n", who, n, text))
	}
	slices.Sort(lines)
	b.WriteString(strings.Join(lines, ""))
}

// columns is the width of the picture of acknowledgements.
const columns = 60

// pulse draws the acknowledgements over time, with v under each column in which a node was killed.
func (r *Report) pulse(b *strings.Builder) {
	acks := r.Series.Acks
	if len(acks) < 2 {
		return
	}
	width := min(columns, len(acks))
	sums, kills, top := make([]float64, width), make([]bool, width), 0.0
	slots := make([]float64, width)
	for i, n := range acks {
		sums[i*width/len(acks)] += float64(n)
		slots[i*width/len(acks)]++
	}
	for i := range sums {
		sums[i] /= slots[i]
		top = max(top, sums[i])
	}
	for _, round := range r.Rounds {
		if at := int(round.AtMs / r.Series.SliceMs); at < len(acks) {
			kills[at*width/len(acks)] = true
		}
	}
	bars := []rune("▁▂▃▄▅▆▇█")
	b.WriteString("acks/s  ")
	for _, n := range sums {
		b.WriteRune(bars[min(int(n/max(top, 1)*float64(len(bars))), len(bars)-1)])
	}
	fmt.Fprintf(b, "  at most %.0f/s\n", top*1000/r.Series.SliceMs)
	if len(r.Rounds) == 0 {
		return
	}
	b.WriteString("        ")
	for _, k := range kills {
		if k {
			b.WriteByte('v')
		} else {
			b.WriteByte(' ')
		}
	}
	what := "SIGKILL"
	if deed := r.Rounds[0].Deed; deed != "" {
		what = string(deed) + " of members"
	}
	fmt.Fprintf(b, "  v = %s\n", what)
}
