package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// broker is the process that is judged.
type broker struct {
	addr string
	cmd  *exec.Cmd
	log  string        // file of what it prints
	done chan struct{} // closed when the process has ended
}

// startBroker starts what is asked for in a folder of its own and waits until it accepts connections.
func startBroker(ctx context.Context, dir string, o options) (*broker, error) {
	addr := o.listen
	if addr == "" {
		var err error
		if addr, err = freeAddr(); err != nil {
			return nil, err
		}
	}
	var argv []string
	var err error
	switch o.target {
	case "holdfast":
		argv, err = holdfast(ctx, dir, o.bin, addr)
	case "kafka":
		argv, err = kafka(ctx, dir, addr)
	default:
		return nil, fmt.Errorf("-target %s: holdfast and kafka are known", o.target)
	}
	if err != nil {
		return nil, err
	}
	b := &broker{addr: addr, log: filepath.Join(dir, "broker.log"), done: make(chan struct{})}
	log, err := os.Create(b.log)
	if err != nil {
		return nil, err
	}
	b.cmd = exec.Command(argv[0], argv[1:]...)
	b.cmd.Stdout, b.cmd.Stderr = log, log
	// The broker takes HOLDFAST_ variables for settings; those of tests are not meant for it.
	b.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HOLDFAST_") })
	if err := b.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the broker: %w", err)
	}
	go func() {
		_ = b.cmd.Wait() // how it ended is in cmd.ProcessState
		_ = log.Close()  // written by the process, not by us
		close(b.done)
	}()
	if err := b.await(ctx); err != nil {
		return nil, errors.Join(err, b.stop())
	}
	return b, nil
}

func holdfast(ctx context.Context, dir, bin, addr string) ([]string, error) {
	if bin == "" {
		bin = filepath.Join(dir, "holdfast")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", bin, "holdfast/cmd/holdfast").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build holdfast: %w\n%s", err, out)
		}
	}
	return []string{bin, "serve", "--data", filepath.Join(dir, "data"), "--listen", addr, "--http", "off"}, nil
}

// kafka is broker and controller in one process, with the settings under which the suite's authors run it.
func kafka(ctx context.Context, dir, addr string) ([]string, error) {
	cache := os.Getenv("HOLDFAST_INTEROP_CACHE")
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, err
		}
		cache = filepath.Join(base, "holdfast", "interop")
	}
	jars, err := os.ReadFile(filepath.Join(cache, "java", "classpath"))
	if err != nil {
		return nil, fmt.Errorf("find Apache Kafka's jars (test/interop/install.sh installs them): %w", err)
	}
	peer, err := freeAddr()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "server.properties")
	lines := []string{
		"process.roles=broker,controller", "node.id=1", "log.dirs=" + filepath.Join(dir, "data"),
		"listeners=PLAINTEXT://" + addr + ",CONTROLLER://" + peer,
		"controller.listener.names=CONTROLLER", "controller.quorum.bootstrap.servers=" + peer,
		"offsets.topic.replication.factor=1",
		"transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
		"share.coordinator.state.topic.replication.factor=1", "share.coordinator.state.topic.min.isr=1",
		"share.coordinator.state.topic.num.partitions=5", "group.share.delivery.count.limit=10",
	}
	if err := os.WriteFile(config, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		return nil, err
	}
	java := []string{"java", "-XX:+UseSerialGC", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", strings.TrimSpace(string(jars))}
	format := slices.Concat(java[1:], []string{"kafka.tools.StorageTool", "format", "--standalone", "-t", "aG9sZGZhc3QtaW50ZXJvcA", "-c", config})
	if out, err := exec.CommandContext(ctx, java[0], format...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("format Apache Kafka's folder: %w\n%s", err, out)
	}
	return append(java, "kafka.Kafka", config), nil
}

// await returns when the broker accepts connections. The suite itself waits until it answers.
func (b *broker) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for retry := time.NewTicker(50 * time.Millisecond); ; {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", b.addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-retry.C:
		case <-b.done:
			return fmt.Errorf("the broker ended before it was ready: %s\n%s", b.cmd.ProcessState, b.tail())
		case <-ctx.Done():
			return fmt.Errorf("the broker was not ready in time: %w\n%s", err, b.tail())
		}
	}
}

// stop ends the process. One that ended by itself, or does not end in time, is an error.
func (b *broker) stop() error {
	select {
	case <-b.done:
		return fmt.Errorf("the broker ended by itself: %s\n%s", b.cmd.ProcessState, b.tail())
	default:
	}
	_ = b.cmd.Process.Signal(syscall.SIGTERM) // fails only where the process has ended
	select {
	case <-b.done:
		return nil
	case <-time.After(30 * time.Second):
		_ = b.cmd.Process.Kill()
		<-b.done
		return fmt.Errorf("the broker did not end within 30 s of SIGTERM\n%s", b.tail())
	}
}

// tail is the end of what the broker printed.
func (b *broker) tail() string {
	text, err := os.ReadFile(b.log)
	if err != nil {
		return fmt.Sprintf("(its log cannot be read: %v)", err)
	}
	return last(string(text))
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close() // it was only to learn the port
	return l.Addr().String(), nil
}
