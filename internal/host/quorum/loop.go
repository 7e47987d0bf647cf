package quorum

import (
	"errors"
	"fmt"
	"time"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"holdfast/internal/base/invariant"
	"holdfast/internal/core/controller"
	"holdfast/internal/core/image"
	"holdfast/internal/storage/vfs"
)

// loop is the state of the loop; see Driver for who owns it.
type loop struct {
	store *store
	node  *raft.RawNode

	img     *image.Image // after every committed entry; shown once they are durable
	applied uint64       // index of the last entry in img
	last    uint64       // index of the last entry in raft's log

	// The active controller's own. machine holds the pending image; it is nil on everybody else, and until the
	// first entry of this node's term is applied, as only then everything older is known.
	leading bool
	machine *controller.Machine
	pending []appended
	waiting []*call // by index

	group   int  // bytes proposed in this turn
	owes    bool // a full disk: the turn is not over, and no other begins
	batches uint64
}

// appended is the picture after an entry that is in the log and not yet committed.
type appended struct {
	index, term uint64
	img         *image.Image
}

// begin brings this node up: see Start.
func (d *Driver) begin() error {
	d.last = d.store.last()
	d.applied = d.store.snapshotIndex
	if err := d.pump(); err != nil {
		return err
	}
	if len(d.store.voters) == 1 {
		// Nobody else could be the leader, so there is nobody to wait for.
		if err := d.node.Campaign(); err != nil {
			return fmt.Errorf("campaign: %w", err)
		}
		if err := d.pump(); err != nil {
			return err
		}
	}
	if d.machine != nil && d.img.ClusterID() == "" {
		d.decide(&call{cmd: controller.Command{Request: &controller.FormCluster{ClusterID: d.o.ClusterID}}, reply: make(chan answer, 1)})
		if err := d.pump(); err != nil {
			return err
		}
	}
	if err := d.store.flush(); err != nil {
		return err
	}
	return d.show()
}

// run is the goroutine.
func (d *Driver) run() { d.end(d.turns()) }

// end answers all who wait and closes what is open.
func (d *Driver) end(err error) {
	for _, c := range d.waiting {
		c.reply <- answer{err: errors.Join(ErrUnknown, err)}
	}
	d.waiting = nil
	d.err = errors.Join(err, d.store.close())
	close(d.done)
}

func (d *Driver) turns() error {
	for {
		var again <-chan time.Time
		queue := d.queue
		if d.owes {
			again, queue = time.After(fullDiskRetry), nil
		} else if err := d.store.prepare(); err != nil {
			return err
		}
		select {
		case <-d.stopping:
			return nil
		case c := <-queue:
			d.decide(c)
			d.drain(groupCommands - 1)
		case <-again:
		}
		if err := d.turn(); err != nil {
			return err
		}
	}
}

// drain takes the commands that came while the turn before was being synced, at most n.
func (d *Driver) drain(n int) {
	for ; n > 0 && d.group < groupBytes; n-- {
		select {
		case c := <-d.queue:
			d.decide(c)
		default:
			return
		}
	}
}

// decide lets the controller answer a command and puts what it wants written into raft's log.
func (d *Driver) decide(c *call) {
	if d.machine == nil {
		c.reply <- answer{err: ErrNotLeader}
		return
	}
	out := d.machine.Decide(d.o.Now(), c.cmd)
	if len(out.Records) > 0 {
		data := image.AppendBatch(nil, out.Records)
		if err := d.node.Propose(data); err != nil {
			c.reply <- answer{err: fmt.Errorf("%w: %w", ErrNotLeader, err)}
			return
		}
		d.last++
		d.group += len(data)
		d.machine.Apply(int64(d.last), out.Records)
		d.pending = append(d.pending, appended{d.last, d.store.term(), d.machine.Image()})
	}
	c.out, c.index = out.Reply, d.last
	d.waiting = append(d.waiting, c)
}

// turn makes durable what was decided, and shows what became true. A full disk leaves it unfinished: nothing was written,
// raft's log in memory is ahead, there is no way back, but trying again heals it.
func (d *Driver) turn() error {
	d.group = 0
	if err := d.pump(); err != nil {
		return err
	}
	began := d.o.Now()
	err := d.store.flush()
	d.o.Synced(d.o.Now().Sub(began))
	d.owes = err != nil && d.store.journal.Failed() == nil && (vfs.IsFull(err) || vfs.IsHandles(err))
	switch {
	case d.owes:
		return nil
	case err != nil:
		return err
	}
	return d.show()
}

// pump moves raft on until it wants nothing more: what it wants stored is staged, what is committed is applied to img.
func (d *Driver) pump() error {
	for d.node.HasReady() {
		rd := d.node.Ready()
		invariant.That(len(rd.Messages) == 0, "quorum: a single voter has a message to send: %v", rd.Messages)
		if err := d.store.stage(rd.Entries, rd.HardState); err != nil {
			return err
		}
		if rd.SoftState != nil {
			d.lead(rd.RaftState == raft.StateLeader)
		}
		for _, e := range rd.CommittedEntries {
			if err := d.apply(e); err != nil {
				return fmt.Errorf("entry %d: %w", e.GetIndex(), err)
			}
		}
		d.node.Advance(rd)
	}
	stored := d.store.last()
	invariant.That(len(d.pending) == 0 || d.last == stored, "quorum: %d entries were foreseen, %d are in the log", d.last, stored)
	d.last = stored
	return nil
}

// lead is called when this node may have won or lost the lead.
func (d *Driver) lead(leading bool) {
	if d.leading == leading {
		return
	}
	d.leading, d.machine, d.pending = leading, nil, nil
	for _, c := range d.waiting {
		c.reply <- answer{err: fmt.Errorf("%w: the lead of the metadata quorum was lost", ErrUnknown)}
	}
	d.waiting = nil
}

// apply makes a committed entry part of img.
func (d *Driver) apply(e *pb.Entry) error {
	index, term := e.GetIndex(), e.GetTerm()
	invariant.That(index == d.applied+1, "quorum: entry %d applied after %d", index, d.applied)
	d.applied = index
	switch {
	case e.GetType() != pb.EntryNormal:
		return fmt.Errorf("it changes the voters, which this version cannot: start a newer one")
	case len(e.Data) == 0: // a leader's first
	case len(d.pending) > 0:
		p := d.pending[0]
		invariant.That(p.index == index && p.term == term, "quorum: entry %d of term %d committed, %d of term %d was next", index, term, p.index, p.term)
		d.img, d.pending = p.img, d.pending[1:]
	default:
		records, err := image.DecodeBatch(e.Data)
		if err != nil {
			return err
		}
		d.img = d.img.Apply(int64(index), records)
		if level := d.img.Feature(image.FeatureMetadata); level > image.MetadataVersion {
			return &image.VersionError{What: "what only later levels can read", Level: level}
		}
	}
	if d.leading && d.machine == nil && term == d.store.term() {
		d.machine = controller.New(d.o.Broker, d.img)
	}
	return nil
}

// show lets everybody see what is committed and durable: watchers, then Image, then the replies. Then it is the time
// for a snapshot, when nobody waits.
func (d *Driver) show() error {
	if old := d.shown.Load(); d.img != old {
		delta := image.Diff(old, d.img)
		for _, w := range d.watchers {
			w(old, d.img, delta)
		}
		d.shown.Store(d.img)
	}
	n := 0
	for n < len(d.waiting) && d.waiting[n].index <= d.applied {
		d.waiting[n].reply <- answer{reply: d.waiting[n].out}
		n++
	}
	d.waiting = d.waiting[n:]
	if n > 0 && len(d.waiting) == 0 {
		d.waiting = nil
	}
	d.batches++
	d.stats.Store(&Stats{
		Active: d.machine != nil, Term: d.store.term(), Applied: d.applied, Batches: d.batches, Journal: d.store.journal.Size(),
	})
	return d.store.snapshotIfDue(d.applied, d.img, d.o.SnapshotEvery)
}
