package check

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

// million feeds n operations of 8 producers to 12 partitions with two groups and the audit, as a run would: a window
// of them in flight, some unsure and sent again, readers close behind. lose says which records the final log lacks.
func million(n int, lose func(i int) bool) *Checker {
	const partitions, producers, window = 12, 8, 500
	o := Options{}
	for i := range partitions {
		o.Partitions = append(o.Partitions, fmt.Sprintf("orders-%d", i))
	}
	c := New(o)
	for i := range producers {
		c.AddProducer(Producer{Name: fmt.Sprintf("p%d", i), Acks: AcksAll, Idempotent: true})
	}
	var groups []int32
	for _, name := range []string{"a", "b"} {
		groups = append(groups, c.AddGroup(Group{Name: name}))
	}
	sessions := map[[2]int32]Session{}
	var ends [partitions]int64
	for p := range int32(partitions) {
		for _, g := range groups {
			sessions[[2]int32{g, p}] = c.Open(g, p, 0)
		}
	}
	nth := func(i int) (Op, int64) {
		lane := i % (partitions * producers)
		round := int64(i / (partitions * producers))
		return Op{int32(lane % producers), int32(lane / producers), round}, round*producers + int64(lane%producers)
	}
	for i := range n + window {
		if i < n {
			op, at := nth(i)
			c.Attempt(op)
			if i%1000 == 0 {
				c.Outcome(op, Unsure, NoOffset)
				c.Attempt(op)
			}
			ends[op.Partition] = at + 1
		}
		if i >= window {
			op, at := nth(i - window)
			c.Outcome(op, Acked, at)
			for _, g := range groups {
				c.Read(sessions[[2]int32{g, op.Partition}], Record{Offset: at, Epoch: 1, Op: op})
			}
		}
	}
	for _, g := range groups {
		c.Finished(g)
	}
	for p := range int32(partitions) {
		c.Bounds(p, 0, ends[p])
		sessions[[2]int32{Audit, p}] = c.Open(Audit, p, 0)
	}
	for i := range n {
		if op, at := nth(i); !lose(i) {
			c.Read(sessions[[2]int32{Audit, op.Partition}], Record{Offset: at, Epoch: 1, Op: op})
		}
	}
	for p := range int32(partitions) {
		c.Reached(sessions[[2]int32{Audit, p}], ends[p])
	}
	return c
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMillionOperations holds the size of the checker: 10^6 operations in 60 s and 2 GiB are asked for, a fraction of
// it is taken. The time is only logged, since machines differ and are shared.
func TestMillionOperations(t *testing.T) {
	const n = 1_000_000
	for _, k := range []struct {
		name string
		lose func(int) bool
		lost int64
	}{
		{"good", func(int) bool { return false }, 0},
		{"half of it lost", func(i int) bool { return i%2 == 0 }, n / 2},
	} {
		t.Run(k.name, func(t *testing.T) {
			before, start := heap(), time.Now()
			c := million(n, k.lose)
			fed := time.Since(start)
			r := c.Finish()
			all := time.Since(start)
			held := heap() - before
			runtime.KeepAlive(c)
			t.Logf("%d operations, 5,002,000 events: fed in %v, judged in %v; %d MiB of heap, %d MiB of it in pages",
				n, fed.Round(time.Millisecond), (all - fed).Round(time.Millisecond), held>>20, r.StateBytes>>20)
			if r.Ops.Lost != k.lost || r.Ops.Acked != n || len(r.Check("V1").Samples) > 20 {
				t.Errorf("%+v", r.Ops)
			}
			if held > 100<<20 {
				t.Errorf("%d MiB of heap, more than 100 bytes an operation", held>>20)
			}
			if all > time.Minute {
				t.Errorf("took %v, more than a minute", all)
			}
		})
	}
}

// TestMillionOperationsOfAGroup has a group read a million records, with a commit every 20 and a hand-over every 100 of them:
// one in three is a kill, which leaves records to be delivered again.
func TestMillionOperationsOfAGroup(t *testing.T) {
	const n, partitions, batch = 1_000_000, 12, 20
	o := Options{}
	for i := range partitions {
		o.Partitions = append(o.Partitions, fmt.Sprintf("orders-%d", i))
	}
	start := time.Now()
	c := New(o)
	p := c.AddProducer(Producer{Name: "p", Acks: AcksAll, Idempotent: true})
	g := c.AddGroup(Group{Name: "g", MaxRedelivered: -1, HandsOver: true})
	var holds [partitions]Session
	var members [partitions]Member
	var committed [partitions]int64
	give := func(part int32, epoch int) {
		members[part] = c.AddMember(g, "m")
		holds[part] = c.Assigned(members[part], part, int32(epoch))
		c.Positioned(holds[part], committed[part]-1, max(committed[part]-1, 0))
	}
	redelivered := int64(0)
	for i := range n {
		part, at := int32(i%partitions), int64(i/partitions)
		op := Op{Producer: p, Partition: part, Seq: at}
		c.Attempt(op)
		c.Outcome(op, Acked, at)
		if at == 0 {
			give(part, i)
		}
		c.Read(holds[part], Record{Offset: at, Op: op})
		if (at+1)%batch == 0 {
			m := c.MemberCommits(holds[part], at+1)
			c.CommitDone(m, Acked)
			committed[part] = at + 2
		}
		switch {
		case (at+1)%300 == 0:
			c.Released(holds[part], Revoked)
			give(part, i)
		case at%300 == 150:
			c.Died(members[part])
			give(part, i)
			for from := committed[part] - 1; from <= at; from++ {
				c.Read(holds[part], Record{Offset: from, Op: Op{Producer: p, Partition: part, Seq: from}})
				redelivered++
			}
		}
	}
	for part := range int32(partitions) {
		end := int64((n - int(part) + partitions - 1) / partitions)
		c.CommitDone(c.MemberCommits(holds[part], end), Acked)
		c.Released(holds[part], Revoked)
		c.Bounds(part, 0, end)
		s := c.Open(Audit, part, 0)
		for at := range end {
			c.Read(s, Record{Offset: at, Op: Op{Producer: p, Partition: part, Seq: at}})
		}
	}
	c.Finished(g)
	r := c.Finish()
	if r.Verdict != Pass || r.Groups[0].Redelivered != redelivered || redelivered == 0 {
		t.Errorf("%s with %d of %d redelivered\n%s", r.Verdict, r.Groups[0].Redelivered, redelivered, r.Block())
	}
	all := time.Since(start)
	t.Logf("%v, %d MiB in pages, %d hand-overs", all.Round(time.Millisecond), r.StateBytes>>20, r.Groups[0].Given)
	if r.StateBytes > 100<<20 || all > time.Minute {
		t.Error("too much")
	}
}

// BenchmarkOperations measures the whole of a run, feed and judgement: divide by 10^6 for one operation (five events).
func BenchmarkOperations(b *testing.B) {
	b.ReportAllocs()
	var state int64
	for b.Loop() {
		c := million(1_000_000, func(int) bool { return false })
		r := c.Finish()
		state = r.StateBytes
	}
	b.ReportMetric(float64(state)/1e6, "state-B/operation")
}

// TestMemoryIsBounded shows that a run beyond the bound ends in a sentence, not in an exhausted machine.
func TestMemoryIsBounded(t *testing.T) {
	c := New(Options{Partitions: []string{"t-0"}, MaxBytes: 1 << 20})
	p := c.AddProducer(Producer{Name: "p", Acks: AcksAll})
	for i := range int64(200_000) {
		c.Attempt(Op{Producer: p, Seq: i})
		c.Outcome(Op{Producer: p, Seq: i}, Acked, i)
	}
	c.Bounds(0, 0, 200_000)
	audit := c.Open(Audit, 0, 0)
	c.Read(audit, Record{Op: Op{Producer: p}})
	c.Reached(audit, 200_000)
	r := c.Finish()
	if r.Verdict != Inconclusive || len(r.Gaps) != 2 || r.StateBytes > 2<<20 {
		t.Errorf("%s with %d bytes\n%s", r.Verdict, r.StateBytes, r.Block())
	}
}

// TestNothingThatIsToldBreaksIt feeds what no honest caller would tell.
func TestNothingThatIsToldBreaksIt(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 9))
		odd := func() int64 {
			return []int64{math.MinInt64, -7, -1, 0, 1, 2, 3, 511, 512, 1 << 24, 1 << 40, math.MaxInt64 - 1, math.MaxInt64}[r.IntN(13)]
		}
		small := func() int32 { return []int32{math.MinInt32, -1, 0, 0, 1, 1, 2, math.MaxInt32}[r.IntN(8)] }
		op := func() Op { return Op{small(), small(), odd()} }
		c := New(Options{Partitions: []string{"a", "b"}, MaxBytes: 8 << 20})
		c.AddProducer(Producer{Name: "p", Acks: AcksAll, Idempotent: true, Transactional: seed%2 == 0})
		c.AddProducer(Producer{Name: "q"})
		c.AddGroup(Group{Name: "g"})
		var commits []Commit
		for range 300 {
			switch r.IntN(18) {
			case 0, 1:
				c.Attempt(op())
			case 2, 3:
				c.Outcome(op(), Result(r.IntN(5)), odd())
			case 4:
				c.Open(small(), small(), odd())
			case 5, 6:
				c.Read(Session(small()), Record{Offset: odd(), Epoch: small(), Op: op(), Corrupt: r.IntN(4) == 0})
			case 7:
				c.Reached(Session(small()), odd())
			case 8:
				c.Bounds(small(), odd(), odd())
			case 9:
				commits = append(commits, c.CommitSent(small(), small(), odd()))
			case 10:
				if len(commits) > 0 {
					c.CommitDone(commits[r.IntN(len(commits))], Result(r.IntN(5)))
				}
			case 11:
				c.CommittedAsked(small(), small())
				c.CommittedAnswered(small(), small(), odd(), true)
			case 12:
				c.TxnCommitting(small())
				c.TxnCommitted(small(), Result(r.IntN(5)))
			case 13:
				c.TxnAborted(small())
				c.Finished(small())
				c.Fault(Mark{Name: "x"})
			case 14:
				c.AddMember(small(), "m")
				c.Died(Member(small()))
				c.Fenced(Member(small()))
			case 15:
				c.Positioned(c.Assigned(Member(small()), small(), small()), odd(), odd())
			case 16:
				c.Positioned(Session(small()), odd(), odd())
				c.Released(Session(small()), End(r.IntN(5)))
			case 17:
				commits = append(commits, c.MemberCommits(Session(small()), odd()))
			}
		}
		report := c.Finish()
		if report.Block() == "" {
			t.Fatal("no report")
		}
	}
}
