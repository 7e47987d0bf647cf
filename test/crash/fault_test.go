package crash

import (
	"errors"
	"flag"
	"fmt"
	"path"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/base/event"
	"holdfast/internal/host/partition"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

var (
	faultStride = flag.Int64("crash.stride", 7, "of every so many operations one fails; 1 for all")
	faultOnly   = flag.Int64("crash.only", 0, "only this operation fails; with -count it does so again and again")
)

// fault is one way in which an operation fails.
type fault struct {
	name  string
	err   error
	when  func(vfs.Op) bool // nil: any operation
	n     int64             // so many operations in a row; 0: from then on for good
	heals bool              // nothing is broken: once it is over the node must go on as if nothing had been
}

func kinds(ks ...vfs.OpKind) func(vfs.Op) bool {
	return func(op vfs.Op) bool {
		for _, k := range ks {
			if op.Kind == k {
				return true
			}
		}
		return false
	}
}

// writes are what a full disk refuses: all that needs space. The journal writes over zeros that were written before, which
// does not, on ext4 and XFS. opens are what a lack of handles refuses.
var (
	writes = func(op vfs.Op) bool {
		return kinds(vfs.OpWrite, vfs.OpCreate, vfs.OpMkdirAll, vfs.OpPreallocate, vfs.OpRename)(op) &&
			!(op.Kind == vfs.OpWrite && (strings.HasSuffix(op.Name, ".spare") || strings.HasSuffix(op.Name, ".journal")))
	}
	opens = kinds(vfs.OpOpen, vfs.OpOpenRead, vfs.OpCreate, vfs.OpList)
	syncs = kinds(vfs.OpSync, vfs.OpSyncFS, vfs.OpSyncDir)
)

var faults = []fault{
	{"EIO, once", syscall.EIO, nil, 1, false},
	{"EIO, late, once", vfs.Late(syscall.EIO), nil, 1, false},
	{"EIO, for good", syscall.EIO, nil, 0, false},
	{"failed sync", syscall.EIO, syncs, 1, false},
	{"failed sync of a full disk", syscall.ENOSPC, syncs, 1, false},
	{"ENOSPC, once", syscall.ENOSPC, writes, 1, true},
	{"ENOSPC, 20 times", syscall.ENOSPC, writes, 20, true},
	{"EDQUOT, once", syscall.EDQUOT, writes, 1, true},
	{"ENOSPC after a short write", vfs.Short(7, syscall.ENOSPC), writes, 3, true},
	{"EMFILE, once", syscall.EMFILE, opens, 1, true},
	{"EMFILE, 10 times", syscall.EMFILE, opens, 10, true},
}

// deciding is a fault at work.
type deciding struct {
	fault *fault
	n     int64
	seen  atomic.Int64
	hit   atomic.Bool
	mu    sync.Mutex
	op    vfs.Op // the first that failed
}

// decider fails the operations that f names, from the n-th of them on.
func (f *fault) decider(n int64) *deciding { return &deciding{fault: f, n: n} }

func (d *deciding) decide(op vfs.Op) error {
	f := d.fault
	if f.when != nil && !f.when(op) {
		return nil
	}
	i := d.seen.Add(1)
	if i < d.n || f.n > 0 && i >= d.n+f.n {
		return nil
	}
	if !d.hit.Swap(true) {
		d.mu.Lock()
		d.op = op
		d.mu.Unlock()
	}
	return f.err
}

func (d *deciding) first() vfs.Op {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.op
}

// outcome counts how runs with one fault ended.
type outcome struct {
	runs, refusedStart, stopped, dirFailed, refused, unharmed int
}

// faultRun is the load of a run with a fault: short, and touching all that the storage does. At a moment at which a retry
// was answered it calls snap.
func faultRun(w *world, b *box, snap func()) (refusals int, err error) {
	step := func(err error) error {
		var code *codeError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &code) || errors.Is(err, errNotThere) || errors.Is(err, errQuorum):
			refusals++
			return nil
		}
		return err
	}
	produce := func(acks partition.Acks, plans ...plan) error {
		codes, err := w.produce(b, acks, plans...)
		if refused(codes) {
			refusals++
			for i, c := range codes {
				if c != wire.None && c != wire.KafkaStorageError {
					return fmt.Errorf("produce to %s-%d was answered %v", plans[i].topic, plans[i].index, c)
				}
			}
		}
		return err
	}
	settings := map[string]string{"segment.ms": "500", "retention.ms": "20000", "file.delete.delay.ms": "1000"}
	if err := step(w.ask(b, func() error { return w.create(b, "a", 3, settings) })); err != nil {
		return refusals, err
	}
	for i := range 6 {
		if t := w.topics["a"]; t != nil && t.exists {
			all := []plan{{topic: "a", index: 0, count: 2, size: 60}, {topic: "a", index: 1, count: 1, size: 60}, {topic: "a", index: 2, count: 1, size: 60}}
			if err := step(produce(partition.AcksAll, all[:1+i%3]...)); err != nil {
				return refusals, err
			}
			if i == 3 {
				for range 2 { // who is refused asks again
					if err := step(w.deleteRecords(b, "a", 0, 1)); err != nil {
						return refusals, err
					}
				}
				snap()
			}
		}
		pass(700 * time.Millisecond)
		if i == 4 {
			pass(31 * time.Second)
		}
	}
	if err := step(w.ask(b, func() error { return w.create(b, "b", 1, nil) })); err != nil {
		return refusals, err
	}
	if t := w.topics["a"]; t != nil && t.exists {
		if err := step(w.ask(b, func() error { return w.remove(b, "a") })); err != nil {
			return refusals, err
		}
	}
	return refusals, nil
}

// errQuorum marks a request to the controller that was not carried out, or nobody knows.
var errQuorum = errors.New("the quorum did not answer")

func (w *world) ask(b *box, f func() error) error {
	if err := f(); err != nil {
		synctest.Wait() // one that ends answers first
		select {
		case <-b.quorum.Done():
			return fmt.Errorf("%w: %w", errQuorum, err)
		default:
			return fmt.Errorf("the quorum runs, and says: %w", err)
		}
	}
	return nil
}

// TestFaults fails operation n, for every n of a run, with every class of error.
func TestFaults(t *testing.T) {
	table := newTable("fault", "runs", "start refused", "quorum stopped", "directory failed", "requests refused", "unharmed")
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			o := f.enumerate(t)
			table.row(f.name, o.runs, o.refusedStart, o.stopped, o.dirFailed, o.refused, o.unharmed)
		})
	}
	table.finish(t, "crash-faults.md", "Every operation of a run fails once", faultsText)
}

const faultsText = `One run of a node on a memory disk: it starts, makes topics, produces to three partitions, rolls segments, deletes records,
passes retention, deletes a topic. For every operation n of that run there is a run in which it fails as the row says. Then:
nothing that was acknowledged is missing, now or after a power cut; nothing waits for ever; committed records are read; after a
failed sync of records nothing is acknowledged any more; what is no fault of the disk passes, and everything works again.`

// enumerate runs with the fault at the first, second, ... operation until one is beyond the run's end.
func (f *fault) enumerate(t *testing.T) (sum outcome) {
	var mu sync.Mutex
	var next atomic.Int64
	var failed, over atomic.Bool
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			ts := newTools()
			for !over.Load() && !failed.Load() {
				n := next.Add(*faultStride)
				if *faultOnly > 0 {
					n = *faultOnly
					over.Store(true)
				}
				var hit bool
				var o outcome
				var err error
				synctest.Test(t, func(*testing.T) { hit, o, err = f.run(ts, n) })
				if err != nil {
					failed.Store(true)
					t.Errorf("at operation %d: %v", n, err)
				}
				if !hit {
					over.Store(true)
					return
				}
				mu.Lock()
				sum.add(o)
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return sum
}

func (o *outcome) add(p outcome) {
	o.runs += p.runs
	o.refusedStart += p.refusedStart
	o.stopped += p.stopped
	o.dirFailed += p.dirFailed
	o.refused += p.refused
	o.unharmed += p.unharmed
}

// run is one run with the fault at operation n.
func (f *fault) run(ts *tools, n int64) (hit bool, o outcome, err error) {
	o.runs = 1
	mem := vfs.NewMem()
	d := f.decider(n)
	disk := vfs.NewFaulty(mem, d.decide)
	w := newWorld(uint64(n))
	defer func() {
		hit = d.hit.Load()
		if err != nil {
			err = fmt.Errorf("%v: %w\n%s", d.first(), err, listing(mem))
		}
	}()
	b, err := ts.open(disk)
	if err != nil {
		o.refusedStart = 1
		return hit, o, w.afterFault(ts, mem)
	}
	type moment struct {
		world *world
		disk  *vfs.Mem
	}
	var moments []moment
	snap := func() { moments = append(moments, moment{w.clone(b.partition), mem.Clone()}) }
	refusals, err := faultRun(w, b, snap)
	if err == nil {
		err = f.inspect(w, b, disk, d, &o)
	}
	snap()
	stopped := b.stop()
	switch {
	case err != nil:
		return hit, o, err
	case stopped != nil && f.heals:
		return hit, o, fmt.Errorf("the stop failed: %w", stopped)
	}
	if refusals > 0 {
		o.refused = 1
	} else if o.stopped+o.dirFailed == 0 {
		o.unharmed = 1
	}
	for _, m := range moments {
		if err := m.world.afterFault(ts, m.disk); err != nil {
			return hit, o, err
		}
	}
	return hit, o, nil
}

// inspect looks at the running node after the load.
func (f *fault) inspect(w *world, b *box, disk *vfs.Faulty, d *deciding, o *outcome) error {
	if f.n != 0 { // else there is nothing to be read from
		if err := w.readable(b); err != nil {
			return fmt.Errorf("reads do not go on: %w", err)
		}
	}
	disk.Decide(nil)
	pass(time.Minute)
	select {
	case <-b.quorum.Done():
		o.stopped = 1
		if f.heals {
			return fmt.Errorf("the quorum stopped: %w", b.quorum.Err())
		}
		return nil
	default:
	}
	failed := b.parts.Load().Failed()
	if failed != nil {
		o.dirFailed = 1
		if len(b.told(event.KindDirFailed)) != 1 || !strings.Contains(failed.Error(), "restart the node") {
			return fmt.Errorf("the failed directory is not told: %w", failed)
		}
	}
	switch first := d.first(); {
	case failed != nil && f.heals:
		return fmt.Errorf("the directory failed: %w", failed)
	case failed == nil && (first.Kind == vfs.OpSyncFS || syncs(first) && strings.HasPrefix(path.Base(path.Dir(first.Name)), "a-")):
		return errors.New("records were not synced, and the directory goes on acknowledging")
	}
	for _, t := range w.topics {
		for _, acks := range []partition.Acks{partition.AcksAll, partition.AcksLeader} {
			for i := range t.logs {
				if !t.exists || t.deleting {
					continue
				}
				codes, err := w.produce(b, acks, plan{topic: t.name, index: int32(i), count: 1, size: 20})
				switch {
				case errors.Is(err, errNotThere) && !f.heals && offline(b, t, int32(i)): // until the next start
					o.refused = 1
				case err != nil:
					return fmt.Errorf("after the fault: %w", err)
				case failed == nil && refused(codes):
					return fmt.Errorf("after the fault %s-%d answers %v", t.name, i, codes)
				case failed != nil && codes[0] != wire.KafkaStorageError:
					return fmt.Errorf("after the failure %s-%d answers %v", t.name, i, codes)
				}
			}
		}
	}
	return nil
}

func offline(b *box, t *topic, index int32) bool {
	live := b.parts.Load().TopicByID(t.id)
	return live != nil && live.Offline(index) != nil && len(b.told(event.KindPartitionOffline)) > 0
}

// readable reads all that is committed.
func (w *world) readable(b *box) error {
	for _, t := range w.topics {
		for _, l := range t.logs {
			if p := b.partition(t.id, l.index); p != nil {
				if _, err := read(p, p.LogStart(), p.HighWatermark()); err != nil {
					return fmt.Errorf("%s-%d: %w", t.name, l.index, err)
				}
			}
		}
	}
	return nil
}

// afterFault opens the disk without faults: as it is, and as a power cut may leave it.
func (w *world) afterFault(ts *tools, mem *vfs.Mem) error {
	for _, mode := range []vfs.CrashMode{vfs.KillOnly, vfs.LoseAll, vfs.LoseTorn} {
		disk := mem.CrashClone(mode, 1)
		_, _, err := w.clone(nil).live(ts, disk, mode != vfs.KillOnly)
		if mode == vfs.KillOnly && errors.Is(err, errStart) && errors.Is(err, syscall.EIO) { // the kernel had an error left to tell the journal
			_, _, err = w.clone(nil).live(ts, disk, false)
		}
		if err != nil {
			return fmt.Errorf("%v after the fault: %w", mode, err)
		}
	}
	return nil
}
