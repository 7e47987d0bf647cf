// Package replica decides what a partition's leader may acknowledge and show.
//
// It is not the log (storage/commitlog holds bytes) and not the cluster (core/controller elects). It has no clock, no
// goroutine, no I/O: the caller says what happened to the log, and does what the answer asks.
//
// Callers: host/partition, under the partition's lock.
//
// Invariants, held after every step:
//
//	logStart <= highWatermark <= logEnd
//	confirmed <= logEnd
//	highWatermark never falls while the leader's epoch lasts
//
// A replica's confirmed end is what it could still give back after the fault its topic is promised to survive: the
// synced end where commits are synced (commit.sync=true), the log end where they are not. With one replica the high
// watermark is the leader's own confirmed end; followers join the minimum when replication lands.
package replica
