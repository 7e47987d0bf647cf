package verify

import (
	"context"
	"fmt"
	"time"

	"holdfast/internal/verify/check"
	"holdfast/internal/verify/workload"
)

// startGroups starts the groups of the run, and waits until each reads all partitions.
func (r *run) startGroups(ctx context.Context) error {
	for i, plan := range r.o.Groups {
		t := newTeam(fmt.Sprintf("g%d-%s", i+1, plan.Protocol), plan, &r.o, r.judge.Run())
		r.judge.Tell(func(c *check.Checker) { t.number = c.AddGroup(r.group(t.short)) })
		r.teams = append(r.teams, t)
		if err := t.start(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, setupLimit)
	defer cancel()
	for _, t := range r.teams {
		if _, err := t.reads(ctx, time.Time{}); err != nil {
			return fmt.Errorf("the groups did not begin to read within %s: %w%s", setupLimit, err, t.complaint())
		}
	}
	return nil
}

// group is what the scenario lets a group's members do. Who only ever leaves as asked, and commits before, is given nothing twice.
func (r *run) group(name string) check.Group {
	g := check.Group{Name: name, HandsOver: true}
	if s := r.o.Scenario; s.Kills || s.Deed == Slay || s.Deed == Freeze {
		g.MaxRedelivered, g.MayBeFenced = -1, true
	}
	return g
}

// complaint is the last thing that a member found wrong.
func (t *team) complaint() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.lives {
		for i := len(l.Events) - 1; i >= 0; i-- {
			if e := l.Events[i]; e.Text != "" {
				return fmt.Sprintf(" (%s: %s)", l.Name, e.Text)
			}
		}
	}
	return ""
}

// endGroups lets the groups come to the end and leave, and tells the checker what happened to them.
func (r *run) endGroups(ctx context.Context, ends []int64) {
	for _, t := range r.teams {
		r.say("group %s comes to the end", t.short)
		if err := t.end(ctx, ends); err != nil {
			r.report.Missed = append(r.report.Missed, err.Error())
		} else if ends != nil {
			r.judge.Tell(func(c *check.Checker) { c.Finished(t.number) })
		}
		t.count(r.report.Members)
	}
	r.judge.Tell(func(c *check.Checker) {
		var lives []workload.Life
		for _, t := range r.teams {
			for _, l := range t.lives {
				lives = append(lives, *l)
			}
		}
		workload.Replay(c, lives, r.marks)
	})
	if err := r.journal(); err != nil {
		r.report.Remarks = append(r.report.Remarks, fmt.Sprintf("the journal is not whole: %v", err))
	}
}

// journal writes down what was told.
func (r *run) journal() error {
	if r.o.Journal == nil {
		return nil
	}
	for _, t := range r.teams {
		for _, l := range t.lives {
			if _, err := fmt.Fprintf(r.o.Journal, "# %s\n", l.Name); err != nil {
				return err
			}
			for _, e := range l.Events {
				line, err := workload.AppendEvent(nil, e)
				if err == nil {
					_, err = r.o.Journal.Write(line)
				}
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// count adds what members found wrong to the report.
func (t *team) count(errors map[string]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.lives {
		for _, e := range l.Events {
			if e.Text == "" {
				continue
			}
			text := string(e.Kind) + ": " + e.Text
			if _, known := errors[text]; !known && len(errors) >= mostErrors {
				text = "others"
			}
			errors[text]++
		}
	}
}

// mostErrors is how many different errors of members are kept apart.
const mostErrors = 50

// GroupSettings are what a node has to be set to for its groups to give up silent members after session, whatever is usual.
func GroupSettings(session time.Duration) []string {
	after := session.Milliseconds()
	beat := max(after/8, 100)
	set := []string{"group.initial.rebalance.delay.ms=100"}
	for _, s := range []struct {
		key   string
		value int64
	}{
		{"group.min.session.timeout.ms", min(after, 6000)},
		{"group.consumer.min.heartbeat.interval.ms", min(beat, 5000)},
		{"group.consumer.heartbeat.interval.ms", beat},
		{"group.consumer.max.heartbeat.interval.ms", max(beat, 15000)},
		{"group.consumer.min.session.timeout.ms", min(after, 45000)},
		{"group.consumer.session.timeout.ms", after},
		{"group.consumer.max.session.timeout.ms", max(after, 60000)},
	} {
		set = append(set, fmt.Sprintf("%s=%d", s.key, s.value))
	}
	return set
}
