package verify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Deed is what a scenario does to members of groups.
type Deed string

// The deeds. Each befalls one member of every group in a round.
const (
	Bounce Deed = "bounce" // SIGTERM: it commits, leaves, and is started again
	Slay   Deed = "kill"   // SIGKILL, and started again
	Freeze Deed = "pause"  // SIGSTOP until others have its partitions, then SIGCONT; now and then shorter than anyone would notice
)

const (
	againAtMost = 250 * time.Millisecond // between the end of a member and its next life
	frozenMore  = 500 * time.Millisecond // a member stays paused after others have its partitions
	blinkShare  = 4                      // one pause in so many is short
)

// memberRounds is the rounds of a scenario that is about members.
func (r *run) memberRounds(ctx context.Context) error {
	for i := range r.o.Rounds {
		r.say("round %d of %d", i+1, r.o.Rounds)
		if err := pause(ctx, r.o.Every/10+time.Duration(r.random.Int64N(int64(r.o.Every)*9/5+1))); err != nil {
			return err
		}
		if err := r.befall(ctx); err != nil {
			return err
		}
		if r.report.Broken != "" {
			return nil
		}
	}
	return nil
}

// befall is one round: the deed, to a member of each group at the same time.
func (r *run) befall(ctx context.Context) error {
	rounds, faults := make([]Round, len(r.teams)), make([]error, len(r.teams))
	var all sync.WaitGroup
	for i, t := range r.teams {
		d := deed{
			run: r, team: t, slot: r.random.IntN(len(t.members)), again: time.Duration(r.random.Int64N(int64(againAtMost))),
			more: time.Duration(r.random.Int64N(int64(frozenMore))), blink: r.random.IntN(blinkShare) == 0,
		}
		all.Go(func() { rounds[i], faults[i] = d.do(ctx) })
	}
	all.Wait()
	r.report.Rounds = append(r.report.Rounds, rounds...)
	if err := errors.Join(faults...); err != nil {
		return r.broke(ctx, err)
	}
	return nil
}

// stir lets a member of each group leave and come back, within the moments around a kill that follows: so the coordinator
// dies while it divides a group anew. What it returns waits until all are back.
func (r *run) stir(ctx context.Context) (back func() error) {
	if !r.o.Scenario.Stirs {
		return func() error { return nil }
	}
	faults := make([]error, len(r.teams))
	var all sync.WaitGroup
	for i, t := range r.teams {
		slot, again := r.random.IntN(len(t.members)), time.Duration(r.random.Int64N(int64(againAtMost)))
		before := time.Duration(r.random.Int64N(int64(againAtMost)))
		all.Go(func() {
			if faults[i] = pause(ctx, before); faults[i] != nil {
				return
			}
			if faults[i] = t.bow(ctx, t.members[slot]); faults[i] == nil {
				faults[i] = errors.Join(pause(ctx, again), t.spawn(slot))
			}
		})
	}
	ended := pause(ctx, time.Duration(r.random.Int64N(int64(2*againAtMost))))
	return func() error { all.Wait(); return errors.Join(append(faults, ended)...) }
}

// deed is what befalls one member in a round. Chance has spoken already.
type deed struct {
	run   *run
	team  *team
	slot  int
	again time.Duration // until it is started again
	more  time.Duration // of a pause
	blink bool
}

func (d deed) do(ctx context.Context) (Round, error) {
	m := d.team.members[d.slot]
	limit, cancel := context.WithTimeout(ctx, 4*max(d.run.o.RecoverWithin, time.Second)+d.team.o.Session)
	defer cancel()
	at := time.Now()
	round := Round{Group: d.team.short, Member: m.name, Deed: d.run.o.Scenario.Deed, AtMs: ms(at.Sub(d.run.pulse.Began()))}
	var last time.Time
	var err error
	switch d.run.o.Scenario.Deed {
	case Bounce:
		d.run.mark("SIGTERM of "+m.name, at)
		if err = d.team.bow(limit, m); err == nil {
			last, err = d.comeBack(limit)
		}
	case Slay:
		d.run.mark("SIGKILL of "+m.name, at)
		var killed time.Time
		if killed, err = m.child.Kill(); err == nil {
			d.team.over(m, killed)
			last, err = d.comeBack(limit)
		}
	case Freeze:
		d.run.mark("SIGSTOP of "+m.name, at)
		last, err = d.freeze(limit, m)
	}
	round.RecordMs = ms(last.Sub(at))
	round.Late = last.Sub(at) > d.run.o.RecoverWithin
	return round, err
}

// comeBack starts the member again, and returns when all partitions are read again. The old one has ended.
func (d deed) comeBack(ctx context.Context) (time.Time, error) {
	since := time.Now()
	if err := pause(ctx, d.again); err != nil {
		return since, err
	}
	if err := d.team.spawn(d.slot); err != nil {
		return since, err
	}
	return d.team.reads(ctx, since)
}

// freeze pauses a member until others read what it held, lets it go on, and waits until it knows.
func (d deed) freeze(ctx context.Context, m *mate) (last time.Time, err error) {
	if err := m.child.Pause(); err != nil {
		return time.Now(), err
	}
	since, held := time.Now(), d.team.holding(m)
	if d.blink {
		err = pause(ctx, d.more)
	} else if last, err = d.team.reads(ctx, since); err == nil {
		err = pause(ctx, d.more)
	}
	if err := errors.Join(err, m.child.Resume()); err != nil {
		return last, err
	}
	d.run.mark("SIGCONT of "+m.name, time.Now())
	if d.blink {
		return d.team.reads(ctx, time.Now())
	}
	if err := d.team.free(ctx, m, held); err != nil {
		return last, fmt.Errorf("%s was paused, others read its partitions, and it was not told within %s: %w", m.name, time.Since(since).Round(time.Millisecond), err)
	}
	return last, nil
}
