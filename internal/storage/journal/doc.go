// Package journal is a small synced log of opaque, typed entries: where raft keeps its entries and its hard state. Beside it
// lies one snapshot file, replaced atomically.
//
// It does not know raft. The caller gives entries a Type, reads all of them back in order at start, and says with Cut
// which it needs no more. It is passive: no goroutine, no lock, no timer. One goroutine owns a Journal.
//
// Use:
//
//	j, entries, err := journal.Open(fsys, dir, id) // what was appended and not cut, in order, durable from now on
//	seq, err := j.Append(journal.Entry{Type: hardState, Data: b}, ...)  // all of one call survive, or none
//	err = j.Sync()                                 // now they survive a power cut
//	err = journal.SaveSnapshot(fsys, dir, id, b)   // durable when it returns
//	err = j.Cut(seq)                               // entries up to seq may go; whole files do
//	err = j.Close()
//
// What Cut leaves is the caller's to skip: entries at or below the cut may come back from Open, always as an unbroken
// run of Append calls that reaches to the newest. So before a Cut, append again whatever must outlive it (the hard state).
//
// The rules that make it safe, proven in crash_test.go, rot_test.go and fault_test.go:
//
//   - A block that does not check is the torn end of the journal only if no later block claims that it was synced. Otherwise
//     it is rot: Open returns a *RotError and changes nothing.
//   - Open makes durable what it returns, before it returns: blocks that nobody claims synced are written once more, because
//     after a failed sync the page cache may hold bytes that the disk never got.
//   - Open wipes what lies behind a torn end, so that a block given up once cannot come back behind a newer one.
//   - After any I/O error a Journal refuses all further use, with ErrFailed: the node stops. The one exception is a full disk
//     (or no free handle) while a new file is made ready: nothing has been touched then, and Append may be called again.
//
// The format is drawn in docs/format/journal.md. Read journal.go first, then open.go; block.go and segment.go are the
// bytes, snapshot.go the snapshot file.
package journal
