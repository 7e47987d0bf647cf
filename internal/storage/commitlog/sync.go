package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"holdfast/internal/storage/vfs"
)

// Unsynced hands out what must be synced before the log is durable up to end: files are appended to the given slice;
// where names is true the folder, too (SyncDir). They stay open until Synced is called, so the caller syncs them
// without the partition's lock. A sync that fails is never followed by Synced, and nothing of this log counts as durable
// any more: the kernel has forgotten which bytes it lost. Unsynced may be called again before Synced; it then hands out
// the same files and what came since.
//
// It first writes what may not lag behind: transaction indexes and the epoch file. An error there means that nothing was
// handed out; it is one of writing, so a full disk heals.
func (l *Log) Unsynced(files []vfs.File) (end int64, out []vfs.File, names bool, err error) {
	if err := l.writeUrgent(); err != nil {
		return l.synced, files, false, err
	}
	if len(l.dirty) > 0 {
		if err := l.soilUnsure(); err != nil {
			return l.synced, files, false, err
		}
	}
	for _, h := range l.dirty {
		if slices.Contains(l.syncing, h) {
			continue
		}
		switch _, err := h.acquire(); {
		case errors.Is(err, fs.ErrNotExist): // deleted since
		case err != nil:
			return l.synced, files, false, err
		default:
			l.syncing = append(l.syncing, h)
		}
	}
	l.dirty = l.dirty[:0]
	for _, h := range l.syncing {
		files = append(files, h.f) // acquired: it does not change
	}
	l.namesTaken = l.namesTaken || l.newNames
	l.newNames = false
	l.syncGen = l.gen.Load()
	l.snapSyncing = -1
	if n := len(l.snapshots); n > 0 {
		l.snapSyncing = l.snapshots[n-1]
	}
	return l.End(), files, l.namesTaken, nil
}

// soilUnsure has snapshots synced that an earlier process may have left in the page cache.
func (l *Log) soilUnsure() error {
	for ; len(l.unsure) > 0; l.unsure = l.unsure[1:] {
		if err := l.soilSnapshot(l.unsure[0]); err != nil {
			return err
		}
	}
	return nil
}

// soilSnapshot has a snapshot synced that an earlier process wrote, unless it is gone.
func (l *Log) soilSnapshot(at int64) error {
	h := l.files.file(l.name(at, snapshotSuffix))
	h.once = true
	if err := h.rewriteAll(); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		h.shut()
		return err
	}
	l.soil(h)
	l.newNames = true
	return nil
}

// Synced says that all that Unsynced handed out, with this end, has been synced without an error.
func (l *Log) Synced(end int64) {
	for _, h := range l.syncing {
		if !slices.Contains(l.dirty, h) {
			h.setDirty(false)
			if h.once {
				h.shut()
			}
		}
		h.release()
	}
	l.syncing = l.syncing[:0]
	l.namesTaken = false
	if l.syncGen == l.gen.Load() { // else truncated since, and perhaps written on: end says nothing
		l.synced = max(l.synced, min(end, l.End()))
		l.durable = max(l.durable, l.snapSyncing)
	}
}

// SyncDir makes the names in the folder durable, and the folder's own. Safe for concurrent use.
func (l *Log) SyncDir() error {
	if err := l.fs.SyncDir(l.dir); err != nil {
		return err
	}
	if l.newDir.CompareAndSwap(true, false) {
		if err := l.fs.SyncDir(path.Dir(l.dir)); err != nil {
			l.newDir.Store(true)
			return err
		}
	}
	return nil
}

// Sync makes everything durable.
func (l *Log) Sync() error {
	end, files, names, err := l.Unsynced(nil)
	if err != nil {
		return fmt.Errorf("sync %s: %w", l.dir, err)
	}
	for _, f := range files {
		if err := f.Sync(); err != nil {
			return fmt.Errorf("sync %s: %w", l.dir, err)
		}
	}
	if names {
		if err := l.SyncDir(); err != nil {
			return fmt.Errorf("sync %s: %w", l.dir, err)
		}
	}
	l.Synced(end)
	return nil
}

// writeUrgent writes what must be durable before the bytes appended so far count as durable.
func (l *Log) writeUrgent() error {
	for len(l.rebuilt) > 0 {
		if s := l.rebuilt[0]; s != l.active && slices.Contains(l.segments(), s) {
			if err := l.writeIndexes(s, true); err != nil {
				return err
			}
		}
		l.rebuilt = l.rebuilt[1:]
	}
	segs := l.segments()
	for i := len(segs) - 1; i >= 0 && i >= len(segs)-2; i-- { // older ones were written when they ended
		wrote, err := segs[i].txns.flush()
		if err != nil {
			return fmt.Errorf("%s: %w", segs[i].txns.file.name, err)
		}
		if wrote {
			l.soil(segs[i].txns.file)
			l.newNames = true
		}
	}
	if len(segs) == 0 {
		return nil
	}
	return l.writeEpochs()
}

func (l *Log) writeEpochs() error {
	l.epochs.mu.RLock()
	dirty, line := l.epochs.dirty, l.epochs.line
	l.epochs.mu.RUnlock()
	if !dirty {
		return nil
	}
	name := path.Join(l.dir, epochsName)
	h, err := l.files.writeFile(name+tmpSuffix, appendEpochs(nil, line))
	if err != nil {
		return err
	}
	if err := h.rename(name); err != nil {
		h.shut()
		return err
	}
	l.soil(h)
	l.newNames = true
	l.epochs.mu.Lock()
	l.epochs.dirty = false
	l.epochs.mu.Unlock()
	return nil
}

// Checkpoint writes, without syncing, what makes the next start fast: index entries and a snapshot of the producers. The
// next sync covers them. Once a minute or every 64 MiB is plenty.
func (l *Log) Checkpoint() error {
	if len(l.segments()) == 0 || l.failed != nil {
		return l.failed
	}
	err := l.writeUrgent()
	if err == nil && l.active != nil {
		err = l.writeIndexes(l.active, false)
	}
	if err == nil {
		err = l.writeSnapshot(l.End())
	}
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", l.dir, err)
	}
	return nil
}

// writeSnapshot writes a snapshot of the producers at an offset, and removes older ones that no segment begins with, but the
// newest that is durable: until the new one is, too, a crash leaves only that.
func (l *Log) writeSnapshot(at int64) error {
	if n := len(l.snapshots); n > 0 && l.snapshots[n-1] >= at {
		return nil
	}
	h, err := l.files.writeFile(l.name(at, snapshotSuffix), appendSnapshot(nil, l.producers.Entries(), l.sumBefore(at)))
	if err != nil {
		return err
	}
	l.soil(h)
	l.newNames = true
	l.producers.ClearChanged()
	l.snapshots = append(l.snapshots, at)
	return l.dropSnapshots(func(offset int64) bool { return offset < l.durable && !l.isBase(offset) })
}

// sumBefore vouches for the transactions of the segment that ends with an offset, or holds the one before.
func (l *Log) sumBefore(at int64) txnSum {
	segs := l.segments()
	for i := len(segs) - 1; i >= 0; i-- {
		if segs[i].base < at {
			return segs[i].sumTxns(at)
		}
	}
	return txnSum{}
}

func (l *Log) isBase(offset int64) bool {
	_, found := slices.BinarySearchFunc(l.segments(), offset, func(s *segment, v int64) int { return int(min(max(s.base-v, -1), 1)) })
	return found
}

// dropSnapshots removes the snapshots that drop chooses; it is asked about the newest first.
func (l *Log) dropSnapshots(drop func(offset int64) bool) error {
	for i := len(l.snapshots) - 1; i >= 0; i-- {
		if !drop(l.snapshots[i]) {
			continue
		}
		if err := l.fs.Remove(l.name(l.snapshots[i], snapshotSuffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		l.snapshots = slices.Delete(l.snapshots, i, i+1)
		l.newNames = true
	}
	return nil
}

// Close ends the log cleanly: everything is written, synced and closed, so that the next Open with the same recovery
// point reads no batches. The caller keeps RecoveryPoint and Start. A log that has nothing to write costs no I/O.
func (l *Log) Close() error {
	defer l.Discard()
	if err := l.Finish(); err != nil {
		return err
	}
	if l.failed != nil || len(l.dirty) == 0 && len(l.syncing) == 0 && !l.newNames && !l.namesTaken {
		return nil
	}
	return l.Sync()
}

// Finish writes, without syncing, all that Close wants to find on disk. Who closes many logs finishes all of them, syncs
// them together, and then closes them without a sync of each. It is repeated by Close if the log was appended to since.
func (l *Log) Finish() error {
	if l.failed != nil || len(l.segments()) == 0 || l.finished == l.End() {
		return nil
	}
	if err := l.Checkpoint(); err != nil {
		return err
	}
	if s := l.active; s != nil {
		if err := l.trim(s); err != nil {
			return err
		}
		if err := l.writeIndexes(s, true); err != nil {
			return err
		}
	}
	l.finished = l.End()
	return nil
}

// trim cuts off space that was prepared ahead.
func (l *Log) trim(s *segment) error {
	if l.space.seg != s && !slices.Contains(l.dirty, s.log) { // not written to since it was opened or synced
		return nil
	}
	f, err := s.log.acquire()
	if err != nil {
		return err
	}
	defer s.log.release()
	return f.Truncate(s.size.Load())
}

// Discard closes all files and writes nothing: after a failed disk, or before the folder is removed. Reads and appends
// fail from now on.
func (l *Log) Discard() {
	if l.failed == nil {
		l.failed = fmt.Errorf("%s: %w", l.dir, ErrClosed)
	}
	for _, h := range l.syncing {
		h.release()
	}
	for _, h := range append(l.dirty, l.syncing...) {
		h.shut()
	}
	l.dirty, l.syncing = nil, nil
	for _, s := range l.segments() {
		for _, h := range s.all() {
			h.shut()
		}
	}
	for _, p := range l.pending {
		for _, h := range p.files {
			h.shut()
		}
	}
}

// Remove closes the log and removes its folder.
func (l *Log) Remove() error {
	l.Discard()
	if err := l.fs.RemoveAll(l.dir); err != nil {
		return fmt.Errorf("remove %s: %w", l.dir, err)
	}
	return nil
}
