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

// The events of a member are those of Apache Kafka's VerifiableConsumer, field by field; interop compares them with the real
// one. What a poll gave is committed, and what is over --max-messages is not.
func TestVerifyConsumeEvents(t *testing.T) {
	for _, protocol := range []string{"classic", "consumer"} {
		t.Run(protocol, func(t *testing.T) {
			cluster := fakeCluster(t)
			addr := brokersOf(cluster)
			holdfast(t, addr, "", "topic", "create", "t", "-p", "1", "-r", "1").want(t, exitDone)
			holdfast(t, addr, "", "verify", "produce", "--topic", "t", "--max-messages", "5", "--repeating-keys", "2").want(t, exitDone)
			args := strings.Fields("verify consume --topic t --group-id g --verbose --max-messages 3 --group-protocol " + protocol)
			var got []string
			for _, line := range strings.Split(strings.TrimSpace(holdfast(t, addr, "", args...).want(t, exitDone).out), "\n") {
				_, rest, found := strings.Cut(line, ",")
				if !found || !strings.HasPrefix(line, `{"timestamp":1`) {
					t.Fatalf("%q is no event", line)
				}
				got = append(got, rest)
			}
			want := []string{
				`"name":"startup_complete"}`,
				`"name":"partitions_assigned","partitions":[{"topic":"t","partition":0}]}`,
				`"name":"record_data","key":"0","value":"0","topic":"t","partition":0,"offset":0}`,
				`"name":"record_data","key":"1","value":"1","topic":"t","partition":0,"offset":1}`,
				`"name":"record_data","key":"0","value":"2","topic":"t","partition":0,"offset":2}`,
				`"name":"records_consumed","count":5,"partitions":[{"topic":"t","partition":0,"count":3,"minOffset":0,"maxOffset":2}]}`,
				`"name":"offsets_committed","offsets":[{"topic":"t","partition":0,"offset":3}],"success":true}`,
				`"name":"partitions_revoked","partitions":[{"topic":"t","partition":0}]}`,
				`"name":"shutdown_complete"}`,
				`"name":"shutdown_requested"}`,
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("printed\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// A commit that is refused is an event that says why, and the member goes on.
func TestVerifyConsumeCommitFails(t *testing.T) {
	cluster := fakeCluster(t)
	addr := brokersOf(cluster)
	holdfast(t, addr, "", "topic", "create", "t", "-p", "1", "-r", "1").want(t, exitDone)
	holdfast(t, addr, "", "verify", "produce", "--topic", "t", "--max-messages", "2").want(t, exitDone)
	cluster.ControlKey(int16(kmsg.OffsetCommit), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req := r.(*kmsg.OffsetCommitRequest)
		resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
		for _, t := range req.Topics {
			topic := kmsg.NewOffsetCommitResponseTopic()
			topic.Topic, topic.TopicID = t.Topic, t.TopicID
			part := kmsg.NewOffsetCommitResponseTopicPartition()
			part.ErrorCode = kerr.OffsetMetadataTooLarge.Code
			topic.Partitions = append(topic.Partitions, part)
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
	out := holdfast(t, addr, "", strings.Fields("verify consume --topic t --group-id g --max-messages 2")...).want(t, exitDone).out
	if !strings.Contains(out, `"offsets":[{"topic":"t","partition":0,"offset":2}],"error":"`) || !strings.Contains(out, `"success":false}`) || !strings.Contains(out, "shutdown_complete") {
		t.Error(out)
	}
}

func TestVerifyConsumeRefused(t *testing.T) {
	for args, says := range map[string]string{
		"--topic t":    "needs --topic and --group-id",
		"--group-id g": "needs --topic and --group-id",
		"--topic t --group-id g --group-protocol eager":           "--group-protocol",
		"--topic t --group-id g --reset-policy sometimes":         "--reset-policy",
		"--topic t --group-id g --assignment-strategy Fair":       "--assignment-strategy",
		"--topic t --group-id g --group-remote-assignor fair":     "--group-remote-assignor",
		"--topic t --group-id g --consumer.config /nowhere.props": "cannot read",
	} {
		r := holdfast(t, "127.0.0.1:1", "", append([]string{"verify", "consume"}, strings.Fields(args)...)...).want(t, exitUsage)
		if !strings.Contains(r.err, says) {
			t.Errorf("%s: %s", args, r.err)
		}
	}
}
