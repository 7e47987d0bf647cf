// Package group is the coordinator of consumer groups: who is a member, which generation or epoch holds, who owns
// what, and up to where each group has read. One [Shard] is one partition of __consumer_offsets.
//
// It is not the log (host/coord appends, and tells what was appended) and not the picture of the cluster
// (core/image, which comes with every command). It has no clock, no goroutine, no I/O and no chance: time, image,
// and the nonce for member ids arrive in the call. What a client did wrong is a reply with Kafka's code.
//
// # Contract with the host
//
// It is that of core/shard: records without key (who waits, who has joined so far) are applied and never written. A
// [Refuse] is the answer while there is no shard to ask. Commands beside the requests are *shard.Fired, *shard.Loaded,
// *shard.TopicsDeleted and *shard.MetadataChanged.
//
// Parked joins and syncs are bounded by the group's rebalance time-out, never by the request's. Loaded clears what the
// log still holds of topics that are gone, and so makes up for every TopicsDeleted that was missed.
//
// A request that names several groups is split by whoever asks, by [shard.PartitionFor], and its answers merged; what a shard
// is asked it answers, it does not know its own number. Who may do what (ACLs) is the handler's business, before.
//
// # Invariants
//
//	Decide changes nothing: the same state, time and command give the same Outcome
//	the records with keys, replayed into a new shard, give a state of the same Snapshot
//	equal Snapshots are equal states, as far as a restart keeps them
//	a group's generation, its epochs, and a member's epoch only rise, over restarts of the coordinator too
//	after a sync every member has exactly what the leader gave it for that generation, or an error
//	a partition of a KIP-848 group has at most one owner that is not fenced
//	no commit is accepted from a member that is fenced, unknown, or of another generation
//	an offset is never answered for a topic created after it was committed
//
// Read shard.go first; then join.go, rebalance.go, sync.go for classic groups, commit.go and fetch.go for offsets,
// consumer.go and consumer_heartbeat.go for KIP-848, migrate.go for groups of both protocols. record.go is the log.
package group
