package journal

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"testing"

	"holdfast/internal/storage/vfs"
)

var crashRounds = flag.Int("journal.rounds", 1, "workloads for crashes (about 6,500 images each) and faults (about 1,500 runs each)")

// workload drives a journal as raft does - append, sync now and then, snapshot and cut - and remembers what was promised.
type workload struct {
	rand *rand.Rand
	fs   vfs.FS
	j    *Journal

	entries  []Entry // all that was appended, in order; from the first failed call on nothing is
	inFlight []Entry // given to an Append that has not returned
	synced   int     // entries durable by promise
	cut      uint64  // highest sequence given to Cut: older entries may be missing
	snapshot []byte  // last saved
	saving   []byte  // given to a SaveSnapshot that has not returned
}

func (w *workload) open() error {
	j, got, err := open(w.fs, testDir, testID, testSegment)
	if err != nil {
		return err
	}
	if w.j = j; w.entries == nil {
		w.entries = []Entry{}
		return nil
	}
	w.entries, w.synced = got, len(got) // durable, says Open
	return nil
}

func (w *workload) step(i int) error {
	switch k := w.rand.IntN(20); {
	case k < 9:
		return w.append(i)
	case k < 15:
		n := len(w.entries)
		if err := w.j.Sync(); err != nil {
			return err
		}
		w.synced = n
	case k < 17:
		return w.snapshotAndCut(i)
	case k < 18:
		return w.j.Prepare()
	case k < 19:
		n := len(w.entries)
		if err := w.j.Close(); err != nil {
			return err
		}
		w.synced = n
		return w.open()
	default: // a kill -9: the page cache stays
		err := w.j.file.Close()
		if err != nil {
			return err
		}
		return w.open()
	}
	return nil
}

func (w *workload) append(i int) error {
	w.inFlight = nil
	for k := range 1 + w.rand.IntN(3) {
		w.inFlight = append(w.inFlight, entry(i*10+k, w.rand.IntN([]int{20, 3000, 12000}[w.rand.IntN(3)])))
	}
	if w.rand.IntN(50) == 0 {
		w.inFlight = append(w.inFlight, entry(i, testSegment))
	}
	for k := range w.inFlight {
		w.inFlight[k].Seq = w.j.Last() + 1
	}
	seq, err := w.j.Append(w.inFlight...)
	if err != nil {
		return err
	}
	for _, e := range w.inFlight {
		e.Seq = seq
		w.entries = append(w.entries, e)
	}
	w.inFlight = nil
	return nil
}

func (w *workload) snapshotAndCut(i int) error {
	if w.synced == 0 {
		return nil
	}
	w.saving = []byte(fmt.Sprintf("snapshot %d", i))
	if err := SaveSnapshot(w.fs, testDir, testID, w.saving); err != nil {
		return err
	}
	w.snapshot, w.saving = w.saving, nil
	seq := w.entries[w.rand.IntN(w.synced)].Seq
	w.cut = max(w.cut, seq)
	return w.j.Cut(seq)
}

// promise is the state of a workload at one moment, to judge a disk by.
type promise struct {
	entries          []Entry
	synced           int
	cut              uint64
	snapshot, saving []byte
}

func (w *workload) promise() promise {
	all := append(w.entries[:len(w.entries):len(w.entries)], w.inFlight...)
	return promise{all, w.synced, w.cut, w.snapshot, w.saving}
}

// judge opens a disk and says what is wrong with it.
func (p promise) judge(disk *vfs.Mem) error {
	j, got, err := open(disk, testDir, testID, testSegment)
	if err != nil {
		return fmt.Errorf("open fails: %w", err)
	}
	if err := p.compare(got); err != nil {
		return err
	}
	if err := p.judgeSnapshot(disk); err != nil {
		return err
	}
	// The journal goes on from here, and another power cut takes nothing of what was returned.
	added := entry(7, 5000)
	seq, err := j.Append(added)
	if err != nil {
		return fmt.Errorf("append after the crash: %w", err)
	}
	if err := j.Sync(); err != nil {
		return fmt.Errorf("sync after the crash: %w", err)
	}
	_, again, err := open(disk.CrashClone(vfs.LoseAll, 0), testDir, testID, testSegment)
	if err != nil {
		return fmt.Errorf("second open fails: %w", err)
	}
	added.Seq = seq
	return same(append(got, added), again)
}

// compare: what comes back is a run of the history, from at most the cut to at least the last sync, in whole appends.
func (p promise) compare(got []Entry) error {
	from := 0
	for from < len(p.entries) && (len(got) == 0 || p.entries[from].Seq < got[0].Seq) {
		from++
	}
	if from > 0 && from <= p.synced && p.entries[from-1].Seq > p.cut {
		return fmt.Errorf("entries up to %d are gone, cut was %d", p.entries[from-1].Seq, p.cut)
	}
	to := from + len(got)
	if to < p.synced || to > len(p.entries) {
		return fmt.Errorf("got %d entries after the first %d; %d of %d were synced", len(got), from, p.synced, len(p.entries))
	}
	if to > from && to < len(p.entries) && p.entries[to].Seq == p.entries[to-1].Seq {
		return fmt.Errorf("half of append %d came back", p.entries[to].Seq)
	}
	return same(p.entries[from:to], got)
}

func (p promise) judgeSnapshot(disk vfs.FS) error {
	got, err := LoadSnapshot(disk, testDir, testID)
	switch {
	case errors.Is(err, fs.ErrNotExist) && p.snapshot == nil:
		return nil
	case err != nil:
		return err
	case bytes.Equal(got, p.snapshot), p.saving != nil && bytes.Equal(got, p.saving):
		return nil
	}
	return fmt.Errorf("snapshot is %q, want %q or %q", got, p.snapshot, p.saving)
}

func same(want, got []Entry) error {
	if len(want) != len(got) {
		return fmt.Errorf("got %d entries, want %d", len(got), len(want))
	}
	for i := range want {
		if want[i].Seq != got[i].Seq || want[i].Type != got[i].Type || !bytes.Equal(want[i].Data, got[i].Data) {
			return fmt.Errorf("entry %d is {seq %d, type %d, %d bytes}, want {seq %d, type %d, %d bytes}", i,
				got[i].Seq, got[i].Type, len(got[i].Data), want[i].Seq, want[i].Type, len(want[i].Data))
		}
	}
	return nil
}

// TestPowerCutAtEveryOperation cuts the power before every operation of a workload, loses all, none, any and
// torn parts of what was not synced, and opens the journal on what is left. The workload itself lives through power cuts.
func TestPowerCutAtEveryOperation(t *testing.T) {
	images := 0
	for round := range *crashRounds {
		w := &workload{rand: rand.New(rand.NewPCG(uint64(round), 1))}
		disk := newDisk(t)
		for life := range 4 {
			images += w.live(t, disk, 30+w.rand.IntN(10), fmt.Sprintf("round %d, life %d", round, life))
			disk = disk.CrashClone(vfs.CrashModes()[w.rand.IntN(4)], w.rand.Uint64())
		}
	}
	t.Logf("%d images", images)
}

// live opens the journal, takes some steps, judges disks crashed before every operation, and returns how many.
func (w *workload) live(t *testing.T, disk *vfs.Mem, steps int, where string) (images int) {
	const seeds = 5
	judge := func(c vfs.Crash) {
		images++
		if err := w.promise().judge(c.Disk); err != nil {
			t.Fatalf("%s, %s: %v", where, c, err)
		}
	}
	disk.EachCrash(seeds, judge)
	w.fs = disk
	must(t, w.open())
	for i := range steps {
		must(t, w.step(i))
	}
	disk.Observe(nil)
	disk.CrashNow(seeds, judge)
	return images
}
