package node_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"holdfast/internal/node"
	"holdfast/internal/storage/vfs"
)

// fates is what producers were told of their transactions, by name.
type fates struct {
	mu   sync.Mutex
	told map[string]string // committed, aborted; nothing while it is not known
}

func (f *fates) tell(name, fate string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told[name] = fate
}

func (f *fates) now() map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.told)
}

// produceTransactions writes transactions of one record a partition, every fourth of which it aborts, until ctx ends.
func (f *fates) produceTransactions(ctx context.Context, n *node.Node, id string, opts ...kgo.Opt) {
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(n.Address()), kgo.TransactionalID(id), kgo.TransactionTimeout(2*time.Second), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return
	}
	defer c.Close()
	for i := 0; ; i++ {
		name := fmt.Sprintf("%s-%d", id, i)
		if c.BeginTransaction() != nil {
			return
		}
		if c.ProduceSync(ctx, txnRecord("a", 0, name), txnRecord("a", 1, name), txnRecord("a", 2, name)).FirstErr() != nil {
			return
		}
		fate := "committed"
		if i%4 == 3 {
			fate = "aborted"
		}
		if c.EndTransaction(ctx, kgo.TransactionEndTry(fate == "committed")) != nil {
			return
		}
		f.tell(name, fate)
	}
}

// The power fails while producers of both protocols write: what a producer was told is true afterwards, and every
// transaction is there as a whole or not at all; what was open is aborted when its time-out has passed, and nothing hangs.
func TestTransactionsOverPowerCuts(t *testing.T) {
	for round, lose := range vfs.CrashModes() {
		t.Run(lose.String(), func(t *testing.T) {
			disk := vfs.NewMem()
			n := startOn(t, disk, "/data", "transaction.state.log.num.partitions=3")
			createTopic(t, n, "a", 3)
			f := &fates{told: map[string]string{}}
			ctx, stop := context.WithCancel(t.Context())
			var producers sync.WaitGroup
			for i := range 4 {
				var opts []kgo.Opt
				if i%2 == 1 {
					opts = append(opts, protocol1())
				}
				producers.Go(func() { f.produceTransactions(ctx, n, fmt.Sprintf("t%d", i), opts...) })
			}
			eventually(t, "there are transactions", func() bool { return len(f.now()) > 60+17*round })
			told := f.now()
			crashed := disk.CrashClone(lose, uint64(round+1))
			stop()
			producers.Wait()

			after := startOn(t, crashed, "/data", "transaction.state.log.num.partitions=3")
			settled(t, after, "a")
			seen := map[string]int{}
			for _, name := range committed(t, after, "a", 3) {
				seen[name]++
			}
			for name, count := range seen {
				if count != 3 {
					t.Errorf("%s is seen in %d of 3 partitions", name, count)
				}
			}
			for name, fate := range told {
				if got := seen[name] > 0; got != (fate == "committed") {
					t.Errorf("%s was %s, and is seen: %v", name, fate, got)
				}
			}
		})
	}
}
