package sim

import (
	"fmt"
	"time"

	"holdfast/internal/proto/wire"
)

// reader reads a partition from one end to the other and expects every record that was ever committed, once, in order.
type reader struct {
	w    *world
	name string
	log  *plog
	at   int64 // the next offset it wants

	caughtUp bool // it has reached the end since healing began
}

func (w *world) newReader(i int) *reader {
	r := &reader{w: w, name: fmt.Sprintf("reader-%d", i)}
	w.after(w.about(w.plan.rate), r.tick)
	return r
}

func (r *reader) tick() {
	w := r.w
	w.after(w.about(2*w.plan.rate)+time.Millisecond, r.tick)
	if r.log == nil || r.log.gone {
		if r.log = nil; len(w.truth.logs) == 0 {
			return
		}
		r.log, r.at = pick(w, w.truth.logs), 0
	}
	if w.node == nil || r.log.part == nil {
		return
	}
	if r.at == r.log.high && w.chance(0.1) { // once more, from the start or from anywhere, within a batch, too
		r.at = r.log.start + w.rand.Int64N(r.log.high-r.log.start+1)*int64(w.rand.IntN(2))
	}
	r.ask()
	r.read()
	for w.healing && !r.caughtUp {
		before := r.at
		r.read()
		if r.caughtUp = r.at == r.log.part.HighWatermark(); r.at == before {
			break
		}
	}
}

// ask asks for the places of the log, as a client does that begins or measures its lag.
func (r *reader) ask() {
	p := r.log.part
	latest, code := p.ListOffset(-1, false, -1)
	earliest, also := p.ListOffset(-2, false, -1)
	if code != wire.None || also != wire.None || latest.Offset != p.HighWatermark() || earliest.Offset != p.LogStart() {
		violate("%v is [%d, %d), and %s is told %d (%v), %d (%v)", r.log, p.LogStart(), p.HighWatermark(), r.name, earliest.Offset, also, latest.Offset, code)
	}
}

func (r *reader) read() {
	l, w := r.log, r.w
	atMost := pick(w, []int{1, 300, 10_000})
	if w.healing {
		atMost = 1 << 20
	}
	got, code, err := read(l.part, r.at, atMost)
	switch {
	case code == wire.OffsetOutOfRange && r.at < l.part.LogStart():
		r.at = l.part.LogStart()
	case code == wire.KafkaStorageError && w.disk.faulted():
	case code != wire.None:
		violate("%v: %s at %d of [%d, %d) is told %v: %v", l, r.name, r.at, l.part.LogStart(), l.part.HighWatermark(), code, err)
	case len(got) == 0 && r.at < l.part.HighWatermark():
		violate("%v: %s gets nothing at %d of [%d, %d)", l, r.name, r.at, l.part.LogStart(), l.part.HighWatermark())
	case len(got) > 0:
		next := l.check(r.at, got)
		if next > l.part.HighWatermark() {
			violate("%v: %s was given records up to %d, committed is %d", l, r.name, next, l.part.HighWatermark())
		}
		w.counts[RecordsRead] += next - r.at
		r.at = next
	}
}
