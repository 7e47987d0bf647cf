package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// State is what a node's process does.
type State string

// The states of a node.
const (
	Running State = "running" // the process is there; Ready says whether it serves
	Paused  State = "paused"  // stopped by SIGSTOP
	Down    State = "down"    // there is no process
)

// Node is one node of a cluster.
type Node struct {
	cluster *Cluster
	binary  string
	set     []string
	entry   entry

	ended chan struct{} // of a process that we started: closed once it was waited for
	began int64         // where the log stood when we started it
}

// look is how often a node is looked at while something is awaited of it; recovery times are no finer than this.
const look = 2 * time.Millisecond

// ID is the node's number.
func (n *Node) ID() int { return n.entry.ID }

// PID is the process of the node, 0 where it is down.
func (n *Node) PID() int {
	if n.State() == Down {
		return 0
	}
	return n.entry.PID
}

// Kafka is HOST:PORT for clients.
func (n *Node) Kafka() string { return address(n.entry.Port) }

// HTTP is HOST:PORT of metrics and health.
func (n *Node) HTTP() string { return address(n.entry.Port + 2) }

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Data is the node's data folder.
func (n *Node) Data() string {
	return filepath.Join(n.cluster.dir, fmt.Sprintf("node-%d", n.entry.ID))
}

// Log is the file that the node prints to.
func (n *Node) Log() string { return n.Data() + ".log" }

// State looks at the process.
func (n *Node) State() State {
	if n.entry.PID == 0 {
		return Down
	}
	p, ok := lookAt(n.entry.PID)
	if n.ended != nil { // our own child: nothing is surer than having waited for it
		select {
		case <-n.ended:
			return Down
		default:
		}
	} else if !ok || p.birth != n.entry.Birth {
		return Down
	}
	if p.paused {
		return Paused
	}
	return Running
}

// Start starts the process and returns at once; Ready waits for it. The node must be down.
func (n *Node) Start() error {
	if n.State() != Down {
		return fmt.Errorf("node %d runs already (process %d)", n.ID(), n.entry.PID)
	}
	out, err := os.OpenFile(n.Log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("open the log of node %d: %w", n.ID(), err)
	}
	defer out.Close() // the process has its own
	if n.began, err = out.Seek(0, io.SeekEnd); err != nil {
		return fmt.Errorf("open the log of node %d: %w", n.ID(), err)
	}
	args := []string{"serve", "--id", strconv.Itoa(n.ID()), "--data", n.Data(), "--listen", n.Kafka(), "--http", n.HTTP()}
	for _, s := range n.set {
		args = append(args, "--set", s)
	}
	cmd := exec.Command(n.binary, args...)
	cmd.Stdout, cmd.Stderr = out, out
	// A node takes HOLDFAST_ variables for settings; the cluster's are in its file, whoever starts it from which shell.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HOLDFAST_") })
	cmd.SysProcAttr = attributes(n.cluster.detached)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start node %d: %w", n.ID(), err)
	}
	ended := make(chan struct{})
	go func() { // ends with the process
		_ = cmd.Wait() // how it ended is of no interest: it was told to, or its log says why
		close(ended)
	}()
	n.ended, n.entry.PID = ended, cmd.Process.Pid
	p, _ := lookAt(n.entry.PID) // gone already: then it has no birth, and is down
	n.entry.Birth = p.birth
	return n.cluster.save()
}

// Ready returns once the node serves. Its error carries the end of what the node printed.
func (n *Node) Ready(ctx context.Context) error {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.HTTP()+"/readyz", nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK && n.State() == Running {
				return nil
			}
		}
		if n.State() == Down {
			return fmt.Errorf("node %d ended before it was ready; its log %s ends with\n%s", n.ID(), n.Log(), n.lastWords())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("node %d was not ready in time; its log %s ends with\n%s: %w", n.ID(), n.Log(), n.lastWords(), ctx.Err())
		}
	}
}

// lastWords is the end of what the node printed in its present life.
func (n *Node) lastWords() string {
	const keep = 2000
	text, err := os.ReadFile(n.Log())
	if err != nil {
		return err.Error()
	}
	if n.began < int64(len(text)) {
		text = text[n.began:]
	}
	text = bytes.TrimSpace(text)
	return string(text[max(0, len(text)-keep):])
}

// Stop ends the process with SIGTERM, and returns once it has ended.
func (n *Node) Stop(ctx context.Context) error {
	if err := n.signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := n.signal(syscall.SIGCONT); err != nil && n.State() != Down { // a paused process takes SIGTERM when it goes on
		return err
	}
	if err := n.awaitDown(ctx); err != nil {
		return fmt.Errorf("node %d (process %d) has not ended after SIGTERM: %w", n.ID(), n.entry.PID, err)
	}
	return n.gone()
}

// Kill ends the process with SIGKILL, at once and without its knowing, and returns once it has ended.
func (n *Node) Kill() error {
	if err := n.signal(syscall.SIGKILL); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.awaitDown(ctx); err != nil { // only a process in an endless system call
		return fmt.Errorf("node %d (process %d) has not ended after SIGKILL: %w", n.ID(), n.entry.PID, err)
	}
	return n.gone()
}

// Pause stops the process with SIGSTOP: it stays as it is, holding its ports and locks, until Resume.
func (n *Node) Pause() error { return n.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (n *Node) Resume() error { return n.signal(syscall.SIGCONT) }

func (n *Node) signal(s syscall.Signal) error {
	if n.State() == Down {
		return fmt.Errorf("node %d is down", n.ID())
	}
	if err := syscall.Kill(n.entry.PID, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal node %d (process %d): %w", n.ID(), n.entry.PID, err)
	}
	return nil
}

func (n *Node) awaitDown(ctx context.Context) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for n.State() != Down {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (n *Node) gone() error {
	n.ended, n.entry.PID, n.entry.Birth = nil, 0, ""
	return n.cluster.save()
}
