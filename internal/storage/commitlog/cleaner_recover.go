package commitlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
)

// finishSwaps ends what a crash interrupted in the replacing of segments, and returns the names that the folder has then.
// As in Kafka, a file that was still being written undoes the swap it belongs to: not all of its files had their names.
// Else the new segment is whole, and takes the place of the old ones that lie in its range, where they are still there.
func (r *opening) finishSwaps(names []string) ([]string, error) {
	l := r.l
	written := int64(math.MaxInt64) // the least base of what was being written
	var undone, swaps []string
	for _, name := range names {
		if base, _, ok := parseStep(name, cleanedSuffix); ok {
			written = min(written, base)
		}
	}
	for _, name := range names {
		base, _, ok := parseStep(name, swapSuffix)
		switch {
		case ok && base >= written:
			undone = append(undone, name)
		case ok:
			swaps = append(swaps, name)
		}
	}
	if len(undone) > 0 {
		if err := r.removeNames(undone); err != nil {
			return nil, err
		}
		if err := l.fs.SyncDir(l.dir); err != nil { // before list removes the files that say so
			return nil, err
		}
	}
	for _, name := range swaps {
		base, suffix, _ := parseStep(name, swapSuffix)
		if suffix != logSuffix {
			continue
		}
		if err := r.completeSwap(base, names); err != nil {
			return nil, fmt.Errorf("complete the compaction of segment %d: %w", base, err)
		}
	}
	if len(undone)+len(swaps) == 0 {
		return names, nil
	}
	if err := r.renameSwaps(swaps); err != nil {
		return nil, err
	}
	return l.fs.List(l.dir)
}

// parseStep reads the name of a segment's file that has a second suffix.
func parseStep(name, second string) (base int64, suffix string, ok bool) {
	first, found := strings.CutSuffix(name, second)
	if !found {
		return 0, "", false
	}
	for _, suffix := range [...]string{logSuffix, indexSuffix, timeSuffix, txnSuffix} {
		if base, ok := parseName(first, suffix); ok {
			return base, suffix, true
		}
	}
	return 0, "", false
}

// completeSwap removes the segments whose place a new one takes. A new one that is damaged is removed instead, if the old
// one is there.
func (r *opening) completeSwap(base int64, names []string) error {
	next, err := r.swapEnd(base)
	if errors.Is(err, errBatch) && slices.Contains(names, fileName(base, logSuffix)) {
		return r.removeNames(filesOf(base, swapSuffix))
	}
	if err != nil && !errors.Is(err, errBatch) {
		return err
	}
	var old []string
	for _, name := range names {
		if at, ok := parseName(name, logSuffix); ok && (at == base || at > base && at < next) {
			old = append(old, filesOf(at, "")...)
		}
	}
	if len(old) > 0 {
		if err := r.removeNames(old); err != nil {
			return err
		}
	}
	r.l.AllowGaps(next)
	return r.l.fs.SyncDir(r.l.dir)
}

// swapEnd is the offset after the last batch of a new segment; errBatch says that it is damaged.
func (r *opening) swapEnd(base int64) (next int64, err error) {
	s := r.l.newSegment(base)
	s.log.name += swapSuffix
	defer s.log.shut()
	f, err := s.log.acquire()
	if err != nil {
		return 0, err
	}
	size, err := f.Size()
	s.log.release()
	if err != nil {
		return 0, err
	}
	next = base
	sc := r.l.scan(s, 0, size)
	defer sc.close()
	for {
		b, _, err := sc.next()
		if err == nil && b.BaseOffset() < next {
			err = errBatch
		}
		if err == io.EOF {
			r.ScannedBytes += sc.bytes
			return next, nil
		}
		if err != nil {
			return next, err
		}
		next = b.NextOffset()
	}
}

// renameSwaps gives the files of new segments their names, a segment's log last: as long as that is not done, the next
// start does it all again.
func (r *opening) renameSwaps(swaps []string) error {
	l := r.l
	rename := func(log bool) error {
		for _, name := range swaps {
			if strings.HasSuffix(name, logSuffix+swapSuffix) != log {
				continue
			}
			err := l.fs.Rename(path.Join(l.dir, name), path.Join(l.dir, strings.TrimSuffix(name, swapSuffix)))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return l.fs.SyncDir(l.dir)
	}
	if err := rename(false); err != nil {
		return err
	}
	return rename(true)
}

// filesOf are the names that the files of a segment may have.
func filesOf(base int64, second string) []string {
	return []string{
		fileName(base, logSuffix) + second, fileName(base, indexSuffix) + second,
		fileName(base, timeSuffix) + second, fileName(base, txnSuffix) + second,
	}
}

func (r *opening) removeNames(names []string) error {
	for _, name := range names {
		if err := r.l.fs.Remove(path.Join(r.l.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
