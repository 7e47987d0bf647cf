package partition

import (
	"errors"
	"fmt"

	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/commitlog"
)

// The timestamps of a ListOffsets request that stand for a place instead of a time.
const (
	atLatest        = -1 // the high watermark, or the last stable offset for read_committed
	atEarliest      = -2 // the log start
	atMaxTimestamp  = -3 // the record with the largest timestamp
	atEarliestLocal = -4 // the log start on local disk, where all of it lies
	atLatestTiered  = -5 // the end of what lies in remote storage: nothing does
)

// Found is an offset looked up by time or place; -1 stands for none.
type Found struct {
	Offset      int64
	TimestampMs int64
	LeaderEpoch int32
}

var nothingFound = Found{Offset: -1, TimestampMs: -1, LeaderEpoch: -1}

// ListOffset looks up the first committed record at or after a time, or one of the special places.
func (p *Partition) ListOffset(timestampMs int64, readCommitted bool, currentEpoch int32) (Found, wire.Code) {
	if code := p.checkEpoch(currentEpoch); code != wire.None {
		return nothingFound, code
	}
	below := p.HighWatermark()
	if readCommitted {
		below = p.LastStable()
	}
	switch {
	case timestampMs == atLatest:
		return p.place(below), wire.None
	case timestampMs == atEarliest || timestampMs == atEarliestLocal:
		return p.place(p.log.Start()), wire.None
	case timestampMs == atMaxTimestamp:
		offset, at, err := p.log.MaxTimestamp()
		return p.found(offset, at, offset >= 0 && offset < below, err)
	case timestampMs == atLatestTiered:
		return nothingFound, wire.None
	case timestampMs < 0:
		return nothingFound, wire.InvalidRequest
	}
	found, code := p.found(p.log.OffsetForTime(timestampMs))
	if found.Offset >= below {
		return nothingFound, code
	}
	return found, code
}

func (p *Partition) place(offset int64) Found {
	return Found{Offset: offset, TimestampMs: -1, LeaderEpoch: p.epochAt(offset)}
}

func (p *Partition) found(offset, timestampMs int64, ok bool, err error) (Found, wire.Code) {
	switch {
	case errors.Is(err, commitlog.ErrDamaged):
		return nothingFound, wire.KafkaStorageError // ListOffsets has no other word for it
	case err != nil:
		return nothingFound, ReadCode(err)
	case !ok:
		return nothingFound, wire.None
	}
	return Found{Offset: offset, TimestampMs: timestampMs, LeaderEpoch: p.epochAt(offset)}, wire.None
}

// epochAt is the leader epoch of the record at offset, or the current one at the log's end.
func (p *Partition) epochAt(offset int64) int32 {
	if offset >= p.log.End() {
		return p.epoch.Load()
	}
	return p.log.EpochAt(offset)
}

// EpochEnd answers where a leader epoch ended: the largest epoch that is not larger than the asked one, and the first
// offset after it. Both are -1 where this log holds nothing that old.
func (p *Partition) EpochEnd(epoch, currentEpoch int32) (int32, int64, wire.Code) {
	if code := p.checkEpoch(currentEpoch); code != wire.None {
		return -1, -1, code
	}
	if epoch == p.epoch.Load() {
		return epoch, p.log.End(), wire.None
	}
	e, end := p.log.EpochEnd(epoch)
	return e, end, wire.None
}

// DeleteRecords moves the log start up to offset, or to the high watermark for -1, and answers where the
// log started before and starts now. The new start is on stable storage before this returns.
func (p *Partition) DeleteRecords(offset int64) (from, start int64, code wire.Code) {
	if !p.Topic.settings.Load().deletes() {
		return -1, -1, wire.PolicyViolation
	}
	from, code = p.moveStart(offset)
	if code != wire.None {
		return -1, -1, code
	}
	if err := p.manager.saveCheckpoints(); err != nil {
		p.manager.options.Log.Error("log start not saved", "partition", p.String(), "err", err)
		return -1, -1, wire.KafkaStorageError
	}
	return from, p.log.Start(), wire.None
}

func (p *Partition) moveStart(offset int64) (from int64, code wire.Code) {
	p.mu.Lock()
	defer p.mu.Unlock()
	high := p.leader.HighWatermark()
	if offset == -1 {
		offset = high
	}
	from = p.log.Start()
	switch {
	case p.gone:
		return 0, wire.NotLeaderOrFollower
	case p.manager.Failed() != nil:
		return 0, wire.KafkaStorageError
	case offset < 0 || offset > high:
		return 0, wire.OffsetOutOfRange
	case offset <= from:
		return from, wire.None
	}
	if err := p.log.SetStart(offset); err != nil {
		return 0, wire.KafkaStorageError
	}
	p.leader.StartMoved(p.log.Start())
	p.markDirty() // the file of epochs has the start, too
	return from, wire.None
}

// String is the partition's name as Kafka writes it.
func (p *Partition) String() string { return fmt.Sprintf("%s-%d", p.Topic.Name, p.Index) }

// ReadCode is Kafka's code for an error of a read. Clients ask again for ever after a storage error; of damage, which stays,
// they tell their user.
func ReadCode(err error) wire.Code {
	switch {
	case errors.Is(err, commitlog.ErrOutOfRange):
		return wire.OffsetOutOfRange
	case errors.Is(err, commitlog.ErrDamaged):
		return wire.CorruptMessage
	}
	return wire.KafkaStorageError
}
