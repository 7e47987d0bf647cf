package partition

import (
	"errors"
	"fmt"
	"time"

	"holdfast/internal/core/producer"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

// Acks says when a produce request is answered, with Kafka's numbers.
type Acks int16

const (
	AcksAll    Acks = -1 // when committed
	AcksNone   Acks = 0  // never
	AcksLeader Acks = 1  // when the leader has appended
)

// Append writes the one record batch of a produce request, in place: it stamps offsets and leader epoch into records.
// r receives the answer at once, or, for AcksAll, when c says so.
func (p *Partition) Append(records []byte, acks Acks, now time.Time, c *Commit, r *wire.ProducePartitionResult) {
	r.Index, r.Code, r.BaseOffset, r.LogAppendTimeMs, r.LogStart = p.Index, wire.None, -1, -1, -1
	batch, bad := p.Topic.settings.Load().prepare(records, now)
	if bad != nil {
		refuseRecords(r, bad)
		return
	}
	if &batch[0] != &records[0] {
		p.manager.measured.recoded.Inc()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		r.Code = wire.NotLeaderOrFollower
		return
	}
	if err := p.manager.dir.refuses(); err != nil {
		p.turnAway(batch)
		r.Code, r.ErrorMessage = wire.KafkaStorageError, err.Error()
		return
	}
	until, ok := p.appendLocked(batch, now, r)
	switch {
	case !ok || acks == AcksNone:
	case p.flushDue():
		p.markDirty()
		c.add(p, &p.flushes, until, r)
	case acks == AcksAll && p.leader.HighWatermark() < until:
		c.add(p, &p.commits, until, r)
	}
}

// appendLocked appends batch or recognises it as a repeat. It fills r and returns the offset that commits the batch.
func (p *Partition) appendLocked(batch record.Batch, now time.Time, r *wire.ProducePartitionResult) (until int64, ok bool) {
	first := p.log.End()
	last := first + int64(batch.LastOffsetDelta())
	if id := batch.ProducerID(); id >= 0 {
		v := p.log.Producers().Check(producerBatch(batch, first, last))
		switch v.Kind {
		case producer.Append:
			if p.outOfTurn(batch) {
				v.Kind = producer.OutOfOrderSequence
				r.Code, r.ErrorMessage = refusal(v)
				return 0, false
			}
			if batch.Transactional() && !p.mayWriteTransaction(id, batch.ProducerEpoch()) {
				r.Code, r.ErrorMessage = wire.InvalidTxnState, "the partition is not part of the producer's transaction, or that has ended"
				return 0, false
			}
		case producer.Duplicate:
			p.manager.measured.duplicates.Inc()
			r.BaseOffset, r.LogStart = v.FirstOffset, p.log.Start()
			if batch.LogAppendTime() {
				r.LogAppendTimeMs = v.TimestampMs
			}
			return v.FirstOffset + int64(batch.LastOffsetDelta()) + 1, true
		default:
			r.Code, r.ErrorMessage = refusal(v)
			return 0, false
		}
	}
	return p.write(batch, now, r)
}

// write is appendLocked for a batch that was judged.
func (p *Partition) write(batch record.Batch, now time.Time, r *wire.ProducePartitionResult) (until int64, ok bool) {
	first := p.log.End()
	last := first + int64(batch.LastOffsetDelta())
	if epoch := p.leader.Epoch(); p.log.LastEpoch() < epoch {
		// The epoch's start is recorded with its first record, so that ten thousand idle partitions cost a restart nothing.
		p.log.AssignEpoch(epoch, first)
	}
	batch.SetBaseOffset(first)
	batch.SetLeaderEpoch(p.leader.Epoch())
	if err := p.log.Append(batch, now); err != nil {
		p.turnAway(batch)
		p.writeFailed(err, r)
		return 0, false
	}
	p.written(batch)
	r.BaseOffset, r.LogStart = first, p.log.Start()
	if batch.LogAppendTime() {
		r.LogAppendTimeMs = batch.MaxTimestamp()
	}
	p.Topic.AppendedRecords.Add(int64(batch.Count()))
	p.Topic.AppendedBytes.Add(int64(len(batch)))
	if p.Topic.settings.Load().commitSync() {
		p.markDirty()
	}
	if p.leader.Appended(last + 1) {
		p.moved()
	}
	return last + 1, true
}

// flushDue reports whether an unsynced topic has so many unsynced records that flush.messages has the next append wait
// for a sync, whatever its acks: Kafka's way to ask for syncs.
func (p *Partition) flushDue() bool {
	s := p.Topic.settings.Load()
	return !s.commitSync() && p.log.End()-p.log.RecoveryPoint() >= s.topic.FlushMessages
}

func producerBatch(b record.Batch, first, last int64) producer.Batch {
	return producer.Batch{
		ProducerID: b.ProducerID(), Epoch: b.ProducerEpoch(),
		FirstSeq: b.BaseSequence(), LastSeq: b.LastSequence(),
		FirstOffset: first, LastOffset: last,
		TimestampMs: b.MaxTimestamp(), Transactional: b.Transactional(),
	}
}

// writeFailed answers a failed append. The log cut itself back, so the batch is definitely not there. A full disk and
// exhausted handles pass; any other error is the device's, and ends the directory.
func (p *Partition) writeFailed(err error, r *wire.ProducePartitionResult) {
	r.Code, r.ErrorMessage = wire.KafkaStorageError, err.Error()
	switch {
	case vfs.IsFull(err):
		p.manager.dir.space.hit.Store(true)
	case !vfs.IsHandles(err):
		p.manager.dir.fail(err)
	}
}

// refuseRecords answers a batch that breaks a rule.
func refuseRecords(r *wire.ProducePartitionResult, bad *record.Error) {
	r.Code, r.ErrorMessage = recordCode(bad.Kind), bad.Message
	if bad.RecordIndex >= 0 {
		r.RecordErrors = append(r.RecordErrors[:0], wire.RecordError{BatchIndex: bad.RecordIndex, Message: bad.Message})
	}
}

func recordCode(k record.Kind) wire.Code {
	switch k {
	case record.TooLarge:
		return wire.MessageTooLarge
	case record.InvalidRecord:
		return wire.InvalidRecord
	case record.InvalidTimestamp:
		return wire.InvalidTimestamp
	case record.UnsupportedCodec:
		return wire.UnsupportedCompressionType
	case record.UnsupportedFormat:
		return wire.UnsupportedForMessageFormat
	default:
		return wire.CorruptMessage
	}
}

func refusal(v producer.Verdict) (wire.Code, string) {
	switch v.Kind {
	case producer.InvalidEpoch:
		return wire.InvalidProducerEpoch, "a newer epoch of this producer has written here"
	case producer.InvalidTxnState:
		return wire.InvalidTxnState, "the producer has a transaction open here that has to end first"
	default:
		return wire.OutOfOrderSequenceNumber, "the batch does not follow the producer's last one here"
	}
}

// AppendInternal appends the broker's own records to an internal topic. They are synced like any others, unwaited for.
func (p *Partition) AppendInternal(batch record.Batch, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.manager.Failed(); err != nil {
		return err
	}
	if p.gone {
		return fmt.Errorf("partition %s is closed", p)
	}
	var r wire.ProducePartitionResult
	if _, ok := p.appendLocked(batch, now, &r); !ok {
		return errors.New(r.ErrorMessage)
	}
	return nil
}
