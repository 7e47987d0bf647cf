package quorum

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/core/controller"
	"holdfast/internal/core/image"
	"holdfast/internal/storage/vfs"
)

// seeded is a source of random bytes that a seed repeats.
func seeded(seed uint64) io.Reader {
	var s [32]byte
	binary.BigEndian.PutUint64(s[:], seed)
	return rand.NewChaCha8(s)
}

func options(fs vfs.FS) Options {
	return Options{FS: fs, Dir: "meta", Directory: [16]byte{1}, NodeID: 1, ClusterID: "cluster-A", Random: seeded(1)}
}

// start opens and starts a driver that is stopped when the test ends.
func start(t testing.TB, o Options, watchers ...Watcher) *Driver {
	t.Helper()
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range watchers {
		d.Watch(w)
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Stop() })
	return d
}

func register(node int32, incarnation byte) *kmsg.BrokerRegistrationRequest {
	req := kmsg.NewPtrBrokerRegistrationRequest()
	req.Version, req.BrokerID, req.ClusterID = 4, node, "cluster-A"
	req.IncarnationID, req.LogDirs = [16]byte{incarnation}, [][16]byte{{byte(node)}}
	return req
}

func create(names ...string) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = 7
	for _, name := range names {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 1, 1
		req.Topics = append(req.Topics, topic)
	}
	return req
}

func propose[R any](t testing.TB, d *Driver, req any) R {
	t.Helper()
	reply, err := d.Propose(context.Background(), req)
	if err != nil {
		t.Fatalf("%T: %v", req, err)
	}
	return reply.(R)
}

func mustCreate(t testing.TB, d *Driver, names ...string) {
	t.Helper()
	for _, r := range propose[*kmsg.CreateTopicsResponse](t, d, create(names...)).Topics {
		if r.ErrorCode != 0 {
			t.Fatalf("create %s: %d %s", r.Topic, r.ErrorCode, *r.ErrorMessage)
		}
	}
}

func TestLifeOfOneNode(t *testing.T) {
	fs := vfs.NewMem()
	d := start(t, options(fs))
	if got := d.Image().ClusterID(); got != "cluster-A" || d.Image().Feature(image.FeatureMetadata) != image.MetadataVersion {
		t.Fatalf("formed cluster %q", got)
	}
	first := propose[*kmsg.BrokerRegistrationResponse](t, d, register(1, 1))
	mustCreate(t, d, "orders")
	id := d.Image().Topic("orders").ID
	if r := propose[*kmsg.CreateTopicsResponse](t, d, create("orders")); r.Topics[0].ErrorCode != 36 {
		t.Errorf("created twice: %+v", r)
	}
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Propose(context.Background(), create("late")); !errors.Is(err, ErrStopped) {
		t.Errorf("after stop: %v", err)
	}

	o := options(fs)
	o.ClusterID = "not looked at"
	d = start(t, o)
	topic := d.Image().Topic("orders")
	if d.Image().ClusterID() != "cluster-A" || topic == nil || topic.ID != id || topic.Partitions[0].LeaderEpoch != 0 {
		t.Fatalf("after restart: cluster %q, topic %+v", d.Image().ClusterID(), topic)
	}
	second := propose[*kmsg.BrokerRegistrationResponse](t, d, register(1, 2))
	if second.BrokerEpoch <= first.BrokerEpoch || d.Image().Topic("orders").Partitions[0].LeaderEpoch != 1 {
		t.Errorf("a new incarnation: broker epoch %d then %d, partition %+v", first.BrokerEpoch, second.BrokerEpoch, d.Image().Topic("orders").Partitions[0])
	}
	if n := fs.OpenFiles(); n == 0 {
		t.Error("no file is open while it runs")
	}
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if n := fs.OpenFiles(); n != 0 {
		t.Errorf("%d files are open after stop", n)
	}
}

// TestFreshFolderIsOneWrite: a new node has everything it needs after one append and one sync of the journal.
func TestFreshFolderIsOneWrite(t *testing.T) {
	fs := vfs.NewMem()
	d, err := Open(options(fs))
	if err != nil {
		t.Fatal(err)
	}
	syncs := 0
	fs.Observe(func(op vfs.Op, done bool) {
		if done && op.Kind == vfs.OpSync {
			syncs++
		}
	})
	if err := d.begin(); err != nil {
		t.Fatal(err)
	}
	if syncs != 1 || d.shown.Load().ClusterID() == "" {
		t.Errorf("%d syncs until cluster %q is formed", syncs, d.shown.Load().ClusterID())
	}
	if err := d.store.close(); err != nil {
		t.Fatal(err)
	}
}

func TestWatchersComeBeforeReplies(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}
	var last *image.Image
	order := ""
	first := func(old, new *image.Image, delta image.Delta) {
		mu.Lock()
		defer mu.Unlock()
		order += "1"
		if last != nil && last != old {
			t.Errorf("the watcher missed a step: offset %d, then from %d", last.Offset(), old.Offset())
		}
		last = new
		for _, c := range delta.Topics {
			seen[c.After.Name] = true
		}
	}
	second := func(*image.Image, *image.Image, image.Delta) {
		mu.Lock()
		defer mu.Unlock()
		order += "2"
	}
	d := start(t, options(vfs.NewMem()), first, second)
	propose[*kmsg.BrokerRegistrationResponse](t, d, register(1, 1))
	var wg sync.WaitGroup
	for n := range 20 {
		wg.Go(func() {
			name := fmt.Sprintf("t%d", n)
			mustCreate(t, d, name)
			mu.Lock()
			defer mu.Unlock()
			if !seen[name] || d.Image().Topic(name) == nil {
				t.Errorf("the reply for %s came before the change was seen", name)
			}
		})
	}
	wg.Wait()
	if strings.Contains(order, "11") || strings.Contains(order, "22") || !strings.HasPrefix(order, "12") {
		t.Errorf("watchers were called in the order %s", order)
	}
}

// TestGroupCommit: what comes during a sync shares the next one.
func TestGroupCommit(t *testing.T) {
	mem := vfs.NewMem()
	hold, held := make(chan struct{}), make(chan struct{})
	var armed atomic.Bool
	d := start(t, options(mem))
	propose[*kmsg.BrokerRegistrationResponse](t, d, register(1, 1))
	mem.Observe(func(op vfs.Op, done bool) {
		if op.Kind == vfs.OpSync && !done && armed.CompareAndSwap(true, false) {
			close(held)
			<-hold
		}
	})
	const n = 50
	armed.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() { mustCreate(t, d, "first") })
	<-held
	before := d.Stats().Batches
	for i := range n {
		wg.Go(func() { mustCreate(t, d, fmt.Sprintf("t%d", i)) })
	}
	for d.Stats().Queued < n {
		runtime.Gosched()
	}
	close(hold)
	wg.Wait()
	if turns := d.Stats().Batches - before; turns != 2 {
		t.Errorf("%d commands during one sync took %d turns, want that one and one more", n, turns)
	}
}

func TestSnapshotAndCut(t *testing.T) {
	fs := vfs.NewMem()
	o := options(fs)
	o.SnapshotEvery = 7
	d := start(t, o)
	propose[*kmsg.BrokerRegistrationResponse](t, d, register(1, 1))
	for n := range 40 {
		mustCreate(t, d, fmt.Sprintf("t%02d", n))
	}
	want := d.Image()
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if d.img.TopicCount() < 33 || d.store.last()-d.store.snapshotIndex > 7 {
		t.Errorf("the snapshot has %d topics; %d entries follow it", d.img.TopicCount(), d.store.last()-d.store.snapshotIndex)
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	if string(d.Image().Snapshot(nil)) != string(want.Snapshot(nil)) {
		t.Error("the picture differs after a restart from snapshot and log")
	}
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
}

func TestContextEndsTheWaitNotTheCommand(t *testing.T) {
	mem := vfs.NewMem()
	d := start(t, options(mem))
	propose[*kmsg.BrokerRegistrationResponse](t, d, register(1, 1))
	hold, held := make(chan struct{}), make(chan struct{})
	var once sync.Once
	mem.Observe(func(op vfs.Op, done bool) {
		if op.Kind == vfs.OpSync && !done {
			once.Do(func() { close(held); <-hold })
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	failed := make(chan error, 1)
	go func() {
		_, err := d.Propose(ctx, create("slow"))
		failed <- err
	}()
	<-held
	cancel()
	if err := <-failed; !errors.Is(err, ErrUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	close(hold)
	mustCreate(t, d, "next")
	if d.Image().Topic("slow") == nil {
		t.Error("the command was not carried out")
	}
}

func TestFailedJournalStopsTheDriver(t *testing.T) {
	faulty := vfs.NewFaulty(vfs.NewMem(), nil)
	d := start(t, options(faulty))
	propose[*kmsg.BrokerRegistrationResponse](t, d, register(1, 1))
	faulty.Decide(vfs.FailWhen(func(op vfs.Op) bool { return op.Kind == vfs.OpSync }, errors.New("I/O error")))
	_, err := d.Propose(context.Background(), create("lost"))
	if !errors.Is(err, ErrUnknown) {
		t.Errorf("proposal under a failing sync: %v", err)
	}
	<-d.Done()
	if d.Err() == nil || d.Image().Topic("lost") != nil {
		t.Errorf("err %v, topic %v", d.Err(), d.Image().Topic("lost"))
	}
	if _, err := d.Propose(context.Background(), create("later")); !errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), "I/O error") {
		t.Errorf("proposal after the failure: %v", err)
	}
}

// TestFullDiskIsWaitedFor: no space for a new journal file stops nothing; the command is carried out once there is.
func TestFullDiskIsWaitedFor(t *testing.T) {
	mem := vfs.NewMem()
	d := start(t, options(mem))
	propose[*kmsg.BrokerRegistrationResponse](t, d, register(1, 1))
	mem.SetCapacity(1)
	big := make([]string, 1500)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range 40 { // more than a journal file and its spare hold
			for i := range big {
				big[i] = fmt.Sprintf("%0200d", n*len(big)+i)
			}
			mustCreate(t, d, big...)
		}
	}()
	select {
	case <-done:
		t.Fatal("the disk is not full yet")
	case <-time.After(500 * time.Millisecond):
	}
	mem.SetCapacity(0)
	<-done
	if n := d.Image().TopicCount(); n != 40*len(big) {
		t.Errorf("%d topics", n)
	}
}

func TestRefusedFolders(t *testing.T) {
	fs := vfs.NewMem()
	d := start(t, options(fs))
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct { // order-free
		change func(*Options)
		want   string
	}{
		"another node":      {func(o *Options) { o.NodeID = 2 }, "it belongs to node 1, and this is node 2. Start as that node (--id 1)"},
		"another directory": {func(o *Options) { o.Directory = [16]byte{9} }, "belongs to another node or directory"},
		"no cluster id":     {func(o *Options) { o.Dir, o.ClusterID = "empty", "" }, "no cluster id was given"},
	} {
		o := options(fs)
		tc.change(&o)
		_, err := Open(o)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := fs.OpenFiles(); n != 0 {
		t.Errorf("%d files left open", n)
	}
}

// TestLostLead: what was appended and not committed is forgotten, and who waits learns that the outcome is unknown.
func TestLostLead(t *testing.T) {
	d, err := Open(options(vfs.NewMem()))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.begin(); err != nil {
		t.Fatal(err)
	}
	defer d.store.close()
	c := &call{cmd: controller.Command{Request: register(1, 1)}, reply: make(chan answer, 1)}
	d.decide(c)
	if d.machine.Image().BrokerCount() != 1 || d.img.BrokerCount() != 0 {
		t.Fatal("the pending image is not ahead of the committed one")
	}
	d.lead(false)
	if a := <-c.reply; !errors.Is(a.err, ErrUnknown) {
		t.Errorf("who waited got %+v", a)
	}
	d.decide(c)
	if a := <-c.reply; !errors.Is(a.err, ErrNotLeader) {
		t.Errorf("a later command got %+v", a)
	}
	if err := d.pump(); err != nil { // the entry is committed all the same: it is applied from its bytes
		t.Fatal(err)
	}
	if d.img.BrokerCount() != 1 {
		t.Error("the committed entry was not applied")
	}
}

// BenchmarkCreateTopics runs on a real disk: thousands of topics, one by one and in one request.
func BenchmarkCreateTopics(b *testing.B) {
	for _, bench := range []struct {
		name             string
		requests, topics int
	}{{"3000-one-by-one", 3000, 1}, {"3000-by-100-callers", -100, 30}, {"3000-in-one-request", 1, 3000}, {"10000-by-1000", 10, 1000}} {
		b.Run(bench.name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				o := options(vfs.OS())
				o.Dir = b.TempDir()
				d := start(b, o)
				propose[*kmsg.BrokerRegistrationResponse](b, d, register(1, 1))
				b.StartTimer()
				begin := time.Now()
				createMany(b, d, bench.requests, bench.topics)
				b.ReportMetric(float64(time.Since(begin).Microseconds())/float64(d.Image().TopicCount()), "µs/topic")
				b.StopTimer()
				if err := d.Stop(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// createMany makes requests one after the other; a negative number is that many callers at once, each topic a request.
func createMany(b *testing.B, d *Driver, requests, topics int) {
	if requests < 0 {
		var wg sync.WaitGroup
		for c := range -requests {
			wg.Go(func() {
				for n := range topics {
					mustCreate(b, d, fmt.Sprintf("c%04d-t%05d", c, n))
				}
			})
		}
		wg.Wait()
		return
	}
	for r := range requests {
		names := make([]string, topics)
		for n := range names {
			names[n] = fmt.Sprintf("r%04d-t%05d", r, n)
		}
		mustCreate(b, d, names...)
	}
}

func BenchmarkStartOfFreshFolder(b *testing.B) {
	for range b.N {
		b.StopTimer()
		dir, err := os.MkdirTemp(b.TempDir(), "")
		if err != nil {
			b.Fatal(err)
		}
		o := options(vfs.OS())
		o.Dir = dir
		b.StartTimer()
		d, err := Open(o)
		if err == nil {
			err = d.Start()
		}
		b.StopTimer()
		if err != nil {
			b.Fatal(err)
		}
		_ = d.Stop()
	}
}
