package check

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// An event is one call of the feed, kept so that a history can be changed before it is told.
type event struct {
	kind    kind
	op      Op
	result  Result
	offset  int64 // also next, from, committed offset
	end     int64
	session int // number of the session within the history
	group   int32
	part    int32
	rec     Record
	commit  int // number of the commit within the history
	mark    string
	member  int // number of the member within the history
	epoch   int32
	how     End
}

type kind int

const (
	kAttempt kind = iota
	kOutcome
	kOpen
	kRead
	kReached
	kFinished
	kBounds
	kCommit
	kCommitDone
	kAsk
	kAnswer
	kFault
	kTxnCommitting
	kTxnCommitted
	kTxnAborted
	kMember
	kAssigned
	kPositioned // offset: committed, end: where it reads from
	kReleased
	kDied
	kMemberCommit
)

// history is a whole run.
type history struct {
	partitions int
	producers  []Producer
	groups     []Group // without the audit
	events     []event
	aborted    []Op        // appended within a transaction that was given up
	doubtful   map[Op]bool // appended within a transaction of which nobody learned whether it was committed
}

// play tells the history to a new checker.
func (h *history) play() Report {
	c := h.tell()
	return c.Finish()
}

func (h *history) tell() *Checker {
	o := Options{}
	for i := range h.partitions {
		o.Partitions = append(o.Partitions, fmt.Sprintf("t-%d", i))
	}
	c := New(o)
	for _, p := range h.producers {
		c.AddProducer(p)
	}
	for _, g := range h.groups {
		c.AddGroup(g)
	}
	sessions, commits, members := map[int]Session{}, map[int]Commit{}, map[int]Member{}
	for _, e := range h.events {
		switch e.kind {
		case kAttempt:
			c.Attempt(e.op)
		case kOutcome:
			c.Outcome(e.op, e.result, e.offset)
		case kOpen:
			sessions[e.session] = c.Open(e.group, e.part, e.offset)
		case kRead:
			c.Read(sessions[e.session], e.rec)
		case kReached:
			c.Reached(sessions[e.session], e.offset)
		case kFinished:
			c.Finished(e.group)
		case kBounds:
			c.Bounds(e.part, e.offset, e.end)
		case kCommit:
			commits[e.commit] = c.CommitSent(e.group, e.part, e.offset)
		case kCommitDone:
			c.CommitDone(commits[e.commit], e.result)
		case kAsk:
			c.CommittedAsked(e.group, e.part)
		case kAnswer:
			c.CommittedAnswered(e.group, e.part, e.offset, e.result == Acked)
		case kFault:
			c.Fault(Mark{Name: e.mark})
		case kTxnCommitting:
			c.TxnCommitting(e.op.Producer)
		case kTxnCommitted:
			c.TxnCommitted(e.op.Producer, e.result)
		case kTxnAborted:
			c.TxnAborted(e.op.Producer)
		case kMember:
			members[e.member] = c.AddMember(e.group, fmt.Sprintf("m%d", e.member))
		case kAssigned:
			sessions[e.session] = c.Assigned(members[e.member], e.part, e.epoch)
		case kPositioned:
			c.Positioned(sessions[e.session], e.offset, e.end)
		case kReleased:
			c.Released(sessions[e.session], e.how)
		case kDied:
			c.Died(members[e.member])
		case kMemberCommit:
			commits[e.commit] = c.MemberCommits(sessions[e.session], e.offset)
		}
	}
	return c
}

// clone copies what a mutation may change.
func (h *history) clone() *history {
	out := *h
	out.events = slices.Clone(h.events)
	return &out
}

// size says how large a generated history is.
type size struct {
	steps, partitions, producers int
	transactional                bool // a producer of transactions too, whose records only committed readers skip
}

// broker is a correct broker and its clients, driven by chance: idempotent producers are deduplicated and in order,
// plain ones leave duplicates and late records behind, leaders die, answers get lost, retention moves the start.
type broker struct {
	r     *rand.Rand
	size  size
	h     *history
	parts []brokerPart
	pend  []flight
	seqs  map[[2]int32]int64 // next sequence a producer and partition
	at    map[Op]int64       // where an idempotent operation was appended
	held  map[[2]int32]bool  // lanes with a request on its way: a producer sends in order
	dead  map[int32]bool
	txn   []Op // the open transaction of producer 0

	readers  []reader
	sessions int
	commits  int
}

type brokerPart struct {
	start int64
	end   int64
	epoch int32
	recs  []logged // by offset, with gaps
}

type logged struct {
	rec     Record
	aborted bool // never shown to committed readers
	open    bool
}

// flight is a request on its way: it may be appended, then answered, or either may be lost.
type flight struct {
	op       Op
	appended bool
	offset   int64
	late     bool // its answer was lost: only an append can come of it
	tries    int
}

type reader struct {
	group   int32
	part    int32
	session int
	next    int64
	done    int64 // committed
	commits bool
}

func generate(seed uint64, s size) *history {
	b := &broker{
		r: rand.New(rand.NewPCG(seed, 7)), size: s, h: &history{partitions: s.partitions, doubtful: map[Op]bool{}},
		parts: make([]brokerPart, s.partitions), seqs: map[[2]int32]int64{}, at: map[Op]int64{},
		held: map[[2]int32]bool{}, dead: map[int32]bool{},
	}
	for range s.producers {
		b.addProducer()
	}
	b.h.groups = []Group{
		{Name: "assigned", MaxRedelivered: 0, ReadCommitted: true},
		{Name: "committing", MaxRedelivered: -1, ReadCommitted: true},
	}
	for g := range int32(2) {
		for p := range int32(s.partitions) {
			b.readers = append(b.readers, reader{group: g + 1, part: p, session: -1, commits: g == 1})
		}
	}
	for range s.steps {
		b.step()
	}
	b.heal()
	return b.h
}

func (b *broker) addProducer() {
	n := len(b.h.producers)
	p := Producer{Name: fmt.Sprintf("p%d", n), Acks: AcksAll, Idempotent: n%3 != 2}
	if n%5 == 4 {
		p.Acks = 1
		p.Idempotent = false
	}
	p.Transactional = n == 0 && b.size.transactional
	b.h.producers = append(b.h.producers, p)
}

func (b *broker) tell(e event) { b.h.events = append(b.h.events, e) }

func (b *broker) step() {
	switch n := b.r.IntN(100); {
	case n < 40:
		b.send()
	case n < 75:
		b.move()
	case n < 92:
		b.read(&b.readers[b.r.IntN(len(b.readers))])
	case n < 95:
		b.commit(&b.readers[b.r.IntN(len(b.readers))])
	case n < 96:
		b.restart(&b.readers[b.r.IntN(len(b.readers))])
	case n < 98:
		b.endTxn()
	case n == 98 && b.r.IntN(10) == 0:
		b.kill()
	case n == 99 && b.r.IntN(10) == 0:
		b.fail()
	}
}

func (b *broker) send() {
	p, part := int32(b.r.IntN(len(b.h.producers))), int32(b.r.IntN(b.size.partitions))
	lane := [2]int32{p, part}
	if b.dead[p] || b.held[lane] && b.h.producers[p].Idempotent {
		return
	}
	op := Op{Producer: p, Partition: part, Seq: b.seqs[lane]}
	b.seqs[lane]++
	b.held[lane] = true
	b.tell(event{kind: kAttempt, op: op})
	b.pend = append(b.pend, flight{op: op})
}

// move lets one request make progress: append, answer, loss, refusal, retry.
func (b *broker) move() {
	if len(b.pend) == 0 {
		return
	}
	i := b.r.IntN(len(b.pend))
	f := &b.pend[i]
	drop := func() {
		b.held[[2]int32{f.op.Producer, f.op.Partition}] = false
		b.pend = slices.Delete(b.pend, i, i+1)
	}
	idempotent := b.h.producers[f.op.Producer].Idempotent
	chance := b.r.IntN(100)
	switch {
	case f.late:
		if chance < 50 {
			b.append(f)
		}
		drop()
	case !f.appended && chance < 90:
		b.append(f)
	case !f.appended && chance < 94:
		b.tell(event{kind: kOutcome, op: f.op, result: Refused, offset: NoOffset})
		if f.tries < 2 && chance%2 == 0 {
			f.tries++
			b.tell(event{kind: kAttempt, op: f.op})
			return
		}
		drop()
	case f.appended && chance < 85:
		b.tell(event{kind: kOutcome, op: f.op, result: Acked, offset: f.offset})
		drop()
	default:
		b.unsure(f, idempotent, drop)
	}
}

func (b *broker) unsure(f *flight, idempotent bool, drop func()) {
	b.tell(event{kind: kOutcome, op: f.op, result: Unsure, offset: NoOffset})
	switch {
	case f.tries < 3 && b.r.IntN(3) > 0:
		again := flight{op: f.op, tries: f.tries + 1}
		b.tell(event{kind: kAttempt, op: f.op})
		if idempotent || f.appended || b.h.producers[f.op.Producer].Acks != AcksAll {
			*f = again
			return
		}
		f.late = true
		b.pend = append(b.pend, again)
	case !idempotent && !f.appended:
		f.late = true
	default:
		drop()
	}
}

func (b *broker) append(f *flight) {
	p := &b.parts[f.op.Partition]
	pr := b.h.producers[f.op.Producer]
	if at, ok := b.at[f.op]; ok && pr.Idempotent {
		f.appended, f.offset = true, at
		return
	}
	p.recs = append(p.recs, logged{rec: Record{Offset: p.end, Epoch: p.epoch, Op: f.op}, open: pr.Transactional})
	b.at[f.op] = p.end
	f.appended, f.offset = true, p.end
	p.end++
	if pr.Transactional {
		b.txn = append(b.txn, f.op)
	}
}

// endTxn ends the transaction of producer 0 once nothing of it is on its way; its marker takes an offset.
func (b *broker) endTxn() {
	if !b.size.transactional || b.dead[0] || slices.ContainsFunc(b.pend, func(f flight) bool { return f.op.Producer == 0 }) {
		return
	}
	if len(b.txn) == 0 {
		return
	}
	commit := b.r.IntN(3) > 0
	if commit {
		b.tell(event{kind: kTxnCommitting})
	} else {
		b.tell(event{kind: kTxnAborted})
	}
	result := Acked
	if b.r.IntN(4) == 0 {
		result = Unsure
		for _, op := range b.txn {
			b.h.doubtful[op] = true
		}
	}
	b.settle(!commit)
	if commit {
		b.tell(event{kind: kTxnCommitted, result: result})
	}
}

func (b *broker) settle(aborted bool) {
	b.txn = nil
	for i := range b.parts {
		p := &b.parts[i]
		touched := false
		for j := range p.recs {
			if l := &p.recs[j]; l.open {
				l.open, l.aborted, touched = false, aborted, true
				if aborted {
					b.h.aborted = append(b.h.aborted, l.rec.Op)
				}
			}
		}
		if touched {
			p.end++
		}
	}
}

// stable is where committed readers stop: at the first open record.
func (p *brokerPart) stable() int64 {
	for _, l := range p.recs {
		if l.open {
			return l.rec.Offset
		}
	}
	return p.end
}

func (b *broker) read(r *reader) {
	if r.session < 0 {
		r.session = b.sessions
		b.sessions++
		b.tell(event{kind: kOpen, session: r.session, group: r.group, part: r.part, offset: r.next})
	}
	p := &b.parts[r.part]
	limit := min(p.stable(), r.next+int64(1+b.r.IntN(20)))
	for _, l := range p.recs {
		if l.rec.Offset >= r.next && l.rec.Offset < limit && !l.aborted {
			b.tell(event{kind: kRead, session: r.session, rec: l.rec, part: r.part, group: r.group})
		}
	}
	r.next = max(r.next, limit)
	b.tell(event{kind: kReached, session: r.session, offset: r.next})
}

func (b *broker) commit(r *reader) {
	if !r.commits {
		return
	}
	b.commits++
	b.tell(event{kind: kCommit, group: r.group, part: r.part, offset: r.next, commit: b.commits})
	b.tell(event{kind: kCommitDone, commit: b.commits, result: Acked, group: r.group, part: r.part, offset: r.next})
	r.done = r.next
}

// restart is a reader that dies and comes back where it committed.
func (b *broker) restart(r *reader) {
	if !r.commits || r.done == 0 {
		return
	}
	b.tell(event{kind: kAsk, group: r.group, part: r.part})
	b.tell(event{kind: kAnswer, group: r.group, part: r.part, offset: r.done, result: Acked})
	r.next, r.session = r.done, -1
}

// kill ends a producer; a new one takes its place. What it had on its way may still land.
func (b *broker) kill() {
	p := int32(b.r.IntN(len(b.h.producers)))
	if b.dead[p] || p == 0 && b.size.transactional || len(b.h.producers) > 12 {
		return
	}
	b.dead[p] = true
	b.addProducer()
	for i := range b.pend {
		if b.pend[i].op.Producer == p {
			b.pend[i].late = true
		}
	}
}

// fail is a leader's death: a new epoch, and every request of the partition is unsure.
func (b *broker) fail() {
	n := int32(b.r.IntN(len(b.parts)))
	b.parts[n].epoch++
	b.tell(event{kind: kFault, mark: fmt.Sprintf("SIGKILL leader of t-%d", n)})
}

// heal ends everything: answers come or never will, groups read on to the end, the log is audited.
func (b *broker) heal() {
	b.tell(event{kind: kFault, mark: "healed"})
	b.pend = nil
	b.settle(true)
	for i := range b.parts {
		p := &b.parts[i]
		if b.r.IntN(2) == 0 { // retention, after the groups were done
			p.start = b.r.Int64N(p.end/4 + 1)
		}
	}
	for i := range b.readers {
		for b.readers[i].next < b.parts[b.readers[i].part].end || b.readers[i].session < 0 {
			b.read(&b.readers[i])
		}
	}
	b.tell(event{kind: kFinished, group: 1})
	b.tell(event{kind: kFinished, group: 2})
	for i := range b.parts {
		p := &b.parts[i]
		b.tell(event{kind: kBounds, part: int32(i), offset: p.start, end: p.end})
		b.tell(event{kind: kOpen, session: b.sessions, group: Audit, part: int32(i), offset: p.start})
		for _, l := range p.recs {
			if l.rec.Offset >= p.start && !l.aborted {
				b.tell(event{kind: kRead, session: b.sessions, rec: l.rec, part: int32(i), group: Audit})
			}
		}
		b.tell(event{kind: kReached, session: b.sessions, offset: p.end})
		b.sessions++
	}
}
