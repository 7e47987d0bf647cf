package cli

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

func newBenchCommand(a *app) *cobra.Command {
	return noun("bench", "Measure a cluster: producing, consuming, end to end latency", "  holdfast bench produce --size 1024 --duration 10s",
		newBenchProduceCommand(a),
		newBenchConsumeCommand(a),
		newBenchLatencyCommand(a),
	)
}

// bench is what the three measurements share.
type bench struct {
	app    *app
	client *clientFlags

	// What to send or read.
	topic      string // "": a scratch topic, deleted at the end
	partitions int32
	replicas   int16
	configs    []string
	records    int64
	duration   time.Duration
	warmup     time.Duration
	size       int
	keys       int
	payload    string
	rate       float64
	producers  int
	consumers  int

	// How to send.
	acks        string
	linger      time.Duration
	batch       int
	compression string

	// What to measure beside, and what to reach.
	serverPIDs []int
	wantP99    time.Duration
	wantMBps   float64

	toTheEnd bool // without --records and --duration the measurement ends by itself
	scratch  bool
	settings clientSettings
}

// unlimited records: the time, or the end of the topic, ends the measurement.
const unlimited = math.MaxInt64

const benchHelp = `Without TOPIC a scratch topic is made and deleted at the end. With --server-pid the CPU time and memory of brokers
on this machine are measured too; s/GB is CPU-seconds for each 10^9 bytes of keys and values. MB are 10^6 bytes.
--want-… set an objective: the exit code is 4 if it is missed.`

// command completes cmd with the shared flags.
func (b *bench) command(cmd *cobra.Command, run func(ctx context.Context, c *client) (*benchReport, error)) *cobra.Command {
	cmd.Long += "\n\n" + benchHelp
	cmd.Args = takes(0, 1, "")
	b.client = b.app.addClientFlags(cmd, anyCluster)
	f := cmd.Flags()
	f.Int32VarP(&b.partitions, "partitions", "p", 1, "partitions of the scratch topic")
	f.Int16VarP(&b.replicas, "replication-factor", "r", -1, "replicas of the scratch topic; -1 is the cluster's default")
	f.StringArrayVarP(&b.configs, "config", "c", nil, "setting of the scratch topic, KEY=VALUE (repeatable)")
	f.Int64VarP(&b.records, "records", "n", 0, "number of records, in all")
	f.DurationVarP(&b.duration, "duration", "d", 0, b.durationHelp())
	f.IntVarP(&b.size, "size", "s", 1024, "bytes of a value")
	f.IntVar(&b.keys, "keys", 0, "number of different keys; 0 sends no key")
	f.StringVar(&b.payload, "payload", "random", "what values hold: random, text (compresses about 3:1), zero")
	f.StringVarP(&b.acks, "acks", "a", "", "all, 1, 0 (default all)")
	f.DurationVar(&b.linger, "linger", 5*time.Millisecond, "wait this long for a batch to fill, in whole milliseconds")
	f.IntVar(&b.batch, "batch-size", 1<<20, "bytes of a batch at most")
	f.StringVarP(&b.compression, "compression", "z", "", "none, gzip, snappy, lz4, zstd (default none)")
	f.IntSliceVar(&b.serverPIDs, "server-pid", nil, "process ids of brokers on this machine, to measure them too")
	f.DurationVar(&b.wantP99, "want-p99", 0, "objective: the 99th percentile of latency is at most this")
	f.Float64Var(&b.wantMBps, "want-mbps", 0, "objective: at least so many MB/s")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			b.topic = args[0]
		}
		return b.run(cmd.Context(), run)
	}
	return cmd
}

// run sets up client and topic around one measurement, and reports it.
func (b *bench) run(ctx context.Context, measure func(ctx context.Context, c *client) (*benchReport, error)) error {
	if err := b.prepare(); err != nil {
		return err
	}
	if _, err := serverUsage(b.serverPIDs); err != nil {
		return err
	}
	c, err := b.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := b.openTopic(ctx, c); err != nil {
		return err
	}
	report, err := measure(ctx, c)
	if b.scratch {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
		defer cancel()
		if _, gone := c.admin.DeleteTopic(cleanup, b.topic); gone != nil {
			b.app.notice("the scratch topic %s is left behind: %v", b.topic, gone)
		}
	}
	if err != nil {
		return err
	}
	if err := report.print(b.app); err != nil {
		return err
	}
	return b.judge(report)
}

// prepare checks the flags and turns those of the producer into client settings.
func (b *bench) prepare() error {
	settings, err := b.client.settings()
	if err != nil {
		return err
	}
	if b.records == 0 && b.duration == 0 && !b.toTheEnd {
		b.duration = 10 * time.Second
	}
	if b.records == 0 {
		b.records = unlimited
	}
	switch {
	case b.records < 0 || b.duration < 0 || b.warmup < 0 || b.rate < 0 || b.keys < 0 || b.producers < 0 || b.consumers < 0:
		return usage("", "a negative number makes no sense here")
	case b.size < stampSize || b.size > 100<<20:
		return usage("", "--size %d is outside of %d to %d", b.size, stampSize, 100<<20)
	case !slices.Contains([]string{"random", "text", "zero"}, b.payload):
		return usage("Use random, text or zero.", "there is no payload %q", b.payload)
	}
	values := []struct{ flag, key, value string }{
		{"--acks", "acks", b.acks},
		{"--linger", "linger.ms", strconv.FormatInt(b.linger.Milliseconds(), 10)},
		{"--batch-size", "batch.size", strconv.Itoa(b.batch)},
		{"--compression", "compression.type", b.compression},
	}
	for _, v := range values {
		if v.value == "" {
			continue
		}
		if err := settings.set(v.key, v.value); err != nil {
			return usage("", "%s: %v", v.flag, err)
		}
	}
	if settings["acks"] == "" {
		settings["acks"] = "all"
	}
	b.settings = settings
	return nil
}

// connect opens one more client; every producer and consumer has its own, as separate programs would.
func (b *bench) connect(ctx context.Context, extra ...kgo.Opt) (*client, error) {
	if timeout := b.settings.deliveryTimeout(); timeout >= time.Second {
		extra = append(extra, kgo.RecordDeliveryTimeout(timeout))
	}
	return b.client.connect(ctx, b.settings, append(extra, kgo.ConsumeResetOffset(kgo.NoResetOffset()))...)
}

// openTopic finds the topic, or makes a scratch one.
func (b *bench) openTopic(ctx context.Context, c *client) error {
	if b.topic != "" {
		_, err := c.topics(ctx, b.topic)
		return err
	}
	set, err := parseAssignments(b.configs)
	if err != nil {
		return err
	}
	values := map[string]*string{}
	for k, v := range set {
		values[k] = &v
	}
	name := "holdfast-bench-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	bounded, cancel := c.bounded(ctx)
	defer cancel()
	r, err := c.admin.CreateTopics(bounded, b.partitions, b.replicas, values, name)
	if err != nil {
		return c.explain(err, "create the scratch topic")
	}
	if t := r[name]; t.Err != nil {
		return withConfigHint(c.refusal(t.Err, t.ErrMessage, "create the scratch topic"), set)
	}
	b.topic, b.scratch = name, true
	return nil
}

// judge compares the report with the objectives.
func (b *bench) judge(r *benchReport) error {
	if r.Failed > 0 {
		return failed(nil, "", "%s not acked; the first: %s", plural(r.Failed, "record"), r.firstError)
	}
	var missed []string
	if p := r.latency(); b.wantP99 > 0 && p != nil && p.P99 > ms(b.wantP99) {
		missed = append(missed, fmt.Sprintf("p99 is %.3f ms, wanted at most %.3f ms", p.P99, ms(b.wantP99)))
	}
	if b.wantMBps > 0 && r.MBps < b.wantMBps {
		missed = append(missed, fmt.Sprintf("%.1f MB/s, wanted at least %.1f", r.MBps, b.wantMBps))
	}
	if len(missed) > 0 {
		return &Problem{Code: exitMissed, What: "objective missed: " + strings.Join(missed, "; ")}
	}
	return nil
}

func (b *bench) durationHelp() string {
	if b.toTheEnd {
		return "stop after this long (default at the end of the topic)"
	}
	return "go on for this long (default 10s unless --records is given)"
}
