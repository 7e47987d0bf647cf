package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// verdict is what became of the tests.
type verdict struct {
	action map[string]string // pass, fail, skip, or run for one that never ended; by name, subtests too
	output map[string]string // the last of what each printed
	loose  string            // the last of what belongs to no test, such as a panic
}

// keepBytes of each test's output are enough to see why it failed.
const keepBytes = 4000

// listen reads the events of test2json to their end.
func listen(in *bufio.Reader) (*verdict, error) {
	v := &verdict{action: map[string]string{}, output: map[string]string{}}
	for {
		line, err := in.ReadString('\n')
		v.hear(line)
		if errors.Is(err, io.EOF) {
			return v, nil
		}
		if err != nil {
			return v, fmt.Errorf("read what the suite says: %w", err)
		}
	}
}

func (v *verdict) hear(line string) {
	var e struct{ Action, Test, Output string }
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		v.loose = last(v.loose + line) // what the test program prints before or beside its tests
		return
	}
	switch {
	case e.Action == "output" && e.Test == "":
		v.loose = last(v.loose + e.Output)
	case e.Action == "output":
		v.output[e.Test] = last(v.output[e.Test] + e.Output)
	case e.Test != "" && (e.Action == "run" || e.Action == "pass" || e.Action == "fail" || e.Action == "skip"):
		v.action[e.Test] = e.Action
	}
}

func last(text string) string { return text[max(0, len(text)-keepBytes):] }

// named are the tests with an outcome, sorted. Subtests count only where that is said.
func (v *verdict) named(action string, subtests bool) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(v.action)) {
		if v.action[name] == action && (subtests || !strings.Contains(name, "/")) {
			names = append(names, name)
		}
	}
	return names
}

func (v *verdict) failures() int { return len(v.named("fail", false)) + len(v.named("run", false)) }

// report prints the outcome and says whether it is as it should be. Only a run of all tests can tell that a listed one
// is there no more.
func (v *verdict) report(out io.Writer, skips map[string]string, all bool) bool {
	good := true
	for _, name := range append(v.named("fail", true), v.named("run", true)...) {
		good = false
		what := "FAIL"
		if v.action[name] == "run" {
			what = "NEVER ENDED"
		}
		fmt.Fprintf(out, "%s %s\n%s\n", what, name, v.output[name])
	}
	if len(v.named("run", false)) > 0 {
		fmt.Fprintf(out, "%s\n", v.loose)
	}
	for _, name := range v.named("skip", true) {
		why, listed := skips[name]
		if !listed {
			why, good = "NOT LISTED in skips.txt: "+strings.TrimSpace(v.output[name]), false
		}
		fmt.Fprintf(out, "skip %s: %s\n", name, why)
	}
	for _, name := range slices.Sorted(maps.Keys(skips)) {
		switch action := v.action[name]; {
		case action == "pass":
			fmt.Fprintf(out, "PASSES, and skips.txt says it skips: %s\n", name)
			good = false
		case action == "" && all:
			fmt.Fprintf(out, "NO SUCH TEST, and skips.txt lists it: %s\n", name)
			good = false
		}
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped; subtests and all: %d, %d, %d\n",
		len(v.named("pass", false)), v.failures(), len(v.named("skip", false)),
		len(v.named("pass", true)), len(v.named("fail", true))+len(v.named("run", true)), len(v.named("skip", true)))
	return good && len(v.named("pass", false)) > 0
}

// readSkips are the tests that skip on a target, with the reason.
func readSkips(text, target string) (map[string]string, error) {
	skips := map[string]string{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 3 {
			return nil, fmt.Errorf("skips.txt: %q has no target, test and reason", line)
		}
		if fields[0] == "any" || fields[0] == target {
			skips[fields[1]] = strings.Join(fields[2:], " ")
		}
	}
	return skips, nil
}
