package image

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func topicRecords(n int, partitions int) []Record {
	id := TopicID{0: byte(n >> 16), 1: byte(n >> 8), 2: byte(n), 15: 1}
	records := []Record{&TopicRecord{Name: fmt.Sprintf("topic-%06d", n), ID: id}}
	for p := range partitions {
		records = append(records, &PartitionRecord{Topic: id, Index: int32(p), Partition: Partition{
			Replicas: []int32{1}, Directories: []DirectoryID{{1}}, ISR: []int32{1}, Leader: 1,
		}})
	}
	return records
}

func TestTopicLifeAndDelta(t *testing.T) {
	value := "1"
	empty := Empty()
	one := empty.Apply(1, append(topicRecords(1, 2), &ConfigRecord{Resource: ResourceTopic, Name: "topic-000001", Key: "retention.ms", Value: &value}))
	if empty.TopicCount() != 0 || empty.PartitionCount() != 0 {
		t.Fatal("the empty image changed")
	}
	topic := one.Topic("topic-000001")
	if topic == nil || one.TopicByID(topic.ID) != topic || len(topic.Partitions) != 2 || one.PartitionCount() != 2 || one.Offset() != 1 {
		t.Fatalf("image after creation: %+v", topic)
	}
	d := Diff(empty, one)
	if len(d.Topics) != 1 || d.Topics[0].Before != nil || d.Topics[0].After != topic || !d.Topics[0].ConfigsChanged() {
		t.Fatalf("delta of a creation: %+v", d)
	}

	next := *topic.Partitions[1]
	next.LeaderEpoch, next.PartitionEpoch = 1, 1
	two := one.Apply(2, []Record{
		&PartitionRecord{Topic: topic.ID, Index: 1, Partition: next},
		&PartitionRecord{Topic: topic.ID, Index: 2, Partition: next},
		&PartitionRecord{Topic: topic.ID, Index: 9, Partition: next}, // not the next one: changes nothing
	})
	d = Diff(one, two)
	var changed []int32
	for n, p := range d.Topics[0].Partitions() {
		changed = append(changed, n)
		if (p.Before == nil) != (n == 2) || p.After == nil {
			t.Errorf("partition %d: %+v", n, p)
		}
	}
	if !slices.Equal(changed, []int32{1, 2}) || d.Topics[0].ConfigsChanged() || one.Topic(topic.Name).Partitions[1].LeaderEpoch != 0 {
		t.Fatalf("changed partitions %v, delta %+v", changed, d)
	}

	again := topicRecords(1, 1)
	again[0].(*TopicRecord).ID[15] = 2
	again[1].(*PartitionRecord).Topic[15] = 2
	three := two.Apply(3, append([]Record{&RemoveTopicRecord{ID: topic.ID}}, again...))
	d = Diff(two, three)
	if len(d.Topics) != 2 || d.Topics[0].After != nil || d.Topics[1].Before != nil || three.PartitionCount() != 1 {
		t.Fatalf("delete and create again: %+v", d)
	}
	if three.Topic(topic.Name).Configs.Len() != 0 {
		t.Error("settings outlived their topic")
	}
	if four := three.Apply(4, []Record{&RemoveTopicRecord{ID: topic.ID}, &ConfigRecord{Resource: ResourceTopic, Name: "gone", Key: "k", Value: &value}}); !unchanged(Diff(three, four)) {
		t.Error("records about what does not exist changed something")
	}
}

func unchanged(d Delta) bool { return d.Empty() }

func TestCollidingNames(t *testing.T) {
	img := Empty().Apply(1, []Record{&TopicRecord{Name: "a.b_c", ID: TopicID{1}}, &TopicRecord{Name: "plain", ID: TopicID{2}}})
	for name, want := range map[string]string{"a_b.c": "a.b_c", "a.b.c": "a.b_c", "a.b_c": "a.b_c", "abc": "", "plain": ""} { // order-free
		if got, _ := img.Colliding(name); got != want {
			t.Errorf("Colliding(%q) = %q, want %q", name, got, want)
		}
	}
	if _, found := img.Apply(2, []Record{&RemoveTopicRecord{ID: TopicID{1}}}).Colliding("a_b_c"); found {
		t.Error("a deleted topic still collides")
	}
}

// TestTable holds the copy-on-write table against a plain sorted slice, and every older version against change.
func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type version struct {
			table table[brokerKey, int]
			model map[brokerKey]int
		}
		versions := []version{{model: map[brokerKey]int{}}}
		for range rapid.IntRange(1, 12).Draw(t, "edits") {
			last := versions[len(versions)-1]
			model := map[brokerKey]int{}
			for k, v := range last.model { // order-free
				model[k] = v
			}
			e := last.table.edit()
			base := rapid.IntRange(0, 2000).Draw(t, "base")
			for i := range rapid.IntRange(0, 400).Draw(t, "ops") {
				k := brokerKey(base + (i*rapid.SampledFrom([]int{1, 7, -3}).Draw(t, "step"))%700)
				if rapid.IntRange(0, 3).Draw(t, "op") == 0 {
					e.delete(k)
					delete(model, k)
				} else {
					e.set(k, i)
					model[k] = i
				}
			}
			versions = append(versions, version{e.done(), model})
		}
		for i, v := range versions {
			seen, prev := 0, brokerKey(-1<<30)
			for k, got := range v.table.all() {
				if want, ok := v.model[k]; !ok || want != got || k <= prev {
					t.Fatalf("version %d: entry %d = %d, want %d %v", i, k, got, want, ok)
				}
				seen, prev = seen+1, k
			}
			if seen != len(v.model) || v.table.len != seen {
				t.Fatalf("version %d: %d entries, len %d, want %d", i, seen, v.table.len, len(v.model))
			}
			for _, c := range v.table.chunks {
				if len(c.keys) == 0 || len(c.keys) > maxChunk || len(c.keys) != len(c.vals) {
					t.Fatalf("chunk of %d keys, %d values", len(c.keys), len(c.vals))
				}
			}
			from := rapid.IntRange(-10, 3000).Draw(t, "from")
			for k := range v.table.from(brokerKey(from)) {
				if int(k) < from {
					t.Fatalf("from %d yields %d", from, k)
				}
				break
			}
			for _, w := range versions[:i] {
				checkDiff(t, &w.table, &v.table, w.model, v.model)
			}
		}
	})
}

func checkDiff(t *rapid.T, a, b *table[brokerKey, int], before, after map[brokerKey]int) {
	want := map[brokerKey]bool{}
	for k, v := range before { // order-free
		if w, ok := after[k]; !ok || v != w {
			want[k] = true
		}
	}
	for k := range after { // order-free
		if _, ok := before[k]; !ok {
			want[k] = true
		}
	}
	diff(a, b, func(k brokerKey, x, y int) {
		if !want[k] || before[k] != x || after[k] != y {
			t.Fatalf("diff reports %d: %d to %d", k, x, y)
		}
		delete(want, k)
	})
	if len(want) > 0 {
		t.Fatalf("diff misses %v", want)
	}
}

func TestSnapshotIsCanonical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var records []Record
		for range rapid.IntRange(1, 60).Draw(t, "n") {
			records = append(records, drawRecord(t))
		}
		img := Empty().Apply(7, records)
		b := img.Snapshot(nil)
		loaded, err := Load(b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(loaded.Snapshot(nil), b) {
			t.Fatal("a loaded snapshot gives other bytes")
		}
		if loaded.PartitionCount() != img.PartitionCount() || loaded.TopicCount() != img.TopicCount() || loaded.Offset() != 7 {
			t.Fatal("counts differ after load")
		}
		// The same facts, one batch a record instead of one for all, are the same picture.
		step := Empty()
		for _, r := range records {
			step = step.Apply(7, []Record{r})
		}
		if !bytes.Equal(step.Snapshot(nil), b) {
			t.Fatal("the picture depends on how records are cut into batches")
		}
	})
}

// drawRecord draws from few names and ids, so that records meet each other.
func drawRecord(t *rapid.T) Record {
	n := byte(rapid.IntRange(1, 4).Draw(t, "id"))
	name := rapid.SampledFrom([]string{"a", "a.b", "a_b", "z"}).Draw(t, "name")
	var value *string
	if rapid.Bool().Draw(t, "given") {
		v := rapid.SampledFrom([]string{"", "1", "long value"}).Draw(t, "value")
		value = &v
	}
	switch rapid.IntRange(1, 8).Draw(t, "kind") {
	case 1:
		return &FormationRecord{ClusterID: name}
	case 2:
		return &FeatureRecord{Name: name, Level: int16(rapid.IntRange(0, 2).Draw(t, "level"))}
	case 3:
		return &TopicRecord{Name: name, ID: TopicID{n}}
	case 4:
		return &RemoveTopicRecord{ID: TopicID{n}}
	case 5:
		return &PartitionRecord{Topic: TopicID{n}, Index: int32(rapid.IntRange(0, 2).Draw(t, "index")), Partition: Partition{
			Replicas: []int32{1, 2}, Directories: []DirectoryID{{1}, {2}}, ISR: []int32{2, 1}[:n%3], Leader: int32(n), LeaderEpoch: int32(n),
		}}
	case 6:
		resource := rapid.SampledFrom([]ResourceType{ResourceTopic, ResourceBroker, ResourceGroup}).Draw(t, "resource")
		return &ConfigRecord{Resource: resource, Name: name, Key: rapid.SampledFrom([]string{"k", "l"}).Draw(t, "key"), Value: value}
	case 7:
		return &BrokerRecord{Broker{ID: int32(n), Epoch: int64(n), Rack: name, Endpoints: []Endpoint{{"PLAINTEXT", "localhost", 9092, 0}}, Directories: []DirectoryID{{n}}}}
	}
	return &ProducerIDsRecord{Broker: 1, Epoch: 1, Next: int64(n) * 1000}
}

func BenchmarkOneMoreTopic(b *testing.B) {
	e := Empty().Edit()
	for n := range 10_000 {
		for _, r := range topicRecords(n, 1) {
			e.Apply(r)
		}
	}
	img := e.Image(1)
	records := topicRecords(1<<20, 1)
	records[0].(*TopicRecord).Name = "topic-005000-more"
	b.ReportAllocs()
	for b.Loop() {
		next := img.Apply(2, records)
		if d := Diff(img, next); len(d.Topics) != 1 {
			b.Fatal(d)
		}
	}
}
