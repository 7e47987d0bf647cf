// Package partition is the data plane: the live partitions of this node, their append and read paths, the requests that
// wait on them, the flusher that makes them durable, the janitor that retires old segments and the scrubber that looks for rot.
//
// It is not the log (storage/commitlog knows bytes on disk) and not the rules (core/replica says what is committed,
// core/producer what is a repeat). It does not decide which partitions exist: it follows the committed cluster image.
//
// Callers: server/handler for clients' requests, node to start, follow the image and stop.
//
// Who owns what:
//
//	Manager.following  which partitions there are; held while they are opened
//	Manager.mu      the table of topics
//	Partition.mu    one partition's log mutations, leader, waiting requests; held across one segment write at most
//	flusher.mu      the list of partitions with unsynced bytes
//
// Lock order: Manager.following, Manager.saving, Manager.mu, Partition.mu, flusher.mu. No lock is held across a sync, a channel or a timer. Reads take no
// lock: they use the published high watermark and the log's own copy-on-write segment list.
//
// A request is appended on its connection's goroutine. With commit.sync the flusher's goroutine then syncs everything
// that is dirty in one round, moves the high watermarks and releases whoever waited: that is the group commit.
package partition
