// Package coord runs coordinators: one [Host] a kind (consumer groups, transactions), one shard a partition of its
// internal topic, one goroutine a shard. core/shard draws the line between host and machine; this package keeps the
// host's side of it.
//
// It is not the rules (core/group, core/txn) and not the log (host/partition). It knows no API by name: requests go in
// and responses come out.
//
// Callers: server/handler asks; node starts it after the partitions, has it follow the image, and stops it before them.
package coord
