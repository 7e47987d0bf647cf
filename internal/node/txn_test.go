package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"holdfast/internal/node"
	"holdfast/internal/proto/wire"
)

// protocol1 makes a client of the time before transaction.version 2.
func protocol1() kgo.Opt { return kgo.MaxVersions(kversion.V3_6_0()) }

// inTransactions runs a test with a client of either protocol.
func inTransactions(t *testing.T, test func(t *testing.T, opts ...kgo.Opt)) {
	t.Run("protocol 2", func(t *testing.T) { test(t) })
	t.Run("protocol 1", func(t *testing.T) { test(t, protocol1()) })
}

// transact produces records of one transaction and ends it.
func transact(t *testing.T, c *kgo.Client, end kgo.TransactionEndTry, records ...*kgo.Record) {
	t.Helper()
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
	if err := c.EndTransaction(t.Context(), end); err != nil {
		t.Fatalf("end: %v", err)
	}
}

// committed reads what a reader of committed records sees of a topic's partitions, up to where it ends.
func committed(t *testing.T, n *node.Node, topic string, partitions int) (values []string) {
	t.Helper()
	for p := range int32(partitions) {
		ends, err := kadm.NewClient(client(t, n)).ListCommittedOffsets(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		end, _ := ends.Lookup(topic, p)
		c := client(t, n, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
			kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {p: kgo.NewOffset().AtStart()}}))
		for at := int64(0); at < end.Offset; {
			fs := c.PollFetches(t.Context())
			if err := fs.Err(); err != nil {
				t.Fatal(err)
			}
			fs.EachRecord(func(r *kgo.Record) {
				at = r.Offset + 1
				if !r.Attrs.IsControl() {
					values = append(values, string(r.Value))
				}
			})
		}
		c.Close()
	}
	slices.Sort(values)
	return values
}

// settled waits until nothing of a topic is undecided.
func settled(t *testing.T, n *node.Node, topic string) {
	t.Helper()
	a := kadm.NewClient(client(t, n))
	eventually(t, "nothing of the topic is undecided", func() bool {
		stable, err1 := a.ListCommittedOffsets(t.Context(), topic)
		ends, err2 := a.ListEndOffsets(t.Context(), topic)
		same := err1 == nil && err2 == nil
		ends.Each(func(end kadm.ListedOffset) {
			at, _ := stable.Lookup(topic, end.Partition)
			same = same && at.Offset == end.Offset
		})
		return same
	})
}

func txnRecord(topic string, partition int32, value string) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value)}
}

// A transaction over several partitions is seen as a whole, or not at all.
func TestTransactions(t *testing.T) {
	inTransactions(t, func(t *testing.T, opts ...kgo.Opt) {
		n := start(t, t.TempDir(), "transaction.state.log.num.partitions=3")
		createTopic(t, n, "a", 3)
		c := client(t, n, append(opts, kgo.TransactionalID("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
		var want []string
		for i := range 20 {
			end := kgo.TransactionEndTry(i%3 != 0)
			var rs []*kgo.Record
			for p := range int32(3) {
				value := fmt.Sprintf("%02d-%d", i, p)
				rs = append(rs, txnRecord("a", p, value))
				if end == kgo.TryCommit {
					want = append(want, value)
				}
			}
			transact(t, c, end, rs...)
		}
		settled(t, n, "a")
		slices.Sort(want)
		if got := committed(t, n, "a", 3); !slices.Equal(got, want) {
			t.Fatalf("got  %v\nwant %v", got, want)
		}
	})
}

// openProducers are those that hold the last stable offset of a partition back.
func openProducers(t *testing.T, n *node.Node, topic string, partitions int) (open []int64) {
	t.Helper()
	q := kmsg.NewPtrDescribeProducersRequest()
	asked := kmsg.DescribeProducersRequestTopic{Topic: topic}
	for p := range int32(partitions) {
		asked.Partitions = append(asked.Partitions, p)
	}
	q.Topics = append(q.Topics, asked)
	r := dial(t, n).ask(q).(*kmsg.DescribeProducersResponse)
	for _, p := range r.Topics[0].Partitions {
		if p.ErrorCode != 0 {
			t.Fatalf("partition %d: %v", p.Partition, wire.Code(p.ErrorCode))
		}
		for _, a := range p.ActiveProducers {
			if a.CurrentTxnStartOffset >= 0 {
				open = append(open, a.ProducerID)
			}
		}
	}
	return open
}

// What is open is not seen; a time-out ends it and fences its producer.
func TestTransactionTimesOut(t *testing.T) {
	inTransactions(t, func(t *testing.T, opts ...kgo.Opt) {
		n := start(t, t.TempDir(), "transaction.state.log.num.partitions=1")
		createTopic(t, n, "a", 1)
		c := client(t, n, append(opts, kgo.TransactionalID("t"), kgo.TransactionTimeout(300*time.Millisecond))...)
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := c.ProduceSync(t.Context(), txnRecord("a", 0, "lost")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if got := committed(t, n, "a", 1); len(got) > 0 {
			t.Fatalf("seen while open: %v", got)
		}
		eventually(t, "the transaction is aborted", func() bool { return len(openProducers(t, n, "a", 1)) == 0 })
		if err := c.EndTransaction(t.Context(), kgo.TryCommit); err == nil {
			t.Fatal("a producer whose transaction was aborted committed it")
		}
		next := client(t, n, append(opts, kgo.TransactionalID("t"))...)
		transact(t, next, kgo.TryCommit, txnRecord("a", 0, "kept"))
		settled(t, n, "a")
		if got := committed(t, n, "a", 1); !slices.Equal(got, []string{"kept"}) {
			t.Fatalf("got %v", got)
		}
	})
}

// Output and the offsets of the input are committed together, over many short transactions of two members that come and
// go, half of which abort.
func TestConsumeTransformProduce(t *testing.T) {
	inTransactions(t, func(t *testing.T, opts ...kgo.Opt) {
		n := start(t, t.TempDir(), "transaction.state.log.num.partitions=2", "offsets.topic.num.partitions=2", "group.initial.rebalance.delay.ms=0")
		createTopic(t, n, "in", 2)
		createTopic(t, n, "out", 2)
		const total = 200
		var want []string
		in := client(t, n)
		for i := range total {
			want = append(want, fmt.Sprintf("%03d", i))
			in.Produce(t.Context(), &kgo.Record{Topic: "in", Value: []byte(want[i])}, nil)
		}
		if err := in.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		for life := range 3 {
			copySome(t, n, fmt.Sprintf("t%d", life%2), total/3+1, opts...)
		}
		copySome(t, n, "t1", total, opts...)
		settled(t, n, "out")
		if got := committed(t, n, "out", 2); !slices.Equal(got, want) {
			t.Fatalf("%d copied of %d: %v", len(got), total, got)
		}
	})
}

// copySome copies from in to out until it has committed so many records or there are no more.
func copySome(t *testing.T, n *node.Node, id string, records int, opts ...kgo.Opt) {
	t.Helper()
	s, err := kgo.NewGroupTransactSession(append(opts,
		kgo.SeedBrokers(n.Address()), kgo.TransactionalID(id), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("in"),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	turn, idle := 0, 0
	for records > 0 && idle < 4 {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		fs := s.PollRecords(ctx, 10)
		cancel()
		if err := fs.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if fs.NumRecords() == 0 {
			idle++
			continue
		}
		idle = 0
		if err := s.Begin(); err != nil {
			t.Fatal(err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			s.Produce(t.Context(), &kgo.Record{Topic: "out", Value: r.Value}, nil)
		})
		turn++
		ok, err := s.End(t.Context(), kgo.TransactionEndTry(turn%3 != 0))
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			records -= fs.NumRecords()
		}
	}
}

// The node is stopped and started again while a transaction is open: it goes on.
func TestTransactionOverRestart(t *testing.T) {
	inTransactions(t, func(t *testing.T, opts ...kgo.Opt) {
		dir := t.TempDir()
		n := start(t, dir, "transaction.state.log.num.partitions=2")
		createTopic(t, n, "a", 2)
		address := n.Address()
		c := client(t, n, append(opts, kgo.TransactionalID("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := c.ProduceSync(t.Context(), txnRecord("a", 0, "before")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		stop(t, n)
		n = start(t, dir, "listeners=PLAINTEXT://"+address)
		if err := c.ProduceSync(t.Context(), txnRecord("a", 1, "after")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := c.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
		settled(t, n, "a")
		if got := committed(t, n, "a", 2); !slices.Equal(got, []string{"after", "before"}) {
			t.Fatalf("got %v", got)
		}
	})
}
