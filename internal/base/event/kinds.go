package event

import "log/slog"

// Kind is one row of the table. Treat it as read-only.
type Kind struct {
	Name     string     // lower_snake_case, never reused for another meaning
	Severity slog.Level // of its log line
	Fields   []Field    // in the order of their JSON form
	Sentence string     // with {field}, {node}, {topic}, {partition}, {group} filled in
	Doc      string     // what it means and what to do, one sentence
}

// Field is one value of a kind.
type Field struct {
	Name string
	Text bool // a string; otherwise a whole number
	Doc  string
}

func number(name, doc string) Field { return Field{Name: name, Doc: doc} }
func text(name, doc string) Field   { return Field{Name: name, Text: true, Doc: doc} }

var (
	clientID   = text("client_id", "the client's own name, as it said")
	clientHost = text("client_host", "the address it came from")
)

// KindNodeStarted: a node is ready to serve.
var KindNodeStarted = &Kind{
	Name: "node_started", Severity: slog.LevelInfo,
	Fields:   []Field{text("version", "of the program"), number("partitions", "with data on this node"), number("millis", "from process start to ready")},
	Sentence: "node {node} started version {version} in {millis} ms with {partitions} partitions",
	Doc:      "A node is ready after a clean stop or for the first time.",
}

// KindUncleanStart: the node before this one did not stop cleanly.
var KindUncleanStart = &Kind{
	Name: "unclean_start", Severity: slog.LevelWarn,
	Fields: []Field{
		text("cause", "killed, power_cut or unknown"), number("partitions", "that were checked"), number("scanned_bytes", "that were read to check them"),
		number("truncated", "partitions whose end was cut"), number("quarantined", "files set aside"), number("millis", "the check took"),
	},
	Sentence: "node {node} starts after an unclean stop ({cause}): {partitions} partitions checked in {millis} ms, {scanned_bytes} bytes read, {truncated} ends cut, {quarantined} files set aside",
	Doc:      "The node was killed or lost power. Records above the last sync were checked; what was committed and synced is there.",
}

// KindNodeStopped: a node stops cleanly.
var KindNodeStopped = &Kind{
	Name: "node_stopped", Severity: slog.LevelInfo,
	Fields:   []Field{number("millis", "the stop took")},
	Sentence: "node {node} stopped cleanly in {millis} ms",
	Doc:      "A node was asked to stop and synced everything first.",
}

// KindTruncatedTail: recovery cut a torn end off a partition.
var KindTruncatedTail = &Kind{
	Name: "truncated_tail", Severity: slog.LevelWarn,
	Fields: []Field{
		number("end", "the partition's end after the cut: the first offset that is gone"), number("bytes", "cut off"),
		number("recovery_point", "the offset known to be synced; nothing below it was cut"), text("reason", "what was wrong with the first bad batch"),
	},
	Sentence: "{topic}-{partition} lost a torn end at the start of node {node}: {bytes} bytes after offset {end} cut ({reason}), synced up to {recovery_point}",
	Doc:      "The end of a log was written only in part when the node stopped. Nothing that was synced is affected.",
}

// KindQuarantined: data below the recovery point is damaged.
var KindQuarantined = &Kind{
	Name: "quarantined", Severity: slog.LevelError,
	Fields: []Field{
		text("file", "that was set aside, relative to the data folder"), number("first", "the first offset it held, -1 if unknown"),
		number("last", "the last offset it held, -1 if unknown"), text("reason", "what is wrong with it"),
	},
	Sentence: "{topic}-{partition} on node {node}: {file} (offsets {first} to {last}) is damaged and set aside: {reason}",
	Doc:      "Synced data changed on disk. It is never served and never deleted; restore it from another replica or a backup.",
}

// KindFetchOutOfRange: a consumer asked for an offset the partition does not have.
var KindFetchOutOfRange = &Kind{
	Name: "fetch_out_of_range", Severity: slog.LevelWarn,
	Fields: []Field{
		clientID, clientHost, number("offset", "asked for"), number("log_start", "the first offset there is"),
		number("log_end", "the high watermark: the first offset that is not there yet"), number("missed", "records from offset to log_start, 0 if offset is too high"),
	},
	Sentence: "client {client_id} at {client_host} asked {topic}-{partition} for offset {offset}, there are {log_start} to {log_end}: {missed} records were gone before it read them",
	Doc:      "The consumer now resets by its auto.offset.reset. If records were missed, it was slower than the retention.",
}

// KindDirFailed: a data directory is taken out of service.
var KindDirFailed = &Kind{
	Name: "data_dir_failed", Severity: slog.LevelError,
	Fields:   []Field{text("dir", "the data directory"), text("operation", "that failed: write, sync, open…"), text("error", "as the operating system gave it"), number("partitions", "that are offline now")},
	Sentence: "data directory {dir} of node {node} failed ({operation}: {error}): {partitions} partitions are offline",
	Doc:      "A write or sync failed, so nothing is acknowledged from this directory until the node starts again on a sound disk.",
}

// KindDiskFull: writes are refused for want of space.
var KindDiskFull = &Kind{
	Name: "disk_full", Severity: slog.LevelError,
	Fields:   []Field{text("dir", "the data directory"), number("free_bytes", "left")},
	Sentence: "data directory {dir} of node {node} is full ({free_bytes} bytes left): writes are refused until there is space",
	Doc:      "Free space or shorten retention; writing goes on by itself. Reads are not affected.",
}

// KindDiskFreed: writing goes on after a full disk.
var KindDiskFreed = &Kind{
	Name: "disk_freed", Severity: slog.LevelInfo,
	Fields:   []Field{text("dir", "the data directory"), number("free_bytes", "now"), number("millis", "writes were refused")},
	Sentence: "data directory {dir} of node {node} takes writes again after {millis} ms ({free_bytes} bytes free)",
	Doc:      "There is space again after disk_full.",
}

// KindPartitionOffline: a partition stopped serving by itself.
var KindPartitionOffline = &Kind{
	Name: "partition_offline", Severity: slog.LevelError,
	Fields:   []Field{text("reason", "a failed directory, damaged data, or the invariant that broke")},
	Sentence: "{topic}-{partition} is offline on node {node}: {reason}",
	Doc:      "The partition answers with an error until the cause is gone and the node started again; the others go on.",
}

// KindRecordsDeleted: records were deleted because somebody asked for it.
var KindRecordsDeleted = &Kind{
	Name: "records_deleted", Severity: slog.LevelInfo,
	Fields:   []Field{number("first", "the first offset deleted"), number("before", "the first offset kept"), clientID, clientHost},
	Sentence: "client {client_id} at {client_host} deleted offsets {first} up to but not including {before} of {topic}-{partition}",
	Doc:      "A DeleteRecords request moved the start of the log.",
}

// KindRecordsExpired: retention dropped records.
var KindRecordsExpired = &Kind{
	Name: "records_expired", Severity: slog.LevelInfo,
	Fields:   []Field{number("first", "the first offset dropped"), number("before", "the first offset kept"), number("bytes", "dropped"), text("reason", "time, size or log start")},
	Sentence: "retention by {reason} dropped offsets {first} up to but not including {before} of {topic}-{partition} ({bytes} bytes)",
	Doc:      "Old segments were dropped as retention.ms and retention.bytes say.",
}

// KindTopicCreated: a topic was made.
var KindTopicCreated = &Kind{
	Name: "topic_created", Severity: slog.LevelInfo,
	Fields:   []Field{text("topic_id", "its id"), number("partitions", "it has"), number("replicas", "of each"), text("cause", "request or auto_create")},
	Sentence: "topic {topic} was created with {partitions} partitions and {replicas} replicas ({cause})",
	Doc:      "Somebody asked for the topic, or used it while auto.create.topics.enable is true.",
}

// KindTopicDeleted: a topic was deleted with its data.
var KindTopicDeleted = &Kind{
	Name: "topic_deleted", Severity: slog.LevelInfo,
	Fields:   []Field{text("topic_id", "its id"), number("partitions", "it had")},
	Sentence: "topic {topic} was deleted with its {partitions} partitions",
	Doc:      "A DeleteTopics request removed the topic; its files go after file.delete.delay.ms.",
}

// KindPartitionsAdded: a topic got more partitions.
var KindPartitionsAdded = &Kind{
	Name: "partitions_added", Severity: slog.LevelInfo,
	Fields:   []Field{number("before", "partitions there were"), number("after", "partitions there are")},
	Sentence: "topic {topic} grew from {before} to {after} partitions: keys may map to other partitions from here on",
	Doc:      "A CreatePartitions request. Records with one key before and after may lie in different partitions.",
}

// KindConfigChanged: a topic's or broker's settings were changed.
var KindConfigChanged = &Kind{
	Name: "config_changed", Severity: slog.LevelInfo,
	Fields:   []Field{text("resource", "topic NAME, broker ID or all brokers"), text("changes", "key=value, comma-separated; -key for a removed one; secrets blotted out")},
	Sentence: "settings of {resource} were changed: {changes}",
	Doc:      "An AlterConfigs or IncrementalAlterConfigs request.",
}

// KindOffsetReset: a consumer starts to read where no commit told it to.
var KindOffsetReset = &Kind{
	Name: "offset_reset", Severity: slog.LevelInfo,
	Fields: []Field{
		clientID, clientHost, number("before", "the offset it asked for that was not there; -1 if its group had committed none"),
		number("offset", "where it starts"), number("log_start", "the first offset there is"), number("log_end", "the high watermark"),
		number("skipped", "offsets between before, or else the first there is, and where it starts"), number("repeated", "offsets from where it starts up to before"),
	},
	Sentence: "client {client_id} at {client_host} starts {topic}-{partition} for group {group} at offset {offset} (committed before: {before}; there are {log_start} to {log_end}): {skipped} skipped, {repeated} read again",
	Doc:      "The group has no offset for the partition, or one that is gone, and auto.offset.reset decided. No group is named where several clients use one name.",
}

// KindOffsetDeleted: a committed offset was deleted because somebody asked for it.
var KindOffsetDeleted = &Kind{
	Name: "offset_deleted", Severity: slog.LevelWarn,
	Fields:   []Field{clientID, clientHost, number("offset", "that was committed")},
	Sentence: "client {client_id} at {client_host} deleted the offset {offset} that group {group} had committed for {topic}-{partition}",
	Doc:      "A DeleteGroups or OffsetDelete request. Who reads on starts where auto.offset.reset says.",
}

// KindOffsetExpired: a committed offset was dropped by retention.
var KindOffsetExpired = &Kind{
	Name: "offset_expired", Severity: slog.LevelWarn,
	Fields:   []Field{number("offset", "that was committed")},
	Sentence: "the offset {offset} that group {group} had committed for {topic}-{partition} expired",
	Doc:      "The group had no member, or none that reads this topic, for offsets.retention.minutes. Who reads on starts where auto.offset.reset says.",
}

// KindOffsetTopicGone: a committed offset went with its topic.
var KindOffsetTopicGone = &Kind{
	Name: "offset_topic_gone", Severity: slog.LevelInfo,
	Fields:   []Field{number("offset", "that was committed")},
	Sentence: "the offset {offset} that group {group} had committed for {topic}-{partition} went with the topic, which was deleted",
	Doc:      "A topic of the same name starts without committed offsets.",
}

// KindCommitMovedBack: a group committed an offset below the one before.
var KindCommitMovedBack = &Kind{
	Name: "commit_moved_back", Severity: slog.LevelWarn,
	Fields: []Field{
		clientID, clientHost, text("member", "who committed; empty if no member did"),
		number("before", "the offset that was committed before"), number("offset", "the offset that is committed now"),
	},
	Sentence: "client {client_id} at {client_host} moved group {group} on {topic}-{partition} back from offset {before} to {offset}: the records between are read again",
	Doc:      "A reset, a member that was slow to give a partition up, or a bug of the application.",
}

// KindCommitToRecreated: the offset that was committed before belongs to a topic that is gone.
var KindCommitToRecreated = &Kind{
	Name: "commit_to_recreated", Severity: slog.LevelWarn,
	Fields: []Field{
		clientID, clientHost, text("member", "who committed; empty if no member did"),
		number("before", "the offset that was committed for the topic that is gone"), number("offset", "the offset that is committed now"),
	},
	Sentence: "client {client_id} at {client_host} committed offset {offset} of group {group} for {topic}-{partition}, which was deleted and created again since offset {before} was committed",
	Doc:      "If the offset was read from the old topic, records of the new one are skipped or read again.",
}

// KindTransactionTimedOut: a transaction was aborted since its producer left it open for too long.
var KindTransactionTimedOut = &Kind{
	Name: "transaction_timed_out", Severity: slog.LevelWarn,
	Fields: []Field{
		text("transactional_id", "of the producer"), number("producer_id", "that the coordinator gave it"), number("epoch", "of the producer, which is fenced now"),
		number("timeout_ms", "transaction.timeout.ms, as the producer asked"), number("partitions", "the transaction had"),
	},
	Sentence: "the transaction of {transactional_id} (producer {producer_id}, epoch {epoch}, {partitions} partitions) was open for {timeout_ms} ms and is aborted",
	Doc:      "The producer died, hangs, or needs a longer transaction.timeout.ms. If it is alive it learns that it was fenced, and has to begin anew.",
}

// KindCoordinatorDown: the coordinator of some groups or transactions does not serve.
var KindCoordinatorDown = &Kind{
	Name: "coordinator_down", Severity: slog.LevelError,
	Fields:   []Field{text("reason", "what failed")},
	Sentence: "the coordinator that keeps its state in {topic}-{partition} does not serve on node {node}: {reason}",
	Doc:      "Clients are told to come again, and the node tries again by itself; if the log is damaged or its directory failed, the cause has to go first.",
}

// KindDecisionTooLarge: a coordinator did not do what it would have done, for it is too much to be written at once.
var KindDecisionTooLarge = &Kind{
	Name: "decision_too_large", Severity: slog.LevelError,
	Fields: []Field{
		text("command", "what was to be done"), number("records", "it would have written"), number("max_bytes", "that are written at once"),
	},
	Sentence: "the coordinator that keeps its state in {topic}-{partition} did not carry out {command}: its {records} records are more than {max_bytes} bytes",
	Doc:      "A client is told to come again, what was due is tried again every ten seconds. A group has too many members for its long name, or too many patterns over too many topics: split it.",
}

// KindNotCompacted: a partition of a compacted topic cannot be compacted.
var KindNotCompacted = &Kind{
	Name: "not_compacted", Severity: slog.LevelError,
	Fields:   []Field{text("reason", "what is in the way")},
	Sentence: "{topic}-{partition} on node {node} is not compacted: {reason}",
	Doc:      "Nothing is lost, but the partition only grows. It is tried again every ten minutes; damaged records have to be repaired or deleted first.",
}

// KindHangingAborted: a transaction that no coordinator would have ended was aborted in one partition.
var KindHangingAborted = &Kind{
	Name: "hanging_transaction_aborted", Severity: slog.LevelWarn,
	Fields: []Field{
		clientID, clientHost, number("producer_id", "of the producer"), number("epoch", "of the producer"), number("offset", "of its first record: readers of committed records stood there"),
	},
	Sentence: "client {client_id} at {client_host} had the transaction of producer {producer_id} (epoch {epoch}) in {topic}-{partition} aborted, open since offset {offset}: no coordinator knew of it",
	Doc:      "Such transactions are left by older brokers or restored data. Holdfast begins none that its coordinator does not know of.",
}

// KindStableOffsetStands: readers of committed records wait for a transaction that should have ended.
var KindStableOffsetStands = &Kind{
	Name: "stable_offset_stands", Severity: slog.LevelError,
	Fields: []Field{
		number("offset", "the last stable offset: of the transaction's first record"), number("producer_id", "of the transaction"), number("epoch", "of its producer"),
		number("millis", "it was seen to stand"), number("records", "behind it that readers of committed records do not get"),
	},
	Sentence: "readers of committed records stand at offset {offset} of {topic}-{partition} for {millis} ms: the transaction of producer {producer_id} (epoch {epoch}) is open for longer than transaction.max.timeout.ms allows; {records} records wait",
	Doc:      "Its coordinator cannot write the marker, or knows nothing of it. See holdfast txn hanging; holdfast txn abort ends it.",
}

// Kinds lists the table sorted by name.
func Kinds() []*Kind {
	return []*Kind{
		KindCommitMovedBack, KindCommitToRecreated, KindConfigChanged, KindCoordinatorDown, KindDirFailed, KindDecisionTooLarge, KindDiskFreed, KindDiskFull, KindFetchOutOfRange, KindHangingAborted, KindNodeStarted, KindNodeStopped, KindNotCompacted,
		KindOffsetDeleted, KindOffsetExpired, KindOffsetReset, KindOffsetTopicGone, KindPartitionOffline, KindPartitionsAdded, KindQuarantined, KindRecordsDeleted, KindRecordsExpired, KindStableOffsetStands, KindTopicCreated,
		KindTopicDeleted, KindTransactionTimedOut, KindTruncatedTail, KindUncleanStart,
	}
}

// Lookup finds a kind by its name.
func Lookup(name string) (*Kind, bool) {
	for _, k := range Kinds() {
		if k.Name == name {
			return k, true
		}
	}
	return nil, false
}

func (k *Kind) field(name string) (int, bool) {
	for i, f := range k.Fields {
		if f.Name == name {
			return i, true
		}
	}
	return 0, false
}
