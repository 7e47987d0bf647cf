package check

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// coordinator is a correct coordinator with its group, driven by chance: members join, read, commit, hand over, are
// killed, and are paused until they are fenced.
type coordinator struct {
	r     *rand.Rand
	h     *history
	parts []shared
	epoch int32

	members []int // alive
	lives   int
	holds   []*hold
	commits int
	answers int // sessions of the audit and of holds
}

type shared struct {
	end       int64
	committed int64 // NoOffset for none
}

// hold is a partition in the hands of a member.
type hold struct {
	member, session int
	part            int32
	next            int64
	done            int64 // acknowledged
	placed          bool
	fenced          bool // the coordinator has given it to somebody else, and nobody has told it
	flight          int  // a commit on its way, and what it says
	says            int64
	landed          bool
}

// liveGroup makes a history of a group of members. Clean ones know only regular hand-overs.
func liveGroup(seed uint64, steps int, clean bool) *history {
	k := &coordinator{r: rand.New(rand.NewPCG(seed, 21)), h: &history{partitions: 1 + int(seed%4), doubtful: map[Op]bool{}}}
	k.h.producers = []Producer{{Name: "p", Acks: AcksAll}}
	g := Group{Name: "g", HandsOver: true}
	if !clean {
		g.MaxRedelivered, g.MayBeFenced = -1, true
	}
	k.h.groups = []Group{g}
	for range k.h.partitions {
		k.parts = append(k.parts, shared{committed: NoOffset})
	}
	for range 3 {
		k.start()
	}
	for p := range k.parts {
		k.give(int32(p))
	}
	for range steps {
		k.step(clean)
	}
	k.end()
	return k.h
}

func (k *coordinator) tell(e event) { k.h.events = append(k.h.events, e) }

func (k *coordinator) start() {
	k.tell(event{kind: kMember, member: k.lives, group: 1})
	k.members = append(k.members, k.lives)
	k.lives++
}

// give assigns a partition that nobody holds by right to some member.
func (k *coordinator) give(part int32) {
	k.epoch++
	m := k.members[k.r.IntN(len(k.members))]
	for slices.ContainsFunc(k.holds, func(h *hold) bool { return h.part == part && h.member == m }) {
		k.start() // who still holds it is not given it again
		m = k.lives - 1
	}
	h := &hold{member: m, session: k.answers, part: part}
	k.answers++
	k.holds = append(k.holds, h)
	k.tell(event{kind: kAssigned, member: m, session: h.session, part: part, epoch: k.epoch})
}

func (k *coordinator) place(h *hold) {
	if !h.placed {
		h.placed = true
		at := k.parts[h.part].committed
		h.next = max(at, 0)
		h.done = h.next
		k.tell(event{kind: kPositioned, session: h.session, part: h.part, offset: at, end: h.next})
	}
}

func (k *coordinator) step(clean bool) {
	h := k.holds[k.r.IntN(len(k.holds))]
	p := int32(k.r.IntN(len(k.parts)))
	switch n := k.r.IntN(100); {
	case n < 30:
		k.append(p)
	case n < 60:
		k.read(h, 1+k.r.Int64N(5))
	case n < 80:
		k.commit(h)
	case n < 84:
		k.tell(event{kind: kAsk, group: 1, part: p})
		k.tell(event{kind: kAnswer, group: 1, part: p, offset: k.parts[p].committed, result: Acked})
	case n < 92:
		k.handOver(h)
	case n < 94 && !clean:
		k.kill(h.member)
	case n < 97 && !clean:
		k.fence(h)
	case n < 100 && h.fenced:
		k.lose(h)
	}
}

func (k *coordinator) append(p int32) {
	op := Op{Partition: p, Seq: k.parts[p].end}
	k.tell(event{kind: kAttempt, op: op})
	k.tell(event{kind: kOutcome, op: op, result: Acked, offset: op.Seq})
	k.parts[p].end++
}

// read delivers some records. A fenced member has some in hand at most.
func (k *coordinator) read(h *hold, n int64) {
	if h.fenced && !h.placed {
		return
	}
	k.place(h)
	for ; n > 0 && h.next < k.parts[h.part].end; n-- {
		rec := Record{Offset: h.next, Op: Op{Partition: h.part, Seq: h.next}}
		k.tell(event{kind: kRead, session: h.session, group: 1, part: h.part, rec: rec})
		h.next++
	}
}

// commit moves the hold's commit on: it is sent, takes effect, is answered - or the answer is lost.
func (k *coordinator) commit(h *hold) {
	switch {
	case !h.placed:
	case h.flight == 0 && h.next > h.done:
		k.commits++
		h.flight, h.says, h.landed = k.commits, h.next, false
		k.tell(event{kind: kMemberCommit, session: h.session, part: h.part, offset: h.next, commit: h.flight})
	case h.flight > 0 && h.landed:
		k.answer(h, Acked)
	case h.flight > 0 && h.fenced:
		k.answer(h, Refused)
	case h.flight > 0:
		k.parts[h.part].committed, h.landed = h.says, true
	}
}

func (k *coordinator) answer(h *hold, r Result) {
	k.tell(event{kind: kCommitDone, commit: h.flight, result: r, group: 1, part: h.part, offset: h.says, session: h.session})
	if r == Acked {
		h.done = h.says
	}
	h.flight = 0
}

func (k *coordinator) drop(h *hold) {
	k.holds = slices.DeleteFunc(k.holds, func(o *hold) bool { return o == h })
}

// handOver takes a partition back regularly.
func (k *coordinator) handOver(h *hold) {
	if h.fenced {
		return
	}
	for h.placed && (h.flight > 0 || h.next > h.done) {
		k.commit(h)
	}
	k.tell(event{kind: kReleased, session: h.session, part: h.part, how: Revoked, offset: h.next})
	k.drop(h)
	k.give(h.part)
}

func (k *coordinator) kill(m int) {
	k.tell(event{kind: kFault, mark: fmt.Sprintf("SIGKILL of m%d", m)})
	var owed []int32
	for _, h := range slices.Clone(k.holds) {
		if h.member != m {
			continue
		}
		if h.flight > 0 {
			if !h.landed && !h.fenced && k.r.IntN(2) == 0 {
				k.parts[h.part].committed = h.says
			}
			k.answer(h, Unsure)
		}
		if !h.fenced {
			owed = append(owed, h.part)
		}
		k.drop(h)
	}
	k.tell(event{kind: kDied, member: m})
	k.members = slices.DeleteFunc(k.members, func(o int) bool { return o == m })
	k.start()
	for _, p := range owed {
		k.give(p)
	}
}

// fence gives what a silent member holds to others. A commit that was on its way is over by then, one way or the other.
func (k *coordinator) fence(h *hold) {
	m := h.member
	k.tell(event{kind: kFault, mark: fmt.Sprintf("SIGSTOP of m%d", m)})
	var owed []int32
	for _, o := range k.holds {
		if o.member == m && !o.fenced {
			o.fenced = true
			owed = append(owed, o.part)
		}
	}
	k.members = slices.DeleteFunc(k.members, func(o int) bool { return o == m })
	k.start()
	for _, p := range owed {
		k.give(p)
	}
}

func (k *coordinator) lose(h *hold) {
	for _, o := range slices.Clone(k.holds) {
		if o.member != h.member || !o.fenced {
			continue
		}
		for o.flight > 0 {
			k.commit(o)
		}
		k.tell(event{kind: kReleased, session: o.session, part: o.part, how: Lost, offset: o.next})
		k.drop(o)
	}
}

func (k *coordinator) end() {
	for _, h := range slices.Clone(k.holds) {
		if h.fenced {
			k.lose(h)
		}
	}
	for p := range k.parts {
		k.append(int32(p))
	}
	for _, h := range slices.Clone(k.holds) {
		k.read(h, 1<<30)
		for h.flight > 0 || h.next > h.done {
			k.commit(h)
		}
		k.tell(event{kind: kReleased, session: h.session, part: h.part, how: Revoked, offset: h.next})
	}
	k.tell(event{kind: kFinished, group: 1})
	for i := range k.parts {
		p, s := int32(i), k.answers+i
		k.tell(event{kind: kAsk, group: 1, part: p})
		k.tell(event{kind: kAnswer, group: 1, part: p, offset: k.parts[i].committed, result: Acked})
		k.tell(event{kind: kBounds, part: p, end: k.parts[i].end})
		k.tell(event{kind: kOpen, session: s, group: Audit, part: p})
		for o := range k.parts[i].end {
			k.tell(event{kind: kRead, session: s, group: Audit, part: p, rec: Record{Offset: o, Op: Op{Partition: p, Seq: o}}})
		}
		k.tell(event{kind: kReached, session: s, offset: k.parts[i].end})
	}
}

func TestGoodGroupsPass(t *testing.T) {
	ends, redelivered, clean := map[string]int64{}, int64(0), 0
	for seed := range uint64(400) {
		h := liveGroup(seed, 200+int(seed)*3, seed%3 == 0)
		r := h.play()
		if r.Verdict != Pass {
			t.Fatalf("seed %d: %s\n%s", seed, r.Verdict, r.Block())
		}
		g := r.Groups[0]
		var explained int64
		for _, e := range g.Ends {
			ends[e.How] += e.Count
			explained += e.Redelivered
		}
		if len(g.Handovers) < maxHandovers && explained > g.Redelivered {
			t.Fatalf("seed %d: %d redelivered, %d of them explained\n%s", seed, g.Redelivered, explained, r.Block())
		}
		redelivered += g.Redelivered
		if seed%3 == 0 {
			clean++
			if g.Redelivered != 0 {
				t.Fatalf("seed %d: a clean group got %d again", seed, g.Redelivered)
			}
		}
	}
	if ends["revoked"] < 1000 || ends["lost"] < 200 || ends["died"] < 200 || redelivered < 1000 {
		t.Errorf("the histories are too tame: %v, %d redelivered", ends, redelivered)
	}
	t.Log(ends, redelivered, "redelivered;", clean, "clean groups")
}

// memberMutation puts one anomaly into a history of a group.
type memberMutation struct {
	name   string
	clean  bool     // into one that knows regular hand-overs only
	check  string   // that has to find it
	why    string   // and says so with these words
	also   []string // what else follows
	change func(m *mutator) bool
}

// pick finds an event that yes holds for, any of them.
func (m *mutator) pick(yes func(i int, e event) bool) int {
	var found []int
	for i, e := range m.events {
		if yes(i, e) {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		return -1
	}
	return found[m.r.IntN(len(found))]
}

// next is the first event from i on that yes holds for, or -1.
func (m *mutator) next(i int, yes func(e event) bool) int {
	if n := slices.IndexFunc(m.events[i:], yes); n >= 0 {
		return i + n
	}
	return -1
}

// move puts event i right behind event j, which comes later.
func (m *mutator) move(i, j int) {
	e := m.events[i]
	m.events = slices.Delete(m.events, i, i+1)
	m.events = slices.Insert(m.events, j, e)
}

func released(how End) func(int, event) bool {
	return func(_ int, e event) bool { return e.kind == kReleased && e.how == how }
}

// contested finds the end of a hold whose partition had been given to somebody else before.
func (m *mutator) contested(how End) int {
	return m.pick(func(i int, e event) bool {
		if e.kind != kReleased || e.how != how {
			return false
		}
		from := slices.IndexFunc(m.events, func(a event) bool { return a.kind == kAssigned && a.session == e.session })
		to := slices.IndexFunc(m.events, func(a event) bool { return a.kind == kAssigned && a.part == e.part && a.session > e.session })
		return from >= 0 && to > from && to < i
	})
}

var memberMutations = []memberMutation{
	{name: "the position is behind what is committed", check: "V11", why: "moved back from", clean: true, change: func(m *mutator) bool {
		i := m.pick(func(_ int, e event) bool { return e.kind == kPositioned && e.offset > 0 })
		if i >= 0 {
			m.events[i].offset--
		}
		return i >= 0
	}},
	{name: "the position is forgotten", check: "V11", why: "no offset is committed", clean: true, change: func(m *mutator) bool {
		i := m.pick(func(_ int, e event) bool { return e.kind == kPositioned && e.offset > 0 })
		if i >= 0 {
			m.events[i].offset = NoOffset
		}
		return i >= 0
	}},
	{name: "a record is skipped by the position", check: "V2", why: "never delivered", also: []string{"V11"}, clean: true, change: func(m *mutator) bool {
		i := m.pick(func(i int, e event) bool {
			return e.kind == kPositioned && e.offset > 0 && m.next(i, func(n event) bool { return n.kind == kRead && n.session == e.session }) >= 0
		})
		if i < 0 {
			return false
		}
		s := m.events[i].session
		m.events[i].offset, m.events[i].end = m.events[i].end+1, m.events[i].end+1
		j := m.next(i, func(n event) bool { return n.kind == kRead && n.session == s })
		m.events = slices.Delete(m.events, j, j+1)
		return true
	}},
	{name: "a record of the group is not delivered", check: "V2", why: "never delivered", clean: true, change: func(m *mutator) bool {
		i := m.pick(func(_ int, e event) bool { return e.kind == kRead && e.group == 1 })
		m.events = slices.Delete(m.events, i, i+1)
		return true
	}, also: []string{"V11", "V14"}}, // where it was the last before a commit or the end of a hold, that one went too far
	{name: "a commit past what was delivered", check: "V11", why: "committed past what it was given", change: func(m *mutator) bool {
		i := m.pick(func(_ int, e event) bool { return e.kind == kMemberCommit })
		if i >= 0 {
			m.events[i].offset += 1000
		}
		return i >= 0
	}, also: []string{"V14"}},
	{name: "a member commits back", check: "V11", why: " after ", change: func(m *mutator) bool {
		i := m.pick(func(i int, e event) bool {
			return e.kind == kMemberCommit && slices.ContainsFunc(m.events[:i], func(b event) bool {
				return b.kind == kCommitDone && b.session == e.session && b.result == Acked
			})
		})
		if i >= 0 {
			m.events[i].offset = 0
		}
		return i >= 0
	}, also: []string{"V14"}},
	{name: "a partition has two owners for a while", check: "V13", why: "which was not fenced", clean: true, change: func(m *mutator) bool {
		i := m.pick(released(Revoked))
		e := m.events[i]
		j := m.next(i, func(n event) bool { return n.kind == kAssigned && n.part == e.part })
		if j < 0 {
			return false
		}
		m.move(i, j)
		return true
	}},
	{name: "a fenced member is never told", check: "V13", why: "which was not fenced", change: func(m *mutator) bool {
		i := m.contested(Lost)
		if i >= 0 {
			m.events[i].how = Revoked
		}
		return i >= 0
	}, also: []string{"V14"}},
	{name: "two owners to the end", check: "V13", why: "to the end", change: func(m *mutator) bool {
		i := m.contested(Lost)
		if i >= 0 {
			m.events = slices.Delete(m.events, i, i+1)
		}
		return i >= 0
	}},
	{name: "a partition is given twice to one member", check: "V13", why: "had not let it go", change: func(m *mutator) bool {
		i := m.pick(func(_ int, e event) bool { return e.kind == kPositioned })
		j := slices.IndexFunc(m.events, func(e event) bool { return e.kind == kAssigned && e.session == m.events[i].session })
		again := m.events[j]
		again.session = 999_999
		m.insert(i+1, again)
		return true
	}},
	{name: "an epoch goes back", check: "V13", why: "after it was given away in epoch", change: func(m *mutator) bool {
		i := m.pick(func(_ int, e event) bool { return e.kind == kAssigned && e.epoch > int32(m.partitions) })
		if i >= 0 {
			m.events[i].epoch = 0
		}
		return i >= 0
	}},
	{name: "a fenced member's commit is accepted", check: "V13", why: "was accepted that it sent after", also: []string{"V11"}, change: func(m *mutator) bool {
		i := m.pick(func(i int, e event) bool {
			sent := slices.IndexFunc(m.events, func(s event) bool { return s.kind == kMemberCommit && s.commit == e.commit })
			given := slices.IndexFunc(m.events, func(a event) bool { return a.kind == kAssigned && a.part == e.part && a.session > e.session })
			return e.kind == kCommitDone && e.result == Refused && given >= 0 && given < sent
		})
		if i >= 0 {
			m.events[i].result = Acked
		}
		return i >= 0
	}},
	{name: "revoked without a commit", check: "V14", why: "let it go at", clean: true, also: []string{"V11"}, change: func(m *mutator) bool {
		i := m.pick(func(_ int, e event) bool { return e.kind == kMemberCommit })
		j := m.next(i, func(e event) bool { return e.kind == kReleased && e.session == m.events[i].session })
		k := m.next(i+1, func(e event) bool { return e.kind == kMemberCommit && e.session == m.events[i].session })
		if k >= 0 && k < j {
			return false // not the last
		}
		id := m.events[i].commit
		m.drop(func(_ int, e event) bool { return (e.kind == kMemberCommit || e.kind == kCommitDone) && e.commit == id })
		return true
	}},
	{name: "revoked with a commit on its way", check: "V14", why: "with a commit on its way", clean: true, change: func(m *mutator) bool {
		i := m.pick(released(Revoked))
		s := m.events[i].session
		j := -1
		for n, e := range m.events[:i] {
			if e.kind == kCommitDone && e.session == s {
				j = n
			}
		}
		if j < 0 {
			return false
		}
		m.move(j, i)
		return true
	}},
	{name: "a commit after the partition was let go", check: "V14", why: "after it had let the partition go", clean: true, also: []string{"V11"}, change: func(m *mutator) bool {
		i := m.pick(released(Revoked))
		e := m.events[i]
		m.insert(i+1, event{kind: kMemberCommit, session: e.session, part: e.part, offset: e.offset, commit: 999_999},
			event{kind: kCommitDone, commit: 999_999, result: Acked, group: 1, part: e.part, offset: e.offset, session: e.session})
		return slices.ContainsFunc(m.events[:i], func(b event) bool { return b.kind == kPositioned && b.session == e.session })
	}},
	{name: "the owner is given a record twice", check: "V4", why: "nobody but it had the partition", also: []string{"V5", "V11", "V14"}, change: func(m *mutator) bool {
		seen := map[[2]int64]int{}
		i := m.pick(func(i int, e event) bool {
			key := [2]int64{int64(e.part), e.rec.Offset}
			if e.kind != kRead || e.group != 1 {
				return false
			}
			seen[key]++
			return seen[key] == 1 && m.next(i+1, func(n event) bool {
				return n.kind == kRead && n.part == e.part && n.group == 1 && n.rec.Offset == e.rec.Offset
			}) < 0
		})
		if i < 0 {
			return false
		}
		m.insert(i+1, m.events[i])
		return true
	}},
}

func TestEveryAnomalyOfAGroupIsFound(t *testing.T) {
	for _, mu := range memberMutations {
		t.Run(mu.name, func(t *testing.T) {
			applied := 0
			for seed := uint64(0); seed < 300 && applied < 50; seed++ {
				m := newMutator(liveGroup(seed, 200+int(seed)*3, mu.clean), seed)
				if !mu.change(m) {
					continue
				}
				applied++
				r := m.play()
				c := r.Check(mu.check)
				if r.Verdict != Fail || !slices.ContainsFunc(c.Samples, func(o Offender) bool { return strings.Contains(o.Why, mu.why) && !o.Allowed }) {
					t.Fatalf("seed %d: want %s with %q, got %s\n%s", seed, mu.check, mu.why, r.Verdict, r.Block())
				}
				for _, other := range r.Checks {
					if !other.OK && other.ID != mu.check && !slices.Contains(mu.also, other.ID) {
						t.Fatalf("seed %d: want %s alone, found also:\n%s", seed, mu.check, r.Block())
					}
				}
			}
			if applied < 20 {
				t.Errorf("applied to %d histories only: the generator makes too few of what it needs", applied)
			}
		})
	}
}
