package config

import "regexp"

const (
	maxInt64  = "9223372036854775807"
	maxInt32  = "2147483647"
	sevenDays = "604800000"
)

// The names of the topic keys that Holdfast adds to Kafka's.
const (
	CommitSync          = "commit.sync"
	CompactionRequested = "compaction.requested.ms"
	RecordValidation    = "record.validation"
)

// topicTable is every topic key of Kafka 4.3.1 but internal.segment.bytes (for Kafka's own tests), and ours.
var topicTable = []Key{
	{
		Name: "cleanup.policy", Type: List, Default: "delete", Broker: "log.cleanup.policy", valid: listOf("compact", "delete"),
		Doc: "What happens to old data: delete drops whole segments by age and size, compact keeps the last record of each key.",
	},
	{
		Name: CommitSync, Type: Boolean, Default: "true", Broker: "log.commit.sync", Own: true,
		Doc: "Whether a record counts as committed only once it is synced to disk on every in-sync replica; false trusts the page cache, as Kafka does.",
	},
	{
		Name: CompactionRequested, Type: Long, Default: "0", valid: atLeast(0), Own: true,
		Doc: "When somebody last asked for compaction now (holdfast topic compact), in milliseconds of Unix time: what was written by then is compacted whatever the dirty ratio.",
	},
	{
		Name: "compression.gzip.level", Type: Int, Default: "-1", Broker: "compression.gzip.level", valid: gzipLevel,
		Doc: "Effort of gzip, 1 fastest to 9 smallest, -1 for its own default, where compression.type makes the broker compress.",
	},
	{
		Name: "compression.lz4.level", Type: Int, Default: "9", Broker: "compression.lz4.level", valid: between(1, 17),
		Doc: "Effort of lz4, 1 fastest to 17 smallest, where compression.type makes the broker compress.",
	},
	{
		Name: "compression.type", Type: String, Default: "producer", Broker: "compression.type", valid: compressionTypes,
		Doc: "The codec batches are stored with; producer keeps whatever the producer chose, uncompressed unpacks them.",
	},
	{
		Name: "compression.zstd.level", Type: Int, Default: "3", Broker: "compression.zstd.level", valid: between(-131072, 22),
		Doc: "Effort of zstd, negative is faster and up to 22 is smaller, where compression.type makes the broker compress.",
	},
	{
		Name: "delete.retention.ms", Type: Long, Default: "86400000", Broker: "log.cleaner.delete.retention.ms", valid: atLeast(0),
		Doc: "How long a compacted topic keeps the marker of a deleted key (a record without value) after it was first compacted, in milliseconds.",
	},
	{
		Name: "file.delete.delay.ms", Type: Long, Default: "60000", Broker: "log.segment.delete.delay.ms", valid: atLeast(0),
		Doc: "How long a segment that was dropped stays on disk under its .deleted name, in milliseconds.",
	},
	{
		Name: "flush.messages", Type: Long, Default: maxInt64, Broker: "log.flush.interval.messages", valid: atLeast(1),
		Doc: "Sync a partition to disk at the latest after so many records; commit.sync=true syncs all of them anyway.",
	},
	{
		Name: "flush.ms", Type: Long, Default: maxInt64, Broker: "log.flush.interval.ms", valid: atLeast(0),
		Doc: "Sync a partition to disk at the latest so many milliseconds after a record arrived; commit.sync=true syncs all of them anyway.",
	},
	{
		Name: "follower.replication.throttled.replicas", Type: List, Default: "", valid: throttled,
		Standing: DefaultOnly, Feature: "throttled replication",
		Doc: "Replicas whose copying is slowed down on the follower, as partition:broker pairs or * for all.",
	},
	{
		Name: "index.interval.bytes", Type: Int, Default: "4096", Broker: "log.index.interval.bytes", valid: atLeast(0),
		Doc: "About how many bytes of log lie between two entries of the offset index.",
	},
	{
		Name: "leader.replication.throttled.replicas", Type: List, Default: "", valid: throttled,
		Standing: DefaultOnly, Feature: "throttled replication",
		Doc: "Replicas whose copying is slowed down on the leader, as partition:broker pairs or * for all.",
	},
	{
		Name: "local.retention.bytes", Type: Long, Default: "-2", Broker: "log.local.retention.bytes", valid: atLeast(-2),
		Standing: DefaultOnly, Feature: "tiered storage",
		Doc: "How many bytes of a tiered partition stay on local disk, -2 for what retention.bytes says.",
	},
	{
		Name: "local.retention.ms", Type: Long, Default: "-2", Broker: "log.local.retention.ms", valid: atLeast(-2),
		Standing: DefaultOnly, Feature: "tiered storage",
		Doc: "How many milliseconds the segments of a tiered partition stay on local disk, -2 for what retention.ms says.",
	},
	{
		Name: "max.compaction.lag.ms", Type: Long, Default: maxInt64, Broker: "log.cleaner.max.compaction.lag.ms", valid: atLeast(1),
		Doc: "The longest a record of a compacted topic may wait for compaction, in milliseconds: then its segment is closed and compacted whatever the dirty ratio.",
	},
	{
		Name: "max.message.bytes", Type: Int, Default: "1048588", Broker: "message.max.bytes", valid: atLeast(0),
		Doc: "The largest record batch accepted, in bytes and as it is stored (after compression).",
	},
	{
		Name: "message.timestamp.after.max.ms", Type: Long, Default: "3600000", Broker: "log.message.timestamp.after.max.ms", valid: atLeast(0),
		Doc: "How far a producer's timestamp may lie ahead of the broker's clock, in milliseconds; further ones are refused.",
	},
	{
		Name: "message.timestamp.before.max.ms", Type: Long, Default: maxInt64, Broker: "log.message.timestamp.before.max.ms", valid: atLeast(0),
		Doc: "How far a producer's timestamp may lie behind the broker's clock, in milliseconds; older ones are refused.",
	},
	{
		Name: "message.timestamp.type", Type: String, Default: "CreateTime", Broker: "log.message.timestamp.type", valid: timestampTypes,
		Doc: "Whose time a record carries: CreateTime is the producer's, LogAppendTime is the broker's when it was written.",
	},
	{
		Name: "min.cleanable.dirty.ratio", Type: Double, Default: "0.5", Broker: "log.cleaner.min.cleanable.ratio", valid: between(0, 1),
		Doc: "The share of a compacted log, in bytes, that must be new before it is compacted again.",
	},
	{
		Name: "min.compaction.lag.ms", Type: Long, Default: "0", Broker: "log.cleaner.min.compaction.lag.ms", valid: atLeast(0),
		Doc: "The least time a record of a compacted topic is left alone, in milliseconds; segments are compacted whole.",
	},
	{
		Name: "min.insync.replicas", Type: Int, Default: "1", Broker: "min.insync.replicas", valid: atLeast(1),
		Doc: "With fewer replicas than this in sync, writes with acks=all are refused and nothing new is committed.",
	},
	{
		Name: "preallocate", Type: Boolean, Default: "false", Broker: "log.preallocate",
		Standing: DefaultOnly, Feature: "choosing preallocation by topic (space is prepared as needed)",
		Doc: "Whether a new segment file gets its full size at once.",
	},
	{
		Name: RecordValidation, Type: String, Default: "header", Broker: "log.record.validation", valid: oneOf("header", "full"), Own: true,
		Doc: "How closely batches are checked on arrival: header checks checksum, counts and codec, full also unpacks and walks every record.",
	},
	{
		Name: "remote.log.copy.disable", Type: Boolean, Default: "false", Standing: DefaultOnly, Feature: "tiered storage",
		Doc: "Whether a tiered topic stops copying segments to remote storage.",
	},
	{
		Name: "remote.log.delete.on.disable", Type: Boolean, Default: "false", Standing: DefaultOnly, Feature: "tiered storage",
		Doc: "Whether a topic's remote data is deleted when its tiering is switched off.",
	},
	{
		Name: "remote.storage.enable", Type: Boolean, Default: "false", Standing: DefaultOnly, Feature: "tiered storage",
		Doc: "Whether old segments move to remote storage.",
	},
	{
		Name: "retention.bytes", Type: Long, Default: "-1", Broker: "log.retention.bytes",
		Doc: "How many bytes a partition keeps before its oldest segments are dropped, -1 for no limit.",
	},
	{
		Name: "retention.ms", Type: Long, Default: sevenDays, Broker: "log.retention.ms", valid: atLeast(-1),
		Doc: "How long records are kept before their segment is dropped, in milliseconds, -1 for ever.",
	},
	{
		Name: "segment.bytes", Type: Int, Default: "1073741824", Broker: "log.segment.bytes", valid: atLeast(1 << 20),
		Doc: "The size at which a segment is closed and the next begun; retention drops whole segments.",
	},
	{
		Name: "segment.index.bytes", Type: Int, Default: "10485760", Broker: "log.index.size.max.bytes", valid: atLeast(4),
		Doc: "The size at which an index file is full and its segment is closed.",
	},
	{
		Name: "segment.jitter.ms", Type: Long, Default: "0", Broker: "log.roll.jitter.ms", valid: atLeast(0),
		Doc: "The most that is taken at random off segment.ms, so that segments of many partitions do not close at once.",
	},
	{
		Name: "segment.ms", Type: Long, Default: sevenDays, Broker: "log.roll.ms", valid: atLeast(1),
		Doc: "The age at which a segment is closed even if it is not full, in milliseconds.",
	},
	{
		Name: "unclean.leader.election.enable", Type: Boolean, Default: "false", Broker: "unclean.leader.election.enable",
		Standing: DefaultOnly, Feature: "unclean leader election",
		Doc: "Whether a replica that is not in sync may lead when no other is left, at the price of lost records.",
	},
}

var (
	compressionTypes = oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer")
	timestampTypes   = oneOf("CreateTime", "LogAppendTime")
	gzipLevel        = valid{"between 1 and 9, or -1", func(v string) bool { return v == "-1" || atof(v) >= 1 && atof(v) <= 9 }}
	throttled        = valid{"* or a list of partition:broker pairs", isThrottled}
	throttledPair    = regexp.MustCompile(`^[0-9]+:[0-9]+$`)
)

func isThrottled(v string) bool {
	if v == "" || v == "*" || v == "," { // "," is an empty list to Kafka
		return true
	}
	for _, item := range SplitList(v) {
		if !throttledPair.MatchString(item) {
			return false
		}
	}
	return true
}
