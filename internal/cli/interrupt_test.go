package cli

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// silence makes the cluster never answer a Produce until the test ends; each request is told to came.
func silence(t *testing.T, c *kfake.Cluster) (came <-chan struct{}) {
	t.Helper()
	seen, end := make(chan struct{}, 100), make(chan struct{})
	t.Cleanup(func() { close(end) })
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		seen <- struct{}{}
		c.SleepControl(func() { <-end })
		return nil, nil, false
	})
	return seen
}

// A record whose answer never comes ends as unknown when its delivery timeout is over, not later.
func TestDeliveryTimeout(t *testing.T) {
	for _, acks := range []string{"all", "1"} {
		t.Run(acks, func(t *testing.T) {
			cluster := fakeCluster(t, kfake.SeedTopics(1, "t"))
			silence(t, cluster)
			began := time.Now()
			r := holdfast(t, brokersOf(cluster), "x\n", "produce", "t", "--acks", acks, "--delivery-timeout", "300ms").want(t, exitFailed)
			if !strings.Contains(r.err, "acked 0, failed 0, unknown 1") || !strings.Contains(r.err, "no confirmation within the delivery timeout of 300ms") {
				t.Error(r.err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// run starts a command whose standard input stays open, as a terminal's does.
func run(ctx context.Context, t *testing.T, brokers string, args ...string) (stdin io.Writer, done <-chan result) {
	t.Helper()
	in, stdin := io.Pipe()
	t.Cleanup(func() { in.Close() })
	results := make(chan result, 1)
	go func() {
		var out, errs bytes.Buffer
		env := Env{In: in, Out: &out, Err: &errs, Getenv: func(string) string { return "" }}
		code := Run(ctx, env, append(args, "--bootstrap", brokers))
		results <- result{code, out.String(), errs.String()}
	}()
	return stdin, results
}

// An interrupt ends the reading, not the sending: what was read is acked, and the exit code says that it was not all.
func TestInterruptedProduceFinishesWhatItRead(t *testing.T) {
	cluster := fakeCluster(t, kfake.SeedTopics(1, "t"))
	acked := make(chan struct{}, 100)
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		acked <- struct{}{}
		return nil, nil, false
	})
	ctx, interrupt := context.WithCancel(t.Context())
	stdin, done := run(ctx, t, brokersOf(cluster), "produce", "t")
	if _, err := io.WriteString(stdin, "one\n"); err != nil {
		t.Fatal(err)
	}
	<-acked
	interrupt()
	r := <-done
	if r.code != exitFailed || !strings.Contains(r.err, "acked 1, failed 0, unknown 0") || !strings.Contains(r.err, "interrupted before the end of the input") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
}

// With --on-error fail the first failure ends the command at once, although another record waits for its answer.
func TestFailureDoesNotWaitForOthers(t *testing.T) {
	cluster := fakeCluster(t, kfake.SeedTopics(2, "t"))
	came := silence(t, cluster)
	stdin, done := run(t.Context(), t, brokersOf(cluster), "produce", "t", "--format", "json", "--on-error", "fail")
	if _, err := io.WriteString(stdin, `{"value":"waits","partition":0}`+"\n"); err != nil {
		t.Fatal(err)
	}
	<-came
	if _, err := io.WriteString(stdin, `{"value":"cannot be","partition":9}`+"\n"); err != nil {
		t.Fatal(err)
	}
	r := <-done
	if r.code != exitFailed || !strings.Contains(r.err, "acked 0, failed 1, unknown 1") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
}

func TestFollow(t *testing.T) {
	b := brokersOf(fakeCluster(t, kfake.SeedTopics(1, "t")))
	holdfast(t, b, "before\n", "produce", "t").want(t, exitDone)
	_, done := run(t.Context(), t, b, "consume", "t", "--follow", "--count", "2")
	holdfast(t, b, "after\n", "produce", "t").want(t, exitDone)
	if r := <-done; r.code != exitDone || r.out != "before\nafter\n" {
		t.Errorf("exit %d: %q %s", r.code, r.out, r.err)
	}
}
