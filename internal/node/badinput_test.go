package node_test

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/node"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

// bystander is a well-behaved client that works before and after something bad was sent by another one.
type bystander struct {
	t    *testing.T
	node *node.Node
	c    *kgo.Client
	sent int
}

func newBystander(t *testing.T, n *node.Node) *bystander {
	b := &bystander{t: t, node: n, c: client(t, n, kgo.AllowAutoTopicCreation(), kgo.RecordPartitioner(kgo.ManualPartitioner()))}
	b.unharmed()
	return b
}

// unharmed writes ten records and reads all it ever wrote.
func (b *bystander) unharmed() {
	b.t.Helper()
	produce(b.t, b.c, "bystander", b.sent, b.sent+10)
	b.sent += 10
	consume(b.t, b.node, "bystander", 0, b.sent)
}

// raw is a connection that speaks bytes.
type raw struct {
	t *testing.T
	net.Conn
}

func dial(t *testing.T, n *node.Node) *raw {
	t.Helper()
	c, err := net.Dial("tcp", n.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return &raw{t, c}
}

func (r *raw) send(b []byte) {
	r.t.Helper()
	if _, err := r.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

// closed fails unless the broker ends the connection without an answer.
func (r *raw) closed(what string) {
	r.t.Helper()
	n, err := r.Read(make([]byte, 1))
	if n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Errorf("%s: the broker answered or waits (%d bytes, %v), want the connection closed", what, n, err)
	}
}

// ask sends a request as a well-formed frame and decodes the answer.
func (r *raw) ask(q kmsg.Request) kmsg.Response {
	r.t.Helper()
	r.send(kmsg.NewRequestFormatter(kmsg.FormatterClientID("bad")).AppendRequest(nil, q, 7))
	frame := r.frame()
	if q.IsFlexible() && q.Key() != int16(kmsg.ApiVersions) {
		frame = frame[1:]
	}
	resp := q.ResponseKind()
	if err := resp.ReadFrom(frame[4:]); err != nil {
		r.t.Fatalf("answer to %T: %v", q, err)
	}
	return resp
}

// frame reads one answer, without its length.
func (r *raw) frame() []byte {
	r.t.Helper()
	b, err := r.next()
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// next is frame where the connection may end instead.
func (r *raw) next() ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

func TestFrameLengthThatIsNone(t *testing.T) {
	n := start(t, t.TempDir())
	good := newBystander(t, n)
	for name, size := range map[string]int32{"negative": -1, "most negative": math.MinInt32, "zero": 0, "seven": 7} {
		c := dial(t, n)
		c.send(binary.BigEndian.AppendUint32(nil, uint32(size)))
		c.closed(name)
	}
	c := dial(t, n)
	c.send([]byte{0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 9}) // 2 GB of Produce
	c.closed("2 GB")
	c = dial(t, n)
	c.send([]byte{0, 0x20, 0, 0, 0, 3, 0, 9}) // 2 MiB of Metadata, whose frames are at most 1 MiB
	c.closed("2 MiB of Metadata")
	good.unharmed()
}

func TestFrameShorterThanItsLength(t *testing.T) {
	n := start(t, t.TempDir())
	good := newBystander(t, n)
	c := dial(t, n)
	c.send([]byte{0, 0, 1, 0, 0, 3, 0, 9, 0, 0, 0, 1})
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.closed("a frame that ends early")
	good.unharmed()
}

func TestRequestCutAtEveryByte(t *testing.T) {
	n := start(t, t.TempDir())
	good := newBystander(t, n)
	q := kmsg.NewPtrMetadataRequest()
	q.Version = 9
	whole := kmsg.NewRequestFormatter(kmsg.FormatterClientID("cut")).AppendRequest(nil, q, 1)
	for size := 8; size < len(whole)-4; size++ {
		c := dial(t, n)
		cut := append(binary.BigEndian.AppendUint32(nil, uint32(size)), whole[4:4+size]...)
		c.send(cut)
		c.closed("request cut after " + string(rune('0'+size%10)) + " bytes")
		c.Close()
	}
	good.unharmed()
}

func TestUnknownAPIKey(t *testing.T) {
	n := start(t, t.TempDir())
	good := newBystander(t, n)
	for _, key := range []int16{-1, 4, 500, math.MaxInt16} {
		c := dial(t, n)
		frame := binary.BigEndian.AppendUint16([]byte{0, 0, 0, 10}, uint16(key))
		c.send(append(frame, 0, 0, 0, 0, 0, 1, 0xff, 0xff))
		c.closed("unknown API key")
	}
	good.unharmed()
}

func TestVersionTooNew(t *testing.T) {
	n := start(t, t.TempDir())
	good := newBystander(t, n)
	c := dial(t, n)
	c.send([]byte{0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff}) // Metadata version 99
	c.closed("Metadata version 99")

	c = dial(t, n)
	c.send([]byte{0, 0, 0, 10, 0, 18, 0, 99, 0, 0, 0, 5, 0xff, 0xff}) // ApiVersions version 99
	frame := c.frame()
	if got := binary.BigEndian.Uint32(frame); got != 5 {
		t.Errorf("correlation id %d, want 5", got)
	}
	var resp kmsg.ApiVersionsResponse
	if err := resp.ReadFrom(frame[4:]); err != nil || resp.ErrorCode != int16(wire.UnsupportedVersion) {
		t.Errorf("answer %+v (%v), want error 35 in version 0", resp, err)
	}
	if got := c.ask(&kmsg.ApiVersionsRequest{}).(*kmsg.ApiVersionsResponse); len(got.ApiKeys) != len(wire.APIs()) {
		t.Errorf("asked again in version 0: %d APIs, want %d", len(got.ApiKeys), len(wire.APIs()))
	}
	good.unharmed()
}

func TestNullWhereNotAllowed(t *testing.T) {
	n := start(t, t.TempDir())
	good := newBystander(t, n)
	c := dial(t, n)
	// CreateTopics version 5 whose topic array is null (compact length 0).
	body := []byte{0, 19, 0, 5, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0, 0, 1, 0, 0}
	c.send(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	c.closed("a null list of topics")
	good.unharmed()
}

// produceBatch sends one batch to partition 0 of topic bystander and returns the answer.
func produceBatch(t *testing.T, n *node.Node, topic string, partition int32, batch []byte) kmsg.ProduceResponseTopicPartition {
	t.Helper()
	q := kmsg.NewPtrProduceRequest()
	q.Version, q.Acks, q.TimeoutMillis = 9, -1, 5000
	rt, rp := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	rp.Partition, rp.Records = partition, batch
	rt.Topic, rt.Partitions = topic, append(rt.Partitions, rp)
	q.Topics = append(q.Topics, rt)
	return dial(t, n).ask(q).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
}

func goodBatch(t *testing.T) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.BuilderOptions{})
	for range 3 {
		if err := b.Append(time.Now().UnixMilli(), []byte("k"), []byte("v")); err != nil {
			t.Fatal(err)
		}
	}
	return b.Build()
}

func reseal(b record.Batch) record.Batch {
	sum := crc32c(b[21:])
	binary.BigEndian.PutUint32(b[17:], sum)
	return b
}

func TestBatchThatIsNotOne(t *testing.T) {
	n := start(t, t.TempDir())
	good := newBystander(t, n)
	cases := map[string]struct {
		spoil func(b record.Batch) []byte
		want  wire.Code
	}{
		"wrong CRC":            {func(b record.Batch) []byte { b[len(b)-1] ^= 1; return b }, wire.CorruptMessage},
		"wrong count":          {func(b record.Batch) []byte { binary.BigEndian.PutUint32(b[57:], 2); return reseal(b) }, wire.InvalidRecord},
		"negative count":       {func(b record.Batch) []byte { binary.BigEndian.PutUint32(b[57:], 0xffffffff); return reseal(b) }, wire.InvalidRecord},
		"negative last offset": {func(b record.Batch) []byte { binary.BigEndian.PutUint32(b[23:], 0xfffffff0); return reseal(b) }, wire.InvalidRecord},
		"unknown codec":        {func(b record.Batch) []byte { b[22] |= 7; return reseal(b) }, wire.UnsupportedCompressionType},
		"magic 0":              {func(b record.Batch) []byte { b[16] = 0; return b }, wire.UnsupportedForMessageFormat},
		"magic 1":              {func(b record.Batch) []byte { b[16] = 1; return b }, wire.UnsupportedForMessageFormat},
		"cut short":            {func(b record.Batch) []byte { return b[:len(b)-5] }, wire.CorruptMessage},
		"empty":                {func(b record.Batch) []byte { return b[:0] }, wire.InvalidRecord},
		"two batches":          {func(b record.Batch) []byte { return append(b, b...) }, wire.InvalidRecord},
		"control batch":        {func(b record.Batch) []byte { b[22] |= 1 << 5; return reseal(b) }, wire.InvalidRecord},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := produceBatch(t, n, "bystander", 0, c.spoil(goodBatch(t)))
			if got.ErrorCode != int16(c.want) {
				t.Errorf("answered %v (%v), want %v", wire.Code(got.ErrorCode), deref(got.ErrorMessage), c.want)
			}
		})
	}
	good.unharmed()
}

func TestDecompressionBomb(t *testing.T) {
	n := start(t, t.TempDir(), "log.record.validation=full", "record.decompressed.max.bytes=1048576")
	good := newBystander(t, n)
	b := record.NewBuilder(record.BuilderOptions{Codec: record.Zstd, MaxBytes: 128 << 20})
	if err := b.Append(time.Now().UnixMilli(), nil, make([]byte, 64<<20)); err != nil {
		t.Fatal(err)
	}
	got := produceBatch(t, n, "bystander", 0, b.Build())
	if got.ErrorCode != int16(wire.MessageTooLarge) {
		t.Errorf("answered %v (%v), want MESSAGE_TOO_LARGE", wire.Code(got.ErrorCode), deref(got.ErrorMessage))
	}
	good.unharmed()
}

func TestPartitionThatIsNot(t *testing.T) {
	n := start(t, t.TempDir())
	good := newBystander(t, n)
	for _, p := range []int32{-1, math.MaxInt32} {
		if got := produceBatch(t, n, "bystander", p, goodBatch(t)); got.ErrorCode != int16(wire.UnknownTopicOrPartition) {
			t.Errorf("partition %d: %v, want UNKNOWN_TOPIC_OR_PARTITION", p, wire.Code(got.ErrorCode))
		}
	}
	good.unharmed()
}

func TestTopicNameThatMayNotBe(t *testing.T) {
	n := start(t, t.TempDir())
	good := newBystander(t, n)
	for _, name := range []string{"", ".", "..", "a/b", strings.Repeat("x", 250)} {
		q := kmsg.NewPtrCreateTopicsRequest()
		q.Version, q.TimeoutMillis = 7, 5000
		ct := kmsg.NewCreateTopicsRequestTopic()
		ct.Topic, ct.NumPartitions, ct.ReplicationFactor = name, 1, 1
		q.Topics = append(q.Topics, ct)
		got := dial(t, n).ask(q).(*kmsg.CreateTopicsResponse).Topics[0]
		if got.ErrorCode != int16(wire.InvalidTopicException) {
			t.Errorf("topic %.20q: %v, want INVALID_TOPIC_EXCEPTION", name, wire.Code(got.ErrorCode))
		}
	}
	good.unharmed()
}

func TestReplicaIDFromAClient(t *testing.T) {
	n := start(t, t.TempDir())
	good := newBystander(t, n)
	q := kmsg.NewPtrFetchRequest()
	q.Version, q.ReplicaID, q.MaxBytes, q.SessionEpoch = 11, 1, 1<<20, -1
	got := dial(t, n).ask(q).(*kmsg.FetchResponse)
	if got.ErrorCode != int16(wire.ClusterAuthorizationFailed) {
		t.Errorf("answered %v, want CLUSTER_AUTHORIZATION_FAILED", wire.Code(got.ErrorCode))
	}
	good.unharmed()
}

func TestConfigValueOutOfRange(t *testing.T) {
	n := start(t, t.TempDir())
	good := newBystander(t, n)
	for key, value := range map[string]string{"retention.ms": "-2", "segment.bytes": "1", "cleanup.policy": "nothing", "retention.hours": "7"} {
		q := kmsg.NewPtrIncrementalAlterConfigsRequest()
		q.Version = 1
		r, c := kmsg.NewIncrementalAlterConfigsRequestResource(), kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Value = key, &value
		r.ResourceType, r.ResourceName, r.Configs = kmsg.ConfigResourceTypeTopic, "bystander", append(r.Configs, c)
		q.Resources = append(q.Resources, r)
		got := dial(t, n).ask(q).(*kmsg.IncrementalAlterConfigsResponse).Resources[0]
		if got.ErrorCode != int16(wire.InvalidConfig) || !strings.Contains(deref(got.ErrorMessage), key) {
			t.Errorf("%s=%s: %v %q, want INVALID_CONFIG with a sentence about the key", key, value, wire.Code(got.ErrorCode), deref(got.ErrorMessage))
		}
	}
	good.unharmed()
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// startError starts a node that must refuse, and returns the sentence.
func startError(t *testing.T, dir string, sets ...string) string {
	t.Helper()
	n, err := tryStart(t, dir, sets...)
	if err == nil {
		stop(t, n)
		t.Fatal("the node started")
	}
	return err.Error()
}

func TestDataFolderThatIsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := startError(t, file); !strings.Contains(got, "is a file") || !strings.Contains(got, "--data DIR") {
		t.Errorf("said %q", got)
	}
}

// TestDataFolderReadOnly stands on a file system that refuses every change, as root may write to a read-only folder.
func TestDataFolderReadOnly(t *testing.T) {
	for name, dir := range map[string]string{"there": t.TempDir(), "not there": filepath.Join(t.TempDir(), "new")} {
		readOnly := vfs.NewFaulty(vfs.OS(), vfs.FailWhen(func(op vfs.Op) bool { return op.Kind.Mutates() }, syscall.EROFS))
		_, err := tryStartOn(t, readOnly, dir)
		if err == nil || !strings.Contains(err.Error(), "read-only file system") || !strings.Contains(err.Error(), "--data DIR") {
			t.Errorf("%s: said %v", name, err)
		}
	}
}

func TestDataFolderOfAnotherNodeAndCluster(t *testing.T) {
	dir := t.TempDir()
	stop(t, start(t, dir))
	if got := startError(t, dir, "node.id=2"); !strings.Contains(got, "node 1") || !strings.Contains(got, "--id 1") {
		t.Errorf("another node: said %q", got)
	}
	if got := startError(t, dir, "cluster.id=aG9sZGZhc3QtaW50ZXJvcA"); !strings.Contains(got, "cluster.id") {
		t.Errorf("another cluster: said %q", got)
	}
	start(t, dir) // it still opens as what it is
}

func TestDataFolderOfANewerVersion(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "meta.properties"), []byte("version=2\ncluster.id=x\nnode.id=1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := startError(t, dir); !strings.Contains(got, "newer") {
		t.Errorf("said %q", got)
	}
}

func TestDataFolderInUse(t *testing.T) {
	dir := t.TempDir()
	start(t, dir)
	if got := startError(t, dir); !strings.Contains(got, "in use by process") {
		t.Errorf("said %q", got)
	}
}

func TestPortInUse(t *testing.T) {
	n := start(t, t.TempDir())
	got := startError(t, t.TempDir(), "listeners=PLAINTEXT://"+n.Address())
	if !strings.Contains(got, n.Address()) || !strings.Contains(got, "in use") {
		t.Errorf("said %q", got)
	}
}
