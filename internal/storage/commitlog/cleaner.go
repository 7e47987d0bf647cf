package commitlog

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"holdfast/internal/proto/record"
)

// Cleaner compacts logs: of the records of one key it keeps the last. Offsets never change, and what is left is in order.
//
// A run reads the dirty section of a log and notes the last offset of each key, then copies every segment up to there into
// files of their own, without what has a later record. Only segments that change no more are read, so a run needs no lock
// but for moments: to look at the log, and to let the readers see the new segments. The caller sees to it that one run at
// a time is made of a log; a Cleaner is for one goroutine.
type Cleaner struct {
	o     CleanerOptions
	thin  *record.Thinner
	read  []byte
	write []byte
}

// CleanerOptions bound what a Cleaner takes.
type CleanerOptions struct {
	KeyBytes        int64   // memory for the keys of one run, slotBytes each
	KeyLoad         float64 // how full that may get, above 0 and at most 1
	BufferBytes     int     // read and written at a time
	MaxDecompressed int     // what a batch may decompress to in bytes

	// Spend is told of bytes before they are read or written. It may sleep, to hold the run back, and with an error ends it.
	Spend func(bytes int) error
}

// NewCleaner makes a Cleaner.
func NewCleaner(o CleanerOptions) *Cleaner {
	if o.Spend == nil {
		o.Spend = func(int) error { return nil }
	}
	if o.KeyLoad <= 0 || o.KeyLoad > 1 {
		o.KeyLoad = 0.9
	}
	o.BufferBytes = max(o.BufferBytes, 4<<10)
	return &Cleaner{o: o, thin: record.NewThinner(o.MaxDecompressed), read: make([]byte, o.BufferBytes)}
}

// Dirty is what of a log is not compacted, and may be.
type Dirty struct {
	From, To   int64 // offsets, To not included
	Bytes      int64 // of the segments from From to To
	CleanBytes int64 // of those before
	OldestMs   int64 // timestamp of the first batch of the oldest dirty segment; math.MaxInt64 where there is none
}

// Ratio is the share of what is dirty.
func (d Dirty) Ratio() float64 {
	if d.Bytes == 0 {
		return 0
	}
	return float64(d.Bytes) / float64(d.Bytes+d.CleanBytes)
}

// Cleanable measures the dirty section: whole segments, without the last one, which may still grow, that end at limit or
// below and whose records are all older than minLag. The limit is the least of the last stable offset and the recovery
// point that was written down: above that a start looks at every batch, and takes missing ones for torn. Safe for
// concurrent use.
func (l *Log) Cleanable(now time.Time, limit int64, minLag time.Duration) (Dirty, error) {
	segs := l.segments()
	d := Dirty{OldestMs: math.MaxInt64}
	if len(segs) == 0 {
		return d, nil
	}
	d.From = max(l.cleaned.Load(), l.Start(), segs[0].base)
	d.To = segs[0].base
	for i, s := range segs[:len(segs)-1] {
		next := segs[i+1].base
		if next > limit {
			break
		}
		if next <= d.From {
			d.CleanBytes, d.To = d.CleanBytes+s.size.Load(), next
			continue
		}
		if minLag > 0 {
			largest, err := l.largest(s)
			if err != nil {
				return d, fmt.Errorf("measure %s: %w", l.dir, err)
			}
			if largest > now.Add(-minLag).UnixMilli() {
				break
			}
		}
		first, err := l.firstMs(s)
		if err != nil {
			return d, fmt.Errorf("measure %s: %w", l.dir, err)
		}
		if first > 0 {
			d.OldestMs = min(d.OldestMs, first)
		}
		d.Bytes, d.To = d.Bytes+s.size.Load(), next
	}
	d.From = min(d.From, d.To)
	return d, nil
}

// firstMs is the timestamp of a segment's first batch, in ms.
func (l *Log) firstMs(s *segment) (int64, error) {
	if first := s.stamps().first; first != unread || s.size.Load() == 0 {
		return first, nil
	}
	w, err := s.walk(l.view(s))
	if err != nil {
		return 0, err
	}
	defer w.close()
	b, _, err := w.header(0)
	if errors.Is(err, errHeader) {
		return record.NoTimestamp, nil // whoever reads it finds the rot
	}
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock.first = b.MaxTimestamp()
	return s.clock.first, nil
}

// RollAged ends the active segment if it has batches and is older than Config.SegmentAge, though nothing is appended any
// more: what is in it can be compacted then. Under the partition's lock.
func (l *Log) RollAged(now time.Time) error {
	s := l.active
	if l.failed != nil || s == nil || s.size.Load() == 0 || l.waited(s, now.UnixMilli(), now.UnixMilli()) <= l.conf().SegmentAge.Milliseconds() {
		return l.failed
	}
	return l.Roll(now)
}

// Cleaned is what a run did.
type Cleaned struct {
	To         int64 // compacted up to here; less than asked where the keys did not fit
	Keys       int
	Segments   int   // before
	Left       int   // after
	BytesIn    int64 // of these segments
	BytesOut   int64
	Records    int64 // taken out
	Keyless    int64 // of these: without a key, from before the topic was compacted
	Unreadable int64 // batches that cannot be decoded; they stay as they are
}

// ErrNotDurable says that what a run wrote may not have got to the disk: a write, a sync or a renaming failed.
var ErrNotDurable = errors.New("not written")

// errMoved says that the log is not any more what the run began with: truncated, retired or closed meanwhile.
var errMoved = errors.New("the log was changed while it was compacted")

// Moved tells whether a run ended because the log was truncated, retired or closed meanwhile: nothing is wrong.
func Moved(err error) bool {
	return errors.Is(err, errMoved) || errors.Is(err, ErrClosed) || errors.Is(err, ErrTruncated)
}

// Clean compacts a log up to the end of its dirty section, as Cleanable found it, or as far as the keys fit in memory.
// Tombstones that are met for the first time may go deleteRetention later. lock is the partition's; it is held for moments.
// The caller has written down before, where Open will be told (Options.Gaps), that offsets may be missing below d.To.
//
// After an error the log is as it was, or compacted in part, and good in both cases. ErrDamaged: there are records in
// quarantine, and the log is not compacted as long as they are. ErrNotDurable: see there; a full disk heals.
func (c *Cleaner) Clean(l *Log, d Dirty, deleteRetention time.Duration, now time.Time, lock sync.Locker) (Cleaned, error) {
	r := &cleaning{Cleaner: c, l: l, lock: lock, now: now.UnixMilli(), horizon: now.Add(deleteRetention).UnixMilli()}
	err := r.begin(d)
	if err == nil {
		err = r.collect(d)
	}
	if err == nil {
		err = r.copy()
	}
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return r.Cleaned, fmt.Errorf("compact %s: %w", l.dir, err)
	}
	return r.Cleaned, nil
}

// cleaning is one run over one log.
type cleaning struct {
	*Cleaner
	Cleaned
	l    *Log
	lock sync.Locker

	now     int64 // ms
	horizon int64 // ms, for what is met for the first time
	gen     uint64
	logEnd  int64           // of the log when the run began
	last    map[int64]final // what is kept of each producer
	keys    *keyTable
}

// final is the last thing that a producer did in the log.
type final struct {
	offset int64 // of its last data batch, -1 where only a marker is known
	epoch  int16
}

// begin looks at the log and says in it that offsets may be missing from now on.
func (r *cleaning) begin(d Dirty) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	l := r.l
	if l.failed != nil {
		return l.failed
	}
	if damaged := l.Damaged(); len(damaged) > 0 {
		return &DamagedError{Dir: l.dir, Damage: damaged[0]}
	}
	l.AllowGaps(d.To)
	r.gen, r.logEnd = l.gen.Load(), l.End()
	r.last = map[int64]final{}
	for _, e := range l.producers.Entries() {
		f := final{offset: -1, epoch: e.Epoch}
		if n := len(e.Batches); n > 0 {
			f.offset = e.Batches[n-1].LastOffset
		}
		r.last[e.ProducerID] = f
	}
	return nil
}

// collect notes the last offset of every key of the dirty section, or of as much of it as fits.
func (r *cleaning) collect(d Dirty) error {
	r.keys = newKeyTable(r.o.KeyBytes, r.o.KeyLoad, d.To-d.From)
	r.To = d.From
	aborted, err := r.l.Aborted(d.From, d.To)
	if err != nil {
		return err
	}
	txns := newSieve(aborted, func(AbortedTxn) {})
	for _, s := range r.l.segments() {
		if s.next.Load() <= d.From {
			continue
		}
		if s.base >= d.To {
			break
		}
		full, err := r.collectFrom(s, d, txns)
		if full || err != nil {
			return err
		}
		r.To = s.next.Load()
	}
	return nil
}

func (r *cleaning) collectFrom(s *segment, d Dirty, txns *sieve) (full bool, err error) {
	in := r.reader(s)
	for {
		b, err := in.next()
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return false, err
		}
		if txns.mayGo(b) || b.Control() || b.LastOffset() < d.From {
			continue
		}
		if !r.keys.room(int(b.Count())) && r.keys.used > 0 {
			return true, nil // a batch that is too large for an empty table goes in as far as it fits
		}
		for rec, err := range r.thin.Records(b) {
			if err != nil {
				break // it stays whole, and what it would have replaced
			}
			if at := b.BaseOffset() + int64(rec.OffsetDelta); rec.Key != nil && at >= d.From {
				r.keys.put(rec.Key, at)
			}
		}
		r.Keys, r.To = r.keys.used, b.NextOffset()
	}
}

func (r *cleaning) reader(s *segment) *batchReader {
	v := r.l.view(s)
	v.gen = r.gen
	return &batchReader{l: r.l, s: s, v: v, from: s.base, buf: r.read, spend: r.o.Spend}
}

// copy makes every segment up to To anew, several small ones into one.
func (r *cleaning) copy() error {
	segs := r.l.segments()
	n := 0
	for n < len(segs)-1 && segs[n].base < r.To {
		n++
	}
	if n == 0 {
		return nil
	}
	aborted, err := r.l.Aborted(segs[0].base, segs[n-1].next.Load())
	if err != nil {
		return err
	}
	var out *cleanedSegment
	txns := newSieve(aborted, func(t AbortedTxn) { out.s.txns.add(t) })
	for segs = segs[:n]; len(segs) > 0; {
		k := r.group(segs)
		if out, err = r.create(segs[0]); err != nil {
			return err
		}
		if err := r.fill(out, segs[:k], txns); err != nil {
			return errors.Join(err, out.drop())
		}
		if err := r.replace(segs[:k], out); err != nil {
			return err
		}
		r.Segments, r.Left = r.Segments+k, r.Left+1
		segs = segs[k:]
	}
	return nil
}

// group is how many of the segments, from the first on, go into one: they fit without anything taken out.
func (r *cleaning) group(segs []*segment) int {
	c := r.l.conf()
	size, entries := segs[0].size.Load(), segs[0].offsets.len()
	for k := 1; k < len(segs); k++ {
		size, entries = size+segs[k].size.Load(), entries+segs[k].offsets.len()
		if size > c.SegmentBytes || entries > c.IndexBytes/12 || segs[k].next.Load()-segs[0].base > math.MaxInt32 {
			return k
		}
	}
	return len(segs)
}

// fill copies segments into one.
func (r *cleaning) fill(out *cleanedSegment, segs []*segment, txns *sieve) error {
	for _, s := range segs {
		in := r.reader(s)
		for {
			b, err := in.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			kept, err := r.judge(b, txns.mayGo(b))
			if err == nil && kept != nil {
				err = out.add(kept)
			}
			if err != nil {
				return err
			}
		}
		r.BytesIn += s.size.Load()
	}
	err := out.finish(segs[len(segs)-1].next.Load())
	r.BytesOut += out.s.size.Load()
	return err
}

// end says in the log how far it is compacted now.
func (r *cleaning) end() error {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.l.failed != nil {
		return r.l.failed
	}
	if r.gen != r.l.gen.Load() {
		return errMoved
	}
	r.l.cleaned.Store(r.To)
	return nil
}

// AllowGaps says that offsets below to may be missing from now on. Safe for concurrent use by one writer.
func (l *Log) AllowGaps(to int64) {
	if to > l.gaps.Load() {
		l.gaps.Store(to)
	}
}

// mayMiss tells whether no batch need have the offsets from one to another: compaction took them away.
func (l *Log) mayMiss(from, to int64) bool { return from >= to || to <= l.gaps.Load() }

// CleanedTo is the offset up to which the log was compacted; GapsTo the one below which offsets may be missing. Both are
// for the caller to write down and for Options. Safe for concurrent use.
func (l *Log) CleanedTo() int64 { return l.cleaned.Load() }
func (l *Log) GapsTo() int64    { return l.gaps.Load() }
