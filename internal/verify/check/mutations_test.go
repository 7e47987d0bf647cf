package check

import "slices"

type mutation struct {
	name   string
	change func(m *mutator) (want, bool)
}

var mutations = []mutation{
	{"V1 an acknowledged record is gone", func(m *mutator) (want, bool) {
		return m.one(m.strong, func(op Op) want {
			m.drop(func(_ int, e event) bool { return e.kind == kRead && e.rec.Op == op })
			return want{check: "V1", part: op.Partition, offset: m.at[op][0], op: op, seq: true}
		})
	}},
	{"V1 another record took its place", func(m *mutator) (want, bool) {
		return m.one(m.strong, func(op Op) want {
			at := m.at[op][0]
			other := Op{Producer: op.Producer, Partition: op.Partition, Seq: 1 << 20}
			m.insert(0, event{kind: kAttempt, op: other})
			for i := range m.events {
				if e := &m.events[i]; e.kind == kRead && e.rec.Op == op {
					e.rec.Op = other
				}
			}
			return want{check: "V1", part: op.Partition, offset: at, op: op, seq: true, also: []string{"V5", "V7"}}
		})
	}},
	{"V1 the log lost its end", func(m *mutator) (want, bool) {
		return m.one(m.strong, func(op Op) want {
			at := m.at[op][0]
			m.events[m.bounds[op.Partition]].end = at
			m.events[m.ended[op.Partition]].offset = at
			m.drop(func(_ int, e event) bool {
				return e.kind == kRead && e.group == Audit && e.part == op.Partition && e.rec.Offset >= at
			})
			return want{check: "V1", part: op.Partition, offset: at, op: op, seq: true, also: []string{"V6", "V9"}}
		})
	}},
	{"V2 a finished group did not get it", func(m *mutator) (want, bool) {
		return m.one(m.single, func(op Op) want {
			m.drop(func(_ int, e event) bool { return e.kind == kRead && e.group == 2 && e.rec.Op == op })
			return want{check: "V2", part: op.Partition, offset: m.at[op][0], op: op, seq: true}
		})
	}},
	{"V2 a stopped group read past it", func(m *mutator) (want, bool) {
		m.groups = slices.Clone(m.groups)
		m.groups[0].MayStop, m.groups[1].MayStop = true, true
		return m.one(m.single, func(op Op) want {
			m.drop(func(_ int, e event) bool {
				return e.kind == kFinished || e.kind == kRead && e.group == 1 && e.rec.Op == op
			})
			return want{check: "V2", part: op.Partition, offset: m.at[op][0], op: op, seq: true}
		})
	}},
	{"V3 an idempotent record lies there twice", func(m *mutator) (want, bool) {
		return m.one(func(op Op) bool { return m.single(op) && m.producers[op.Producer].Idempotent }, func(op Op) want {
			return want{check: "V3", part: op.Partition, offset: m.grow(op.Partition, op), op: op, seq: true}
		})
	}},
	{"V4 delivered again where that is not allowed", func(m *mutator) (want, bool) {
		return m.one(m.single, func(op Op) want {
			i := slices.IndexFunc(m.events, func(e event) bool { return e.kind == kRead && e.group == 1 && e.rec.Op == op })
			again := m.events[i]
			again.session = 999_999
			m.insert(i+1, event{kind: kOpen, session: again.session, group: 1, part: again.part, offset: again.rec.Offset}, again)
			return want{check: "V4", part: op.Partition, offset: m.at[op][0], op: op, seq: true}
		})
	}},
	{"V5 two records of an idempotent producer changed places", func(m *mutator) (want, bool) {
		return m.one(func(op Op) bool {
			next := Op{op.Producer, op.Partition, op.Seq + 1}
			return m.producers[op.Producer].Idempotent && m.single(op) && m.single(next)
		}, func(op Op) want {
			b := m.at[Op{op.Producer, op.Partition, op.Seq + 1}][0]
			m.swap(op.Partition, m.at[op][0], b)
			return want{check: "V5", part: op.Partition, offset: b, op: op, seq: true, also: []string{"V6", "V7", "V8"}}
		})
	}},
	{"V5 a session's offsets go back", func(m *mutator) (want, bool) {
		return m.one(m.single, func(op Op) want {
			i := slices.IndexFunc(m.events, func(e event) bool { return e.kind == kRead && e.group == 2 && e.rec.Op == op })
			m.insert(i+1, m.events[i])
			return want{check: "V5", part: op.Partition, offset: m.at[op][0], op: op, seq: true}
		})
	}},
	{"V5 a session's epochs go back", func(m *mutator) (want, bool) {
		for i, e := range m.events {
			j := slices.IndexFunc(m.events[i+1:], func(n event) bool { return n.kind == kRead && n.session == e.session })
			if e.kind == kRead && e.group == 2 && j >= 0 {
				next := m.events[i+1+j]
				m.events[i].rec.Epoch = next.rec.Epoch + 1
				return want{check: "V5", part: e.part, offset: next.rec.Offset, op: next.rec.Op, seq: true}, true
			}
		}
		return want{}, false
	}},
	{"V6 acknowledged at an offset where it is not", func(m *mutator) (want, bool) {
		return m.one(func(op Op) bool {
			return m.strong(op) && m.at[op][0] > m.events[m.bounds[op.Partition]].offset
		}, func(op Op) want {
			at := m.at[op][0] - 1
			m.events[m.ackAt[op]].offset = at
			return want{check: "V6", part: op.Partition, offset: at, op: op, seq: true}
		})
	}},
	{"V6 two values at one offset", func(m *mutator) (want, bool) {
		return m.one(m.single, func(op Op) want {
			i := slices.IndexFunc(m.events, func(e event) bool { return e.kind == kRead && e.group == 1 && e.rec.Op == op })
			other := Op{Producer: op.Producer, Partition: op.Partition, Seq: 1 << 20}
			m.events[i].rec.Op = other
			m.insert(0, event{kind: kAttempt, op: other})
			return want{check: "V6", part: op.Partition, offset: m.at[op][0], also: []string{"V7"}}
		})
	}},
	{"V7 a refused record is there", func(m *mutator) (want, bool) {
		return m.one(func(op Op) bool {
			i := slices.IndexFunc(m.events, func(e event) bool { return e.kind == kOutcome && e.op == op })
			return i >= 0 && !m.bad[op] && len(m.at[op]) == 0 && m.first[op] > 0 && m.answered(op) && !slices.Contains(m.aborted, op)
		}, func(op Op) want {
			return want{check: "V7", part: op.Partition, offset: m.grow(op.Partition, op), op: op, seq: true, also: []string{"V5"}}
		})
	}},
	{"V7 a record that nobody sent", func(m *mutator) (want, bool) {
		return m.one(m.single, func(op Op) want {
			return want{check: "V7", part: op.Partition, offset: m.grow(op.Partition, Op{op.Producer, op.Partition, 1 << 40})}
		})
	}},
	{"V7 a record of another partition", func(m *mutator) (want, bool) {
		return m.one(func(op Op) bool { return m.single(op) && m.partitions > 1 }, func(op Op) want {
			part := (op.Partition + 1) % int32(m.partitions)
			return want{check: "V7", part: part, offset: m.grow(part, op)}
		})
	}},
	{"V7 a damaged record is served", func(m *mutator) (want, bool) {
		return m.one(m.single, func(op Op) want {
			at := m.at[op][0]
			m.events[m.logged[[2]int64{int64(op.Partition), at}]].rec.Corrupt = true
			return want{check: "V7", part: op.Partition, offset: at, also: []string{"V1", "V6"}}
		})
	}},
	{"V7 a record of a transaction that was given up", func(m *mutator) (want, bool) {
		if len(m.aborted) == 0 {
			return want{}, false
		}
		op := m.aborted[m.r.IntN(len(m.aborted))]
		return want{check: "V7", part: op.Partition, offset: m.grow(op.Partition, op), op: op, seq: true, also: []string{"V5", "V6"}}, true
	}},
	{"V7 open data is read as committed", func(m *mutator) (want, bool) {
		return m.one(func(op Op) bool { return m.strong(op) && m.producers[op.Producer].Transactional }, func(op Op) want {
			i := m.ackAt[op]
			at := m.at[op][0]
			m.groups = append(slices.Clone(m.groups), Group{Name: "early", ReadCommitted: true, MayStop: true})
			m.insert(i+1, event{kind: kOpen, session: 999_999, group: 3, part: op.Partition, offset: at},
				event{kind: kRead, session: 999_999, group: 3, part: op.Partition, rec: Record{Offset: at, Op: op}})
			return want{check: "V7", part: op.Partition, offset: at, op: op, seq: true}
		})
	}},
	{"V8 sent later, yet before", func(m *mutator) (want, bool) {
		var early Op
		return m.one(func(op Op) bool {
			if !m.strong(op) {
				return false
			}
			others := m.ops(func(o Op) bool {
				return o.Producer != op.Producer && o.Partition == op.Partition && m.strong(o) && m.ackAt[o] < m.first[op]-1
			})
			if len(others) > 0 && early == (Op{}) {
				early = others[0]
			}
			return len(others) > 0
		}, func(op Op) want {
			others := m.ops(func(o Op) bool {
				return o.Producer != op.Producer && o.Partition == op.Partition && m.strong(o) && m.ackAt[o] < m.first[op]-1
			})
			a, b := m.at[others[0]][0], m.at[op][0]
			m.swap(op.Partition, a, b)
			return want{check: "V8", part: op.Partition, offset: a, op: op, seq: true, also: []string{"V5", "V6", "V7"}}
		})
	}},
	{"V9 read once, then gone", func(m *mutator) (want, bool) {
		return m.one(func(op Op) bool {
			_, acked := m.ackAt[op]
			return !acked && m.single(op) && m.bad[op]
		}, func(op Op) want {
			m.drop(func(_ int, e event) bool { return e.kind == kRead && e.group == Audit && e.rec.Op == op })
			return want{check: "V9", part: op.Partition, offset: m.at[op][0], op: op, seq: true}
		})
	}},
	{"V11 no commit where one was acknowledged", func(m *mutator) (want, bool) {
		return m.answer(func(int64) int64 { return NoOffset })
	}},
	{"V11 a commit moved back", func(m *mutator) (want, bool) {
		return m.answer(func(v int64) int64 { return v - 1 })
	}},
	{"V11 a commit that nobody sent", func(m *mutator) (want, bool) {
		return m.answer(func(v int64) int64 { return v + 1 })
	}},
}

// answer changes one answer to the question for a committed offset.
func (m *mutator) answer(change func(int64) int64) (want, bool) {
	for i, e := range m.events {
		if e.kind == kAnswer && e.offset > 0 {
			m.events[i].offset = change(e.offset)
			return want{check: "V11", part: e.part, offset: m.events[i].offset}, true
		}
	}
	return want{}, false
}

// answered says whether every attempt of op had its outcome.
func (m *mutator) answered(op Op) bool {
	open := 0
	for _, e := range m.events {
		if e.op == op && e.kind == kAttempt {
			open++
		}
		if e.op == op && e.kind == kOutcome {
			open--
		}
	}
	return open == 0
}
