package wire

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// kmsg returns the request as kmsg has it.
func (p *Produce) kmsg(version int16) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version = version
	req.TransactionID = textOrNil(p.TransactionalID)
	req.Acks, req.TimeoutMillis = p.Acks, p.TimeoutMs
	for _, t := range p.Topics {
		topic := kmsg.NewProduceRequestTopic()
		topic.Topic, topic.TopicID = string(t.Name), t.ID
		for _, part := range t.Partitions {
			topic.Partitions = append(topic.Partitions, kmsg.ProduceRequestTopicPartition{Partition: part.Index, Records: part.Records})
		}
		req.Topics = append(req.Topics, topic)
	}
	return req
}

func textOrNil(b []byte) *string {
	if b == nil {
		return nil
	}
	s := string(b)
	return &s
}

func TestProduceParsesWhatKmsgWrites(t *testing.T) {
	var p Produce
	for version := int16(0); version <= 13; version++ {
		f := newFiller(uint64(version))
		f.tags = true
		for range 200 {
			req := f.request(0, version).(*kmsg.ProduceRequest)
			if err := p.Parse(version, append(req.AppendTo(nil), "bytes behind"...)); err != nil {
				t.Fatalf("version %d: %v", version, err)
			}
			stripTags(reflect.ValueOf(req))
			if got, want := p.kmsg(version).AppendTo(nil), req.AppendTo(nil); !bytes.Equal(got, want) {
				t.Fatalf("version %d:\n got %x\nwant %x", version, got, want)
			}
		}
	}
}

func TestProduceCutAtEveryByte(t *testing.T) {
	var p Produce
	for version := int16(0); version <= 13; version++ {
		body := sampleProduce(version)
		for n := range body {
			if err := p.Parse(version, body[:n]); err == nil {
				t.Fatalf("version %d: %d of %d bytes were taken for a whole request", version, n, len(body))
			}
			if len(p.Topics) != 0 || p.TransactionalID != nil {
				t.Fatalf("version %d: the view is not empty after an error", version)
			}
		}
	}
}

// sampleProduce is a request with three topics of two partitions each.
func sampleProduce(version int16) []byte {
	p := Produce{TransactionalID: []byte("tx"), Acks: -1, TimeoutMs: 30000}
	for i := range 3 {
		p.Topics = append(p.Topics, ProduceTopic{
			Name: []byte("topic"), ID: [16]byte{byte(i)},
			Partitions: []ProducePartition{{Index: 0, Records: make([]byte, 100)}, {Index: 7, Records: nil}},
		})
	}
	return p.kmsg(version).AppendTo(nil)
}

func TestProduceBadInput(t *testing.T) {
	for _, c := range []struct {
		name    string
		version int16
		body    string
		want    error
	}{
		{"null topics", 3, "\xff\xff" + "\x00\x01" + "\x00\x00\x00\x00" + "\xff\xff\xff\xff", ErrNull},
		{"null topics, compact", 9, "\x00" + "\x00\x01" + "\x00\x00\x00\x00" + "\x00" + "\x00", ErrNull},
		{"null name", 3, "\xff\xff" + "\x00\x01" + "\x00\x00\x00\x00" + "\x00\x00\x00\x01" + "\xff\xff" + "\x00\x00\x00\x00", ErrNull},
		{"null partitions", 3, "\xff\xff" + "\x00\x01" + "\x00\x00\x00\x00" + "\x00\x00\x00\x01" + "\x00\x00" + "\xff\xff\xff\xff", ErrNull},
		{"two billion topics", 3, "\xff\xff" + "\x00\x01" + "\x00\x00\x00\x00" + "\x7f\xff\xff\xff" + "\x00\x00", ErrCount},
		{"four billion topics", 9, "\x00" + "\x00\x01" + "\x00\x00\x00\x00" + "\xff\xff\xff\xff\x0f" + "\x00", ErrCount},
		{"one topic too many", 9, "\x00" + "\x00\x01" + "\x00\x00\x00\x00" + "\x03" + "\x02t\x01\x00" + "\x00", ErrCount},
		{"four billion tagged fields", 9, "\x00" + "\x00\x01" + "\x00\x00\x00\x00" + "\x01" + "\xff\xff\xff\xff\x0f", ErrCount},
		{"tagged field longer than the body", 9, "\x00" + "\x00\x01" + "\x00\x00\x00\x00" + "\x01" + "\x01\x05\x09xx", ErrCount},
		{"number of six bytes", 9, "\x80\x80\x80\x80\x80\x01", ErrVarint},
		{"records longer than the body", 3, "\xff\xff" + "\x00\x01" + "\x00\x00\x00\x00" + "\x00\x00\x00\x01" + "\x00\x01t" +
			"\x00\x00\x00\x01" + "\x00\x00\x00\x00" + "\x00\x00\x00\x09" + "records!", ErrCount},
		{"name of 32768 bytes", 9, "\x00" + "\x00\x01" + "\x00\x00\x00\x00" + "\x02" + "\x81\x80\x02" + string(make([]byte, 40000)), ErrTooLong},
		{"a thousand empty partitions", 13, "\x00" + "\x00\x01" + "\x00\x00\x00\x00" + "\x02" + string(make([]byte, 16)) + "\xe9\x07" +
			string(make([]byte, 6000+2)), ErrCount},
		{"version too new", 14, "", ErrUnsupportedVersion},
		{"negative version", -1, "", ErrUnsupportedVersion},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p Produce
			if err := p.Parse(c.version, []byte(c.body)); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

func (r *ProduceResponse) kmsg(version int16) *kmsg.ProduceResponse {
	resp := kmsg.NewPtrProduceResponse()
	resp.Version, resp.ThrottleMillis = version, r.ThrottleMs
	for _, t := range r.Topics {
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic, topic.TopicID = string(t.Name), t.ID
		for _, p := range t.Partitions {
			part := kmsg.NewProduceResponseTopicPartition()
			part.Partition, part.ErrorCode, part.BaseOffset = p.Index, int16(p.Code), p.BaseOffset
			part.LogAppendTime, part.LogStartOffset = p.LogAppendTimeMs, p.LogStart
			part.ErrorMessage = nullIfEmpty(p.ErrorMessage)
			for _, e := range p.RecordErrors {
				part.ErrorRecords = append(part.ErrorRecords, kmsg.ProduceResponseTopicPartitionErrorRecord{
					RelativeOffset: e.BatchIndex, ErrorMessage: nullIfEmpty(e.Message),
				})
			}
			if p.CurrentLeader.Known && version >= 10 { // kmsg would write it into version 9, too
				part.CurrentLeader.LeaderID, part.CurrentLeader.LeaderEpoch = p.CurrentLeader.ID, p.CurrentLeader.Epoch
			}
			topic.Partitions = append(topic.Partitions, part)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	for _, e := range r.Endpoints {
		if version < 10 {
			break
		}
		resp.Brokers = append(resp.Brokers, kmsg.ProduceResponseBroker{NodeID: e.ID, Host: e.Host, Port: e.Port, Rack: nullIfEmpty(e.Rack)})
	}
	return resp
}

func nullIfEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// plain fills our own structures: all exported fields.
func (f *filler) plain(v any) {
	r := reflect.ValueOf(v).Elem()
	for i := range r.NumField() {
		if r.Type().Field(i).IsExported() {
			f.fillPlain(r.Field(i))
		}
	}
}

func (f *filler) fillPlain(v reflect.Value) {
	switch {
	case v.Kind() == reflect.Struct:
		f.plain(v.Addr().Interface())
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		n := f.IntN(f.maxLen + 1)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			f.plain(v.Index(i).Addr().Interface())
		}
	default:
		f.fill(v)
	}
}

func TestProduceResponseIsWhatKmsgWrites(t *testing.T) {
	for version := int16(0); version <= 13; version++ {
		f := newFiller(uint64(version))
		f.maxLen = 3
		for range 300 {
			var r ProduceResponse
			f.plain(&r)
			want := r.kmsg(version)
			got := r.Append([]byte("head"), version)
			if !bytes.Equal(got[4:], want.AppendTo(nil)) {
				t.Fatalf("version %d: %+v\n got %x\nwant %x", version, r, got[4:], want.AppendTo(nil))
			}
			back := kmsg.NewPtrProduceResponse()
			back.Version = version
			if err := back.ReadFrom(got[4:]); err != nil || !bytes.Equal(back.AppendTo(nil), got[4:]) {
				t.Fatalf("version %d: kmsg does not read it back: %v", version, err)
			}
		}
	}
}

func TestProduceResponseMirrorsTheRequest(t *testing.T) {
	var p Produce
	if err := p.Parse(13, sampleProduce(13)); err != nil {
		t.Fatal(err)
	}
	var r ProduceResponse
	r.Mirror(&p)
	if len(r.Topics) != 3 {
		t.Fatalf("%d topics", len(r.Topics))
	}
	for i, topic := range r.Topics {
		if topic.ID != p.Topics[i].ID || len(topic.Partitions) != 2 {
			t.Fatalf("topic %d: %+v", i, topic)
		}
		for j, got := range topic.Partitions {
			want := ProducePartitionResult{Index: p.Topics[i].Partitions[j].Index, BaseOffset: -1, LogAppendTimeMs: -1, LogStart: -1}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("partition %d: %+v, want %+v", j, got, want)
			}
		}
	}
}

func TestProduceAllocatesNothing(t *testing.T) {
	var (
		p    Produce
		r    ProduceResponse
		dst  []byte
		body = sampleProduce(11)
	)
	n := testing.AllocsPerRun(100, func() {
		if err := p.Parse(11, body); err != nil {
			t.Fatal(err)
		}
		r.Mirror(&p)
		r.Topics[1].Partitions[1].Code = NotLeaderOrFollower
		r.Topics[1].Partitions[1].CurrentLeader = Leader{Known: true, ID: 2, Epoch: 3}
		dst = r.Append(dst[:0], 11)
	})
	if n != 0 {
		t.Fatalf("%v allocations a request", n)
	}
}

// TestViewsGiveMemoryBack: a huge request must not hold its memory for the life of its connection.
func TestViewsGiveMemoryBack(t *testing.T) {
	big := Produce{Topics: []ProduceTopic{{Name: []byte("t"), Partitions: make([]ProducePartition, 100_000)}}}
	for i := range big.Topics[0].Partitions {
		big.Topics[0].Partitions[i].Records = make([]byte, 61)
	}
	body := big.kmsg(9).AppendTo(nil)
	var p Produce
	for _, b := range [][]byte{body, sampleProduce(9), sampleProduce(9)} {
		if err := p.Parse(9, b); err != nil {
			t.Fatal(err)
		}
	}
	if cap(p.partitions) > keepElements {
		t.Fatalf("still room for %d partitions", cap(p.partitions))
	}
}

func FuzzProduce(f *testing.F) {
	for version := int16(0); version <= 13; version++ {
		f.Add(version, sampleProduce(version))
		fill := newFiller(uint64(version))
		fill.tags = true
		f.Add(version, fill.request(0, version).AppendTo(nil))
	}
	f.Add(int16(9), []byte("\x00\x00\x01\x00\x00\x00\x00\xff\xff\xff\xff\x0f\x00"))
	seeds(f, KeyProduce, func(version int16, body []byte) { f.Add(version, body) })
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		version &= math.MaxInt16
		version %= 14
		var p Produce
		err := p.Parse(version, body)
		if bound := produceWorst*len(body) + DecodeOverhead; p.Memory() > bound {
			t.Fatalf("%d bytes make the view hold %d", len(body), p.Memory())
		}
		compare(t, err, body, kmsg.NewPtrProduceRequest(), version, func() kmsg.Request { return p.kmsg(version) })
	})
}

// compare holds a view against kmsg's reading of the same body. Where ours refuses, kmsg must too, or we must be the stricter for a
// reason: null, counts that kmsg would follow into the void, strings beyond the protocol's limit, tagged fields of other versions.
func compare(t *testing.T, err error, body []byte, theirs kmsg.Request, version int16, ours func() kmsg.Request) {
	t.Helper()
	theirs.SetVersion(version)
	switch {
	case err == nil:
		if err := theirs.ReadFrom(body); err != nil {
			t.Fatalf("version %d: kmsg refuses what we take: %v", version, err)
		}
		stripTags(reflect.ValueOf(theirs))
		if got, want := ours().AppendTo(nil), theirs.AppendTo(nil); !bytes.Equal(got, want) {
			t.Fatalf("version %d:\n got %x\nwant %x", version, got, want)
		}
	case errors.Is(err, ErrShort), errors.Is(err, ErrVarint):
		if theirs.ReadFrom(body) == nil {
			t.Fatalf("version %d: kmsg takes what we refuse: %v", version, err)
		}
	case errors.Is(err, ErrNull), errors.Is(err, ErrCount), errors.Is(err, ErrTooLong), errors.Is(err, ErrTag):
	default:
		t.Fatalf("an error without a reason: %v", err)
	}
}
