// Package markers carries out what the coordinators of transactions ask for: it writes the end of a transaction to each of
// its partitions, and gets producer ids.
//
// It is not the decision (core/txn) and not the coordinator's log (host/coord). What it is asked it does until it is
// done: a decided transaction holds back the last stable offset of its partitions until each has its marker. A partition
// that does not exist any more needs none. Partitions of __consumer_offsets get theirs through the shard that coordinates
// their groups, which has to hear of it.
//
// A marker may be written twice, before the coordinator learns that all are written; a partition takes the second as it
// took the first. One that comes later than that is refused by its epoch: that of the producer (protocol 2), or of the
// coordinator, which is another one then.
//
// Callers: host/coord hands tasks over, node starts and stops it. Each task has a goroutine; a coordinator has at most one
// a transactional id.
package markers
