package commitlog

import (
	"errors"
	"io/fs"

	"holdfast/internal/core/producer"
	"holdfast/internal/proto/record"
	"holdfast/internal/storage/vfs"
)

// Aborted lists the aborted transactions that have records in [from, to), by the offset of their markers: what a reader
// of committed records must leave out. Safe for concurrent use. It does not allocate where there are none.
func (l *Log) Aborted(from, to int64) (out []AbortedTxn, err error) {
	segs := l.segments()
	for i, s := range segs {
		if next := s.next.Load(); next <= from && i < len(segs)-1 {
			continue
		}
		if err := l.loadTxns(s); err != nil {
			return nil, err
		}
		var done bool
		if out, done = s.txns.collect(out, from, to); done {
			break
		}
	}
	return out, nil
}

// loadTxns brings a segment's transaction index into memory, made anew from the batches if the file is broken, names
// something that is no marker, or is not what a snapshot vouches for.
func (l *Log) loadTxns(s *segment) error {
	s.txns.mu.Lock()
	loaded := s.txns.loaded
	s.txns.mu.Unlock()
	if loaded {
		return nil
	}
	err := s.txns.load(s.base)
	if err == nil {
		err = l.confirmTxns(s)
	}
	if err == nil {
		err = l.vouched(s)
	}
	if errors.Is(err, errIndex) {
		return l.rebuildTxns(s)
	}
	return err
}

func (l *Log) confirmTxns(s *segment) error {
	s.txns.mu.Lock()
	entries := s.txns.entries
	s.txns.mu.Unlock()
	if len(entries) == 0 {
		return nil
	}
	v := l.view(s)
	w, err := s.walk(v)
	if err != nil {
		return err
	}
	defer w.close()
	for _, t := range entries {
		p, ok, err := l.find(s, t.LastOffset, v)
		if errors.Is(err, ErrDamaged) { // nothing speaks against the entry
			continue
		}
		if err != nil {
			return err
		}
		if _, in := l.damageAt(s, p.pos); in {
			continue
		}
		if b, _, err := w.header(p.pos); !ok || err != nil || !b.Control() || b.LastOffset() != t.LastOffset || b.ProducerID() != t.ProducerID {
			return errIndex
		}
	}
	return nil
}

// rebuildTxns reads the segment, and what is before it back to a snapshot of the producers: transactions may have begun
// there. Readers may call it.
func (l *Log) rebuildTxns(s *segment) error {
	state, from, err := l.stateBefore(s.base)
	if err != nil {
		return err
	}
	var found []AbortedTxn
	for _, t := range l.segments() {
		v := l.view(t)
		if v.next <= from || v.size == 0 || t.base > s.base {
			continue
		}
		_, err := l.visit(t, from, v, func(b record.Batch) {
			if done, ok := learnProducer(state, b, 0); ok && done.Abort && t == s {
				found = append(found, AbortedTxn{done.ProducerID, done.FirstOffset, done.LastOffset, done.LastStable})
			}
		})
		if err != nil {
			return err
		}
	}
	s.txns.set(found)
	return nil
}

// stateBefore is the newest snapshot of the producers that is not above an offset.
func (l *Log) stateBefore(offset int64) (*producer.State, int64, error) {
	names, err := l.fs.List(l.dir)
	if err != nil {
		return nil, 0, err
	}
	state := &producer.State{}
	for i := len(names) - 1; i >= 0; i-- { // sorted, so by offset
		at, ok := parseName(names[i], snapshotSuffix)
		if !ok || at > offset {
			continue
		}
		p, err := vfs.ReadFile(l.fs, l.name(at, snapshotSuffix), maxSnapshotBytes)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		if entries, err := ParseSnapshot(p, 0); err == nil {
			state.Restore(entries)
			return state, at, nil
		}
	}
	return state, 0, nil
}
