package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"holdfast/internal/storage/vfs"
)

// Recovery says what Open found and did.
type Recovery struct {
	Segments      int
	ScannedBytes  int64    // read with checksums, above the recovery point
	ReplayedBytes int64    // read, headers only, for indexes, epochs and producers
	Cut           *Cut     // a torn tail that was cut off
	Damaged       []Damage // rot below the recovery point: quarantined, not cut
	Lost          *Damage  // offsets below the recovery point of which there is no byte at all
	Rebuilt       []string // files that were missing or wrong and are made anew
}

// Clean says that Open had nothing to repair.
func (r *Recovery) Clean() bool {
	return r.Cut == nil && len(r.Damaged) == 0 && r.Lost == nil && len(r.Rebuilt) == 0
}

// Cut is a torn tail: what a crash left of bytes that were never synced.
type Cut struct {
	Offset   int64 // the end of the log now
	Segment  int64
	Position int64
	Bytes    int64    // removed, whole segments included
	Files    []string // segments removed as a whole
}

// Open opens the log of a partition folder; a folder that does not exist is an empty log. What is wrong above the
// recovery point is a torn tail and is cut; what is wrong below it is rot, and is quarantined. It fails only where the
// file system does.
func Open(o Options) (*Log, Recovery, error) {
	l := &Log{fs: o.FS, dir: o.Dir, files: o.Files, topic: o.TopicID}
	if l.files == nil {
		l.files = NewFiles(o.FS, 16)
	}
	l.SetConfig(o.Config)
	l.nowMs = o.Now.UnixMilli()
	l.gaps.Store(o.Gaps)
	l.cleaned.Store(o.Cleaned)
	r := &opening{l: l, point: max(o.RecoveryPoint, 0), startKnown: o.StartKnown, startLost: o.StartLost, now: o.Now}
	if err := r.run(max(o.LogStart, 0)); err != nil {
		l.Discard()
		return nil, r.Recovery, fmt.Errorf("open %s: %w", o.Dir, err)
	}
	return l, r.Recovery, nil
}

// opening is one run of Open.
type opening struct {
	Recovery
	l     *Log
	point int64 // the recovery point

	startKnown bool // see Options
	startLost  bool
	now        time.Time
	bases      []int64
	have       map[string]bool
	sizes      []int64 // of the segments' files
	first      int     // index of the segment that the recovery point is in
	from       int64   // and the position of the point in it

	epochsWrong bool // the epoch file does not say what the batches say
}

func (r *opening) run(logStart int64) error {
	l := r.l
	l.end.Store(logStart)
	l.start.Store(logStart)
	if err := r.list(); err != nil {
		return err
	}
	if err := r.forget(logStart); err != nil {
		return err
	}
	if len(r.bases) == 0 {
		if r.point > logStart {
			r.Lost = &Damage{From: logStart, To: r.point, Segment: logStart, Reason: "the folder has no segments"}
		}
		l.synced, l.durable = logStart, -1
		if err := l.dropSnapshots(func(int64) bool { return true }); err != nil {
			return err
		}
		return r.dropOrphans()
	}
	segs, err := r.segments()
	if err != nil {
		return err
	}
	r.loadEpochs()
	logStart = r.foundStart(logStart)
	if err := r.walk(segs); err != nil {
		return err
	}
	if err := r.dropOrphans(); err != nil {
		return err
	}
	if err := r.settle(logStart); err != nil {
		return err
	}
	r.Segments = len(l.segments())
	r.Damaged = slices.Clone(l.Damaged())
	return nil
}

// list reads the folder and removes what an earlier process was about to.
func (r *opening) list() error {
	l := r.l
	names, err := l.fs.List(l.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if names, err = r.finishSwaps(names); err != nil {
		return err
	}
	r.have = make(map[string]bool, len(names))
	for _, name := range names {
		if strings.HasSuffix(name, deletedSuffix) || strings.HasSuffix(name, cleanedSuffix) || strings.HasSuffix(name, tmpSuffix) {
			if err := l.fs.Remove(path.Join(l.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			l.newNames = true
			continue
		}
		r.have[name] = true
		if base, ok := parseName(name, logSuffix); ok {
			r.bases = append(r.bases, base)
		}
		if at, ok := parseName(name, snapshotSuffix); ok {
			l.snapshots = append(l.snapshots, at)
		}
	}
	return nil // both are sorted: so are the names
}

// forget removes the segments below the log start, as retention was about to or had begun to: a crash may have undone any
// of its removals. They stay where what they say of producers is not in the snapshot that retention makes durable first.
func (r *opening) forget(logStart int64) error {
	l := r.l
	k := 0
	for k+1 < len(r.bases) && r.bases[k+1] <= logStart {
		k++
	}
	if k == 0 || !r.have[fileName(r.bases[k], snapshotSuffix)] {
		return nil
	}
	p, err := vfs.ReadFile(l.fs, l.name(r.bases[k], snapshotSuffix), maxSnapshotBytes)
	if err != nil {
		return err
	}
	if _, err := ParseSnapshot(p, 0); err != nil {
		return nil // settle removes it
	}
	if err := r.keep(l.name(r.bases[k], snapshotSuffix), p); err != nil {
		return err
	}
	for _, base := range r.bases[:k] {
		for _, suffix := range [...]string{logSuffix, indexSuffix, timeSuffix, txnSuffix} {
			name := fileName(base, suffix)
			if !r.have[name] {
				continue
			}
			if err := l.fs.Remove(path.Join(l.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			delete(r.have, name)
			l.newNames = true
		}
	}
	r.bases = r.bases[k:]
	return nil
}

// keep makes a file durable that was read, and its name. The process before this one may have left it in the page cache only,
// and not even there to be synced: see rewrite.
func (r *opening) keep(name string, contents []byte) error {
	f, err := r.l.fs.Open(name)
	if err != nil {
		return err
	}
	err = writeAt(f, contents, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	return r.l.fs.SyncDir(r.l.dir)
}

// segments makes the segments with their sizes. Those whose successor begins at or below the recovery point are taken
// as they are.
func (r *opening) segments() ([]*segment, error) {
	l := r.l
	segs := make([]*segment, len(r.bases))
	for i, base := range r.bases {
		s := l.newSegment(base)
		info, err := l.fs.Stat(s.log.name)
		if err != nil {
			return nil, err
		}
		s.createdMs = r.now.UnixMilli()
		size := min(info.Size, maxSegmentBytes)
		next := base
		if i+1 < len(r.bases) {
			next = r.bases[i+1]
		}
		s.grow(size, next)
		r.sizes = append(r.sizes, info.Size)
		segs[i] = s
	}
	return segs, nil
}

// foundStart is the log start as the epoch file has it, whose first epoch begins there, where it was lost elsewhere.
func (r *opening) foundStart(logStart int64) int64 {
	if line := r.l.epochs.line; r.startLost && len(line) > 0 && line[0].Start <= r.point {
		return max(logStart, line[0].Start)
	}
	return logStart
}

// loadEpochs reads the epoch file; what it lacks is found in the batches.
func (r *opening) loadEpochs() {
	p, err := vfs.ReadFile(r.l.fs, path.Join(r.l.dir, epochsName), maxEpochBytes)
	if err == nil {
		r.l.epochs.line, err = ParseEpochs(p)
	}
	if err != nil {
		r.l.epochs.line, r.epochsWrong = nil, r.point > 0
	}
}

// maxEpochBytes bounds what an epoch file may be; two million epochs fit.
const maxEpochBytes = 64 << 20
