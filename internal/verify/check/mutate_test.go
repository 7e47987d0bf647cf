package check

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// want is the offender that a mutation must bring to light: the first one of its check.
type want struct {
	check  string
	part   int32
	offset int64
	op     Op
	seq    bool     // whether op says which producer and sequence it is
	also   []string // what else may follow from the same change
}

// mutator changes one good history.
type mutator struct {
	*history
	r *rand.Rand

	at     map[Op][]int64     // where the audit met an operation
	logged map[[2]int64]int   // partition, offset: event of the audit's read
	ackAt  map[Op]int         // event of the acknowledgement
	first  map[Op]int         // event of the first attempt
	bad    map[Op]bool        // some attempt was not refused
	live   map[[2]int64][]int // partition, offset: events of other reads
	bounds map[int32]int      // event
	audits map[int32]event    // the audit's session of a partition
	ended  map[int32]int      // event of the audit's Reached
}

func newMutator(h *history, seed uint64) *mutator {
	m := &mutator{
		history: h.clone(), r: rand.New(rand.NewPCG(seed, 11)), at: map[Op][]int64{}, logged: map[[2]int64]int{},
		ackAt: map[Op]int{}, first: map[Op]int{}, bad: map[Op]bool{}, live: map[[2]int64][]int{}, bounds: map[int32]int{},
		audits: map[int32]event{}, ended: map[int32]int{},
	}
	for i, e := range m.events {
		key := [2]int64{int64(e.part), e.rec.Offset}
		switch {
		case e.kind == kRead && e.group == Audit:
			m.at[e.rec.Op] = append(m.at[e.rec.Op], e.rec.Offset)
			m.logged[key] = i
		case e.kind == kRead:
			m.live[key] = append(m.live[key], i)
		case e.kind == kAttempt && m.first[e.op] == 0:
			m.first[e.op] = i + 1
		case e.kind == kOutcome && e.result == Acked:
			m.ackAt[e.op] = i
			m.bad[e.op] = true
		case e.kind == kOutcome && e.result == Unsure:
			m.bad[e.op] = true
		case e.kind == kBounds:
			m.bounds[e.part] = i
		case e.kind == kOpen && e.group == Audit:
			m.audits[e.part] = e
		}
	}
	for i, e := range m.events {
		for p, a := range m.audits {
			if e.kind == kReached && e.session == a.session {
				m.ended[p] = i
			}
		}
	}
	return m
}

// ops are the operations for which yes holds, shuffled the same way each time.
func (m *mutator) ops(yes func(op Op) bool) []Op {
	var out []Op
	for op := range m.first {
		if yes(op) {
			out = append(out, op)
		}
	}
	slices.SortFunc(out, func(a, b Op) int {
		return int(a.Partition-b.Partition)*1e9 + int(a.Producer-b.Producer)*1e7 + int(a.Seq-b.Seq)
	})
	m.r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// single says that the final log holds op once, and strong that its acknowledgement is a promise and names the place.
func (m *mutator) single(op Op) bool { return len(m.at[op]) == 1 }

func (m *mutator) strong(op Op) bool {
	i, ok := m.ackAt[op]
	return ok && !m.doubtful[op] && m.single(op) && m.events[i].offset == m.at[op][0] && m.producers[op.Producer].Acks == AcksAll
}

func (m *mutator) drop(yes func(i int, e event) bool) {
	var kept []event
	for i, e := range m.events {
		if !yes(i, e) {
			kept = append(kept, e)
		}
	}
	m.events = kept
}

func (m *mutator) insert(i int, e ...event) { m.events = slices.Insert(m.events, i, e...) }

// grow lets the log of a partition end with one more record, and everyone reads it.
func (m *mutator) grow(part int32, op Op) int64 {
	end := m.events[m.bounds[part]].end
	m.events[m.bounds[part]].end++
	rec := Record{Offset: end, Epoch: 1 << 20, Op: op}
	m.events[m.ended[part]].offset++
	m.insert(m.ended[part], event{kind: kRead, session: m.audits[part].session, group: Audit, part: part, rec: rec})
	for g := int32(1); g <= 2; g++ {
		s := 1_000_000 + int(g)
		m.insert(0, event{kind: kOpen, session: s, group: g, part: part, offset: end})
		m.insert(slices.IndexFunc(m.events, func(e event) bool { return e.kind == kBounds }), event{kind: kRead, session: s, group: g, part: part, rec: rec})
	}
	return end
}

// swap exchanges what lies at two offsets, in every read and acknowledgement.
func (m *mutator) swap(part int32, a, b int64) {
	ia, ib := m.logged[[2]int64{int64(part), a}], m.logged[[2]int64{int64(part), b}]
	opA, opB := m.events[ia].rec.Op, m.events[ib].rec.Op
	for i := range m.events {
		switch e := &m.events[i]; {
		case e.kind == kRead && e.part == part && e.rec.Offset == a:
			e.rec.Op = opB
		case e.kind == kRead && e.part == part && e.rec.Offset == b:
			e.rec.Op = opA
		case e.kind == kOutcome && e.op == opA && e.offset == a:
			e.offset = b
		case e.kind == kOutcome && e.op == opB && e.offset == b:
			e.offset = a
		}
	}
}

// one turns the first operation for which yes holds into a mutation.
func (m *mutator) one(yes func(Op) bool, change func(Op) want) (want, bool) {
	ops := m.ops(yes)
	if len(ops) == 0 {
		return want{}, false
	}
	return change(ops[0]), true
}

func TestEveryAnomalyIsFound(t *testing.T) {
	for _, mu := range mutations {
		t.Run(mu.name, func(t *testing.T) {
			applied := 0
			for seed := uint64(0); seed < 200 && applied < 50; seed++ {
				s := size{steps: 300 + int(seed)*5, partitions: 1 + int(seed%3), producers: 2 + int(seed%5), transactional: seed%2 == 0}
				m := newMutator(generate(seed, s), seed)
				w, ok := mu.change(m)
				if !ok {
					continue
				}
				applied++
				if !judged(t, m.play(), w) {
					t.Fatalf("seed %d", seed)
				}
			}
			if applied < 20 {
				t.Errorf("applied to %d histories only: the generator makes too few of what it needs", applied)
			}
		})
	}
}

func judged(t *testing.T, r Report, w want) bool {
	t.Helper()
	c := r.Check(w.check)
	if r.Verdict != Fail || c.Count == 0 {
		t.Errorf("want %s, got %s:\n%s", w.check, r.Verdict, r.Block())
		return false
	}
	got := c.Samples[0]
	if got.partition != w.part || got.Offset != w.offset || w.seq && (got.Seq != w.op.Seq || got.Producer == "") {
		t.Errorf("want %s at t-%d offset %d %v, the first is %s\n%s", w.check, w.part, w.offset, w.op, got, r.Block())
		return false
	}
	for _, other := range r.Checks {
		if !other.OK && other.ID != w.check && !slices.Contains(w.also, other.ID) {
			t.Errorf("want %s alone, found also:\n%s", w.check, r.Block())
			return false
		}
	}
	return true
}
