package partition

import (
	"errors"
	"fmt"
	"time"

	"holdfast/internal/core/producer"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/commitlog"
)

// A coordinator keeps its state in a partition that only the broker writes. What it needs beyond a client: to write in
// the leader epoch it has loaded in, to read to the end of the log whatever is committed, and to know when that is over.

var (
	// ErrNotLeading says that this replica does not lead, or not in that epoch, or no more.
	ErrNotLeading = errors.New("it is not led here in that epoch")
	// ErrFenced says that a newer epoch of a producer, or of the transaction coordinator, has written here, or that the
	// transaction has ended.
	ErrFenced = errors.New("a newer epoch has written here, or the transaction has ended")
)

// Leads is nil while this replica leads in the epoch and may acknowledge. Who watches the partition (Watch) is
// signalled when that changes.
func (p *Partition) Leads(epoch int32) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leads(epoch)
}

func (p *Partition) leads(epoch int32) error {
	if p.gone || p.leader.Epoch() != epoch {
		return fmt.Errorf("partition %s: %w (%d)", p, ErrNotLeading, epoch)
	}
	return p.manager.Failed()
}

// AppendOwn appends the broker's own batch, data or marker, as the leader of the epoch. It is committed when the high
// watermark reaches next. Sequences are not looked at; epochs of producers are. After an error nothing of the batch
// counts, but a read of the log may still find it: whoever wrote it reads the log again.
func (p *Partition) AppendOwn(epoch int32, batch record.Batch, now time.Time) (next int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.leads(epoch); err != nil {
		return 0, err
	}
	if err := p.manager.dir.refuses(); err != nil {
		return 0, err
	}
	if err := p.checkOwn(batch); err != nil {
		return 0, err
	}
	var r wire.ProducePartitionResult
	next, ok := p.write(batch, now, &r)
	if !ok {
		return 0, fmt.Errorf("partition %s: %s", p, r.ErrorMessage)
	}
	return next, nil
}

func (p *Partition) checkOwn(batch record.Batch) error {
	id := batch.ProducerID()
	if id < 0 {
		return nil
	}
	if m, ok := batch.Marker(); ok {
		v := p.log.Producers().CheckMarker(producer.Marker{ProducerID: id, Epoch: m.ProducerEpoch, CoordinatorEpoch: m.CoordinatorEpoch})
		if v.Kind != producer.Append {
			return fmt.Errorf("partition %s: a marker of producer %d: %w: %v", p, id, ErrFenced, v.Kind)
		}
		return nil
	}
	v := p.log.Producers().CheckEpoch(id, batch.ProducerEpoch())
	if v.Kind != producer.Append || batch.Transactional() && !p.mayWriteTransaction(id, batch.ProducerEpoch()) {
		return fmt.Errorf("partition %s: producer %d: %w", p, id, ErrFenced)
	}
	return nil
}

// LocateOwn finds whole batches from offset on, committed or not, of about maxBytes, but one at least. An empty span is
// the end of the log. Errors are those of commitlog.Log.Locate.
func (p *Partition) LocateOwn(offset int64, maxBytes int) (commitlog.Span, error) {
	return p.log.Locate(offset, p.log.End(), maxBytes, true)
}
