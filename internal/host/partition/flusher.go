package partition

import (
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"

	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

// From syncfsFrom dirty files on, one syncfs takes less time than an fdatasync each and half its processor (ext4 on a
// virtual disk, 3 to 6 files of 4 to 256 KB); below it a sync waits for fewer strangers' bytes. A few fdatasyncs at a
// time hide most of the device's latency from each other.
const (
	syncfsFrom   = 3
	syncsAtATime = 4
)

// Space is prepared behind the ends where no more than spaceFor partitions were written to in the last spaceRounds
// rounds. Where many are, each sync is cheaper without: the file system lays new bytes of many files down in one piece,
// and prepared ones wherever each file lies (syncfs of 4 KB in each of 1000 files: 18 ms, prepared 52 ms).
const (
	spaceFor    = 8
	spaceRounds = 64
)

// flusher makes appended bytes durable, everything that is dirty in one round, and then says so to the partitions: the
// group commit. While a round runs, the next one gathers.
type flusher struct {
	dir     *dir
	syncfs  bool          // the file system's syncfs is a barrier that reports errors
	inOrder bool          // one sync after the other
	wake    chan struct{} // capacity one

	measured measures
	told     atomic.Int64 // rounds that synced something, so far

	mu    sync.Mutex
	dirty []*Partition

	// The round that runs. Owned by run.
	rounds  int64 // so many have run
	busy    int   // partitions that this span of spaceRounds has met so far
	crowded bool  // the last span met too many to prepare space for
	round   []*Partition
	jobs    []job
	files   []vfs.File
	errands []errand

	// Of the errands, who does which. next and failed are shared with the helpers.
	next    atomic.Int32
	failed  atomic.Pointer[error]
	helpers sync.WaitGroup
	help    func()
}

// errand is one sync of a round: of a file, or without one of the partition's folder.
type errand struct {
	p    *Partition
	file vfs.File
}

// job is what a round does for one partition.
type job struct {
	p     *Partition
	end   int64 // durable once the round is done
	names bool  // its folder has new names
	files int   // of the round's files, so many are this partition's
}

func newFlusher(d *dir, inOrder bool, m measures) *flusher {
	f := &flusher{dir: d, measured: m, inOrder: inOrder, syncfs: vfs.TrustSyncFS(d.fs, d.path), wake: make(chan struct{}, 1)}
	f.help = func() {
		defer f.helpers.Done()
		f.takeErrands()
	}
	return f
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
	f.told.Add(1)
	failed := f.dir.Failed()
	for i := range f.jobs {
		f.jobs[i].p.synced(f.jobs[i].end, failed)
	}
	f.count()
	if failed == nil {
		f.keep(!f.crowded && f.busy <= spaceFor)
	}
	clear(f.jobs)
	clear(f.files)
}

// count keeps count of the partitions that are written to.
func (f *flusher) count() {
	if f.rounds%spaceRounds == 0 {
		f.crowded, f.busy = f.busy > spaceFor, 0
	}
	span := f.rounds/spaceRounds + 1
	for i := range f.jobs {
		if p := f.jobs[i].p; p.span != span {
			p.span = span
			f.busy++
		}
	}
	f.rounds++
}

// keep does, once nobody waits any more, what makes the next syncs and the next start cheap: space prepared behind the
// ends, where few partitions are written to, and checkpoints. Where the disk is full there are none.
func (f *flusher) keep(space bool) {
	for i := range f.jobs {
		if err := f.jobs[i].p.keep(space); err != nil && !vfs.IsFull(err) && !vfs.IsHandles(err) {
			f.dir.fail(err)
		}
	}
}

func (p *Partition) keep(space bool) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || !p.Topic.settings.Load().commitSync() {
		return nil
	}
	if p.log.CheckpointDue() {
		err = p.log.Checkpoint()
		p.markDirty() // what it wrote is synced, or its files stay open
	}
	if space && err == nil {
		_, err = p.log.Prepare()
	}
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
	f.errands = f.errands[:0]
	files := f.files
	for i := range f.jobs {
		j := &f.jobs[i]
		for _, file := range files[:j.files] {
			f.errands = append(f.errands, errand{j.p, file})
		}
		files = files[j.files:]
		if j.names {
			f.errands = append(f.errands, errand{j.p, nil})
		}
	}
	return f.runErrands()
}

// runErrands does them all, a few at a time, and returns the first error. It allocates nothing, for a round may be one
// small request's.
func (f *flusher) runErrands() error {
	f.next.Store(0)
	f.failed.Store(nil)
	if !f.inOrder {
		helpers := max(min(syncsAtATime, len(f.errands))-1, 0)
		f.helpers.Add(helpers)
		for range helpers {
			go f.help()
		}
	}
	f.takeErrands()
	f.helpers.Wait()
	clear(f.errands)
	if err := f.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (f *flusher) takeErrands() {
	for i := f.next.Add(1) - 1; int(i) < len(f.errands); i = f.next.Add(1) - 1 {
		e := f.errands[i]
		var err error
		if e.file != nil {
			err = e.file.Sync()
		} else {
			err = e.p.log.SyncDir()
		}
		if failed := f.forgive(e.p, err); failed != nil {
			first := failed // moved to the heap only here
			f.failed.CompareAndSwap(nil, &first)
		}
	}
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
