package check

import (
	"cmp"
	"fmt"
	"slices"
)

// Finish judges the run. It is called once, after everything was told.
func (c *Checker) Finish() Report {
	r := Report{
		Producers: make([]ProducerOps, len(c.producers)),
		Faults:    make([]FaultOps, len(c.marks)),
	}
	for i, p := range c.producers {
		r.Producers[i] = ProducerOps{Name: p.Name, Acks: p.Acks, Idempotent: p.Idempotent}
	}
	for i, m := range c.marks {
		r.Faults[i].Mark = m
	}
	judges := make([]judge, len(c.partitions))
	c.atEnd()
	if c.full {
		judges = nil // with a part of the reads missing everything would look lost; what was seen at once stands
	}
	for i := range judges {
		judges[i] = judge{c: c, r: &r, n: int32(i), p: &c.partitions[i]}
		judges[i].bounds()
		judges[i].log()
	}
	for i := range judges { // only now: a transaction may have shown itself in any partition
		judges[i].operations()
	}
	c.conclude(&r)
	return r
}

// judge is the work on one partition.
type judge struct {
	c *Checker
	r *Report
	n int32
	p *partition

	groups   []due
	unjudged int64 // acknowledged operations of which nothing can be said
}

// due is what a group has to have got of the partition.
type due struct {
	from  int64 // everything from here, if the group finished; else
	spans []span
}

type span struct{ from, to int64 }

// bounds finds how far the final log was read, and what each group is accountable for.
func (j *judge) bounds() {
	c, p := j.c, j.p
	spans := make([][]span, len(c.groups))
	for _, s := range c.sessions {
		if s.partition == j.n && s.from >= 0 { // a member that got no position read nothing
			spans[s.group] = append(spans[s.group], span{s.from, s.top})
		}
	}
	for g := range c.groups {
		list := merge(spans[g])
		d := due{spans: list}
		if c.groups[g].finished && len(list) > 0 {
			d.from = list[0].from
		}
		j.groups = append(j.groups, d)
	}
	p.audited = p.start
	for _, s := range j.groups[Audit].spans {
		if s.from <= p.audited {
			p.audited = max(p.audited, s.to)
		}
	}
	switch {
	case len(p.lanes) == 0 && len(p.log.pages) == 0:
	case !p.bounded:
		c.gap(p.name + ": where its log starts and ends was not told")
	case p.audited < p.end:
		c.gap(fmt.Sprintf("%s: its final log was read to offset %d of %d", p.name, p.audited, p.end))
	}
}

// merge sorts spans and joins those that touch.
func merge(list []span) []span {
	slices.SortFunc(list, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	var out []span
	for _, s := range list {
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// accountable says whether the group had to get what the log holds at offset.
func (j *judge) accountable(g int, offset int64) bool {
	d := &j.groups[g]
	if j.c.groups[g].finished {
		return offset >= d.from
	}
	i, _ := slices.BinarySearchFunc(d.spans, offset, func(s span, at int64) int {
		if s.to <= at {
			return -1
		}
		return 1
	})
	return i < len(d.spans) && d.spans[i].from <= offset
}

// inAudit says whether the audit would have met a record at offset.
func (j *judge) inAudit(offset int64) bool {
	return j.p.bounded && offset >= j.p.start && (offset < j.p.audited || offset >= j.p.end)
}

// log walks what was read, in the order of offsets.
func (j *judge) log() {
	j.p.log.each(func(offset int64, e *entry) {
		switch {
		case e.has(audited):
			j.logged(offset, e)
		case e.has(live) && j.inAudit(offset) && (offset < j.p.end || offset < j.p.readBefore):
			if j.c.count(v9, false, j.n, offset) {
				j.c.keep(v9, false, j.c.entryOffender(j.n, offset, *e, "read once, but the final log ("+text(j.p.start)+" to "+text(j.p.end)+") no longer holds it"))
			}
		}
	})
}

func (j *judge) logged(offset int64, e *entry) {
	c := j.c
	if e.producer() != stranger {
		j.sequence(offset, e)
	}
	for g := 1; g < len(c.groups); g++ {
		if c.groups[g].partitions[j.n].delivered.has(offset) || !j.accountable(g, offset) {
			continue
		}
		c.groups[g].undelivered++
		if c.count(v2, false, j.n, offset) {
			o := c.entryOffender(j.n, offset, *e, "in the log, but never delivered")
			o.Group = c.groups[g].Name
			c.keep(v2, false, o)
		}
	}
}

// sequence judges one record of the final log against those before it: is it there twice, is it in order?
func (j *judge) sequence(offset int64, e *entry) {
	c := j.c
	lane := j.p.lanes[e.producer()]
	o := lane.ops.get(e.seq)
	loose := !c.producers[e.producer()].Idempotent
	if o.has(inLog) {
		if c.count(v3, loose, j.n, offset) {
			c.keep(v3, loose, c.entryOffender(j.n, offset, *e, "in the log before, at offset "+text(o.where-1)))
		}
		return
	}
	o.set(inLog)
	o.where = offset + 1
	if pr := &c.producers[e.producer()]; pr.Transactional {
		if n := lane.txn(e.seq); n >= 0 && (pr.txns[n] == txnUnsure || pr.txns[n] == txnCommitting) {
			pr.txns[n] = txnCommitted // one record is there, so all have to be
		}
	}
	if e.seq+1 >= lane.last {
		lane.last = e.seq + 1
	} else if c.count(v5, loose, j.n, offset) {
		c.keep(v5, loose, c.entryOffender(j.n, offset, *e, "in the log after seq "+text(lane.last-1)+" of the same producer"))
	}
}

// operations walks what was sent.
func (j *judge) operations() {
	for producer, lane := range j.p.lanes {
		if lane == nil {
			continue
		}
		lane.ops.each(func(seq int64, o *operation) {
			if o.has(attempted) {
				j.operation(Op{Producer: int32(producer), Partition: j.n, Seq: seq}, lane, o)
			}
		})
	}
	if j.unjudged > 0 {
		j.c.gap(fmt.Sprintf("%s: nothing can be said of %s acknowledged records", j.p.name, number(j.unjudged)))
	}
}

func (j *judge) operation(op Op, lane *lane, o *operation) {
	ops := Ops{Sent: 1}
	found := o.has(inLog)
	if found {
		ops.Found = 1
	}
	fate, aborted := j.fate(op, lane, o)
	if o.has(acked) && found {
		j.place(op, o)
	}
	switch fate {
	case Acked:
		ops.Acked = 1
		if !found {
			j.missing(op, o, &ops)
		}
	case Refused:
		ops.Failed = 1
		j.refused(op, o, aborted)
	default:
		ops.Unknown = 1
		ops.UnknownFound = ops.Found
	}
	if fate != Acked && !found {
		ops.MissingTold = 1
	}
	j.realTime(op, o, fate)
	j.r.Ops.add(ops)
	j.r.Producers[op.Producer].add(ops)
	if o.mark > 0 {
		j.r.Faults[o.mark-1].add(ops)
	}
}

// fate is the outcome of an operation and of the transaction it belongs to.
func (j *judge) fate(op Op, lane *lane, o *operation) (fate Result, aborted bool) {
	pr := &j.c.producers[op.Producer]
	fate = o.fate()
	if !pr.Transactional {
		return fate, false
	}
	n := lane.txn(op.Seq)
	switch {
	case n < 0 || pr.txns[n] == txnOpen || pr.txns[n] == txnAborted:
		return Refused, true
	case pr.txns[n] != txnCommitted && fate == Acked:
		return Unsure, false
	}
	return fate, false
}

// place judges an acknowledged operation that the log holds: is it where it was said to be?
func (j *judge) place(op Op, o *operation) {
	at := o.acked - 1
	if at < 0 || !j.inAudit(at) {
		return
	}
	if e := j.p.log.get(at); e != nil && e.has(audited) && e.producer() == op.Producer && e.seq == op.Seq {
		return
	}
	weak := j.c.producers[op.Producer].Acks != AcksAll
	if j.c.count(v6, weak, j.n, at) {
		j.c.keep(v6, weak, j.c.offender(op, o, at, "acknowledged here, but it lies at offset "+text(o.where-1)))
	}
}

// missing judges an acknowledged operation that the final log does not hold.
func (j *judge) missing(op Op, o *operation, ops *Ops) {
	at := o.acked - 1
	if at < 0 {
		at = o.where - 1
	}
	switch {
	case at < 0 && o.floor < j.p.start, at >= 0 && at < j.p.start:
		ops.Expired = 1
	case at >= j.p.end && j.readLater(op, at):
		ops.Found = 1
	case !j.p.bounded, at < 0 && j.p.audited < j.p.end, at >= 0 && !j.inAudit(at):
		j.unjudged++
	default:
		ops.Lost = 1
		weak := j.c.producers[op.Producer].Acks != AcksAll
		if j.c.count(v1, weak, j.n, at) {
			j.c.keep(v1, weak, j.c.offender(op, o, at, j.lost(at)))
		}
	}
}

// readLater says whether op was read beyond the final end, after that was told: then it lay there, and the end was
// asked for too early (acks=1 is answered before the high watermark passes).
func (j *judge) readLater(op Op, at int64) bool {
	e := j.p.log.get(at)
	return at >= j.p.readBefore && e != nil && e.has(live) && e.producer() == op.Producer && e.seq == op.Seq
}

// lost says what is there instead.
func (j *judge) lost(at int64) string {
	switch e := j.p.log.get(max(at, 0)); {
	case at < 0:
		return "acknowledged without an offset, and nowhere in the log"
	case at >= j.p.end:
		return "acknowledged, but the log ends at " + text(j.p.end)
	case e != nil && e.has(audited):
		return "acknowledged, but the log holds " + j.c.value(*e) + " there"
	default:
		return "acknowledged, but the log holds nothing there"
	}
}

func (j *judge) refused(op Op, o *operation, aborted bool) {
	at := o.where - 1
	if !o.has(seen) && !o.has(inLog) || j.p.log.get(at).has(phantom) {
		return
	}
	why := "read, though every attempt to send it was refused"
	if aborted {
		why = "read as committed, though its transaction was given up"
	}
	if j.c.count(v7, false, j.n, at) {
		j.c.keep(v7, false, j.c.offender(op, o, at, why))
	}
}

// realTime judges an operation against the acknowledgements that came before it was sent.
func (j *judge) realTime(op Op, o *operation, fate Result) {
	at := o.where - 1
	if !o.has(inLog) {
		at = o.acked - 1
	}
	if fate == Refused || at < 0 || at >= o.floor-1 {
		return
	}
	weak := !o.has(inLog) && j.c.producers[op.Producer].Acks != AcksAll
	if j.c.count(v8, weak, j.n, at) {
		j.c.keep(v8, weak, j.c.offender(op, o, at, "sent after offset "+text(o.floor-1)+" was acknowledged"))
	}
}

func (o *Ops) add(b Ops) {
	o.Sent += b.Sent
	o.Acked += b.Acked
	o.Failed += b.Failed
	o.Unknown += b.Unknown
	o.UnknownFound += b.UnknownFound
	o.Found += b.Found
	o.Expired += b.Expired
	o.Lost += b.Lost
	o.MissingTold += b.MissingTold
}

// conclude writes the report from what was found.
func (c *Checker) conclude(r *Report) {
	for i := 1; i < len(c.groups); i++ {
		g := &c.groups[i]
		if !g.finished && !g.MayStop {
			c.gap("group " + g.Name + " was not given the time to read everything")
		}
		reads := GroupReads{Name: g.Name, Finished: g.finished, Redelivered: g.redelivered, Undelivered: g.undelivered}
		for j := range g.partitions {
			reads.Delivered += g.partitions[j].delivered.count()
		}
		c.handovers(int32(i), &reads)
		r.Groups = append(r.Groups, reads)
	}
	if r.Ops.Acked == 0 {
		c.gap("nothing was acknowledged")
	}
	r.Checks, r.Gaps, r.Notes, r.StateBytes = c.Checks(), c.gaps, c.notes, c.bytes
	r.Verdict = Pass
	if len(r.Gaps) > 0 {
		r.Verdict = Inconclusive
	}
	for _, k := range r.Checks {
		if !k.OK {
			r.Verdict = Fail
		}
	}
}

// Checks is what was found so far. During a run that is what can be seen at once: within sessions, two values at an
// offset, strangers, redelivery, commits, owners. V13 and V14 are there where a member was told of.
func (c *Checker) Checks() []Check {
	n := checks
	if len(c.members) == 0 {
		n = v13
	}
	out := make([]Check, n)
	for i := range out {
		f := c.findings[i]
		out[i] = Check{
			ID: checkNames[i][0], Name: checkNames[i][1],
			Count: f[0].count, Allowed: f[1].count, OK: f[0].count == 0,
			Samples: slices.Concat(f[0].samples, f[1].samples),
		}
	}
	return out
}
