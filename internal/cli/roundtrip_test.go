package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

func TestProduceThenConsume(t *testing.T) {
	b := brokersOf(fakeCluster(t))
	holdfast(t, b, "", "topic", "create", "orders", "-p", "3").want(t, exitDone)
	r := holdfast(t, b, "k1:v1\nk2:v2\nk1:v3\n", "produce", "orders", "-K", ":", "-H", "source=test").want(t, exitDone)
	if got := strings.TrimSpace(r.err); got != "acked 3, failed 0, unknown 0" {
		t.Fatalf("counts: %q", got)
	}
	r = holdfast(t, b, "", "consume", "orders", "-o", "json").want(t, exitDone)
	if len(r.lines()) != 3 {
		t.Fatalf("read %d records: %s", len(r.lines()), r.out)
	}
	partitionOfKey := map[string]int32{}
	for _, line := range r.lines() {
		var j recordJSON
		if err := json.Unmarshal([]byte(line), &j); err != nil {
			t.Fatal(err)
		}
		if p, seen := partitionOfKey[*j.Key]; seen && p != *j.Partition {
			t.Errorf("key %s is in partitions %d and %d", *j.Key, p, *j.Partition)
		}
		partitionOfKey[*j.Key] = *j.Partition
		if len(j.Headers) != 1 || j.Headers[0].Key != "source" || *j.Headers[0].Value != "test" {
			t.Errorf("headers: %+v", j.Headers)
		}
	}
}

func TestConsumeOffsets(t *testing.T) {
	b := brokersOf(fakeCluster(t, kfake.SeedTopics(1, "t")))
	holdfast(t, b, "0\n1\n2\n3\n4\n", "produce", "t").want(t, exitDone)
	for _, c := range []struct {
		args string
		want string
		code int
	}{
		{"", "0 1 2 3 4", exitDone},
		{"--offset 3", "3 4", exitDone},
		{"--offset 5", "", exitDone},
		{"--offset 6", "", exitFailed},
		{"--offset -2", "3 4", exitDone},
		{"--offset latest", "", exitDone},
		{"--offset @1h --count 2", "0 1", exitDone},
		{"--offset @2099-01-01", "", exitDone},
		{"--offset soon", "", exitUsage},
		{"--partition 0 --count 1", "0", exitDone},
		{"--partition 1", "", exitFailed},
	} {
		r := holdfast(t, b, "", append([]string{"consume", "t"}, strings.Fields(c.args)...)...).want(t, c.code)
		if got := strings.Join(r.lines(), " "); got != c.want {
			t.Errorf("consume t %s: %q, want %q", c.args, got, c.want)
		}
	}
}

// What consume writes as JSON, produce reads back to the same record: null, empty, binary and header values included.
func TestJSONRoundTrip(t *testing.T) {
	b := brokersOf(fakeCluster(t, kfake.SeedTopics(2, "from", "to")))
	in := `{"key":null,"value":"plain","partition":1}
{"key":"","value":null,"partition":0,"timestampMs":1700000000000}
{"keyBase64":"/w==","value":"\u0000 nul","headers":[{"key":"h","value":null},{"key":"h","valueBase64":"gA=="}],"partition":1}
`
	holdfast(t, b, in, "produce", "from", "--format", "json").want(t, exitDone)
	first := holdfast(t, b, "", "consume", "from", "-o", "json").want(t, exitDone)
	copied := ""
	for _, line := range first.lines() {
		var j recordJSON
		if err := json.Unmarshal([]byte(line), &j); err != nil {
			t.Fatal(err)
		}
		copied += line + "\n"
	}
	holdfast(t, b, copied, "produce", "to", "--format", "json").want(t, exitDone)
	for _, p := range []string{"0", "1"} {
		a := holdfast(t, b, "", "consume", "from", "-o", "json", "-p", p)
		z := holdfast(t, b, "", "consume", "to", "-o", "json", "-p", p)
		if want := strings.ReplaceAll(a.out, `"topic":"from"`, `"topic":"to"`); z.out != want {
			t.Errorf("partition %s:\n%s\nwant\n%s", p, z.out, want)
		}
	}
}

func TestProduceSaysWhatIsWrong(t *testing.T) {
	b := brokersOf(fakeCluster(t, kfake.SeedTopics(1, "orders")))
	for _, c := range []struct {
		stdin, args string
		code        int
		says        string
	}{
		{"x", "produce ordres", exitFailed, "Did you mean orders?"},
		{"x", "produce", exitUsage, "needs the name of a topic"},
		{"x", "produce orders --format xml", exitUsage, `no input format "xml"`},
		{"x", "produce orders -K :", exitUsage, "line 1 of the input: no key"},
		{"zz", "produce orders --format hex", exitUsage, "line 1 of the input"},
		{`{"valeu":1}`, "produce orders --format json", exitUsage, "unknown field"},
		{"x", "produce orders --acks 2", exitUsage, "must be one of all"},
		{"x", "produce orders --retries many", exitUsage, "whole number"},
		{"x", "produce orders --delivery-timeout -1s", exitUsage, "from 1 to"},
		{"x", "produce orders --on-error ignore", exitUsage, "fail, drop, log or spill:DIR"},
		{"x", "produce orders --header novalue", exitUsage, "not a header"},
		{"x", "produce orders --partition 7", exitFailed, "acked 0, failed 1, unknown 0"},
	} {
		r := holdfast(t, b, c.stdin, strings.Fields(c.args)...)
		if r.code != c.code || !strings.Contains(r.err, c.says) {
			t.Errorf("%s: exit %d, want %d; says %q, want %q", c.args, r.code, c.code, r.err, c.says)
		}
	}
}
