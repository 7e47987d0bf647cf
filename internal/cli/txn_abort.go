package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type txnAbort struct {
	app       *app
	client    *clientFlags
	partition string
	producer  int64
}

func newTxnAbortCommand(a *app) *cobra.Command {
	x := &txnAbort{app: a}
	cmd := &cobra.Command{
		Use:   "abort [ID]",
		Short: "Abort the transaction of a transactional id, or one that hangs",
		Long: `Takes a transactional id over from its producer: what that has open is aborted, and the producer is fenced. A producer that
is alive learns that with its next request, and has to begin anew.

With --partition and --producer it ends a transaction in a partition where no coordinator would (see holdfast txn hanging).
What a coordinator knows of is refused.`,
		Example: "  holdfast txn abort payments-1\n  holdfast txn abort --partition orders:3 --producer 4000",
		Args:    takes(0, 1, ""),
		RunE:    func(cmd *cobra.Command, ids []string) error { return x.run(cmd.Context(), ids) },
	}
	x.client = a.addClientFlags(cmd, anyCluster)
	cmd.Flags().StringVar(&x.partition, "partition", "", "where a transaction hangs, TOPIC:PARTITION")
	cmd.Flags().Int64Var(&x.producer, "producer", -1, "the producer id of the transaction that hangs")
	return cmd
}

func (x *txnAbort) run(ctx context.Context, ids []string) error {
	hanging := x.partition != "" || x.producer >= 0
	if (len(ids) == 1) == hanging || hanging && (x.partition == "" || x.producer < 0) {
		return usage("For example:\n  holdfast txn abort payments-1\n  holdfast txn abort --partition orders:3 --producer 4000",
			"txn abort needs a transactional id, or both --partition and --producer")
	}
	c, err := x.client.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if hanging {
		return x.end(ctx, c)
	}
	return x.fence(ctx, c, ids[0])
}

// abortedTxn is the JSON output of txn abort ID.
type abortedTxn struct {
	transaction
	Aborted bool `json:"aborted"` // a transaction was open
}

// fence takes an id over, as a producer that starts with it does.
func (x *txnAbort) fence(ctx context.Context, c *client, id string) error {
	before, err := c.transactions(ctx, nil, id) // so that no id comes to be by mistyping
	if err != nil {
		return err
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	q := kmsg.NewPtrInitProducerIDRequest()
	q.TransactionalID, q.TransactionTimeoutMillis = &id, before[0].TimeoutMs
	err = patiently(ctx, func() error { return takeOver(ctx, c, q) })
	if err != nil {
		return c.explain(err, "take over transactional id "+id)
	}
	if x.app.json() {
		return jsonLine(x.app.env.Out, abortedTxn{before[0], before[0].State == "Ongoing"})
	}
	was := before[0]
	switch {
	case was.State == "Ongoing":
		x.app.notice("the transaction of %s was aborted, after %s, in %s; its producer is fenced", id, was.shownAge(time.Now()), plural(int64(countPartitions(was.Partitions)), "partition"))
	case was.open():
		x.app.notice("%s was %s: that stands; its producer is fenced", id, was.State)
	default:
		x.app.notice("%s had no open transaction; its producer is fenced", id)
	}
	return nil
}

func takeOver(ctx context.Context, c *client, q *kmsg.InitProducerIDRequest) error {
	for {
		r, err := q.RequestWith(ctx, c.Client)
		if err != nil {
			return err
		}
		if err = kerr.ErrorForCode(r.ErrorCode); !errors.Is(err, kerr.ConcurrentTransactions) {
			return err
		}
		select { // what was open is being ended
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// end aborts a transaction that hangs in a partition.
func (x *txnAbort) end(ctx context.Context, c *client) error {
	topic, index, ok := strings.Cut(x.partition, ":")
	n, err := strconv.ParseInt(index, 10, 32)
	if !ok || err != nil || n < 0 || topic == "" {
		return usage("", "--partition %q is not TOPIC:PARTITION", x.partition)
	}
	all, err := c.producers(ctx, []string{topic}, []int32{int32(n)})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(p knownProducer) bool { return p.ProducerID == x.producer && p.OpenSince >= 0 })
	if i < 0 {
		return failed(nil, fmt.Sprintf("`holdfast partition producers %s --open` shows what is open.", topic), "producer %d has no open transaction in %s", x.producer, x.partition)
	}
	p := all[i]
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	set := kadm.TopicsSet{}
	set.Add(topic, int32(n))
	rs, err := c.admin.WriteTxnMarkers(ctx, kadm.TxnMarkers{ProducerID: p.ProducerID, ProducerEpoch: p.Epoch, CoordinatorEpoch: max(p.CoordinatorEpoch, 0), Topics: set})
	if err != nil {
		return c.explain(err, "abort it")
	}
	for _, r := range rs.SortedPartitions() {
		switch {
		case errors.Is(r.Err, kerr.ClusterAuthorizationFailed):
			return failed(r.Err, "`holdfast txn list --open` shows them; `holdfast txn abort ID` ends one.",
				"the transaction of producer %d in %s has a coordinator that ends it", x.producer, x.partition)
		case r.Err != nil:
			return c.explain(r.Err, "abort the transaction of producer "+strconv.FormatInt(x.producer, 10))
		}
	}
	if x.app.json() {
		return jsonLine(x.app.env.Out, p)
	}
	x.app.notice("the transaction of producer %d in %s, open since offset %d, was aborted", x.producer, x.partition, p.OpenSince)
	return nil
}
