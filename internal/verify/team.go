package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"holdfast/internal/local"
	"holdfast/internal/verify/check"
	"holdfast/internal/verify/workload"
)

// GroupPlan is a consumer group of a run: how its members join, and how they commit. workload.MemberSettings has the words.
type GroupPlan struct {
	Protocol string `json:"protocol"`
	Assignor string `json:"assignor"`
	Commit   string `json:"commit"`
}

// String is the plan as the command takes it.
func (p GroupPlan) String() string { return p.Protocol + "/" + p.Assignor + "/" + p.Commit }

// ParseGroupPlan reads PROTOCOL[/ASSIGNOR[/COMMIT]].
func ParseGroupPlan(text string) (GroupPlan, error) {
	words := strings.Split(text, "/")
	if len(words) > 3 {
		return GroupPlan{}, fmt.Errorf("%q is not PROTOCOL[/ASSIGNOR[/COMMIT]]", text)
	}
	p := GroupPlan{Protocol: words[0], Assignor: "cooperative-sticky", Commit: "each"}
	if p.Protocol == "consumer" {
		p.Assignor = "uniform"
	}
	if len(words) > 1 {
		p.Assignor = words[1]
	}
	if len(words) > 2 {
		p.Commit = words[2]
	}
	return p, workload.MemberSettings{Protocol: p.Protocol, Assignor: p.Assignor, Commit: p.Commit}.Check()
}

const (
	askEvery    = 250 * time.Millisecond // the committed offsets are asked for
	askLimit    = 2 * time.Second        // for an answer to that
	leaveLimit  = 20 * time.Second       // for a member to leave after SIGTERM
	autoEvery   = 200 * time.Millisecond // members that commit by themselves do so
	maxPoll     = 500                    // records a poll of a member
	maxTeamBeat = 1 << 22                // events of a group that are kept
)

// team is a group of the run with its members, each a process. Its goroutines are those of its members' output and, from
// watch to end, the one that asks for committed offsets.
type team struct {
	plan   GroupPlan
	name   string // as the cluster knows it
	short  string // for the report
	number int32
	o      *Options
	run    uint64
	client *kgo.Client // that asks
	asking sync.WaitGroup
	stop   context.CancelFunc

	members []*mate // by slot; one that ended is replaced

	mu      sync.Mutex // over all below
	lives   []*workload.Life
	events  int
	next    []int64     // by partition: the next offset, the highest of any member
	heard   []time.Time // by partition: when the last record was got
	changed chan struct{}
	problem error // a line that is no event, or too many events
}

// mate is a member while it lives.
type mate struct {
	name  string
	child *local.Child
	life  *workload.Life
	ended bool
	holds map[int32]bool // what it holds, by the number of the hold
}

func newTeam(short string, plan GroupPlan, o *Options, run uint64) *team {
	return &team{
		plan: plan, name: o.Topic + "-" + short, short: short, o: o, run: run, members: make([]*mate, o.Members),
		next: make([]int64, o.Partitions), heard: make([]time.Time, o.Partitions), changed: make(chan struct{}),
	}
}

// start starts all members and begins to ask for committed offsets.
func (t *team) start() error {
	for slot := range t.members {
		if err := t.spawn(slot); err != nil {
			return err
		}
	}
	client, err := t.o.Open(nil)
	if err != nil {
		return err
	}
	t.client = client
	ctx, stop := context.WithCancel(context.Background())
	t.stop = stop
	life := t.live(t.short + " as committed")
	t.asking.Go(func() {
		for until := time.NewTicker(askEvery); ; {
			t.ask(ctx, life)
			select {
			case <-until.C:
			case <-ctx.Done():
				until.Stop()
				return
			}
		}
	})
	return nil
}

// live begins a life. The caller owns its events until the team has ended, but for the lock.
func (t *team) live(name string) *workload.Life {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := &workload.Life{Name: name, Group: t.number}
	t.lives = append(t.lives, l)
	return l
}

// spawn starts a new life in a slot.
func (t *team) spawn(slot int) error {
	life := 1
	if was := t.members[slot]; was != nil {
		_, _ = fmt.Sscanf(was.name[strings.LastIndexByte(was.name, '.')+1:], "%d", &life) // our own name
		life++
	}
	m := &mate{name: fmt.Sprintf("%s-m%d.%d", t.short, slot+1, life), holds: map[int32]bool{}}
	spec, err := json.Marshal(workload.MemberSettings{
		Topic: t.o.Topic, Group: t.name, Run: t.run, Protocol: t.plan.Protocol, Assignor: t.plan.Assignor, Commit: t.plan.Commit,
		Interval: autoEvery, Session: t.o.Session, Heartbeat: max(t.o.Session/8, 100*time.Millisecond), Rebalance: max(5*t.o.Session, 10*time.Second),
		MaxPoll: maxPoll,
	})
	if err != nil {
		return fmt.Errorf("write the settings of %s: %w", m.name, err)
	}
	m.life = t.live(m.name)
	if m.child, err = local.StartChild(append(slices.Clone(t.o.Member), "--spec", string(spec)), func(line []byte) { t.hear(m, line) }); err != nil {
		return err
	}
	t.members[slot] = m
	return nil
}

// hear takes in what a member tells.
func (t *team) hear(m *mate, line []byte) {
	e, err := workload.ParseEvent(line)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.problem = errors.Join(t.problem, err)
		return
	}
	if t.events++; t.events > maxTeamBeat {
		t.problem = fmt.Errorf("the members of %s have told more than %d events; check it in shorter runs", t.name, maxTeamBeat)
		return
	}
	m.life.Events = append(m.life.Events, e)
	switch e.Kind {
	case workload.Assigned:
		m.holds[e.Hold] = true
	case workload.Revoked, workload.Lost:
		delete(m.holds, e.Hold)
	case workload.Got:
		if p := e.Partition; p >= 0 && int(p) < len(t.next) && len(e.Records) > 0 {
			t.next[p] = max(t.next[p], e.Records[len(e.Records)-1].Offset+1)
			t.heard[p] = time.Unix(0, e.At)
		}
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

// await returns once yes holds, which is asked after every event.
func (t *team) await(ctx context.Context, yes func() bool) error {
	for {
		t.mu.Lock()
		done, changed := yes(), t.changed
		t.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reads waits until a record of each partition was got after since, and returns when the last of them was.
func (t *team) reads(ctx context.Context, since time.Time) (time.Time, error) {
	var last time.Time
	err := t.await(ctx, func() bool {
		last = slices.MaxFunc(t.heard, time.Time.Compare)
		return !slices.ContainsFunc(t.heard, func(at time.Time) bool { return !at.After(since) })
	})
	if err == nil {
		return last, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var silent []string
	for p, at := range t.heard {
		if !at.After(since) {
			silent = append(silent, fmt.Sprint(p))
		}
	}
	return last, fmt.Errorf("group %s got no record of partition %s for %s: %w", t.short, strings.Join(silent, ", "), time.Since(since).Round(time.Millisecond), err)
}

// free waits until a member holds nothing of what it held.
func (t *team) free(ctx context.Context, m *mate, held []int32) error {
	return t.await(ctx, func() bool { return !slices.ContainsFunc(held, func(h int32) bool { return m.holds[h] }) })
}

func (t *team) holding(m *mate) (held []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for h := range m.holds { // order-free: a set
		held = append(held, h)
	}
	return held
}

// ask asks for the committed offset of each partition.
func (t *team) ask(ctx context.Context, life *workload.Life) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	t.tell(life, workload.Asking, nil, "")
	offsets, err := kadm.NewClient(t.client).FetchOffsetsForTopics(ctx, t.name, t.o.Topic)
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		t.tell(life, workload.Answered, nil, err.Error())
		return
	}
	t.tell(life, workload.Answered, offsets, "")
}

func (t *team) tell(life *workload.Life, kind workload.EventKind, offsets kadm.OffsetResponses, text string) {
	at := time.Now().UnixNano()
	t.mu.Lock()
	defer t.mu.Unlock()
	for p := range t.o.Partitions {
		e := workload.Event{At: at, Kind: kind, Partition: p, Offset: check.NoOffset, Text: text}
		if o, ok := offsets.Lookup(t.o.Topic, p); ok {
			e.Offset = o.At
		}
		life.Events = append(life.Events, e)
	}
}

// end lets the members read up to ends, leave, and tells the checker of all that happened. late is why a group did not
// come to the end.
func (t *team) end(ctx context.Context, ends []int64) (late error) {
	reading, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	if ends != nil {
		late = t.await(reading, func() bool {
			for p, end := range ends {
				if t.next[p] < end {
					return false
				}
			}
			return true
		})
		if late != nil {
			t.mu.Lock()
			late = fmt.Errorf("group %s stands at %v and should have come to %v: %w", t.short, t.next, ends, late)
			t.mu.Unlock()
		}
	}
	late = errors.Join(late, t.leave(ctx))
	t.stop()
	t.asking.Wait()
	t.ask(ctx, t.live(t.short+" in the end"))
	t.mu.Lock()
	defer t.mu.Unlock()
	return errors.Join(late, t.problem)
}

// leave ends all members at once, with SIGTERM.
func (t *team) leave(ctx context.Context) error {
	faults := make([]error, len(t.members))
	var leaving sync.WaitGroup
	for i, m := range t.members {
		if m != nil && !m.ended {
			leaving.Go(func() { faults[i] = t.bow(ctx, m) })
		}
	}
	leaving.Wait()
	return errors.Join(faults...)
}

// bow lets one member leave; one that does not is killed.
func (t *team) bow(ctx context.Context, m *mate) error {
	ctx, cancel := context.WithTimeout(ctx, leaveLimit)
	defer cancel()
	err := m.child.Stop(ctx)
	if err != nil {
		_, killed := m.child.Kill()
		_ = killed // it has ended by itself, then
		err = fmt.Errorf("member %s did not leave: %w", m.name, err)
	}
	t.over(m, time.Now())
	return err
}

// over notes the end of a member.
func (t *team) over(m *mate, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m.ended, m.life.Ended = true, at.UnixNano()
}

// close ends what a run that was given up leaves.
func (t *team) close() {
	for _, m := range t.members {
		if m != nil && !m.ended {
			_, _ = m.child.Kill() // it ended by itself, then
			m.ended = true
		}
	}
	if t.stop != nil {
		t.stop()
		t.asking.Wait()
	}
	if t.client != nil {
		t.client.Close()
	}
}
