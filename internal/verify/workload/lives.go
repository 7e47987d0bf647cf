package workload

import (
	"container/heap"

	"holdfast/internal/verify/check"
)

// Life is all that one member of a group told, from its start to its end.
type Life struct {
	Name   string
	Group  int32 // as check numbered it
	Events []Event
	Ended  int64 // ns since 1970; 0 for who watches the group and is no member
}

// Replay tells the checker what happened to members, in the order of time. What it says of records that were sent has to be
// told before. marks are the moments of the faults that the checker was told of, in its order, ns since 1970.
//
// A member that ended without Left died; what it had on its way is unsure then.
func Replay(c *check.Checker, lives []Life, marks []int64) {
	var h byTime
	for i := range lives {
		h.add(&lives[i], c)
	}
	heap.Init(&h)
	marked := 0
	for len(h) > 0 {
		t := h[0]
		for marked < len(marks) && marks[marked] <= t.at() {
			marked++
		}
		c.After(marked)
		if t.step(c) {
			heap.Fix(&h, 0)
		} else {
			heap.Pop(&h)
		}
	}
	c.After(len(marks))
}

// teller tells one life.
type teller struct {
	life    *Life
	order   int // among lives at one time
	next    int
	member  check.Member
	holds   map[int32]check.Session
	commits map[int64]check.Commit
	asked   map[int32]int // questions without an answer, by partition
}

func (h *byTime) add(l *Life, c *check.Checker) {
	t := &teller{life: l, order: len(*h), holds: map[int32]check.Session{}, commits: map[int64]check.Commit{}, asked: map[int32]int{}, member: -1}
	if l.Ended > 0 {
		t.member = c.AddMember(l.Group, l.Name)
	}
	if l.Ended > 0 || len(l.Events) > 0 {
		*h = append(*h, t)
	}
}

// at is the time of the next event, or of the end.
func (t *teller) at() int64 {
	if t.next < len(t.life.Events) {
		return t.life.Events[t.next].At
	}
	return t.life.Ended
}

// step tells the next event, and says whether there are more.
func (t *teller) step(c *check.Checker) bool {
	if t.next == len(t.life.Events) {
		t.end(c)
		return false
	}
	t.event(c, &t.life.Events[t.next])
	t.next++
	return t.next < len(t.life.Events) || t.life.Ended > 0
}

func (t *teller) event(c *check.Checker, e *Event) {
	switch e.Kind {
	case Assigned:
		t.holds[e.Hold] = c.Assigned(t.member, e.Partition, e.Epoch)
	case Positioned:
		c.Positioned(t.hold(e), e.Offset, max(e.Offset, 0))
	case Got:
		for _, r := range e.Records {
			c.Read(t.hold(e), check.Record(r))
		}
	case Committing:
		t.commits[e.Commit] = c.MemberCommits(t.hold(e), e.Offset)
	case Committed:
		result := check.Acked
		if e.Text != "" {
			result = check.Unsure
		}
		if e.Fenced {
			c.Fenced(t.member)
		}
		if m, ok := t.commits[e.Commit]; ok {
			c.CommitDone(m, result)
			delete(t.commits, e.Commit)
		}
	case Revoked:
		c.Released(t.hold(e), check.Revoked)
	case Lost:
		c.Released(t.hold(e), check.Lost)
	case Asking:
		t.asked[e.Partition]++
		c.CommittedAsked(t.life.Group, e.Partition)
	case Answered:
		t.asked[e.Partition]--
		c.CommittedAnswered(t.life.Group, e.Partition, e.Offset, e.Text == "")
	}
}

// hold is the session of an event's hold; none that exists where the member never told of it.
func (t *teller) hold(e *Event) check.Session {
	if s, ok := t.holds[e.Hold]; ok {
		return s
	}
	return -1
}

// end is the end of a member: what it still had on its way has no answer.
func (t *teller) end(c *check.Checker) {
	for _, m := range t.commits { // order-free: each is another partition's, or the same to all
		c.CommitDone(m, check.Unsure)
	}
	c.Died(t.member)
}

// byTime is a heap of tellers, the one with the earliest event first.
type byTime []*teller

func (h byTime) Len() int { return len(h) }
func (h byTime) Less(i, j int) bool {
	if a, b := h[i].at(), h[j].at(); a != b {
		return a < b
	}
	return h[i].order < h[j].order
}
func (h byTime) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *byTime) Push(x any)   { *h = append(*h, x.(*teller)) }
func (h *byTime) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
