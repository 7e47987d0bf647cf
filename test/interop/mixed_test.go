package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	mixedPartitions = 12
	mixedPace       = 2 * time.Millisecond // between two records
	mixedKills      = 8
	mixedCalm       = 2500 * time.Millisecond // between two kills, on average
	mixedSettle     = 40 * time.Second        // until the whole log is committed, once nobody is killed any more
)

// mixedMember is one client of the group, which is started again each time it is killed.
type mixedMember struct {
	name string
	find func(*testing.T) tool
	args []string // after bootstrap, topic and group, if it takes them by place
	now  *running
	life int
}

// mixedMembers are clients in five languages that agree on Kafka's range assignor.
func mixedMembers(t *testing.T, b *Broker, topic, group string) []*mixedMember {
	t.Helper()
	config := filepath.Join(t.TempDir(), "member.properties")
	if err := os.WriteFile(config, []byte("heartbeat.interval.ms=1000\nfetch.max.wait.ms=100\nmax.poll.interval.ms=20000\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	byPlace := []string{b.Addr, topic, group}
	verifiable := []string{
		"--bootstrap-server", b.Addr, "--topic", topic, "--group-id", group, "--verbose", "--session-timeout", "6000",
		"--assignment-strategy", "org.apache.kafka.clients.consumer.RangeAssignor", "--command-config", config,
	}
	return []*mixedMember{
		{name: "librdkafka", args: byPlace, find: func(t *testing.T) tool { return python(t, "python/member_librdkafka.py") }},
		{name: "kafka-python", args: byPlace, find: func(t *testing.T) tool { return python(t, "python/member_kafkapython.py") }},
		{name: "kafkajs", args: byPlace, find: func(t *testing.T) tool { return node(t, "node/member.js") }},
		{name: "sarama", args: byPlace, find: func(t *testing.T) tool {
			return tool{argv: []string{installed(t, "sarama", "bin", "sarama"), "member"}}
		}},
		{name: "java", args: verifiable, find: func(t *testing.T) tool { return java(t, "org.apache.kafka.tools.VerifiableConsumer") }},
		{name: "franz-go", args: verifiable, find: func(t *testing.T) tool {
			ours := holdfast(t)
			return tool{argv: append(slices.Clone(ours.argv), "verify", "consume")}
		}},
	}
}

// TestMixedMembers puts clients of five languages into one group that reads while it is written to, kills them at random, and
// judges: every acknowledged record came to somebody, no committed offset went back or past what was delivered, and in the
// end all is committed.
func TestMixedMembers(t *testing.T) {
	b := startBroker(t)
	const topic, group = "mixed", "mixed-group"
	b.CreateTopic(t, topic, mixedPartitions, nil)
	members := mixedMembers(t, b, topic, group)
	for _, m := range members {
		m.find(t) // before anything starts: it may be missing
	}
	j := &mixedJudge{t: t, topic: topic, acked: map[place]string{}, got: map[place]string{}, by: map[string]int{}, commits: map[int32]int64{}}
	for p := range int32(mixedPartitions) {
		j.commits[p] = -1
	}
	writing, stopWriting := context.WithCancel(t.Context())
	var writer, watcher sync.WaitGroup
	client := b.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression())) // kafkajs knows no snappy
	writer.Go(func() { j.write(writing, client) })
	watching, stopWatching := context.WithCancel(t.Context())
	admin := kadm.NewClient(b.Client(t))
	watcher.Go(func() { j.watch(watching, admin, group) })
	defer func() {
		stopWriting()
		stopWatching()
		writer.Wait()
		watcher.Wait()
	}()

	for _, m := range members {
		m.start(t, j)
	}
	for _, m := range members {
		m.now.await(t, "partition", holds(mixedPartitions/len(members)))
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for range mixedKills {
		m := members[random.IntN(len(members))]
		rest(t, time.Duration(random.Int64N(int64(2*mixedCalm))))
		m.now.kill(t)
		rest(t, time.Duration(random.Int64N(int64(mixedCalm))))
		m.start(t, j)
	}
	stopWriting()
	writer.Wait()
	j.settle(t, admin, group)
	for _, m := range members {
		m.now.stop(t)
	}
	stopWatching()
	watcher.Wait()
	j.verdict(t)
}

func rest(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal("the time is over")
	}
}

func (m *mixedMember) start(t *testing.T, j *mixedJudge) {
	t.Helper()
	m.life++
	name := fmt.Sprintf("%s.%d", m.name, m.life)
	m.now = m.find(t).start(t, func(line string) { j.hear(name, line) }, m.args...)
}

type place struct {
	partition int32
	offset    int64
}

// mixedJudge keeps what was written, delivered and committed.
type mixedJudge struct {
	t     *testing.T
	topic string

	mu        sync.Mutex
	acked     map[place]string // the value that was acknowledged there
	got       map[place]string // the value that was delivered from there
	again     int              // deliveries beyond the first
	by        map[string]int   // deliveries by client
	failed    int              // commits that a member was told had failed
	commits   map[int32]int64  // the committed offsets as last seen, -1 for none
	looks     int
	violation []string
}

func (j *mixedJudge) wrong(format string, args ...any) {
	if len(j.violation) < 20 {
		j.violation = append(j.violation, fmt.Sprintf(format, args...))
	}
}

// write sends numbered records to all partitions in turn until ctx ends.
func (j *mixedJudge) write(ctx context.Context, client *kgo.Client) {
	pace := time.NewTicker(mixedPace)
	defer pace.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		r := &kgo.Record{Topic: j.topic, Partition: int32(i % mixedPartitions), Value: fmt.Appendf(nil, "value-%d", i)}
		client.Produce(context.WithoutCancel(ctx), r, func(r *kgo.Record, err error) {
			j.mu.Lock()
			defer j.mu.Unlock()
			if err != nil {
				j.wrong("record %s was not acknowledged: %v", r.Value, err)
				return
			}
			j.acked[place{r.Partition, r.Offset}] = string(r.Value)
		})
		select {
		case <-pace.C:
		case <-ctx.Done():
		}
	}
	if err := client.Flush(context.WithoutCancel(ctx)); err != nil {
		j.t.Error(err)
	}
}

// hear takes in what a member printed. A line that was cut off by a kill counts as not delivered: it was not committed either.
func (j *mixedJudge) hear(member, line string) {
	var e consumerEvent
	if json.Unmarshal([]byte(line), &e) != nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch e.Name {
	case "record_data":
		at := place{e.Partition, e.Offset}
		value := ""
		if e.Value != nil {
			value = *e.Value
		}
		if had, ok := j.got[at]; ok {
			j.again++
			if had != value {
				j.wrong("%s got %q from partition %d offset %d, where somebody got %q before", member, value, e.Partition, e.Offset, had)
			}
		}
		j.got[at] = value
		name, _, _ := strings.Cut(member, ".")
		j.by[name]++
	case "offsets_committed":
		if !e.Success {
			j.failed++
		}
	}
}

// watch asks for the committed offsets, over and over.
func (j *mixedJudge) watch(ctx context.Context, admin *kadm.Client, group string) {
	for pause := time.NewTicker(100 * time.Millisecond); ; {
		j.look(ctx, admin, group)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
	}
}

// look judges the committed offsets of one moment against those before, and returns them.
func (j *mixedJudge) look(ctx context.Context, admin *kadm.Client, group string) map[int32]int64 {
	offsets, err := admin.FetchOffsetsForTopics(ctx, group, j.topic)
	if err != nil || offsets.Error() != nil {
		return nil // there is no promise of an answer
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.looks++
	out := map[int32]int64{}
	for p := range int32(mixedPartitions) {
		o, _ := offsets.Lookup(j.topic, p)
		out[p] = o.At
		if o.At < j.commits[p] {
			j.wrong("the committed offset of partition %d went back from %d to %d", p, j.commits[p], o.At)
		}
		j.commits[p] = max(j.commits[p], o.At)
	}
	return out
}

// settle waits until all that was written is committed.
func (j *mixedJudge) settle(t *testing.T, admin *kadm.Client, group string) {
	t.Helper()
	ends := map[int32]int64{}
	j.mu.Lock()
	for at := range j.acked { // order-free: the highest of each
		ends[at.partition] = max(ends[at.partition], at.offset+1)
	}
	j.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), mixedSettle)
	defer cancel()
	for retry := time.NewTicker(100 * time.Millisecond); ; {
		at := j.look(ctx, admin, group)
		if maps.Equal(at, ends) {
			return
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			t.Errorf("committed is %v, written was up to %v", at, ends)
			return
		}
	}
}

func (j *mixedJudge) verdict(t *testing.T) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for at, value := range j.acked { // order-free: each stands for itself
		switch got, ok := j.got[at]; {
		case !ok:
			j.wrong("%s at partition %d offset %d was acknowledged and never delivered", value, at.partition, at.offset)
		case got != value:
			j.wrong("partition %d offset %d is %q, and %q was delivered", at.partition, at.offset, value, got)
		}
	}
	for p, committed := range j.commits { // order-free: as above
		for o := range committed {
			if _, ok := j.got[place{p, o}]; !ok {
				j.wrong("partition %d is committed up to %d, and offset %d was delivered to nobody", p, committed, o)
				break
			}
		}
	}
	for _, v := range j.violation {
		t.Error(v)
	}
	if len(j.by) < 6 || j.looks < 50 {
		t.Errorf("not everybody took part: %v; the committed offsets were seen %d times", j.by, j.looks)
	}
	t.Logf("%d records acknowledged and delivered, %d delivered again, by client %v; %d commits refused, offsets seen %d times", len(j.acked), j.again, j.by, j.failed, j.looks)
}
