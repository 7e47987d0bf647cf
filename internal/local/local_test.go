package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test program stands in for holdfast: called as `serve` it answers /readyz until SIGTERM, called as `starter` it
// starts a cluster in the folder that it is given and waits to be killed; `chatter` is a child.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "serve":
			os.Exit(standIn(os.Args[2:]))
		case "starter":
			os.Exit(starter(os.Args[2:]))
		case "chatter":
			os.Exit(chatter(os.Args[2]))
		}
	}
	os.Exit(m.Run())
}

func standIn(args []string) int {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	flags := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		flags[args[i]] += args[i+1]
	}
	if why := flags["--set"]; strings.HasPrefix(why, "broken=") {
		fmt.Println("cannot start:", why)
		return 1
	}
	http.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	fmt.Println("env", os.Getenv("HOLDFAST_LOG_DIRS"))
	if err := os.MkdirAll(flags["--data"], 0o755); err != nil {
		return 1
	}
	go func() {
		fmt.Println(http.ListenAndServe(flags["--http"], nil)) // ends with the process
	}()
	<-terminated
	if flags["--set"] == "deaf=true" {
		<-terminated
	}
	return 0
}

func starter(args []string) int {
	port, _ := strconv.Atoi(args[1])
	c, err := Create(Options{Dir: args[0], Nodes: 1, Port: port})
	if err == nil {
		err = c.Up(context.Background())
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(c.Nodes()[0].PID())
	select {}
}

func create(t *testing.T, o Options) *Cluster {
	t.Helper()
	port, err := FreePort(1)
	if err != nil {
		t.Fatal(err)
	}
	o.Dir, o.Port = filepath.Join(t.TempDir(), "cluster"), port
	if o.Nodes == 0 {
		o.Nodes = 1
	}
	c, err := Create(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(5 * time.Second); err != nil {
			t.Error(err)
		}
	})
	return c
}

func limit(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func wantState(t *testing.T, n *Node, want State) {
	t.Helper()
	if got := n.State(); got != want {
		t.Fatalf("node %d is %s, want it %s", n.ID(), got, want)
	}
}

// comesTo waits until somebody else's deed shows.
func comesTo(t *testing.T, n *Node, want State) {
	t.Helper()
	for ctx := limit(t, 10*time.Second); n.State() != want; runtime.Gosched() {
		if ctx.Err() != nil {
			t.Fatalf("node %d is %s, want it %s", n.ID(), n.State(), want)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A node is started, paused, resumed, killed, started again and stopped; another program that opens the folder sees the
// same and may do the same.
func TestLife(t *testing.T) {
	t.Setenv("HOLDFAST_LOG_DIRS", "elsewhere")
	c := create(t, Options{Detached: true})
	ctx := limit(t, 20*time.Second)
	check(t, c.Up(ctx))
	n := c.Nodes()[0]
	wantState(t, n, Running)
	other, err := Open(c.Dir())
	check(t, err)
	o := other.Nodes()[0]
	wantState(t, o, Running)
	if o.PID() != n.PID() || o.Kafka() != n.Kafka() || other.Bootstrap() != c.Bootstrap() {
		t.Errorf("opened again it is process %d at %s, started was %d at %s", o.PID(), o.Kafka(), n.PID(), n.Kafka())
	}
	check(t, o.Pause())
	comesTo(t, n, Paused)
	check(t, n.Resume())
	check(t, o.Ready(ctx))
	check(t, o.Kill())
	wantState(t, o, Down)
	comesTo(t, n, Down) // once the other handle has waited for its child
	if err := o.Kill(); err == nil {
		t.Error("a node that is down was killed")
	}
	check(t, o.Start())
	check(t, o.Ready(ctx))
	check(t, o.Pause())
	check(t, o.Stop(ctx)) // also a paused node stops cleanly
	wantState(t, o, Down)
	if _, err := os.Stat(n.Data()); err != nil {
		t.Error("the data went with the process:", err)
	}
	if words := o.lastWords(); !strings.HasPrefix(words, "env") || strings.Contains(words, "elsewhere") {
		t.Errorf("the environment reached the node: %q", words)
	}
	check(t, o.cluster.Remove())
	if _, err := os.Stat(c.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Error("the folder is still there:", err)
	}
}

func TestRefused(t *testing.T) {
	for _, o := range []Options{{Nodes: 0, Port: 9092}, {Nodes: 3, Port: 9092}} {
		o.Dir = t.TempDir()
		if _, err := Create(o); !errors.Is(err, ErrNodes) {
			t.Errorf("%d nodes: %v", o.Nodes, err)
		}
	}
	if _, err := Create(Options{Dir: t.TempDir(), Nodes: 1, Port: 65530}); err == nil {
		t.Error("there are no ports above 65535")
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNoCluster) {
		t.Errorf("an empty folder: %v", err)
	}
	c := create(t, Options{})
	if _, err := Create(Options{Dir: c.Dir(), Nodes: 1, Port: 9092}); !errors.Is(err, ErrCluster) {
		t.Errorf("a folder that is in use: %v", err)
	}
	if _, err := c.Node(2); err == nil {
		t.Error("there is a node 2")
	}
}

// A node that cannot start says why.
func TestLastWords(t *testing.T) {
	c := create(t, Options{Set: []string{"broken=by design"}})
	err := c.Up(limit(t, 20*time.Second))
	if err == nil || !strings.Contains(err.Error(), "cannot start: broken=by design") {
		t.Errorf("the error does not say why: %v", err)
	}
	wantState(t, c.Nodes()[0], Down)
}

// Close ends a node that does not listen.
func TestCloseByForce(t *testing.T) {
	c := create(t, Options{Set: []string{"deaf=true"}})
	check(t, c.Up(limit(t, 20*time.Second)))
	if err := c.Close(50 * time.Millisecond); err == nil {
		t.Error("a node was killed and nothing was said")
	}
	wantState(t, c.Nodes()[0], Down)
}

// An id that belongs to another process by now is left alone.
func TestRecycledID(t *testing.T) {
	c := create(t, Options{})
	n := c.Nodes()[0]
	n.entry.PID, n.entry.Birth = os.Getpid(), "before this process was born"
	wantState(t, n, Down)
	if err := n.Kill(); err == nil {
		t.Error("the test killed itself and did not notice")
	}
	n.entry.PID = 0
}

// A node that is not detached ends with its starter, also when that one is killed.
func TestEndsWithStarter(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a process of its parent's end")
	}
	port, err := FreePort(1)
	check(t, err)
	own, err := os.Executable()
	check(t, err)
	cmd := exec.CommandContext(t.Context(), own, "starter", filepath.Join(t.TempDir(), "cluster"), strconv.Itoa(port))
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	check(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal("the starter said: ", line)
	}
	if _, alive := lookAt(pid); !alive {
		t.Fatal("the node is not there")
	}
	check(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
	for ctx := limit(t, 10*time.Second); ; runtime.Gosched() {
		if _, alive := lookAt(pid); !alive {
			return
		}
		check(t, ctx.Err())
	}
}
