package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestVerifiableProducer compares `holdfast verify produce` with Apache Kafka's VerifiableProducer, event by event: the
// same flags, against the same broker, must print the same lines but for times and rates.
func TestVerifiableProducer(t *testing.T) {
	b := startBroker(t)
	original := java(t, "org.apache.kafka.tools.VerifiableProducer")
	ours := holdfast(t)
	ours.argv = append(ours.argv, "verify", "produce")
	file := filepath.Join(t.TempDir(), "client.properties")
	if err := os.WriteFile(file, []byte("acks=all\nretries=3\nenable.idempotence=true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		name, args string
		topic      string            // in place of a fresh one
		config     map[string]string // of the topic
	}{
		{name: "plain", args: "--max-messages 4"},
		{name: "keys and prefix", args: "--max-messages 5 --value-prefix 3 --repeating-keys 2"},
		{name: "acks 1 at a pace", args: "--max-messages 3 --acks 1 --throughput 50"},
		{name: "acks 0", args: "--max-messages 2 --acks 0"},
		{name: "none", args: "--max-messages 0"},
		{name: "created in the past", args: "--max-messages 3 --message-create-time 1000000000000"},
		{name: "idempotent by file", args: "--max-messages 3 --command-config " + file},
		{name: "bad name", args: "--max-messages 1", topic: "bad/name"},
		{name: "too large", args: "--max-messages 1 --repeating-keys 1", config: map[string]string{"max.message.bytes": "60"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var said [2][]string
			for k, producer := range []tool{original, ours} {
				topic := c.topic
				if topic == "" {
					topic = fmt.Sprintf("verifiable-%d-%d", i, k)
					b.CreateTopic(t, topic, 1, c.config)
				}
				args := append([]string{"--bootstrap-server", b.Addr, "--topic", topic}, strings.Fields(c.args)...)
				said[k] = events(producer.run(t, "", args...), topic)
			}
			if len(said[0]) < 3 {
				t.Fatalf("the original printed %q", said[0])
			}
			if got, want := strings.Join(said[1], "\n"), strings.Join(said[0], "\n"); got != want {
				t.Errorf("verify produce printed\n%s\nand VerifiableProducer\n%s", got, want)
			}
		})
	}
}

var (
	changing = regexp.MustCompile(`"(timestamp|avg_throughput)":[0-9.E]+`)
	// What the broker said about one record: the Java client prints it, the library of ours does not hand it on.
	brokersWords = regexp.MustCompile(`(RecordTooLargeException","message":)"[^"]*"`)
)

// events are the lines of a verifiable client without what differs from run to run.
func events(out, topic string) []string {
	var list []string
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		line = changing.ReplaceAllString(line, `"$1":0`)
		line = brokersWords.ReplaceAllString(line, `$1"…"`)
		list = append(list, strings.ReplaceAll(line, topic, "TOPIC"))
	}
	return list
}

// TestVerifyRunOnKafka lets `holdfast verify run steady` judge Apache Kafka: it is for any cluster.
func TestVerifyRunOnKafka(t *testing.T) {
	b := startKafka(t)
	for _, args := range []string{"", "--plain --acks 1 --keys 30 --compression zstd", "--plain --retries 0"} {
		out := holdfast(t).run(t, "", append([]string{"verify", "run", "steady", "--bootstrap", b.Addr, "--duration", "1s"}, strings.Fields(args)...)...)
		wantLines(t, out, `VERDICT  PASS$`, `^acked [1-9][\d,]+ `, "V1 lost 0")
	}
}
