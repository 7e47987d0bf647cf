package sim

import (
	"container/heap"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"holdfast/internal/base/config"
	"holdfast/internal/base/invariant"
	"holdfast/internal/base/metrics"
)

// Options say which run to live, and how long.
type Options struct {
	Seed    uint64
	Safety  time.Duration // simulated; 0 for what the seed draws
	Healing time.Duration // simulated, at most; 0 for a minute
	Trace   io.Writer     // gets every line as it happens; nil for none
}

// Result is what came of a run.
type Result struct {
	Seed      uint64
	Steps     int
	Simulated time.Duration
	Hash      uint64 // of the trace: equal for equal seeds
	Counts    Counts
	Err       error // what was violated, with the end of the trace; nil for a good run
}

// Bench holds what runs may share, because making it costs more than a run. It is safe for concurrent use.
type Bench struct {
	values  *config.Values
	metrics *metrics.Registry
}

// NewBench makes a bench.
func NewBench() (*Bench, error) {
	v, _, err := config.Load("", []string{"log.retention.check.interval.ms=20000"}, nil)
	return &Bench{values: v, metrics: metrics.New()}, err
}

// world is one run. Everything in it belongs to the goroutine of Run.
type world struct {
	bench *Bench
	seed  uint64
	rand  *rand.Rand
	began time.Time
	now   time.Time
	queue queue
	seq   int64
	steps int
	trace trace
	plan  plan

	disk      *disk
	node      *node // nil while it is down
	lives     int
	failures  int       // starts that failed, in a row
	starts    int       // that were planned
	slowUntil time.Time // syncs take long

	truth     truth
	producers []*producer
	readers   []*reader
	admin     *admin
	groups    *groups         // nil in runs without
	serial    int64           // numbers records
	writers   map[int64]int64 // the producer id of each record of an idempotent producer
	conns     int

	healing bool
	counts  Counts
}

// Run lives one run.
func (b *Bench) Run(o Options) (r Result) {
	if o.Healing == 0 {
		o.Healing = time.Minute
	}
	began := time.Unix(1_800_000_000, 0)
	w := &world{
		bench: b, seed: o.Seed, rand: rand.New(rand.NewPCG(o.Seed, 0x486f6c6466617374)), began: began, now: began,
		trace: trace{hash: fnvOffset, out: o.Trace}, writers: map[int64]int64{},
	}
	defer func() {
		r.Seed, r.Steps, r.Simulated, r.Hash, r.Counts = o.Seed, w.steps, w.now.Sub(w.began), w.trace.hash, w.counts
		if p := recover(); p != nil {
			r.Err = fmt.Errorf("seed %d, %v simulated: %s\nplan: %v\nthe end of the trace:\n%s", o.Seed, r.Simulated, why(p), w.plan, w.trace.tail())
		}
	}()
	w.start()
	if o.Safety == 0 {
		o.Safety = w.plan.safety
	}
	w.runUntil(began.Add(o.Safety))
	w.heal(o.Healing)
	w.settle()
	return r
}

// violation is what a judgement panics with; it ends the run.
type violation string

func violate(format string, args ...any) { panic(violation(fmt.Sprintf(format, args...))) }

func why(p any) string {
	switch p := p.(type) {
	case violation:
		return string(p)
	case *invariant.Violation:
		return fmt.Sprintf("%v\n%s", p, p.Stack)
	}
	return fmt.Sprintf("panic: %v\n%s", p, debug.Stack())
}

// happening is something that happens later.
type happening struct {
	at  time.Time
	seq int64
	do  func()
}

type queue []happening

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(happening)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = happening{}
	*q = (*q)[:last]
	return e
}

// after has something happen.
func (w *world) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.queue, happening{w.now.Add(max(d, 0)), w.seq, do})
}

// runUntil lives until a moment.
func (w *world) runUntil(end time.Time) {
	for len(w.queue) > 0 && !w.queue[0].at.After(end) {
		w.next()
	}
	w.now = end
}

func (w *world) next() {
	e := heap.Pop(&w.queue).(happening)
	w.now = e.at
	w.step(e.do)
}

// step does one thing, and judges. The power may go in the middle of it.
func (w *world) step(do func()) {
	w.steps++
	if w.survives(do) {
		w.look()
	} else {
		w.powerGone()
	}
	w.trace.mix(uint64(w.disk.ops()))
}

// survives does something and reports false where the power went meanwhile.
func (w *world) survives(do func()) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, cut := p.(powerCut); !cut {
				panic(p)
			}
			ok = false
		}
	}()
	do()
	return true
}

func (w *world) note(what, who string, a, b int64) { w.trace.add(w.now.Sub(w.began), what, who, a, b) }

// chance is true with probability p.
func (w *world) chance(p float64) bool { return w.rand.Float64() < p }

// between draws a duration evenly.
func (w *world) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(w.rand.Int64N(int64(hi-lo)+1))
}

// about draws a duration whose mean is given, often shorter and sometimes much longer.
func (w *world) about(mean time.Duration) time.Duration {
	return time.Duration(-math.Log(1-w.rand.Float64()) * float64(mean))
}

// pick draws one of several.
func pick[T any](w *world, of []T) T { return of[w.rand.IntN(len(of))] }
