package workload

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/verify/check"
)

// openerOf makes clients of an imitation.
func openerOf(c *kfake.Cluster) Opener {
	dialer := &net.Dialer{}
	return func(wrap func(Dial) Dial, extra ...kgo.Opt) (*kgo.Client, error) {
		opts := []kgo.Opt{
			kgo.SeedBrokers(c.ListenAddrs()...), kgo.MetadataMinAge(10 * time.Millisecond),
			kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }),
		}
		if wrap != nil {
			opts = append(opts, kgo.Dialer(wrap(dialer.DialContext)))
		}
		return kgo.NewClient(append(opts, extra...)...)
	}
}

// answerProduce answers every partition of a Produce with code.
func answerProduce(r kmsg.Request, code *kerr.Error) kmsg.Response {
	req := r.(*kmsg.ProduceRequest)
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range req.Topics {
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic, topic.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			part := kmsg.NewProduceResponseTopicPartition()
			part.Partition, part.ErrorCode = p.Partition, code.Code
			topic.Partitions = append(topic.Partitions, part)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

// step is what happens to one Produce request.
type step struct {
	code  *kerr.Error // answered instead of being appended
	cut   bool        // the connection is cut instead of an answer
	taken bool        // the imitation appends and answers
}

// What became of a record is said as strongly as can be known, and no stronger.
func TestOutcomes(t *testing.T) {
	refused, doubtful := step{code: kerr.NotEnoughReplicas}, step{code: kerr.NotEnoughReplicasAfterAppend}
	for _, c := range []struct {
		name    string
		steps   []step
		retries int
		plain   bool
		want    string // acked, failed, unknown
	}{
		{"taken", []step{{taken: true}}, 0, true, "1 0 0"},
		{"refused", []step{{code: kerr.MessageTooLarge}}, 3, false, "0 1 0"},
		{"refused as often as allowed", []step{refused, refused, refused}, 2, true, "0 1 0"},
		{"refused, then taken", []step{refused, {taken: true}}, 3, false, "1 0 0"},
		{"after the append", []step{doubtful}, 0, true, "0 0 1"},
		{"not leader any more", []step{{code: kerr.NotLeaderForPartition}}, 0, true, "0 0 1"},
		{"timed out", []step{{code: kerr.RequestTimedOut}}, 0, true, "0 0 1"},
		{"an error nobody classified", []step{{code: kerr.UnknownServerError}}, 0, true, "0 0 1"},
		{"cut", []step{{cut: true}}, 0, true, "0 0 1"},
		{"cut, then refused for good", []step{{cut: true}, {code: kerr.InvalidRecord}}, 5, false, "0 0 1"},
		{"cut, then taken", []step{{cut: true}, {taken: true}}, 5, false, "1 0 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
			if err != nil {
				t.Fatal(err)
			}
			defer cluster.Close()
			play(cluster, c.steps)
			s := Settings{
				Topic: "t", Partitions: 1, Acks: -1, Idempotent: !c.plain, Retries: c.retries,
				DeliveryTimeout: time.Minute, Size: 100, Codec: "none",
			}
			report := one(t, cluster, s)
			o := report.Ops
			if got := strings.Join([]string{text(o.Acked), text(o.Failed), text(o.Unknown)}, " "); got != c.want {
				t.Errorf("acked, failed, unknown: %s, want %s", got, c.want)
			}
			if report.Verdict == check.Fail {
				t.Errorf("%s\n%s", report.Verdict, report.Block())
			}
		})
	}
}

func text(n int64) string { return string(rune('0' + n)) }

// play lets each Produce meet its step; those after the last are taken.
func play(cluster *kfake.Cluster, steps []step) {
	cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if len(steps) == 0 {
			return nil, nil, false
		}
		s := steps[0]
		steps = steps[1:]
		switch {
		case s.cut:
			return nil, net.ErrClosed, true
		case s.taken:
			return nil, nil, false
		}
		return answerProduce(r, s.code), nil, true
	})
}

// one sends a single record, reads everything back and judges.
func one(t *testing.T, cluster *kfake.Cluster, s Settings) check.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	open := openerOf(cluster)
	j := NewJudge(check.New(check.Options{Partitions: []string{"t-0"}}), 7)
	p, err := NewProducer("p", s, open, j, NewPulse(s.Partitions), 1)
	if err != nil {
		t.Fatal(err)
	}
	p.send(0)
	if left, err := p.Close(20 * time.Second); err != nil || left > 0 {
		t.Fatalf("%d records without an outcome: %v", left, err)
	}
	if _, err := Audit(ctx, "t", 1, open, j); err != nil {
		t.Fatal(err)
	}
	var report check.Report
	j.Tell(func(c *check.Checker) { report = c.Finish() })
	return report
}

// acks=0 is never answered: it counts as acked once it is written, and no offset is claimed.
func TestAcksNone(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	report := one(t, cluster, Settings{Topic: "t", Partitions: 1, Retries: RetriesMax, DeliveryTimeout: time.Minute, Size: 100})
	if report.Ops.Acked != 1 || report.Verdict != check.Pass {
		t.Errorf("%s\n%s", report.Verdict, report.Block())
	}
}

// A value that is not the run's own is a phantom, whoever wrote it.
func TestForeignRecord(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	client, err := openerOf(cluster)(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	other := Payload{Run: 8, Time: time.Now()}.Append(nil, 100)
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: other}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	report := one(t, cluster, Settings{Topic: "t", Partitions: 1, Acks: -1, Retries: RetriesMax, DeliveryTimeout: time.Minute, Size: 100})
	if v7 := report.Check("V7"); report.Verdict != check.Fail || v7.Count != 1 {
		t.Errorf("%s\n%s", report.Verdict, report.Block())
	}
}
