package config

import (
	"math"
	"strconv"
)

// The names of the broker keys that Holdfast adds to Kafka's.
const (
	ClusterID            = "cluster.id"
	HTTPListener         = "http.listener"
	HTTPPprof            = "http.pprof.enable"
	LogCommitSync        = "log.commit.sync"
	LogRecordValidation  = "log.record.validation"
	LoggingFormat        = "logging.format"
	LoggingLevel         = "logging.level"
	MemoryBudgetBytes    = "memory.budget.bytes"
	OpenFilesMax         = "open.files.max"
	DecompressedMaxBytes = "record.decompressed.max.bytes"
	ShutdownTimeoutMs    = "shutdown.timeout.ms"
)

// brokerTable holds the keys of a node that are not the fallback of a topic key.
var brokerTable = []Key{
	// Who this node is and where its data lies.
	{
		Name: "node.id", Type: Int, Default: "1", valid: atLeast(0), Synonyms: []Synonym{{"broker.id", 1}},
		Doc: "This node's number in the cluster.",
	},
	{
		Name: "broker.id", Type: Int, Null: true, valid: atLeast(0),
		Doc: "The old name of node.id.",
	},
	{
		Name: "broker.rack", Type: String, Null: true,
		Doc: "The rack or zone this node stands in; clients see it in the metadata.",
	},
	{
		Name: ClusterID, Type: String, Null: true, Own: true,
		Doc: "The cluster this node belongs to; a folder of another cluster is refused. Unset: that of the data folder, or a new one.",
	},
	{
		Name: "process.roles", Type: List, Default: "broker,controller", valid: listOf("broker", "controller"),
		unsupport: refuseSplitRoles,
		Doc:       "What this node does: serve records (broker), keep the cluster's metadata (controller), or both.",
	},
	{
		Name: "log.dirs", Type: List, Null: true, valid: distinct, Synonyms: []Synonym{{"log.dir", 1}}, unsupport: refuseSeveral("data folders", "Name one"),
		Doc: "The folder that holds the data.",
	},
	{
		Name: "log.dir", Type: List, Default: "./holdfast-data", valid: distinct, unsupport: refuseSeveral("data folders", "Name one"),
		Doc: "The folder that holds the data where log.dirs is not set.",
	},

	// Where it listens.
	{
		Name: "listeners", Type: List, Default: "PLAINTEXT://127.0.0.1:9092", valid: valid{"a list of NAME://HOST:PORT", listenersOK},
		Doc: "The addresses Kafka clients connect to, as NAME://HOST:PORT; an empty host or 0.0.0.0 is every address of the machine.",
	},
	{
		Name: "advertised.listeners", Type: List, Null: true, valid: valid{"a list of NAME://HOST:PORT with a host", advertisedOK},
		Doc: "The addresses told to clients, where they differ from listeners. Unset and with a wildcard listener, clients are told the address they reached.",
	},
	{
		Name: "listener.security.protocol.map", Type: String, valid: valid{"a list of NAME:PROTOCOL", protocolMapOK},
		Default: "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
		Doc:     "The security protocol of each listener name; only PLAINTEXT is supported yet.",
	},
	{
		Name: "controller.listener.names", Type: List, Null: true, valid: distinct,
		Doc: "The names in listeners that belong to the metadata quorum; clients are not served there and nothing listens on them while the cluster is one node.",
	},
	{
		Name: "inter.broker.listener.name", Type: String, Null: true,
		Doc: "The listener other brokers would use; accepted, and without effect while the cluster is one node.",
	},
	{
		Name: "controller.quorum.voters", Type: List, Default: "", valid: valid{"a list of ID@HOST:PORT", votersOK}, unsupport: refuseSeveral("voters", "A cluster is one node so far: name this node alone, or leave it out"),
		Doc: "The members of the metadata quorum as id@host:port.",
	},
	{
		Name: "controller.quorum.bootstrap.servers", Type: List, Default: "", valid: valid{"a list of HOST:PORT", hostPortsOK}, unsupport: refuseSeveral("bootstrap servers", "A cluster is one node so far: name this node alone, or leave it out"),
		Doc: "Where a new node finds the metadata quorum, as host:port.",
	},
	{
		Name: HTTPListener, Type: String, Default: "127.0.0.1:9094", valid: valid{"HOST:PORT or off", httpOK}, Own: true,
		Doc: "Where /metrics, /healthz, /readyz and, for this machine, /safe-to-stop answer, as HOST:PORT, or off.",
	},
	{
		Name: HTTPPprof, Type: Boolean, Default: "false", Own: true,
		Doc: "Whether the HTTP listener also serves Go's profiles under /debug/pprof, to this machine only.",
	},

	// Topics made without figures.
	{
		Name: "auto.create.topics.enable", Type: Boolean, Default: "true",
		Doc: "Whether a client that asks for a topic that does not exist gets it made.",
	},
	{
		Name: "num.partitions", Type: Int, Default: "1", valid: atLeast(1),
		Doc: "How many partitions a topic gets that is made without saying.",
	},
	{
		Name: "default.replication.factor", Type: Int, Default: "-1", valid: valid{"at least 1, or -1", func(v string) bool { return v == "-1" || atof(v) >= 1 }},
		Doc: "How many replicas a topic gets that is made without saying; -1 is three, or as many as there are brokers if fewer.",
	},
	{
		Name: "delete.topic.enable", Type: Boolean, Default: "true",
		Doc: "Whether topics can be deleted at all.",
	},

	// Connections and requests.
	{
		Name: "connections.max.idle.ms", Type: Long, Default: "600000",
		Doc: "A connection on which nothing was asked for so long is closed, in milliseconds; 0 or less never closes.",
	},
	{
		Name: "max.connections", Type: Int, Default: maxInt32, valid: atLeast(0), Mode: ClusterWide,
		Doc: "The most connections the node holds at a time; more are not accepted until one closes.",
	},
	{
		Name: "max.connections.per.ip", Type: Int, Default: maxInt32, valid: atLeast(0), Mode: ClusterWide,
		Doc: "The most connections one client address may hold; more are closed at once.",
	},
	{
		Name: "max.connections.per.ip.overrides", Type: String, Default: "", valid: valid{"a list of ADDRESS:COUNT", overridesOK}, Mode: ClusterWide,
		Doc: "Other limits than max.connections.per.ip for single addresses or host names, as ADDRESS:COUNT.",
	},
	{
		Name: "max.connection.creation.rate", Type: Int, Default: maxInt32, valid: atLeast(0), Mode: ClusterWide,
		Doc: "The most new connections the node accepts in a second.",
	},
	{
		Name: "socket.request.max.bytes", Type: Int, Default: "104857600", valid: atLeast(1),
		Doc: "The largest request read from a client, in bytes; a longer one closes its connection.",
	},
	{
		Name: MemoryBudgetBytes, Type: Long, Default: "268435456", valid: atLeast(16 << 20), Own: true,
		Doc: "How much memory requests and answers in flight may hold together, in bytes; reading pauses there.",
	},
	{
		Name: "fetch.max.bytes", Type: Int, Default: "57671680", valid: atLeast(1024),
		Doc: "The most record bytes in one answer to a fetch, whatever the client asks for; a single batch always fits.",
	},
	{
		Name: "max.incremental.fetch.session.cache.slots", Type: Int, Default: "1000", valid: atLeast(0),
		Doc: "How many clients may have a fetch session, which saves them from naming every partition each time.",
	},
	{
		Name: "max.request.partition.size.limit", Type: Int, Default: "2000", valid: atLeast(1),
		Doc: "The most partitions in one answer to a client that describes topics page by page.",
	},
	{
		Name: DecompressedMaxBytes, Type: Long, Default: "268435456", valid: atLeast(1 << 20), Own: true,
		Doc: "The largest batch the broker unpacks to check or recode it, in bytes; what grows beyond is refused as corrupt.",
	},

	// The log.
	{
		Name: "log.retention.hours", Type: Int, Default: "168", valid: retention,
		Doc: "How long records are kept, in hours, where neither log.retention.ms nor log.retention.minutes is set; -1 for ever.",
	},
	{
		Name: "log.retention.minutes", Type: Int, Null: true, valid: retention,
		Doc: "How long records are kept, in minutes, where log.retention.ms is not set; -1 for ever.",
	},
	{
		Name: "log.retention.check.interval.ms", Type: Long, Default: "300000", valid: atLeast(1),
		Doc: "How often segments are looked at for retention, in milliseconds.",
	},
	{
		Name: "log.scrub.bytes.per.second", Type: Long, Default: "4194304", valid: valid{"0 or at least 65536", func(v string) bool { n := atof(v); return n == 0 || n >= 64<<10 }}, Own: true, Mode: ClusterWide,
		Doc: "How fast records that were synced are read through in the background in the search for damage, in bytes a second; 0 for not at all.",
	},
	{
		Name: "log.scrub.interval.ms", Type: Long, Default: "86400000", valid: atLeast(0), Own: true, Mode: ClusterWide,
		Doc: "How often such a search through all records begins anew, in milliseconds; one that takes longer is not cut short.",
	},
	{
		Name: "log.roll.hours", Type: Int, Default: "168", valid: atLeast(1),
		Doc: "The age at which a segment is closed, in hours, where log.roll.ms is not set.",
	},
	{
		Name: "log.roll.jitter.hours", Type: Int, Default: "0", valid: atLeast(0),
		Doc: "The most that is taken at random off the age of a segment, in hours, where log.roll.jitter.ms is not set.",
	},
	{
		Name: "log.flush.scheduler.interval.ms", Type: Long, Default: maxInt64, valid: atLeast(0),
		Doc: "Stands in for log.flush.interval.ms where that is not set, in milliseconds.",
	},
	{
		Name: "log.cleaner.enable", Type: Boolean, Default: "true",
		Doc: "Whether topics with cleanup.policy=compact are compacted at all; without it they only grow.",
	},
	{
		Name: "log.cleaner.backoff.ms", Type: Long, Default: "15000", valid: atLeast(0), Mode: ClusterWide,
		Doc: "How long the cleaner sleeps when no log is worth compacting, in milliseconds.",
	},
	{
		Name: "log.cleaner.dedupe.buffer.size", Type: Long, Default: "134217728", valid: atLeast(1<<20 + 1), Mode: ClusterWide,
		Doc: "The most memory that the keys of one pass of compaction take, in bytes, 24 a key; taken only while it runs. More keys take more passes.",
	},
	{
		Name: "log.cleaner.io.buffer.load.factor", Type: Double, Default: "0.9", valid: valid{"above 0 and at most 1", func(v string) bool { return atof(v) > 0 && atof(v) <= 1 }}, Mode: ClusterWide,
		Doc: "How full the table of keys may get before a pass of compaction stops collecting; fuller is slower and takes more keys at once.",
	},
	{
		Name: "log.cleaner.io.buffer.size", Type: Int, Default: "524288", valid: atLeast(0), Mode: ClusterWide,
		Doc: "How much of a log the cleaner reads and writes at a time, in bytes; it grows for a larger batch.",
	},
	{
		Name: "log.cleaner.io.max.bytes.per.second", Type: Double, Default: "1.7976931348623157e+308", valid: valid{"above 0", func(v string) bool { return atof(v) > 0 }}, Mode: ClusterWide,
		Doc: "The most that the cleaner reads and writes together in a second, in bytes.",
	},
	{
		Name: "producer.id.expiration.ms", Type: Int, Default: "86400000", valid: atLeast(1), Mode: ClusterWide,
		Doc: "How long a partition remembers an idempotent producer that wrote nothing more, in milliseconds.",
	},
	{
		Name: OpenFilesMax, Type: Int, Default: "0", valid: atLeast(0), Own: true,
		Doc: "How many segment files are held open at a time; 0 takes half of what the operating system allows the process.",
	},

	// The process.
	{
		Name: LoggingLevel, Type: String, Default: "info", valid: oneOf("debug", "info", "warn", "error"), Mode: PerBroker, Own: true,
		Doc: "The least severe messages that are logged.",
	},
	{
		Name: LoggingFormat, Type: String, Default: "text", valid: oneOf("text", "json"), Own: true,
		Doc: "How a log line looks: text for people, json for machines.",
	},
	{
		Name: ShutdownTimeoutMs, Type: Long, Default: "10000", valid: atLeast(0), Own: true,
		Doc: "How long a clean stop may take before the process ends anyway, in milliseconds.",
	},
}

// fallbacks are the broker keys that are the default of a topic key: same type, range and meaning.
// Where Kafka's default is unset the synonyms come in, ending with one that has a default.
var fallbacks = []struct {
	broker, topic string
	mode          Mode
	synonyms      []Synonym
}{
	{"compression.gzip.level", "compression.gzip.level", ClusterWide, nil},
	{"compression.lz4.level", "compression.lz4.level", ClusterWide, nil},
	{"compression.type", "compression.type", ClusterWide, nil},
	{"compression.zstd.level", "compression.zstd.level", ClusterWide, nil},
	{"log.cleaner.delete.retention.ms", "delete.retention.ms", ClusterWide, nil},
	{"log.cleaner.max.compaction.lag.ms", "max.compaction.lag.ms", ClusterWide, nil},
	{"log.cleaner.min.cleanable.ratio", "min.cleanable.dirty.ratio", ClusterWide, nil},
	{"log.cleaner.min.compaction.lag.ms", "min.compaction.lag.ms", ClusterWide, nil},
	{"log.cleanup.policy", "cleanup.policy", ClusterWide, nil},
	{LogCommitSync, CommitSync, ClusterWide, nil},
	{"log.flush.interval.messages", "flush.messages", ClusterWide, nil},
	{"log.flush.interval.ms", "flush.ms", ClusterWide, []Synonym{{"log.flush.scheduler.interval.ms", 1}}},
	{"log.index.interval.bytes", "index.interval.bytes", ClusterWide, nil},
	{"log.index.size.max.bytes", "segment.index.bytes", ClusterWide, nil},
	{"log.local.retention.bytes", "local.retention.bytes", ClusterWide, nil},
	{"log.local.retention.ms", "local.retention.ms", ClusterWide, nil},
	{"log.message.timestamp.after.max.ms", "message.timestamp.after.max.ms", ClusterWide, nil},
	{"log.message.timestamp.before.max.ms", "message.timestamp.before.max.ms", ClusterWide, nil},
	{"log.message.timestamp.type", "message.timestamp.type", ClusterWide, nil},
	{"log.preallocate", "preallocate", ClusterWide, nil},
	{LogRecordValidation, RecordValidation, ClusterWide, nil},
	{"log.retention.bytes", "retention.bytes", ClusterWide, nil},
	{"log.retention.ms", "retention.ms", ClusterWide, []Synonym{{"log.retention.minutes", 60_000}, {"log.retention.hours", 3_600_000}}},
	{"log.roll.jitter.ms", "segment.jitter.ms", ClusterWide, []Synonym{{"log.roll.jitter.hours", 3_600_000}}},
	{"log.roll.ms", "segment.ms", ClusterWide, []Synonym{{"log.roll.hours", 3_600_000}}},
	{"log.segment.bytes", "segment.bytes", ClusterWide, nil},
	{"log.segment.delete.delay.ms", "file.delete.delay.ms", ClusterWide, nil},
	{"message.max.bytes", "max.message.bytes", ClusterWide, nil},
	{"min.insync.replicas", "min.insync.replicas", ClusterWide, nil},
	{"unclean.leader.election.enable", "unclean.leader.election.enable", ClusterWide, nil},
}

// retention: Kafka refuses a broker whose retention is 0, though a topic may have that.
var retention = valid{"-1, or at least 1", func(v string) bool { return v != "0" && atof(v) >= -1 }}

// fallbackKey derives a broker key from the topic key it is the default of. What is not built is only noticed
// here: the setting touches no topic, since a topic key that is not honoured stays at its default.
func fallbackKey(broker string, topic *Key, mode Mode, synonyms []Synonym) Key {
	k := *topic
	k.Name, k.Scope, k.Broker, k.Mode, k.Synonyms = broker, ScopeBroker, "", mode, synonyms
	k.Doc = "Default of the topic setting " + topic.Name + ". " + topic.Doc
	if len(synonyms) > 0 {
		k.Default, k.Null = "", true
	}
	if broker == "log.retention.ms" {
		k.valid = retention
	}
	if k.Standing == DefaultOnly {
		k.Standing = NotYet
	}
	return k
}

func refuseSplitRoles(v string) string {
	if len(SplitList(v)) == 2 {
		return ""
	}
	return "a node is both broker and controller so far. Set broker,controller"
}

func refuseSeveral(what, remedy string) func(string) string {
	return func(v string) string {
		if n := len(SplitList(v)); n > 1 {
			return strconv.Itoa(n) + " " + what + " are not supported yet. " + remedy
		}
		return ""
	}
}

// clampNegative multiplies a stand-in's number; every negative one means unlimited, and what overflows is the most.
func clampNegative(n, unit int64) int64 {
	switch {
	case unit == 1:
		return n
	case n < 0:
		return -1
	case n > math.MaxInt64/unit:
		return math.MaxInt64
	}
	return n * unit
}
