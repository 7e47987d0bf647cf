package metrics

// latency spans 50 microseconds, below which nothing that matters happens, to 10 seconds.
var latency = []float64{
	50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 0.1, 0.2, 0.5, 1, 2, 5, 10,
}

var counts = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}

// The node.
var (
	BuildInfo         = &Def{Name: "holdfast_build_info", Type: TypeGauge, Help: "Always 1; the labels say what runs.", Labels: []string{"version", "go_version"}}
	StartSeconds      = &Def{Name: "holdfast_start_seconds", Type: TypeGauge, Help: "How long the node took from process start to ready."}
	Events            = &Def{Name: "holdfast_events_total", Type: TypeCounter, Help: "Events by kind; holdfast events shows them.", Labels: []string{"kind"}}
	EventsDropped     = &Def{Name: "holdfast_events_dropped_total", Type: TypeCounter, Help: "Events that were logged and counted but not stored, because the event topic could not keep up or was not writable."}
	Violations        = &Def{Name: "holdfast_invariant_violations_total", Type: TypeCounter, Help: "Broken invariants. Each is a bug: anything above 0 deserves a report.", Labels: []string{"part"}}
	DecodePanics      = &Def{Name: "holdfast_decode_panics_total", Type: TypeCounter, Help: "Panics while a request was decoded or carried out; each closed one connection. Each is a bug."}
	MemoryBudgetBytes = &Def{Name: "holdfast_memory_budget_bytes", Type: TypeGauge, Help: "The bound of holdfast_memory_used_bytes (memory.budget.bytes)."}
	MemoryUsedBytes   = &Def{Name: "holdfast_memory_used_bytes", Type: TypeCollected, Help: "Memory charged to requests and answers in flight."}
	MemoryWaitSeconds = &Def{Name: "holdfast_memory_wait_seconds", Type: TypeHistogram, Help: "How long requests waited for memory before they were read; only those that waited.", Buckets: latency}
)

// Connections and requests.
var (
	Connections        = &Def{Name: "holdfast_connections", Type: TypeGauge, Help: "Open client connections.", Labels: []string{"listener"}}
	ConnectionsOpened  = &Def{Name: "holdfast_connections_opened_total", Type: TypeCounter, Help: "Connections accepted.", Labels: []string{"listener"}}
	ConnectionsClosed  = &Def{Name: "holdfast_connections_closed_total", Type: TypeCounter, Help: "Connections closed, by reason: client, idle, error, frame, panic, slow, stop.", Labels: []string{"listener", "reason"}}
	ConnectionsRefused = &Def{Name: "holdfast_connections_refused_total", Type: TypeCounter, Help: "Connections that were not taken, by reason: per_ip, handles, stop. Those beyond max.connections and its rate wait, unseen, in the kernel's queue.", Labels: []string{"listener", "reason"}}
	Requests           = &Def{Name: "holdfast_requests_total", Type: TypeCounter, Help: "Requests answered, or taken where no answer is due, by API.", Labels: []string{"api"}}
	RequestErrors      = &Def{Name: "holdfast_request_errors_total", Type: TypeCounter, Help: "Errors answered, by API and Kafka's name of the error; one for each topic or partition it concerns.", Labels: []string{"api", "error"}}
	RequestSeconds     = &Def{Name: "holdfast_request_seconds", Type: TypeHistogram, Help: "From the last byte of a request read to its answer handed to the connection, waiting included.", Labels: []string{"api"}, Buckets: latency}
	RequestsInFlight   = &Def{Name: "holdfast_requests_in_flight", Type: TypeGauge, Help: "Requests read and not yet answered."}
	RequestBytes       = &Def{Name: "holdfast_request_bytes_total", Type: TypeCounter, Help: "Bytes of requests read, by API.", Labels: []string{"api"}}
	ResponseBytes      = &Def{Name: "holdfast_response_bytes_total", Type: TypeCounter, Help: "Bytes of answers written, by API.", Labels: []string{"api"}}
	ProduceWaiting     = &Def{Name: "holdfast_produce_waiting", Type: TypeGauge, Help: "Produce requests with acks=all that are appended and wait for their commit."}
	FetchWaiting       = &Def{Name: "holdfast_fetch_waiting", Type: TypeGauge, Help: "Fetch requests that wait for enough records."}
	FetchSessions      = &Def{Name: "holdfast_fetch_sessions", Type: TypeCollected, Help: "Incremental fetch sessions held."}
	FetchSessionsLost  = &Def{Name: "holdfast_fetch_sessions_evicted_total", Type: TypeCounter, Help: "Fetch sessions dropped for want of slots (max.incremental.fetch.session.cache.slots)."}
)

// Topics and partitions.
var (
	Topics            = &Def{Name: "holdfast_topics", Type: TypeCollected, Help: "Topics in the cluster."}
	Partitions        = &Def{Name: "holdfast_partitions", Type: TypeCollected, Help: "Partitions on this node."}
	PartitionsOffline = &Def{Name: "holdfast_partitions_offline", Type: TypeCollected, Help: "Partitions on this node that do not serve; holdfast events --topic says why."}
	AppendedRecords   = &Def{Name: "holdfast_appended_records_total", Type: TypeCounter, Help: "Records appended by producers.", Labels: []string{"topic"}}
	AppendedBytes     = &Def{Name: "holdfast_appended_bytes_total", Type: TypeCounter, Help: "Bytes of batches appended by producers, as stored.", Labels: []string{"topic"}}
	FetchedBytes      = &Def{Name: "holdfast_fetched_bytes_total", Type: TypeCounter, Help: "Bytes of batches sent to consumers, as stored.", Labels: []string{"topic"}}
	BatchesRefused    = &Def{Name: "holdfast_batches_refused_total", Type: TypeCounter, Help: "Batches refused, by Kafka's name of the error.", Labels: []string{"error"}}
	BatchesDuplicate  = &Def{Name: "holdfast_batches_duplicate_total", Type: TypeCounter, Help: "Batches an idempotent producer sent again; each was answered with its first offset and stored once."}
	BatchesRecoded    = &Def{Name: "holdfast_batches_recoded_total", Type: TypeCounter, Help: "Batches that were unpacked and compressed anew because compression.type asks for another codec."}
	CommitSeconds     = &Def{Name: "holdfast_commit_seconds", Type: TypeHistogram, Help: "From the append of a batch to its commit, for requests that wait for it (acks=all).", Buckets: latency}
	Producers         = &Def{Name: "holdfast_producers", Type: TypeCollected, Help: "Idempotent producers the partitions of this node remember, one for each partition it wrote to."}
	FetchOutOfRange   = &Def{Name: "holdfast_fetch_out_of_range_total", Type: TypeCounter, Help: "Fetches for offsets that are not there; each is an event with its client and range.", Labels: []string{"topic"}}
)

// The log on disk.
var (
	FsyncSeconds    = &Def{Name: "holdfast_log_fsync_seconds", Type: TypeHistogram, Help: "One sync of a data directory, of all files it concerned.", Labels: []string{"dir"}, Buckets: latency}
	FsyncFiles      = &Def{Name: "holdfast_log_fsync_files", Type: TypeHistogram, Help: "How many files one sync of a data directory concerned.", Labels: []string{"dir"}, Buckets: counts}
	FsyncPartitions = &Def{Name: "holdfast_log_fsync_partitions", Type: TypeHistogram, Help: "How many partitions one sync of a data directory served.", Labels: []string{"dir"}, Buckets: counts}
	LogBytes        = &Def{Name: "holdfast_log_bytes", Type: TypeCollected, Help: "Bytes of a topic's partitions on this node, without indexes.", Labels: []string{"topic"}}
	LogSegments     = &Def{Name: "holdfast_log_segments", Type: TypeCollected, Help: "Segments of all partitions on this node."}
	SegmentsDropped = &Def{Name: "holdfast_log_segments_dropped_total", Type: TypeCounter, Help: "Segments that retention dropped, by reason: time, size, log start.", Labels: []string{"reason"}}
	TruncatedBytes  = &Def{Name: "holdfast_log_truncated_bytes_total", Type: TypeCounter, Help: "Bytes cut off the ends of partitions when the node started after an unclean stop."}
	DamagedRanges   = &Def{Name: "holdfast_log_damaged_ranges", Type: TypeCollected, Help: "Ranges of records that are damaged on disk and not served; each is an event with its offsets."}
	ScrubbedBytes   = &Def{Name: "holdfast_log_scrubbed_bytes_total", Type: TypeCounter, Help: "Bytes read through in the background in the search for damage (bound: log.scrub.bytes.per.second)."}
	RecoveredBytes  = &Def{Name: "holdfast_log_recovered_bytes_total", Type: TypeCounter, Help: "Bytes read to check partitions when the node started after an unclean stop."}
	OpenFiles       = &Def{Name: "holdfast_log_open_files", Type: TypeCollected, Help: "Segment and index files held open (bound: open.files.max)."}
	DirOnline       = &Def{Name: "holdfast_data_dir_online", Type: TypeCollected, Help: "1 while a data directory is in service, 0 once it failed.", Labels: []string{"dir"}}
	DirFull         = &Def{Name: "holdfast_data_dir_full", Type: TypeCollected, Help: "1 while writes to a data directory are refused for want of space.", Labels: []string{"dir"}}
	DirFreeBytes    = &Def{Name: "holdfast_data_dir_free_bytes", Type: TypeCollected, Help: "Free space of a data directory's file system.", Labels: []string{"dir"}}
	DirTotalBytes   = &Def{Name: "holdfast_data_dir_size_bytes", Type: TypeCollected, Help: "Size of a data directory's file system.", Labels: []string{"dir"}}
)

// Compaction.
var (
	Compactions            = &Def{Name: "holdfast_compaction_runs_total", Type: TypeCounter, Help: "Runs of compaction over one partition, failed ones included."}
	CompactionSeconds      = &Def{Name: "holdfast_compaction_seconds", Type: TypeHistogram, Help: "One run of compaction over one partition.", Buckets: latency}
	CompactionReadBytes    = &Def{Name: "holdfast_compaction_read_bytes_total", Type: TypeCounter, Help: "Bytes of segments that compaction made anew."}
	CompactionWrittenBytes = &Def{Name: "holdfast_compaction_written_bytes_total", Type: TypeCounter, Help: "Bytes of the segments that it made of them."}
	CompactionRecords      = &Def{Name: "holdfast_compaction_removed_records_total", Type: TypeCounter, Help: "Records that compaction took out: a later one has their key, a transaction was aborted, or a tombstone's time was over."}
	CompactionFailures     = &Def{Name: "holdfast_compaction_failures_total", Type: TypeCounter, Help: "Runs that ended in an error; each new cause is an event (not_compacted)."}
	CompactionDirtyBytes   = &Def{Name: "holdfast_compaction_dirty_bytes", Type: TypeCollected, Help: "Bytes of a compacted topic on this node that wait for compaction and may be compacted.", Labels: []string{"topic"}}
	CompactionUnclean      = &Def{Name: "holdfast_compaction_unclean_partitions", Type: TypeCollected, Help: "Partitions that cannot be compacted; they are tried again every ten minutes. Anything above 0 fills the disk in time.", Labels: []string{"topic"}}
	CompactionLastRun      = &Def{Name: "holdfast_compaction_last_run_timestamp_seconds", Type: TypeCollected, Help: "When a partition of a compacted topic was last compacted on this node, in Unix time; 0 if not since the start.", Labels: []string{"topic"}}
)

// The cluster's metadata.
var (
	QuorumTerm          = &Def{Name: "holdfast_quorum_term", Type: TypeCollected, Help: "The term of the metadata quorum as this node knows it."}
	QuorumLeader        = &Def{Name: "holdfast_quorum_leader", Type: TypeCollected, Help: "The node id of the metadata quorum's leader, -1 if none is known."}
	QuorumApplied       = &Def{Name: "holdfast_quorum_applied_index", Type: TypeCollected, Help: "The last metadata entry applied on this node."}
	QuorumCommitSeconds = &Def{Name: "holdfast_quorum_commit_seconds", Type: TypeHistogram, Help: "From handing a metadata request of a client to the controller to its commit.", Buckets: latency}
	QuorumProposals     = &Def{Name: "holdfast_quorum_proposals_total", Type: TypeCounter, Help: "Metadata requests of clients by result: ok, refused (not taken), lost (the outcome is not known).", Labels: []string{"result"}}
	JournalSyncSeconds  = &Def{Name: "holdfast_journal_fsync_seconds", Type: TypeHistogram, Help: "One sync of the metadata journal.", Buckets: latency}
	JournalBytes        = &Def{Name: "holdfast_journal_bytes", Type: TypeCollected, Help: "Size of the metadata journal; a snapshot cuts it."}
)

// The coordinators: of groups (__consumer_offsets) and of transactions (__transaction_state).
var (
	CoordinatorShards      = &Def{Name: "holdfast_coordinator_shards", Type: TypeCollected, Help: "Coordinator shards that this node leads, by the topic that is their log and by state: loading, serving, resting (failed, tried again after a while).", Labels: []string{"topic", "state"}}
	CoordinatorMailbox     = &Def{Name: "holdfast_coordinator_mailbox", Type: TypeCollected, Help: "Requests that wait in the fullest mailbox of a coordinator shard (bound: 4096).", Labels: []string{"topic"}}
	CoordinatorFull        = &Def{Name: "holdfast_coordinator_refused_total", Type: TypeCounter, Help: "Requests refused because a coordinator shard's mailbox was full; clients retry.", Labels: []string{"topic"}}
	CoordinatorUnloads     = &Def{Name: "holdfast_coordinator_unloads_total", Type: TypeCounter, Help: "Times a coordinator shard stopped serving: its log failed, the leader changed, or the node stopped.", Labels: []string{"topic"}}
	CoordinatorLoadSeconds = &Def{Name: "holdfast_coordinator_load_seconds", Type: TypeHistogram, Help: "Reading one coordinator shard from its log, until it serves.", Labels: []string{"topic"}, Buckets: latency}
	Groups                 = &Def{Name: "holdfast_groups", Type: TypeCollected, Help: "Groups this node coordinates, by protocol (classic, consumer) and state.", Labels: []string{"protocol", "state"}}
	CommittedOffsets       = &Def{Name: "holdfast_committed_offsets", Type: TypeCollected, Help: "Offsets that groups of this node have committed and that have not expired."}
	OffsetCommits          = &Def{Name: "holdfast_offset_commits_total", Type: TypeCounter, Help: "Offsets committed, one for each partition."}
)

// section is a heading of docs/metrics.md and what stands under it.
type section struct {
	title string
	defs  []*Def
}

var sections = []section{
	{"Node", []*Def{BuildInfo, StartSeconds, Events, EventsDropped, Violations, DecodePanics, MemoryBudgetBytes, MemoryUsedBytes, MemoryWaitSeconds}},
	{"Connections and requests", []*Def{
		Connections, ConnectionsOpened, ConnectionsClosed, ConnectionsRefused, Requests, RequestErrors, RequestSeconds, RequestsInFlight,
		RequestBytes, ResponseBytes, ProduceWaiting, FetchWaiting, FetchSessions, FetchSessionsLost,
	}},
	{"Topics and partitions", []*Def{
		Topics, Partitions, PartitionsOffline, AppendedRecords, AppendedBytes, FetchedBytes, BatchesRefused, BatchesDuplicate, BatchesRecoded,
		CommitSeconds, Producers, FetchOutOfRange,
	}},
	{"Log on disk", []*Def{
		FsyncSeconds, FsyncFiles, FsyncPartitions, LogBytes, LogSegments, SegmentsDropped, TruncatedBytes, DamagedRanges,
		ScrubbedBytes, RecoveredBytes, OpenFiles, DirOnline, DirFull, DirFreeBytes, DirTotalBytes,
	}},
	{"Compaction", []*Def{
		Compactions, CompactionSeconds, CompactionReadBytes, CompactionWrittenBytes, CompactionRecords, CompactionFailures,
		CompactionDirtyBytes, CompactionUnclean, CompactionLastRun,
	}},
	{"Coordinators", []*Def{
		CoordinatorShards, CoordinatorMailbox, CoordinatorFull, CoordinatorUnloads, CoordinatorLoadSeconds, Groups, CommittedOffsets, OffsetCommits,
	}},
	{"Metadata quorum", []*Def{
		QuorumTerm, QuorumLeader, QuorumApplied, QuorumCommitSeconds, QuorumProposals, JournalSyncSeconds, JournalBytes,
	}},
}

// All lists every metric in the order of docs/metrics.md.
func All() []*Def {
	var out []*Def
	for _, s := range sections {
		out = append(out, s.defs...)
	}
	return out
}
