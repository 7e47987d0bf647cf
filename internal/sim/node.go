package sim

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/base/config"
	"holdfast/internal/base/event"
	"holdfast/internal/core/image"
	"holdfast/internal/host/coord"
	"holdfast/internal/host/partition"
	"holdfast/internal/host/quorum"
	"holdfast/internal/storage/vfs"
)

const (
	dataDir   = "var/data"
	nodeID    = 0
	clusterID = "simulated"

	// snapshotEvery makes snapshots of the metadata common.
	snapshotEvery = 12
)

// node is one life of the node: what internal/node builds, without sockets and goroutines.
type node struct {
	w      *world
	life   int
	quorum *quorum.Driver
	parts  *partition.Manager // nil until it is open

	brokerEpoch int64
	incarnation uint64 // registrations in this life
	ids, idsEnd int64  // the rest of the block of producer ids

	proposals   []*proposal // in the order in which they are answered
	stepping    bool        // a turn of the quorum is on the way
	finishRound func()      // ends the round of the flusher that runs; nil where none does
	flushing    bool        // a round of the flusher is
	conns       []*conn     // with requests that are not answered

	coord        *coord.Host // nil until the partitions are open
	asks         []*ask      // of coordinators, not answered
	coordinating bool        // a step of the coordinators is on the way
	due          time.Time   // when they are looked at next by the clock
	ensured      bool        // their topic was asked for

	failing bool // the directory failed, the operator is on the way
}

// proposal is a request to the quorum; done is called with its reply once that is known.
type proposal struct {
	submitted *quorum.Submitted
	done      func(reply any, err error)
}

// boot starts the node on the disk as it is. It takes no time; what a start takes is in the delay before.
func (w *world) boot() {
	w.lives++
	n := &node{w: w, life: w.lives}
	w.note("start", "", int64(n.life), 0)
	if err := n.open(); err != nil {
		w.note("start failed", err.Error(), 0, 0)
		w.counts[FailedStarts]++
		w.failures++
		w.end(vfs.KillOnly)
		return
	}
	w.node, w.failures = n, 0
	w.truth.reopened(w)
	n.every(time.Second, func() {
		n.parts.FlushAged(w.now)
		if err := n.parts.SaveCheckpoints(); err != nil {
			w.note("checkpoints not saved", "", 0, 0)
		}
	})
	n.every(10*time.Second, func() { n.parts.Sweep(w.now) })
	n.every(20*time.Second, func() {
		w.truth.retaining = true
		n.parts.Retain(w.now)
		w.truth.retaining = false
	})
}

func (n *node) open() error {
	w := n.w
	fsys := w.disk.faulty
	if err := vfs.MakeDirs(fsys, dataDir); err != nil {
		return err
	}
	d, err := quorum.Open(quorum.Options{
		FS: fsys, Dir: path.Join(dataDir, "quorum"), Directory: [16]byte{1}, NodeID: nodeID, ClusterID: clusterID,
		Broker: w.bench.values, SnapshotEvery: snapshotEvery, Now: func() time.Time { return w.now }, Random: seeded(w.rand.Uint64()),
	})
	if err != nil {
		return err
	}
	n.quorum = d
	d.Watch(n.follow)
	before := w.truth.img
	if err := d.Begin(); err != nil {
		return err
	}
	w.truth.replayed(w, before, d.Image())
	if err := n.register(); err != nil {
		return err
	}
	m, err := partition.Open(partition.Options{
		FS: fsys, Dir: dataDir, NodeID: nodeID, BootID: "boot", MaxFiles: pick(w, []int{4, 16, 1000}), Log: slog.New(slog.DiscardHandler),
		Events: event.SinkFunc(n.emit), Metrics: w.bench.metrics, Config: func() *config.Values { return w.bench.values },
		Now: func() time.Time { return w.now }, InOrder: true,
	}, d.Image())
	n.parts = m
	if err == nil && w.groups != nil {
		n.openCoordinator()
	}
	return err
}

func seeded(seed uint64) io.Reader {
	var s [32]byte
	binary.BigEndian.PutUint64(s[:], seed)
	return rand.NewChaCha8(s)
}

func (n *node) registration() *kmsg.BrokerRegistrationRequest {
	q := kmsg.NewPtrBrokerRegistrationRequest()
	q.Version, q.BrokerID, q.ClusterID = q.MaxVersion(), nodeID, clusterID
	binary.BigEndian.PutUint64(q.IncarnationID[:], uint64(n.life))
	binary.BigEndian.PutUint64(q.IncarnationID[8:], n.incarnation)
	q.LogDirs = [][16]byte{{1}}
	return q
}

// register takes its turns of the quorum at once, as a node that starts waits for nothing else.
func (n *node) register() error {
	s, err := n.quorum.Submit(n.registration())
	if err != nil {
		return err
	}
	for range 100 { // a full disk may pass
		if _, err := n.quorum.Step(); err != nil {
			return err
		}
		if reply, ok, err := s.Answer(); ok {
			if err != nil {
				return err
			}
			r := reply.(*kmsg.BrokerRegistrationResponse)
			if r.ErrorCode != 0 {
				violate("the node cannot register: code %d", r.ErrorCode)
			}
			n.brokerEpoch = r.BrokerEpoch
			return nil
		}
	}
	return fmt.Errorf("no answer to the registration")
}

func (n *node) follow(_, after *image.Image, d image.Delta) {
	if n.parts != nil {
		n.parts.Follow(d)
	}
	if n.coord != nil {
		n.coord.Follow(after, d)
	}
	n.w.truth.shown(n.w, after)
}

// emit judges what the node tells of itself. Nothing here flips bits, so nothing may look as if.
func (n *node) emit(e event.Event) {
	n.w.note(e.Kind.Name, e.Topic, int64(e.Partition), 0)
	switch e.Kind {
	case event.KindQuarantined:
		violate("nothing was damaged, but: %s", e.Sentence())
	case event.KindDirFailed:
		n.w.counts[DirFailures]++
		if !n.w.disk.faulted() {
			violate("nothing was wrong with the disk, but: %s", e.Sentence())
		}
	case event.KindPartitionOffline:
		if !n.w.disk.faulted() && n.parts.Failed() == nil {
			violate("nothing was wrong with the disk, but: %s", e.Sentence())
		}
	case event.KindCoordinatorDown:
		if !n.w.disk.faulted() && n.parts.Failed() == nil && !n.offline(e.Topic, e.Partition) { // that was judged when it happened
			violate("nothing was wrong with the disk, but: %s", e.Sentence())
		}
	}
}

// offline says whether a partition does not serve.
func (n *node) offline(topic string, index int32) bool {
	t := n.parts.Topic([]byte(topic))
	return t != nil && t.Offline(index) != nil
}

// coordinatorsOffline says whether a partition of the coordinators does not serve. It is asked after every step.
func (n *node) coordinatorsOffline() bool {
	t := n.parts.Topic([]byte(image.TopicOffsets))
	for i := int32(0); t != nil && i < offsetShards; i++ {
		if t.Offline(i) != nil {
			return true
		}
	}
	return false
}

// after has something happen in this life of the node, if it lasts.
func (n *node) after(d time.Duration, do func()) {
	n.w.after(d, func() {
		if n.w.node == n {
			do()
		}
	})
}

func (n *node) every(d time.Duration, do func()) {
	n.after(d, func() {
		do()
		n.every(d, do)
	})
}

// propose hands a request to the quorum.
func (n *node) propose(request any, done func(reply any, err error)) {
	s, err := n.quorum.Submit(request)
	if err != nil {
		done(nil, err)
		return
	}
	n.proposals = append(n.proposals, &proposal{s, done})
	n.turn(n.w.between(0, time.Millisecond))
}

// turn has the quorum take a turn soon, unless it will anyway.
func (n *node) turn(soon time.Duration) {
	if n.stepping {
		return
	}
	n.stepping = true
	n.after(soon+n.w.syncTime(), func() {
		n.stepping = false
		again, err := n.quorum.Step()
		if err != nil {
			n.w.note("quorum failed", err.Error(), 0, 0)
			n.w.counts[QuorumFailures]++
			n.w.end(vfs.KillOnly) // a node without metadata stops
			return
		}
		if again {
			n.turn(100 * time.Millisecond)
		}
		n.answer()
	})
}

// answer hands out the replies that are there.
func (n *node) answer() {
	for len(n.proposals) > 0 {
		p := n.proposals[0]
		reply, ok, err := p.submitted.Answer()
		if !ok {
			return
		}
		n.proposals = n.proposals[1:]
		p.done(reply, err)
	}
}

// producerID hands out an id as the broker does, from a block that the quorum gave this node for itself.
func (n *node) producerID(done func(id int64, ok bool)) {
	if n.ids < n.idsEnd {
		n.ids++
		done(n.ids-1, true)
		return
	}
	q := kmsg.NewPtrAllocateProducerIDsRequest()
	q.BrokerID, q.BrokerEpoch = nodeID, n.brokerEpoch
	n.propose(q, func(reply any, err error) {
		if err != nil {
			done(0, false)
			return
		}
		r := reply.(*kmsg.AllocateProducerIDsResponse)
		if q.BrokerEpoch != n.brokerEpoch {
			done(0, false) // it was asked for in an older one
			return
		}
		if r.ErrorCode != 0 {
			violate("no producer ids for the registered broker: code %d", r.ErrorCode)
		}
		n.ids, n.idsEnd = r.ProducerIDStart+1, r.ProducerIDStart+int64(r.ProducerIDLen)
		done(r.ProducerIDStart, true)
	})
}

// flushSoon has the flusher take a round, in its three steps, if it has something to do.
func (n *node) flushSoon() {
	if n.flushing || n.parts == nil || !n.parts.Dirty() {
		return
	}
	n.flushing = true
	n.after(n.w.between(0, 500*time.Microsecond), func() {
		if !n.parts.Gather() {
			n.flushing = false
			return
		}
		took := n.w.syncTime()
		var err error
		n.finishRound = func() {
			n.parts.TellSynced(n.parts.SyncGathered())
		}
		n.after(took/2, func() {
			err = n.parts.SyncGathered()
			n.finishRound = func() { n.parts.TellSynced(err) }
			n.after(took/2, func() {
				n.finishRound()
				n.finishRound, n.flushing = nil, false
			})
		})
	})
}

// syncTime draws how long a sync takes.
func (w *world) syncTime() time.Duration {
	if w.now.Before(w.slowUntil) {
		w.counts[SlowSyncs]++
		return w.between(0, 4*time.Second)
	}
	return w.between(200*time.Microsecond, 4*time.Millisecond)
}

// partition finds a partition; nil where it is not served.
func (n *node) partition(id image.TopicID, index int32) *partition.Partition {
	t := n.parts.TopicByID(id)
	if t == nil {
		return nil
	}
	return t.Partition(index)
}

// stop ends the node cleanly and reports whether that is what it did. As the real flusher does, it ends the round that
// runs: a sync that failed must be told before the partitions are closed.
func (n *node) stop() error {
	if n.finishRound != nil {
		n.finishRound()
		n.finishRound = nil
	}
	if n.coord != nil {
		n.coord.Stop()
		n.answerGroups()
	}
	if err := n.parts.Stop(); err != nil {
		return err
	}
	return n.quorum.End()
}

// powerGone ends the life of the node by the cut that its disk took.
func (w *world) powerGone() {
	d := w.disk
	w.counts[PowerCuts]++
	w.ended(d.mode, d.left)
}

// die ends the life of the node: the power goes, or, with KillOnly, the process.
func (w *world) die(mode vfs.CrashMode) {
	if mode == vfs.KillOnly {
		w.counts[Kills]++
	} else {
		w.counts[PowerCuts]++
	}
	w.end(mode)
}

func (w *world) end(mode vfs.CrashMode) {
	w.disk.mode = mode
	w.disk.crash()
	w.ended(mode, w.disk.left)
}

// ended is what is left, and who starts the node again.
func (w *world) ended(mode vfs.CrashMode, left *vfs.Mem) {
	w.note("the node is gone", mode.String(), int64(w.lives), 0)
	w.truth.crashed(mode, w.disk.lossy)
	if w.node != nil && w.groups != nil {
		w.groups.gone(w.node)
	}
	w.node = nil
	lossy := w.disk.lossy && mode == vfs.KillOnly // the page cache still shows what the disk never got
	w.disk = w.newDisk(left)
	w.disk.lossy = lossy
	again := w.about(w.plan.restart) << min(w.failures, 5)
	if w.healing {
		again = min(again, 5*time.Second)
	}
	w.bootAfter(again)
}

// bootAfter has the node start later. An earlier plan to do so is given up.
func (w *world) bootAfter(d time.Duration) {
	w.starts++
	mine := w.starts
	w.after(d, func() {
		if w.starts == mine {
			w.boot()
		}
	})
}
