package local

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// chatter is the test program as a child: it prints lines until SIGTERM, and then half a line.
func chatter(how string) int {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	if how == "broken" {
		fmt.Fprintln(os.Stderr, "cannot:", os.Getenv("HOLDFAST_LOG_DIRS"), "broken by design")
		return 3
	}
	for i := 0; ; i++ {
		fmt.Println("line", i)
		select {
		case <-terminated:
			if how == "deaf" {
				continue
			}
			fmt.Print("half a line")
			return 0
		case <-time.After(time.Millisecond):
		}
	}
}

// heard takes lines in.
type heard chan string

func (h heard) line(b []byte) {
	select {
	case h <- string(b):
	default: // nobody looks
	}
}

func child(t *testing.T, how string) (*Child, heard) {
	t.Helper()
	own, err := os.Executable()
	check(t, err)
	h := make(heard, 1<<16)
	c, err := StartChild([]string{own, "chatter", how}, h.line)
	check(t, err)
	t.Cleanup(func() {
		_, _ = c.Kill() // it has ended, or does now
	})
	return c, h
}

// A child is paused, goes on, and ends when it is asked to; whole lines only are heard, and all of them before it has ended.
func TestChild(t *testing.T) {
	c, h := child(t, "talk")
	<-h
	check(t, c.Pause())
	for len(h) > 0 {
		<-h
	}
	if p, alive := lookAt(c.PID()); !alive || !p.paused {
		t.Error("it was paused and runs")
	}
	check(t, c.Resume())
	last := <-h
	check(t, c.Pause())
	check(t, c.Stop(limit(t, 10*time.Second))) // also a paused one
	select {
	case <-c.Ended():
	default:
		t.Error("it has ended, and that is not told")
	}
	close(h)
	for line := range h {
		last = line
	}
	if !strings.HasPrefix(last, "line ") {
		t.Errorf("the last line is %q", last)
	}
	if err := c.Resume(); err == nil {
		t.Error("a signal went to a process that was waited for")
	}
}

func TestChildIsKilled(t *testing.T) {
	c, h := child(t, "deaf")
	<-h
	if err := c.Stop(limit(t, 50*time.Millisecond)); err == nil {
		t.Error("it does not listen, and nothing was said")
	}
	before := time.Now()
	at, err := c.Kill()
	check(t, err)
	if at.Before(before) || at.After(time.Now()) {
		t.Errorf("killed at %v, it was asked for at %v", at, before)
	}
	if err := c.Failure(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("how it ended: %v", err)
	}
}

func TestChildSaysWhy(t *testing.T) {
	t.Setenv("HOLDFAST_LOG_DIRS", "elsewhere")
	c, _ := child(t, "broken")
	<-c.Ended()
	err := c.Failure()
	if err == nil || !strings.Contains(err.Error(), "cannot:  broken by design") {
		t.Errorf("the error does not say why, or settings of the starter got through: %v", err)
	}
	if _, err := c.Kill(); err == nil || !strings.Contains(err.Error(), "broken by design") {
		t.Errorf("killing what has ended: %v", err)
	}
}
