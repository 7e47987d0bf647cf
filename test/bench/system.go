package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// system is one of the two that are compared.
type system struct {
	name string
	// command prepares the broker's folder, fresh or used, and returns how to start it there.
	command func(ctx context.Context, b *broker) (*exec.Cmd, error)
}

// broker is a running system.
type broker struct {
	system  *system
	address string
	http    string // where profiles are to be had; empty: nowhere
	dir     string // everything it keeps
	cmd     *exec.Cmd
	log     *os.File
	done    chan struct{}
	began   time.Time     // just before exec
	ready   time.Duration // from there to the first answer to ApiVersions
}

// holdfast is the system under test.
func holdfast(bin string, extra []string, profiled bool) *system {
	return &system{name: "holdfast", command: func(_ context.Context, b *broker) (*exec.Cmd, error) {
		args := []string{"serve", "--data", filepath.Join(b.dir, "data"), "--listen", b.address, "--set", noRebalanceDelay}
		if !profiled {
			return exec.Command(bin, append(append(args, "--http", "off"), extra...)...), nil
		}
		var err error
		if b.http, err = freeAddress(); err != nil {
			return nil, err
		}
		return exec.Command(bin, append(append(args, "--http", b.http, "--set", "http.pprof.enable=true"), extra...)...), nil
	}}
}

// kafka is Apache Kafka with the options that its own start script gives the JVM, its own defaults, and further settings.
func kafka(name, classpath, heap string, settings []string) *system {
	return &system{name: name, command: func(ctx context.Context, b *broker) (*exec.Cmd, error) {
		config := filepath.Join(b.dir, "server.properties")
		if _, err := os.Stat(config); err != nil {
			if err := formatKafka(ctx, classpath, b.dir, config, b.address, settings); err != nil {
				return nil, err
			}
		}
		return exec.Command("java", "-server", "-Xms"+heap, "-Xmx"+heap, "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
			"-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Xshare:auto",
			"-Djava.awt.headless=true", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
			"-cp", classpath, "kafka.Kafka", config), nil
	}}
}

// noRebalanceDelay has a new group's first rebalance begin at once: it waits 3 s for more members otherwise, on both.
const noRebalanceDelay = "group.initial.rebalance.delay.ms=0"

// tuning is what is commonly advised for a Kafka under load, for this machine's number of processors.
func tuning() []string {
	n := runtime.NumCPU()
	return []string{
		fmt.Sprintf("num.network.threads=%d", 2*n), fmt.Sprintf("num.io.threads=%d", 4*n), "queued.max.requests=1000",
		"socket.send.buffer.bytes=1048576", "socket.receive.buffer.bytes=1048576", "log.segment.bytes=1073741824",
	}
}

func formatKafka(ctx context.Context, classpath, dir, config, address string, settings []string) error {
	peer, err := freeAddress()
	if err != nil {
		return err
	}
	lines := []string{
		"process.roles=broker,controller", "node.id=1", "log.dirs=" + filepath.Join(dir, "data"),
		"listeners=PLAINTEXT://" + address + ",CONTROLLER://" + peer,
		"controller.listener.names=CONTROLLER", "controller.quorum.bootstrap.servers=" + peer,
		"offsets.topic.replication.factor=1", "transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
		"share.coordinator.state.topic.replication.factor=1", "share.coordinator.state.topic.min.isr=1",
		noRebalanceDelay, // as in the server.properties that Kafka comes with
	}
	lines = append(lines, settings...)
	if err := os.WriteFile(config, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-cp", classpath, "kafka.tools.StorageTool", "format", "--standalone", "-t", "aG9sZGZhc3QtaW50ZXJvcA", "-c", config).CombinedOutput()
	if err != nil {
		return fmt.Errorf("format Kafka's folder: %w\n%s", err, out)
	}
	return nil
}

// kafkaClasspath reads the class path that test/interop/install.sh wrote.
func kafkaClasspath() (string, error) {
	cache := os.Getenv("HOLDFAST_INTEROP_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(dir, "holdfast", "interop")
	}
	text, err := os.ReadFile(filepath.Join(cache, "java", "classpath"))
	if err != nil {
		return "", fmt.Errorf("no jars of Apache Kafka here; run test/interop/install.sh: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// start runs the system on a folder and returns when it answers ApiVersions.
func (s *system) start(ctx context.Context, dir, address string) (*broker, error) {
	b := &broker{system: s, address: address, dir: dir, done: make(chan struct{})}
	cmd, err := s.command(ctx, b)
	if err != nil {
		return nil, err
	}
	b.cmd = cmd
	if b.log, err = os.OpenFile(filepath.Join(dir, "broker.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = b.log, b.log
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HOLDFAST_") })
	dieWithParent(cmd)
	b.began = time.Now()
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, b.log.Close())
	}
	go func() {
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(b.done)
	}()
	if err := b.awaitVersions(ctx); err != nil {
		return nil, errors.Join(err, b.kill())
	}
	b.ready = time.Since(b.began)
	return b, nil
}

// awaitVersions asks for ApiVersions until there is an answer.
func (b *broker) awaitVersions(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	for {
		conn, err := net.Dial("tcp", b.address)
		if err == nil {
			err = errors.Join(askVersions(conn), conn.Close())
		}
		if err == nil {
			return nil
		}
		select {
		case <-b.done:
			return fmt.Errorf("%s ended before it was ready: %v\n%s", b.system.name, b.cmd.ProcessState, b.said())
		case <-ctx.Done():
			return fmt.Errorf("%s was not ready in time: %w\n%s", b.system.name, err, b.said())
		case <-time.After(time.Millisecond):
		}
	}
}

// said is the end of what the broker printed.
func (b *broker) said() string {
	text, err := os.ReadFile(b.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

func (b *broker) pid() int { return b.cmd.Process.Pid }

// stop ends the process cleanly, or hard where it does not go.
func (b *broker) stop() error {
	_ = b.cmd.Process.Signal(syscall.SIGTERM) // fails only where the process has ended
	select {
	case <-b.done:
		return b.log.Close()
	case <-time.After(60 * time.Second):
		return errors.Join(fmt.Errorf("%s did not end within 60 s", b.system.name), b.kill())
	}
}

func (b *broker) kill() error {
	_ = b.cmd.Process.Kill() // as in stop
	<-b.done
	return b.log.Close()
}

// freeAddress is a loopback address whose port was free a moment ago.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// buildHoldfast builds this checkout's program into dir.
func buildHoldfast(ctx context.Context, dir string) (string, error) {
	bin := filepath.Join(dir, "holdfast")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", bin, "holdfast/cmd/holdfast")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build holdfast: %w\n%s", err, said.String())
	}
	return bin, nil
}
