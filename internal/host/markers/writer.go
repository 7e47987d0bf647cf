package markers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"holdfast/internal/core/image"
	"holdfast/internal/core/txn"
	"holdfast/internal/host/coord"
	"holdfast/internal/host/partition"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	commitTimeout = 30 * time.Second // for one attempt
	firstPause    = 20 * time.Millisecond
	longPause     = time.Second
	reports       = 600 // to a shard that does not hear: it is led elsewhere by then
)

// Options is what a Writer works with.
type Options struct {
	NodeID     int32
	Partitions *partition.Manager
	Groups     *coord.Host // whose shards own the partitions of __consumer_offsets
	Image      func() *image.Image
	Propose    func(ctx context.Context, request any) (reply any, err error) // to the active controller
	Log        *slog.Logger
	Now        func() time.Time // nil for time.Now
}

// Writer does the tasks of transaction coordinators.
type Writer struct {
	o      Options
	tell   func(shard int32, command any) bool
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// New returns a writer. tell gives a coordinator's shard a command; false: it does not have it now.
func New(o Options, tell func(shard int32, command any) bool) *Writer {
	if o.Now == nil {
		o.Now = time.Now
	}
	w := &Writer{o: o, tell: tell}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// Task begins a task of a shard; it does not wait.
func (w *Writer) Task(shard int32, task any) {
	switch t := task.(type) {
	case *txn.WriteMarkers:
		w.work.Go(func() { w.end(shard, t) })
	case *txn.AllocateProducerIDs:
		w.work.Go(func() { w.allocate(shard) })
	default:
		panic(fmt.Sprintf("markers: no task %T", t))
	}
}

// Stop gives up what is under way: coordinators find it in their log. It returns when nothing of it goes on.
func (w *Writer) Stop() {
	w.cancel()
	w.work.Wait()
}

// end writes the markers of a transaction until all are written, and says so.
func (w *Writer) end(shard int32, t *txn.WriteMarkers) {
	left := t.Partitions
	for p := (pause{}); len(left) > 0; {
		var fenced bool
		if left, fenced = w.attempt(t, left); fenced {
			return // another coordinator has taken over, and ends it
		}
		if len(left) > 0 && !p.wait(w.ctx) {
			return
		}
		if p.n == 10 {
			w.o.Log.Warn("the end of a transaction cannot be written to all its partitions yet: readers of committed records wait there", "transactional id", t.ID, "partitions", len(left))
		}
	}
	w.report(shard, &txn.MarkersWritten{ID: t.ID, ProducerID: t.ProducerID, Epoch: t.Epoch})
}

// report tells a shard how a task went, as soon as it can hear it: it may be short of room in its mailbox. One that was
// loaded again in the meantime finds the task in its log; what it is told then is true all the same.
func (w *Writer) report(shard int32, command any) {
	for p := (pause{}); !w.tell(shard, command) && p.n < reports && p.wait(w.ctx); {
	}
}

// attempt writes the markers that are left, all at once, and gives those that are still left.
func (w *Writer) attempt(t *txn.WriteMarkers, partitions []txn.Partition) (left []txn.Partition, fenced bool) {
	m := record.Marker{Commit: t.Commit, ProducerID: t.ProducerID, ProducerEpoch: t.Epoch, CoordinatorEpoch: t.CoordinatorEpoch, TimestampMs: w.o.Now().UnixMilli()}
	results := make([]wire.ProducePartitionResult, len(partitions))
	var c partition.Commit
	c.Begin(len(partitions))
	for i, p := range partitions {
		if p.Topic == image.TopicOffsets {
			continue
		}
		if local := w.local(p); local != nil {
			local.AppendMarker(m, t.Bumped, w.o.Now(), &c, &results[i])
		} else if w.exists(p) {
			results[i].Code = wire.NotLeaderOrFollower
		}
	}
	waits := !c.Seal()
	for i, p := range partitions {
		if p.Topic == image.TopicOffsets {
			ctx, cancel := context.WithTimeout(w.ctx, commitTimeout)
			results[i].Code = w.o.Groups.Mark(ctx, p.Index, m)
			cancel()
		}
	}
	if waits {
		c.Wait(commitTimeout)
	}
	for i, p := range partitions {
		switch results[i].Code {
		case wire.None, wire.InvalidProducerEpoch: // a newer epoch has written: the transaction is over here
		case wire.TransactionCoordinatorFenced:
			return nil, true
		default:
			if p.Topic != image.TopicOffsets || w.exists(p) {
				left = append(left, p)
			}
		}
	}
	return left, false
}

func (w *Writer) local(p txn.Partition) *partition.Partition {
	if t := w.o.Partitions.Topic([]byte(p.Topic)); t != nil {
		return t.Partition(p.Index)
	}
	return nil
}

func (w *Writer) exists(p txn.Partition) bool {
	t := w.o.Image().Topic(p.Topic)
	return t != nil && int(p.Index) < len(t.Partitions)
}

// allocate gets a block of producer ids from the controller.
func (w *Writer) allocate(shard int32) {
	ctx, cancel := context.WithTimeout(w.ctx, commitTimeout)
	defer cancel()
	ids, err := w.block(ctx)
	if err != nil {
		w.o.Log.Warn("no producer ids for a transaction coordinator: its clients try again", "shard", shard, "err", err)
		ids = &txn.ProducerIDs{}
	}
	w.report(shard, ids)
}

func (w *Writer) block(ctx context.Context) (*txn.ProducerIDs, error) {
	q := kmsg.NewPtrAllocateProducerIDsRequest()
	q.BrokerID = w.o.NodeID
	if b := w.o.Image().Broker(w.o.NodeID); b != nil {
		q.BrokerEpoch = b.Epoch
	}
	reply, err := w.o.Propose(ctx, q)
	if err != nil {
		return nil, err
	}
	r, ok := reply.(*kmsg.AllocateProducerIDsResponse)
	switch {
	case !ok:
		return nil, errors.New("the controller did not answer")
	case r.ErrorCode != 0:
		return nil, fmt.Errorf("the controller refused: %v", wire.Code(r.ErrorCode))
	}
	return &txn.ProducerIDs{First: r.ProducerIDStart, Count: r.ProducerIDLen}, nil
}

// pause waits longer each time.
type pause struct{ n int }

// wait is false when ctx has ended.
func (p *pause) wait(ctx context.Context) bool {
	d := min(firstPause<<min(p.n, 10), longPause)
	p.n++
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
