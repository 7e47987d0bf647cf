package check

// Commit is one commit on its way, as CommitSent returned it.
type Commit struct {
	Group, Partition int32
	Offset           int64
	serial           int64
	alone            bool // nothing else was on its way when it was sent

	tenure    int32 // of a member, plus one
	contested bool  // it was sent after somebody else was given the partition
	after     int64 // what was acknowledged when it was sent, plus one
}

// committed is what a group may have committed in one partition: exactly low == high when every commit but the last
// was over before the last was sent and that one was acknowledged, else a range that holds all that is possible.
type committed struct {
	base      int64 // the last acknowledged value plus one, 0 for none
	low, high int64 // as base
	last      int64 // serial of the last commit sent
	pending   int32
	doubt     bool // an unsure or overlapping commit since the range was last exact

	asked           int32 // questions on their way
	askLow, askHigh int64 // what their answers may be: the range when the first was asked, and all since
	askSerial       int64 // the last commit sent before the first was asked
	quiet           bool  // none was on its way then
}

// CommitSent tells that a group is about to commit offset (the next to read) in a partition. Tell it before the request leaves.
func (c *Checker) CommitSent(group, partition int32, offset int64) Commit {
	m := Commit{Group: group, Partition: partition, Offset: offset}
	s := c.committed(group, partition)
	if s == nil {
		return m
	}
	s.last++
	m.serial, m.alone = s.last, s.pending == 0
	s.pending++
	s.low, s.high = min(s.low, offset+1), max(s.high, offset+1)
	s.askLow, s.askHigh = min(s.askLow, offset+1), max(s.askHigh, offset+1)
	return m
}

// CommitDone tells what a commit came to. Tell it after the answer came.
func (c *Checker) CommitDone(m Commit, r Result) {
	s := c.committed(m.Group, m.Partition)
	if s == nil {
		return
	}
	s.pending--
	if m.tenure > 0 {
		c.memberCommitted(m, r)
	}
	switch r {
	case Acked:
		s.base = m.Offset + 1
		s.doubt = s.doubt || !m.alone || m.serial != s.last
		if m.alone && m.serial == s.last {
			s.low, s.high, s.doubt = s.base, s.base, false
		}
	case Refused:
		if s.pending == 0 && !s.doubt {
			s.low, s.high = s.base, s.base
		}
	default:
		s.doubt = true
	}
}

// CommittedAsked tells that the committed offset of a group is about to be asked for.
func (c *Checker) CommittedAsked(group, partition int32) {
	s := c.committed(group, partition)
	if s == nil {
		return
	}
	if s.asked == 0 {
		s.askLow, s.askHigh = s.low, s.high
		s.quiet, s.askSerial = s.pending == 0, s.last
	}
	s.asked++
}

// CommittedAnswered tells the answer: the committed offset, or NoOffset for "none". Without an answer ok is false.
func (c *Checker) CommittedAnswered(group, partition int32, offset int64, ok bool) {
	s := c.committed(group, partition)
	if s == nil {
		return
	}
	s.asked--
	if !ok {
		return
	}
	if s.quiet && s.asked == 0 && s.last == s.askSerial && offset+1 <= s.high {
		s.low = max(s.low, offset+1) // what was seen is there to stay, whatever became of the commits that nobody answered
	}
	why := ""
	switch v := offset + 1; {
	case v < s.askLow && offset < 0:
		why = "no offset is committed, though " + text(s.base-1) + " was acknowledged"
	case v < s.askLow && s.askLow > s.base:
		why = "the committed offset moved back from " + text(s.askLow-1) + ", which was read before"
	case v < s.askLow:
		why = "the committed offset moved back from " + text(s.base-1) + ", which was acknowledged"
	case v > s.askHigh:
		why = "committed, though nothing above " + text(s.askHigh-1) + " was ever sent"
	default:
		return
	}
	if c.count(v11, false, partition, offset) {
		c.keep(v11, false, c.commitOffender(partition, offset, c.groups[group].Name, why))
	}
}

func (c *Checker) committed(group, partition int32) *committed {
	if group <= Audit || int(group) >= len(c.groups) || partition < 0 || int(partition) >= len(c.partitions) {
		c.gap("a commit was told of a group or a partition that does not exist")
		return nil
	}
	return &c.groups[group].partitions[partition].committed
}
