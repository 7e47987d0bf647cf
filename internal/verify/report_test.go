package verify

import (
	"strings"
	"testing"
	"time"

	"holdfast/internal/verify/check"
	"holdfast/internal/verify/workload"
)

// The verdict is the worst of what is known, and the report says what made it so.
func TestVerdict(t *testing.T) {
	slow := Round{RecordMs: 30, ReadyMs: 20, Late: true}
	for _, c := range []struct {
		name   string
		judged check.Verdict
		broken string
		rounds []Round
		gap    time.Duration
		want   check.Verdict
		says   string
	}{
		{"pass", Pass, "", []Round{{RecordMs: 5, ReadyMs: 4}}, 0, Pass, "1 kills, 0 more during a start   ready after p50 4 ms"},
		{"fail", Fail, "", nil, 0, Fail, "VERDICT  FAIL"},
		{"inconclusive", Inconclusive, "", nil, 0, Inconclusive, "VERDICT  INCONCLUSIVE"},
		{"late", Pass, "", []Round{slow}, 0, Missed, "missed: round 1 took 30 ms to recover, the objective is 10ms"},
		{"silent", Pass, "", nil, 2 * time.Second, Missed, "missed: partition 0 acknowledged nothing for 2s, the objective is 1s"},
		{"late and inconclusive", Inconclusive, "", []Round{slow}, 0, Missed, "missed:"},
		{"late and failed", Fail, "", []Round{slow}, 0, Fail, "missed:"},
		{"did not come back", Inconclusive, "node 1 ended before it was ready", nil, 0, Fail, "broken: node 1 ended before it was ready"},
	} {
		o := &Options{Command: "verify", RecoverWithin: 10 * time.Millisecond, GapWithin: time.Second}
		r := newReport(o)
		r.Report.Verdict, r.Broken, r.Rounds = c.judged, c.broken, c.rounds
		r.conclude(o, workload.Summary{Slice: 100 * time.Millisecond, Series: []int64{1, 2, 3}, Gaps: []time.Duration{c.gap}}, nil)
		var text strings.Builder
		if err := r.Print(&text); err != nil {
			t.Fatal(err)
		}
		if r.Verdict != c.want || !strings.Contains(text.String(), c.says) {
			t.Errorf("%s: %s, want %s and %q in\n%s", c.name, r.Verdict, c.want, c.says, text.String())
		}
	}
}

func TestSpread(t *testing.T) {
	var values []float64
	for i := range 100 {
		values = append(values, float64(100-i))
	}
	if got := spread(values); got != (Spread{P50: 50, P99: 99, Max: 100}) {
		t.Errorf("%+v", got)
	}
	if got := spread([]float64{7}); got != (Spread{P50: 7, P99: 7, Max: 7}) {
		t.Errorf("one value: %+v", got)
	}
}
