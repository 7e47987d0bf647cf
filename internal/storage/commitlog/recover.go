package commitlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"slices"

	"holdfast/internal/proto/record"
	"holdfast/internal/storage/vfs"
)

// walk reads what the recovery point does not vouch for, and decides where the log ends.
func (r *opening) walk(segs []*segment) error {
	l := r.l
	r.first = len(segs) - 1
	// A segment that ends at the point is looked at, too: what was cut off behind its end is cut off for good only with the
	// first sync of its successor.
	for r.first > 0 && segs[r.first].base >= r.point {
		r.first--
	}
	l.publish(segs)
	want := segs[r.first].base
	for i := r.first; i < len(segs); i++ {
		s := segs[i]
		// A jump of more than an index can hold ends a segment early; any other gap means that unsynced bytes are gone, unless
		// compaction took them.
		if s.base < want || !l.mayMiss(want, s.base) && s.base-segs[i-1].base <= math.MaxInt32 {
			return r.cut(segs, i, 0, want)
		}
		next, whole, err := r.walkSegment(s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.log.name, err)
		}
		if want = next; !whole {
			return r.cut(segs, i, s.size.Load(), next)
		}
	}
	return r.finish(segs, want)
}

// walkSegment goes through a segment: to the recovery point by headers, from there on with checksums. It leaves the
// segment's size and end; whole is false where a torn tail begins at that size.
func (r *opening) walkSegment(s *segment) (next int64, whole bool, err error) {
	l := r.l
	fileSize := s.size.Load()
	s.endKnown.Store(true)
	pos, next, err := r.toPoint(s, fileSize)
	if err != nil {
		return 0, false, err
	}
	if s == l.segments()[r.first] {
		r.from = pos
	}
	if pos >= fileSize && next < r.point { // the end is missing, or quarantined
		if !r.atEnd(s, pos) && !l.mayMiss(next, r.point) {
			l.quarantine(Damage{From: next, To: r.point, Segment: s.base, Position: pos, Until: pos, Reason: "the file ends too early"})
		}
		s.grow(pos, r.point)
		return r.point, true, nil
	}
	sc := l.scan(s, pos, fileSize)
	defer sc.close()
	interval := l.conf().IndexInterval
	for {
		b, at, err := sc.next()
		if err == nil && (!l.follows(b, next) || !r.adoptEpoch(b)) {
			err = errBatch
		}
		switch {
		case err == io.EOF:
			r.ScannedBytes += sc.bytes
			s.grow(fileSize, next)
			return next, true, nil
		case errors.Is(err, errBatch):
			r.ScannedBytes += sc.bytes
			s.grow(at, next)
			return next, false, nil
		case err != nil:
			return 0, false, err
		}
		s.stamp(b.MaxTimestamp(), b.LastOffset())
		s.index(b.LastOffset(), at, sc.pos-at, interval)
		next = b.NextOffset()
	}
}

// adoptEpoch brings the line of epochs to a batch above the recovery point: entries that it contradicts were never
// synced with it. It refuses a batch of an older epoch than the one before: that is what a truncation left behind.
func (r *opening) adoptEpoch(b record.Batch) bool {
	c := &r.l.epochs
	epoch, base := b.LeaderEpoch(), b.BaseOffset()
	if c.at(base) == epoch {
		return true
	}
	c.cutEnd(base)
	if epoch < c.latest() {
		return false
	}
	if epoch > c.latest() {
		c.assign(epoch, base)
	}
	return true
}

// toPoint walks by headers to the recovery point, from the last batches that the indexes name, and returns the position
// and the offset there. What is wrong on the way is quarantined. It leaves both indexes complete up to there.
func (r *opening) toPoint(s *segment, fileSize int64) (pos, next int64, err error) {
	l := r.l
	if s.base >= r.point {
		s.offsets.reset()
		s.times.reset()
		s.clock = stamps{known: true, max: -1, first: unread}
		return 0, s.base, nil
	}
	if err := r.loadIndexes(s, fileSize); err != nil {
		return 0, 0, err
	}
	w, err := s.walk(view{size: fileSize, gen: l.gen.Load()})
	if err != nil {
		return 0, 0, err
	}
	defer w.close()
	if pos, next, err = r.resume(s, &w); err != nil {
		return 0, 0, err
	}
	interval := l.conf().IndexInterval
	for pos < fileSize && next < r.point {
		b, size, err := w.header(pos)
		if errors.Is(err, errHeader) || err == nil && (!l.follows(b, next) || r.straddles(s, b, pos, next, fileSize)) {
			if pos, next, err = r.rot(s, pos, next, fileSize); err != nil {
				return 0, 0, err
			}
			continue
		}
		if err != nil {
			return 0, 0, err
		}
		s.stamp(b.MaxTimestamp(), b.LastOffset())
		s.index(b.LastOffset(), pos, size, interval)
		if !l.epochFits(b) {
			r.epochsWrong = true
		}
		pos, next = pos+size, b.NextOffset()
	}
	r.ReplayedBytes += w.read
	return pos, next, nil
}

// straddles tells whether a batch goes over the recovery point because its last offset was changed.
func (r *opening) straddles(s *segment, b record.Batch, pos, next, fileSize int64) bool {
	if b.NextOffset() <= r.point {
		return false
	}
	_, good := r.l.goodAt(s, pos, next, fileSize, math.MaxInt64)
	return !good
}

// loadIndexes reads both sparse indexes of the segment that the recovery point is in and forgets what is above it.
func (r *opening) loadIndexes(s *segment, fileSize int64) error {
	pool := &r.l.files.small
	for _, x := range [...]struct {
		index *sparse
		limit entry
		c     column
	}{{&s.offsets, entry{math.MaxInt32, fileSize - 1}, colA}, {&s.times, entry{math.MaxInt64, math.MaxInt32}, colB}} {
		err := x.index.load(x.limit, pool)
		if errors.Is(err, errIndex) {
			if fileSize > 0 {
				r.Rebuilt = append(r.Rebuilt, path.Base(x.index.file.name))
			}
			err = nil
		}
		if err == nil {
			err = x.index.keepBelow(x.c, r.point-s.base, pool)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// resume is the batch from which both indexes can be completed: the one that the last time entry names. Where the
// entries do not describe the batches, both indexes are made anew from the start.
func (r *opening) resume(s *segment, w *walker) (pos, next int64, err error) {
	clock := stamps{known: true, max: -1, first: unread}
	if b, _, err := w.header(0); err == nil {
		clock.first = b.MaxTimestamp()
	}
	t, okTime := s.times.lastEntry()
	o, okOffset := s.offsets.lastEntry()
	if okTime && okOffset && s.confirm(w, o) == nil {
		e, ok, err := s.offsets.floor(colA, t.b, &r.l.files.small)
		if err == nil && ok && s.confirm(w, e) == nil {
			if b, _, err := w.header(e.b); err == nil && (e.a < t.b || b.MaxTimestamp() == t.a) {
				clock.max, clock.maxOffset = t.a, s.base+t.b
				s.clock, s.sinceIndex = clock, 0
				return e.b, b.BaseOffset(), nil
			}
		}
	}
	s.offsets.reset()
	s.times.reset()
	s.clock = clock
	return 0, s.base, nil
}

// rot quarantines what should be a batch below the recovery point, and says where to go on: at the next good batch, or at
// the end of the file as if it were the recovery point.
func (r *opening) rot(s *segment, pos, next, fileSize int64) (int64, int64, error) {
	pos, next = r.l.blame(s, pos, next, fileSize)
	d, err := r.l.extent(s, pos, next, fileSize, math.MaxInt64)
	if err != nil {
		return 0, 0, err
	}
	if d.To == math.MaxInt64 {
		d.To, d.Until = r.point, fileSize
	}
	r.l.quarantine(d)
	return d.Until, d.To, nil
}

// atEnd tells whether the end of a segment's file is quarantined: nothing may be appended to it.
func (r *opening) atEnd(s *segment, size int64) bool {
	for _, d := range r.l.Damaged() {
		if d.Segment == s.base && d.Until >= size {
			return true
		}
	}
	return false
}

// cut ends the log within or before segment i; what comes after is a torn tail.
func (r *opening) cut(segs []*segment, i int, pos, end int64) error {
	l := r.l
	keep := i
	if pos > 0 || segs[i].base == end {
		keep = i + 1
		zeros, err := r.zeros(segs[i], pos)
		if err != nil {
			return err
		}
		if !zeros || keep < len(segs) {
			r.Cut = &Cut{Offset: end, Segment: segs[i].base, Position: pos, Bytes: r.sizes[i] - pos}
		}
		f, err := segs[i].log.acquire()
		if err == nil {
			err = f.Truncate(pos)
			segs[i].log.release()
		}
		if err != nil {
			return err
		}
		segs[i].grow(pos, end)
		l.soil(segs[i].log)
	} else {
		r.Cut = &Cut{Offset: end, Segment: segs[i].base}
	}
	for j, s := range segs[keep:] {
		r.Cut.Bytes += r.sizes[keep+j]
		r.Cut.Files = append(r.Cut.Files, path.Base(s.log.name))
		all := s.all()
		if err := l.removeFiles(all[:]); err != nil {
			return err
		}
		for _, h := range all {
			delete(r.have, path.Base(h.name))
		}
	}
	return r.finish(segs[:keep:keep], end)
}

// zeros tells whether a file has only zeros from pos on: space that was prepared ahead, no torn write.
func (r *opening) zeros(s *segment, pos int64) (bool, error) {
	f, err := s.log.acquire()
	if err != nil {
		return false, err
	}
	defer s.log.release()
	buf := r.l.files.big.Get().(*[]byte)
	defer r.l.files.big.Put(buf)
	for {
		n, err := f.ReadAt(*buf, pos)
		for _, b := range (*buf)[:n] {
			if b != 0 {
				return false, nil
			}
		}
		if err == io.EOF || n == 0 {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		pos += int64(n)
	}
}

// finish publishes what was found. Bytes above the recovery point may be in the page cache only, so they are written once
// more and are to be synced.
func (r *opening) finish(segs []*segment, end int64) error {
	l := r.l
	l.publish(segs)
	l.end.Store(end)
	l.synced = min(r.point, end)
	if n := len(segs); n > 0 && !r.atEnd(segs[n-1], segs[n-1].size.Load()) {
		l.active = segs[n-1]
	}
	if end <= r.point && r.point > 0 {
		return nil
	}
	for i, s := range segs[min(r.first, len(segs)):] {
		from := int64(0)
		if i == 0 {
			from = r.from
		}
		for _, h := range s.all() {
			if err := h.hearOut(); err != nil {
				return err
			}
		}
		l.soil(s.log)
		if err := s.log.rewrite(from, s.size.Load()); err != nil {
			return err
		}
		if s != l.active {
			l.rebuilt = append(l.rebuilt, s)
		}
	}
	l.newNames = true
	l.newDir.Store(true)
	l.epochs.dirty = true
	return r.claim()
}

// claim writes once more, too, whose folder it is: without that file a later start cannot tell these records from those
// of a deleted topic of the same name.
func (r *opening) claim() error {
	l := r.l
	if l.topic == ([16]byte{}) {
		return nil
	}
	name := path.Join(l.dir, metadataName)
	p, err := vfs.ReadFile(l.fs, name, maxMetadataBytes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	id, err := ParsePartitionMetadata(p)
	switch {
	case err != nil:
		return l.writeMetadata()
	case id != l.topic:
		return fmt.Errorf("it belongs to the topic with id %x, not to %x", id, l.topic)
	}
	h := l.files.file(name)
	h.once = true
	l.soil(h)
	return h.rewriteAll()
}

// dropOrphans removes indexes whose segment is gone.
func (r *opening) dropOrphans() error {
	l := r.l
	for name := range r.have { // order-free
		for _, suffix := range [...]string{indexSuffix, timeSuffix, txnSuffix} {
			base, ok := parseName(name, suffix)
			if !ok || r.have[fileName(base, logSuffix)] {
				continue
			}
			if err := l.fs.Remove(path.Join(l.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			l.newNames = true
		}
	}
	return nil
}

// firstOffset is where the log starts. Where segments go only after the start has been written down, the first one begins
// beyond it, and what is below was synced, a file is gone. That is damage: it is not served, and not passed over.
func (r *opening) firstOffset(logStart, base int64) int64 {
	to := min(base, r.point)
	if to <= logStart || !r.startKnown {
		return max(logStart, base)
	}
	r.l.quarantine(Damage{From: logStart, To: to, Segment: logStart, Reason: "a segment file is gone"})
	return logStart
}

// settle brings start, epochs, transactions and producers to where the log ends.
func (r *opening) settle(logStart int64) error {
	l := r.l
	segs := l.segments()
	if len(segs) == 0 {
		return l.reset(max(logStart, l.End()))
	}
	l.start.Store(min(r.firstOffset(logStart, segs[0].base), l.End()))
	l.keepDamage(func(d Damage) bool { return d.To > logStart }) // of records that were deleted nobody misses a part
	if err := r.judgeEpochs(); err != nil {
		return err
	}
	l.epochs.cutEnd(l.End() + 1)
	l.epochs.cutStart(l.Start())
	if err := r.settleProducers(segs); err != nil {
		return err
	}
	l.ExpireProducers(r.now)
	if logStart <= l.End() {
		return nil
	}
	state := l.producers // the records are gone, what is known of their producers stays
	if err := l.reset(logStart); err != nil {
		return err
	}
	l.producers = state
	return nil
}

// settleProducers learns what the log knows of its producers, from snapshots and the batches after them.
func (r *opening) settleProducers(segs []*segment) error {
	l := r.l
	// Snapshots are believed up to the recovery point. What is below the first segment is known from snapshots only, so
	// one at its base counts, too, and where even that is missing the oldest there is.
	trusted := max(min(r.point, l.End()), segs[0].base)
	oldest := trusted
	if len(l.snapshots) > 0 && segs[0].base > 0 && l.snapshots[0] <= l.End() {
		oldest = max(trusted, l.snapshots[0])
	}
	if err := l.dropSnapshots(func(at int64) bool { return at > oldest }); err != nil {
		return err
	}
	if err := r.settleTxns(segs); err != nil {
		return err
	}
	broken := len(l.snapshots)
	read, err := l.replay(trusted, r.point, r.now.UnixMilli())
	if err != nil {
		return err
	}
	if oldest > trusted {
		n, err := l.replay(oldest, math.MaxInt64, r.now.UnixMilli())
		if err != nil {
			return err
		}
		read += n
	}
	if n := broken - len(l.snapshots); n > 0 {
		r.Rebuilt = append(r.Rebuilt, fmt.Sprintf("%d producer snapshots", n))
	}
	r.ReplayedBytes += read
	return r.settleSnapshots()
}

// settleTxns keeps of the transaction indexes what lies below the recovery point; the rest is learned from the batches.
func (r *opening) settleTxns(segs []*segment) error {
	l := r.l
	for _, s := range segs[min(r.first, len(segs)):] {
		if s.base >= r.point {
			s.txns.set(nil)
			continue
		}
		if err := l.loadTxns(s); err != nil {
			return err
		}
		s.txns.keepBelow(r.point)
	}
	return nil
}

// settleSnapshots notes which producer snapshots are on stable storage.
func (r *opening) settleSnapshots() error {
	l := r.l
	if l.durable = -1; l.End() > r.point { // written by a process that may not have synced them
		for _, at := range l.snapshots {
			if err := l.soilSnapshot(at); err != nil {
				return err
			}
		}
	} else {
		for _, at := range l.snapshots {
			if at < r.point {
				l.durable = at
			} else { // made after the last sync, perhaps
				l.unsure = append(l.unsure, at)
			}
		}
	}
	return nil
}

// judgeEpochs has the line of epochs made anew where it does not say what the batches say.
func (r *opening) judgeEpochs() error {
	c := &r.l.epochs
	if !r.epochsWrong {
		return nil
	}
	before := c.list()
	if err := r.l.judgeEpochs(); err != nil {
		return err
	}
	if after := c.list(); !slices.Equal(before, after) {
		r.Rebuilt = append(r.Rebuilt, epochsName)
	}
	return nil
}
