package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// streamsTopics are what the smoke test of Kafka Streams reads and writes.
var streamsTopics = []string{
	"echo", "data", "min", "min-suppressed", "min-raw", "max", "sum", "dif", "cnt", "avg", "tagg", "fk", "wcnt", "sws-raw", "sws-suppressed",
}

// TestStreamsSmoke runs the smoke test that Kafka Streams ships with its tests: a topology of aggregations, windows and joins
// in two instances, and a driver that writes 20,000 records and computes what must come out. Meanwhile each instance is
// killed and started again, and so is the broker.
func TestStreamsSmoke(t *testing.T) {
	const class = "org.apache.kafka.streams.tests.StreamsSmokeTest"
	for _, guarantee := range []string{"at_least_once", "exactly_once_v2"} {
		t.Run(guarantee, func(t *testing.T) {
			smoke := streams(t, class)
			b := startBroker(t)
			for _, topic := range streamsTopics {
				b.CreateTopic(t, topic, 5, nil)
			}
			start := func(i int) *running {
				return smoke.start(t, nil, streamsConfig(t, b, guarantee, i), "process")
			}
			instances := []*running{start(0), start(1)}
			driver := smoke.start(t, nil, streamsConfig(t, b, guarantee, 2), "run")
			for i := range instances {
				instances[i].await(t, "records", streamsAtWork)
				instances[i].kill(t)
				instances[i] = start(i)
			}
			instances[0].await(t, "records", streamsAtWork)
			b = b.killAndRestart(t)
			select {
			case <-driver.done:
			case <-time.After(streamsLimit):
				t.Fatalf("no verdict within %v\n%s", streamsLimit, tail(driver.output()))
			}
			if said := driver.output(); !strings.Contains(said, "ALL-RECORDS-DELIVERED") || !strings.Contains(said, "\nSUCCESS") {
				t.Fatalf("the driver's verdict:\n%s", tail(said))
			}
		})
	}
}

// streamsLimit is for the driver, which writes for half a minute and then reads until nothing new comes.
const streamsLimit = 4 * time.Minute

func streamsAtWork(lines []string) bool {
	for _, line := range lines {
		if strings.HasPrefix(line, "processed ") {
			return true
		}
	}
	return false
}

// streamsConfig is the properties file of an instance. Time-outs are short, so that who was killed is missed soon.
func streamsConfig(t *testing.T, b *Broker, guarantee string, instance int) string {
	t.Helper()
	dir := b.Data + fmt.Sprintf("-streams-%d", instance)
	lines := []string{
		"bootstrap.servers=" + b.Addr, "processing.guarantee=" + guarantee, "num.stream.threads=2", "state.dir=" + dir,
		"session.timeout.ms=6000", "heartbeat.interval.ms=1000", "commit.interval.ms=500",
	}
	file := filepath.Join(filepath.Dir(b.Data), fmt.Sprintf("streams-%d.properties", instance))
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// killAndRestart ends Holdfast with SIGKILL and starts it again on what it left. Apache Kafka is left alone: it is here to show
// that a test passes with it, and takes minutes to find itself again.
func (b *Broker) killAndRestart(t *testing.T) *Broker {
	t.Helper()
	if os.Getenv("HOLDFAST_INTEROP_TARGET") == "kafka" {
		return b
	}
	if err := b.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-b.done
	again := start(t, exec.Command(b.cmd.Path, b.cmd.Args[1:]...))
	again.Addr, again.Data = b.Addr, b.Data
	again.await(t)
	return again
}
