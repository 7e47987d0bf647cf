package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Broker is a process that is judged: Holdfast, or Apache Kafka in its place.
type Broker struct {
	Addr string // HOST:PORT for clients
	Data string // its data folder
	cmd  *exec.Cmd
	log  *output
	done chan struct{} // closed when the process has ended
}

// startBroker starts what HOLDFAST_INTEROP_TARGET names, Holdfast unless told otherwise.
func startBroker(t *testing.T) *Broker {
	t.Helper()
	switch target := os.Getenv("HOLDFAST_INTEROP_TARGET"); target {
	case "", "holdfast":
		return startHoldfast(t)
	case "kafka":
		return startKafka(t)
	default:
		t.Fatalf("HOLDFAST_INTEROP_TARGET=%s: holdfast and kafka are known", target)
		return nil
	}
}

// startHoldfast starts a fresh Holdfast on a free port.
func startHoldfast(t *testing.T) *Broker {
	t.Helper()
	bin, data := holdfast(t).argv[0], filepath.Join(t.TempDir(), "data")
	addr := freeAddr(t)
	b := start(t, exec.Command(bin, "serve", "--data", data, "--listen", addr, "--http", "off"))
	b.Addr, b.Data = addr, data
	b.await(t)
	return b
}

// startKafka starts a fresh Apache Kafka, broker and controller in one process.
func startKafka(t *testing.T) *Broker {
	t.Helper()
	dir, addr, peer := t.TempDir(), freeAddr(t), freeAddr(t)
	data, config := filepath.Join(dir, "data"), filepath.Join(dir, "server.properties")
	lines := []string{
		"process.roles=broker,controller", "node.id=1", "log.dirs=" + data,
		"listeners=PLAINTEXT://" + addr + ",CONTROLLER://" + peer,
		"controller.listener.names=CONTROLLER", "controller.quorum.bootstrap.servers=" + peer,
		"offsets.topic.replication.factor=1", "offsets.topic.num.partitions=1",
		"transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1", "transaction.state.log.num.partitions=1",
		"share.coordinator.state.topic.replication.factor=1", "share.coordinator.state.topic.min.isr=1",
	}
	if err := os.WriteFile(config, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	java(t, "kafka.tools.StorageTool").run(t, "", "format", "--standalone", "-t", "aG9sZGZhc3QtaW50ZXJvcA", "-c", config)
	kafka := java(t, "kafka.Kafka", "-Xshare:auto")
	b := start(t, exec.Command(kafka.argv[0], append(kafka.argv[1:], config)...))
	b.Addr, b.Data = addr, data
	b.await(t)
	return b
}

func start(t *testing.T, cmd *exec.Cmd) *Broker {
	t.Helper()
	b := &Broker{cmd: cmd, log: &output{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = b.log, b.log
	// The broker takes HOLDFAST_ variables for settings; those of the tests are not meant for it.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HOLDFAST_") })
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(b.done)
	}()
	t.Cleanup(func() {
		b.Stop(t)
		if t.Failed() {
			t.Logf("the broker said:\n%s", tail(b.log.String()))
		}
	})
	return b
}

// await returns when the broker answers clients.
func (b *Broker) await(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for retry := time.NewTicker(20 * time.Millisecond); ; {
		brokers, err := kadm.NewClient(client).ListBrokers(ctx)
		if err == nil && len(brokers) == 1 {
			return
		}
		select {
		case <-retry.C:
		case <-b.done:
			t.Fatalf("the broker ended before it was ready: %v\n%s", b.cmd.ProcessState, tail(b.log.String()))
		case <-ctx.Done():
			t.Fatalf("the broker was not ready in time: %v\n%s", err, tail(b.log.String()))
		}
	}
}

// Stop ends the process cleanly; one that does not end in time is killed and fails the test. It may be called twice.
func (b *Broker) Stop(t *testing.T) {
	t.Helper()
	_ = b.cmd.Process.Signal(syscall.SIGTERM) // fails only where the process has ended
	select {
	case <-b.done:
	case <-time.After(20 * time.Second):
		_ = b.cmd.Process.Kill()
		<-b.done
		t.Error("the broker did not end within 20 s of SIGTERM")
	}
}

// Partition is the folder that holds a partition's files.
func (b *Broker) Partition(t *testing.T, topic string, partition int) string {
	t.Helper()
	name, found := fmt.Sprintf("%s-%d", topic, partition), ""
	err := filepath.WalkDir(b.Data, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == name {
			found = path
		}
		return err
	})
	if err != nil || found == "" {
		t.Fatalf("no folder %s below %s: %v", name, b.Data, err)
	}
	return found
}

// Client is a franz-go client of the broker.
func (b *Broker) Client(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Addr)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// CreateTopic makes a topic with one replica.
func (b *Broker) CreateTopic(t *testing.T, topic string, partitions int32, configs map[string]string) {
	t.Helper()
	values := map[string]*string{}
	for k, v := range configs {
		values[k] = &v
	}
	ctx, cancel := context.WithTimeout(t.Context(), toolLimit)
	defer cancel()
	if _, err := kadm.NewClient(b.Client(t)).CreateTopic(ctx, partitions, 1, values, topic); err != nil {
		t.Fatalf("create topic %s: %v", topic, err)
	}
}

// holdfast is the program under test, built once, or HOLDFAST_BIN.
func holdfast(t *testing.T) tool {
	t.Helper()
	if bin := os.Getenv("HOLDFAST_BIN"); bin != "" {
		return tool{argv: []string{bin}}
	}
	if _, err := os.Stat("../../cmd/holdfast"); errors.Is(err, fs.ErrNotExist) {
		t.Skip("cmd/holdfast is not there yet; HOLDFAST_INTEROP_TARGET=kafka runs the clients against Apache Kafka")
	}
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return tool{argv: []string{bin}}
}

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "holdfast-interop")
	if err != nil {
		return "", err
	}
	buildDir = dir
	bin := filepath.Join(dir, "holdfast")
	cmd := exec.Command("go", "build", "-o", bin, "holdfast/cmd/holdfast")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build holdfast: %w\n%s", err, out)
	}
	return bin, nil
})

// buildDir is what build made and TestMain removes.
var buildDir string

func TestMain(m *testing.M) {
	code := m.Run()
	if buildDir != "" {
		_ = os.RemoveAll(buildDir) // a temporary folder
	}
	os.Exit(code)
}

// freeAddr is a loopback address whose port was free a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// output keeps what a process prints while others read it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
