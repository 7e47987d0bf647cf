package wire

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// API is one row of the API table.
type API struct {
	Key          int16
	Name         string // Kafka's name
	Min, Max     int16  // the versions that are advertised and served, both included
	FlexibleFrom int16  // the first version with tagged fields and compact lengths; above Max if there is none

	// FrameCap is the largest frame in bytes, length prefix excluded. 0 stands for the caller's own limit of a Produce request.
	FrameCap int
	// MemoryFactor bounds the bytes that decoding allocates: MemoryFactor times the length of the body, plus [DecodeOverhead].
	// Charge it to the budget before decoding.
	MemoryFactor int
}

// Flexible reports whether the version carries tagged fields.
func (a *API) Flexible(version int16) bool { return version >= a.FlexibleFrom }

const (
	defaultFrameCap = 1 << 20

	// DecodeOverhead is what decoding may allocate besides MemoryFactor times the length of the body, in bytes.
	DecodeOverhead = 512 << 10

	// ProduceFloor is the first version of Produce with record batches. Older ones are advertised, as Apache Kafka 4 does, because
	// librdkafka before 2.8 takes a broker without version 0 for one without Produce. The view parses them, so that the handler
	// can answer each partition with UnsupportedForMessageFormat instead of closing the connection without a word.
	ProduceFloor = 3
)

const (
	apiProduce  = int16(kmsg.Produce)
	apiFetch    = int16(kmsg.Fetch)
	apiVersions = int16(kmsg.ApiVersions)
)

// table is written once here and read-only afterwards.
var table = newTable([]API{
	{Key: apiProduce, Name: "Produce", Min: 0, Max: 13, MemoryFactor: 48},
	{Key: apiFetch, Name: "Fetch", Min: 4, Max: 18, FrameCap: defaultFrameCap, MemoryFactor: 48},
	{Key: int16(kmsg.ListOffsets), Name: "ListOffsets", Min: 1, Max: 11, MemoryFactor: 80},
	{Key: int16(kmsg.Metadata), Name: "Metadata", Min: 0, Max: 13, MemoryFactor: 80},
	{Key: apiVersions, Name: "ApiVersions", Min: 0, Max: 4, MemoryFactor: 80},
	{Key: int16(kmsg.CreateTopics), Name: "CreateTopics", Min: 2, Max: 7, MemoryFactor: 80},
	{Key: int16(kmsg.DeleteTopics), Name: "DeleteTopics", Min: 1, Max: 6, MemoryFactor: 80},
	{Key: int16(kmsg.DeleteRecords), Name: "DeleteRecords", Min: 0, Max: 2, MemoryFactor: 80},
	{Key: int16(kmsg.InitProducerID), Name: "InitProducerId", Min: 0, Max: 5, MemoryFactor: 80},
	{Key: int16(kmsg.OffsetForLeaderEpoch), Name: "OffsetForLeaderEpoch", Min: 2, Max: 4, MemoryFactor: 80},
	{Key: int16(kmsg.DescribeConfigs), Name: "DescribeConfigs", Min: 1, Max: 4, MemoryFactor: 80},
	{Key: int16(kmsg.AlterConfigs), Name: "AlterConfigs", Min: 0, Max: 2, MemoryFactor: 80},
	{Key: int16(kmsg.DescribeLogDirs), Name: "DescribeLogDirs", Min: 1, Max: 5, MemoryFactor: 80},
	{Key: int16(kmsg.CreatePartitions), Name: "CreatePartitions", Min: 0, Max: 3, MemoryFactor: 80},
	{Key: int16(kmsg.IncrementalAlterConfigs), Name: "IncrementalAlterConfigs", Min: 0, Max: 1, MemoryFactor: 80},
	{Key: int16(kmsg.DescribeCluster), Name: "DescribeCluster", Min: 0, Max: 2, MemoryFactor: 80},
	{Key: int16(kmsg.ListConfigResources), Name: "ListConfigResources", Min: 0, Max: 1, MemoryFactor: 80},
	{Key: int16(kmsg.DescribeTopicPartitions), Name: "DescribeTopicPartitions", Min: 0, Max: 0, MemoryFactor: 80},
})

// newTable fills in what follows from the rows: default caps, and the first flexible version from kmsg.
func newTable(apis []API) []API {
	for i := range apis {
		a := &apis[i]
		if a.FrameCap == 0 && a.Key != apiProduce {
			a.FrameCap = defaultFrameCap
		}
		req := kmsg.RequestForKey(a.Key)
		for a.FlexibleFrom = 0; a.FlexibleFrom <= a.Max; a.FlexibleFrom++ {
			req.SetVersion(a.FlexibleFrom)
			if req.IsFlexible() {
				break
			}
		}
	}
	return apis
}

// APIs returns the whole table, ordered by key. The slice is the caller's own.
func APIs() []API { return slices.Clone(table) }

// Lookup returns the row of an API key. The row must not be changed.
func Lookup(key int16) (*API, bool) {
	for i := range table {
		if table[i].Key == key {
			return &table[i], true
		}
	}
	return nil, false
}
