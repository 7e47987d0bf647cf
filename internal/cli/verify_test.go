package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A cluster that acknowledges what it does not keep is a violation; one that does not let itself be read back leaves the
// question open.
func TestVerifyRunVerdicts(t *testing.T) {
	for _, c := range []struct {
		name    string
		set     func(*kfake.Cluster)
		code    int
		verdict string
	}{
		{"keeps its word", func(*kfake.Cluster) {}, exitDone, "PASS"},
		{"keeps nothing", func(cluster *kfake.Cluster) { refuseProduce(cluster, 5, &kerr.Error{}) }, exitViolation, "FAIL"},
		{"hides its log", hideOffsets, exitInconclusive, "INCONCLUSIVE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := fakeCluster(t)
			c.set(cluster)
			args := strings.Fields("verify run steady --duration 200ms --rate 200 --producers 1 --plain --replication-factor 1 --topic t --seed 3 -o json")
			r := holdfast(t, brokersOf(cluster), "", args...).want(t, c.code)
			var report struct{ Verdict, Command, Scenario string }
			if err := json.Unmarshal([]byte(r.out), &report); err != nil {
				t.Fatal(err)
			}
			if report.Verdict != c.verdict || report.Scenario != "steady" {
				t.Errorf("%+v", report)
			}
			if want := "holdfast verify run steady --duration 200ms --plain=true --producers 1 --rate 200 --replication-factor 1 --topic t --seed 3"; report.Command != want {
				t.Errorf("repeats as %q, want %q", report.Command, want)
			}
		})
	}
}

// hideOffsets refuses to say where a log starts and ends.
func hideOffsets(cluster *kfake.Cluster) {
	cluster.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req := r.(*kmsg.ListOffsetsRequest)
		resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, t := range req.Topics {
			topic := kmsg.NewListOffsetsResponseTopic()
			topic.Topic = t.Topic
			for _, p := range t.Partitions {
				part := kmsg.NewListOffsetsResponseTopicPartition()
				part.Partition, part.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
				topic.Partitions = append(topic.Partitions, part)
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
}

// The events of a record that is refused name the Java client's exception.
func TestJavaNames(t *testing.T) {
	for code, want := range map[*kerr.Error]string{
		kerr.NotEnoughReplicas:            "NotEnoughReplicasException",
		kerr.NotEnoughReplicasAfterAppend: "NotEnoughReplicasAfterAppendException",
		kerr.NotLeaderForPartition:        "NotLeaderOrFollowerException",
		kerr.MessageTooLarge:              "RecordTooLargeException",
		kerr.InvalidTopicException:        "InvalidTopicException",
		kerr.UnknownTopicOrPartition:      "UnknownTopicOrPartitionException",
		kerr.RequestTimedOut:              "TimeoutException",
		kerr.TopicAuthorizationFailed:     "TopicAuthorizationException",
		kerr.ClusterAuthorizationFailed:   "ClusterAuthorizationException",
		kerr.OutOfOrderSequenceNumber:     "OutOfOrderSequenceException",
		kerr.SaslAuthenticationFailed:     "SaslAuthenticationException",
		kerr.InvalidRequiredAcks:          "InvalidRequiredAcksException",
	} {
		if class, _ := javaException(code, "t"); class != javaErrors+want {
			t.Errorf("%s is %s, want %s", code.Message, class, want)
		}
	}
}
