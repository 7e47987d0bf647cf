package interop

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestJavaTools drives Apache Kafka's command line tools as their users do, one after the other on one broker.
func TestJavaTools(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	tools := javaTools{b}
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"topics", tools.topics},
		{"topics refused", tools.topicsRefused},
		{"console-producer and console-consumer", tools.console},
		{"producer-perf", tools.producerPerf},
		{"get-offsets", tools.getOffsets},
		{"configs", tools.configs},
		{"delete-records", tools.deleteRecords},
		{"log-dirs", tools.logDirs},
		{"cluster", tools.cluster},
		{"broker-api-versions", tools.brokerAPIVersions},
		{"topics deleted", tools.topicsDeleted},
	} {
		if !t.Run(step.name, step.run) {
			t.Fatal("the next tools build on this one")
		}
	}
}

type javaTools struct{ b *Broker }

// run starts a tool of org.apache.kafka.tools against the broker.
func (j javaTools) run(t *testing.T, class string, args ...string) string {
	t.Helper()
	return java(t, class).run(t, "", append([]string{"--bootstrap-server", j.b.Addr}, args...)...)
}

const (
	topicCommand  = "org.apache.kafka.tools.TopicCommand"
	configCommand = "kafka.admin.ConfigCommand"
)

// wantLines fails unless each pattern, a regular expression, is found in a line of its own or another's.
func wantLines(t *testing.T, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile("(?m)" + p).MatchString(text) {
			t.Errorf("no line matches %s in:\n%s", p, tail(text))
		}
	}
}

func (j javaTools) topics(t *testing.T) {
	j.run(t, topicCommand, "--create", "--topic", "tools", "--partitions", "2", "--replication-factor", "1",
		"--config", "retention.ms=7200000", "--config", "compression.type=zstd")
	j.run(t, topicCommand, "--create", "--topic", "defaults") // figures left to the broker
	j.run(t, topicCommand, "--create", "--topic", "tools", "--if-not-exists")
	wantLines(t, j.run(t, topicCommand, "--list"), "^tools$", "^defaults$")
	j.run(t, topicCommand, "--alter", "--topic", "tools", "--partitions", "3")
	wantLines(t, j.run(t, topicCommand, "--describe", "--topic", "tools"),
		`TopicId: [\w-]{22}\tPartitionCount: 3\tReplicationFactor: 1\tConfigs: .*retention.ms=7200000`,
		`Configs: .*compression.type=zstd`,
		`Topic: tools\tPartition: 2\tLeader: 1\tReplicas: 1\tIsr: 1\tElr: \tLastKnownElr: `)
	if out := j.run(t, topicCommand, "--describe", "--under-replicated-partitions"); strings.TrimSpace(out) != "" {
		t.Errorf("under-replicated partitions on a broker of its own: %s", out)
	}
}

func (j javaTools) topicsRefused(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"--create --topic tools", "already exists"},
		{"--create --topic a/b", "(?i)invalid|illegal"},
		{"--create --topic wide --replication-factor 2", "(?i)replication factor"},
		{"--create --topic odd --config retention.hours=7", "(?i)unknown.*retention.hours|retention.hours"},
		{"--create --topic odd --config retention.ms=soon", "(?i)invalid value|retention.ms"},
		{"--alter --topic tools --partitions 1", "(?i)partition"},
		{"--describe --topic absent", "does not exist"},
	} {
		args := append([]string{"--bootstrap-server", j.b.Addr}, strings.Fields(c.args)...)
		out, errs, err := java(t, topicCommand).try(t, "", args...)
		if err == nil {
			t.Errorf("topics %s: done, want it refused", c.args)
		}
		wantLines(t, out+errs, c.says)
	}
}

func (j javaTools) console(t *testing.T) {
	const producer, consumer = "org.apache.kafka.tools.ConsoleProducer", "org.apache.kafka.tools.consumer.ConsoleConsumer"
	for _, codec := range allCodecs {
		topic := "console-" + codec
		j.b.CreateTopic(t, topic, 1, nil)
		in := "a:1,b:2\tk1\tthe first\nNULL\tk2\tdas zweite: ü\na:\tNULL\tNULL\n"
		java(t, producer).run(t, in, "--bootstrap-server", j.b.Addr, "--topic", topic, "--compression-codec", codec,
			"--reader-property", "parse.key=true", "--reader-property", "parse.headers=true", "--reader-property", "null.marker=NULL")
		out := java(t, consumer).run(t, "", "--bootstrap-server", j.b.Addr, "--topic", topic,
			"--partition", "0", "--offset", "earliest", "--max-messages", "3", "--timeout-ms", "20000",
			"--formatter-property", "print.key=true", "--formatter-property", "print.headers=true", "--formatter-property", "print.offset=true",
			"--formatter-property", "print.timestamp=true", "--formatter-property", "print.partition=true")
		want := regexp.MustCompile(`^CreateTime:\d{13}\tPartition:0\tOffset:0\ta:1,b:2\tk1\tthe first
CreateTime:\d{13}\tPartition:0\tOffset:1\tNO_HEADERS\tk2\tdas zweite: ü
CreateTime:\d{13}\tPartition:0\tOffset:2\ta:\tnull\tnull
$`)
		if !want.MatchString(out) {
			t.Errorf("%s: the console consumer printed:\n%s", codec, out)
		}
	}
	out := java(t, consumer).run(t, "", "--bootstrap-server", j.b.Addr, "--topic", "console-none",
		"--partition", "0", "--offset", "1", "--max-messages", "1", "--timeout-ms", "20000")
	if out != "das zweite: ü\n" {
		t.Errorf("at offset 1 stands %q", out)
	}
}

func (j javaTools) producerPerf(t *testing.T) {
	j.b.CreateTopic(t, "perf", 1, nil)
	out := j.run(t, "org.apache.kafka.tools.ProducerPerformance", "--topic", "perf", "--num-records", "5000", "--record-size", "200",
		"--throughput", "-1", "--command-property", "acks=all")
	wantLines(t, out, `^5000 records sent, .* ms 99.9th\.$`)
}

func (j javaTools) getOffsets(t *testing.T) {
	const shell = "org.apache.kafka.tools.GetOffsetShell"
	wantLines(t, j.run(t, shell, "--topic", "perf"), "^perf:0:5000$")
	wantLines(t, j.run(t, shell, "--topic", "perf", "--time", "earliest"), "^perf:0:0$")
	wantLines(t, j.run(t, shell, "--topic", "perf", "--time", "max-timestamp"), `^perf:0:\d+$`)
	wantLines(t, j.run(t, shell, "--topic", "perf", "--time", "1000000000000"), "^perf:0:0$")
	wantLines(t, j.run(t, shell, "--topic-partitions", "tools:1-3,defaults"), "^tools:1:0$", "^tools:2:0$", "^defaults:0:0$")
}

func (j javaTools) configs(t *testing.T) {
	topic := []string{"--entity-type", "topics", "--entity-name", "tools"}
	j.run(t, configCommand, append(topic, "--alter", "--add-config", "max.message.bytes=2000000,retention.ms=3600000")...)
	j.run(t, configCommand, append(topic, "--alter", "--delete-config", "compression.type")...)
	out := j.run(t, configCommand, append(topic, "--describe")...)
	wantLines(t, out, `max.message.bytes=2000000 sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000000, DEFAULT_CONFIG:message.max.bytes=1048588\}`,
		"retention.ms=3600000")
	if strings.Contains(out, "compression.type") {
		t.Errorf("compression.type was deleted and is still there:\n%s", out)
	}
	wantLines(t, j.run(t, configCommand, append(topic, "--describe", "--all")...),
		`cleanup.policy=delete`, `segment.bytes=1073741824`, `min.insync.replicas=1`, `unclean.leader.election.enable=false`)
	broker := []string{"--entity-type", "brokers", "--entity-name", "1"}
	wantLines(t, j.run(t, configCommand, append(broker, "--describe", "--all")...), `log.retention.hours=168|log.retention.ms=`, `num.partitions=1`)
	broker = []string{"--entity-type", "brokers", "--entity-default"}
	j.run(t, configCommand, append(broker, "--alter", "--add-config", "log.retention.ms=86400000")...)
	wantLines(t, j.run(t, configCommand, append(broker, "--describe")...), "log.retention.ms=86400000")
	wantLines(t, j.run(t, configCommand, "--entity-type", "topics", "--entity-name", "defaults", "--describe", "--all"),
		`retention.ms=86400000 sensitive=false synonyms=\{DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=86400000`)
	j.run(t, configCommand, append(broker, "--alter", "--delete-config", "log.retention.ms")...)
	for _, refused := range []string{"retention.hours=7", "max.message.bytes=-5", "cleanup.policy=keep"} {
		args := append(append([]string{"--bootstrap-server", j.b.Addr}, topic...), "--alter", "--add-config", refused)
		if out, errs, err := java(t, configCommand).try(t, "", args...); err == nil {
			t.Errorf("configs --add-config %s: done, want it refused: %s%s", refused, out, errs)
		}
	}
}

func (j javaTools) deleteRecords(t *testing.T) {
	file := filepath.Join(t.TempDir(), "offsets.json")
	text := `{"version":1,"partitions":[{"topic":"perf","partition":0,"offset":1200}]}`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	wantLines(t, j.run(t, "org.apache.kafka.tools.DeleteRecordsCommand", "--offset-json-file", file), `perf-0\s+low_watermark: 1200`)
	wantLines(t, j.run(t, "org.apache.kafka.tools.GetOffsetShell", "--topic", "perf", "--time", "earliest"), "^perf:0:1200$")
}

func (j javaTools) logDirs(t *testing.T) {
	out := j.run(t, "org.apache.kafka.tools.LogDirsCommand", "--describe", "--topic-list", "perf")
	var described struct {
		Brokers []struct {
			Broker  int
			LogDirs []struct {
				LogDir, Error string
				Partitions    []struct {
					Partition string
					Size      int64
					IsFuture  bool
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(out[max(strings.Index(out, "{"), 0):]), &described); err != nil {
		t.Fatalf("log-dirs printed no JSON: %v\n%s", err, out)
	}
	for _, broker := range described.Brokers {
		for _, dir := range broker.LogDirs {
			for _, p := range dir.Partitions {
				if broker.Broker == 1 && dir.Error == "" && p.Partition == "perf-0" && p.Size > 5000*200 && !p.IsFuture {
					return
				}
			}
		}
	}
	t.Errorf("perf-0 with its %d bytes is not among the log dirs: %s", 5000*200, out)
}

func (j javaTools) cluster(t *testing.T) {
	const class = "org.apache.kafka.tools.ClusterTool"
	wantLines(t, java(t, class).run(t, "", "cluster-id", "--bootstrap-server", j.b.Addr), `^Cluster ID: [\w-]{22}$`)
	host, port, _ := strings.Cut(j.b.Addr, ":")
	wantLines(t, java(t, class).run(t, "", "list-endpoints", "--bootstrap-server", j.b.Addr), `^1\s+`+host+`\s+`+port)
}

func (j javaTools) brokerAPIVersions(t *testing.T) {
	out := j.run(t, "org.apache.kafka.tools.BrokerApiVersionsCommand")
	wantLines(t, out, regexp.QuoteMeta(j.b.Addr)+` \(id: 1 rack: null isFenced: false\) -> \($`,
		`\tProduce\(0\): 0 to \d+ \[usable: \d+\]`, `\tFetch\(1\): \d+ to \d+ \[usable: \d+\]`, `\tApiVersions\(18\): 0 to \d+ \[usable: \d+\]`)
}

func (j javaTools) topicsDeleted(t *testing.T) {
	j.run(t, topicCommand, "--delete", "--topic", "tools|perf")
	if out := j.run(t, topicCommand, "--list"); strings.Contains(out, "tools") || strings.Contains(out, "perf") {
		t.Errorf("tools and perf are deleted and listed: %s", out)
	}
}
