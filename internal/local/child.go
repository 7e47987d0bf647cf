package local

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Child is a program that prints lines to whoever started it, and ends with it. Unlike a Node it belongs to no folder.
type Child struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed once it has ended and its last line was handed over
	said  lastBytes     // the end of its standard error

	mu      sync.Mutex // over signals: none goes to a process that was waited for
	waited  bool
	failure error // how it ended
}

// pauseLimit is how long a process may go on after SIGSTOP: only one in an endless system call does.
const pauseLimit = 10 * time.Second

// maxLine bounds what a child prints without a line's end, in bytes.
const maxLine = 16 << 20

// StartChild starts a program. Each line that it prints is handed to line, without the line's end, by one goroutine; a last
// one without an end was cut off and is dropped.
func StartChild(argv []string, line func([]byte)) (*Child, error) {
	c := &Child{cmd: exec.Command(argv[0], argv[1:]...), ended: make(chan struct{})}
	c.cmd.Stderr = &c.said
	c.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HOLDFAST_") })
	c.cmd.SysProcAttr = attributes(false)
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	go func() { // ends with the process
		defer close(c.ended)
		err := readLines(out, line)
		c.wait(err)
	}()
	return c, nil
}

func readLines(out io.Reader, line func([]byte)) error {
	in := bufio.NewScanner(out)
	in.Buffer(make([]byte, 64<<10), maxLine)
	in.Split(wholeLines)
	for in.Scan() {
		line(in.Bytes())
	}
	return in.Err()
}

// wholeLines splits like bufio.ScanLines, without what follows the last line's end.
func wholeLines(data []byte, _ bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	return 0, nil, nil
}

// wait collects the process once it has closed its output. reading is why the rest of that could not be read.
func (c *Child) wait(reading error) {
	if reading != nil {
		_ = c.signal(syscall.SIGKILL) // nobody reads it any more
	}
	err := c.cmd.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waited = true
	c.failure = errors.Join(reading, err)
}

// PID is the process.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Ended is closed once the process has ended and its last line was handed over.
func (c *Child) Ended() <-chan struct{} { return c.ended }

// Failure is how it ended, nil for well. Ask once it has.
func (c *Child) Failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure == nil {
		return nil
	}
	return fmt.Errorf("process %d ended: %w: %s", c.PID(), c.failure, c.said.String())
}

// Kill ends the process with SIGKILL, and returns the moment before once it has ended.
func (c *Child) Kill() (time.Time, error) {
	at := time.Now()
	if err := c.signal(syscall.SIGKILL); err != nil {
		return at, err
	}
	<-c.ended
	return at, nil
}

// Stop ends the process with SIGTERM, and returns once it has ended.
func (c *Child) Stop(ctx context.Context) error {
	if err := c.signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := c.signal(syscall.SIGCONT); err != nil && !c.over() { // a paused process takes SIGTERM when it goes on
		return err
	}
	select {
	case <-c.ended:
		return c.Failure()
	case <-ctx.Done():
		return fmt.Errorf("process %d has not ended after SIGTERM: %w: %s", c.PID(), ctx.Err(), c.said.String())
	}
}

// Pause stops the process with SIGSTOP, and returns once it does nothing any more.
func (c *Child) Pause() error {
	if err := c.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for limit := time.Now().Add(pauseLimit); ; <-tick.C {
		switch p, alive := lookAt(c.PID()); {
		case p.paused:
			return nil
		case !alive || time.Now().After(limit):
			return fmt.Errorf("process %d has not stopped after SIGSTOP", c.PID())
		}
	}
}

// Resume lets a paused process go on.
func (c *Child) Resume() error { return c.signal(syscall.SIGCONT) }

func (c *Child) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waited
}

func (c *Child) signal(s syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waited {
		return fmt.Errorf("process %d has ended already: %s", c.PID(), c.said.String())
	}
	if err := c.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal process %d: %w", c.PID(), err)
	}
	return nil
}

// lastBytes keeps the end of what was written to it.
type lastBytes struct {
	mu   sync.Mutex
	text []byte
}

func (l *lastBytes) Write(p []byte) (int, error) {
	const keep = 2000
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	l.text = l.text[max(0, len(l.text)-keep):]
	return len(p), nil
}

func (l *lastBytes) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(string(l.text))
}
