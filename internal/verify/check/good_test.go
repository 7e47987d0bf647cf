package check

import (
	"testing"

	"pgregory.net/rapid"
)

func TestGoodHistoriesPass(t *testing.T) {
	var sum Ops
	for seed := range uint64(300) {
		s := size{steps: 400 + int(seed)*4, partitions: 1 + int(seed%4), producers: 1 + int(seed%6), transactional: seed%3 == 0}
		r := generate(seed, s).play()
		if r.Verdict != Pass && !(r.Ops.Acked == 0 && r.Verdict == Inconclusive) {
			t.Fatalf("seed %d: %s\n%s", seed, r.Verdict, r.Block())
		}
		sum.add(r.Ops)
	}
	// A generator that never makes the hard cases would prove nothing.
	if sum.Failed == 0 || sum.Unknown == 0 || sum.UnknownFound == 0 || sum.UnknownFound == sum.Unknown || sum.Expired == 0 {
		t.Errorf("the histories are too tame: %+v", sum)
	}
	t.Logf("%+v", sum)
}

func TestGoodHistoriesPassWhateverTheirSize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := size{
			steps:         rapid.IntRange(20, 1500).Draw(t, "steps"),
			partitions:    rapid.IntRange(1, 6).Draw(t, "partitions"),
			producers:     rapid.IntRange(1, 8).Draw(t, "producers"),
			transactional: rapid.Bool().Draw(t, "transactional"),
		}
		r := generate(rapid.Uint64().Draw(t, "seed"), s).play()
		for _, c := range r.Checks {
			if !c.OK {
				t.Fatalf("%s\n%s", c.ID, r.Block())
			}
		}
	})
}
