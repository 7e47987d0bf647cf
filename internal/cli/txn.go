package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func newTxnCommand(a *app) *cobra.Command {
	return noun("txn", "List, describe and abort transactions, and find those that nobody will end", "  holdfast txn list --open",
		newTxnListCommand(a),
		newTxnDescribeCommand(a),
		newTxnAbortCommand(a),
		newTxnHangingCommand(a),
	)
}

// transaction is what its coordinator says of a transactional id; one line of the JSON output of list and describe.
type transaction struct {
	ID          string             `json:"transactionalId"`
	State       string             `json:"state"` // Kafka's word: Empty, Ongoing, PrepareCommit, …
	ProducerID  int64              `json:"producerId"`
	Epoch       int16              `json:"producerEpoch"`
	TimeoutMs   int32              `json:"timeoutMs"`
	StartMs     int64              `json:"startMs"` // when the transaction that is open began; -1: none is
	Coordinator int32              `json:"coordinator"`
	Partitions  map[string][]int32 `json:"partitions,omitempty"` // by topic
}

// open reports whether readers of committed records may wait for it.
func (t transaction) open() bool {
	return t.State == "Ongoing" || t.State == "PrepareCommit" || t.State == "PrepareAbort"
}

// age is how long the transaction is open.
func (t transaction) age(now time.Time) time.Duration {
	return max(now.Sub(time.UnixMilli(t.StartMs)), 0)
}

func (t transaction) shownAge(now time.Time) string {
	if !t.open() {
		return "-"
	}
	return t.age(now).Round(time.Millisecond).String()
}

// transactions lists what all coordinators know, described. With ids only those; one that is not known is an error.
func (c *client) transactions(ctx context.Context, states []string, ids ...string) ([]transaction, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	if len(ids) == 0 {
		var listed kadm.ListedTransactions
		err := patiently(ctx, func() (err error) {
			listed, err = c.admin.ListTransactions(ctx, nil, states)
			return err
		})
		if err != nil {
			return nil, c.explain(err, "list transactions")
		}
		if ids = listed.TransactionalIDs(); len(ids) == 0 {
			return nil, nil
		}
	}
	var described kadm.DescribedTransactions
	err := patiently(ctx, func() (err error) {
		if described, err = c.admin.DescribeTransactions(ctx, ids...); err != nil {
			return err
		}
		for _, d := range described {
			if passing := awaited(d.Err); passing != nil {
				return passing
			}
		}
		return nil
	})
	if err != nil {
		return nil, c.explain(err, "describe transactions")
	}
	out := make([]transaction, 0, len(described))
	for _, d := range described.Sorted() {
		switch {
		case errors.Is(d.Err, kerr.TransactionalIDNotFound):
			return nil, failed(d.Err, "`holdfast txn list` shows all. An id that nobody uses is forgotten after transactional.id.expiration.ms.",
				"transactional id %q does not exist on %s", d.TxnID, c.settings["bootstrap.servers"])
		case d.Err != nil:
			return nil, c.explain(d.Err, "describe transactional id "+d.TxnID)
		}
		t := transaction{
			ID: d.TxnID, State: d.State, ProducerID: d.ProducerID, Epoch: d.ProducerEpoch, TimeoutMs: d.TimeoutMillis, StartMs: -1, Coordinator: d.Coordinator,
			Partitions: topicSet(d.Topics),
		}
		if t.open() {
			t.StartMs = d.StartTimestamp
		}
		out = append(out, t)
	}
	return out, nil
}

type txnList struct {
	app    *app
	client *clientFlags
	states []string
	open   bool
	longer time.Duration
}

func newTxnListCommand(a *app) *cobra.Command {
	l := &txnList{app: a}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List transactional ids with their state and how long they are open",
		Long: `Lists the transactional ids of the cluster: the producer that holds each, and how its transaction stands.
  Empty                          held by a producer that has begun nothing yet
  Ongoing                        open: readers of committed records wait at its first record
  PrepareCommit, PrepareAbort    decided; being written to its partitions
  CompleteCommit, CompleteAbort  over`,
		Example: "  holdfast txn list --open\n  holdfast txn list --longer-than 5m -o json",
		Args:    takes(0, 0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return l.run(cmd.Context()) },
	}
	l.client = a.addClientFlags(cmd, anyCluster)
	cmd.Flags().StringSliceVar(&l.states, "state", nil, "only those in one of these states, as in Ongoing,PrepareCommit")
	cmd.Flags().BoolVar(&l.open, "open", false, "only those that readers of committed records may wait for")
	cmd.Flags().DurationVar(&l.longer, "longer-than", 0, "only those that are open for longer, as in 5m")
	return cmd
}

func (l *txnList) run(ctx context.Context) error {
	c, err := l.client.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	all, err := c.transactions(ctx, l.states)
	if err != nil {
		return err
	}
	now := time.Now()
	all = slices.DeleteFunc(all, func(t transaction) bool {
		return (l.open || l.longer > 0) && (!t.open() || t.age(now) < l.longer)
	})
	t := newTable("TRANSACTIONAL ID", "STATE", "PRODUCER", "EPOCH", "OPEN FOR", "PARTITIONS", "COORDINATOR")
	for _, x := range all {
		if l.app.json() {
			if err := jsonLine(l.app.env.Out, x); err != nil {
				return err
			}
			continue
		}
		t.row(x.ID, x.State, x.ProducerID, x.Epoch, x.shownAge(now), countPartitions(x.Partitions), x.Coordinator)
	}
	switch {
	case l.app.json():
		return nil
	case len(all) == 0:
		l.app.notice("no such transactions; a transactional id comes to be when its first producer starts")
		return nil
	}
	return t.print(l.app.env.Out)
}

func countPartitions(set map[string][]int32) (n int) {
	for _, ps := range set {
		n += len(ps)
	}
	return n
}

func newTxnDescribeCommand(a *app) *cobra.Command {
	var flags *clientFlags
	cmd := &cobra.Command{
		Use:     "describe ID…",
		Short:   "Show who holds transactional ids, and what their transactions have written to",
		Example: "  holdfast txn describe payments-1",
		Args:    takes(1, -1, "a transactional id"),
		RunE: func(cmd *cobra.Command, ids []string) error {
			c, err := flags.open(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			all, err := c.transactions(cmd.Context(), nil, ids...)
			if err != nil {
				return err
			}
			for _, x := range all {
				if err := x.show(a, time.Now()); err != nil {
					return err
				}
			}
			return nil
		},
	}
	flags = a.addClientFlags(cmd, anyCluster)
	return cmd
}

func (t transaction) show(a *app, now time.Time) error {
	if a.json() {
		return jsonLine(a.env.Out, t)
	}
	lines := []string{fmt.Sprintf("%s  %s, producer %d epoch %d, time-out %s, coordinator %d",
		t.ID, t.State, t.ProducerID, t.Epoch, time.Duration(t.TimeoutMs)*time.Millisecond, t.Coordinator)}
	if t.open() {
		lines = append(lines, fmt.Sprintf("  open for %s, since %s", t.shownAge(now), time.UnixMilli(t.StartMs).UTC().Format(time.RFC3339)),
			"  "+shownPartitions(t.Partitions))
	}
	_, err := fmt.Fprintln(a.env.Out, strings.Join(lines, "\n"))
	return err
}
