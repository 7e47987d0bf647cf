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
	// MemoryFactor says what a request takes while it is worked on: MemoryFactor times the length of its frame, the frame included,
	// plus at most [DecodeOverhead]. It is the measured worst case of what anyone can send; honest requests take far less. Charge
	// [API.Memory] to the budget before reading the frame: of a frame above 1 MiB the rest is text and bytes. Produce alone is charged less than its worst case, because nearly all of an honest
	// frame is records, which are not decoded: see [Produce.Memory].
	MemoryFactor int

	fields []field // of its request; none for Produce and Fetch, which have views
}

// Flexible reports whether the version carries tagged fields.
func (a *API) Flexible(version int16) bool { return version >= a.FlexibleFrom }

// Memory is what a request of frameBytes takes while it is worked on, the frame included, in bytes, but for [DecodeOverhead].
func (a *API) Memory(frameBytes int) int64 {
	if a.Key == KeyProduce {
		return int64(frameBytes) * int64(a.MemoryFactor)
	}
	first := min(frameBytes, maxCounted)
	return int64(first)*int64(a.MemoryFactor) + int64(frameBytes-first)*textFactor
}

const (
	defaultFrameCap = 1 << 20
	wideFrameCap    = 16 << 20 // of requests that carry what others wrote: subscriptions, assignments, metadata

	textFactor = 3 // text and bytes: the frame, a copy of it without unknown tagged fields, and the text of its own

	// DecodeOverhead is what a request may take besides MemoryFactor times the length of its frame, in bytes.
	DecodeOverhead = 6 << 10

	// ProduceFloor is the first version of Produce with record batches. Older ones are advertised, as Apache Kafka 4 does, because
	// librdkafka fails to compress for a broker that does not advertise version 0 (KAFKA-18659). Apache Kafka closes the connection
	// on them; our view parses them, so that the handler can answer each partition with UnsupportedForMessageFormat.
	ProduceFloor = 3
)

// The keys of the table.
const (
	KeyProduce                 = int16(kmsg.Produce)
	KeyFetch                   = int16(kmsg.Fetch)
	KeyListOffsets             = int16(kmsg.ListOffsets)
	KeyMetadata                = int16(kmsg.Metadata)
	KeyOffsetCommit            = int16(kmsg.OffsetCommit)
	KeyOffsetFetch             = int16(kmsg.OffsetFetch)
	KeyFindCoordinator         = int16(kmsg.FindCoordinator)
	KeyJoinGroup               = int16(kmsg.JoinGroup)
	KeyHeartbeat               = int16(kmsg.Heartbeat)
	KeyLeaveGroup              = int16(kmsg.LeaveGroup)
	KeySyncGroup               = int16(kmsg.SyncGroup)
	KeyDescribeGroups          = int16(kmsg.DescribeGroups)
	KeyListGroups              = int16(kmsg.ListGroups)
	KeyApiVersions             = int16(kmsg.ApiVersions)
	KeyCreateTopics            = int16(kmsg.CreateTopics)
	KeyDeleteTopics            = int16(kmsg.DeleteTopics)
	KeyDeleteRecords           = int16(kmsg.DeleteRecords)
	KeyInitProducerID          = int16(kmsg.InitProducerID)
	KeyOffsetForLeaderEpoch    = int16(kmsg.OffsetForLeaderEpoch)
	KeyAddPartitionsToTxn      = int16(kmsg.AddPartitionsToTxn)
	KeyAddOffsetsToTxn         = int16(kmsg.AddOffsetsToTxn)
	KeyEndTxn                  = int16(kmsg.EndTxn)
	KeyWriteTxnMarkers         = int16(kmsg.WriteTxnMarkers)
	KeyTxnOffsetCommit         = int16(kmsg.TxnOffsetCommit)
	KeyDescribeConfigs         = int16(kmsg.DescribeConfigs)
	KeyAlterConfigs            = int16(kmsg.AlterConfigs)
	KeyDescribeLogDirs         = int16(kmsg.DescribeLogDirs)
	KeyCreatePartitions        = int16(kmsg.CreatePartitions)
	KeyDeleteGroups            = int16(kmsg.DeleteGroups)
	KeyIncrementalAlterConfigs = int16(kmsg.IncrementalAlterConfigs)
	KeyOffsetDelete            = int16(kmsg.OffsetDelete)
	KeyDescribeCluster         = int16(kmsg.DescribeCluster)
	KeyDescribeProducers       = int16(kmsg.DescribeProducers)
	KeyDescribeTransactions    = int16(kmsg.DescribeTransactions)
	KeyListTransactions        = int16(kmsg.ListTransactions)
	KeyConsumerGroupHeartbeat  = int16(kmsg.ConsumerGroupHeartbeat)
	KeyConsumerGroupDescribe   = int16(kmsg.ConsumerGroupDescribe)
	KeyListConfigResources     = int16(kmsg.ListConfigResources)
	KeyDescribeTopicPartitions = int16(kmsg.DescribeTopicPartitions)
)

// table is written once here and read-only afterwards. Versions are those a broker of Apache Kafka 4.3 advertises.
var table = newTable([]API{
	{Key: KeyProduce, Name: "Produce", Min: 0, Max: 13, MemoryFactor: 2},
	{Key: KeyFetch, Name: "Fetch", Min: 4, Max: 18, FrameCap: defaultFrameCap, MemoryFactor: 24},
	{Key: KeyListOffsets, Name: "ListOffsets", Min: 1, Max: 11, MemoryFactor: 18, fields: []field{
		i32, from(2, i8), list(str, list(i32, from(4, i32), i64)), from(10, i32),
	}},
	{Key: KeyMetadata, Name: "Metadata", Min: 0, Max: 13, MemoryFactor: 26, fields: []field{
		only(0, 0, list(str)), from(1, null(list(from(10, id128), only(1, 9, str), from(10, null(str))))),
		from(4, i8), only(8, 10, i8), from(8, i8),
	}},
	{Key: KeyOffsetCommit, Name: "OffsetCommit", Min: 2, Max: 10, FrameCap: wideFrameCap, MemoryFactor: 24, fields: []field{
		str, i32, str, from(7, null(str)), only(2, 4, i64),
		list(only(0, 9, str), from(10, id128), list(i32, i64, from(6, i32), null(str))),
	}},
	{Key: KeyOffsetFetch, Name: "OffsetFetch", Min: 1, Max: 10, MemoryFactor: 24, fields: []field{
		only(0, 7, str), only(0, 1, list(str, values(i32))), only(2, 7, null(list(str, values(i32)))),
		from(8, list(str, from(9, null(str)), from(9, i32), null(list(only(8, 9, str), from(10, id128), values(i32))))),
		from(7, i8),
	}},
	{Key: KeyFindCoordinator, Name: "FindCoordinator", Min: 0, Max: 6, MemoryFactor: 18, fields: []field{
		only(0, 3, str), from(1, i8), from(4, strs),
	}},
	{Key: KeyJoinGroup, Name: "JoinGroup", Min: 0, Max: 9, FrameCap: wideFrameCap, MemoryFactor: 20, fields: []field{
		str, i32, from(1, i32), str, from(5, null(str)), str, list(str, blob), from(8, null(str)),
	}},
	{Key: KeyHeartbeat, Name: "Heartbeat", Min: 0, Max: 4, MemoryFactor: 3, fields: []field{
		str, i32, str, from(3, null(str)),
	}},
	{Key: KeyLeaveGroup, Name: "LeaveGroup", Min: 0, Max: 5, MemoryFactor: 21, fields: []field{
		str, only(0, 2, str), from(3, list(str, null(str), from(5, null(str)))),
	}},
	{Key: KeySyncGroup, Name: "SyncGroup", Min: 0, Max: 5, FrameCap: wideFrameCap, MemoryFactor: 20, fields: []field{
		str, i32, str, from(3, null(str)), from(5, null(str)), from(5, null(str)), list(str, blob),
	}},
	{Key: KeyDescribeGroups, Name: "DescribeGroups", Min: 0, Max: 6, MemoryFactor: 18, fields: []field{strs, from(3, i8)}},
	{Key: KeyListGroups, Name: "ListGroups", Min: 0, Max: 5, MemoryFactor: 18, fields: []field{from(4, strs), from(5, strs)}},
	{Key: KeyApiVersions, Name: "ApiVersions", Min: 0, Max: 4, MemoryFactor: 3, fields: []field{
		from(3, str), from(3, str),
	}},
	{Key: KeyCreateTopics, Name: "CreateTopics", Min: 2, Max: 7, MemoryFactor: 10, fields: []field{
		list(str, i32, i16, list(i32, values(i32)), list(str, null(str))), i32, i8,
	}},
	{Key: KeyDeleteTopics, Name: "DeleteTopics", Min: 1, Max: 6, MemoryFactor: 18, fields: []field{
		only(0, 5, strs), from(6, list(null(str), id128)), i32,
	}},
	{Key: KeyDeleteRecords, Name: "DeleteRecords", Min: 0, Max: 2, MemoryFactor: 18, fields: []field{
		list(str, list(i32, i64)), i32,
	}},
	{Key: KeyInitProducerID, Name: "InitProducerId", Min: 0, Max: 5, MemoryFactor: 3, fields: []field{
		null(str), i32, from(3, i64), from(3, i16),
	}},
	{Key: KeyOffsetForLeaderEpoch, Name: "OffsetForLeaderEpoch", Min: 2, Max: 4, MemoryFactor: 18, fields: []field{
		from(3, i32), list(str, list(i32, i32, i32)),
	}},
	{Key: KeyAddPartitionsToTxn, Name: "AddPartitionsToTxn", Min: 0, Max: 5, MemoryFactor: 18, fields: []field{
		only(0, 3, str), only(0, 3, i64), only(0, 3, i16), only(0, 3, list(str, values(i32))),
		from(4, list(str, i64, i16, i8, list(str, values(i32)))),
	}},
	{Key: KeyAddOffsetsToTxn, Name: "AddOffsetsToTxn", Min: 0, Max: 4, MemoryFactor: 3, fields: []field{str, i64, i16, str}},
	{Key: KeyEndTxn, Name: "EndTxn", Min: 0, Max: 5, MemoryFactor: 3, fields: []field{str, i64, i16, i8}},
	{Key: KeyWriteTxnMarkers, Name: "WriteTxnMarkers", Min: 1, Max: 2, MemoryFactor: 18, fields: []field{
		list(i64, i16, i8, list(str, values(i32)), i32, from(2, i8)),
	}},
	{Key: KeyTxnOffsetCommit, Name: "TxnOffsetCommit", Min: 0, Max: 5, FrameCap: wideFrameCap, MemoryFactor: 24, fields: []field{
		str, str, i64, i16, from(3, i32), from(3, str), from(3, null(str)),
		list(str, list(i32, i64, from(2, i32), null(str))),
	}},
	{Key: KeyDescribeConfigs, Name: "DescribeConfigs", Min: 1, Max: 4, MemoryFactor: 18, fields: []field{
		list(i8, str, null(strs)), i8, from(3, i8),
	}},
	{Key: KeyAlterConfigs, Name: "AlterConfigs", Min: 0, Max: 2, MemoryFactor: 19, fields: []field{
		list(i8, str, list(str, null(str))), i8,
	}},
	{Key: KeyDescribeLogDirs, Name: "DescribeLogDirs", Min: 1, Max: 5, MemoryFactor: 18, fields: []field{
		null(list(str, values(i32))),
	}},
	{Key: KeyCreatePartitions, Name: "CreatePartitions", Min: 0, Max: 3, MemoryFactor: 18, fields: []field{
		list(str, i32, null(list(values(i32)))), i32, i8,
	}},
	{Key: KeyDeleteGroups, Name: "DeleteGroups", Min: 0, Max: 2, MemoryFactor: 18, fields: []field{strs}},
	{Key: KeyIncrementalAlterConfigs, Name: "IncrementalAlterConfigs", Min: 0, Max: 1, MemoryFactor: 18, fields: []field{
		list(i8, str, list(str, i8, null(str))), i8,
	}},
	{Key: KeyOffsetDelete, Name: "OffsetDelete", Min: 0, Max: 0, MemoryFactor: 9, fields: []field{str, list(str, list(i32))}},
	{Key: KeyDescribeCluster, Name: "DescribeCluster", Min: 0, Max: 2, MemoryFactor: 2, fields: []field{
		i8, from(1, i8), from(2, i8),
	}},
	{Key: KeyDescribeProducers, Name: "DescribeProducers", Min: 0, Max: 0, MemoryFactor: 18, fields: []field{list(str, values(i32))}},
	{Key: KeyDescribeTransactions, Name: "DescribeTransactions", Min: 0, Max: 0, MemoryFactor: 18, fields: []field{strs}},
	{Key: KeyListTransactions, Name: "ListTransactions", Min: 0, Max: 2, MemoryFactor: 18, fields: []field{
		strs, values(i64), from(1, i64), from(2, null(str)),
	}},
	{Key: KeyConsumerGroupHeartbeat, Name: "ConsumerGroupHeartbeat", Min: 0, Max: 1, MemoryFactor: 18, fields: []field{
		str, str, i32, null(str), null(str), i32, null(strs), from(1, null(str)), null(str), null(list(id128, values(i32))),
	}},
	{Key: KeyConsumerGroupDescribe, Name: "ConsumerGroupDescribe", Min: 0, Max: 1, MemoryFactor: 18, fields: []field{strs, i8}},
	{Key: KeyListConfigResources, Name: "ListConfigResources", Min: 0, Max: 1, MemoryFactor: 3, fields: []field{
		from(1, values(i8)),
	}},
	{Key: KeyDescribeTopicPartitions, Name: "DescribeTopicPartitions", Min: 0, Max: 0, MemoryFactor: 14, fields: []field{
		list(str), i32, maybe(str, i32),
	}},
})

// newTable fills in what follows from the rows: default caps, and the first flexible version from kmsg.
func newTable(apis []API) []API {
	for i := range apis {
		a := &apis[i]
		if a.FrameCap == 0 && a.Key != KeyProduce {
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
