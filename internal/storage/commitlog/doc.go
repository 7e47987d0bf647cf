// Package commitlog is one partition on disk: segments, indexes, leader epochs, snapshots of producers, recovery and
// retention, all in the files that Apache Kafka 4.3 keeps. docs/format/commitlog.md draws them.
//
// It is passive: no goroutine, no timer, no clock. The host decides when to append, sync, retain and close, and keeps
// two numbers for every log between runs: the recovery point and the log start. It is not the place for replication,
// compression, or validation of what clients sent.
//
// # Who calls what
//
// Everything that changes the log is called under the partition's lock: Append, AssignEpoch, TruncateTo, ResetTo,
// SetStart, Retain, Expire, DropExpired, DeletePending, Roll, SetConfig, Unsynced, Synced, Sync, Checkpoint, Close, Discard,
// Remove, and what touches the producers (Producers, LastStable, RecoveryPoint). Reading needs no lock and never waits for an append:
// Locate, Span.ReadAt, OffsetForTime, MaxTimestamp, Aborted, EpochEnd, EpochAt, Epochs, LastEpoch, Damaged, Start, End,
// Size, Segments; so does SyncDir. A Cleaner reads and writes without the lock, and takes it for moments. The only locks inside are
// held for a few instructions, around index entries and the
// list of open files, and around the rare rebuild of an index that turned out wrong.
//
// # Invariants
//
//   - Start <= End at every moment. Readers see whole batches only: bytes are in the file before size, next and end say so.
//   - An append is one write. If it fails, the file is cut back and the log is as before.
//   - RecoveryPoint never passes a byte that was not synced, nor a file that its batches depend on (transaction index,
//     epochs, names): Unsynced hands out all of it, Synced moves the point.
//   - Above the recovery point a bad batch is a torn tail and is cut. Below it, it is rot: quarantined, not served, not cut,
//     and its offsets are never given to other records.
//   - Indexes and snapshots are hints. An index entry is used only if the batch at its position is the one it names; else
//     the index is made anew from the batches. So a torn or wrong index costs time, never a wrong read.
//   - A reader that overlapped a truncation throws away what it read (gen).
//   - The state of producers outlives their records: retention keeps the newest snapshot, compaction the last batch of each.
//   - Offsets may be missing below GapsTo, where compaction was, and nowhere else.
//
// # Where to begin
//
// log.go has the type, append.go the write path, read.go the read path, sync.go what is made durable and when,
// recover.go the start after a crash, rot.go quarantine, truncate.go, retain.go, files.go the shared open files. cleaner.go
// is compaction: cleaner_keys.go and cleaner_txns.go what it remembers, cleaner_judge.go what may go, cleaner_swap.go how
// segments are replaced, cleaner_recover.go what a start makes of a swap that was interrupted.
package commitlog
