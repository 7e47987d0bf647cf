package controller

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"
)

// TestMachine sends random commands, drawn so that they meet each other, and holds after each:
// Decide changes nothing and is the same twice; every record takes effect; the picture is sound; nothing that must be
// given once is given twice; and log, snapshot and any mixture of both lead to the same bytes.
func TestMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{m: New(nil, image.Empty()), given: map[image.TopicID]bool{}, epochs: map[image.TopicID][]int32{}}
		w.command(t, &FormCluster{ClusterID: "C"})
		for range rapid.IntRange(1, 40).Draw(t, "commands") {
			w.command(t, drawCommand(t, w.m.Image()))
		}
		w.replay(t)
	})
}

type world struct {
	m         *Machine
	log       [][]byte
	snapshots [][]byte // [i] is after the first i batches
	given     map[image.TopicID]bool
	epochs    map[image.TopicID][]int32 // leader epochs of a topic's partitions
	producer  int64
	broker    int64
}

func (w *world) command(t *rapid.T, request any) {
	cmd := Command{Request: request, Nonce: [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "nonce"))}
	before := w.m.Image().Snapshot(nil)
	if len(w.snapshots) == len(w.log) {
		w.snapshots = append(w.snapshots, before)
	}
	out, again := w.m.Decide(time.UnixMilli(1), cmd), w.m.Decide(time.UnixMilli(1), cmd)
	if !bytes.Equal(before, w.m.Image().Snapshot(nil)) {
		t.Fatalf("deciding %T changed the state", request)
	}
	if !bytes.Equal(encode(out), encode(again)) {
		t.Fatalf("%T was decided in two ways: %+v, %+v", request, out, again)
	}
	w.once(t, request, out.Reply)
	if len(out.Records) == 0 {
		return
	}
	batch := image.AppendBatch(nil, out.Records)
	w.log = append(w.log, batch)
	w.m.Apply(int64(len(w.log)), out.Records)
	took(t, w.m.Image(), out.Records)
	w.sound(t)
}

func encode(out Outcome) []byte {
	b := image.AppendBatch(nil, out.Records)
	if r, ok := out.Reply.(kmsg.Response); ok {
		b = r.AppendTo(b)
	}
	return b
}

// once holds what a reply gives out against all that was given before.
func (w *world) once(t *rapid.T, request, reply any) {
	switch r := reply.(type) {
	case *kmsg.AllocateProducerIDsResponse:
		if r.ErrorCode != 0 {
			return
		}
		if r.ProducerIDStart < w.producer || r.ProducerIDLen != ProducerIDBlock {
			t.Fatalf("producer ids %d+%d, all below %d were given", r.ProducerIDStart, r.ProducerIDLen, w.producer)
		}
		w.producer = r.ProducerIDStart + int64(r.ProducerIDLen)
	case *kmsg.BrokerRegistrationResponse:
		old := w.m.Image().Broker(request.(*kmsg.BrokerRegistrationRequest).BrokerID)
		if r.ErrorCode != 0 || (old != nil && r.BrokerEpoch == old.Epoch && old.Incarnation == request.(*kmsg.BrokerRegistrationRequest).IncarnationID) {
			return
		}
		if r.BrokerEpoch <= w.broker {
			t.Fatalf("broker epoch %d for a new incarnation, after %d", r.BrokerEpoch, w.broker)
		}
		w.broker = r.BrokerEpoch
	}
}

// took checks that each record is true now, unless a later one of the batch took it back.
func took(t *rapid.T, img *image.Image, records []image.Record) {
	for _, r := range records {
		ok := true
		switch r := r.(type) {
		case *image.TopicRecord:
			ok = img.Topic(r.Name) != nil && img.Topic(r.Name).ID == r.ID
		case *image.RemoveTopicRecord:
			ok = img.TopicByID(r.ID) == nil
		case *image.PartitionRecord:
			topic := img.TopicByID(r.Topic)
			ok = topic != nil && int(r.Index) < len(topic.Partitions) && cmp.Equal(*topic.Partitions[r.Index], r.Partition)
		case *image.ConfigRecord:
			configs := img.BrokerConfigs(r.Name)
			if r.Resource == image.ResourceTopic {
				configs = img.Topic(r.Name).Configs
			}
			value, given := configs.Get(r.Key)
			ok = given == (r.Value != nil) && (!given || value == *r.Value)
		case *image.BrokerRecord:
			ok = img.Broker(r.ID) != nil && img.Broker(r.ID).Epoch == r.Epoch
		case *image.ProducerIDsRecord:
			ok = img.NextProducerID() == r.Next
		}
		if !ok {
			t.Fatalf("record %T %+v took no effect", r, r)
		}
	}
}

// sound checks what must hold of every picture.
func (w *world) sound(t *rapid.T) {
	unified := map[string]string{}
	partitions := 0
	for topic := range w.m.Image().Topics() {
		if other := unified[unify(topic.Name)]; other != "" {
			t.Fatalf("topics %s and %s collide", other, topic.Name)
		}
		unified[unify(topic.Name)] = topic.Name
		known := w.epochs[topic.ID]
		if known == nil && w.given[topic.ID] {
			t.Fatalf("topic id %v was given twice", topic.ID)
		}
		w.given[topic.ID] = true
		for n, p := range topic.Partitions {
			partitions++
			if !slices.Contains(p.ISR, p.Leader) || len(p.Directories) != len(p.Replicas) || len(p.Replicas) != len(topic.Partitions[0].Replicas) {
				t.Fatalf("%s-%d: %+v", topic.Name, n, p)
			}
			if n < len(known) && p.LeaderEpoch < known[n] {
				t.Fatalf("%s-%d: leader epoch %d after %d", topic.Name, n, p.LeaderEpoch, known[n])
			}
			if n >= len(known) {
				known = append(known, 0)
			}
			known[n] = p.LeaderEpoch
		}
		w.epochs[topic.ID] = known
	}
	if partitions != w.m.Image().PartitionCount() {
		t.Fatalf("%d partitions are counted as %d", partitions, w.m.Image().PartitionCount())
	}
}

func (w *world) replay(t *rapid.T) {
	want := w.m.Image().Snapshot(nil)
	from := rapid.IntRange(0, len(w.snapshots)-1).Draw(t, "snapshot")
	for _, start := range []int{0, from} {
		m := New(nil, image.Empty())
		if err := m.Restore(bytes.NewReader(w.snapshots[start])); err != nil {
			t.Fatal(err)
		}
		for i := start; i < len(w.log); i++ {
			records, err := image.DecodeBatch(w.log[i])
			if err != nil {
				t.Fatal(err)
			}
			m.Apply(int64(i+1), records)
		}
		var got bytes.Buffer
		if err := m.Snapshot(&got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Fatalf("from the snapshot after batch %d, the log leads to another state", start)
		}
	}
}

var (
	someNames = []string{"a", "a.b", "a_b", "orders", "", "no/good", "__cluster_metadata"}
	someKeys  = []string{"retention.ms", "cleanup.policy", "min.insync.replicas", "no.such.key"}
	values    = []string{"1", "delete", "", "-1", "x"}
)

func drawCommand(t *rapid.T, img *image.Image) any {
	pick := func(from []string) string { return rapid.SampledFrom(from).Draw(t, "word") }
	small := func(lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, "n") }
	switch small(0, 8) {
	case 0, 1:
		req := kmsg.NewPtrBrokerRegistrationRequest()
		req.Version, req.ClusterID, req.BrokerID = 4, "C", int32(small(1, 3))
		req.IncarnationID, req.LogDirs = [16]byte{byte(small(1, 4))}, [][16]byte{{byte(req.BrokerID)}}
		return req
	case 2, 3:
		req := kmsg.NewPtrCreateTopicsRequest()
		req.Version, req.ValidateOnly = 7, small(0, 5) == 0
		for range small(1, 3) {
			topic := kmsg.NewCreateTopicsRequestTopic()
			topic.Topic, topic.NumPartitions, topic.ReplicationFactor = pick(someNames), int32(small(-1, 3)), int16(small(-1, 3))
			if small(0, 3) == 0 {
				v := pick(values)
				topic.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: pick(someKeys), Value: &v}}
			}
			req.Topics = append(req.Topics, topic)
		}
		return req
	case 4:
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.Version = 6
		for range small(1, 2) {
			topic := kmsg.NewDeleteTopicsRequestTopic()
			name := pick(someNames)
			if known := img.Topic(name); known != nil && small(0, 1) == 0 {
				topic.TopicID = known.ID
			} else {
				topic.Topic = &name
			}
			req.Topics = append(req.Topics, topic)
		}
		return req
	case 5:
		req := kmsg.NewPtrCreatePartitionsRequest()
		req.Version = 3
		req.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: pick(someNames), Count: int32(small(0, 6))}}
		return req
	case 6:
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		req.Version = 1
		kind, name := kmsg.ConfigResourceTypeTopic, pick(someNames)
		if small(0, 2) == 0 {
			kind, name = kmsg.ConfigResourceTypeBroker, rapid.SampledFrom([]string{"", "1", "7"}).Draw(t, "broker")
		}
		v := pick(values)
		req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kind, ResourceName: name, Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{
			{Name: rapid.SampledFrom(append(someKeys, "log.retention.ms")).Draw(t, "key"), Op: kmsg.IncrementalAlterConfigOp(small(0, 4)), Value: &v},
		}}}
		return req
	case 7:
		req := kmsg.NewPtrAllocateProducerIDsRequest()
		req.BrokerID = int32(small(1, 3))
		if b := img.Broker(req.BrokerID); b != nil {
			req.BrokerEpoch = b.Epoch - int64(small(0, 1))
		}
		return req
	}
	return &AutoCreateTopics{Names: []string{pick(someNames), pick(someNames)}}
}

// TestPlacementIsEven counts replicas and leaders over many topics of one partition and one topic of many.
func TestPlacementIsEven(t *testing.T) {
	for _, racks := range [][]string{{"", "", ""}, {"a", "b", "c"}, {"a", "a", "b", "b"}, {"a", "a", "a", "b"}} {
		img := image.Empty()
		for i, rack := range racks {
			img = img.Apply(int64(i+1), []image.Record{&image.BrokerRecord{Broker: image.Broker{ID: int32(i), Rack: rack, Directories: []image.DirectoryID{{byte(i + 1)}}}}})
		}
		perRack := map[string]int{}
		for _, r := range racks {
			perRack[r]++
		}
		leaders, replicas := map[int32]int{}, map[int32]int{}
		const partitions = 1200
		place := func(p *placer) {
			rs := p.place(2)
			leaders[rs[0]]++
			for _, r := range rs {
				replicas[r]++
			}
			if len(perRack) > 1 && racks[rs[0]] == racks[rs[1]] {
				t.Fatalf("racks %v: both replicas %v in one rack", racks, rs)
			}
		}
		one := newPlacer(img, &ids{})
		for range partitions {
			place(one)
		}
		for n := range partitions {
			place(newPlacer(img, &ids{n: uint64(n) * 1000}))
		}
		for i, rack := range racks {
			want := 2 * partitions / len(perRack) / perRack[rack]
			if got := leaders[int32(i)]; got < want*8/10 || got > want*12/10 {
				t.Errorf("racks %v: broker %d leads %d of %d, want about %d", racks, i, got, 2*partitions, want)
			}
		}
	}
}

// TestThousandsInOneRequest: one request, one batch, in reasonable time and bytes.
func TestThousandsInOneRequest(t *testing.T) {
	m := New(nil, image.Empty().Apply(1, []image.Record{
		&image.FormationRecord{ClusterID: "C"},
		&image.BrokerRecord{Broker: image.Broker{ID: 1, Directories: []image.DirectoryID{{1}}}},
	}))
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = 7
	retention := "1000"
	for n := range 10_000 {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = fmt.Sprintf("topic-%05d", n), 3, 1
		topic.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms", Value: &retention}}
		req.Topics = append(req.Topics, topic)
	}
	out := m.Decide(time.UnixMilli(0), Command{Request: req})
	if len(out.Records) != 50_000 {
		t.Fatalf("%d records", len(out.Records))
	}
	if n := len(image.AppendBatch(nil, out.Records)); n > MaxBatchBytes {
		t.Errorf("the batch has %d bytes", n)
	}
	m.Apply(2, out.Records)
	if m.Image().TopicCount() != 10_000 || m.Image().PartitionCount() != 30_000 {
		t.Errorf("%d topics, %d partitions", m.Image().TopicCount(), m.Image().PartitionCount())
	}
	configs := out.Reply.(*kmsg.CreateTopicsResponse).Topics[9_999].Configs
	i := slices.IndexFunc(configs, func(c kmsg.CreateTopicsResponseTopicConfig) bool { return c.Name == "retention.ms" })
	if i < 0 || *configs[i].Value != "1000" || configs[i].Source != 1 {
		t.Errorf("described: %+v", configs)
	}
}

// TestBatchIsBounded: many large values do not make an entry that nobody can carry.
func TestBatchIsBounded(t *testing.T) {
	m := New(nil, image.Empty().Apply(1, []image.Record{&image.BrokerRecord{Broker: image.Broker{ID: 1, Directories: []image.DirectoryID{{1}}}}}))
	long := strings.Repeat(" ", 32_000) + "1000" // spaces around a number are allowed
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = 7
	for n := range 1000 {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = fmt.Sprintf("t%d", n), 1, 1
		topic.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms", Value: &long}}
		req.Topics = append(req.Topics, topic)
	}
	out := m.Decide(time.UnixMilli(0), Command{Request: req})
	made := 0
	for _, topic := range out.Reply.(*kmsg.CreateTopicsResponse).Topics {
		switch wire.Code(topic.ErrorCode) {
		case 0:
			made++
		case wire.PolicyViolation:
		default:
			t.Fatalf("%s: %v %s", topic.Topic, wire.Code(topic.ErrorCode), *topic.ErrorMessage)
		}
	}
	if n := len(image.AppendBatch(nil, out.Records)); n > MaxBatchBytes || made < 500 || made == 1000 || len(out.Records) != 3*made {
		t.Errorf("%d topics made, %d records, %d bytes", made, len(out.Records), n)
	}
}
