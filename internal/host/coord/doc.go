// Package coord runs coordinators: one [Host] a kind (consumer groups, transactions), one shard a partition of its
// internal topic, one goroutine a shard. core/shard draws the line between host and machine; this package keeps the
// host's side of it.
//
// It is not the rules (core/group, core/txn) and not the log (host/partition). It knows no API by name: requests go in
// and responses come out.
//
// Callers: server/handler asks; node starts it after the partitions, has it follow the image, and stops it before them.
//
// # One turn of a shard
//
//	news of the image, then a due timer, then one item of the mailbox     each is a command
//	decide, append as one batch, apply, arm timers                        nothing waits for the disk
//	park the replies behind the offset they followed                      also those of reads
//	the high watermark moved: let go what it has passed
//
// So while one batch waits for its sync the next commands are decided and appended; the flusher's rounds make one sync
// of them all.
//
// # States of a shard
//
//	loading   the log is read into a new machine            asked: COORDINATOR_LOAD_IN_PROGRESS
//	serving
//	resting   it failed, and tries again after a while      asked: COORDINATOR_NOT_AVAILABLE
//	leaving   the node stops: answers leave, nothing comes  asked: NOT_COORDINATOR
//	ended     led elsewhere, or the node has stopped        asked: NOT_COORDINATOR
//
// Whatever ends serving - a failed append, a failed sync, another leader, a deleted topic, a machine that panics - throws
// the machine away and refuses everybody who waits: nobody hangs, and nothing is answered that the log may not have.
// What is true is what the next load finds.
//
// # Who owns what
//
//	Host.mu      which shards there are
//	runner.mu    a shard's state, mailbox and news
//	the rest of a runner belongs to its goroutine, or without goroutines (Options.InOrder) to who calls Step
//
// runner.mu is held for a few instructions only, never across a call into partitions, machines or channels.
//
// Read runner.go first, then decide.go, load.go, park.go; ask.go and host.go are the outside.
package coord
