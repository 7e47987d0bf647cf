package main

import (
	"bufio"
	"strings"
	"testing"
)

// TestVerdict: what the judge lets pass, and what not.
func TestVerdict(t *testing.T) {
	skips, err := readSkips("# a comment\nany TestShare is not served\nkafka TestOther because\n", "holdfast")
	if err != nil {
		t.Fatal(err)
	}
	const passes = `{"Action":"run","Test":"TestA"}` + "\n" + `{"Action":"pass","Test":"TestA"}` + "\n"
	const skipped = `{"Action":"skip","Test":"TestShare"}` + "\n"
	for _, c := range []struct {
		name, events string
		good         bool
		says         string
	}{
		{"as it should be", passes + skipped, true, "skip TestShare: is not served\n1 passed, 0 failed, 1 skipped"},
		{"a failure", passes + skipped + `{"Action":"output","Test":"TestB/c","Output":"too late\n"}` + "\n" +
			`{"Action":"fail","Test":"TestB/c"}` + "\n" + `{"Action":"fail","Test":"TestB"}`, false, "FAIL TestB/c\ntoo late\n"},
		{"one that never ends", passes + skipped + `{"Action":"run","Test":"TestB"}` + "\n" + `{"Action":"output","Output":"panic: test timed out\n"}`, false, "NEVER ENDED TestB\n\npanic: test timed out"},
		{"an exception nobody knows", passes + skipped + `{"Action":"skip","Test":"TestB"}`, false, "skip TestB: NOT LISTED"},
		{"an exception that is none", passes + `{"Action":"pass","Test":"TestShare"}`, false, "PASSES, and skips.txt says it skips: TestShare"},
		{"an exception that is gone", passes, false, "NO SUCH TEST, and skips.txt lists it: TestShare"},
		{"nothing at all", skipped, false, "0 passed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := listen(bufio.NewReader(strings.NewReader(c.events)))
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if good := v.report(&out, skips, true); good != c.good || !strings.Contains(out.String(), c.says) {
				t.Errorf("good: %v, want %v; said:\n%swant: %s", good, c.good, out.String(), c.says)
			}
		})
	}
	if _, err := readSkips(skipList, "holdfast"); err != nil {
		t.Error(err)
	}
}
