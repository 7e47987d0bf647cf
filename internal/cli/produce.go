package cli

import (
	"bufio"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"holdfast/internal/verify/workload"
)

type produce struct {
	app    *app
	client *clientFlags
	cmd    *cobra.Command

	input           recordInput
	headers         []string
	partition       int32
	acks            string
	retries         string
	deliveryTimeout time.Duration
	compression     string
	onError         string
	resend          string
	txn             string
}

func newProduceCommand(a *app) *cobra.Command {
	p := &produce{app: a}
	cmd := &cobra.Command{
		Use:   "produce TOPIC",
		Short: "Send records from standard input, and say what became of each",
		Long: `Sends one record a line of standard input. At the end the counts are on standard error: acked (the cluster
confirmed it), failed (it is surely not in the log), unknown (it may or may not be: the answer was lost). The exit
code is 0 only if all are acked.

Records that are not acked are handled as --on-error says:
  fail       stop at the first one (default)
  drop       count it and go on
  log        count it, print it to standard error and go on
  spill:DIR  keep it in DIR and go on; ` + "`holdfast produce --resend DIR`" + ` sends what DIR holds later
             and removes what is acked. Records that are sent again come after those sent meanwhile, and one
             whose outcome was unknown may then be in the log twice.

The lines of --format json are those that ` + "`holdfast consume -o json`" + ` writes.`,
		Example: "  echo hello | holdfast produce orders\n" +
			"  printf 'k1:v1\\nk2:v2\\n' | holdfast produce orders --key-separator : --header source=test\n" +
			"  holdfast produce orders --retries max --delivery-timeout 10m --on-error spill:./unsent < records",
		Args: takes(0, 1, ""),
		RunE: func(cmd *cobra.Command, args []string) error { return p.run(cmd.Context(), args) },
	}
	p.cmd, p.client = cmd, a.addClientFlags(cmd, anyCluster)
	f := cmd.Flags()
	f.StringVar(&p.input.format, "format", "line", "form of a line: line, json, hex")
	f.StringVarP(&p.input.keySeparator, "key-separator", "K", "", "what separates the key from the value in a line; without it records have no key")
	f.StringVar(&p.input.null, "null", "", "text that stands for a null key or value")
	f.StringArrayVarP(&p.headers, "header", "H", nil, "header of every record, KEY=VALUE (repeatable)")
	f.Int32VarP(&p.partition, "partition", "p", -1, "partition to send to; -1 leaves it to the key, like Java clients")
	f.StringVarP(&p.acks, "acks", "a", "", "who must have a record before it is acked: all, 1, 0 (default all)")
	f.StringVar(&p.retries, "retries", "", "how often a record is tried again: 0, 1, … or max (default max)")
	f.DurationVar(&p.deliveryTimeout, "delivery-timeout", 0, "how long a record may take, retries included (default 2m)")
	f.StringVarP(&p.compression, "compression", "z", "", "none, gzip, snappy, lz4, zstd (default none)")
	f.StringVar(&p.onError, "on-error", "fail", "what to do with a record that is not acked: fail, drop, log, spill:DIR")
	f.StringVar(&p.resend, "resend", "", "send the records kept in this spill directory instead of standard input")
	f.StringVar(&p.txn, "txn", "", "send all of the input in one transaction of this transactional id: all of it is seen, or nothing")
	return cmd
}

func (p *produce) run(ctx context.Context, args []string) error {
	if err := p.check(args); err != nil {
		return err
	}
	settings, err := p.settings()
	if err != nil {
		return err
	}
	handler, err := newFailureHandler(p.app, p.onError)
	if err != nil {
		return err
	}
	dial, err := settings.dialer()
	if err != nil {
		return err
	}
	w := workload.NewWitness()
	c, err := p.client.connect(ctx, settings, kgo.RecordPartitioner(askedPartitioner{}), kgo.Dialer(w.Watch(dial)))
	if err != nil {
		return err
	}
	defer c.Close()
	s := &sender{app: p.app, client: c, handler: handler, witness: w, transaction: p.txn}
	if p.resend != "" {
		return s.resend(ctx, p.resend)
	}
	if _, err := c.topics(ctx, args[0]); err != nil {
		return err
	}
	return s.send(ctx, p.records(args[0]))
}

// check refuses combinations that cannot be meant.
func (p *produce) check(args []string) error {
	if p.resend == "" && len(args) == 0 {
		return usage("For example:\n"+p.cmd.Example, "%s needs the name of a topic", said(p.cmd))
	}
	if p.resend != "" && len(args) > 0 {
		return usage("Leave the topic out.", "the records of a spill directory go to the topics they were meant for")
	}
	if !slices.Contains(inputFormats(), p.input.format) {
		return usage("Use one of "+strings.Join(inputFormats(), ", ")+".", "there is no input format %q", p.input.format)
	}
	if p.input.format == "json" && (p.input.keySeparator != "" || p.cmd.Flags().Changed("null")) {
		return usage("", "--key-separator and --null have no meaning with --format json")
	}
	if p.partition < -1 {
		return usage("", "there is no partition %d", p.partition)
	}
	if err := p.checkTransaction(); err != nil {
		return err
	}
	headers, err := parseHeaders(p.headers)
	p.input.headers, p.input.nullSet = headers, p.cmd.Flags().Changed("null")
	return err
}

// settings are the client's, with this command's flags on top.
func (p *produce) settings() (clientSettings, error) {
	settings, err := p.client.settings()
	if err != nil {
		return nil, err
	}
	retries := p.retries
	if retries == "max" {
		retries = strconv.Itoa(math.MaxInt32)
	}
	timeout := ""
	if p.deliveryTimeout != 0 {
		timeout = strconv.FormatInt(p.deliveryTimeout.Milliseconds(), 10)
	}
	for _, f := range []struct{ flag, key, value string }{
		{"--acks", "acks", p.acks},
		{"--retries", "retries", retries},
		{"--delivery-timeout", "delivery.timeout.ms", timeout},
		{"--compression", "compression.type", p.compression},
	} {
		if f.value == "" {
			continue
		}
		if err := settings.set(f.key, f.value); err != nil {
			return nil, usage("", "%s: %v", f.flag, err)
		}
	}
	if settings["acks"] == "" {
		settings["acks"] = "all"
	}
	if p.txn != "" {
		settings["transactional.id"] = p.txn
	}
	return settings, nil
}

// records reads standard input; the topic and --partition are set on each record.
func (p *produce) records(topic string) func() (*kgo.Record, error) {
	p.input.in = bufio.NewReaderSize(p.app.env.In, 64<<10)
	return func() (*kgo.Record, error) {
		r, err := p.input.next()
		if err != nil {
			return nil, err
		}
		r.Topic = topic
		if p.partition >= 0 || p.input.format != "json" {
			r.Partition = p.partition
		}
		return r, nil
	}
}

// readAhead moves blocking reads off the sender, so that an interrupt is not held up by a silent terminal.
// The last result carries the error that ended the reading, io.EOF at best; an interrupt leaves the goroutine in its read.
func readAhead(ctx context.Context, next func() (*kgo.Record, error)) <-chan readResult {
	results := make(chan readResult, 1024)
	go func() {
		for {
			r, err := next()
			select {
			case results <- readResult{r, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return results
}

type readResult struct {
	record *kgo.Record
	err    error
}
