package image

import (
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kbin"
)

var update = flag.Bool("update", false, "write testdata/golden-*.hex; only for a version that was never released")

func goldenRecords() []Record {
	retention, nothing := "86400000", (*string)(nil)
	return []Record{
		&FormationRecord{ClusterID: "8Qm3d1cHQyGm0z7n0YlXgA"},
		&FeatureRecord{Name: FeatureMetadata, Level: 1},
		&BrokerRecord{Broker{
			ID: 1, Epoch: 12, Incarnation: [16]byte{0xaa, 15: 0xbb}, Rack: "r1",
			Endpoints:   []Endpoint{{"PLAINTEXT", "localhost", 9092, 0}, {"TLS", "::1", 9093, 1}},
			Directories: []DirectoryID{{0xd1}, {0xd2}},
		}},
		&ConfigRecord{Resource: ResourceBroker, Name: DefaultBroker, Key: "log.retention.ms", Value: &retention},
		&TopicRecord{Name: "orders", ID: TopicID{0x70, 15: 0x01}},
		&ConfigRecord{Resource: ResourceTopic, Name: "orders", Key: "retention.ms", Value: &retention},
		&ConfigRecord{Resource: ResourceTopic, Name: "orders", Key: "segment.ms", Value: nothing},
		&PartitionRecord{Topic: TopicID{0x70, 15: 0x01}, Index: 0, Partition: Partition{
			Replicas: []int32{1, 2}, Directories: []DirectoryID{{0xd1}, {}}, ISR: []int32{1}, Leader: 1, LeaderEpoch: 3, PartitionEpoch: 4,
		}},
		&RemoveTopicRecord{ID: TopicID{0x71}},
		&ProducerIDsRecord{Broker: 1, Epoch: 12, Next: 2000},
	}
}

// TestGolden holds today's bytes against those of every released version: what was once written stays readable,
// and what is written now is what was promised.
func TestGolden(t *testing.T) {
	records := goldenRecords()
	img := Empty().Apply(42, records)
	for name, b := range map[string][]byte{"batch-1": AppendBatch(nil, records), "snapshot-1": img.Snapshot(nil)} { // order-free
		path := filepath.Join("testdata", "golden-"+name+".hex")
		if *update {
			if err := os.WriteFile(path, []byte(hex.Dump(b)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), hex.Dump(b)); d != "" {
			t.Errorf("%s (-golden +now):\n%s", name, d)
		}
	}
	got, err := DecodeBatch(AppendBatch(nil, records))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(records, got); d != "" {
		t.Errorf("decoded batch (-want +got):\n%s", d)
	}
}

func TestNewerIsRefused(t *testing.T) {
	record := func(kind, version uint32, rest ...byte) []byte {
		body := append(kbin.AppendUvarint(kbin.AppendUvarint(nil, kind), version), rest...)
		b := kbin.AppendUvarint([]byte{formatBatch, 0, 9}, 1)
		return append(kbin.AppendInt32(b, int32(len(body))), body...)
	}
	for name, tc := range map[string]struct { // order-free
		in   []byte
		want string
	}{
		"unknown kind":    {record(99, 0, 0), "holds record type 99, written by a holdfast with metadata level 9 (this one has 1)"},
		"newer version":   {record(uint32(kindTopic), 1, 0), "holds version 1 of record topic, written by a holdfast with metadata level 9"},
		"unknown format":  {[]byte{2, 0, 1, 0}, "holds a batch of format 0x02, written by a newer holdfast"},
		"unused kind 0":   {record(0, 0, 0), "record type 0"},
		"snapshot format": {append([]byte{formatSnapshot}, 0, 1, 0), "a batch of format 0x81"},
	} {
		_, err := DecodeBatch(tc.in)
		var v *VersionError
		if !errors.As(err, &v) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A tagged field of a newer build is passed over.
	in := record(uint32(kindRemoveTopic), 0, append(make([]byte, 16), 1, 5, 2, 0xff, 0xff)...)
	if got, err := DecodeBatch(in); err != nil || len(got) != 1 {
		t.Errorf("tagged field: %v %v", got, err)
	}
}

func TestEveryCutIsRefused(t *testing.T) {
	b := AppendBatch(nil, goldenRecords())
	for n := range len(b) {
		if _, err := DecodeBatch(b[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes decode", n, len(b))
		}
	}
	if _, err := DecodeBatch(append(b, 0)); err == nil {
		t.Error("a byte too many decodes")
	}
}

// FuzzDecode: whatever the bytes, decoding neither panics nor allocates out of proportion, and what decodes is
// stable under encoding again.
func FuzzDecode(f *testing.F) {
	f.Add(AppendBatch(nil, goldenRecords()))
	f.Add(Empty().Apply(42, goldenRecords()).Snapshot(nil))
	f.Add([]byte{formatBatch, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add([]byte{formatBatch, 0, 1, 1, 0, 0, 0, 9, byte(kindBroker), 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		records, err := DecodeBatch(b)
		img, loadErr := Load(b)
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 64<<10+100*uint64(len(b)) {
			t.Fatalf("%d bytes made %d bytes of allocations", len(b), spent)
		}
		if err == nil {
			if again, err := DecodeBatch(AppendBatch(nil, records)); err != nil || len(again) != len(records) {
				t.Fatalf("encoded again: %v", err)
			}
		}
		if loadErr == nil {
			s := img.Snapshot(nil)
			if again, err := Load(s); err != nil || string(again.Snapshot(nil)) != string(s) {
				t.Fatalf("snapshot of a snapshot: %v", err)
			}
		}
	})
}
