package sim

import (
	"fmt"
	"time"

	"holdfast/internal/storage/vfs"
)

// fault is a kind of fault that a run has or has not.
type fault uint

const (
	powerFault   fault = 1 << iota // the power goes
	killFault                      // kill -9
	stopFault                      // a clean stop
	syncFault                      // a sync fails
	fullFault                      // the disk is full for a while
	slowFault                      // syncs take seconds for a while
	readFault                      // reads fail for a while
	handleFault                    // no open files are left for a while
	lateFault                      // requests arrive after their connection broke
	deleteFault                    // DeleteRecords
	topicFault                     // topics are deleted and made anew
	settingFault                   // settings are changed
	epochFault                     // the node registers anew while it runs: new leader epochs
	allFaults    = 1<<iota - 1
)

var faultNames = []string{"power", "kill", "stop", "failed sync", "full disk", "slow sync", "read errors", "no handles", "late requests", "delete records", "topics", "settings", "leader epochs"}

// plan is what the seed drew for the whole run.
type plan struct {
	safety  time.Duration // how long anything may fail
	faults  fault
	modes   []vfs.CrashMode // of power cuts
	every   time.Duration   // between faults of a kind, about
	restart time.Duration   // until a node is started again, about
	delay   time.Duration   // of the network, at most
	topics  int
	writers int
	rate    time.Duration // between batches of a producer, about
	groups  bool          // consumer groups live, too
}

func (p plan) has(f fault) bool { return p.faults&f != 0 }

func (p plan) String() string {
	s := fmt.Sprintf("groups %v, topics %d, producers %d, a batch each %v, faults each %v, crash modes %v:", p.groups, p.topics, p.writers, p.rate, p.every, p.modes)
	for i, name := range faultNames {
		if p.has(1 << i) {
			s += " " + name + ","
		}
	}
	return s
}

// draw draws a plan. One run in eight has all kinds of faults, the others each with its own odds.
func (w *world) draw() plan {
	p := plan{
		safety:  pick(w, []time.Duration{15, 30, 60}) * time.Second,
		every:   pick(w, []time.Duration{3, 8, 20}) * time.Second,
		restart: pick(w, []time.Duration{100, 1000, 4000}) * time.Millisecond,
		delay:   pick(w, []time.Duration{1, 10, 100}) * time.Millisecond,
		topics:  1 + w.rand.IntN(4),
		writers: 1 + w.rand.IntN(5),
		rate:    pick(w, []time.Duration{50, 200, 1000}) * time.Millisecond,
	}
	p.groups = w.seed%3 == 0 // not drawn: the others live as they did before there were groups
	odds := w.rand.Float64()
	for f := fault(1); f < allFaults; f <<= 1 {
		if (f != epochFault || p.groups) && w.chance(odds) {
			p.faults |= f
		}
	}
	if w.chance(0.125) {
		p.faults = allFaults
	}
	if !p.groups {
		p.faults &^= epochFault
	}
	for _, m := range vfs.CrashModes() {
		if m != vfs.KillOnly && w.chance(0.5) {
			p.modes = append(p.modes, m)
		}
	}
	if len(p.modes) == 0 {
		p.modes = []vfs.CrashMode{vfs.LoseAll}
	}
	return p
}

// topicSettings draws the settings of a new topic.
func (w *world) topicSettings() map[string]string {
	s := map[string]string{}
	if w.chance(0.25) {
		s["commit.sync"] = "false"
		if w.chance(0.3) {
			s["flush.messages"] = "1"
		}
	}
	if w.chance(0.6) {
		s["segment.ms"] = pick(w, []string{"300", "1000", "5000"})
	}
	if w.chance(0.3) {
		s["segment.index.bytes"] = pick(w, []string{"24", "120"})
	}
	if w.chance(0.5) {
		s["index.interval.bytes"] = pick(w, []string{"0", "100", "1000"})
	}
	if w.chance(0.3) {
		s["retention.ms"] = pick(w, []string{"5000", "15000"})
	}
	if w.chance(0.2) {
		s["retention.bytes"] = pick(w, []string{"2000", "20000"})
	}
	if w.chance(0.7) {
		s["file.delete.delay.ms"] = pick(w, []string{"0", "2000", "15000"})
	}
	if w.chance(0.1) {
		s["message.timestamp.type"] = "LogAppendTime"
	}
	return s
}
