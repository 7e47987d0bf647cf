package coord

import (
	"bufio"
	"sync"
	"time"

	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"
	"holdfast/internal/host/partition"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
)

const (
	mailboxLength = 4096 // of one shard: more than that wait for nothing good

	firstRest  = 100 * time.Millisecond // after a failure; doubled with each further one
	longRest   = 10 * time.Second
	brokenRest = time.Minute // after a machine panicked: a bug may come again with the next request
)

// state is what a shard does; see doc.go.
type state uint8

const (
	loading state = iota
	serving
	resting
	leaving
	ended
)

var stateNames = [...]string{"loading", "serving", "resting", "leaving", "ended"}

func (s state) String() string { return stateNames[s] }

// whyNot is the answer to whoever asks in a state.
var whyNot = [...]wire.Code{wire.CoordinatorLoadInProgress, wire.None, wire.CoordinatorNotAvailable, wire.NotCoordinator, wire.NotCoordinator}

// news is what happened in the image since a shard looked.
type news struct {
	deleted []shard.DeletedTopic
	changed bool // topics were created or got more partitions
}

// runner runs one shard.
type runner struct {
	host  *Host
	topic image.TopicID
	index int32
	wake  chan struct{} // holds one: something changed under mu

	mu    sync.Mutex
	state state
	epoch int32 // the leader epoch to run in
	mail  []item
	news  news

	taken []item // mail on the goroutine's side; not yet done from next on
	next  int

	// While it serves.
	machine   shard.Machine
	partition *partition.Partition
	watch     *partition.Watch
	loaded    int32 // the leader epoch it was loaded in
	applied   int64 // the offset after the last record that the machine knows
	began     int64 // what applied was when it began to serve
	calls     map[shard.Call]*Asked
	nextCall  shard.Call
	timers    timers
	parked    parked
	builder   *record.Builder
	written   []bool // which records of an outcome were
	random    *bufio.Reader

	failures int       // since it served well
	again    time.Time // when it may be loaded again, while resting
	breaks   int       // times the machine panicked
}

func newRunner(h *Host, topic image.TopicID, index, epoch int32) *runner {
	return &runner{
		host: h, topic: topic, index: index, epoch: epoch, wake: make(chan struct{}, 1), watch: partition.NewWatch(),
		nextCall: 1, builder: record.NewBuilder(record.BuilderOptions{MaxBytes: maxBatchBytes}), random: bufio.NewReaderSize(h.o.Random, 1024),
	}
}

// post puts an item into the mailbox, or says why not.
func (r *runner) post(it item) wire.Code {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != serving {
		return whyNot[r.state]
	}
	if len(r.mail) >= mailboxLength {
		r.host.metrics.full.Inc()
		return wire.CoordinatorLoadInProgress // the client comes again, to this same node
	}
	r.mail = append(r.mail, it)
	r.signal()
	return wire.None
}

// hear notes what happened in the image. A shard that loads learns it from the image it will be given.
func (r *runner) hear(n news) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state > serving {
		return
	}
	r.news.deleted = append(r.news.deleted, n.deleted...)
	r.news.changed = true
	r.signal()
}

// lead moves to a leader epoch. One that rests, perhaps for want of it, need not any more.
func (r *runner) lead(epoch int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == resting && r.epoch != epoch {
		r.state = loading
	}
	r.epoch = epoch
	r.signal()
}

// raised reports whether the leader epoch is another than that of the load.
func (r *runner) raised() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.epoch != r.loaded
}

// end takes no more mail: for good, or to let answers leave first.
func (r *runner) end(s state) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state < leaving {
		r.state = s
	}
	r.signal()
}

func (r *runner) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run is the goroutine.
func (r *runner) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		for r.turn() {
		}
		if r.is(ended) {
			return
		}
		timer.Reset(r.sleep())
		select {
		case <-r.wake:
		case <-r.watch.Signal():
			r.lookAround()
		case <-timer.C:
		}
	}
}

// sleep is how long there is nothing to do, unless somebody comes.
func (r *runner) sleep() time.Duration {
	if due, ok := r.due(); ok {
		return max(due.Sub(r.host.o.Now()), 0)
	}
	return time.Hour
}

// due is when there is something to do next by the clock.
func (r *runner) due() (at time.Time, ok bool) {
	if r.is(resting) {
		return r.again, true
	}
	at, ok = r.timers.next()
	if by, bound := r.parked.deadline(); bound && (!ok || by.Before(at)) {
		return by, true
	}
	return at, ok
}

func (r *runner) is(s state) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state == s
}

// turn does what comes next, and reports whether there was anything.
func (r *runner) turn() bool {
	now := r.host.o.Now()
	r.mu.Lock()
	state, epoch := r.state, r.epoch
	r.mu.Unlock()
	switch state {
	case loading:
		r.load(epoch)
		return true
	case resting:
		return !now.Before(r.again) && r.become(resting, loading)
	case leaving:
		return r.leave(now)
	case ended:
		busy := r.machine != nil || r.pending()
		r.unload(wire.NotCoordinator)
		return busy
	}
	if epoch != r.loaded {
		r.become(serving, loading)
		r.unload(wire.NotCoordinator)
		return true
	}
	busy := r.hearNews()
	if key, ok := r.timers.pop(now); ok && r.is(serving) {
		r.decide(shard.Command{Request: &shard.Fired{Timer: key}})
		busy = true
	}
	if it := r.take(); it != nil {
		it.do(r)
		busy = true
	}
	if r.machine != nil {
		r.release(now)
	}
	return busy
}

// become moves from one state to another, unless it was ended meanwhile.
func (r *runner) become(from, to state) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != from {
		return false
	}
	r.state = to
	return true
}

// pending reports whether there is mail that nobody will do.
func (r *runner) pending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.mail) > 0 || r.next < len(r.taken)
}

// take is the next item of the mailbox, nil if there is none.
func (r *runner) take() item {
	if r.next == len(r.taken) {
		clear(r.taken)
		r.mu.Lock()
		r.taken, r.mail = r.mail, r.taken[:0]
		r.mu.Unlock()
		if r.next = 0; len(r.taken) == 0 {
			return nil
		}
	}
	it := r.taken[r.next]
	r.next++
	return it
}

func (r *runner) hearNews() bool {
	r.mu.Lock()
	n := r.news
	r.news = news{}
	r.mu.Unlock()
	switch {
	case len(n.deleted) > 0:
		r.decide(shard.Command{Request: &shard.TopicsDeleted{Topics: n.deleted}})
	case n.changed:
		r.decide(shard.Command{Request: &shard.MetadataChanged{}})
	default:
		return false
	}
	return true
}

// lookAround is called when something happened to the partition: its watermark moved, or it may not be ours any more.
func (r *runner) lookAround() {
	if r.machine == nil || r.raised() {
		return // nothing to lose, or the next turn loads anew
	}
	if err := r.partition.Leads(r.loaded); err != nil {
		r.fail(err)
		return
	}
	r.release(r.host.o.Now())
}

// leave refuses all but those whose answers only wait for their commit.
func (r *runner) leave(now time.Time) bool {
	for it := r.take(); it != nil; it = r.take() {
		it.refuse(r.host, wire.NotCoordinator)
	}
	for id, a := range r.calls {
		delete(r.calls, id)
		a.refuse(r.host, wire.NotCoordinator)
	}
	r.timers = timers{}
	if r.machine != nil {
		r.release(now)
	}
	if r.parked.empty() {
		r.become(leaving, ended)
		return true
	}
	return false
}

// unload throws the machine away and refuses everybody who waits.
func (r *runner) unload(code wire.Code) {
	for it := r.take(); it != nil; it = r.take() {
		it.refuse(r.host, code)
	}
	for _, a := range r.calls {
		a.refuse(r.host, code)
	}
	r.parked.refuse(r.host, code)
	if r.machine != nil {
		r.host.metrics.unloads.Inc()
	}
	r.machine, r.partition, r.calls, r.timers = nil, nil, nil, timers{}
	r.watch.Clear()
}

// fail ends serving or loading for a cause that may pass.
func (r *runner) fail(cause error) {
	r.rest(min(firstRest<<min(r.failures, 10), longRest))
	r.failures++
	r.host.failed(r.index, cause, r.failures)
	r.unload(wire.NotCoordinator)
}

func (r *runner) rest(d time.Duration) {
	r.again = r.host.o.Now().Add(d)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == loading || r.state == serving {
		r.state = resting
	}
}
