package wire

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/base/invariant"
)

// kmsg returns the request as kmsg has it.
func (f *Fetch) kmsg(version int16) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version = version
	req.ClusterID = textOrNil(f.ClusterID)
	if version >= 15 {
		req.ReplicaState.ID, req.ReplicaState.Epoch = f.ReplicaID, f.ReplicaEpoch
	} else {
		req.ReplicaID = f.ReplicaID
	}
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.IsolationLevel = f.MaxWaitMs, f.MinBytes, f.MaxBytes, f.Isolation
	req.SessionID, req.SessionEpoch, req.Rack = f.SessionID, f.SessionEpoch, string(f.Rack)
	for _, t := range f.Topics {
		topic := kmsg.NewFetchRequestTopic()
		topic.Topic, topic.TopicID = string(t.Name), t.ID
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, kmsg.FetchRequestTopicPartition{
				Partition: p.Index, CurrentLeaderEpoch: p.CurrentLeaderEpoch, FetchOffset: p.FetchOffset, LastFetchedEpoch: p.LastFetchedEpoch,
				LogStartOffset: p.LogStart, PartitionMaxBytes: p.MaxBytes, ReplicaDirectoryID: p.Directory, HighWatermark: p.HighWatermark,
			})
		}
		req.Topics = append(req.Topics, topic)
	}
	for _, t := range f.Forgotten {
		req.ForgottenTopics = append(req.ForgottenTopics, kmsg.FetchRequestForgottenTopic{
			Topic: string(t.Name), TopicID: t.ID, Partitions: t.Partitions,
		})
	}
	return req
}

// fetchRequest returns a random request without the tagged fields that its version does not have: kmsg writes them nevertheless.
func fetchRequest(f *filler, version int16) *kmsg.FetchRequest {
	req := f.request(1, version).(*kmsg.FetchRequest)
	none := kmsg.NewFetchRequestReplicaState()
	if version < 15 {
		req.ReplicaState = none
	}
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			p, none := &req.Topics[i].Partitions[j], kmsg.NewFetchRequestTopicPartition()
			if version < 17 {
				p.ReplicaDirectoryID = none.ReplicaDirectoryID
			}
			if version < 18 {
				p.HighWatermark = none.HighWatermark
			}
		}
	}
	return req
}

func TestFetchParsesWhatKmsgWrites(t *testing.T) {
	var view Fetch
	for version := int16(4); version <= 18; version++ {
		f := newFiller(uint64(version))
		f.tags = true
		for range 300 {
			req := fetchRequest(f, version)
			if err := view.Parse(version, append(req.AppendTo(nil), "bytes behind"...)); err != nil {
				t.Fatalf("version %d: %v", version, err)
			}
			stripTags(reflect.ValueOf(req))
			if got, want := view.kmsg(version).AppendTo(nil), req.AppendTo(nil); !bytes.Equal(got, want) {
				t.Fatalf("version %d:\n got %x\nwant %x", version, got, want)
			}
		}
	}
}

// TestFetchDefaults: what a version does not carry has Kafka's default, also in a view that was used before.
func TestFetchDefaults(t *testing.T) {
	var f Fetch
	for _, version := range []int16{18, 4} {
		if err := f.Parse(version, sampleFetch(version)); err != nil {
			t.Fatal(err)
		}
	}
	if f.SessionID != 0 || f.SessionEpoch != -1 || f.Rack != nil || f.ClusterID != nil || f.ReplicaEpoch != -1 || len(f.Forgotten) != 0 {
		t.Fatalf("%+v", f)
	}
	want := FetchPartition{
		Index: 7, CurrentLeaderEpoch: -1, FetchOffset: 42, LastFetchedEpoch: -1, LogStart: -1, MaxBytes: 1 << 20,
		HighWatermark: UnknownHighWatermark,
	}
	if got := f.Topics[2].Partitions[1]; got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
}

// sampleFetch is a request with three topics of two partitions each, and everything else the version has.
func sampleFetch(version int16) []byte {
	f := Fetch{ReplicaID: -1, ReplicaEpoch: -1, MaxWaitMs: 500, MinBytes: 1, MaxBytes: 50 << 20, Isolation: 1, Rack: []byte("a")}
	for i := range 3 {
		f.Topics = append(f.Topics, FetchTopic{
			Name: []byte("topic"), ID: [16]byte{byte(i)},
			Partitions: []FetchPartition{
				{Index: 0, CurrentLeaderEpoch: 3, LastFetchedEpoch: -1, LogStart: -1, MaxBytes: 1 << 20, HighWatermark: UnknownHighWatermark},
				{Index: 7, FetchOffset: 42, LastFetchedEpoch: -1, LogStart: -1, MaxBytes: 1 << 20, HighWatermark: 7},
			},
		})
	}
	if version < 18 {
		for i := range f.Topics {
			f.Topics[i].Partitions[1].HighWatermark = UnknownHighWatermark
		}
	}
	f.Forgotten = []ForgottenTopic{{Name: []byte("old"), ID: [16]byte{9}, Partitions: []int32{1, 2, 3}}, {Name: []byte("older")}}
	if version >= 12 {
		f.ClusterID = []byte("cluster")
	}
	if version >= 15 {
		f.ReplicaID, f.ReplicaEpoch = 1, 5
	}
	return f.kmsg(version).AppendTo(nil)
}

func TestFetchCutAtEveryByte(t *testing.T) {
	var f Fetch
	for version := int16(4); version <= 18; version++ {
		body := sampleFetch(version)
		for n := range body {
			if err := f.Parse(version, body[:n]); err == nil {
				t.Fatalf("version %d: %d of %d bytes were taken for a whole request", version, n, len(body))
			}
			if len(f.Topics) != 0 || len(f.Forgotten) != 0 {
				t.Fatalf("version %d: the view is not empty after an error", version)
			}
		}
	}
}

func TestFetchBadInput(t *testing.T) {
	start4 := "\xff\xff\xff\xff" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00"
	start12 := start4 + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	for _, c := range []struct {
		name    string
		version int16
		body    string
		want    error
	}{
		{"null topics", 4, start4 + "\xff\xff\xff\xff", ErrNull},
		{"two billion topics", 4, start4 + "\x7f\xff\xff\xff" + "\x00\x00", ErrCount},
		{"null name", 4, start4 + "\x00\x00\x00\x01" + "\xff\xff" + "\x00\x00\x00\x00", ErrNull},
		{"two billion partitions", 4, start4 + "\x00\x00\x00\x01" + "\x00\x00" + "\x7f\xff\xff\xff", ErrCount},
		{"null forgotten topics", 12, start12 + "\x01" + "\x00" + "\x01" + "\x00", ErrNull},
		{"null rack", 12, start12 + "\x01" + "\x01" + "\x00" + "\x00", ErrNull},
		{"a tagged field of version 15", 12, start12 + "\x01" + "\x01" + "\x01" + "\x01" + "\x01\x0d" + string(make([]byte, 13)), ErrTag},
		{"a short tagged field", 12, start12 + "\x01" + "\x01" + "\x01" + "\x01" + "\x00\x01\x05", ErrCount},
		{"version too old", 3, "", ErrUnsupportedVersion},
		{"version too new", 19, "", ErrUnsupportedVersion},
	} {
		t.Run(c.name, func(t *testing.T) {
			var f Fetch
			if err := f.Parse(c.version, []byte(c.body)); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

// fetchAnswer is a whole Fetch response, for the tests of FetchWriter.
type fetchAnswer struct {
	ThrottleMs int32
	Code       Code
	SessionID  int32
	Topics     []fetchAnswerTopic
	Endpoints  []NodeEndpoint
}

type fetchAnswerTopic struct {
	Name       []byte
	ID         [16]byte
	Partitions []fetchAnswerPartition
}

type fetchAnswerPartition struct {
	Header  FetchPartitionHeader
	Records []byte
}

// write writes the answer, each partition after an attempt that is taken back.
func (a *fetchAnswer) write(w *FetchWriter, dst []byte, version int16) []byte {
	w.Begin(dst, version, a.ThrottleMs, a.Code, a.SessionID, len(a.Topics))
	for _, t := range a.Topics {
		w.Topic(t.Name, t.ID, len(t.Partitions))
		for _, p := range t.Partitions {
			w.Partition(FetchError(99, NotLeaderOrFollower), 1000)
			w.Undo()
			copy(w.Partition(p.Header, len(p.Records)), p.Records)
		}
	}
	return w.End(a.Endpoints)
}

func (a *fetchAnswer) kmsg(version int16) *kmsg.FetchResponse {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version, resp.ThrottleMillis, resp.ErrorCode, resp.SessionID = version, a.ThrottleMs, int16(a.Code), a.SessionID
	for _, t := range a.Topics {
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic, topic.TopicID = string(t.Name), t.ID
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, p.kmsg())
		}
		resp.Topics = append(resp.Topics, topic)
	}
	for _, e := range a.Endpoints {
		if version >= 16 {
			resp.Brokers = append(resp.Brokers, kmsg.FetchResponseBroker{NodeID: e.ID, Host: e.Host, Port: e.Port, Rack: nullIfEmpty(e.Rack)})
		}
	}
	return resp
}

func (p *fetchAnswerPartition) kmsg() kmsg.FetchResponseTopicPartition {
	h := &p.Header
	part := kmsg.NewFetchResponseTopicPartition()
	part.Partition, part.ErrorCode, part.HighWatermark = h.Index, int16(h.Code), h.HighWatermark
	part.LastStableOffset, part.LogStartOffset, part.PreferredReadReplica = h.LastStable, h.LogStart, h.PreferredReplica
	if h.Aborted != nil {
		part.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
	}
	for _, a := range h.Aborted {
		part.AbortedTransactions = append(part.AbortedTransactions, kmsg.FetchResponseTopicPartitionAbortedTransaction{
			ProducerID: a.ProducerID, FirstOffset: a.FirstOffset,
		})
	}
	if h.Diverging.Known {
		part.DivergingEpoch.Epoch, part.DivergingEpoch.EndOffset = h.Diverging.Epoch, h.Diverging.Offset
	}
	if h.CurrentLeader.Known {
		part.CurrentLeader.LeaderID, part.CurrentLeader.LeaderEpoch = h.CurrentLeader.ID, h.CurrentLeader.Epoch
	}
	part.RecordBatches = append([]byte{}, p.Records...)
	return part
}

func TestFetchResponseIsWhatKmsgWrites(t *testing.T) {
	var w FetchWriter
	for version := int16(4); version <= 18; version++ {
		f := newFiller(uint64(version))
		f.maxLen = 3
		for range 300 {
			var a fetchAnswer
			f.plain(&a)
			for i := range a.Topics {
				for j := range a.Topics[i].Partitions {
					if f.IntN(2) == 0 {
						a.Topics[i].Partitions[j].Header.Aborted = nil
					}
				}
			}
			want := a.kmsg(version)
			got := a.write(&w, []byte("head"), version)
			if !bytes.Equal(got[4:], want.AppendTo(nil)) {
				t.Fatalf("version %d: %+v\n got %x\nwant %x", version, a, got[4:], want.AppendTo(nil))
			}
			back := kmsg.NewPtrFetchResponse()
			back.Version = version
			if err := back.ReadFrom(got[4:]); err != nil || !bytes.Equal(back.AppendTo(nil), got[4:]) {
				t.Fatalf("version %d: kmsg does not read it back: %v", version, err)
			}
		}
	}
}

// TestFetchWriterHoldsItsCallerToTheCounts: a frame with wrong counts would make a client read records as partitions.
func TestFetchWriterHoldsItsCallerToTheCounts(t *testing.T) {
	for name, misuse := range map[string]func(w *FetchWriter){
		"a topic too few":     func(w *FetchWriter) { w.End(nil) },
		"a topic too many":    func(w *FetchWriter) { w.Topic(nil, [16]byte{}, 0); w.Topic(nil, [16]byte{}, 0) },
		"a partition too few": func(w *FetchWriter) { w.Topic(nil, [16]byte{}, 1); w.End(nil) },
		"a partition too many": func(w *FetchWriter) {
			w.Topic(nil, [16]byte{}, 1)
			w.Partition(FetchError(0, None), 0)
			w.Partition(FetchError(1, None), 0)
		},
		"nothing to undo": func(w *FetchWriter) { w.Topic(nil, [16]byte{}, 1); w.Undo() },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if _, ok := recover().(*invariant.Violation); !ok {
					t.Fatal("it went through")
				}
			}()
			var w FetchWriter
			w.Begin(nil, 12, 0, None, 0, 1)
			misuse(&w)
		})
	}
}

func TestFetchAllocatesNothing(t *testing.T) {
	var (
		f    Fetch
		w    FetchWriter
		dst  []byte
		body = sampleFetch(17)
	)
	n := testing.AllocsPerRun(100, func() {
		if err := f.Parse(17, body); err != nil {
			t.Fatal(err)
		}
		w.Begin(dst[:0], 17, 0, None, f.SessionID, len(f.Topics))
		for i := range f.Topics {
			topic := &f.Topics[i]
			w.Topic(topic.Name, topic.ID, len(topic.Partitions))
			for j := range topic.Partitions {
				clear(w.Partition(FetchPartitionHeader{Index: topic.Partitions[j].Index, HighWatermark: 10}, 10_000))
			}
		}
		dst = w.End(nil)
	})
	if n != 0 {
		t.Fatalf("%v allocations a request", n)
	}
}

// held is how many bytes of arrays the view keeps.
func (f *Fetch) held() int {
	return cap(f.Topics)*int(unsafe.Sizeof(FetchTopic{})) + cap(f.partitions)*int(unsafe.Sizeof(FetchPartition{})) +
		cap(f.Forgotten)*int(unsafe.Sizeof(ForgottenTopic{})) + 4*cap(f.forgotten)
}

func FuzzFetch(f *testing.F) {
	for version := int16(4); version <= 18; version++ {
		f.Add(version-4, sampleFetch(version))
		fill := newFiller(uint64(version))
		fill.tags = true
		f.Add(version-4, fetchRequest(fill, version).AppendTo(nil))
	}
	seeds(f, KeyFetch, func(version int16, body []byte) { f.Add(version-4, body) })
	api, _ := Lookup(KeyFetch)
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		version = 4 + (version&math.MaxInt16)%15
		var view Fetch
		err := view.Parse(version, body)
		if bound := api.MemoryFactor*len(body) + DecodeOverhead; view.held() > bound {
			t.Fatalf("%d bytes make the view hold %d", len(body), view.held())
		}
		compare(t, err, body, kmsg.NewPtrFetchRequest(), version, func() kmsg.Request { return view.kmsg(version) })
	})
}
