package partition

import (
	"errors"
	"io/fs"
	"sync"

	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

// Above syncfsFrom dirty files one syncfs is cheaper than an fdatasync each; below it a sync waits for fewer strangers'
// bytes. A few fdatasyncs at a time hide most of the device's latency from each other.
const (
	syncfsFrom   = 8
	syncsAtATime = 4
)

// flusher makes appended bytes durable, everything that is dirty in one round, and then says so to the partitions: the
// group commit. While a round runs, the next one gathers.
type flusher struct {
	dir     *dir
	syncfs  bool          // the file system's syncfs is a barrier that reports errors
	inOrder bool          // one sync after the other
	wake    chan struct{} // capacity one

	measured measures

	mu    sync.Mutex
	dirty []*Partition

	// The round that runs. Owned by run.
	round []*Partition
	jobs  []job
	files []vfs.File
}

// job is what a round does for one partition.
type job struct {
	p     *Partition
	end   int64 // durable once the round is done
	names bool  // its folder has new names
	files int   // of the round's files, so many are this partition's
}

func newFlusher(d *dir, inOrder bool, m measures) *flusher {
	return &flusher{dir: d, measured: m, inOrder: inOrder, syncfs: vfs.TrustSyncFS(d.fs, d.path), wake: make(chan struct{}, 1)}
}

// markDirty queues p for the next round. Called under p.mu.
func (p *Partition) markDirty() {
	if p.dirty {
		return
	}
	p.dirty = true
	p.manager.flusher.enqueue(p)
}

func (f *flusher) enqueue(p *Partition) {
	f.mu.Lock()
	f.dirty = append(f.dirty, p)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// run flushes until stop closes.
func (f *flusher) run(stop <-chan struct{}) {
	for {
		select {
		case <-f.wake:
			f.flush()
		case <-stop:
			return
		}
	}
}

// flush is one round.
func (f *flusher) flush() {
	if f.gather() {
		f.tell(f.timed())
	}
}

// gather begins a round with all that is dirty, and reports whether that is anything.
func (f *flusher) gather() bool {
	f.mu.Lock()
	f.round, f.dirty = f.dirty, f.round[:0]
	f.mu.Unlock()
	f.jobs, f.files = f.jobs[:0], f.files[:0]
	for i, p := range f.round {
		f.collect(p)
		f.round[i] = nil
	}
	return len(f.jobs) > 0
}

// tell ends a round.
func (f *flusher) tell(err error) {
	if err != nil {
		f.dir.fail(err)
	}
	failed := f.dir.Failed()
	for i := range f.jobs {
		f.jobs[i].p.synced(f.jobs[i].end, failed)
	}
	if failed == nil && len(f.files) < syncfsFrom {
		f.prepare()
	}
	clear(f.jobs)
	clear(f.files)
}

// prepare has space prepared in the partitions of the round. The zeros wait for no one: they are synced with the next
// appends. Where the disk is full there are none.
func (f *flusher) prepare() {
	for i := range f.jobs {
		if err := f.jobs[i].p.prepare(); err != nil && !vfs.IsFull(err) && !vfs.IsHandles(err) {
			f.dir.fail(err)
		}
	}
}

func (p *Partition) prepare() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || !p.Topic.settings.Load().commitSync() {
		return nil
	}
	_, err := p.log.Prepare()
	return err
}

// collect notes what a sync that starts now will have made durable.
func (f *flusher) collect(p *Partition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dirty = false
	if p.gone {
		return
	}
	before := len(f.files)
	end, files, names, err := p.log.Unsynced(f.files)
	f.files = files
	switch {
	case err == nil:
		f.jobs = append(f.jobs, job{p: p, end: end, names: names, files: len(files) - before})
	case vfs.IsFull(err) || vfs.IsHandles(err): // it passes; the sweep queues the partition again
		p.refuse(wire.KafkaStorageError)
	default:
		f.dir.fail(err)
		p.refuse(wire.KafkaStorageError)
	}
}

func (f *flusher) sync() error {
	folders := 0
	for i := range f.jobs {
		if f.jobs[i].names {
			folders++
		}
	}
	switch {
	case f.syncfs && len(f.files)+folders >= syncfsFrom:
		return f.dir.fs.SyncFS(f.dir.path)
	case len(f.files) == 1 && folders == 0:
		return f.forgive(f.jobs[0].p, f.files[0].Sync())
	}
	c := newCrew(syncsAtATime, f.inOrder)
	files := f.files
	for i := range f.jobs {
		j := &f.jobs[i]
		for _, file := range files[:j.files] {
			c.do(func() error { return f.forgive(j.p, file.Sync()) })
		}
		files = files[j.files:]
		if j.names {
			c.do(func() error { return f.forgive(j.p, j.p.log.SyncDir()) })
		}
	}
	return c.wait()
}

// forgive lets pass what a deletion of the topic does to the sync that runs meanwhile: its files are closed and gone.
func (f *flusher) forgive(p *Partition, err error) error {
	if errors.Is(err, fs.ErrClosed) || errors.Is(err, fs.ErrNotExist) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.gone {
			return nil
		}
	}
	return err
}

// synced tells p that everything below end is durable, or that nothing will be any more.
func (p *Partition) synced(end int64, failed error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if failed != nil {
		p.refuse(wire.KafkaStorageError)
		return
	}
	if p.gone {
		return
	}
	p.log.Synced(end)
	p.flushes.release(p.log.RecoveryPoint())
	if p.leader.Synced(end) {
		p.moved()
	}
}
