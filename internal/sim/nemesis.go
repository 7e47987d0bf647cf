package sim

import (
	"path"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/host/partition"
	"holdfast/internal/storage/vfs"
)

// start brings everything to life.
func (w *world) start() {
	w.plan = w.draw()
	w.truth = newTruth()
	w.disk = w.newDisk(vfs.NewMem())
	w.admin = w.newAdmin()
	w.bootAfter(0)
	for i := range w.plan.writers {
		w.producers = append(w.producers, w.newProducer(i))
	}
	for i := range 1 + w.rand.IntN(3) {
		w.readers = append(w.readers, w.newReader(i))
	}
	if w.plan.groups {
		w.groups = w.newGroups()
	}
	for _, f := range []struct {
		kind fault
		do   func()
	}{
		{powerFault, w.cutPower},
		{killFault, func() { w.kill(vfs.KillOnly) }},
		{stopFault, w.stop},
		{syncFault, func() { w.disk.failSyncIn = 1 + w.rand.IntN(20) }},
		{fullFault, func() { w.disk.fullUntil = w.now.Add(w.about(2 * time.Second)) }},
		{slowFault, func() { w.slowUntil = w.now.Add(w.about(3 * time.Second)) }},
		{readFault, func() { w.disk.readsUntil = w.now.Add(w.about(time.Second)) }},
		{epochFault, w.raise},
		{handleFault, func() { w.disk.handlesUntil = w.now.Add(w.about(time.Second)) }},
	} {
		if w.plan.has(f.kind) {
			w.recur(f.do)
		}
	}
}

// recur does something again and again, until healing begins.
func (w *world) recur(do func()) {
	w.after(w.about(w.plan.every), func() {
		if w.healing {
			return
		}
		do()
		w.recur(do)
	})
}

// cutPower takes the power away: now, or before one of the next operations of the disk.
func (w *world) cutPower() {
	mode := pick(w, w.plan.modes)
	if w.chance(0.3) {
		w.kill(mode)
		return
	}
	w.disk.mode = mode
	w.disk.cutIn = 1 + w.rand.Int64N(pick(w, []int64{3, 30, 300}))
}

func (w *world) kill(mode vfs.CrashMode) {
	if w.node != nil {
		w.die(mode)
	}
}

// raise has the node register once more: all that it leads gets a new leader epoch, and every coordinator reads its log anew.
func (w *world) raise() {
	n := w.node
	if n == nil || len(n.proposals) > 0 {
		return
	}
	n.incarnation++
	n.propose(n.registration(), func(reply any, err error) {
		if err != nil {
			return
		}
		r := reply.(*kmsg.BrokerRegistrationResponse)
		if r.ErrorCode != 0 {
			violate("the node cannot register once more: code %d", r.ErrorCode)
		}
		n.brokerEpoch = r.BrokerEpoch
		w.counts[EpochsRaised]++
	})
}

// stop stops the node cleanly, as far as it can.
func (w *world) stop() {
	if w.node == nil {
		return
	}
	w.note("stop", "", int64(w.lives), 0)
	failed := w.node.parts.Failed() // judged when it happened
	if err := w.node.stop(); err != nil {
		w.note("stop failed", err.Error(), 0, 0)
		if !w.disk.faulted() && failed == nil {
			violate("nothing is wrong with the disk, and the node cannot stop: %v", err)
		}
	} else {
		w.counts[CleanStops]++
	}
	w.end(vfs.KillOnly)
}

// operator comes to a node that says its directory failed: the node is started again, on the same machine or after that,
// too, was.
func (w *world) operator() {
	mode := vfs.KillOnly
	if w.chance(0.5) {
		mode = pick(w, w.plan.modes)
	}
	w.note("the operator starts the node again", "", 0, 0)
	w.die(mode)
}

// heal ends all faults and demands that everybody gets on.
func (w *world) heal(limit time.Duration) {
	w.note("healing begins", "", 0, 0)
	w.healing, w.failures = true, 0
	w.slowUntil = time.Time{}
	w.disk.cutIn, w.disk.fullUntil, w.disk.readsUntil, w.disk.handlesUntil = 0, time.Time{}, time.Time{}, time.Time{}
	if w.node == nil {
		w.bootAfter(0)
	}
	deadline := w.now.Add(limit)
	for stuck := w.stuck(); stuck != ""; stuck = w.stuck() {
		if len(w.queue) == 0 || w.queue[0].at.After(deadline) {
			violate("nothing has failed for %v, and %s", limit, stuck)
		}
		w.next()
	}
}

// stuck says who has not got on since healing began.
func (w *world) stuck() string {
	if w.node == nil {
		return "the node is down"
	}
	if w.admin.done == 0 {
		return "no request of the admin was answered"
	}
	for _, p := range w.producers {
		if p.log != nil && p.healthy < 3 {
			return p.name + " gets nothing acknowledged in " + p.log.String()
		}
	}
	if w.groups != nil {
		if who := w.groups.stuck(); who != "" {
			return who
		}
	}
	for _, r := range w.readers {
		if r.log != nil && !r.caughtUp {
			return r.name + " does not reach the end of " + r.log.String()
		}
	}
	return ""
}

// settle ends the run: one more power cut that takes all it can, then a clean stop, each with a look at every record.
func (w *world) settle() {
	for _, end := range []func(){func() { w.kill(vfs.LoseAll) }, w.stop} {
		w.step(end)
		w.step(w.boot)
		if w.node == nil {
			violate("a healthy node does not start")
		}
		if w.groups != nil {
			w.groups.audit(w.node)
		}
	}
	for _, l := range w.truth.logs {
		w.counts[Segments] += int64(max(0, w.segments(l)-1))
	}
}

// segments is how many segments a partition has.
func (w *world) segments(l *plog) (n int) {
	names, _ := w.disk.mem.List(path.Join(dataDir, partition.PartitionDir(l.topic.name, l.index))) // none before its first record
	for _, name := range names {
		if path.Ext(name) == ".log" {
			n++
		}
	}
	return n
}
