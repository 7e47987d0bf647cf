// Package group is the coordinator of consumer groups: who is a member, which generation or epoch holds, who owns
// what, and up to where each group has read. One [Shard] is one partition of __consumer_offsets.
//
// It is not the log (host/coord appends, and tells what was appended) and not the picture of the cluster
// (core/image, which comes with every command). It has no clock, no goroutine, no I/O and no chance: time, image,
// and the nonce for member ids arrive in the call. What a client did wrong is a reply with Kafka's code.
//
// # Contract with the host
//
// A command is decided, and then, before the next command is decided:
//
//  1. Outcome.Records are encoded ([Record.Encode]); those with a key are appended, in order, as one atomic batch. A
//     record without key is volatile: it concerns who waits and who has joined so far, and is never written.
//     If nothing has a key, nothing is appended.
//  2. every record, volatile ones too, is given to [Shard.Apply], in order.
//  3. Outcome.Timers are armed (a timer of the same key is replaced, unless Keep says to leave it), or disarmed where
//     At is zero.
//  4. Outcome.Replies wait until everything applied so far is committed, then leave. A reply marked Early waits for
//     nothing.
//  5. Outcome.Events are told. They may be told at once.
//
// If the append fails, or leadership is lost, the shard is thrown away: nothing of the Outcome was applied, every
// caller that waits, parked or not, is answered by [Refuse] with NOT_COORDINATOR.
//
// A due timer comes back as a command with Request [*Fired]. It must still be armed at the moment it is decided: a
// timer replaced or disarmed by an earlier command must not fire (one goroutine with one heap gives that for free).
// Nothing in the machine depends on firing being punctual.
//
// One command may answer many callers (a join that completes a rebalance), one, or none yet (a join that waits).
// Every caller is answered exactly once in the life of a shard, unless the host answers first: a caller that is gone
// needs no word to the machine, its reply comes one day and is dropped. Parked joins and syncs are bounded by the
// group's rebalance time-out, never by the request's.
//
// Loading: [New], then [Decode] and Apply for each record of the log from its start (a record Decode refuses with
// ErrUnknownRecord is skipped, as Kafka does; other errors end the load), then one command with Request [*Loaded],
// whose Outcome arms the timers and clears what the log still holds of topics that are gone. Its image must be at
// least as new as the one that made this node the partition's leader. Until that Outcome is applied the answer to
// clients is Refuse(..., CoordinatorLoadInProgress), never "none".
//
// A topic that is deleted: a command with Request [*TopicsDeleted] to every shard. Missed ones are made up for by
// Loaded. An image with more partitions, or with topics that a regular expression matches: [*MetadataChanged].
//
// A request that names several groups is split by the host by [PartitionFor] and its answers merged; what a shard is
// asked it answers, it does not know its own number. Who may do what (ACLs) is the handler's business, before.
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
