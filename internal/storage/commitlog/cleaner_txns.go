package commitlog

import (
	"cmp"
	"slices"

	"holdfast/internal/proto/record"
)

// sieve follows the transactions through a log that is read from its first batch on, and tells what of them may go: the
// data of an aborted one at once, its marker, as that of a committed one, once none of its batches is left. Everything it
// is shown lies below the last stable offset, so each transaction has ended.
type sieve struct {
	coming    []AbortedTxn // not begun yet, by first offset
	aborted   map[int64]*abortedTxn
	committed map[int64]bool   // producers with data since their last marker
	kept      func(AbortedTxn) // an aborted transaction of which batches are still there
}

type abortedTxn struct {
	AbortedTxn
	seen bool // a batch of it was read
}

func newSieve(txns []AbortedTxn, kept func(AbortedTxn)) *sieve {
	coming := slices.Clone(txns)
	slices.SortFunc(coming, func(a, b AbortedTxn) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
	return &sieve{coming: coming, aborted: map[int64]*abortedTxn{}, committed: map[int64]bool{}, kept: kept}
}

// mayGo tells whether a batch is of an aborted transaction, or the marker of a transaction without any batch.
func (s *sieve) mayGo(b record.Batch) bool {
	for len(s.coming) > 0 && s.coming[0].FirstOffset <= b.LastOffset() {
		s.aborted[s.coming[0].ProducerID] = &abortedTxn{AbortedTxn: s.coming[0]}
		s.coming = s.coming[1:]
	}
	switch {
	case b.Control():
		return s.marker(b)
	case !b.Transactional():
		return false
	}
	if t := s.aborted[b.ProducerID()]; t != nil && b.LastOffset() < t.LastOffset {
		t.seen = true
		return true
	}
	s.committed[b.ProducerID()] = true
	return false
}

func (s *sieve) marker(b record.Batch) bool {
	if b.Count() == 0 { // Kafka's cleaner leaves such a marker; there is nothing in it to keep
		return true
	}
	m, ok := b.Marker()
	if !ok {
		return false
	}
	if m.Commit {
		seen := s.committed[m.ProducerID]
		delete(s.committed, m.ProducerID)
		return !seen
	}
	t := s.aborted[m.ProducerID]
	delete(s.aborted, m.ProducerID)
	if t == nil || !t.seen {
		return true
	}
	s.kept(t.AbortedTxn)
	return false
}
