package journal

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"holdfast/internal/storage/vfs"
)

var (
	// ErrFailed says that an earlier I/O error ended the use of this Journal: what of its unsynced entries is on disk, only
	// a new Open can tell.
	ErrFailed = errors.New("the journal failed")
	// ErrTooLarge says that one Append has more than MaxAppend bytes or MaxEntries entries. Nothing was written.
	ErrTooLarge = errors.New("too large for one append to the journal")
	// ErrVersion says that a newer version of this program wrote the files.
	ErrVersion = errors.New("written by a newer version of holdfast: start that version, or a newer one")
	// ErrForeign says that the files belong to another journal id.
	ErrForeign = errors.New("the journal belongs to another node or directory")
	// ErrRot says that synced bytes are damaged or missing; the error is a *RotError.
	ErrRot = errors.New("the journal is damaged")
)

// RotError tells where synced bytes do not check.
type RotError struct {
	File   string
	Offset int64 // bytes
	Detail string
}

func (e *RotError) Error() string {
	return fmt.Sprintf("%s is damaged at byte %d: %s. Nothing was changed. Restore this folder from a copy, or give the node an empty one and let it join anew",
		e.File, e.Offset, e.Detail)
}

func (e *RotError) Unwrap() error { return ErrRot }

// DefaultFileBytes is the size of a journal's files.
const DefaultFileBytes = 4 << 20

const maxSpares = 2

// Journal is an open journal. One goroutine owns it.
type Journal struct {
	fs           vfs.FS
	dir          string
	id           ID
	segmentBytes int64

	segments []segment // oldest first; the last one is written to
	spares   []spare   // zeroed or cut files, ready to become the next segment
	file     vfs.File  // of the last segment
	pos      int64     // where the next block goes

	next   uint64 // sequence of the next block
	data   uint64 // sequence of the last block with entries
	synced uint64 // highest sequence known durable

	buf    []byte
	wiped  int
	failed error
}

type spare struct {
	name string
	size int64
}

// Append writes the entries as one block and returns its sequence. Not durable before Sync. After a crash all entries of
// the call are there, or none.
func (j *Journal) Append(entries ...Entry) (seq uint64, err error) {
	if j.failed != nil {
		return 0, j.failed
	}
	if len(entries) == 0 {
		return j.next - 1, nil
	}
	if err := checkSize(entries); err != nil {
		return 0, err
	}
	// Room for one page more is kept, so that Sync can always claim the last block of a segment.
	need := int64(blockSize(entries)) + pageSize
	if j.pos+need > j.segments[len(j.segments)-1].size {
		if err := j.roll(need); err != nil {
			return 0, err
		}
	}
	seq = j.next
	if err := j.write(entries); err != nil {
		return 0, err
	}
	j.data = seq
	return seq, nil
}

func checkSize(entries []Entry) error {
	if len(entries) > MaxEntries {
		return fmt.Errorf("%w: %d entries, at most %d are allowed", ErrTooLarge, len(entries), MaxEntries)
	}
	n := 0
	for _, e := range entries {
		if n += entryHead + len(e.Data); n > MaxAppend {
			return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, MaxAppend)
		}
	}
	return nil
}

// write puts the next block into the active segment, which has room.
func (j *Journal) write(entries []Entry) error {
	j.buf = encodeBlock(j.buf, j.id, j.next, j.synced, entries)
	if _, err := j.file.WriteAt(j.buf, j.pos); err != nil {
		return j.fail("write", err)
	}
	j.pos += int64(len(j.buf))
	j.next++
	if cap(j.buf) > 1<<20 {
		j.buf = nil // one huge entry must not hold its memory for ever
	}
	return nil
}

// Sync makes all entries appended so far durable. Then it writes, without waiting, an empty block that claims so: else a
// flipped bit in the newest entries, at rest, would pass for a torn end.
func (j *Journal) Sync() error {
	if j.failed != nil {
		return j.failed
	}
	if j.synced >= j.data {
		return nil
	}
	if err := j.syncFile(); err != nil {
		return err
	}
	return j.write(nil)
}

func (j *Journal) syncFile() error {
	if err := j.file.Sync(); err != nil {
		return j.fail("sync", err)
	}
	j.synced = j.next - 1
	return nil
}

// fail ends the use of the journal.
func (j *Journal) fail(doing string, err error) error {
	j.failed = fmt.Errorf("%w: %s in %s: %w", ErrFailed, doing, j.dir, err)
	return j.failed
}

// Last returns the sequence of the newest block, 0 for none. An Append returns a higher one.
func (j *Journal) Last() uint64 { return j.next - 1 }

// Synced returns the highest sequence known durable.
func (j *Journal) Synced() uint64 { return j.synced }

// Wiped returns how many unsynced blocks behind the torn end were given up by Open.
func (j *Journal) Wiped() int { return j.wiped }

// Failed returns the error that ended the use of the journal, or nil.
func (j *Journal) Failed() error { return j.failed }

// Size returns the bytes that the journal's files take, spares included.
func (j *Journal) Size() (n int64) {
	for _, s := range j.segments {
		n += s.size
	}
	for _, s := range j.spares {
		n += s.size
	}
	return n
}

// roll makes a segment with room for need bytes of blocks the active one.
func (j *Journal) roll(need int64) error {
	at, f, err := j.openSpare(pageSize + need)
	if err != nil {
		return err
	}
	if err := j.activate(at, f); err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}

// openSpare opens a spare of at least size bytes, and makes one if there is none.
func (j *Journal) openSpare(size int64) (at int, f vfs.File, err error) {
	if at = j.findSpare(size); at < 0 {
		if err := j.addSpare(max(size, j.segmentBytes)); err != nil {
			return 0, nil, err
		}
		at = len(j.spares) - 1
	}
	if f, err = j.fs.Open(j.spares[at].name); err != nil {
		return 0, nil, j.notReady(err)
	}
	return at, f, nil
}

func (j *Journal) findSpare(size int64) int {
	for i, s := range j.spares {
		if s.size >= size {
			return i
		}
	}
	return -1
}

// activate turns spare number at, open as f, into the last segment. Everything before it is synced first, so a segment
// with a successor has no torn end.
func (j *Journal) activate(at int, f vfs.File) error {
	if j.file != nil {
		if err := j.syncFile(); err != nil {
			return err
		}
	}
	seg := segment{first: j.next, size: j.spares[at].size}
	if _, err := f.WriteAt(header{j.id, seg.first, seg.size}.encode(), 0); err != nil {
		return j.fail("write header", err)
	}
	if err := f.Sync(); err != nil {
		return j.fail("sync header", err)
	}
	if err := j.fs.Rename(j.spares[at].name, seg.name(j.dir)); err != nil {
		return j.fail("rename", err)
	}
	if err := j.fs.SyncDir(j.dir); err != nil {
		return j.fail("sync folder", err)
	}
	if j.file != nil {
		if err := j.file.Close(); err != nil {
			return j.fail("close", err)
		}
	}
	j.spares = slices.Delete(j.spares, at, at+1)
	j.segments = append(j.segments, seg)
	j.file, j.pos = f, pageSize
	return nil
}

// Prepare makes a spare file if there is none, so that no Append has to wait until one is zeroed. Call it when idle.
func (j *Journal) Prepare() error {
	if j.failed != nil || len(j.spares) > 0 {
		return j.failed
	}
	return j.addSpare(j.segmentBytes)
}

// addSpare zeroes a new file. Zeroed and synced once, its blocks are overwritten from then on, and a sync has no metadata
// of the file system to write.
func (j *Journal) addSpare(size int64) error {
	temp := path.Join(j.dir, "spare"+tempSuffix)
	s := spare{path.Join(j.dir, segmentName(j.next, spareSuffix)), size}
	if err := j.zeroFile(temp, size); err != nil {
		return j.notReady(err)
	}
	if err := j.fs.Rename(temp, s.name); err != nil {
		return j.notReady(err)
	}
	j.spares = append(j.spares, s)
	return nil
}

func (j *Journal) zeroFile(name string, size int64) error {
	f, err := j.fs.Create(name)
	if err != nil {
		return err
	}
	err = f.Preallocate(0, size)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		// The space is given back, and if that fails, too, the next Open does it.
		return errors.Join(err, j.fs.Remove(name))
	}
	return nil
}

// notReady judges an error from before anything of the journal was touched: a full disk or a lack of handles may pass.
func (j *Journal) notReady(err error) error {
	if vfs.IsFull(err) || vfs.IsHandles(err) {
		return fmt.Errorf("make a new journal file in %s: %w", j.dir, err)
	}
	return j.fail("make a new file", err)
}

// Cut says that entries up to and including upTo are no longer needed. Files that hold nothing newer become spares or go.
// The snapshot that replaces the entries must be durable before.
func (j *Journal) Cut(upTo uint64) error {
	if j.failed != nil {
		return j.failed
	}
	for len(j.segments) > 1 && j.segments[1].first-1 <= upTo {
		if err := j.retire(j.segments[0]); err != nil {
			return j.fail("cut", err)
		}
		j.segments = j.segments[1:]
	}
	return nil
}

// retire takes the oldest file out of the journal. One at a time is made durable, so that no crash leaves a gap.
func (j *Journal) retire(s segment) error {
	name := s.name(j.dir)
	if len(j.spares) >= maxSpares || s.size != j.segmentBytes {
		if err := j.fs.Remove(name); err != nil {
			return err
		}
		return j.fs.SyncDir(j.dir)
	}
	sp := spare{path.Join(j.dir, segmentName(s.first, spareSuffix)), s.size}
	if err := j.fs.Rename(name, sp.name); err != nil {
		return err
	}
	if err := j.fs.SyncDir(j.dir); err != nil {
		return err
	}
	j.spares = append(j.spares, sp)
	return nil
}

// Close syncs what was appended, the claim of the last block included, and closes the file. After a failure it only
// closes.
func (j *Journal) Close() error {
	err := j.Sync()
	if err == nil && j.synced < j.next-1 {
		err = j.syncFile()
	}
	err = errors.Join(err, j.file.Close())
	if j.failed == nil {
		j.failed = fmt.Errorf("%w: it is closed", ErrFailed)
	}
	return err
}
