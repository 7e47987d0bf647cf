package interop

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestKcat is the first thing that many do with a broker.
func TestKcat(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	kcat := tool{argv: []string{program(t, "kcat"), "-b", b.Addr}}

	// The topic comes into being with the first record, as Kafka's auto.create.topics.enable has it.
	kcat.run(t, "one\ntwo\nthree\n", "-P", "-t", "first", "-p", "0", "-X", "message.timeout.ms=20000")
	if got := kcat.run(t, "", "-C", "-q", "-t", "first", "-p", "0", "-o", "beginning", "-e"); got != "one\ntwo\nthree\n" {
		t.Errorf("read %q", got)
	}
	if got := kcat.run(t, "", "-C", "-q", "-t", "first", "-p", "0", "-o", "-2", "-e", "-f", "%o=%s;"); got != "1=two;2=three;" {
		t.Errorf("the last two are %q", got)
	}
	if got := kcat.run(t, "", "-C", "-q", "-t", "first", "-p", "0", "-o", "1", "-c", "1"); got != "two\n" {
		t.Errorf("at offset 1 stands %q", got)
	}
	for at, want := range map[string]string{"-1": "3", "-2": "0", "1000": "0"} {
		if got := kcat.run(t, "", "-Q", "-t", "first:0:"+at); !strings.Contains(got, "first [0] offset "+want) {
			t.Errorf("the offset for %s is %q, want %s", at, got, want)
		}
	}

	var listed struct {
		Brokers []struct {
			ID   int
			Name string
		}
		Topics []struct {
			Topic      string
			Partitions []struct{ Partition, Leader int }
		}
	}
	if err := json.Unmarshal([]byte(kcat.run(t, "", "-L", "-J", "-t", "first")), &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed.Brokers) != 1 || listed.Brokers[0].Name != b.Addr || listed.Brokers[0].ID != 1 ||
		len(listed.Topics) != 1 || listed.Topics[0].Topic != "first" || listed.Topics[0].Partitions[0].Leader != 1 {
		t.Errorf("listed %+v", listed)
	}

	for _, acks := range []string{"0", "1", "all"} {
		kcat.run(t, "with acks="+acks, "-P", "-t", "acks", "-p", "0", "-X", "acks="+acks)
	}
	if got := kcat.run(t, "", "-C", "-q", "-t", "acks", "-p", "0", "-o", "beginning", "-c", "3"); got != "with acks=0\nwith acks=1\nwith acks=all\n" {
		t.Errorf("read %q", got)
	}
}
