package check

import (
	"fmt"
	"strconv"
	"strings"
)

// Verdict is the whole in one word.
type Verdict string

// A violation outweighs a gap in what is known.
const (
	Pass         Verdict = "PASS"
	Fail         Verdict = "FAIL"
	Inconclusive Verdict = "INCONCLUSIVE"
)

// Report is what the checker found. Its JSON is stable.
type Report struct {
	Verdict Verdict `json:"verdict"`
	Ops     Ops     `json:"ops"`
	// Producers, Faults, Groups: the same counts told apart, in the order in which they were added.
	Producers  []ProducerOps `json:"producers"`
	Faults     []FaultOps    `json:"faults,omitempty"`
	Groups     []GroupReads  `json:"groups,omitempty"`
	Checks     []Check       `json:"checks"`          // V1 to V9, V11, and with members V13 and V14, in this order
	Gaps       []string      `json:"gaps,omitempty"`  // why the verdict cannot be PASS although nothing was violated
	Notes      []string      `json:"notes,omitempty"` // worth knowing, no violation: an end that went back for a while
	StateBytes int64         `json:"state_bytes"`     // memory held in pages
}

// Ops counts operations by what became of them.
type Ops struct {
	Sent         int64 `json:"sent"`          // operations with at least one attempt
	Acked        int64 `json:"acked"`         // an attempt was acknowledged
	Failed       int64 `json:"failed"`        // every attempt was definitely refused
	Unknown      int64 `json:"indeterminate"` // neither: may appear
	UnknownFound int64 `json:"indeterminate_found"`
	Found        int64 `json:"found"`   // in the final log
	Expired      int64 `json:"expired"` // acknowledged and below the final log start
	Lost         int64 `json:"lost"`    // acknowledged and not in the log, whatever acks promised
	// MissingTold are not in the log, and the producer was told so: failed or indeterminate.
	MissingTold int64 `json:"missing_told"`
}

// ProducerOps are the operations of one producer.
type ProducerOps struct {
	Name       string `json:"name"`
	Acks       int16  `json:"acks"`
	Idempotent bool   `json:"idempotent"`
	Ops
}

// GroupReads are the records of one group, in offsets.
type GroupReads struct {
	Name        string `json:"name"`
	Finished    bool   `json:"finished"`
	Delivered   int64  `json:"delivered"`   // offsets delivered at least once
	Redelivered int64  `json:"redelivered"` // deliveries beyond the first
	Undelivered int64  `json:"undelivered"`

	Members int64  `json:"members,omitempty"`  // lives of members
	Given   int64  `json:"assigned,omitempty"` // partitions given to a member, each time
	Ends    []Ends `json:"ends,omitempty"`     // how they let go again
	Late    int64  `json:"late,omitempty"`     // redelivered to members that were fenced and did not know it yet
	// Handovers are those with redelivered records, at most 20, those with most first.
	Handovers []Handover `json:"handovers,omitempty"`
}

// Ends counts the holds of partitions that ended in one way.
type Ends struct {
	How         string `json:"how"` // revoked, lost, died
	Count       int64  `json:"count"`
	Uncommitted int64  `json:"uncommitted"` // records delivered and not committed when they ended
	Redelivered int64  `json:"redelivered"` // to whoever had the partition next
}

// Handover is a change of a partition's owner after which records were delivered again.
type Handover struct {
	Partition   string `json:"partition"`
	From        string `json:"from"`
	To          string `json:"to"`
	How         string `json:"how"`       // the first let go; empty where it still held the partition
	Epoch       int32  `json:"epoch"`     // in which the second was given it, -1 if not known
	Delivered   int64  `json:"delivered"` // up to here by the first
	Committed   int64  `json:"committed"` // by the first
	Redelivered int64  `json:"redelivered"`
	Fault       string `json:"fault,omitempty"` // the last mark before the first let go
}

// FaultOps are the operations first sent between this mark and the next.
type FaultOps struct {
	Mark
	Ops
}

// Check is the result of one check.
type Check struct {
	ID      string `json:"id"`   // "V1"
	Name    string `json:"name"` // "lost"
	Count   int64  `json:"count"`
	Allowed int64  `json:"allowed"` // counted, but within what was promised; not part of Count
	OK      bool   `json:"ok"`      // Count is 0
	// Samples are the first offenders by partition and offset; those that count come before those allowed.
	Samples []Offender `json:"samples,omitempty"`
}

// Offender is one record (or commit) that broke a rule. Unknown offsets, epochs and sequences are -1.
type Offender struct {
	Partition string `json:"partition"`
	Offset    int64  `json:"offset"`
	Epoch     int32  `json:"epoch"` // leader epoch
	Producer  string `json:"producer,omitempty"`
	Seq       int64  `json:"seq"`
	Group     string `json:"group,omitempty"`
	Fault     string `json:"fault,omitempty"`   // the last mark before it was sent
	Allowed   bool   `json:"allowed,omitempty"` // within what was promised
	Why       string `json:"why"`               // the rest of the sentence

	partition int32
}

// String is one line: where, what, why.
func (o Offender) String() string {
	var b strings.Builder
	b.WriteString(o.Partition)
	if o.Offset >= 0 {
		fmt.Fprintf(&b, " offset %d", o.Offset)
	}
	if o.Epoch >= 0 {
		fmt.Fprintf(&b, " epoch %d", o.Epoch)
	}
	if o.Producer != "" {
		fmt.Fprintf(&b, " %s seq %d", o.Producer, o.Seq)
	}
	if o.Group != "" {
		fmt.Fprintf(&b, " group %s", o.Group)
	}
	fmt.Fprintf(&b, ": %s", o.Why)
	switch {
	case o.Fault == "":
	case o.Seq < 0:
		fmt.Fprintf(&b, " (after %s)", o.Fault)
	default:
		fmt.Fprintf(&b, " (sent after %s)", o.Fault)
	}
	if o.Allowed {
		b.WriteString(" [allowed]")
	}
	return b.String()
}

// Check finds a check by its id, such as "V1"; nil if there is none.
func (r *Report) Check(id string) *Check {
	for i := range r.Checks {
		if r.Checks[i].ID == id {
			return &r.Checks[i]
		}
	}
	return nil
}

// Block is the report for people: counts, one line of checks, then the first offenders, gaps and notes.
// Lines end with a newline; the verdict itself is left to the headline of the caller.
func (r *Report) Block() string {
	var b strings.Builder
	o := r.Ops
	fmt.Fprintf(&b, "acked %s   indeterminate %s (%s found in log)   failed %s   in log %s", number(o.Acked),
		number(o.Unknown), number(o.UnknownFound), number(o.Failed), number(o.Found))
	if o.Expired > 0 {
		fmt.Fprintf(&b, "   expired %s", number(o.Expired))
	}
	b.WriteByte('\n')
	for i, c := range r.Checks {
		if i > 0 {
			b.WriteString(" | ")
		}
		fmt.Fprintf(&b, "%s %s %s", c.ID, c.Name, number(c.Count))
		if c.Allowed > 0 {
			fmt.Fprintf(&b, " (allowed: %s)", number(c.Allowed))
		}
	}
	b.WriteByte('\n')
	for _, c := range r.Checks {
		r.offenders(&b, c)
	}
	for _, g := range r.Groups {
		if g.Members > 0 {
			g.block(&b)
		}
	}
	for _, g := range r.Gaps {
		fmt.Fprintf(&b, "not known: %s\n", g)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	return b.String()
}

// block says of a group with members who came and went, and which records were delivered again because of it.
func (g *GroupReads) block(b *strings.Builder) {
	fmt.Fprintf(b, "group %s   delivered %s   redelivered %s   %s members in all, partitions given %s times", g.Name,
		number(g.Delivered), number(g.Redelivered), number(g.Members), number(g.Given))
	for _, e := range g.Ends {
		fmt.Fprintf(b, ", %s %s", e.How, number(e.Count))
		if e.Uncommitted > 0 || e.Redelivered > 0 {
			fmt.Fprintf(b, " (%s not committed, %s redelivered)", number(e.Uncommitted), number(e.Redelivered))
		}
	}
	if g.Late > 0 {
		fmt.Fprintf(b, ", of these %s to members that did not know yet that they were fenced", number(g.Late))
	}
	b.WriteByte('\n')
	for _, h := range g.Handovers[:min(len(g.Handovers), 3)] {
		fmt.Fprintf(b, "  %s\n", h)
	}
}

// String is one line: what was delivered again, and why.
func (h Handover) String() string {
	s := fmt.Sprintf("%s %s -> %s: %s redelivered, %d delivered and %d committed when", h.Partition, h.From, h.To, number(h.Redelivered), h.Delivered, h.Committed)
	switch h.How {
	case endNames[Revoked]:
		s += " it was revoked"
	case endNames[Lost]:
		s += " it was fenced"
	case endNames[Died]:
		s += " it died"
	default:
		s += " the other was given it"
	}
	if h.Fault != "" {
		s += " after " + h.Fault
	}
	return s
}

func (r *Report) offenders(b *strings.Builder, c Check) {
	if c.Count == 0 {
		return
	}
	shown := int64(0)
	for _, s := range c.Samples {
		if !s.Allowed {
			fmt.Fprintf(b, "  %s %s: %s\n", c.ID, c.Name, s)
			shown++
		}
	}
	if more := c.Count - shown; more > 0 {
		fmt.Fprintf(b, "  %s %s: and %s more\n", c.ID, c.Name, number(more))
	}
}

// number writes n with a comma every three digits.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
