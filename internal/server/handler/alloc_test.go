package handler

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/storage/vfs"
)

// A hot request takes memory that earlier ones have left, and none from the heap: what one allocates for every request,
// thousands a second make the garbage collector's work.

// steady is how many allocations a request makes, at best of a few tries: what the partitions' housekeeping does each
// second, whatever the requests, may fall into one of them.
func steady(runs int, request func()) float64 {
	best := testing.AllocsPerRun(runs, request)
	for try := 0; try < 3 && best > 0; try++ {
		best = min(best, testing.AllocsPerRun(runs, request))
	}
	return best
}

// produceFrame is a Produce request to partition 0 of topic t, and where its batch begins.
func produceFrame(tb testing.TB, acks int16, producer int64) (request []byte, at int) {
	b := batch(tb, producer)
	q := kmsg.NewPtrProduceRequest()
	q.Version, q.Acks, q.TimeoutMillis = 9, acks, 10_000
	t, p := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	p.Records = b
	t.Topic, t.Partitions = "t", append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	request = frame(q)
	return request, bytes.Index(request, b)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// resequence gives the batch the producer's next sequence.
func resequence(batch []byte, sequence int32) {
	binary.BigEndian.PutUint32(batch[53:], uint32(sequence))
	binary.BigEndian.PutUint32(batch[17:], crc32.Checksum(batch[21:], castagnoli))
}

// producing returns a function that sends the next produce request.
func producing(r *rig, acks int16, producer int64) func() {
	request, at := produceFrame(r.tb, acks, producer)
	size := len(batch(r.tb, producer))
	sequence := int32(0)
	return func() {
		if producer >= 0 {
			resequence(request[at:at+size], sequence)
			sequence += 10
		}
		r.serve(request, func(answer []byte) {
			if acks != 0 && len(answer) == 0 {
				r.tb.Fatal("no answer")
			}
			// Of version 9: length, correlation, tags, topics, name, partitions, index; then the code.
			if acks != 0 && binary.BigEndian.Uint16(answer[4+4+1+1+2+1+4:]) != 0 {
				r.tb.Fatalf("answered error %d", binary.BigEndian.Uint16(answer[4+4+1+1+2+1+4:]))
			}
		})
	}
}

var produceCases = []struct {
	name     string
	acks     int16
	producer int64
	topic    []string
}{
	{"acks=1", 1, -1, nil},
	{"acks=1 idempotent", 1, 1000, nil},
	{"acks=all", -1, -1, nil},
	{"acks=all idempotent", -1, 1000, nil},
	{"acks=all unsynced", -1, 1000, []string{"commit.sync", "false"}},
	{"acks=0", 0, 1000, nil},
	{"acks=1 log append time", 1, 1000, []string{"message.timestamp.type", "LogAppendTime"}},
}

func TestProduceAllocatesNothing(t *testing.T) {
	for _, c := range produceCases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, vfs.OS())
			r.createTopic("t", 1, c.topic...)
			send := producing(r, c.acks, c.producer)
			for range 200 {
				send()
			}
			if n := steady(300, send); n != 0 && !racing {
				t.Errorf("%v allocations a request", n)
			}
		})
	}
}

// Also a request to several partitions, which are synced one by one or all at once.
func TestProduceToManyPartitionsAllocatesNothing(t *testing.T) {
	for _, partitions := range []int32{2, 6, 30} {
		r := newRig(t, vfs.OS())
		r.createTopic("t", partitions)
		q := kmsg.NewPtrProduceRequest()
		q.Version, q.Acks, q.TimeoutMillis = 9, -1, 10_000
		topic := kmsg.NewProduceRequestTopic()
		topic.Topic = "t"
		for i := range partitions {
			p := kmsg.NewProduceRequestTopicPartition()
			p.Partition, p.Records = i, batch(t, -1)
			topic.Partitions = append(topic.Partitions, p)
		}
		q.Topics = append(q.Topics, topic)
		request := frame(q)
		send := func() { r.serve(request, nil) }
		for range 50 {
			send()
		}
		if n := steady(100, send); n != 0 && !racing {
			t.Errorf("%d partitions: %v allocations a request", partitions, n)
		}
	}
}

func BenchmarkProduce(b *testing.B) {
	for _, c := range produceCases {
		b.Run(c.name, func(b *testing.B) {
			r := newRig(b, vfs.OS())
			r.createTopic("t", 1, c.topic...)
			send := producing(r, c.acks, c.producer)
			send()
			b.ReportAllocs()
			for b.Loop() {
				send()
			}
		})
	}
}

// fetching returns a function that fetches from a filled topic, in a session unless kind is full.
func fetching(r *rig, version int16, kind string, offset int64) func() {
	r.createTopic("t", 2)
	send := producing(r, -1, -1)
	for range 20 {
		send()
	}
	q := kmsg.NewPtrFetchRequest()
	q.Version, q.ReplicaID, q.MaxBytes, q.MinBytes, q.MaxWaitMillis, q.SessionEpoch = version, -1, 1<<20, 0, 0, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = "t", r.image().Topic("t").ID
	for i := range int32(2) {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.PartitionMaxBytes = i, 1<<20
		if i == 0 {
			p.FetchOffset = offset
		}
		t.Partitions = append(t.Partitions, p)
	}
	q.Topics = append(q.Topics, t)
	if kind == "full" {
		request := frame(q)
		return func() { r.serve(request, nil) }
	}
	q.SessionEpoch = 0
	id := r.ask(q).(*kmsg.FetchResponse).SessionID
	if id == 0 {
		r.tb.Fatal("no session")
	}
	q.SessionID, q.SessionEpoch = id, 1
	if kind != "moving" { // a consumer that reads names what it has read up to
		q.Topics = nil
	}
	request := frame(q)
	at := bytes.Index(request, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(id)), 1)) + 4
	epoch := uint32(0)
	return func() {
		epoch++
		binary.BigEndian.PutUint32(request[at:], epoch)
		r.serve(request, func(answer []byte) {
			if code := binary.BigEndian.Uint16(answer[4+4+1+4:]); code != 0 {
				r.tb.Fatalf("answered error %d", code)
			}
		})
	}
}

var fetchCases = []struct {
	name    string
	version int16
	kind    string
	offset  int64
}{
	{"full", 12, "full", 0},
	{"full by id", 13, "full", 0},
	{"full inside a batch", 12, "full", 55},
	{"full at the end", 12, "full", 200},
	{"incremental", 12, "idle", 0},
	{"incremental by id", 18, "idle", 0},
	{"incremental at the end", 18, "idle", 200},
	{"incremental moving on", 12, "moving", 0},
	{"incremental moving on by id", 18, "moving", 0},
}

func TestFetchAllocatesNothing(t *testing.T) {
	for _, c := range fetchCases {
		t.Run(c.name, func(t *testing.T) {
			fetch := fetching(newRig(t, vfs.OS()), c.version, c.kind, c.offset)
			for range 100 {
				fetch()
			}
			if n := steady(300, fetch); n != 0 && !racing {
				t.Errorf("%v allocations a request", n)
			}
		})
	}
}

// A fetch that parks, and is woken by a produce, allocates no more than one that does not.
func TestParkedFetchAllocatesNothing(t *testing.T) {
	r := newRig(t, vfs.OS())
	fetch := fetching(r, 18, "idle", 0)
	fetch()
	q := kmsg.NewPtrFetchRequest()
	q.Version, q.ReplicaID, q.MaxBytes, q.MinBytes, q.MaxWaitMillis, q.SessionEpoch = 12, -1, 1<<20, 1<<20, 1, -1
	ft, fp := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	fp.PartitionMaxBytes = 1 << 20
	ft.Topic, ft.Partitions = "t", append(ft.Partitions, fp)
	q.Topics = append(q.Topics, ft)
	request := frame(q)
	park := func() { r.serve(request, nil) }
	for range 20 {
		park()
	}
	if n := steady(50, park); n != 0 && !racing {
		t.Errorf("%v allocations a request that waits for 1 ms", n)
	}
}

func BenchmarkFetch(b *testing.B) {
	for _, c := range fetchCases {
		b.Run(c.name, func(b *testing.B) {
			fetch := fetching(newRig(b, vfs.OS()), c.version, c.kind, c.offset)
			fetch()
			b.ReportAllocs()
			for b.Loop() {
				fetch()
			}
		})
	}
}
