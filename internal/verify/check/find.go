package check

import (
	"cmp"
	"slices"
)

// The checks by their place in the report. V10 and V12 are judged elsewhere: replicas and objectives. V13 and V14 are told
// of groups whose members are known.
const (
	v1 = iota
	v2
	v3
	v4
	v5
	v6
	v7
	v8
	v9
	v11
	v13
	v14
	checks
)

var checkNames = [checks][2]string{
	{"V1", "lost"},
	{"V2", "undelivered"},
	{"V3", "dup-in-log"},
	{"V4", "redelivered"},
	{"V5", "order"},
	{"V6", "conflict"},
	{"V7", "phantom"},
	{"V8", "real-time"},
	{"V9", "unstable"},
	{"V11", "commits"},
	{"V13", "owners"},
	{"V14", "hand-over"},
}

// findings are those of one check: [0] is what failed, [1] what was allowed.
type findings [2]struct {
	count   int64
	samples []Offender // the first by partition and offset
}

func side(allowed bool) int {
	if allowed {
		return 1
	}
	return 0
}

// count counts one offender and says whether it is among the first, so that keep should be told of it: the many
// others cost no sentence.
func (c *Checker) count(check int, allowed bool, partition int32, offset int64) bool {
	f := &c.findings[check][side(allowed)]
	f.count++
	n := len(f.samples)
	return n < c.samples || place(f.samples[n-1], partition, offset) > 0
}

func (c *Checker) keep(check int, allowed bool, o Offender) {
	f := &c.findings[check][side(allowed)]
	o.Allowed = allowed
	i, _ := slices.BinarySearchFunc(f.samples, o, func(have, o Offender) int {
		if d := place(have, o.partition, o.Offset); d != 0 {
			return d
		}
		return -1 // after its equals: in the order of the feed
	})
	f.samples = slices.Insert(f.samples, i, o)
	f.samples = f.samples[:min(len(f.samples), c.samples)]
}

// place compares where o was found with a partition and an offset.
func place(o Offender, partition int32, offset int64) int {
	if d := cmp.Compare(o.partition, partition); d != 0 {
		return d
	}
	return cmp.Compare(o.Offset, offset)
}

// offender describes an operation at an offset; the epoch is the one that was read there, if it was.
func (c *Checker) offender(op Op, o *operation, offset int64, why string) Offender {
	p := &c.partitions[op.Partition]
	out := Offender{
		Partition: p.name, Offset: offset, Epoch: -1, Why: why, partition: op.Partition,
		Producer: c.producers[op.Producer].Name, Seq: op.Seq,
	}
	if e := p.log.get(offset); offset >= 0 && e != nil && e.has(present) && e.producer() == op.Producer && e.seq == op.Seq {
		out.Epoch = e.epoch
	}
	if o.mark > 0 {
		out.Fault = c.marks[o.mark-1].Name
	}
	return out
}

// entryOffender describes what was read at an offset.
func (c *Checker) entryOffender(partition int32, offset int64, e entry, why string) Offender {
	if e.producer() != stranger {
		op := Op{Producer: e.producer(), Partition: partition, Seq: e.seq}
		if o := c.op(op); o != nil {
			out := c.offender(op, o, offset, why)
			out.Epoch = e.epoch
			return out
		}
	}
	return Offender{Partition: c.partitions[partition].name, Offset: offset, Epoch: e.epoch, Seq: -1, Why: why, partition: partition}
}

func (c *Checker) commitOffender(partition int32, offset int64, group, why string) Offender {
	return Offender{Partition: c.partitions[partition].name, Offset: offset, Epoch: -1, Seq: -1, Group: group, Why: why, partition: partition}
}

// value names what an entry holds, for a sentence.
func (c *Checker) value(e entry) string {
	if e.producer() == stranger {
		return "a foreign record in epoch " + text(int64(e.epoch))
	}
	return c.producers[e.producer()].Name + " seq " + text(e.seq) + " in epoch " + text(int64(e.epoch))
}
