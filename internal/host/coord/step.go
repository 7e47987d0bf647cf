package coord

import (
	"time"

	"holdfast/internal/core/shard"
)

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

// Ready reports whether Step has something to do.
func (h *Host) Ready() bool {
	now := h.o.Now()
	for _, r := range h.all() {
		if r.ready(now) {
			return true
		}
	}
	return false
}

func (r *runner) ready(now time.Time) bool {
	r.mu.Lock()
	waits := r.state == loading || r.state == leaving || len(r.mail) > 0 || len(r.news.deleted) > 0 || r.news.changed ||
		r.state == serving && r.epoch != r.loaded
	r.mu.Unlock()
	if waits || r.next < len(r.taken) || len(r.watch.Signal()) > 0 {
		return true
	}
	due, ok := r.due()
	return ok && !due.After(now)
}

// Loading reports whether a shard is about to read its log.
func (h *Host) Loading() bool {
	for _, r := range h.all() {
		if r.is(loading) {
			return true
		}
	}
	return false
}

// Peek is the machine of a shard that serves, to be looked at between two steps; else nil.
func (h *Host) Peek(index int32) shard.Machine {
	if r := h.runner(index); r != nil && r.is(serving) {
		return r.machine
	}
	return nil
}
