// Package txn is the coordinator of transactions: which producer holds a transactional id, what it has begun, and how
// that ends. One [Shard] is one partition of __transaction_state. It speaks core/shard.
//
// It is not the log, not the partitions of a transaction (core/producer keeps what each of those knows) and not the one
// who writes markers there: it asks for that with a task, [WriteMarkers], and is told with [MarkersWritten]. Producer
// ids come the same way, [AllocateProducerIDs] and [ProducerIDs]. It has no clock, no goroutine, no I/O and no chance.
//
// # How a transaction goes
//
//  1. InitProducerId gives the transactional id to a producer, at a new epoch. What the one before left open is aborted.
//  2. Partitions are added before anything is written to them: by the client (AddPartitionsToTxn up to version 3), or,
//     by protocol 2, by the partition's leader when the first batch comes (version 4 on). The first one begins it.
//  3. EndTxn decides. The decision is one record, and is a fact once that is committed: then the producer is answered,
//     and the task to write markers is handed out. Time-out and fencing decide too, for abort.
//  4. Once every partition has its marker, the transaction is complete, and the next may begin.
//
// A request that comes while the transaction before it is being completed waits for that, at most Config.Patience; then
// it is refused with CONCURRENT_TRANSACTIONS, which clients try again on.
//
// # Protocols
//
// By protocol 2 (KIP-890, transaction.version 2) every end raises the producer's epoch: a request of an older
// transaction, wherever it was held up, is known by its epoch. By the one before a late EndTxn ends whatever is open.
// Which of them a request follows its version tells: EndTxn from 5 on, AddPartitionsToTxn from 4 on.
//
// Where it differs from Kafka on purpose: a repeated EndTxn is answered while markers are still being written; a
// producer that was replaced cannot abort the transaction of the one that replaced it by asking for InitProducerId; a
// producer that asks for InitProducerId within its own transaction gets its new epoch from the same request; and it may
// repeat that request at a coordinator that has moved.
//
// # Invariants
//
//	Decide changes nothing: the same state, time and command give the same Outcome
//	the records, replayed into a new shard, give a state of the same Snapshot
//	an epoch only rises, unless the producer id changes; an id once changed never comes back
//	a decision, once made, is followed by its own completion and by nothing else
//	a transaction is complete only when all its partitions have its marker, or do not exist any more
//	a producer that was replaced changes nothing
//	nothing is open for longer than its time-out
//
// Read transition.go first, then init.go, add.go and end.go; park.go has those who wait; record.go is the log.
package txn
