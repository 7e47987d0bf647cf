package check

// read takes one record in: what holds within its session is judged at once, the rest when the run is over.
func (c *Checker) read(s *session, r Record) {
	p, g := &c.partitions[s.partition], &c.groups[s.group]
	e, o, why := c.identify(s.partition, r)
	c.inSession(s, r, e)

	at := p.log.at(r.Offset, &c.bytes)
	switch {
	case !at.has(present):
		*at = e
	case !at.same(e):
		c.conflicts(s, r.Offset, at, e)
	}
	if why != "" {
		c.phantom(s, r.Offset, at, e, why)
	}
	hidden := o != nil && c.producers[r.Op.Producer].Transactional && !g.ReadCommitted
	if o != nil && !hidden {
		if c.unsettled(r.Op) {
			c.phantom(s, r.Offset, at, e, "read as committed while its transaction was still open, or given up")
		}
		if !o.has(seen) {
			o.set(seen)
			o.where = r.Offset + 1
		}
	}
	if s.group == Audit {
		at.word |= audited
		return
	}
	if !hidden {
		at.word |= live
		p.read = max(p.read, r.Offset+1)
	}
	c.deliver(s, r.Offset, e)
}

// identify says what the record is: an operation that was sent to this partition, or a stranger and why.
func (c *Checker) identify(partition int32, r Record) (entry, *operation, string) {
	foreign := entry{seq: -1, epoch: r.Epoch, word: stranger<<8 | present}
	if r.Corrupt {
		return foreign, nil, "what was read is not a record of this run, or is damaged"
	}
	if r.Op.Partition != partition {
		foreign.seq = r.Op.Seq
		return foreign, nil, "a record that was sent to another partition: " + c.partitionName(r.Op.Partition)
	}
	o := c.op(r.Op)
	if o == nil {
		foreign.seq = r.Op.Seq
		return foreign, nil, "a record that nobody sent: producer " + text(int64(r.Op.Producer)) + " seq " + text(r.Op.Seq)
	}
	return entry{seq: r.Op.Seq, epoch: r.Epoch, word: uint32(r.Op.Producer)<<8 | present}, o, ""
}

func (c *Checker) partitionName(n int32) string {
	if n < 0 || int(n) >= len(c.partitions) {
		return "number " + text(int64(n))
	}
	return c.partitions[n].name
}

// inSession judges offset and epoch against what the session was given before. A jump back counts once.
func (c *Checker) inSession(s *session, r Record, e entry) {
	why := ""
	switch {
	case r.Offset < s.next:
		why = "read when the session's position was " + text(s.next)
	case r.Epoch >= 0 && r.Epoch < s.epoch:
		why = "read after epoch " + text(int64(s.epoch)) + " in the same session"
	}
	if why != "" && c.count(v5, false, s.partition, r.Offset) {
		o := c.entryOffender(s.partition, r.Offset, e, why)
		o.Group = c.groups[s.group].Name
		c.keep(v5, false, o)
	}
	s.move(r.Offset + 1)
	if r.Epoch >= 0 {
		s.epoch = r.Epoch
	}
}

// conflicts has found another value at an offset. Each offset counts once; what the final log holds stays.
func (c *Checker) conflicts(s *session, offset int64, at *entry, e entry) {
	if !at.has(conflict) && c.count(v6, false, s.partition, offset) {
		c.keep(v6, false, c.entryOffender(s.partition, offset, e, "read here, where "+c.value(*at)+" was read before"))
	}
	kept := at.word & (live | audited | phantom)
	if s.group == Audit && !at.has(audited) {
		*at = e
	}
	at.word |= kept | conflict
}

func (c *Checker) phantom(s *session, offset int64, at *entry, e entry, why string) {
	if at.has(phantom) {
		return
	}
	at.word |= phantom
	if c.count(v7, false, s.partition, offset) {
		o := c.entryOffender(s.partition, offset, e, why)
		o.Group = c.groups[s.group].Name
		c.keep(v7, false, o)
	}
}

// unsettled says whether op belongs to a transaction of which nobody can know yet that it commits.
func (c *Checker) unsettled(op Op) bool {
	pr := &c.producers[op.Producer]
	if !pr.Transactional {
		return false
	}
	n := c.partitions[op.Partition].lanes[op.Producer].txn(op.Seq)
	return n >= 0 && (pr.txns[n] == txnOpen || pr.txns[n] == txnAborted)
}

func (c *Checker) deliver(s *session, offset int64, e entry) {
	g := &c.groups[s.group]
	if !g.partitions[s.partition].delivered.add(offset, &c.bytes) {
		return
	}
	if s.tenure != none {
		c.redelivered(s, offset, e)
		return
	}
	allowed := g.MaxRedelivered < 0 || g.redelivered < g.MaxRedelivered
	g.redelivered++
	if c.count(v4, allowed, s.partition, offset) {
		o := c.entryOffender(s.partition, offset, e, "delivered again")
		o.Group = g.Name
		c.keep(v4, allowed, o)
	}
}
