package coord

import "time"

// Step does the next thing of one shard, in the order of the shards, and reports whether there was anything. It and Due
// are for those who set Options.InOrder: a simulation, which decides what happens when.
func (h *Host) Step() bool {
	for _, r := range h.all() {
		select {
		case <-r.watch.Signal():
			r.lookAround()
		default:
		}
		if r.turn() {
			return true
		}
	}
	return false
}

// Due is when the clock alone gives a shard something to do, if ever.
func (h *Host) Due() (at time.Time, ok bool) {
	for _, r := range h.all() {
		if t, is := r.due(); is && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	return at, ok
}
