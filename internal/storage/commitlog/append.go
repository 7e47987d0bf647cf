package commitlog

import (
	"errors"
	"fmt"
	"math"
	"time"

	"holdfast/internal/core/producer"
	"holdfast/internal/proto/record"
)

// piece is the front of an append that goes into one segment.
type piece struct {
	bytes []byte
	next  int64 // offset after its last batch
	maxMs int64 // largest timestamp
}

// Append writes whole batches whose offsets and leader epochs are set: the first at End or above, each after the one
// before. They go to the file in one write. On an error nothing was appended: the file is cut back, so a full disk heals
// by itself; where even that fails, all later appends fail until the log is opened anew. The bytes are not synced.
func (l *Log) Append(batches []byte, now time.Time) error {
	if l.failed != nil {
		return l.failed
	}
	if err := l.checkAppend(batches); err != nil {
		return err
	}
	l.nowMs = now.UnixMilli()
	before := l.End()
	for rest := batches; len(rest) > 0; {
		p, err := l.fit(rest, now)
		if err == nil {
			err = l.write(p, now.UnixMilli())
		}
		if err != nil {
			if l.End() > before { // an earlier piece is in: take it out again
				if undo := l.TruncateTo(before); undo != nil {
					l.failed = fmt.Errorf("%s: an append that failed could not be undone; restart to recover: %w", l.dir, errors.Join(err, undo))
					return l.failed
				}
			}
			return fmt.Errorf("append to %s: %w", l.dir, err)
		}
		rest = rest[len(p.bytes):]
	}
	return nil
}

// checkAppend refuses what would make the log unreadable.
func (l *Log) checkAppend(batches []byte) error {
	want, epoch := l.End(), l.epochs.latest()
	for rest := batches; len(rest) > 0; {
		b, after, err := record.Next(rest)
		if err != nil {
			return fmt.Errorf("append to %s: %w", l.dir, err)
		}
		if _, ok := headerSize(b); !ok || !l.follows(b, want) {
			return fmt.Errorf("append to %s: batch at offset %d with last offset delta %d does not follow offset %d", l.dir, b.BaseOffset(), b.LastOffsetDelta(), want-1)
		}
		if b.LeaderEpoch() < epoch {
			return fmt.Errorf("append to %s: batch at offset %d is of leader epoch %d, after epoch %d", l.dir, b.BaseOffset(), b.LeaderEpoch(), epoch)
		}
		want, epoch, rest = b.NextOffset(), b.LeaderEpoch(), after
	}
	return nil
}

// fit makes room in the active segment, rolling it where Kafka would, and returns what goes into it: everything,
// unless positions or relative offsets would overflow.
func (l *Log) fit(rest []byte, now time.Time) (piece, error) {
	whole := measure(rest, math.MaxInt64, math.MaxInt64)
	if s := l.active; s != nil && l.shouldRoll(s, whole, now.UnixMilli()) {
		if err := l.seal(s); err != nil {
			return piece{}, err
		}
	}
	if l.active == nil {
		base := l.End()
		if first := record.Batch(rest); first.LastOffset()-base > math.MaxInt32 {
			base = first.BaseOffset()
		}
		if err := l.begin(base, now.UnixMilli()); err != nil {
			return piece{}, err
		}
	}
	s := l.active
	p := measure(rest, maxSegmentBytes-s.size.Load(), s.base+math.MaxInt32)
	if len(p.bytes) == 0 {
		return piece{}, fmt.Errorf("batch of %d bytes does not fit in a segment", len(rest))
	}
	return p, nil
}

// measure takes batches while they are within so many bytes and offsets.
func measure(rest []byte, room, lastOffset int64) piece {
	p := piece{maxMs: record.NoTimestamp}
	n := 0
	for n < len(rest) {
		b, _, err := record.Next(rest[n:])
		if err != nil || int64(n+len(b)) > room || b.LastOffset() > lastOffset {
			break
		}
		n += len(b)
		p.next, p.maxMs = b.NextOffset(), max(p.maxMs, b.MaxTimestamp())
	}
	p.bytes = rest[:n]
	return p
}

func (l *Log) shouldRoll(s *segment, p piece, nowMs int64) bool {
	size := s.size.Load()
	if size == 0 {
		return p.next-1-s.base > math.MaxInt32
	}
	c := l.conf()
	return size+int64(len(p.bytes)) > c.SegmentBytes ||
		l.waited(s, p.maxMs, nowMs) > c.SegmentAge.Milliseconds()-s.jitterMs ||
		s.offsets.len() >= c.IndexBytes/s.offsets.width() ||
		s.times.len() >= c.IndexBytes/s.times.width()-1 ||
		p.next-1-s.base > math.MaxInt32
}

// waited is the age by which a segment is rolled: by the timestamps of the records where they have any, else by the
// clock.
func (l *Log) waited(s *segment, maxMs, nowMs int64) int64 {
	if first := s.stamps().first; first >= 0 {
		return maxMs - first
	}
	return nowMs - s.createdMs
}

// write appends a piece to the active segment and publishes it.
func (l *Log) write(p piece, nowMs int64) error {
	s := l.active
	f, err := s.log.acquire()
	if err != nil {
		return err
	}
	defer s.log.release()
	pos, interval := s.size.Load(), l.conf().IndexInterval
	l.soil(s.log)
	if err := writeAt(f, p.bytes, pos); err != nil {
		if undo := f.Truncate(pos); undo != nil {
			l.failed = fmt.Errorf("%s: a write that failed could not be undone; restart to recover: %w", l.dir, errors.Join(err, undo))
			return l.failed
		}
		return err
	}
	for rest := p.bytes; len(rest) > 0; {
		b := record.Batch(rest)
		size, _ := headerSize(b)
		b = b[:size]
		l.learn(s, b, nowMs, 0)
		s.stamp(b.MaxTimestamp(), b.LastOffset())
		s.index(b.LastOffset(), pos, size, interval)
		pos, rest = pos+size, rest[size:]
	}
	s.grow(pos, p.next)
	l.end.Store(p.next)
	if s.offsets.pending() >= blockEntries { // keeps memory bounded; an error comes again with the next sync, which writes, too
		if wrote, err := s.offsets.flush(); wrote && err == nil {
			l.soil(s.offsets.file)
		}
		if wrote, err := s.times.flush(); wrote && err == nil {
			l.soil(s.times.file)
		}
	}
	return nil
}

// learn takes into epochs, producers and the transaction index what a batch says. Aborted transactions are added to the
// transaction index from markers at txnFrom on. b may be a header alone unless it is a control batch.
func (l *Log) learn(s *segment, b record.Batch, nowMs, txnFrom int64) {
	if e := b.LeaderEpoch(); e >= 0 && e > l.epochs.latest() {
		l.epochs.assign(e, b.BaseOffset())
	}
	if done, ok := learnProducer(&l.producers, b, nowMs); ok && done.Abort && done.LastOffset >= txnFrom {
		s.txns.add(AbortedTxn{done.ProducerID, done.FirstOffset, done.LastOffset, done.LastStable})
	}
}

// learnProducer takes a batch into the state of the producers; ok says that it ended a transaction.
func learnProducer(state *producer.State, b record.Batch, nowMs int64) (done producer.Completed, ok bool) {
	id := b.ProducerID()
	if id < 0 {
		return done, false
	}
	if !b.Control() {
		state.Update(producer.Batch{
			ProducerID: id, Epoch: b.ProducerEpoch(), FirstSeq: b.BaseSequence(), LastSeq: b.LastSequence(),
			FirstOffset: b.BaseOffset(), LastOffset: b.LastOffset(), TimestampMs: b.MaxTimestamp(), Transactional: b.Transactional(),
		}, nowMs)
		return done, false
	}
	m, ok := b.Marker()
	if !ok {
		return done, false
	}
	return state.UpdateMarker(producer.Marker{
		ProducerID: id, Epoch: b.ProducerEpoch(), CoordinatorEpoch: m.CoordinatorEpoch,
		Offset: b.BaseOffset(), TimestampMs: m.TimestampMs, Abort: !m.Commit,
	}, nowMs)
}

// begin makes a segment file and appends to it from now on. Every segment but the first has a snapshot at its base.
func (l *Log) begin(base, nowMs int64) error {
	if len(l.segments()) > 0 {
		if err := l.writeSnapshot(base); err != nil {
			return err
		}
	} else {
		if err := l.fs.MkdirAll(l.dir); err != nil {
			return err
		}
		l.newDir.Store(true)
		if err := l.writeMetadata(); err != nil {
			return err
		}
	}
	s := l.newSegment(base)
	_, err := s.log.create()
	if err != nil {
		return err
	}
	s.log.release()
	s.createdMs = nowMs
	s.endKnown.Store(true)
	s.offsets.reset()
	s.times.reset()
	s.clock.known = true
	s.txns.set(nil)
	l.newNames = true
	l.soil(s.log)
	segs := l.segments()
	l.publish(append(segs[:len(segs):len(segs)], s))
	l.active = s
	return nil
}

// seal ends the active segment: its indexes go to disk, to be synced with the next sync, so before any later byte counts
// as synced. Another begins with the next append.
func (l *Log) seal(s *segment) error {
	if err := l.writeIndexes(s, true); err != nil {
		return err
	}
	f, err := s.log.acquire()
	if err != nil {
		return err
	}
	defer s.log.release()
	l.soil(s.log)
	if err := l.cutSpace(s, f); err != nil {
		return err
	}
	l.active = nil
	return nil
}

// Roll ends the active segment, if it has batches, and begins a new one.
func (l *Log) Roll(now time.Time) error {
	if l.failed != nil {
		return l.failed
	}
	if s := l.active; s != nil {
		if s.size.Load() == 0 {
			return nil
		}
		if err := l.seal(s); err != nil {
			return fmt.Errorf("roll %s: %w", l.dir, err)
		}
	}
	if len(l.segments()) == 0 {
		return nil // no file before the first append
	}
	return l.begin(l.End(), now.UnixMilli())
}

// writeIndexes brings the index files of a segment up to date. The time index of a segment that ends gets the largest
// timestamp as its last entry, by which retention goes.
func (l *Log) writeIndexes(s *segment, last bool) error {
	if last {
		if t := s.stamps(); t.max >= 0 {
			s.times.add(entry{t.max, t.maxOffset - s.base})
		}
	}
	for _, x := range [...]struct {
		file  *file
		flush func() (bool, error)
	}{{s.offsets.file, s.offsets.flush}, {s.times.file, s.times.flush}, {s.txns.file, s.txns.flush}} {
		wrote, err := x.flush()
		if err != nil {
			return fmt.Errorf("%s: %w", x.file.name, err)
		}
		if wrote {
			l.soil(x.file)
			l.newNames = true
		}
	}
	return nil
}
