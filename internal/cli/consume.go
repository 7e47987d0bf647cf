package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

type consume struct {
	app        *app
	client     *clientFlags
	cmd        *cobra.Command
	partitions []int32
	offset     string
	count      int64
	follow     bool
	format     string
	committed  bool
	group      groupFlags
}

func newConsumeCommand(a *app) *cobra.Command {
	c := &consume{app: a}
	cmd := &cobra.Command{
		Use:   "consume TOPIC",
		Short: "Read records of a topic to standard output",
		Long: `Reads the records of a topic from where --offset says up to the end that the topic has at the start of the
command, or on and on with --follow. Records of one partition come in their order.

--offset is one of
  earliest     the first record there is (default)
  latest       the end: with --follow, records that are written from now on
  N            the record with offset N
  -N           the last N records of each partition
  @TIME        the first record written at or after TIME: 2026-01-31T12:00:00Z, milliseconds since 1970,
               or a duration that has passed since, as in @15m

With --group the command is a member of a consumer group: it reads the partitions that the group assigns to it, from
where the group is, and goes on until it is interrupted, has --count records, or nothing came for --idle. --offset is
then where partitions begin that the group never committed: earliest, latest, none (refuse) or @TIME.

What --group promises is at least once: an offset is committed only when the records before it were flushed to standard
output, or, with --exec, when the command exited 0 for them. Killed at any moment, what was not committed is read again
by whoever gets the partition; nothing is skipped. Interrupted, it commits and leaves. Where standard output is a pipe,
flushed means written into the pipe, not read from it. A record whose command fails is not committed and ends this
member with exit code 1, after --exec-retries; the next member meets it again.

--exec runs a command with sh -c for each record, or for --batch records of one partition, with the records in --format
on its standard input and HOLDFAST_TOPIC, _PARTITION, _OFFSET, _LAST_OFFSET, _RECORDS, _TIMESTAMP_MS, _KEY, _GROUP in
its environment. Heartbeats go on while it runs.

--format is line (the value), json, hex, or a layout such as '%p %o %k %v\n' (%t topic, %p partition, %o offset,
%k key, %v value, %d time in ms, %h{…} headers). -o json is the same as --format json.`,
		Example: "  holdfast consume orders\n" +
			"  holdfast consume orders --partition 0 --offset -10 -o json\n" +
			"  holdfast consume orders --offset @15m --follow --format '%p %o %k %v\\n'\n" +
			"  holdfast consume orders --group billing --exec ./charge-one --exec-retries 3",
		Args:              takes(1, 1, "the name of a topic"),
		ValidArgsFunction: a.completeTopics,
		RunE:              func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	c.cmd, c.client = cmd, a.addClientFlags(cmd, anyCluster)
	f := cmd.Flags()
	f.Int32SliceVarP(&c.partitions, "partition", "p", nil, "read these partitions only")
	f.StringVar(&c.offset, "offset", "earliest", "where to begin: earliest, latest, N, -N, @TIME")
	f.Int64VarP(&c.count, "count", "n", 0, "stop after so many records; 0 has no limit")
	f.BoolVarP(&c.follow, "follow", "f", false, "go on with records as they are written")
	f.StringVar(&c.format, "format", "", "line, json, hex or a layout (default line)")
	f.BoolVar(&c.committed, "read-committed", false, "leave out records of transactions that were aborted or are open")
	c.group.add(a, cmd)
	return cmd
}

func (c *consume) run(ctx context.Context, topic string) error {
	if err := c.group.check(c); err != nil {
		return err
	}
	if c.count < 0 {
		return usage("", "--count %d makes no sense", c.count)
	}
	out := bufio.NewWriterSize(c.app.env.Out, 64<<10)
	print, err := recordPrinter(out, c.recordFormat())
	if err != nil {
		return err
	}
	settings, err := c.client.settings()
	if err != nil {
		return err
	}
	if c.committed {
		settings["isolation.level"] = "read_committed"
	}
	if c.group.name != "" {
		return c.runGroup(ctx, topic, settings, out, print)
	}
	position, err := parseOffset(c.offset)
	if err != nil {
		return err
	}
	cl, err := c.client.connect(ctx, settings, readerOptions()...)
	if err != nil {
		return err
	}
	defer cl.Close()
	spans, err := cl.spans(ctx, topic, c.partitions, position)
	if err != nil {
		return err
	}
	r := &reader{client: cl, topic: topic, spans: spans, follow: c.follow, left: c.count, print: print, flush: out.Flush}
	return errors.Join(r.read(ctx), out.Flush())
}

// recordFormat is --format, or what -o asks for.
func (c *consume) recordFormat() string {
	if c.format != "" {
		return c.format
	}
	return map[bool]string{true: "json", false: "line"}[c.app.json()]
}

// reader reads partitions from their begin to their end, or on and on.
type reader struct {
	client *client
	topic  string
	spans  map[int32]*span
	follow bool
	left   int64 // records still to print; 0 at the start means no limit
	print  func(*kgo.Record) error
	flush  func() error
}

// readerOptions are of a client for a reader. Without KeepRetryableFetchErrors the client would ask for a damaged record for ever.
func readerOptions() []kgo.Opt {
	return []kgo.Opt{kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.KeepRetryableFetchErrors()}
}

// span is what is to be read of a partition.
type span struct {
	next int64 // the offset to read next
	end  int64 // the first offset not to read, unless following
}

func (r *reader) read(ctx context.Context) error {
	limited := r.left > 0
	from := map[int32]kgo.Offset{}
	for p, s := range r.spans {
		if r.follow || s.next < s.end {
			from[p] = kgo.NewOffset().At(s.next)
		}
	}
	if len(from) == 0 {
		return nil
	}
	r.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{r.topic: from})
	for {
		fetches, err := r.poll(ctx)
		if err != nil {
			return err
		}
		for it := fetches.RecordIter(); !it.Done(); {
			if err := r.take(it.Next(), limited); err != nil {
				return err
			}
			if limited && r.left == 0 {
				return nil
			}
		}
		if err := r.flush(); err != nil {
			return err
		}
		if !r.follow && !slices.ContainsFunc(r.partitions(), r.unfinished) {
			return nil
		}
		if ctx.Err() != nil && !r.follow {
			return failed(ctx.Err(), "", "interrupted before the end of topic %s", r.topic)
		}
		if ctx.Err() != nil {
			return nil // the only way in which following ends
		}
	}
}

// poll waits for records. While it waits for the end of partitions, it wakes up to see whether what is left of them
// holds no records at all (batches that compaction emptied): the client would wait for ever.
func (r *reader) poll(ctx context.Context) (kgo.Fetches, error) {
	waiting := ctx
	if !r.follow {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, tailCheckAfter)
		defer cancel()
	}
	fetches := r.client.PollFetches(waiting)
	for _, e := range fetches.Errors() {
		switch {
		case errors.Is(e.Err, context.DeadlineExceeded) && waiting.Err() != nil && ctx.Err() == nil:
			return fetches, r.skipEmptyTails(ctx)
		case errors.Is(e.Err, context.Canceled) && ctx.Err() != nil:
		case kerr.IsRetriable(e.Err) && !errors.Is(e.Err, kerr.CorruptMessage): // the client goes on by itself
		default:
			return fetches, r.explain(ctx, e)
		}
	}
	return fetches, nil
}

// take prints one record, unless it lies behind the end or marks the end of a transaction.
func (r *reader) take(rec *kgo.Record, limited bool) error {
	s := r.spans[rec.Partition]
	if s == nil || !r.follow && rec.Offset >= s.end {
		if s != nil {
			s.next = s.end
		}
		return nil
	}
	s.next = rec.Offset + 1
	if rec.Attrs.IsControl() {
		return nil
	}
	if limited {
		r.left--
	}
	return r.print(rec)
}

func (r *reader) partitions() []int32 { return sortedPartitions(r.spans) }

func (r *reader) unfinished(p int32) bool { return r.spans[p].next < r.spans[p].end }

func (r *reader) explain(ctx context.Context, e kgo.FetchError) error {
	where := fmt.Sprintf("%s partition %d", e.Topic, e.Partition)
	if e.Topic == "" {
		return r.client.explain(e.Err, "read topic "+r.topic)
	}
	if errors.Is(e.Err, kerr.OffsetOutOfRange) {
		at := r.spans[e.Partition].next
		first := "?"
		if starts, err := r.client.admin.ListStartOffsets(ctx, e.Topic); err == nil {
			if o, ok := starts.Lookup(e.Topic, e.Partition); ok {
				first = fmt.Sprint(o.Offset)
			}
		}
		return failed(e.Err, "Records may have been deleted while reading; go on with --offset "+first+" --partition "+fmt.Sprint(e.Partition)+".",
			"offset %d of %s does not exist: the first is %s", at, where, first)
	}
	if errors.Is(e.Err, kerr.CorruptMessage) {
		return damagedRecords(e)
	}
	return r.client.explain(e.Err, "read "+where)
}

// damagedRecords says that a consumer stands before records that the broker does not serve.
func damagedRecords(e kgo.FetchError) error {
	return failed(e.Err, fmt.Sprintf("`holdfast partition list %s --damaged` shows which, and what can be done.", e.Topic),
		"the next records of %s partition %d are damaged on the broker's disk, which does not serve them (CORRUPT_MESSAGE)", e.Topic, e.Partition)
}
