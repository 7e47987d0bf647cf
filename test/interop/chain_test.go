package interop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	chainPartitions = 4
	chainLeast      = 3000 // records in each partition; HOLDFAST_CHAIN_RECORDS makes it more
	chainCopiers    = 3
	chainBatch      = 25 // records in a transaction
	chainTimeout    = 5 * time.Second
	chainCalm       = time.Second // between two fires, on average, once there was progress
	chainStuck      = toolLimit   // without progress
)

// TestChain has Apache Kafka's TransactionalMessageCopier copy a topic in a group of three, each transaction with the offsets it
// read up to, some aborted at random. Meanwhile copiers are killed and started again, or held up until their transaction
// has timed out and another has taken over, and the broker is killed. Every record must arrive exactly once, in its order.
func TestChain(t *testing.T) {
	b := startBroker(t)
	c := &chain{t: t, admin: kadm.NewClient(b.Client(t)), copiers: make([]*copier, chainCopiers), addr: b.Addr, records: chainLeast}
	if more := os.Getenv("HOLDFAST_CHAIN_RECORDS"); more != "" {
		var err error
		if c.records, err = strconv.Atoi(more); err != nil {
			t.Fatalf("HOLDFAST_CHAIN_RECORDS: %v", err)
		}
	}
	c.fill(b)
	b.CreateTopic(t, "chain-out", chainPartitions, nil)
	for i := range c.copiers {
		c.copiers[i] = c.keepGoing(i)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	b = c.fire(b, rand.New(rand.NewPCG(seed, 1)))
	for _, one := range c.copiers {
		one.end()
	}
	c.judge(b)
}

// fire disturbs again and again, each time once some more was copied, until all is.
func (c *chain) fire(b *Broker, random *rand.Rand) *Broker {
	kills, brokers, zombies := 0, 0, 0
	for c.progress() {
		rest(c.t, time.Duration(random.Int64N(int64(2*chainCalm))))
		switch one := c.copiers[random.IntN(chainCopiers)]; random.IntN(5) {
		case 0:
			b = b.killAndRestart(c.t)
			brokers++
		case 1:
			one.signal(syscall.SIGSTOP)
			rest(c.t, chainTimeout+chainTimeout/2) // it is a zombie when it wakes
			one.signal(syscall.SIGCONT)
			zombies++
		default:
			one.signal(syscall.SIGKILL)
			kills++
		}
	}
	c.t.Logf("%d records in transactions of %d: %d copiers killed, %d held up past their time-out, %d brokers killed",
		c.records*chainPartitions, chainBatch, kills, zombies, brokers)
	return b
}

// chain is one run of the test.
type chain struct {
	t       *testing.T
	addr    string
	admin   *kadm.Client
	records int // in each partition
	copied  int // in all, as committed
	copiers []*copier
}

func (c *chain) fill(b *Broker) {
	b.CreateTopic(c.t, "chain-in", chainPartitions, nil)
	client := b.Client(c.t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range c.records {
		for p := range int32(chainPartitions) {
			value := fmt.Sprintf("%d-%d", p, i)
			client.Produce(c.t.Context(), &kgo.Record{Topic: "chain-in", Partition: p, Value: []byte(value)}, nil)
		}
	}
	if err := client.Flush(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
}

// copier is one member of the chain, which is started again whenever it ends: killed, fenced, or of the opinion that there
// is nothing left to copy.
type copier struct {
	stopped chan struct{}
	ended   chan struct{}
	mu      sync.Mutex
	now     *running
}

func (c *chain) keepGoing(i int) *copier {
	k := &copier{stopped: make(chan struct{}), ended: make(chan struct{})}
	tool := java(c.t, "org.apache.kafka.tools.TransactionalMessageCopier")
	start := func() *running {
		return tool.start(c.t, nil, "--broker-list", c.addr, "--transactional-id", "copier-"+strconv.Itoa(i),
			"--input-topic", "chain-in", "--input-partition", "-1", "--group-mode", "--use-group-metadata",
			"--output-topic", "chain-out", "--consumer-group", "chain", "--transaction-size", strconv.Itoa(chainBatch),
			"--transaction-timeout", strconv.FormatInt(chainTimeout.Milliseconds(), 10), "--enable-random-aborts")
	}
	k.now = start()
	go func() {
		defer close(k.ended)
		for {
			select {
			case <-k.now.done:
			case <-k.stopped:
				return
			}
			k.mu.Lock()
			k.now = start()
			k.mu.Unlock()
		}
	}()
	c.t.Cleanup(k.end)
	return k
}

// signal reaches the process that runs now; one that has just ended needs none.
func (k *copier) signal(s syscall.Signal) {
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.now.cmd.Process.Signal(s)
}

func (k *copier) end() {
	select {
	case <-k.stopped:
		return
	default:
	}
	close(k.stopped)
	<-k.ended
	k.signal(syscall.SIGKILL)
	<-k.now.done
}

// progress waits until more of the input is committed, which happens in the transactions of the output, and says whether
// something is left.
func (c *chain) progress() bool {
	ctx, cancel := context.WithTimeout(c.t.Context(), chainStuck)
	defer cancel()
	for look := time.NewTicker(100 * time.Millisecond); ; {
		offsets, err := c.admin.FetchOffsets(ctx, "chain")
		if err != nil {
			c.t.Fatalf("%d records were copied, and no more within %v: %v", c.copied, chainStuck, err)
		}
		now := 0
		for p := range int32(chainPartitions) {
			if o, ok := offsets.Lookup("chain-in", p); ok {
				now += int(o.At)
			}
		}
		if now < c.copied {
			c.t.Fatalf("%d records were copied, and later %d", c.copied, now)
		}
		if now > c.copied {
			c.copied = now
			return now < c.records*chainPartitions
		}
		<-look.C
	}
}

func (c *chain) judge(b *Broker) {
	next := [chainPartitions]int{}
	for _, value := range committedValues(c.t, b, "chain-out") {
		part, number, _ := strings.Cut(value, "-")
		p, err := strconv.Atoi(part)
		if err != nil || p < 0 || p >= chainPartitions {
			c.t.Fatalf("%q was never written", value)
		}
		if number != strconv.Itoa(next[p]) {
			c.t.Fatalf("partition %d: record %s where %d must come", p, number, next[p])
		}
		next[p]++
	}
	for p, n := range next {
		if n != c.records {
			c.t.Errorf("partition %d: %d records arrived of %d", p, n, c.records)
		}
	}
}
