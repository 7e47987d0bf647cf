package cli

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// refuseProduce answers every Produce with code, n times; afterwards the cluster answers itself.
func refuseProduce(c *kfake.Cluster, n int, code *kerr.Error) {
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		if n--; n >= 0 {
			c.KeepControl()
		} else {
			return nil, nil, false
		}
		return produceAnswer(r, code), nil, true
	})
}

// produceAnswer answers every partition of a Produce with code.
func produceAnswer(r kmsg.Request, code *kerr.Error) kmsg.Response {
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

// Failed is said only of records that are surely not in the log.
func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		name    string
		code    *kerr.Error
		answers int
		args    string
		says    string
	}{
		{"refused once", kerr.MessageTooLarge, 1, "", "acked 0, failed 1, unknown 0"},
		{"refused, retries used up", kerr.NotEnoughReplicas, 9, "--retries 1", "acked 0, failed 1, unknown 0"},
		{"refused, then taken", kerr.NotEnoughReplicas, 1, "", "acked 1, failed 0, unknown 0"},
		{"may have been appended", kerr.NotEnoughReplicasAfterAppend, 9, "--retries 0 --delivery-timeout 1s", "acked 0, failed 0, unknown 1"},
		{"server's fault", kerr.UnknownServerError, 1, "--retries 0", "acked 0, failed 0, unknown 1"},
		{"dropped and counted", kerr.InvalidRecord, 1, "--on-error drop", "acked 0, failed 1, unknown 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := fakeCluster(t, kfake.SeedTopics(1, "t"))
			refuseProduce(cluster, c.answers, c.code)
			r := holdfast(t, brokersOf(cluster), "x\n", append([]string{"produce", "t"}, strings.Fields(c.args)...)...)
			if !strings.Contains(r.err, c.says) || (r.code == exitDone) != strings.HasPrefix(c.says, "acked 1") {
				t.Errorf("exit %d: %s, want %s", r.code, r.err, c.says)
			}
		})
	}
}

// A lost answer leaves the outcome open, also where a later try is refused for certain.
func TestLostAnswerThenRefused(t *testing.T) {
	cluster := fakeCluster(t, kfake.SeedTopics(1, "t"))
	tries := 0
	cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if tries++; tries == 1 {
			return nil, net.ErrClosed, true // closes the connection without an answer
		}
		return produceAnswer(r, kerr.TopicAuthorizationFailed), nil, true
	})
	r := holdfast(t, brokersOf(cluster), "x\n", "produce", "t").want(t, exitFailed)
	if !strings.Contains(r.err, "acked 0, failed 0, unknown 1") {
		t.Errorf("tries %d: %s", tries, r.err)
	}
}

// What --on-error spill keeps, --resend sends, and then it is gone.
func TestSpillAndResend(t *testing.T) {
	cluster := fakeCluster(t, kfake.SeedTopics(1, "t"))
	b, dir := brokersOf(cluster), filepath.Join(t.TempDir(), "unsent")
	refuseProduce(cluster, 1, kerr.InvalidRecord)
	r := holdfast(t, b, "k1:v1\nk2:v2\n", "produce", "t", "-K", ":", "-H", "a=b", "--on-error", "spill:"+dir).want(t, exitFailed)
	if !strings.Contains(r.err, "--resend "+dir) {
		t.Errorf("does not say how to go on: %s", r.err)
	}
	refuseProduce(cluster, 1, kerr.InvalidRecord)
	holdfast(t, b, "", "produce", "--resend", dir).want(t, exitFailed) // refused again: kept again
	files, err := spillFiles(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	holdfast(t, b, "", "produce", "--resend", dir).want(t, exitDone)
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	r = holdfast(t, b, "", "consume", "t", "--format", `%k=%v %h{%k=%v}\n`).want(t, exitDone)
	if r.out != "k1=v1 a=b\nk2=v2 a=b\n" {
		t.Errorf("read %q", r.out)
	}
}
