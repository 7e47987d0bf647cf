package workload

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"holdfast/internal/verify/check"
)

// told is what members told, as a run keeps it.
type told struct {
	mu      sync.Mutex
	lives   []*Life
	next    map[int32]int64
	changed chan struct{}
}

func (l *told) life(name string, group int32) func(Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	life := &Life{Name: name, Group: group}
	l.lives = append(l.lives, life)
	return func(e Event) {
		l.mu.Lock()
		defer l.mu.Unlock()
		life.Events = append(life.Events, e)
		if e.Kind == Got {
			l.next[e.Partition] = max(l.next[e.Partition], e.Records[len(e.Records)-1].Offset+1)
		}
		if e.Kind == Left {
			life.Ended = e.At
		}
		close(l.changed)
		l.changed = make(chan struct{})
	}
}

func (l *told) await(t *testing.T, yes func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		l.mu.Lock()
		ok, changed := yes(), l.changed
		l.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("it did not come to it: %v\n%s", l.next, l)
		}
	}
}

func (l *told) String() string {
	var b strings.Builder
	for _, life := range l.lives {
		for _, e := range life.Events {
			fmt.Fprintf(&b, "%s %s hold %d partition %d epoch %d offset %d commit %d %d records %s\n", life.Name, e.Kind, e.Hold, e.Partition, e.Epoch, e.Offset, e.Commit, len(e.Records), e.Text)
		}
	}
	return b.String()
}

// Members of each kind join a group, one leaves and another comes: what they tell is a history that passes, in which every
// record was delivered once.
func TestMembers(t *testing.T) {
	for _, kind := range []MemberSettings{
		{Protocol: "classic", Assignor: "cooperative-sticky", Commit: "each"},
		{Protocol: "classic", Assignor: "range", Commit: "async"},
		{Protocol: "classic", Assignor: "roundrobin", Commit: "auto"},
		{Protocol: "consumer", Assignor: "uniform", Commit: "auto"},
		{Protocol: "consumer", Assignor: "range", Commit: "each"},
	} {
		t.Run(kind.Protocol+" "+kind.Assignor+" "+kind.Commit, func(t *testing.T) {
			t.Parallel()
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "t"), kfake.GroupMinSessionTimeout(time.Second), kfake.BrokerConfigs(map[string]string{
				"group.consumer.heartbeat.interval.ms": "100", "group.initial.rebalance.delay.ms": "10",
			}))
			if err != nil {
				t.Fatal(err)
			}
			defer cluster.Close()
			liveTogether(t, cluster, kind)
		})
	}
}

func liveTogether(t *testing.T, cluster *kfake.Cluster, kind MemberSettings) {
	open := func(_ func(Dial) Dial, extra ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.MetadataMinAge(20 * time.Millisecond)}, extra...)...)
	}
	judge := NewJudge(check.New(check.Options{Partitions: []string{"t-0", "t-1", "t-2", "t-3"}}), 99)
	kind.Topic, kind.Group, kind.Run, kind.MaxPoll, kind.Interval = "t", "g", 99, 10, 100*time.Millisecond
	kind.Session, kind.Heartbeat, kind.Rebalance = 5*time.Second, 100*time.Millisecond, 5*time.Second
	p, err := NewProducer("p", Settings{Topic: "t", Partitions: 4, Acks: -1, Idempotent: true, Retries: RetriesMax, DeliveryTimeout: time.Minute, Rate: 500, Size: 50}, open, judge, NewPulse(4), 1)
	if err != nil {
		t.Fatal(err)
	}
	sending, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer func() { stop(); all.Wait() }()
	all.Go(func() { p.Run(sending) })
	var group int32
	judge.Tell(func(c *check.Checker) { group = c.AddGroup(check.Group{Name: "g", HandsOver: true}) })
	list := &told{next: map[int32]int64{}, changed: make(chan struct{})}
	start := func(name string) (leave func()) {
		m, err := NewMember(kind, open, list.life(name, group))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); m.Run(ctx) }()
		return func() { cancel(); <-ended }
	}
	given := func(n int) func() bool {
		return func() bool {
			return slices.ContainsFunc(list.lives[n].Events, func(e Event) bool { return e.Kind == Got })
		}
	}
	leave1, leave2 := start("m1"), start("m2")
	list.await(t, given(0))
	list.await(t, given(1))
	leave1()
	leave3 := start("m3")
	list.await(t, given(2))
	stop()
	all.Wait()
	if left, err := p.Close(10 * time.Second); left > 0 || err != nil {
		t.Fatal(left, err)
	}
	ends, err := Audit(t.Context(), "t", 4, open, judge)
	if err != nil {
		t.Fatal(err)
	}
	list.await(t, func() bool {
		for p, end := range ends {
			if list.next[int32(p)] < end {
				return false
			}
		}
		return true
	})
	leave2()
	leave3()
	var lives []Life
	for _, l := range list.lives {
		lives = append(lives, *l)
	}
	judge.Tell(func(c *check.Checker) {
		Replay(c, lives, nil)
		c.Finished(group)
		r := c.Finish()
		if g := r.Groups[0]; r.Verdict != check.Pass || g.Redelivered > 0 || g.Members != 3 || g.Given < 6 {
			t.Errorf("%s\n%s\n%s", r.Verdict, r.Block(), list)
		}
	})
}

// What a member that was killed left behind is told in the order of time, whoever told it first, and ends as unsure.
func TestReplay(t *testing.T) {
	c := check.New(check.Options{Partitions: []string{"t-0"}})
	p := c.AddProducer(check.Producer{Name: "p", Acks: check.AcksAll})
	g := c.AddGroup(check.Group{Name: "g", MaxRedelivered: -1, HandsOver: true, MayBeFenced: true})
	for seq := range int64(4) {
		op := check.Op{Producer: p, Seq: seq}
		c.Attempt(op)
		c.Outcome(op, check.Acked, seq)
	}
	c.Fault(check.Mark{Name: "SIGKILL of m1"})
	rec := func(offsets ...int64) (list []Read) {
		for _, o := range offsets {
			list = append(list, Read{Offset: o, Op: check.Op{Producer: p, Seq: o}})
		}
		return list
	}
	lives := []Life{
		{Name: "m2", Group: g, Ended: 300, Events: []Event{
			{At: 101, Kind: Assigned, Hold: 1, Epoch: 2},
			{At: 102, Kind: Positioned, Hold: 1, Offset: 2},
			{At: 103, Kind: Got, Hold: 1, Records: rec(2, 3)},
			{At: 104, Kind: Committing, Hold: 1, Offset: 4, Commit: 1},
			{At: 105, Kind: Committed, Commit: 1},
			{At: 200, Kind: Revoked, Hold: 1},
		}},
		{Name: "m1", Group: g, Ended: 50, Events: []Event{
			{At: 1, Kind: Assigned, Hold: 1, Epoch: 1},
			{At: 2, Kind: Positioned, Hold: 1, Offset: -1},
			{At: 3, Kind: Got, Hold: 1, Records: rec(0, 1, 2)},
			{At: 4, Kind: Committing, Hold: 1, Offset: 2, Commit: 1},
		}},
		{Name: "as committed", Group: g, Events: []Event{{At: 106, Kind: Asking}, {At: 107, Kind: Answered, Offset: 4}, {At: 110, Kind: Asking}, {At: 111, Kind: Answered, Offset: -1, Text: "no answer"}}},
	}
	Replay(c, lives, []int64{49})
	c.Finished(g)
	c.Bounds(0, 0, 4)
	s := c.Open(check.Audit, 0, 0)
	for _, r := range rec(0, 1, 2, 3) {
		c.Read(s, check.Record(r))
	}
	r := c.Finish()
	if h := r.Groups[0].Handovers; r.Verdict != check.Pass || len(h) != 1 || h[0].Redelivered != 1 || h[0].How != "died" || h[0].Fault != "SIGKILL of m1" || h[0].To != "m2" {
		t.Errorf("%s\n%s", r.Verdict, r.Block())
	}
}

func TestEvents(t *testing.T) {
	for _, e := range []Event{
		{At: 1, Kind: Started},
		{At: 2, Kind: Got, Hold: 3, Partition: 4, Records: []Read{{Offset: 5, Epoch: -1, Op: check.Op{Producer: 1, Partition: 4, Seq: 9}}, {Offset: 6, Epoch: 2, Corrupt: true}}},
		{At: 3, Kind: Committed, Commit: 7, Text: "it \"broke\"\n"},
	} {
		line, err := AppendEvent(nil, e)
		if err != nil || strings.Count(string(line), "\n") != 1 {
			t.Fatalf("%q: %v", line, err)
		}
		back, err := ParseEvent(line)
		if err != nil || !reflect.DeepEqual(back, e) {
			t.Errorf("%+v came back as %+v: %v", e, back, err)
		}
	}
	if line, err := AppendEvent(nil, Event{Text: strings.Repeat("x", 1e6)}); err != nil || len(line) > 1000 {
		t.Errorf("%d bytes: %v", len(line), err)
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(`{"at":2,"kind":"got","hold":3,"records":[[5,-1,1,4,9],[6,2,-1,0,0]]}`))
	f.Add([]byte(`{"kind":"committed","text":"x"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := ParseEvent(line)
		if err != nil {
			return
		}
		again, err := AppendEvent(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseEvent(again); err != nil || len(back.Records) != len(e.Records) {
			t.Errorf("%q came back as %+v: %v", line, back, err)
		}
		// Whatever is told, in whatever order, the checker stays whole.
		c := check.New(check.Options{Partitions: []string{"t-0"}})
		g := c.AddGroup(check.Group{Name: "g"})
		Replay(c, []Life{{Name: "m", Group: g, Events: []Event{e, e}, Ended: 1}, {Group: g, Events: []Event{e}}}, nil)
		c.Finish()
	})
}
