package interop

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// running is a tool that goes on while the test looks at the lines that it prints.
type running struct {
	name string
	cmd  *exec.Cmd
	said output
	done chan struct{} // closed once it has ended and its last line was taken in

	mu      sync.Mutex
	lines   []string
	changed chan struct{} // closed and replaced with each line
}

// start starts the tool. It is killed with the test, at the latest.
func (c tool) start(t *testing.T, line func(string), args ...string) *running {
	t.Helper()
	argv := append(append([]string{}, c.argv...), args...)
	r := &running{name: c.name(), cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{}), changed: make(chan struct{})}
	r.cmd.Env = append(os.Environ(), c.env...)
	r.cmd.Stderr = &r.said
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the process
		defer close(r.done)
		in := bufio.NewScanner(out)
		in.Buffer(nil, 16<<20)
		for in.Scan() {
			if line != nil {
				line(in.Text())
			}
			r.mu.Lock()
			r.lines = append(r.lines, in.Text())
			close(r.changed)
			r.changed = make(chan struct{})
			r.mu.Unlock()
		}
		_ = r.cmd.Wait() // how it ended is in cmd.ProcessState
	}()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill() // fails where it has ended
		<-r.done
		if t.Failed() {
			t.Logf("%s %s said: %s", r.name, strings.Join(args, " "), tail(r.said.String()))
		}
	})
	return r
}

// await returns once yes holds for the lines so far.
func (r *running) await(t *testing.T, what string, yes func(lines []string) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), toolLimit)
	defer cancel()
	for {
		r.mu.Lock()
		ok, changed, lines := yes(r.lines), r.changed, strings.Join(r.lines, "\n")
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-r.done:
			r.mu.Lock()
			ok := yes(r.lines)
			r.mu.Unlock()
			if !ok {
				t.Fatalf("%s ended before %s: %v\n%s%s", r.name, what, r.cmd.ProcessState, tail(lines), tail(r.said.String()))
			}
			return
		case <-ctx.Done():
			t.Fatalf("%s: no %s in time\n%s%s", r.name, what, tail(lines), tail(r.said.String()))
		}
	}
}

// output is all it has printed so far.
func (r *running) output() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

// stop ends it with SIGTERM and returns what it printed.
func (r *running) stop(t *testing.T) string {
	t.Helper()
	_ = r.cmd.Process.Signal(syscall.SIGTERM) // fails only where it has ended
	select {
	case <-r.done:
	case <-time.After(toolLimit):
		t.Errorf("%s has not ended after SIGTERM", r.name)
	}
	return r.output()
}

// kill ends it with SIGKILL. One that has ended by itself fails the test.
func (r *running) kill(t *testing.T) {
	t.Helper()
	select {
	case <-r.done:
		t.Errorf("%s ended by itself: %v\n%s", r.name, r.cmd.ProcessState, tail(r.said.String()))
	default:
	}
	_ = r.cmd.Process.Kill() // fails only where it has ended
	<-r.done
}
