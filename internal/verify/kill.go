package verify

import (
	"context"
	"fmt"
	"time"

	"holdfast/internal/local"
	"holdfast/internal/verify/check"
)

const (
	downAtMost  = 250 * time.Millisecond // between a kill and the start
	startAtMost = 60 * time.Millisecond  // into a start that is killed itself
	startsShare = 5                      // one start in so many is killed
)

// Round is one kill of a node, or what befell one member, and what came after it. Times are in ms.
type Round struct {
	Node     int     `json:"node,omitempty"`
	Group    string  `json:"group,omitempty"`
	Member   string  `json:"member,omitempty"`
	Deed     Deed    `json:"deed,omitempty"`
	AtMs     float64 `json:"atMs"`               // of the kill, since the load began
	InStart  int     `json:"killedInStart"`      // how often the node was killed again before it was ready
	DownMs   float64 `json:"downMs"`             // from the kill to the last start: ours to choose
	ReadyMs  float64 `json:"readyMs"`            // from the last start until the node said that it serves
	RecordMs float64 `json:"recoveredMs"`        // from the last start until each partition had acknowledged a record; of a member: until its group read each again
	GroupsMs float64 `json:"groupsMs,omitempty"` // of a node: until each group read each partition
	Late     bool    `json:"overObjective,omitempty"`
}

// kills is the rounds of a scenario. A node that does not come back ends them: the report says so.
func (r *run) kills(ctx context.Context) error {
	for i := range r.o.Rounds {
		r.say("round %d of %d", i+1, r.o.Rounds)
		// Between a tenth and nearly twice of the mean: moments spread over all that a node does.
		if err := pause(ctx, r.o.Every/10+time.Duration(r.random.Int64N(int64(r.o.Every)*9/5+1))); err != nil {
			return err
		}
		node := r.o.Local.Nodes()[r.random.IntN(len(r.o.Local.Nodes()))]
		back := r.stir(ctx)
		if err := r.kill(ctx, node); err != nil {
			return err
		}
		if err := back(); err != nil {
			return r.broke(ctx, err)
		}
		if r.report.Broken != "" {
			return nil
		}
	}
	return nil
}

// kill is one round.
func (r *run) kill(ctx context.Context, node *local.Node) error {
	killed := time.Now()
	round := Round{Node: node.ID(), AtMs: ms(killed.Sub(r.pulse.Began()))}
	r.mark(fmt.Sprintf("SIGKILL of node %d", node.ID()), killed)
	if err := node.Kill(); err != nil {
		return r.broke(ctx, fmt.Errorf("node %d ended by itself: %w", node.ID(), err))
	}
	started, err := r.restart(ctx, node, &round)
	if err != nil {
		return r.broke(ctx, err)
	}
	round.DownMs = ms(started.Sub(killed))
	limit, cancel := context.WithDeadline(ctx, started.Add(max(r.o.RecoverWithin, time.Second)*4))
	defer cancel()
	if err := node.Ready(limit); err != nil {
		return r.broke(ctx, err)
	}
	round.ReadyMs = ms(time.Since(started))
	first, err := r.pulse.Await(limit, started)
	if err != nil {
		return r.broke(ctx, fmt.Errorf("node %d serves again, but not every partition acknowledged a record within %s", node.ID(), time.Since(started)))
	}
	round.RecordMs = ms(first.Sub(started))
	round.Late = first.Sub(started) > r.o.RecoverWithin
	for _, t := range r.teams {
		last, err := t.reads(limit, started)
		if err != nil {
			return r.broke(ctx, fmt.Errorf("node %d serves again, but %w", node.ID(), err))
		}
		round.GroupsMs = max(round.GroupsMs, ms(last.Sub(started)))
	}
	r.mark(fmt.Sprintf("restart of node %d", node.ID()), first)
	r.report.Rounds = append(r.report.Rounds, round)
	return nil
}

// restart starts the node again after a while, and now and then kills it while it starts: recovery must survive that too.
func (r *run) restart(ctx context.Context, node *local.Node, round *Round) (time.Time, error) {
	for {
		if err := pause(ctx, time.Duration(r.random.Int64N(int64(downAtMost)))); err != nil {
			return time.Time{}, err
		}
		started := time.Now()
		if err := node.Start(); err != nil {
			return time.Time{}, err
		}
		if r.random.IntN(startsShare) > 0 {
			return started, nil
		}
		if err := pause(ctx, time.Duration(r.random.Int64N(int64(startAtMost)))); err != nil {
			return time.Time{}, err
		}
		round.InStart++
		if err := node.Kill(); err != nil {
			return time.Time{}, fmt.Errorf("node %d did not survive its start: %w", node.ID(), err)
		}
	}
}

// broke notes that the cluster did not come back. An interrupt is no such thing.
func (r *run) broke(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.report.Broken = err.Error()
	return nil
}

func (r *run) mark(name string, at time.Time) {
	since := at.Sub(r.pulse.Began())
	r.judge.Tell(func(c *check.Checker) {
		c.Fault(check.Mark{Name: name, AtMs: since.Milliseconds()})
		r.marks = append(r.marks, at.UnixNano())
	})
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
