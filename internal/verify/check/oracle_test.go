package check

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAgreesWithTheDefinitions compares the counts of every check with an oracle that keeps the whole history in maps
// and lists and asks the definitions literally - over histories that are anything but good.
func TestAgreesWithTheDefinitions(t *testing.T) {
	met := map[string][2]int64{}
	for seed := range uint64(4000) {
		h := wild(rand.New(rand.NewPCG(seed, 3)))
		r := h.play()
		want := newOracle(h).judge()
		for _, c := range r.Checks {
			got := [2]int64{c.Count, c.Allowed}
			if got != want[c.ID] { // nothing was told of commits, so V11 is zero on both sides
				t.Errorf("%s: the checker counts %v (failed, allowed), the definition %v", c.ID, got, want[c.ID])
			}
			met[c.ID] = [2]int64{met[c.ID][0] + c.Count, met[c.ID][1] + c.Allowed}
		}
		if t.Failed() {
			for i, e := range h.events {
				t.Logf("%3d %+v", i, e)
			}
			t.Fatalf("seed %d\n%s", seed, r.Block())
		}
	}
	for _, id := range []string{"V1", "V2", "V3", "V4", "V5", "V6", "V7", "V8", "V9"} {
		if met[id][0] < 100 {
			t.Errorf("%s was met %d times: agreeing on nothing proves nothing", id, met[id][0])
		}
	}
	t.Log(met)
}

// wild makes a history in which anything may happen, within few producers, sequences and offsets so that things meet.
func wild(r *rand.Rand) *history {
	h := &history{partitions: 2, producers: []Producer{
		{Name: "idem", Acks: AcksAll, Idempotent: true}, {Name: "plain", Acks: AcksAll}, {Name: "one", Acks: 1},
	}, groups: []Group{{Name: "a", MaxRedelivered: 1}, {Name: "b", MaxRedelivered: -1, MayStop: true}}}
	stride := []int64{1, 300, 1 << 33}[r.IntN(3)] // across pages too
	offset := func() int64 { return stride * r.Int64N(10) }
	op := func() Op { return Op{r.Int32N(3), r.Int32N(2), r.Int64N(4)} }
	var open []event
	kinds := []kind{kAttempt, kAttempt, kOutcome, kOutcome, kRead, kRead, kRead, kRead, kOpen, kReached, kBounds}
	if r.IntN(2) == 0 {
		kinds = append(kinds, kFinished)
	}
	for n := 10 + r.IntN(90); n > 0; n-- {
		e := event{kind: kinds[r.IntN(len(kinds))], op: op(), part: r.Int32N(2), offset: offset()}
		switch e.kind {
		case kOutcome:
			e.result = []Result{Acked, Acked, Refused, Unsure}[r.IntN(4)]
			if r.IntN(6) == 0 {
				e.offset = NoOffset
			}
		case kOpen:
			e.session, e.group = len(open), r.Int32N(3)
			if e.group == Audit {
				e.offset /= 3
			}
			open = append(open, e)
		case kRead:
			if len(open) == 0 {
				continue
			}
			s := open[r.IntN(len(open))]
			e.session, e.group, e.part = s.session, s.group, s.part
			e.rec = Record{Offset: offset(), Epoch: r.Int32N(2), Op: op(), Corrupt: r.IntN(15) == 0}
			if r.IntN(15) > 0 {
				e.rec.Op.Partition = e.part
			}
		case kReached:
			if len(open) == 0 {
				continue
			}
			e.session = r.IntN(len(open))
		case kBounds:
			e.offset /= 2
			e.end = max(offset(), e.offset)
		case kFinished:
			e.group = 1 + r.Int32N(2)
		}
		h.events = append(h.events, e)
	}
	return h
}

type place2 struct {
	part   int32
	offset int64
}

// oracle asks the definitions of a history that it keeps whole.
type oracle struct {
	h     *history
	count map[string][2]int64

	begun    map[Op]int // event of the first attempt
	fates    map[Op]Result
	ackedAt  map[Op]int64
	floors   map[Op]int64
	values   map[place2][]string // distinct values read, "" for none
	log      map[place2]Op       // final log, known records only
	audited  map[place2]bool
	live     map[place2]bool
	ghost    map[place2]bool
	firstAt  map[Op]int64
	bounds   map[int32]event
	early    map[place2]bool            // read before the final bounds were told
	spans    map[int32]map[int32][]span // group, partition
	finished map[int32]bool
}

func newOracle(h *history) *oracle {
	return &oracle{
		h: h, count: map[string][2]int64{}, begun: map[Op]int{}, fates: map[Op]Result{}, ackedAt: map[Op]int64{},
		floors: map[Op]int64{}, values: map[place2][]string{}, log: map[place2]Op{}, audited: map[place2]bool{},
		live: map[place2]bool{}, early: map[place2]bool{}, ghost: map[place2]bool{}, firstAt: map[Op]int64{}, bounds: map[int32]event{},
		spans: map[int32]map[int32][]span{}, finished: map[int32]bool{},
	}
}

func (o *oracle) hit(check string, allowed bool) {
	c := o.count[check]
	c[side(allowed)]++
	o.count[check] = c
}

func (o *oracle) weak(op Op) bool { return o.h.producers[op.Producer].Acks != AcksAll }

func (o *oracle) judge() map[string][2]int64 {
	o.outcomes()
	o.sessions()
	for p := range int32(o.h.partitions) {
		o.finalLog(p)
	}
	for op := range o.begun {
		o.operation(op)
	}
	return o.count
}

// outcomes folds what was told of each operation.
func (o *oracle) outcomes() {
	highest := map[int32]int64{0: -1, 1: -1}
	results := map[Op][]Result{}
	for i, e := range o.h.events {
		_, begun := o.begun[e.op]
		switch {
		case e.kind == kAttempt && !begun:
			o.begun[e.op] = i
			o.floors[e.op] = highest[e.op.Partition]
			results[e.op] = []Result{0}
		case e.kind == kAttempt:
			results[e.op] = append(results[e.op], 0)
		case e.kind == kOutcome && begun:
			list := results[e.op]
			if list[len(list)-1] == 0 {
				list[len(list)-1] = e.result
			} else {
				results[e.op] = append(list, e.result)
			}
			if e.result != Acked || e.offset < 0 {
				continue
			}
			if was, ok := o.ackedAt[e.op]; ok && was != e.offset {
				o.hit("V6", o.weak(e.op))
			}
			o.ackedAt[e.op] = e.offset
			if !o.weak(e.op) {
				highest[e.op.Partition] = max(highest[e.op.Partition], e.offset)
			}
		}
	}
	for op, list := range results {
		switch {
		case slices.Contains(list, Acked):
			o.fates[op] = Acked
		case slices.Contains(list, 0), slices.Contains(list, Unsure):
			o.fates[op] = Unsure
		default:
			o.fates[op] = Refused
		}
	}
}

// sessions walks the reads as they came.
func (o *oracle) sessions() {
	type position struct {
		group, part     int32
		from, next, top int64
		epoch           int32
	}
	at := map[int]*position{}
	delivered := map[int32]map[place2]bool{1: {}, 2: {}}
	again := map[int32]int64{}
	for i, e := range o.h.events {
		switch e.kind {
		case kOpen:
			at[e.session] = &position{e.group, e.part, e.offset, e.offset, e.offset, -1}
		case kReached:
			s := at[e.session]
			s.next = max(s.next, e.offset)
			s.top = max(s.top, s.next)
		case kBounds:
			o.bounds[e.part] = e
			for where := range o.live {
				if where.part == e.part {
					o.early[where] = true
				}
			}
		case kFinished:
			o.finished[e.group] = true
		case kRead:
			s := at[e.session]
			where := place2{e.part, e.rec.Offset}
			if e.rec.Offset < s.next || e.rec.Epoch < s.epoch {
				o.hit("V5", false)
			}
			s.next, s.epoch = e.rec.Offset+1, e.rec.Epoch
			s.top = max(s.top, s.next)
			o.value(where, e, i)
			if e.group == Audit {
				continue
			}
			o.live[where] = true
			if delivered[e.group][where] {
				limit := o.h.groups[e.group-1].MaxRedelivered
				o.hit("V4", limit < 0 || again[e.group] < limit)
				again[e.group]++
			}
			delivered[e.group][where] = true
		}
	}
	for _, s := range at {
		if o.spans[s.group] == nil {
			o.spans[s.group] = map[int32][]span{}
		}
		o.spans[s.group][s.part] = append(o.spans[s.group][s.part], span{s.from, s.top})
	}
	for where := range o.audited {
		for g := range delivered {
			if !delivered[g][where] && o.due(g, where) {
				o.hit("V2", false)
			}
		}
	}
}

func (o *oracle) due(g int32, where place2) bool {
	spans := o.spans[g][where.part]
	if o.finished[g] {
		if len(spans) == 0 {
			return true
		}
		return slices.ContainsFunc(spans, func(s span) bool { return s.from <= where.offset })
	}
	return slices.ContainsFunc(spans, func(s span) bool { return s.from <= where.offset && where.offset < s.to })
}

// value takes in what was read at one offset.
func (o *oracle) value(where place2, e event, i int) {
	begun, known := o.begun[e.rec.Op]
	known = known && begun < i && !e.rec.Corrupt && e.rec.Op.Partition == e.part
	name := fmt.Sprint(e.rec.Op.Producer, e.rec.Op.Seq)
	switch {
	case e.rec.Corrupt:
		name = "damaged"
	case !known:
		name = fmt.Sprint("stranger", e.rec.Op.Seq)
	}
	if had := o.values[where]; len(had) == 0 {
		o.values[where] = []string{name}
	} else if had[0] != name && len(had) == 1 {
		o.hit("V6", false)
		o.values[where] = append(had, name)
	}
	if e.group == Audit && !o.audited[where] {
		o.audited[where] = true
		o.values[where][0] = name // from now on the others are compared with the log
		if known {
			o.log[where] = e.rec.Op
		}
	}
	if !known && !o.ghost[where] {
		o.ghost[where] = true
		o.hit("V7", false)
	}
	if _, ok := o.firstAt[e.rec.Op]; known && !ok {
		o.firstAt[e.rec.Op] = where.offset
	}
}

// reach is how far the audit covers a partition without a hole.
func (o *oracle) reach(p int32) int64 {
	reach := o.bounds[p].offset
	for range len(o.h.events) {
		for _, s := range o.spans[Audit][p] {
			if s.from <= reach {
				reach = max(reach, s.to)
			}
		}
	}
	return reach
}

func (o *oracle) covered(p int32, at int64) bool {
	b, ok := o.bounds[p]
	return ok && at >= b.offset && (at < o.reach(p) || at >= b.end)
}

func (o *oracle) positions(op Op) (list []int64) {
	for where, held := range o.log {
		if held == op {
			list = append(list, where.offset)
		}
	}
	slices.Sort(list)
	return list
}

func (o *oracle) finalLog(p int32) {
	for where := range o.live {
		if where.part == p && !o.audited[where] && o.covered(p, where.offset) {
			known := where.offset < o.bounds[p].end
			for other := range o.early { // or something there, or above, had been read when the end was told
				known = known || other.part == p && other.offset >= where.offset
			}
			if known {
				o.hit("V9", false)
			}
		}
	}
	for op := range o.begun {
		list := o.positions(op)
		if op.Partition != p || len(list) == 0 {
			continue
		}
		loose := !o.h.producers[op.Producer].Idempotent
		for range list[1:] {
			o.hit("V3", loose)
		}
		for other := range o.begun {
			before := o.positions(other)
			if other.Producer == op.Producer && other.Partition == p && other.Seq > op.Seq && len(before) > 0 && before[0] < list[0] {
				o.hit("V5", loose)
				break
			}
		}
	}
}

func (o *oracle) operation(op Op) {
	list := o.positions(op)
	at, told := o.ackedAt[op]
	fate := o.fates[op]
	if fate == Acked && len(list) > 0 && told && o.covered(op.Partition, at) && !slices.Contains(list, at) {
		o.hit("V6", o.weak(op))
	}
	if fate == Acked && len(list) == 0 {
		o.lost(op, at, told)
	}
	first, seen := o.firstAt[op]
	if len(list) > 0 {
		first, seen = list[0], true
	}
	if fate == Refused && seen && !o.ghost[place2{op.Partition, first}] {
		o.hit("V7", false)
	}
	where, placed := at, told
	if len(list) > 0 {
		where, placed = list[0], true
	}
	if fate != Refused && placed && where < o.floors[op] {
		o.hit("V8", len(list) == 0 && o.weak(op))
	}
}

func (o *oracle) lost(op Op, at int64, told bool) {
	b, bounded := o.bounds[op.Partition]
	if !told {
		at, told = o.firstAt[op], false
		_, told = o.firstAt[op]
	}
	later := told && bounded && at >= b.end && o.live[place2{op.Partition, at}] && o.values[place2{op.Partition, at}][0] == fmt.Sprint(op.Producer, op.Seq)
	for where := range o.early {
		later = later && (where.part != op.Partition || where.offset < at)
	}
	switch {
	case !bounded, later:
	case told && o.covered(op.Partition, at):
		o.hit("V1", o.weak(op))
	case !told && o.floors[op]+1 >= b.offset && o.reach(op.Partition) >= b.end:
		o.hit("V1", o.weak(op))
	}
}
