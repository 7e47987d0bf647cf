package node_test

import (
	"encoding/binary"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/base/config"
	"holdfast/internal/node"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

// heldDisk is a real disk whose syncs of partitions can be held up, so that appended records stay uncommitted.
type heldDisk struct {
	*vfs.Faulty

	mu   sync.Mutex
	gate chan struct{} // open while nil
}

func newHeldDisk() *heldDisk {
	d := &heldDisk{}
	d.Faulty = vfs.NewFaulty(vfs.OS(), func(op vfs.Op) error {
		if op.Kind == vfs.OpSyncFS || op.Kind == vfs.OpSync && strings.HasSuffix(op.Name, ".log") {
			d.mu.Lock()
			gate := d.gate
			d.mu.Unlock()
			if gate != nil {
				<-gate
			}
		}
		return nil
	})
	return d
}

// hold lets no sync of a partition end until the returned function is called; twice does no harm.
func (d *heldDisk) hold(t *testing.T) (release func()) {
	gate := make(chan struct{})
	d.mu.Lock()
	d.gate = gate
	d.mu.Unlock()
	release = sync.OnceFunc(func() {
		d.mu.Lock()
		d.gate = nil
		d.mu.Unlock()
		close(gate)
	})
	t.Cleanup(release)
	return release
}

// startOn runs a node over a file system. The test ends it.
func startOn(t *testing.T, fsys vfs.FS, dir string, sets ...string) *node.Node {
	t.Helper()
	n := launch(t, fsys, dir, sets...)
	t.Cleanup(func() { stop(t, n) })
	return n
}

// launch is startOn where the test itself stops the node.
func launch(t *testing.T, fsys vfs.FS, dir string, sets ...string) *node.Node {
	t.Helper()
	values, _, err := config.Load("", append([]string{
		"log.dirs=" + dir, "listeners=PLAINTEXT://127.0.0.1:0", "http.listener=127.0.0.1:0",
	}, sets...), nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.Start(t.Context(), node.Options{
		FS: fsys, Config: values, Log: slog.New(slog.DiscardHandler), Version: "test", Began: time.Now(), Check: checkAnswers(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// checkAnswers holds a node to wire's table of answers.
func checkAnswers(t *testing.T) func(int16, wire.Code) {
	return func(api int16, code wire.Code) {
		if _, ok := wire.Answers(api, code); !ok {
			t.Errorf("API %d answered %v, which its table of answers does not hold", api, code)
		}
	}
}

// post sends a request without waiting for its answer.
func (r *raw) post(correlation int32, q kmsg.Request) {
	r.t.Helper()
	r.send(kmsg.NewRequestFormatter(kmsg.FormatterClientID("rig")).AppendRequest(nil, q, correlation))
}

// answer reads the next answer, which must be that of a request posted with this correlation id.
func (r *raw) answer(correlation int32, q kmsg.Request) kmsg.Response {
	r.t.Helper()
	frame := r.frame()
	if got := int32(binary.BigEndian.Uint32(frame)); got != correlation {
		r.t.Fatalf("the answer to request %d came, want that to %d", got, correlation)
	}
	body := frame[4:]
	if q.IsFlexible() && q.Key() != int16(kmsg.ApiVersions) {
		body = body[1:]
	}
	resp := q.ResponseKind()
	if err := resp.ReadFrom(body); err != nil {
		r.t.Fatalf("answer to %T: %v", q, err)
	}
	return resp
}

// silent fails if anything arrives within d.
func (r *raw) silent(d time.Duration) {
	r.t.Helper()
	r.SetReadDeadline(time.Now().Add(d))
	if n, err := r.Read(make([]byte, 1)); n > 0 {
		r.t.Errorf("an answer came that should wait (%v)", err)
	}
	r.SetReadDeadline(time.Now().Add(10 * time.Second))
}

// produceOf is a Produce request of one batch.
func produceOf(topic string, partition int32, acks int16, batch []byte) *kmsg.ProduceRequest {
	q := kmsg.NewPtrProduceRequest()
	q.Version, q.Acks, q.TimeoutMillis = 9, acks, 10_000
	rt, rp := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	rp.Partition, rp.Records = partition, batch
	rt.Topic, rt.Partitions = topic, append(rt.Partitions, rp)
	q.Topics = append(q.Topics, rt)
	return q
}

// produced is the answer for the only partition of a Produce request.
func produced(r kmsg.Response) kmsg.ProduceResponseTopicPartition {
	return r.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
}

// at is one partition of a fetch.
type at struct {
	topic     string
	partition int32
	offset    int64
	max       int32
}

// fetchOf is a Fetch request without a session.
func fetchOf(version int16, minBytes, maxWaitMs int32, where ...at) *kmsg.FetchRequest {
	q := kmsg.NewPtrFetchRequest()
	q.Version, q.ReplicaID, q.MaxBytes, q.SessionEpoch, q.MinBytes, q.MaxWaitMillis = version, -1, 50<<20, -1, minBytes, maxWaitMs
	for _, w := range where {
		q.Topics = append(q.Topics, fetchTopic(w))
	}
	return q
}

func fetchTopic(w at) kmsg.FetchRequestTopic {
	ft, fp := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	fp.Partition, fp.FetchOffset, fp.PartitionMaxBytes = w.partition, w.offset, 1<<20
	if w.max != 0 {
		fp.PartitionMaxBytes = w.max
	}
	ft.Topic, ft.Partitions = w.topic, append(ft.Partitions, fp)
	return ft
}

// fetched lists the partitions of an answer by topic and number.
func fetched(r kmsg.Response) map[at]kmsg.FetchResponseTopicPartition {
	out := map[at]kmsg.FetchResponseTopicPartition{}
	for _, ft := range r.(*kmsg.FetchResponse).Topics {
		for _, p := range ft.Partitions {
			out[at{topic: ft.Topic, partition: p.Partition}] = p
		}
	}
	return out
}

// offsets lists the base offsets of the batches in records.
func offsets(t *testing.T, records []byte) (out []int64) {
	t.Helper()
	for len(records) > 0 {
		b, rest, err := record.Next(records)
		if err != nil {
			t.Fatal(err)
		}
		out, records = append(out, b.BaseOffset()), rest
	}
	return out
}

// createTopic makes a topic through one connection.
func createTopic(t *testing.T, n *node.Node, name string, partitions int32, configs ...string) {
	t.Helper()
	q := kmsg.NewPtrCreateTopicsRequest()
	q.Version, q.TimeoutMillis = 7, 5000
	ct := kmsg.NewCreateTopicsRequestTopic()
	ct.Topic, ct.NumPartitions, ct.ReplicationFactor = name, partitions, 1
	for i := 0; i+1 < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		ct.Configs = append(ct.Configs, c)
	}
	q.Topics = append(q.Topics, ct)
	got := dial(t, n).ask(q).(*kmsg.CreateTopicsResponse).Topics[0]
	if got.ErrorCode != 0 {
		t.Fatalf("create topic %s: %v %s", name, wire.Code(got.ErrorCode), deref(got.ErrorMessage))
	}
}

// batchOf is a batch of n records, of an idempotent producer where id is not negative.
func batchOf(t *testing.T, n int, id int64, epoch int16, sequence int32) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.BuilderOptions{ProducerID: id, ProducerEpoch: epoch, BaseSequence: sequence, Idempotent: id >= 0})
	for range n {
		if err := b.Append(time.Now().UnixMilli(), []byte("key"), []byte("value")); err != nil {
			t.Fatal(err)
		}
	}
	return b.Build()
}
