package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// lines returns the lines of a file in testdata, split at spaces. testdata/README.md says where the files come from.
func lines(t testing.TB, file string) (all [][]string) {
	t.Helper()
	f, err := os.Open("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		all = append(all, strings.Split(s.Text(), " "))
	}
	if s.Err() != nil || len(all) == 0 {
		t.Fatalf("%s: %d lines, %v", file, len(all), s.Err())
	}
	return all
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	goldenID      = [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	goldenRecords = []byte("records of one partition")
)

// TestAgainstKafkasOwnBytes reads requests that Apache Kafka's classes wrote and writes the answers they write.
func TestAgainstKafkasOwnBytes(t *testing.T) {
	for _, line := range lines(t, "kafka-4.3.1-wire.txt") {
		var version int16
		if _, err := fmt.Sscan(line[1], &version); err != nil {
			t.Fatal(err)
		}
		data := unhex(t, line[2])
		switch line[0] {
		case "ProduceRequest":
			checkGoldenProduce(t, version, data)
		case "FetchRequest":
			checkGoldenFetch(t, version, data)
		case "ProduceResponse":
			same(t, line[0], version, goldenProduceAnswer().Append(nil, version), data)
		case "FetchResponse":
			same(t, line[0], version, goldenFetchAnswer().write(new(FetchWriter), nil, version), data)
		case "ApiVersionsResponse":
			same(t, line[0], version, AppendApiVersionsResponse(nil, version, UnsupportedVersion, Features{
				Supported: []FeatureRange{{"metadata.version", 7, 29}}, FinalizedEpoch: 17, Finalized: []FeatureLevel{{"metadata.version", 29}},
			}), data)
		default:
			t.Fatal(line[0])
		}
	}
}

func same(t *testing.T, name string, version int16, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s version %d:\n got %x\nwant %x", name, version, got, want)
	}
}

func checkGoldenProduce(t *testing.T, version int16, data []byte) {
	var p Produce
	if err := p.Parse(version, data); err != nil {
		t.Fatal(err)
	}
	topic := ProduceTopic{Name: []byte("orders"), Partitions: []ProducePartition{{3, goldenRecords}, {4, nil}}}
	if version >= 13 {
		topic.Name, topic.ID = nil, goldenID
	}
	want := Produce{TransactionalID: []byte("tx"), Acks: -1, TimeoutMs: 1500, Topics: []ProduceTopic{topic}, partitions: p.partitions}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("Produce version %d:\n got %+v\nwant %+v", version, p, want)
	}
}

func checkGoldenFetch(t *testing.T, version int16, data []byte) {
	var f Fetch
	if err := f.Parse(version, data); err != nil {
		t.Fatal(err)
	}
	p := FetchPartition{3, -1, 42, -1, 1 << 20, -1, [16]byte{}, UnknownHighWatermark}
	plain := FetchPartition{4, -1, 0, -1, 1, -1, [16]byte{}, UnknownHighWatermark}
	want := Fetch{
		ReplicaID: 1, ReplicaEpoch: -1, MaxWaitMs: 500, MinBytes: 1, MaxBytes: 50 << 20, Isolation: 1, SessionEpoch: -1,
		Topics: []FetchTopic{{Name: []byte("orders")}}, partitions: f.partitions, forgotten: f.forgotten,
	}
	if version >= 5 {
		p.LogStart = 7
	}
	if version >= 7 {
		want.SessionID, want.SessionEpoch = 77, 8
		want.Forgotten = []ForgottenTopic{{Name: []byte("old"), Partitions: []int32{1, 2}}}
	}
	if version >= 9 {
		p.CurrentLeaderEpoch = 6
	}
	if version >= 11 {
		want.Rack = []byte("a")
	}
	if version >= 12 {
		p.LastFetchedEpoch, want.ClusterID = 5, []byte("cluster")
	}
	if version >= 13 {
		want.Topics[0] = FetchTopic{ID: goldenID}
		want.Forgotten[0] = ForgottenTopic{ID: goldenID, Partitions: []int32{1, 2}}
	}
	if version >= 15 {
		want.ReplicaEpoch = 11
	}
	if version >= 17 {
		p.Directory = goldenID
	}
	if version >= 18 {
		p.HighWatermark = 41
	}
	want.Topics[0].Partitions = []FetchPartition{p, plain}
	if version < 7 {
		want.Forgotten = f.Forgotten[:0]
	}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("Fetch version %d:\n got %+v\nwant %+v", version, f, want)
	}
}

func goldenProduceAnswer() *ProduceResponse {
	return &ProduceResponse{
		ThrottleMs: 5,
		Topics: []ProduceTopicResult{{Name: []byte("orders"), ID: goldenID, Partitions: []ProducePartitionResult{
			{Index: 3, BaseOffset: 42, LogAppendTimeMs: 1700000000000, LogStart: 7},
			{
				Index: 4, Code: NotLeaderOrFollower, BaseOffset: -1, LogAppendTimeMs: -1, LogStart: -1, ErrorMessage: "moved",
				RecordErrors:  []RecordError{{2, "too old"}, {3, ""}},
				CurrentLeader: Leader{Known: true, ID: 2, Epoch: 9},
			},
		}}},
		Endpoints: []NodeEndpoint{{2, "host-2", 9092, "b"}, {3, "host-3", 9093, ""}},
	}
}

func goldenFetchAnswer() *fetchAnswer {
	none := FetchError(4, None)
	none.HighWatermark, none.LastStable, none.LogStart, none.Aborted = 0, 0, 0, []Aborted{}
	bad := FetchError(5, NotLeaderOrFollower)
	bad.Diverging = EpochEnd{Known: true, Epoch: 3, Offset: 30}
	bad.CurrentLeader = Leader{Known: true, ID: 2, Epoch: 9}
	return &fetchAnswer{
		ThrottleMs: 5, SessionID: 77, Endpoints: []NodeEndpoint{{2, "host-2", 9092, "b"}},
		Topics: []fetchAnswerTopic{{Name: []byte("orders"), ID: goldenID, Partitions: []fetchAnswerPartition{
			{FetchPartitionHeader{
				Index: 3, HighWatermark: 50, LastStable: 49, LogStart: 7, PreferredReplica: 2, Aborted: []Aborted{{1000, 43}},
			}, goldenRecords},
			{none, nil},
			{bad, nil},
		}}},
	}
}

// seeds calls add with the version and body of every request of one API among Kafka's own bytes and verdicts.
func seeds(f *testing.F, key int16, add func(version int16, body []byte)) {
	api, _ := Lookup(key)
	for _, file := range []string{"kafka-4.3.1-wire.txt", "kafka-4.3.1-verdicts.txt"} {
		for _, line := range lines(f, file) {
			name, version, body := line[0], line[1], line[2]
			if name == api.Name+"Request" || name == fmt.Sprint(key) {
				v, err := strconv.ParseInt(version, 10, 16)
				if err != nil {
					f.Fatal(err)
				}
				add(int16(v), unhex(f, body))
			}
		}
	}
}

var corpus = flag.String("corpus", "", "write bodies for KafkaVerdicts.java into this file")

// TestAgainstKafkasVerdicts: bodies, most of them broken, that Apache Kafka's own classes were asked about. We take what they take, and
// read as far as they do.
func TestAgainstKafkasVerdicts(t *testing.T) {
	if *corpus != "" {
		writeCorpus(t)
		return
	}
	taken := 0
	for _, line := range lines(t, "kafka-4.3.1-verdicts.txt") {
		var key, version int16
		var want int
		if _, err := fmt.Sscan(line[0]+" "+line[1]+" "+line[3], &key, &version, &want); err != nil {
			t.Fatal(err)
		}
		body := unhex(t, line[2])
		got, err := verdict(key, version, body)
		if got != want {
			t.Errorf("%d version %d: we read %d (%v), Kafka %d\n%x", key, version, got, err, want, body)
		}
		if want >= 0 {
			taken++
		}
	}
	if taken < 100 {
		t.Fatalf("only %d bodies were taken", taken)
	}
}

// verdict is how many bytes of the body we read, or -1 if we refuse it.
func verdict(key, version int16, body []byte) (int, error) {
	api, _ := Lookup(key)
	var err error
	switch key {
	case KeyProduce:
		var p Produce
		err = p.Parse(version, body)
	case KeyFetch:
		var f Fetch
		err = f.Parse(version, body)
	default:
		w := walker{reader: reader{buf: body, flexible: api.Flexible(version)}, version: version, body: body}
		if w.structure(api.fields); w.err == nil {
			return w.position(), nil
		}
		err = w.err
	}
	if err != nil {
		return -1, err
	}
	return len(body), nil // the views do not tell: the corpus has no bytes behind their requests
}

func writeCorpus(t *testing.T) {
	var b strings.Builder
	for _, api := range APIs() {
		for version := max(api.Min, 1); version <= api.Max; version++ {
			if api.Key == KeyProduce && version < ProduceFloor {
				continue // Kafka has lost them
			}
			f := newFiller(uint64(version))
			f.maxLen = 2
			for i := range 8 {
				f.tags = i%2 == 1
				body := f.request(api.Key, version).AppendTo(nil)
				switch {
				case i < 3 || len(body) == 0:
				case i < 5:
					body = body[:f.IntN(len(body))]
				default:
					body[f.IntN(len(body))] = []byte{0, 1, 2, 0xff, 0x7f, 0x80}[f.IntN(6)]
				}
				fmt.Fprintf(&b, "%d %d %x\n", api.Key, version, body)
			}
		}
	}
	if err := os.WriteFile(*corpus, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
