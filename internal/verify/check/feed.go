package check

// Op names one operation: the Seq-th record (from 0) that a producer sent to a partition. All three travel in the record.
type Op struct {
	Producer  int32 // as AddProducer numbered it
	Partition int32 // index into Options.Partitions
	Seq       int64
}

// Result is what one attempt came to.
type Result uint8

// The results of an attempt, of a commit or of the end of a transaction.
const (
	Acked   Result = iota + 1
	Refused        // it did not happen and never will
	Unsure         // nobody knows: timeout, cut connection, error after the append
)

// NoOffset stands for an offset that is not known: acks=0, a duplicate answered without one, no commit yet.
const NoOffset int64 = -1

// AcksAll is the acks setting that makes an acknowledgement a promise.
const AcksAll int16 = -1

// Options of a Checker.
type Options struct {
	Partitions []string // names for the report, such as "orders-0"; a partition is told by its index here
	Samples    int      // offenders kept a check; 0 means 20
	MaxBytes   int64    // bound on the memory held in pages, in bytes; 0 means 2 GiB
}

// Producer is one incarnation of a producer.
type Producer struct {
	Name          string // for the report, such as "p0" or "p0/2"
	Acks          int16  // -1, 0 or 1
	Idempotent    bool
	Transactional bool
}

// Audit is the group that reads the final log. It exists from the start.
const Audit int32 = 0

// Group is a consumer group, or a reader with assigned partitions.
type Group struct {
	Name          string
	ReadCommitted bool
	// MaxRedelivered is how many deliveries of an offset already delivered are within the promise: 0 for exactly once
	// and for a clean bounce, -1 for any number.
	MaxRedelivered int64
	// MayStop groups need not finish: they are judged only on what their sessions read past.
	MayStop bool
	// HandsOver says that its members commit all they got before they let go of a partition that is asked back.
	HandsOver bool
	// MayBeFenced says that the run does to members or coordinators what lets a coordinator give a member up, so that a
	// commit may fail although its member lives.
	MayBeFenced bool
}

// Record is one record as a reader got it.
type Record struct {
	Offset  int64
	Epoch   int32 // leader epoch of its batch, -1 if not known
	Op      Op    // as the record itself says
	Corrupt bool  // the record says nothing that can be trusted: bad magic, bad checksum, another run. Op is ignored.
}

// Mark is a moment in the run that the report names: a fault, its healing.
type Mark struct {
	Name string `json:"name"`    // such as "SIGKILL node 1"
	AtMs int64  `json:"time_ms"` // as the caller counts; only repeated in the report
}

// Session is one reader's hold of one partition: from assignment to revocation, or to the death of the reader.
type Session int32

// AddProducer makes a producer known and returns its number, counted from 0.
func (c *Checker) AddProducer(p Producer) int32 {
	c.producers = append(c.producers, producer{Producer: p})
	return int32(len(c.producers) - 1)
}

// Attempt tells that op is about to be sent, or sent again. Tell it before the request leaves.
//
// Another attempt before the outcome of the last one makes that one Unsure.
func (c *Checker) Attempt(op Op) {
	if !c.known(op) || !c.room() {
		return
	}
	p := &c.partitions[op.Partition]
	pr := &c.producers[op.Producer]
	lane := p.lane(op.Producer)
	o := lane.ops.at(op.Seq, &c.bytes)
	if o.has(attempted) {
		if o.has(inFlight) {
			o.set(unsure)
		}
		o.set(inFlight)
		return
	}
	o.set(attempted | inFlight)
	o.floor = p.acked
	o.mark = uint16(len(c.marks))
	if pr.Transactional {
		lane.joined(op.Seq, pr.txn())
	}
}

// Outcome tells what the last attempt of op came to. offset is where the answer says that the record lies, NoOffset if it
// does not say. Tell it after the answer came.
func (c *Checker) Outcome(op Op, r Result, offset int64) {
	o := c.op(op)
	if o == nil {
		if c.full {
			return
		}
		c.gap("an outcome was told of an operation that was never attempted")
		return
	}
	o.clear(inFlight)
	switch r {
	case Acked:
		c.ackedOp(op, o, offset)
	case Refused:
		o.set(refused)
	default:
		o.set(unsure)
	}
}

func (c *Checker) ackedOp(op Op, o *operation, offset int64) {
	again := o.has(acked)
	o.set(acked)
	if offset < 0 {
		return
	}
	strong := c.producers[op.Producer].Acks == AcksAll
	if again && o.acked > 0 && o.acked-1 != offset {
		if c.count(v6, !strong, op.Partition, offset) {
			c.keep(v6, !strong, c.offender(op, o, offset, "acknowledged here, and before at offset "+text(o.acked-1)))
		}
	}
	o.acked = offset + 1
	p := &c.partitions[op.Partition]
	p.told = max(p.told, offset+1)
	if strong {
		p.acked = max(p.acked, offset+1)
	}
}

// TxnCommitting tells that the end of the producer's transaction, as a commit, is about to be asked for: from now on
// its records may be read as committed.
func (c *Checker) TxnCommitting(producer int32) {
	if pr := c.transactional(producer); pr != nil {
		pr.txns[pr.txn()] = txnCommitting
	}
}

// TxnCommitted tells what TxnCommitting came to. After Unsure the records may appear, all or none.
func (c *Checker) TxnCommitted(producer int32, r Result) {
	if pr := c.transactional(producer); pr != nil {
		pr.end(map[Result]txnState{Acked: txnCommitted, Refused: txnAborted, Unsure: txnUnsure}[r])
	}
}

// TxnAborted tells that the transaction was given up without a commit ever being asked for. Its records must never be
// read as committed, whether the abort was answered or not. A transaction that is never ended counts as given up.
func (c *Checker) TxnAborted(producer int32) {
	if pr := c.transactional(producer); pr != nil {
		pr.end(txnAborted)
	}
}

// AddGroup makes a group known and returns its number, counted from 1: Audit is 0.
func (c *Checker) AddGroup(g Group) int32 {
	c.groups = append(c.groups, newGroup(g, len(c.partitions)))
	return int32(len(c.groups) - 1)
}

// Open starts a session of a group: a reader was given partition, and its position is from.
func (c *Checker) Open(group, partition int32, from int64) Session {
	if group < 0 || int(group) >= len(c.groups) || partition < 0 || int(partition) >= len(c.partitions) {
		c.gap("a session was opened for a group or a partition that does not exist")
		return -1
	}
	return c.open(group, partition, from)
}

func (c *Checker) open(group, partition int32, from int64) Session {
	c.sessions = append(c.sessions, session{group: group, partition: partition, from: from, next: from, top: from, epoch: -1, tenure: none})
	return Session(len(c.sessions) - 1)
}

// Read tells one record that a session was given, in the order in which it was given.
func (c *Checker) Read(s Session, r Record) {
	if s < 0 || int(s) >= len(c.sessions) || r.Offset < 0 {
		c.gap("a record was told of a session that does not exist, or without an offset")
		return
	}
	if c.sessions[s].tenure != none && c.sessions[s].from < 0 {
		c.gap("a record was told of a member before its position")
	}
	if c.room() {
		c.read(&c.sessions[s], r)
	}
}

// Reached tells that a session's position is next although no record moved it there: markers of transactions take
// offsets too. A group's readers may leave it out, the Audit group must not.
func (c *Checker) Reached(s Session, next int64) {
	if s >= 0 && int(s) < len(c.sessions) {
		c.sessions[s].move(max(c.sessions[s].next, next))
	}
}

// Finished tells that a group was given the time to read everything: each record from where its first session in a
// partition began is due. A group that is neither finished nor may stop leaves the verdict INCONCLUSIVE.
func (c *Checker) Finished(group int32) {
	if group > 0 && int(group) < len(c.groups) {
		c.groups[group].finished = true
	}
}

// AckedEnd is one above the highest acknowledged offset of a partition. acks=1 is answered before the high watermark
// passes, so whoever asks for the end of the log to tell Bounds waits until it is here, or long enough to call it lost.
func (c *Checker) AckedEnd(partition int32) int64 {
	if partition < 0 || int(partition) >= len(c.partitions) {
		return 0
	}
	return c.partitions[partition].told
}

// Bounds tells where a partition's log starts and ends (high watermark, or last stable offset where transactions are
// read). The last one told is the final one: an Unsure record may still land behind it, and is nobody's fault. An end
// that goes back becomes a note.
func (c *Checker) Bounds(partition int32, start, end int64) {
	if partition < 0 || int(partition) >= len(c.partitions) {
		c.gap("bounds were told of a partition that does not exist")
		return
	}
	p := &c.partitions[partition]
	if p.bounded && end < p.end {
		c.note(p.name + ": its end went back from " + text(p.end) + " to " + text(end))
	}
	p.bounded, p.start, p.end, p.readBefore = true, start, end, p.read
}

// Fault marks a moment: operations first sent from here to the next mark are counted under it.
func (c *Checker) Fault(m Mark) {
	if len(c.marks) < maxMarks {
		c.marks = append(c.marks, m)
	}
	c.after = len(c.marks)
}

// After says that what is told of members from here on happened after the first n marks, and before the next: for who
// tells it later than it happened.
func (c *Checker) After(n int) { c.after = max(0, min(n, len(c.marks))) }
