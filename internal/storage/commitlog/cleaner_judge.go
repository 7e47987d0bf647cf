package commitlog

import "holdfast/internal/proto/record"

// judge decides what is left of a batch: the batch itself, one with fewer records, its header alone, or nil. free says that
// its transaction frees it: it was aborted, or b is the marker of one without any batch left.
//
// Never taken away: what lies above the keys that were collected, the last record of a key unless it is a tombstone past
// its horizon, a marker before its transaction's last batch or before its horizon, the last batch of a producer the log
// still knows (its sequences are in the header), the last batch of the log (a reader must be able to reach the end).
func (r *cleaning) judge(b record.Batch, free bool) (record.Batch, error) {
	horizon, marked := b.HorizonMs()
	past := marked && horizon <= r.now
	switch {
	case b.LastOffset() >= r.To:
		return b, nil
	case b.Control():
		return r.judgeMarker(b, free, marked, past)
	}
	kept := record.Batch(nil)
	if !free {
		var err error
		if kept, err = r.thinned(b, past); err != nil {
			r.Unreadable++
			return b, nil
		}
	}
	if kept == nil {
		r.Records += int64(b.Count())
		if r.isLast(b) || b.NextOffset() == r.logEnd {
			return b.Emptied(), nil
		}
		return nil, nil
	}
	r.Records += int64(b.Count() - kept.Count())
	return kept, nil
}

// thinned is the batch without the records that have a later one of their key, and without tombstones that are past their
// horizon.
func (r *cleaning) thinned(b record.Batch, past bool) (record.Batch, error) {
	return r.thin.Thin(b, r.horizon, func(rec record.Record) bool {
		if rec.Key == nil {
			r.Keyless++
			return false
		}
		if last, ok := r.keys.last(rec.Key); ok && b.BaseOffset()+int64(rec.OffsetDelta) < last {
			return false
		}
		return rec.Value != nil || !past
	})
}

// judgeMarker keeps the end of a transaction until a horizon after the last batch of it went. What a producer did last is
// kept whole: its epoch fences zombies.
func (r *cleaning) judgeMarker(b record.Batch, free, marked, past bool) (record.Batch, error) {
	switch {
	case !free:
		return b, nil
	case !marked && b.Count() > 0:
		out, err := r.thin.WithHorizon(b, r.horizon)
		if err != nil {
			r.Unreadable++
			return b, nil
		}
		return out, nil
	case r.isLast(b) || b.NextOffset() == r.logEnd || marked && !past:
		return b, nil
	}
	r.Records += int64(b.Count())
	return nil, nil
}

// isLast tells whether a batch is what the log remembers a producer by.
func (r *cleaning) isLast(b record.Batch) bool {
	f, ok := r.last[b.ProducerID()]
	switch {
	case !ok:
		return false
	case f.offset >= 0:
		return b.LastOffset() == f.offset
	}
	return b.Control() && b.ProducerEpoch() == f.epoch
}
