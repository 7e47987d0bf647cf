package interop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// record is one line of the protocol in doc.go. A nil key, value or header value is Kafka's null.
type record struct {
	Topic         string   `json:"topic"`
	Partition     int32    `json:"partition"`
	Offset        int64    `json:"offset"`
	Timestamp     int64    `json:"timestamp"` // ms
	TimestampType string   `json:"timestampType,omitempty"`
	Codec         string   `json:"codec,omitempty"`
	Count         int      `json:"count,omitempty"`
	Key           []byte   `json:"key"`
	Value         []byte   `json:"value"`
	Headers       []header `json:"headers"`
}

type header struct {
	Name  string
	Value []byte
}

func (h header) MarshalJSON() ([]byte, error)  { return json.Marshal([]any{h.Name, h.Value}) }
func (h *header) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &[2]any{&h.Name, &h.Value}) }

// partition names one to be read, and how many records it holds.
type partition struct {
	topic string
	index int32
	count int
}

// client is one end of the matrix.
type client struct {
	name   string
	codecs []string // that it ships
	limits limits
	write  func(t *testing.T, b *Broker, records []record)
	read   func(t *testing.T, b *Broker, partitions []partition) []record // nil: it cannot read outside of a group
}

// limits is what a client cannot say. The judge asks only for what it can.
type limits struct {
	ownTime        bool // timestamps are the client's own
	sameHeaders    bool // one set of headers for all records of a run, values without NUL
	groupedHeaders bool // headers of one name stand together
	emptyIsNull    bool // keys and values cannot be empty without being null
	noNullHeaders  bool // a header's value cannot be null
}

// allCodecs by their numbers in a batch's attributes.
var allCodecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

func clients(t *testing.T) []client {
	franz := client{name: "franz-go", codecs: allCodecs, write: franzWrite, read: franzRead}
	kcat := client{
		name: "kcat", codecs: allCodecs, write: kcatWrite, read: kcatRead,
		limits: limits{ownTime: true, sameHeaders: true, emptyIsNull: true, noNullHeaders: true},
	}
	kafkajs := process("kafkajs", []string{"none", "gzip"}, limits{groupedHeaders: true, noNullHeaders: true},
		func(t *testing.T) tool { return node(t, "node/matrix.js") })
	kafkajs.read = nil
	return []client{
		franz, kcat, kafkajs,
		process("java", allCodecs, limits{}, func(t *testing.T) tool { return java(t, "Matrix") }),
		process("librdkafka", allCodecs, limits{}, func(t *testing.T) tool { return python(t, "python/librdkafka.py") }),
		process("kafka-python", allCodecs, limits{noNullHeaders: true}, func(t *testing.T) tool { return python(t, "python/kafkapython.py") }),
		process("sarama", allCodecs, limits{}, func(t *testing.T) tool {
			return tool{argv: []string{installed(t, "sarama", "bin", "sarama")}}
		}),
	}
}

// process is a client that speaks the lines of doc.go.
func process(name string, codecs []string, l limits, find func(*testing.T) tool) client {
	write := func(t *testing.T, b *Broker, records []record) {
		t.Helper()
		find(t).run(t, toLines(t, records), "write", b.Addr)
	}
	read := func(t *testing.T, b *Broker, partitions []partition) []record {
		t.Helper()
		var wanted []record
		for _, p := range partitions {
			wanted = append(wanted, record{Topic: p.topic, Partition: p.index, Count: p.count})
		}
		return fromLines(t, find(t).run(t, toLines(t, wanted), "read", b.Addr))
	}
	return client{name: name, codecs: codecs, limits: l, write: write, read: read}
}

func toLines(t *testing.T, records []record) string {
	t.Helper()
	var out bytes.Buffer
	for e, i := json.NewEncoder(&out), 0; i < len(records); i++ {
		r := records[i]
		if r.Headers == nil {
			r.Headers = []header{}
		}
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func fromLines(t *testing.T, text string) []record {
	t.Helper()
	var out []record
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("not a record: %q: %v", line, err)
		}
		out = append(out, r)
	}
	return out
}

var franzCodecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func franzWrite(t *testing.T, b *Broker, records []record) {
	t.Helper()
	byCodec := map[string][]*kgo.Record{}
	for _, r := range records {
		k := &kgo.Record{Topic: r.Topic, Partition: r.Partition, Timestamp: time.UnixMilli(r.Timestamp), Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
		}
		byCodec[r.Codec] = append(byCodec[r.Codec], k)
	}
	for codec, rs := range byCodec {
		c := b.Client(t, kgo.ProducerBatchCompression(franzCodecs[codec]), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.ProducerLinger(20*time.Millisecond))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err := c.ProduceSync(ctx, rs...).FirstErr()
		if cancel(); err != nil {
			t.Fatalf("write with %s: %v", codec, err)
		}
	}
}

func franzRead(t *testing.T, b *Broker, partitions []partition) []record {
	t.Helper()
	at, left := map[string]map[int32]kgo.Offset{}, 0
	for _, p := range partitions {
		if at[p.topic] == nil {
			at[p.topic] = map[int32]kgo.Offset{}
		}
		at[p.topic][p.index] = kgo.NewOffset().At(0)
		left += p.count
	}
	c := b.Client(t, kgo.ConsumePartitions(at), kgo.FetchMaxWait(100*time.Millisecond))
	ctx, cancel := context.WithTimeout(t.Context(), toolLimit)
	defer cancel()
	var out []record
	for left > 0 {
		fetches := c.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			t.Fatalf("read %s-%d: %v", e.Topic, e.Partition, e.Err)
		}
		fetches.EachRecord(func(k *kgo.Record) {
			r := record{
				Topic: k.Topic, Partition: k.Partition, Offset: k.Offset, Timestamp: k.Timestamp.UnixMilli(), Key: k.Key, Value: k.Value,
				TimestampType: []string{"create", "append"}[max(k.Attrs.TimestampType(), 0)],
				Codec:         allCodecs[k.Attrs.CompressionType()],
			}
			for _, h := range k.Headers {
				r.Headers = append(r.Headers, header{h.Key, h.Value})
			}
			out = append(out, r)
			left--
		})
	}
	return out
}

// Separators that stand in no key or value of a kcat run.
const kcatKey, kcatEnd = "\x1d\x1e", "\x1e\x1f\x1e"

// kcatWrite starts kcat once for each partition and codec: its options hold for all records of a run.
func kcatWrite(t *testing.T, b *Broker, records []record) {
	t.Helper()
	groups := map[string][]record{}
	for _, r := range records {
		groups[fmt.Sprint(r.Topic, r.Partition, r.Codec)] = append(groups[fmt.Sprint(r.Topic, r.Partition, r.Codec)], r)
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		rs := groups[name]
		args := []string{
			"-P", "-b", b.Addr, "-t", rs[0].Topic, "-p", strconv.Itoa(int(rs[0].Partition)), "-z", rs[0].Codec,
			"-X", "enable.idempotence=true", "-Z", "-K", kcatKey, "-D", kcatEnd,
		}
		for _, h := range rs[0].Headers {
			args = append(args, "-H", h.Name+"="+string(h.Value))
		}
		var in []string
		for _, r := range rs {
			in = append(in, string(r.Key)+kcatKey+string(r.Value))
		}
		tool{argv: []string{program(t, "kcat")}}.run(t, strings.Join(in, kcatEnd), args...)
	}
}

// kcatRead has kcat print lengths before the bytes, so that any bytes may follow. Headers it prints only as text;
// the judge compares them so.
func kcatRead(t *testing.T, b *Broker, partitions []partition) []record {
	t.Helper()
	var out []record
	for _, p := range partitions {
		text := tool{argv: []string{program(t, "kcat")}}.run(t, "", "-C", "-q", "-b", b.Addr, "-t", p.topic, "-p", strconv.Itoa(int(p.index)),
			"-o", "beginning", "-c", strconv.Itoa(p.count), "-X", "fetch.wait.max.ms=100",
			"-f", "%p %o %T %K %S\n%k%s%h"+kcatEnd)
		for in := bufio.NewReader(strings.NewReader(text)); ; {
			r := record{Topic: p.topic}
			var key, value int
			if n, err := fmt.Fscanf(in, "%d %d %d %d %d\n", &r.Partition, &r.Offset, &r.Timestamp, &key, &value); n == 0 {
				break
			} else if err != nil {
				t.Fatalf("kcat printed what is no record: %v", err)
			}
			r.Key, r.Value = take(t, in, key), take(t, in, value)
			headers, err := untilEnd(in)
			if err != nil {
				t.Fatalf("kcat printed half a record: %v", err)
			}
			r.Headers = []header{{Name: kcatHeaders, Value: []byte(headers)}}
			out = append(out, r)
		}
	}
	return out
}

// kcatHeaders names the one header that holds all of a record's headers as kcat prints them.
const kcatHeaders = "as kcat prints them"

func take(t *testing.T, in *bufio.Reader, n int) []byte {
	t.Helper()
	if n < 0 {
		return nil
	}
	p := make([]byte, n)
	for i := range p {
		c, err := in.ReadByte()
		if err != nil {
			t.Fatalf("kcat printed half a record: %v", err)
		}
		p[i] = c
	}
	return p
}

func untilEnd(in *bufio.Reader) (string, error) {
	var text []byte
	for !bytes.HasSuffix(text, []byte(kcatEnd)) {
		c, err := in.ReadByte()
		if err != nil {
			return "", err
		}
		text = append(text, c)
	}
	return string(text[:len(text)-len(kcatEnd)]), nil
}

// asKcat is how kcat prints headers: as C strings, which end at their first NUL.
func asKcat(headers []header) string {
	var parts []string
	for _, h := range headers {
		value := "NULL"
		if h.Value != nil {
			value, _, _ = strings.Cut(string(h.Value), "\x00")
		}
		parts = append(parts, h.Name+"="+value)
	}
	return strings.Join(parts, ",")
}
