package verify

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/local"
	"holdfast/internal/verify/check"
	"holdfast/internal/verify/workload"
)

// roundsEnv makes the runs on real nodes long: CI's form is 50 rounds.
const roundsEnv = "HOLDFAST_VERIFY_ROUNDS"

func rounds(t *testing.T, otherwise int) int {
	t.Helper()
	text := os.Getenv(roundsEnv)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is no number of rounds", roundsEnv, text)
	}
	return n
}

func openerOf(addrs ...string) workload.Opener {
	dialer := &net.Dialer{}
	return func(wrap func(workload.Dial) workload.Dial, extra ...kgo.Opt) (*kgo.Client, error) {
		opts := []kgo.Opt{
			kgo.SeedBrokers(addrs...), kgo.MetadataMinAge(20 * time.Millisecond),
			kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
		}
		if wrap != nil {
			opts = append(opts, kgo.Dialer(wrap(dialer.DialContext)))
		}
		return kgo.NewClient(append(opts, extra...)...)
	}
}

// options are a small load for a scenario.
func options(t *testing.T, name string) Options {
	t.Helper()
	s, ok := Find(name)
	if !ok {
		t.Fatalf("there is no scenario %s", name)
	}
	return Options{
		Command: t.Name(), Scenario: s, Seed: 7, Rounds: 1, Duration: 200 * time.Millisecond, Every: 200 * time.Millisecond,
		Topic: "t", Partitions: 2, Replication: 1, Producers: 2,
		Load: workload.Settings{
			Acks: s.Acks, Idempotent: s.Idempotent, Retries: s.Retries, DeliveryTimeout: time.Minute,
			Rate: 500, Size: 100, Codec: "none",
		},
		RecoverWithin: 20 * time.Second,
	}
}

// program builds holdfast once for all tests.
func program(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("HOLDFAST_BIN"); bin != "" {
		return bin
	}
	bin := filepath.Join(t.TempDir(), "holdfast")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "holdfast/cmd/holdfast").CombinedOutput(); err != nil {
		t.Fatalf("build holdfast: %v\n%s", err, out)
	}
	return bin
}

// onNodes runs a scenario on a node of its own.
func onNodes(t *testing.T, bin string, o Options, set ...string) *Report {
	t.Helper()
	port, err := local.FreePort(1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := local.Create(local.Options{Dir: filepath.Join(t.TempDir(), "cluster"), Nodes: 1, Port: port, Binary: bin, Set: set})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(10 * time.Second); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	if err := c.Up(ctx); err != nil {
		t.Fatal(err)
	}
	o.Local, o.Open = c, openerOf(c.Bootstrap())
	if len(o.Groups) > 0 {
		o.Member = []string{bin, "verify", "member", "--bootstrap", c.Bootstrap()}
	}
	r, err := Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := r.Print(&text); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + text.String())
	return r
}

// A node that is killed again and again keeps every record it acknowledged, in order and once; what weaker settings lose
// is counted. HOLDFAST_VERIFY_ROUNDS sets the number of kills.
func TestLeaderKill(t *testing.T) {
	bin := program(t)
	for name, few := range map[string]int{"leader-kill": 4, "no-retries-leader-kill": 2, "acks1-leader-kill": 1, "acks0-leader-kill": 1} {
		t.Run(name, func(t *testing.T) {
			o := options(t, name)
			o.Rounds = rounds(t, few)
			r := onNodes(t, bin, o)
			if r.Verdict != Pass || len(r.Rounds) != o.Rounds || r.Ops.Acked == 0 {
				t.Errorf("%s after %d of %d rounds", r.Verdict, len(r.Rounds), o.Rounds)
			}
			if o.Load.Acks == -1 && r.Ops.Lost > 0 {
				t.Errorf("%d acknowledged records are lost", r.Ops.Lost)
			}
			if name == "leader-kill" && (r.Ops.Unknown > 0 || r.Ops.Failed > 0) {
				t.Errorf("with endless retries %d records ended as unknown and %d as failed", r.Ops.Unknown, r.Ops.Failed)
			}
		})
	}
}

func fake(t *testing.T) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// A cluster that acknowledges what it throws away is found out.
func TestFindsLoss(t *testing.T) {
	for name, verdict := range map[string]check.Verdict{"steady": Fail, "acks1": Pass} {
		t.Run(name, func(t *testing.T) {
			c := fake(t)
			requests, lost := 0, int64(0)
			c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
				c.KeepControl()
				if requests++; requests%10 > 0 {
					return nil, nil, false
				}
				resp := thrownAway(r.(*kmsg.ProduceRequest))
				lost += int64(len(resp.Topics))
				return resp, nil, true
			})
			o := options(t, "steady")
			o.Open, o.Load.Idempotent = openerOf(c.ListenAddrs()...), false
			if name == "acks1" {
				o.Load.Acks = 1
			}
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != verdict || r.Ops.Lost < lost || r.Ops.Lost == 0 {
				t.Errorf("%s with %d lost, want %s and at least %d\n%s", r.Verdict, r.Ops.Lost, verdict, lost, r.Block())
			}
		})
	}
}

// thrownAway acknowledges a request of which nothing is kept.
func thrownAway(req *kmsg.ProduceRequest) *kmsg.ProduceResponse {
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range req.Topics {
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic, topic.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			part := kmsg.NewProduceResponseTopicPartition()
			part.Partition, part.BaseOffset = p.Partition, -1
			topic.Partitions = append(topic.Partitions, part)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

// A quiet cluster passes with every kind of load; objectives that cannot be met are missed, and an interrupt is an error.
func TestSteady(t *testing.T) {
	c := fake(t)
	for name, set := range map[string]func(*Options){
		"plain":      func(*Options) {},
		"keyed":      func(o *Options) { o.Load.Keys, o.Load.Codec = 40, "zstd" },
		"no retries": func(o *Options) { o.Load.Retries, o.Load.Idempotent = 0, false },
		"full speed": func(o *Options) { o.Load.Rate, o.Duration, o.Load.Linger = 0, 50*time.Millisecond, time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, "steady")
			o.Open, o.Topic = openerOf(c.ListenAddrs()...), strings.ReplaceAll(name, " ", "-")
			set(&o)
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != Pass || r.Ops.Acked < 10 || r.Ops.Acked != r.Ops.Found {
				t.Errorf("%s\n%s", r.Verdict, r.Block())
			}
		})
	}
	o := options(t, "steady")
	o.Open, o.Topic, o.GapWithin = openerOf(c.ListenAddrs()...), "missed", time.Nanosecond
	if r, err := Run(t.Context(), o); err != nil || r.Verdict != Missed || len(r.Missed) == 0 {
		t.Errorf("%v, %v", r.Verdict, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	o.Topic, o.Duration, o.Say = "interrupted", time.Minute, func(text string) {
		if strings.HasPrefix(text, "load") {
			cancel()
		}
	}
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// What cannot be meant is refused before anything is touched.
func TestRefused(t *testing.T) {
	for name, set := range map[string]func(*Options){
		"kills without nodes":    func(o *Options) { o.Scenario, _ = Find("leader-kill") },
		"idempotent with acks=1": func(o *Options) { o.Load.Acks = 1 },
		"idempotent, no retries": func(o *Options) { o.Load.Retries = 0 },
		"no partition":           func(o *Options) { o.Partitions = 0 },
		"no producer":            func(o *Options) { o.Producers = 0 },
		"too small":              func(o *Options) { o.Load.Size = 10 },
		"no time":                func(o *Options) { o.Duration = 0 },
	} {
		o := options(t, "steady")
		set(&o)
		if _, err := Run(t.Context(), o); err == nil {
			t.Errorf("%s was run", name)
		}
	}
}

// A node that does not come back is a failure, and the report says which and why.
func TestDoesNotComeBack(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "holdfast-once")
	if err := os.Link(program(t), bin); err != nil {
		t.Skip("no hard links here: ", err)
	}
	o := options(t, "leader-kill")
	o.Say = func(text string) {
		if strings.HasPrefix(text, "round") {
			_ = os.Remove(bin) // what a start then finds is nothing
		}
	}
	r := onNodes(t, bin, o)
	if r.Verdict != Fail || !strings.Contains(r.Broken, "start node 1") || r.Ops.Acked == 0 {
		t.Errorf("%s: %s", r.Verdict, r.Broken)
	}
}
