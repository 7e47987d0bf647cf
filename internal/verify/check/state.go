package check

import (
	"fmt"
	"sort"
	"strconv"
)

const (
	maxMarks = 1<<16 - 1 // an operation keeps the number of its mark in 16 bits
	maxNotes = 20
)

// Checker collects a run and judges it. It is not safe for concurrent use.
type Checker struct {
	partitions []partition
	producers  []producer
	groups     []group
	sessions   []session
	members    []member
	tenures    []tenure
	marks      []Mark
	after      int // how many marks came before what is told of members
	findings   [checks]findings

	limit, bytes int64
	full         bool
	samples      int
	gaps, notes  []string
}

// New returns a Checker that knows its partitions, and nothing else yet.
func New(o Options) *Checker {
	c := &Checker{limit: o.MaxBytes, samples: o.Samples}
	if c.limit == 0 {
		c.limit = 2 << 30
	}
	if c.samples == 0 {
		c.samples = 20
	}
	for _, name := range o.Partitions {
		c.partitions = append(c.partitions, partition{name: name})
	}
	c.groups = append(c.groups, newGroup(Group{Name: "final log", ReadCommitted: true, MaxRedelivered: -1}, len(c.partitions)))
	return c
}

type partition struct {
	name  string
	lanes []*lane // by producer; nil where it sent nothing
	log   paged[entry]
	acked int64 // one above the highest offset acknowledged with acks=all; 0 for none
	told  int64 // the same for any acks

	bounded    bool
	start, end int64
	audited    int64 // the audit read everything from start to here
	read       int64 // one above the highest offset that a reader got
	readBefore int64 // the same when the bounds were told: what is read later may have come later
}

func (p *partition) lane(producer int32) *lane {
	for int(producer) >= len(p.lanes) {
		p.lanes = append(p.lanes, nil)
	}
	if p.lanes[producer] == nil {
		p.lanes[producer] = &lane{}
	}
	return p.lanes[producer]
}

// lane holds what one producer sent to one partition, by sequence.
type lane struct {
	ops  paged[operation]
	txns []txnStart
	last int64 // used while judging: one above the last sequence met in the log
}

// txnStart says that from seq on operations belong to txn, up to the next txnStart.
type txnStart struct {
	seq int64
	txn int32
}

func (l *lane) joined(seq int64, txn int32) {
	if n := len(l.txns); n == 0 || l.txns[n-1].txn != txn {
		l.txns = append(l.txns, txnStart{seq, txn})
	}
}

func (l *lane) txn(seq int64) int32 {
	i := sort.Search(len(l.txns), func(i int) bool { return l.txns[i].seq > seq })
	if i == 0 {
		return -1
	}
	return l.txns[i-1].txn
}

type flags uint8

const (
	attempted flags = 1 << iota
	inFlight        // an attempt has no outcome yet
	refused         // an attempt was refused
	unsure          // an attempt is unsure
	acked           // an attempt was acknowledged
	seen            // some reader got it
	inLog           // used while judging: met in the final log
)

// operation is what is known of one Op. Offsets are kept plus one, so that zero means none.
type operation struct {
	acked int64 // where the acknowledgement says it is
	floor int64 // the highest acknowledged offset when it was first sent
	where int64 // where a reader met it first; while judging: where the final log holds it first
	flags flags
	mark  uint16
}

func (o *operation) has(f flags) bool { return o.flags&f != 0 }
func (o *operation) set(f flags)      { o.flags |= f }
func (o *operation) clear(f flags)    { o.flags &^= f }

// fate is the outcome of an operation over all its attempts.
func (o *operation) fate() Result {
	switch {
	case o.has(acked):
		return Acked
	case o.has(refused) && !o.has(unsure|inFlight):
		return Refused
	default:
		return Unsure
	}
}

// entry is the value read at one offset.
type entry struct {
	seq   int64
	epoch int32
	word  uint32 // producer<<8 | bits
}

const (
	present  uint32 = 1 << iota
	live            // a reader got it before the audit
	audited         // the final log holds it
	conflict        // another value was read at this offset too
	phantom         // counted as a phantom already

	stranger = 1<<24 - 1 // in place of a producer: a record that nobody sent here, or that cannot be read
)

func (e *entry) has(b uint32) bool { return e.word&b != 0 }
func (e *entry) producer() int32   { return int32(e.word >> 8) }
func (e *entry) same(o entry) bool { return e.seq == o.seq && e.producer() == o.producer() }

type txnState uint8

const (
	txnOpen txnState = iota
	txnCommitting
	txnCommitted
	txnAborted
	txnUnsure
)

type producer struct {
	Producer
	txns []txnState
}

// txn is the number of the transaction that is open, begun now if none is.
func (p *producer) txn() int32 {
	if n := len(p.txns); n == 0 || p.txns[n-1] > txnCommitting {
		p.txns = append(p.txns, txnOpen)
	}
	return int32(len(p.txns) - 1)
}

func (p *producer) end(s txnState) { p.txns[p.txn()] = s }

type group struct {
	Group
	finished    bool
	redelivered int64
	undelivered int64
	partitions  []holding

	members, assigned int64
	ends, behind      [Died + 1]int64 // holds that ended, and records then delivered and not committed, by how
}

// holding is what a group got of one partition.
type holding struct {
	delivered bitset
	committed committed
	owners    []int32 // tenures that are not over, the latest last
	epoch     int32   // of the latest tenure that had one, plus one
	top       int64   // the highest position of any tenure that ended
	topBy     int32   // which tenure, plus one
}

func newGroup(g Group, partitions int) group {
	return group{Group: g, partitions: make([]holding, partitions)}
}

type session struct {
	group, partition int32
	from, next, top  int64 // where it began, where it is, the highest it was
	epoch            int32
	tenure           int32 // of a member, or none
}

func (s *session) move(next int64) {
	s.next = next
	s.top = max(s.top, next)
}

// known says whether op can be: anything else is a fault of the feed, not of the broker.
func (c *Checker) known(op Op) bool {
	if op.Producer < 0 || int(op.Producer) >= min(len(c.producers), stranger) ||
		op.Partition < 0 || int(op.Partition) >= len(c.partitions) || op.Seq < 0 {
		c.gap("an attempt was told of a producer or a partition that does not exist")
		return false
	}
	return true
}

// op is what is known of op, nil if it was never attempted. op may come from a record: nothing in it is trusted.
func (c *Checker) op(op Op) *operation {
	if op.Partition < 0 || int(op.Partition) >= len(c.partitions) || op.Seq < 0 {
		return nil
	}
	lanes := c.partitions[op.Partition].lanes
	if op.Producer < 0 || int(op.Producer) >= len(lanes) || lanes[op.Producer] == nil {
		return nil
	}
	if o := lanes[op.Producer].ops.get(op.Seq); o != nil && o.has(attempted) {
		return o
	}
	return nil
}

func (c *Checker) transactional(producer int32) *producer {
	if producer < 0 || int(producer) >= len(c.producers) || !c.producers[producer].Transactional {
		c.gap("the end of a transaction was told of a producer that has none")
		return nil
	}
	return &c.producers[producer]
}

// room says whether there is memory for more. Once there was not, the state is no longer complete.
func (c *Checker) room() bool {
	if !c.full && c.bytes > c.limit {
		c.full = true
		c.gap(fmt.Sprintf("the run is too long for one check: its state outgrew %s bytes; check it in shorter runs, or allow more", number(c.limit)))
	}
	return !c.full
}

// gap keeps a reason why the run cannot pass; note one why it is worth a look. Each text once, and not too many.
func (c *Checker) gap(s string)  { c.gaps = once(c.gaps, s) }
func (c *Checker) note(s string) { c.notes = once(c.notes, s) }

func once(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	if len(list) >= maxNotes {
		return list
	}
	return append(list, s)
}

func text(n int64) string { return strconv.FormatInt(n, 10) }
