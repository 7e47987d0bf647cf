package interop

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestKafkaJSAdmin walks through the administration that kafkajs offers; node/admin.js is the walk.
func TestKafkaJSAdmin(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	type offset struct {
		Partition         int
		Offset, High, Low string
	}
	var seen struct {
		Created, CreatedAgain, Listed, ListedAfterDelete bool
		Cluster                                          struct {
			Brokers    []struct{ NodeID int }
			Controller int
			ClusterID  string
		}
		Sent []struct {
			Partition, ErrorCode int
			BaseOffset           string
		}
		Offsets, ByTime, OffsetsAfterDelete []offset
		Metadata                            struct {
			Topics []struct{ Partitions []struct{ Leader int } }
		}
		Retention struct {
			ConfigValue  string
			ConfigSource int
		}
	}
	out := node(t, "node/admin.js").run(t, "", b.Addr, "walked")
	if err := json.Unmarshal([]byte(out), &seen); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	check := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v in:\n%s", what, got, want, out)
		}
	}
	check("created", seen.Created, true)
	check("created again", seen.CreatedAgain, false)
	check("listed", seen.Listed, true)
	check("listed after it was deleted", seen.ListedAfterDelete, false)
	check("the controller", seen.Cluster.Controller, 1)
	check("the length of the cluster's id", len(seen.Cluster.ClusterID), 22)
	check("the first offset sent", seen.Sent[0].BaseOffset, "0")
	find := func(offsets []offset, partition int) offset {
		for _, o := range offsets {
			if o.Partition == partition {
				return o
			}
		}
		return offset{Partition: -1}
	}
	check("partition 0", find(seen.Offsets, 0), offset{0, "3", "3", "0"})
	check("partition 1", find(seen.Offsets, 1), offset{1, "0", "0", "0"})
	check("the offset of the second record's time", find(seen.ByTime, 0).Offset, "1")
	check("partition 0 after its records were deleted", find(seen.OffsetsAfterDelete, 0), offset{0, "3", "3", "2"})
	check("the number of partitions", len(seen.Metadata.Topics[0].Partitions), 3)
	check("retention.ms", seen.Retention.ConfigValue, "3600000")
	check("the source of retention.ms", seen.Retention.ConfigSource, 1) // the topic's own
}
