package replica

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"holdfast/internal/base/invariant"
)

// TestLeader runs the scripts in testdata: each step prints the leader as it is then.
func TestLeader(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var l Leader
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return step(t, &l, d) })
	})
}

func step(t *testing.T, l *Leader, d *datadriven.TestData) (out string) {
	number := func(name string) (n int64) {
		d.ScanArgs(t, name, &n)
		return n
	}
	defer func() {
		if v, ok := recover().(*invariant.Violation); ok {
			out = "broken: " + v.Message + "\n"
		}
	}()
	moved := false
	switch d.Cmd {
	case "leader":
		*l = NewLeader(Opening{
			Epoch: int32(number("epoch")), CommitSync: d.HasArg("commit-sync"),
			Start: number("start"), End: number("end"), Synced: number("synced"),
		})
	case "appended":
		moved = l.Appended(number("end"))
	case "synced":
		moved = l.Synced(number("end"))
	case "start-moved":
		l.StartMoved(number("to"))
	case "raise":
		l.Raise(int32(number("epoch")))
	case "commit-sync":
		moved = l.SetCommitSync(d.HasArg("on"))
	default:
		t.Fatalf("%s: no step %s", d.Pos, d.Cmd)
	}
	out = fmt.Sprintf("epoch=%d start=%d hw=%d synced=%d end=%d", l.epoch, l.start, l.high, l.synced, l.end)
	if moved {
		out += " moved"
	}
	return out + "\n"
}

// TestWatermarkNeverFalls lets a leader live at random: within an epoch the watermark only rises, and where commits are
// synced, or were when they were appended, it does not pass what was synced.
func TestWatermarkNeverFalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		end := rapid.Int64Range(0, 100).Draw(t, "end")
		synced := rapid.Int64Range(0, end).Draw(t, "synced")
		l := NewLeader(Opening{Epoch: 1, CommitSync: true, End: end, Synced: synced})
		shown, on, vowed := l.HighWatermark(), true, int64(0)
		if shown > synced {
			t.Fatalf("%d is shown, %d is synced", shown, synced)
		}
		for range 50 {
			allowed := shown
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				end += rapid.Int64Range(0, 10).Draw(t, "appended")
				l.Appended(end)
			case 1:
				synced = max(synced, rapid.Int64Range(0, end).Draw(t, "to"))
				l.Synced(synced)
			case 2:
				l.StartMoved(rapid.Int64Range(0, shown).Draw(t, "start"))
			case 3:
				if on {
					vowed = end
				}
				on = !on
				l.SetCommitSync(on)
			}
			if allowed = max(allowed, synced); !on && synced >= vowed {
				allowed = end
			}
			if now := l.HighWatermark(); now < shown || now > allowed {
				t.Fatalf("the watermark went from %d to %d, with %d synced", shown, now, synced)
			}
			shown = l.HighWatermark()
		}
	})
}

func TestViolationIsAnError(t *testing.T) {
	defer func() {
		var v *invariant.Violation
		if err, ok := recover().(error); !ok || !errors.As(err, &v) {
			t.Error("a synced end beyond the log's end broke no invariant")
		}
	}()
	l := NewLeader(Opening{Epoch: 1, End: 5})
	l.Synced(6)
}
