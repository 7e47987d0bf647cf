// Package controller decides what the cluster becomes: which topics exist, where their partitions live and who leads
// them, which settings hold, which brokers and producer ids there are.
//
// It is not the log of those decisions (host/quorum replicates and stores it) and not the picture they add up to
// (core/image). It has no clock, no goroutine, no I/O and no randomness: time and nonces arrive with the command.
//
// [Machine.Decide] answers a command from the picture as it is and says which records must be written; it changes
// nothing. What a client did wrong is a reply with Kafka's error code, not an error. [Machine.Apply] makes one batch
// of records true and cannot fail. One [Outcome] is one atomic batch, so one entry of the metadata log.
//
// Invariants:
//
//	every record that Decide asks for takes effect when applied
//	no topic id, broker epoch or producer id is given out twice, over restarts and changes of leader
//	a broker's new incarnation raises the leader epoch of every partition it leads, in the batch that registers it
//
// Callers: host/quorum, from its one goroutine; simulations. Read machine.go first, then topics.go.
package controller
