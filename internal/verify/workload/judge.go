package workload

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"holdfast/internal/verify/check"
)

// Judge is the checker of one run, shared by all who take part in it.
type Judge struct {
	mu      sync.Mutex
	checker *check.Checker
	run     uint64
}

// NewJudge shares c among the producers and readers of a run. run tells their records from those of others.
func NewJudge(c *check.Checker, run uint64) *Judge { return &Judge{checker: c, run: run} }

// Tell gives the checker to f, alone.
func (j *Judge) Tell(f func(c *check.Checker)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(j.checker)
}

// read tells one record as a reader got it.
func (j *Judge) read(s check.Session, r *kgo.Record) {
	rec := readOf(j.run, r)
	j.Tell(func(c *check.Checker) { c.Read(s, rec) })
}

// readOf is what a record says of itself to who expects those of one run.
func readOf(run uint64, r *kgo.Record) check.Record {
	rec := check.Record{Offset: r.Offset, Epoch: r.LeaderEpoch}
	p, err := Parse(r.Value)
	if err != nil || p.Run != run {
		rec.Corrupt = true
	} else {
		rec.Op = check.Op{Producer: p.Producer, Partition: p.Partition, Seq: p.Seq}
	}
	return rec
}

// Run tells the records of the run from others.
func (j *Judge) Run() uint64 { return j.run }
