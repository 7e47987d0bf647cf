package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"holdfast/internal/proto/record"
)

// A segment is replaced as Kafka replaces it, so that either finds its way in a folder that the other was interrupted in:
//
//	name.log.cleaned   while it is written; removed at a start
//	name.log.swap      whole and synced; a start completes what follows
//	….log.deleted      the old segments, until readers have let go of them
//	name.log           in their place
//
// Before each step the names of the one before are synced: a crash undoes any of several renames and not the others.

// syncPortion is how many bytes a run writes between two syncs. What it leaves to be written at once, the syncs of those who
// produce wait behind.
const syncPortion = 512 << 10

// cleanedSegment is a segment that is being written by a run.
type cleanedSegment struct {
	r   *cleaning
	s   *segment
	buf []byte
	pos int64 // of buf[0] in the file

	synced int64 // up to here, in portions

	held bool // the file is acquired
}

// create begins the segment that takes the place of old and what goes with it.
func (r *cleaning) create(old *segment) (*cleanedSegment, error) {
	s := r.l.newSegment(old.base)
	for _, h := range s.all() {
		h.name += cleanedSuffix
		if err := r.l.fs.Remove(h.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if _, err := s.log.create(); err != nil { // acquired until finish or drop
		return nil, err
	}
	s.createdMs = old.createdMs
	s.endKnown.Store(true)
	s.offsets.reset()
	s.times.reset()
	s.clock.known = true
	s.txns.set(nil)
	return &cleanedSegment{r: r, s: s, buf: r.write[:0], held: true}, nil
}

// add appends a batch.
func (o *cleanedSegment) add(b record.Batch) error {
	s, at := o.s, o.pos+int64(len(o.buf))
	if at+int64(len(b)) > maxSegmentBytes {
		return fmt.Errorf("segment %d would get larger than a segment can be", s.base)
	}
	s.stamp(b.MaxTimestamp(), b.LastOffset())
	s.index(b.LastOffset(), at, int64(len(b)), o.r.l.conf().IndexInterval)
	o.buf = append(o.buf, b...)
	if len(o.buf) < o.r.o.BufferBytes {
		return nil
	}
	return o.flush()
}

func (o *cleanedSegment) flush() error {
	if err := o.r.o.Spend(len(o.buf)); err != nil {
		return err
	}
	f, err := o.s.log.acquire()
	if err != nil {
		return err
	}
	defer o.s.log.release()
	if err := writeAt(f, o.buf, o.pos); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotDurable, o.s.log.name, err)
	}
	o.pos += int64(len(o.buf))
	if o.pos-o.synced >= syncPortion {
		if err := f.Sync(); err != nil {
			return unwritten(err)
		}
		o.synced = o.pos
	}
	o.r.write, o.buf = o.buf, o.buf[:0]
	if o.s.offsets.pending() < blockEntries {
		return nil
	}
	_, err = o.s.offsets.flush()
	if err == nil {
		_, err = o.s.times.flush()
	}
	return unwritten(err)
}

// unwritten marks an error of a write, a sync or a renaming.
func unwritten(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrNotDurable, err)
}

// finish makes the segment durable; next is the offset where its successor begins.
func (o *cleanedSegment) finish(next int64) error {
	if err := o.flush(); err != nil {
		return err
	}
	s := o.s
	s.grow(o.pos, next)
	if t := s.stamps(); t.max >= 0 {
		s.times.add(entry{t.max, t.maxOffset - s.base})
	}
	for _, flush := range [...]func() (bool, error){s.offsets.flush, s.times.flush, s.txns.flush} {
		if _, err := flush(); err != nil {
			return unwritten(err)
		}
	}
	for _, h := range s.all() {
		if err := h.sync(); err != nil {
			return unwritten(err)
		}
	}
	s.log.release()
	o.held = false
	return unwritten(o.r.l.SyncDir())
}

// sync makes a file durable that may not exist.
func (h *file) sync() error {
	f, err := h.acquire()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer h.release()
	return f.Sync()
}

// drop removes a segment that was not put in place.
func (o *cleanedSegment) drop() (failed error) {
	if o.held {
		o.s.log.release()
		o.held = false
	}
	for _, h := range o.s.all() {
		h.shut()
		if err := o.r.l.fs.Remove(h.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// replace puts the new segment in the place of old ones.
func (r *cleaning) replace(old []*segment, out *cleanedSegment) error {
	l := r.l
	if err := l.renameAll(out.s, swapSuffix); err != nil {
		return errors.Join(unwritten(err), out.drop())
	}
	if err := l.SyncDir(); err != nil {
		return errors.Join(unwritten(err), out.drop())
	}
	if published, err := r.publish(old, out.s); !published {
		return errors.Join(err, out.drop())
	} else if err != nil {
		return unwritten(err)
	}
	if err := l.SyncDir(); err != nil {
		return unwritten(err)
	}
	if err := r.settle(out.s); err != nil {
		return err
	}
	return unwritten(l.SyncDir())
}

// publish lets readers see the new segment, and takes the names of the old ones away. They find their files all the same,
// until DeletePending.
func (r *cleaning) publish(old []*segment, s *segment) (published bool, err error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	l := r.l
	segs := l.segments()
	at := slices.Index(segs, old[0])
	switch {
	case l.failed != nil:
		return false, l.failed
	case l.gen.Load() != r.gen || at < 0 || at+len(old) >= len(segs) || !slices.Equal(segs[at:at+len(old)], old):
		return false, errMoved
	case len(l.Damaged()) > 0:
		return false, &DamagedError{Dir: l.dir, Damage: l.Damaged()[0]}
	}
	l.publish(slices.Concat(segs[:at], []*segment{s}, segs[at+len(old):]))
	return true, l.retire(old, time.UnixMilli(r.now))
}

// settle gives the new segment its name, unless it was retired or truncated meanwhile.
func (r *cleaning) settle(s *segment) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.l.failed != nil {
		return r.l.failed
	}
	if !slices.Contains(r.l.segments(), s) {
		return errMoved
	}
	return unwritten(r.l.renameAll(s, ""))
}

// renameAll gives the files of a segment their names with another suffix. Those that do not exist need none.
func (l *Log) renameAll(s *segment, suffix string) error {
	names := [...]string{logSuffix, indexSuffix, timeSuffix, txnSuffix}
	for i, h := range s.all() {
		if err := h.rename(l.name(s.base, names[i]) + suffix); errors.Is(err, fs.ErrNotExist) {
			h.called(l.name(s.base, names[i]) + suffix)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// called gives a file that does not exist another name.
func (h *file) called(name string) {
	h.opening.Lock()
	defer h.opening.Unlock()
	h.files.mu.Lock()
	h.name = name
	h.files.mu.Unlock()
}

// retire gives the files of segments that are not published any more names to be removed under, when readers have let go.
func (l *Log) retire(segs []*segment, now time.Time) (failed error) {
	p := pendingDelete{due: now.Add(l.conf().DeleteDelay)}
	for _, s := range segs {
		for _, h := range s.all() {
			l.clean(h)
			switch err := h.rename(h.name + deletedSuffix); {
			case err == nil:
				p.files = append(p.files, h)
				l.newNames = true
			case !errors.Is(err, fs.ErrNotExist):
				failed = errors.Join(failed, err)
				p.files = append(p.files, h)
			}
		}
	}
	l.pending = append(l.pending, p)
	return failed
}
