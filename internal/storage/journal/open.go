package journal

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"holdfast/internal/storage/vfs"
)

// Open opens the journal in dir, or makes it there if dir is empty or does not exist. It returns the entries that were not
// cut, in order, and all that it returns is durable. Damage to synced bytes is a *RotError and changes nothing.
func Open(fsys vfs.FS, dir string, id ID) (*Journal, []Entry, error) {
	return OpenSized(fsys, dir, id, DefaultFileBytes)
}

// OpenSized is Open with files of so many bytes, where an entry does not need more.
func OpenSized(fsys vfs.FS, dir string, id ID, fileBytes int64) (*Journal, []Entry, error) {
	return open(fsys, dir, id, fileBytes)
}

func open(fsys vfs.FS, dir string, id ID, segmentBytes int64) (*Journal, []Entry, error) {
	j := &Journal{fs: fsys, dir: dir, id: id, segmentBytes: segmentBytes, next: 1}
	entries, err := j.open()
	if err != nil {
		if j.file != nil {
			err = errors.Join(err, j.file.Close())
		}
		return nil, nil, fmt.Errorf("open journal: %w", err)
	}
	return j, entries, nil
}

func (j *Journal) open() ([]Entry, error) {
	if err := j.fs.MkdirAll(j.dir); err != nil {
		return nil, err
	}
	found, err := j.list()
	if err != nil {
		return nil, err
	}
	if len(found.segments) == 0 {
		return nil, j.create(found)
	}
	entries, last, err := j.read(found.segments)
	if err != nil {
		return nil, err
	}
	if err := j.settle(last); err != nil {
		return nil, err
	}
	return entries, j.tidy(found)
}

// folder is what lies in the folder of a journal.
type folder struct {
	segments []uint64 // first sequences, ascending
	spares   []string
	temps    []string
	snapshot bool
}

func (j *Journal) list() (folder, error) {
	names, err := j.fs.List(j.dir)
	if err != nil {
		return folder{}, err
	}
	var f folder
	for _, name := range names {
		if first, ok := parseName(name, segmentSuffix); ok {
			f.segments = append(f.segments, first)
		} else if _, ok := parseName(name, spareSuffix); ok {
			f.spares = append(f.spares, path.Join(j.dir, name))
		} else if strings.HasSuffix(name, tempSuffix) {
			f.temps = append(f.temps, path.Join(j.dir, name))
		} else if name == snapshotName {
			f.snapshot = true
		}
	}
	slices.Sort(f.segments)
	return f, nil
}

// create makes the first segment. Its name is the first thing that becomes durable in the folder, and one segment always
// stays: a snapshot without any means that files were taken away. (A spare may be all that a crash here left.)
func (j *Journal) create(found folder) error {
	if found.snapshot {
		return &RotError{File: j.dir, Detail: "there is a snapshot, but no journal file"}
	}
	if err := j.tidy(found); err != nil {
		return err
	}
	if err := j.roll(0); err != nil {
		return err
	}
	return j.syncNames()
}

func (j *Journal) syncNames() error {
	if err := j.fs.SyncDir(j.dir); err != nil {
		return err
	}
	return j.fs.SyncDir(path.Dir(path.Clean(j.dir)))
}

// tidy removes unfinished files and takes up the spares.
func (j *Journal) tidy(found folder) error {
	for _, name := range found.temps {
		if err := j.fs.Remove(name); err != nil {
			return err
		}
	}
	for _, name := range found.spares {
		info, err := j.fs.Stat(name)
		if err != nil {
			return err
		}
		if len(j.spares) < maxSpares && info.Size == j.segmentBytes {
			j.spares = append(j.spares, spare{name, info.Size})
		} else if err := j.fs.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// tail is the last segment as it was read.
type tail struct {
	*scan
	bytes []byte
}

// read reads all segments and refuses anything but an unbroken run of blocks with a torn end.
func (j *Journal) read(firsts []uint64) (entries []Entry, last tail, err error) {
	for i, first := range firsts {
		name := segment{first: first}.name(j.dir)
		b, err := readFile(j.fs, name, maxSegment)
		if err != nil {
			return nil, tail{}, err
		}
		s, err := scanSegment(b)
		if errors.Is(err, ErrVersion) {
			return nil, tail{}, fmt.Errorf("%s: %w", name, err)
		}
		if err != nil {
			return nil, tail{}, &RotError{File: name, Detail: err.Error()}
		}
		if err := j.check(name, s, len(b), first, firsts[i+1:]); err != nil {
			return nil, tail{}, err
		}
		entries = slices.Grow(entries, s.count())
		for k := range s.blocks {
			entries = s.blocks[k].appendEntries(entries)
		}
		j.segments = append(j.segments, segment{first: first, size: int64(len(b))})
		last = tail{s, b}
	}
	return entries, last, nil
}

// check judges the segment called name, given its size and the first sequences of those that follow.
func (j *Journal) check(name string, s *scan, size int, first uint64, later []uint64) error {
	rot := func(offset int, detail string, args ...any) error {
		return &RotError{File: name, Offset: int64(offset), Detail: fmt.Sprintf(detail, args...)}
	}
	switch {
	case s.head.id != j.id:
		return fmt.Errorf("%s: %w: it has id %x, this one has %x", name, ErrForeign, s.head.id, j.id)
	case s.head.first != first:
		return rot(0, "by its header it is %s", segmentName(s.head.first, segmentSuffix))
	case s.head.size != int64(size):
		return rot(size, "it has %d bytes, by its header %d", size, s.head.size)
	case len(later) > 0 && s.next() < later[0]:
		return rot(s.end, "block %d does not check, but the file of block %d says it was synced", s.next(), later[0])
	case len(later) > 0 && s.next() > later[0]:
		return rot(s.end, "it has block %d, which belongs into the next file", later[0])
	case len(later) > 0:
		return nil
	}
	for _, st := range s.stray {
		if st.synced >= s.next() {
			return rot(s.end, "block %d does not check, but block %d says it was synced", s.next(), st.seq)
		}
	}
	return nil
}

// settle opens the last segment for writing and makes durable what was read from it: blocks that nobody claims synced are
// written again (their pages may be clean and yet not on disk), blocks behind the end are wiped.
func (j *Journal) settle(last tail) error {
	seg := j.segments[len(j.segments)-1]
	f, err := j.fs.Open(seg.name(j.dir))
	if err != nil {
		return err
	}
	j.file, j.pos, j.next = f, int64(last.end), last.next()

	if from := last.unclaimed(); from < last.end {
		if _, err := f.WriteAt(last.bytes[from:last.end], int64(from)); err != nil {
			return err
		}
	}
	zeros := make([]byte, pageSize)
	for _, st := range last.stray {
		if _, err := f.WriteAt(zeros, int64(st.at)); err != nil {
			return err
		}
	}
	j.wiped = len(last.stray)
	if err := f.Sync(); err != nil {
		return err
	}
	// The names, too: they may come from a rename that was never made durable.
	if err := j.syncNames(); err != nil {
		return err
	}
	j.synced, j.data = j.next-1, j.next-1
	return nil
}

// unclaimed is the offset of the first block that no other claims synced. All before the segment is: else it were not there.
func (s *scan) unclaimed() int {
	synced := s.head.first - 1
	for i := range s.blocks {
		synced = max(synced, s.blocks[i].synced)
	}
	at := pageSize
	for i := range s.blocks {
		if s.blocks[i].seq > synced {
			break
		}
		at += s.blocks[i].size
	}
	return at
}
