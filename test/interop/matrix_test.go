package interop

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// perPartition is enough for every kind of record below, and for several batches.
const perPartition = 40

// topicsOf a matrix: who writes, and what the topic makes of it.
type matrixTopic struct {
	name    string
	writer  client
	configs map[string]string
}

// TestMatrix has every client write with every codec that it ships, and every client read all of it.
func TestMatrix(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	all := clients(t)
	var topics []matrixTopic
	for _, c := range all {
		topics = append(topics, matrixTopic{name: "matrix-" + c.name, writer: c})
	}
	// The broker may be told to write anew what it was sent: whose codec and whose time the others then read.
	for _, codec := range append([]string{"uncompressed"}, allCodecs[1:]...) {
		topics = append(topics, matrixTopic{"recompressed-" + codec, all[0], map[string]string{"compression.type": codec}})
	}
	topics = append(topics, matrixTopic{"appendtime", all[0], map[string]string{"message.timestamp.type": "LogAppendTime"}})

	expected := map[string][]record{}
	var partitions []partition
	for _, mt := range topics {
		ok := t.Run("write/"+mt.name, func(t *testing.T) {
			records := generate(mt)
			configs := map[string]string{"retention.ms": "-1"} // the records are years old
			maps.Copy(configs, mt.configs)
			b.CreateTopic(t, mt.name, int32(len(mt.writer.codecs)), configs)
			mt.writer.write(t, b, records)
			expected[mt.name] = records
		})
		if ok && expected[mt.name] != nil {
			for i := range mt.writer.codecs {
				partitions = append(partitions, partition{mt.name, int32(i), perPartition})
			}
		}
	}
	wantAll := reference(t, b, topics, expected, partitions)
	for _, c := range all {
		if c.read != nil {
			t.Run("read/"+c.name, func(t *testing.T) { compare(t, c.name, c.read(t, b, partitions), wantAll) })
		}
	}
}

// generate makes the records that a topic gets: one partition for each codec, the same in each run.
func generate(mt matrixTopic) []record {
	h := fnv.New64a()
	h.Write([]byte(mt.name))
	random := rand.New(rand.NewPCG(h.Sum64(), 1))
	var out []record
	for p, codec := range mt.writer.codecs {
		var same []header
		for i := range perPartition {
			r := oneRecord(random, i, mt.writer.limits)
			r.Topic, r.Partition, r.Codec, r.Offset = mt.name, int32(p), codec, int64(i)
			if mt.writer.limits.sameHeaders {
				if i == 0 {
					same = []header{{"from", []byte("a run of kcat")}, {"from", []byte("ünïcode")}}
				}
				r.Headers = same
			}
			out = append(out, r)
		}
	}
	return out
}

// oneRecord is the i-th record of a partition: each kind of key, value and header comes about.
func oneRecord(random *rand.Rand, i int, l limits) record {
	r := record{Timestamp: 1_700_000_000_000 + int64(random.IntN(1_000_000)) - 500_000}
	text := fmt.Appendf(nil, "%s %d", "the quick brown fox", random.Uint64())
	binary := make([]byte, random.IntN(300))
	for j := range binary {
		binary[j] = byte(random.Uint32())
	}
	switch i % 5 {
	case 0:
		r.Key, r.Value = text, bytes.Repeat(text, 1+random.IntN(20))
	case 1:
		r.Value = append(text, binary...)
	case 2:
		r.Key, r.Value = text[:3+random.IntN(9)], nil // a tombstone
	case 3:
		r.Key, r.Value = []byte{}, []byte{}
	case 4:
		r.Key, r.Value = append([]byte{0, 0xff, '\n'}, text...), bytes.Repeat(text, 400+random.IntN(400))
	}
	switch random.IntN(5) {
	case 0:
		r.Headers = []header{{"trace", text}}
	case 1:
		r.Headers = []header{{"twice", []byte("1")}, {"ключ", []byte{0, 1, 0xfe}}, {"twice", []byte{}}}
	case 2:
		r.Headers = []header{{"null", nil}, {"empty", []byte{}}}
	}
	if l.emptyIsNull {
		r.Key, r.Value = nilIfEmpty(r.Key), nilIfEmpty(r.Value)
	}
	if l.noNullHeaders {
		r.Headers = slices.DeleteFunc(r.Headers, func(h header) bool { return h.Value == nil })
	}
	if l.groupedHeaders {
		slices.SortStableFunc(r.Headers, func(a, b header) int { return cmp.Compare(a.Name, b.Name) })
	}
	return r
}

func nilIfEmpty(p []byte) []byte {
	if len(p) == 0 {
		return nil
	}
	return p
}

// reference is what all readers must see. Where the time was not the writer's to choose, it is what franz-go
// reads: all others must read the same.
func reference(t *testing.T, b *Broker, topics []matrixTopic, expected map[string][]record, partitions []partition) []record {
	t.Helper()
	seen := sorted(franzRead(t, b, partitions))
	var out []record
	for _, mt := range topics {
		own := mt.writer.limits.ownTime || mt.configs["message.timestamp.type"] == "LogAppendTime"
		for _, r := range expected[mt.name] {
			i, ok := slices.BinarySearchFunc(seen, r, order)
			if c := mt.configs["compression.type"]; c == "uncompressed" {
				r.Codec = "none"
			} else if c != "" {
				r.Codec = c
			}
			if ok && own {
				r.Timestamp = seen[i].Timestamp
			}
			r.TimestampType = "create"
			if mt.configs["message.timestamp.type"] == "LogAppendTime" {
				r.TimestampType = "append"
			}
			out = append(out, r)
		}
	}
	return sorted(out)
}

func sorted(records []record) []record {
	slices.SortFunc(records, order)
	return records
}

func order(a, b record) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

// compare reports the first differences between what a client read and what it should have.
func compare(t *testing.T, reader string, got, want []record) {
	t.Helper()
	if got = sorted(got); len(got) != len(want) {
		t.Errorf("%s read %d records, want %d", reader, len(got), len(want))
	}
	differences := 0
	for i := range min(len(got), len(want)) {
		if why := difference(got[i], want[i]); why != "" {
			if differences++; differences > 5 {
				t.Fatalf("and more")
			}
			t.Errorf("%s-%d at %d (%s): %s", want[i].Topic, want[i].Partition, want[i].Offset, want[i].Codec, why)
		}
	}
}

// difference says how two records differ; a null is not an empty value.
func difference(got, want record) string {
	switch {
	case order(got, want) != 0:
		return fmt.Sprintf("in its place stands %s-%d at %d", got.Topic, got.Partition, got.Offset)
	case got.Timestamp != want.Timestamp:
		return fmt.Sprintf("timestamp %d, want %d", got.Timestamp, want.Timestamp)
	case got.TimestampType != "" && got.TimestampType != want.TimestampType:
		return fmt.Sprintf("timestamp type %s, want %s", got.TimestampType, want.TimestampType)
	case got.Codec != "" && got.Codec != want.Codec:
		return fmt.Sprintf("compressed with %s, want %s", got.Codec, want.Codec)
	case !equal(got.Key, want.Key):
		return fmt.Sprintf("key %q, want %q", got.Key, want.Key)
	case !equal(got.Value, want.Value):
		return fmt.Sprintf("value %.200q, want %.200q", got.Value, want.Value)
	case len(got.Headers) == 1 && got.Headers[0].Name == kcatHeaders:
		if printed := string(got.Headers[0].Value); printed != asKcat(want.Headers) {
			return fmt.Sprintf("headers %q, want %q", printed, asKcat(want.Headers))
		}
	case !slices.EqualFunc(got.Headers, want.Headers, func(a, b header) bool { return a.Name == b.Name && equal(a.Value, b.Value) }):
		return fmt.Sprintf("headers %q, want %q", got.Headers, want.Headers)
	}
	return ""
}

// TestDifference holds the judge to what it must tell apart.
func TestDifference(t *testing.T) {
	same := func() record {
		return record{
			Topic: "t", Partition: 1, Offset: 2, Timestamp: 3, TimestampType: "create", Codec: "gzip",
			Key: []byte{}, Value: []byte("v"), Headers: []header{{"a", nil}, {"b", []byte{}}},
		}
	}
	for what, change := range map[string]func(*record){
		"offset":       func(r *record) { r.Offset++ },
		"timestamp":    func(r *record) { r.Timestamp++ },
		"type of time": func(r *record) { r.TimestampType = "append" },
		"codec":        func(r *record) { r.Codec = "none" },
		"null key":     func(r *record) { r.Key = nil },
		"value":        func(r *record) { r.Value = []byte("w") },
		"null value":   func(r *record) { r.Value = nil },
		"header order": func(r *record) { slices.Reverse(r.Headers) },
		"header null":  func(r *record) { r.Headers[1].Value = nil },
		"header lost":  func(r *record) { r.Headers = r.Headers[:1] },
		"as kcat":      func(r *record) { r.Headers = []header{{kcatHeaders, []byte("a=NULL,b=x")}} },
	} {
		got := same()
		if why := difference(got, same()); why != "" {
			t.Fatalf("the same record differs: %s", why)
		}
		if change(&got); difference(got, same()) == "" {
			t.Errorf("another %s goes unseen", what)
		}
	}
}

func equal(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }
