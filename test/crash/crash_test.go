package crash

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/core/image"
	"holdfast/internal/host/partition"
	"holdfast/internal/storage/vfs"
)

var crashImages = flag.Int("crash.images", imagesFromEnv(), "how many disks to open after a crash, about")

// imagesFromEnv is for runs of ./..., where other packages do not know the flag.
func imagesFromEnv() int {
	if n, err := strconv.Atoi(os.Getenv("HOLDFAST_CRASH_IMAGES")); err == nil {
		return n
	}
	return 2000
}

// moment is one operation boundary of a recorded run.
type moment struct {
	op    vfs.Op // the next one
	disk  *vfs.Mem
	world *world
	since time.Duration // of the bubble's time
}

// recording is one life of a node, from its start on a disk to its clean stop.
type recording struct {
	moments []moment
	syncs   map[vfs.OpKind]int
}

// recordRun runs a workload on disk and keeps every moment. lost says what the disk went through before.
func recordRun(ts *tools, disk *vfs.Mem, w *world, run func(*world, *box) error, lost bool) (rec *recording, err error) {
	rec = &recording{syncs: map[vfs.OpKind]int{}}
	began := time.Now()
	var b atomic.Pointer[box]
	look := func(id image.TopicID, index int32) *partition.Partition {
		if b := b.Load(); b != nil {
			return b.partition(id, index)
		}
		return nil
	}
	take := func(op vfs.Op) {
		rec.moments = append(rec.moments, moment{op, disk.Clone(), w.clone(look), time.Since(began)})
	}
	disk.Observe(func(op vfs.Op, done bool) {
		if done {
			rec.syncs[op.Kind]++
		} else {
			take(op)
		}
	})
	defer disk.Observe(nil)
	opened, err := ts.open(disk)
	if err != nil {
		return rec, err
	}
	defer func() {
		if opened != nil {
			_ = opened.stop() // an error came first
		}
	}()
	if err := w.verify(opened, lost); err != nil {
		return rec, err
	}
	if err := w.settleNoted(opened); err != nil {
		return rec, err
	}
	b.Store(opened)
	if err := run(w, opened); err != nil {
		return rec, err
	}
	ends := opened
	opened = nil
	if err := ends.stop(); err != nil {
		return rec, err
	}
	take(vfs.Op{N: disk.Ops() + 1})
	return rec, nil
}

// settleNoted is settle while moments are taken.
func (w *world) settleNoted(b *box) (err error) {
	w.note(func() { err = w.settle(b) })
	return err
}

// judge cuts the power at a moment, opens what is left and holds it to what was promised. Then it lives on, loses the
// power again, and holds that.
func (m *moment) judge(ts *tools, mode vfs.CrashMode, seed uint64) (err error) {
	disk, w, lost := m.disk.CrashClone(mode, seed), m.world.clone(nil), mode != vfs.KillOnly
	pass(m.since)
	before := disk.Clone()
	shown, left, err := w.live(ts, disk, lost)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, listing(before))
	}
	if mode != vfs.KillOnly && seed%4 != 0 {
		return nil
	}
	again := vfs.CrashModes()[seed/4%4]
	if err := shown.world.outlive(ts, shown.disk.CrashClone(again, seed)); err != nil {
		return fmt.Errorf("%v right after the start: %w", again, err)
	}
	if err := w.outlive(ts, left.CrashClone(again, seed+1)); err != nil {
		return fmt.Errorf("%v after going on: %w", again, err)
	}
	return nil
}

// outlive holds a disk after a second power cut.
func (w *world) outlive(ts *tools, disk *vfs.Mem) error {
	before := disk.Clone()
	if _, _, err := w.live(ts, disk, true); err != nil {
		return fmt.Errorf("%w\n%s", err, listing(before))
	}
	return nil
}

var errStart = errors.New("the start failed")

// live opens a disk, verifies it, and goes on with it for a while. It returns the moment right after the start, and the
// disk at the end, before the node was stopped.
func (w *world) live(ts *tools, disk *vfs.Mem, lost bool) (shown moment, left *vfs.Mem, err error) {
	b, err := ts.open(disk)
	if err != nil {
		return shown, nil, fmt.Errorf("%w: %w", errStart, err)
	}
	defer func() {
		if stopped := b.stop(); err == nil && stopped != nil {
			err = fmt.Errorf("the stop failed: %w", stopped)
		}
	}()
	if err := w.verify(b, lost); err != nil {
		return shown, nil, err
	}
	if err := w.settle(b); err != nil {
		return shown, nil, err
	}
	shown = moment{disk: disk.Clone(), world: w.clone(nil)}
	if err := w.retry(b); err != nil {
		return shown, nil, err
	}
	if err := w.goOn(b); err != nil {
		return shown, nil, fmt.Errorf("life goes on: %w", err)
	}
	return shown, disk.Clone(), nil
}

// TestCrash cuts the power before every operation of every workload, in every way.
func TestCrash(t *testing.T) {
	per := max(1, *crashImages/len(workloads))
	done := readLedger(t)
	table := newTable("workload", "operations cut at", "disks opened", "fdatasync", "syncfs", "acknowledged records lost", "failed opens", "records invented")
	for i, wl := range workloads {
		t.Run(wl.name, func(t *testing.T) {
			h := &harvest{t: t, want: per, tally: done[wl.name]}
			h.images.Store(h.Images)
			for h.images.Load() < int64(per) && !t.Failed() {
				h.round(wl, uint64(i)<<32|h.Rounds)
				h.Rounds++
				h.Images = h.images.Load()
				done[wl.name] = h.tally
				if !t.Failed() {
					done.write(t)
				}
			}
			t.Logf("%d images, %d moments, %d fdatasyncs, %d syncfs", h.Images, h.Moments, h.Syncs, h.SyncFS)
			table.row(wl.name, h.Moments, h.Images, h.Syncs, h.SyncFS, 0, 0, 0) // else the test has failed
		})
	}
	table.finish(t, "crash-images.md", "The power is cut at every operation", crashText)
}

const crashText = `A node - quorum, partitions, logs and journal, as internal/node puts them together - runs a workload on a memory disk. Before
every operation that changes the disk the power is cut; of what was not synced nothing survives, everything, any subset, or
any subset torn at 512 bytes; and once the process alone is killed. Each of these disks is opened by the real code: all that
was acknowledged or shown to a reader is there, byte for byte, at its offsets; nothing else is; producers' retries are
recognised and gaps refused; what was deleted stays deleted; names made anew are empty. The node goes on, and for every fourth
disk the power is cut again right after the start and again later. Runs have two lives, the second on what a crash left.`

// harvest counts what was tried.
type harvest struct {
	t      *testing.T
	want   int
	images atomic.Int64
	tally
}

// round records some lives of a node, each on what a crash left of the one before, and judges all of them.
func (h *harvest) round(wl workload, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 5))
	disk, w, lost := vfs.NewMem(), newWorld(seed), false
	ts := newTools()
	ts.inOrder = seed%2 == 0              // every other run has its goroutines, which no seed repeats
	ts.apart = seed%4 == 0 || seed%4 == 3 // else a roll is one syncfs, and nothing shows that each name is synced
	for life := range 2 {
		var rec *recording
		synctest.Test(h.t, func(t *testing.T) {
			var err error
			if rec, err = recordRun(ts, disk, w, wl.run, lost); err != nil {
				t.Fatalf("round %d, life %d: %v", seed&0xffffffff, life, err)
			}
		})
		if h.t.Failed() {
			return
		}
		h.Moments += len(rec.moments)
		h.Syncs += rec.syncs[vfs.OpSync]
		h.SyncFS += rec.syncs[vfs.OpSyncFS]
		h.judgeAll(rec, seed, life, ts.apart)
		if h.t.Failed() || h.images.Load() >= int64(h.want) {
			return
		}
		m, mode := rec.moments[r.IntN(len(rec.moments))], vfs.CrashModes()[r.IntN(5)]
		disk, w, lost = m.disk.CrashClone(mode, seed), m.world.clone(nil), mode != vfs.KillOnly
		w.rand = r
		if lost {
			w.forgetUnsynced()
		}
	}
}

// job is one image.
type job struct {
	m    *moment
	mode vfs.CrashMode
	seed uint64
}

// judgeAll judges every moment in every mode, on all processors.
func (h *harvest) judgeAll(rec *recording, seed uint64, life int, apart bool) {
	jobs := make(chan job)
	var workers sync.WaitGroup
	var failed atomic.Bool
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			ts := newTools()
			ts.apart = apart
			for j := range jobs {
				if failed.Load() {
					continue
				}
				h.images.Add(1)
				var err error // a failure inside the bubble would end this goroutine
				synctest.Test(h.t, func(*testing.T) { err = j.m.judge(ts, j.mode, j.seed) })
				if err != nil {
					failed.Store(true)
					h.t.Errorf("round %d, life %d, crash before %v, %v, seed %d: %v", seed&0xffffffff, life, j.m.op, j.mode, j.seed, err)
				}
			}
		})
	}
	for i := range rec.moments {
		for _, mode := range vfs.CrashModes() {
			jobs <- job{&rec.moments[i], mode, seed<<20 ^ uint64(i)}
		}
	}
	close(jobs)
	workers.Wait()
}

// listing shows a disk in a failure.
func listing(disk *vfs.Mem) string {
	var out strings.Builder
	var visit func(dir string)
	visit = func(dir string) {
		names, _ := disk.List(dir)
		for _, name := range names {
			full := path.Join(dir, name)
			info, err := disk.Stat(full)
			if err == nil && info.IsDir {
				visit(full)
				continue
			}
			fmt.Fprintf(&out, "  %8d %s\n", info.Size, full)
			if strings.HasSuffix(name, "checkpoint") || strings.HasSuffix(name, ".metadata") {
				if p, err := vfs.ReadFile(disk, full, 1000); err == nil {
					fmt.Fprintf(&out, "           %q\n", p)
				}
			}
		}
	}
	visit(dataDir)
	return out.String()
}
