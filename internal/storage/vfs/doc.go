// Package vfs is the only door to the disk: a small file system interface and three implementations.
//
//   - OS is the real thing. Sync is fdatasync on Linux, and File.Sync elsewhere (F_FULLFSYNC on darwin).
//   - Mem keeps files in memory and knows which bytes and which directory entries a power cut would take:
//     CrashClone returns the disk as it might look afterwards.
//   - Faulty wraps any FS and fails the operation it is told to fail, as hostile as real kernels do it.
//
// It is passive: no goroutine, no timer, no cache of file contents. It does not retry, log or decide what an
// error means; IsFull and IsHandles only classify.
//
// What a caller may rely on, on every implementation, and nothing more:
//
//   - Bytes and length of a file survive a power cut once File.Sync has returned nil (or FS.SyncFS has).
//   - A name (created, removed or renamed) survives once SyncDir of its parent directory has returned nil.
//     Syncing a file does not sync its name. A new directory needs SyncDir of its own parent, too.
//   - Rename is atomic: after a crash the file has one of its two names.
//   - Unsynced writes, truncations and names survive in any combination, in any order, torn at 512 bytes.
//   - After a failed Sync nothing is known about the bytes written since the last good one: a second Sync that
//     returns nil proves nothing.
//
// Callers: storage/journal, storage/commitlog, host/partition (the flusher), host/quorum, node. An FS and its Files
// are safe for concurrent use, as far as the caller does not race on the same bytes.
//
// To prove that a package keeps its promises, cut the power at every operation of a workload:
//
//	disk := vfs.NewMem()
//	disk.EachCrash(5, func(c vfs.Crash) { ... open c.Disk, compare with what was promised so far ... })
//	run(disk)
//	disk.CrashNow(5, ...)
//
// An image costs well under a millisecond; contents are shared until written to. To fail operation n, for every n, wrap the disk: vfs.NewFaulty(disk, vfs.FailAt(n, syscall.EIO)).
//
// Read vfs.go first; mem.go, mem_crash.go and mem_pages.go hold the crash model; faulty.go the faults.
package vfs
