package partition

import (
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/base/config"
	"holdfast/internal/base/metrics"
	"holdfast/internal/core/image"
	"holdfast/internal/core/replica"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/commitlog"
)

// Topic is a topic of which this node holds partitions.
type Topic struct {
	Name     string
	ID       image.TopicID
	Internal bool // written by the broker alone

	AppendedRecords, AppendedBytes, Fetched metrics.Counter

	offline    offline
	configs    *image.Configs // the topic's own settings; owned by whoever follows the image
	settings   atomic.Pointer[settings]
	partitions atomic.Pointer[[]*Partition] // by index; a nil entry lives elsewhere
}

// Config is the topic's resolved configuration as it is now.
func (t *Topic) Config() *config.TopicConfig { return &t.settings.Load().topic }

// Partition returns the topic's partition of that index, or nil.
func (t *Topic) Partition(index int32) *Partition {
	ps := *t.partitions.Load()
	if index < 0 || int(index) >= len(ps) {
		return nil
	}
	return ps[index]
}

// Partitions returns all partitions by index.
func (t *Topic) Partitions() []*Partition { return *t.partitions.Load() }

// Partition is one replica on this node.
type Partition struct {
	Topic *Topic
	Index int32

	manager *Manager
	log     *commitlog.Log

	mu      sync.Mutex // serializes everything that changes the log; see doc.go for the lock order
	leader  replica.Leader
	commits commitQueue // wait for the high watermark
	flushes commitQueue // wait for the synced end: appends of an unsynced topic that flush.messages has synced
	watches watchList
	turns   turns  // whose batch comes first, of new producers
	claims  claims // who is about to begin a transaction here
	dirty   bool   // queued at the flusher
	span    int64  // the flusher's, in which it last met this partition; the flusher's own
	gone    bool   // the topic was deleted, or the node stops

	standstill standstill // of the last stable offset; guarded by mu

	toldDamage []commitlog.Damage // an event was emitted for each; guarded by mu

	unsyncedSince time.Time // for flush.ms: when housekeeping first saw what is not synced; guarded by mu

	high   atomic.Int64 // published copy of leader.HighWatermark
	stable atomic.Int64 // published last stable offset
	epoch  atomic.Int32 // published copy of leader.Epoch

	compaction compaction
	unclean    atomic.Pointer[error] // why it cannot be compacted
	compacted  atomic.Int64          // when it was last, in ms; 0: not since the start

	savedPoint, savedStart int64 // what the checkpoint files say; guarded by manager.saving
}

// HighWatermark is the offset below which everything is committed and may be read.
func (p *Partition) HighWatermark() int64 { return p.high.Load() }

// LastStable is the offset below which no transaction is open: what read_committed may read.
func (p *Partition) LastStable() int64 { return p.stable.Load() }

// LogStart is the first offset that may be read.
func (p *Partition) LogStart() int64 { return p.log.Start() }

// LogEnd is the next offset to be appended.
func (p *Partition) LogEnd() int64 { return p.log.End() }

// Size is the size of the partition's segments in bytes.
func (p *Partition) Size() int64 { return p.log.Size() }

// LeaderEpoch is the epoch in which this replica leads.
func (p *Partition) LeaderEpoch() int32 { return p.epoch.Load() }

// checkEpoch fences a request whose idea of the leader epoch differs from ours; -1 means that the client has none.
func (p *Partition) checkEpoch(current int32) wire.Code {
	switch own := p.epoch.Load(); {
	case current < 0 || current == own:
		return wire.None
	case current < own:
		return wire.FencedLeaderEpoch
	default:
		return wire.UnknownLeaderEpoch
	}
}

// moved publishes the high watermark and releases who waited for it. Called under p.mu.
func (p *Partition) moved() {
	high := p.leader.HighWatermark()
	p.high.Store(high)
	p.stable.Store(p.log.LastStable(high))
	p.commits.release(high)
	p.watches.signal()
}

// refuse answers all who wait with code. Called under p.mu.
func (p *Partition) refuse(code wire.Code) {
	p.commits.refuse(code)
	p.flushes.refuse(code)
	p.watches.signal()
}

// leave answers all who wait with code and takes no more appends: the topic was deleted or the node stops.
func (p *Partition) leave(code wire.Code) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	p.refuse(code)
}

// Size is the size of the topic's segments on this node in bytes.
func (t *Topic) Size() (n int64) {
	for _, p := range t.Partitions() {
		if p != nil {
			n += p.Size()
		}
	}
	return n
}
