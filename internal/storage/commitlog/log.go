package commitlog

import (
	"errors"
	"fmt"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/core/producer"
	"holdfast/internal/storage/vfs"
)

// Errors that callers tell apart. ErrOutOfRange: the offset is below the start or above the end. ErrDamaged: the
// bytes of that offset are quarantined (a *DamagedError says which range). ErrTruncated: the log was truncated while it
// was read; ask again. ErrClosed: the log was closed.
var (
	ErrOutOfRange = errors.New("offset out of range")
	ErrDamaged    = errors.New("records are damaged")
	ErrTruncated  = errors.New("log was truncated while it was read")
	ErrClosed     = errors.New("log is closed")
)

// Config is what a log needs of a topic's configuration. Negative limits of retention mean none.
type Config struct {
	SegmentBytes   int64         // roll before a segment gets larger
	SegmentAge     time.Duration // roll when records are this much younger than the segment's first batch
	SegmentJitter  time.Duration // up to this much earlier, fixed for each segment
	IndexBytes     int           // roll when an index would get larger
	IndexInterval  int           // bytes of batches between index entries
	RetentionBytes int64
	RetentionAge   time.Duration
	DeleteDelay    time.Duration // between taking a segment away and removing its files
	ProducerExpiry time.Duration // forget idle producers after this; 0 means never
}

// Options open a log.
type Options struct {
	FS            vfs.FS
	Dir           string   // the partition's folder; it need not exist
	TopicID       [16]byte // written to partition.metadata with the first segment; zero: no such file
	Config        Config
	Files         *Files // nil: a small set of its own
	RecoveryPoint int64  // every byte below this offset was synced; what is wrong below it is rot, above it a torn tail
	LogStart      int64
	StartLost     bool // LogStart was written down, and that is damaged or gone
	StartKnown    bool // LogStart was written down before any segment went: where the first begins beyond it, a file is gone
	Now           time.Time

	// Below Gaps offsets may be missing between batches: compaction took them. Each batch above begins where the one before
	// ends, and anything else is damage.
	Gaps    int64
	Cleaned int64 // compacted up to here
}

// Log is one partition on disk. See the package comment for who may call what.
type Log struct {
	fs     vfs.FS
	dir    string
	files  *Files
	topic  [16]byte
	config atomic.Pointer[Config]

	// Published by the appender, read by anybody. A reader loads end before segs, so the segments reach at least end.
	segs    atomic.Pointer[[]*segment]
	start   atomic.Int64
	end     atomic.Int64
	gen     atomic.Uint64 // counts truncations; a reader that saw one begin throws away what it read
	damage  atomic.Pointer[[]Damage]
	finding sync.Mutex   // one quarantine at a time
	gaps    atomic.Int64 // see Options
	cleaned atomic.Int64
	hints   hints
	epochs  epochs

	// The appender's own: under the partition's lock.
	active      *segment // the last segment, nil where the next append makes one
	producers   producer.State
	rebuilt     []*segment // ended before this process began; their indexes are written with the next sync
	snapshots   []int64    // offsets of snapshot files, ascending
	synced      int64
	durable     int64   // newest snapshot that a crash cannot take away, -1: none known
	unsure      []int64 // snapshots found at the recovery point: the next sync covers them
	snapSyncing int64   // the newest when Unsynced was called
	dirty       []*file // have unsynced bytes
	syncing     []*file // handed out by Unsynced
	finished    int64   // the end of the log when Finish was done with it; 0 before
	syncGen     uint64
	space       space
	kept        space // as of the last checkpoint
	newNames    bool  // the folder has unsynced names
	namesTaken  bool  // so it was said by Unsynced
	nowMs       int64 // of the last append: replayed producers count as seen then
	pending     []pendingDelete
	failed      error // an append could not be undone: no more of them

	newDir atomic.Bool // the folder itself is an unsynced name
}

// End is the offset that the next record gets. Start is the first offset that may be read.
func (l *Log) End() int64   { return l.end.Load() }
func (l *Log) Start() int64 { return l.start.Load() }

// RecoveryPoint is the offset below which everything is synced, indexes and epochs included; it is what the next Open
// wants to be told. Under the partition's lock.
func (l *Log) RecoveryPoint() int64 { return l.synced }

// Dir is the partition's folder.
func (l *Log) Dir() string { return l.dir }

// Size is the bytes of all batches.
func (l *Log) Size() (n int64) {
	for _, s := range l.segments() {
		n += s.size.Load()
	}
	return n
}

// Segments is the number of segments.
func (l *Log) Segments() int { return len(l.segments()) }

// Producers is what the log knows of its producers. Under the partition's lock; the log itself keeps it up to date.
func (l *Log) Producers() *producer.State { return &l.producers }

// ExpireProducers forgets producers that were idle for Config.ProducerExpiry and returns how many.
func (l *Log) ExpireProducers(now time.Time) int {
	expiry := l.conf().ProducerExpiry
	if expiry <= 0 {
		return 0
	}
	return l.producers.Expire(now.UnixMilli(), expiry.Milliseconds())
}

// LastStable is the last stable offset: what a reader of committed records sees the log end at. Under the partition's
// lock; the high watermark must not fall between calls, for ended transactions below it are forgotten.
func (l *Log) LastStable(highWatermark int64) int64 {
	if first, ok := l.producers.FirstUnstable(highWatermark); ok {
		return max(min(first, highWatermark), min(l.Start(), highWatermark))
	}
	return highWatermark
}

// LastEpoch is the latest leader epoch, UndefinedEpoch if there is none. Safe for concurrent use.
func (l *Log) LastEpoch() int32 { return l.epochs.latest() }

// AssignEpoch records that a leader epoch begins at an offset, which is End for a new leader. The file is written with
// the next sync: an epoch without records may be forgotten by a crash, one with records is found in them.
func (l *Log) AssignEpoch(epoch int32, start int64) { l.epochs.assign(epoch, start) }

// EpochEnd is the largest epoch not above the given one and the offset at which it ended, or UndefinedEpoch and
// UndefinedOffset where the log cannot know (KIP-101, KIP-279). Safe for concurrent use.
func (l *Log) EpochEnd(epoch int32) (int32, int64) { return l.epochs.end(epoch, l.End()) }

// EpochAt is the leader epoch of an offset. Safe for concurrent use.
func (l *Log) EpochAt(offset int64) int32 { return l.epochs.at(offset) }

// Epochs lists the leader epochs. Safe for concurrent use.
func (l *Log) Epochs() []EpochStart { return l.epochs.list() }

// SetConfig changes the configuration. Under the partition's lock.
func (l *Log) SetConfig(c Config) {
	c = c.normal()
	l.config.Store(&c)
}

func (l *Log) conf() *Config { return l.config.Load() }

func (c Config) normal() Config {
	if c.SegmentBytes <= 0 || c.SegmentBytes > maxSegmentBytes {
		c.SegmentBytes = maxSegmentBytes
	}
	if c.IndexBytes <= 0 {
		c.IndexBytes = 10 << 20
	}
	if c.SegmentAge <= 0 {
		c.SegmentAge = 1<<63 - 1
	}
	return c
}

// Damage is a range of offsets whose bytes are not what was written. It is not served, not cut and not compacted; a
// truncation below it or retention above it removes it.
type Damage struct {
	From, To int64 // offsets, To not included
	Segment  int64 // base offset of the segment
	Position int64 // in the segment's file; Until is where good bytes begin again
	Until    int64
	Reason   string
}

// DamagedError names the range that a read ran into.
type DamagedError struct {
	Dir string
	Damage
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s: records %d to %d are damaged and not served (segment %d at byte %d: %s)", e.Dir, e.From, e.To-1, e.Segment, e.Position, e.Reason)
}

func (e *DamagedError) Unwrap() error { return ErrDamaged }

// Damaged lists the quarantined ranges by offset, found at Open or by reads since. Safe for concurrent use.
func (l *Log) Damaged() []Damage {
	if p := l.damage.Load(); p != nil {
		return *p
	}
	return nil
}

func (l *Log) segments() []*segment {
	if p := l.segs.Load(); p != nil {
		return *p
	}
	return nil
}

func (l *Log) publish(segs []*segment) { l.segs.Store(&segs) }

func (l *Log) name(offset int64, suffix string) string {
	return path.Join(l.dir, fileName(offset, suffix))
}

// soil pins a file until it has been synced.
func (l *Log) soil(h *file) {
	for _, d := range l.dirty {
		if d == h {
			return
		}
	}
	h.setDirty(true)
	l.dirty = append(l.dirty, h)
}

// hints remembers where batches begin, for readers that go on where they stopped and for the high watermark.
type hints struct {
	mu   sync.Mutex
	at   [8]hint
	next int
}

type hint struct {
	seg    *segment
	offset int64
	pos    int64
}

// remember notes a place unless the log was truncated since it was found.
func (l *Log) remember(seg *segment, offset, pos int64, gen uint64) {
	h := &l.hints
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.gen.Load() != gen {
		return
	}
	for i := range h.at {
		if h.at[i].seg == seg && h.at[i].offset == offset {
			return
		}
	}
	h.at[h.next] = hint{seg, offset, pos}
	h.next = (h.next + 1) % len(h.at)
}

func (h *hints) find(seg *segment, offset int64) (pos int64, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.at {
		if h.at[i].seg == seg && h.at[i].offset == offset {
			return h.at[i].pos, true
		}
	}
	return 0, false
}

func (h *hints) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = [8]hint{}
}
