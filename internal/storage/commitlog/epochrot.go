package commitlog

import (
	"errors"
	"slices"

	"holdfast/internal/proto/record"
)

// The leader epoch of a batch is outside its checksum, and the file of epochs has none. Where the two disagree, the line
// of epochs is right if every entry of it describes the batch it names; if not, it is made anew from all batches.

// epochRight tells whether a batch has the epoch of its offset, after having made sure, once, that the line of epochs
// is right.
func (l *Log) epochRight(b record.Batch) bool {
	if l.epochFits(b) {
		return true
	}
	if !l.epochs.judged.Load() && l.judgeEpochs() != nil {
		return false
	}
	return l.epochFits(b)
}

// epochFits compares a batch's epoch with the line of epochs, which forgets what is below the start.
func (l *Log) epochFits(b record.Batch) bool {
	return l.EpochAt(b.BaseOffset()) == b.LeaderEpoch() || b.BaseOffset() < l.Start()
}

// judgeEpochs compares the line of epochs with the batches that it names and makes it anew if it is wrong.
func (l *Log) judgeEpochs() error {
	l.epochs.judging.Lock()
	defer l.epochs.judging.Unlock()
	if l.epochs.judged.Load() {
		return nil
	}
	holds, err := l.lineHolds()
	if err == nil && !holds {
		err = l.relearnEpochs()
	}
	if err == nil {
		l.epochs.judged.Store(true)
	}
	return err
}

func (l *Log) lineHolds() (bool, error) {
	line := l.epochs.list()
	segs := l.segments()
	if len(line) == 0 || line[0].Start > max(l.Start(), segs[0].base) {
		return false, nil // it lacks the first epoch
	}
	for i, e := range line {
		if e.Start >= l.End() || i > 0 && e.Start < segs[0].base {
			continue
		}
		j, _ := slices.BinarySearchFunc(segs, e.Start+1, func(s *segment, v int64) int { return int(min(max(s.base-v, -1), 1)) })
		s := segs[max(j-1, 0)]
		v := l.view(s)
		p, ok, err := l.find(s, max(e.Start, s.base), v)
		if errors.Is(err, ErrDamaged) || err == nil && !ok {
			continue
		}
		if err != nil {
			return false, err
		}
		w, err := s.walk(v)
		if err != nil {
			return false, err
		}
		b, _, err := w.header(p.pos)
		fits := err != nil || b.LeaderEpoch() == e.Epoch && (i == 0 || b.BaseOffset() == e.Start) ||
			b.BaseOffset() > e.Start && b.LeaderEpoch() >= e.Epoch && l.mayMiss(e.Start, b.BaseOffset())
		w.close()
		if !fits {
			return false, nil
		}
	}
	return true, nil
}

// relearnEpochs reads the epochs from the headers of all batches. One that is lower than before and not confirmed by
// the next is not believed, and neither is one that the next two contradict.
func (l *Log) relearnEpochs() error {
	var line []EpochStart
	var low *EpochStart // a step down that waits for the next batch to agree
	see := func(b record.Batch) {
		e := EpochStart{b.LeaderEpoch(), b.BaseOffset()}
		n := len(line)
		switch {
		case e.Epoch < 0:
		case n == 0 || e.Epoch > line[n-1].Epoch:
			line, low = append(line, e), nil
		case e.Epoch == line[n-1].Epoch:
			low = nil
		case low == nil:
			low = &e
		default:
			for n > 0 && line[n-1].Epoch > e.Epoch {
				n--
			}
			if line = line[:n]; n == 0 || line[n-1].Epoch < low.Epoch {
				line = append(line, EpochStart{e.Epoch, low.Start})
			}
			low = nil
		}
	}
	for _, s := range l.segments() {
		if _, err := l.visit(s, s.base, l.view(s), see); err != nil {
			return err
		}
	}
	known := l.epochs.list()
	if n := len(known); n > 0 && known[n-1].Start >= l.End() && (len(line) == 0 || known[n-1].Epoch > line[len(line)-1].Epoch) {
		line = append(line, EpochStart{known[n-1].Epoch, l.End()})
	}
	l.epochs.mu.Lock()
	l.epochs.line, l.epochs.dirty = line, true
	l.epochs.mu.Unlock()
	return nil
}
