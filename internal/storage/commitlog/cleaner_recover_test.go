package commitlog

import (
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/storage/vfs"

	"pgregory.net/rapid"
)

// What Apache Kafka leaves of an interrupted compaction is completed or undone by its rules.
func TestInterruptedByKafka(t *testing.T) {
	build := func(t *testing.T) (before, after *vfs.Mem, k *keyed, point int64) {
		before = vfs.NewMem()
		l, _ := mustOpen(t, before, compactConfig(), 0, 0)
		k = newKeyed(t, l, 3)
		k.steps(80)
		must(t, l.Sync())
		point = l.RecoveryPoint()
		after = before.CrashClone(vfs.LoseNone, 1)
		again, _ := mustOpen(t, after, compactConfig(), point, 0)
		compact(t, newCleaner(), again, t0, time.Hour)
		must(t, again.Close())
		return before, after, k, point
	}
	// put copies a file of the compacted log into the folder as it was before, under another name.
	put := func(t *testing.T, before, after *vfs.Mem, name, suffix string) {
		p, err := vfs.ReadFile(after, dir+"/"+name, 1<<20)
		must(t, err)
		f, err := before.Create(dir + "/" + name + suffix)
		must(t, err)
		_, err = f.WriteAt(p, 0)
		must(t, err)
		must(t, f.Close())
	}
	const base = "00000000000000000000"
	for _, c := range []struct {
		name  string
		files []string // name=suffix
		gone  []string
		done  bool
	}{
		{"while it writes", []string{base + ".log=.cleaned", base + ".index=.cleaned"}, nil, false},
		{"while it renames to .swap", []string{base + ".log=.swap", base + ".index=.cleaned", base + ".timeindex=.cleaned"}, nil, false},
		{"before the old ones go", []string{base + ".log=.swap", base + ".index=.swap", base + ".timeindex=.swap"}, nil, true},
		{"when the first is gone", []string{base + ".log=.swap", base + ".index=.swap", base + ".timeindex=.swap"}, []string{base}, true},
		{"when only the index has its name", []string{base + ".log=.swap", base + ".index=", base + ".timeindex=.swap"}, []string{base}, true},
		{"when only the index is left", []string{base + ".log=", base + ".index=.swap", base + ".timeindex="}, []string{base}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after, k, point := build(t)
			for _, g := range c.gone {
				for _, suffix := range []string{logSuffix, indexSuffix, timeSuffix} {
					must(t, before.Rename(dir+"/"+g+suffix, dir+"/"+g+suffix+deletedSuffix))
				}
			}
			for _, f := range c.files {
				name, suffix, _ := strings.Cut(f, "=")
				put(t, before, after, name, suffix)
			}
			l, r, err := Open(Options{FS: before, Dir: dir, Config: compactConfig(), RecoveryPoint: point, Now: t0, Gaps: point})
			must(t, err)
			if lost(r) || l.End() != point {
				t.Fatalf("recovery %+v, end %d, was %d", r, l.End(), point)
			}
			compacted := int64(0)
			if c.done {
				compacted = l.segments()[1].base
			}
			k.check(l, compacted, false)
			names, err := before.List(dir)
			must(t, err)
			for _, n := range names {
				if strings.HasSuffix(n, swapSuffix) || strings.HasSuffix(n, cleanedSuffix) {
					t.Errorf("%s is left", n)
				}
			}
		})
	}
}

// A new segment that is damaged does not take the place of good ones.
func TestDamagedSwapIsUndone(t *testing.T) {
	fs := vfs.NewMem()
	l, _ := mustOpen(t, fs, compactConfig(), 0, 0)
	k := newKeyed(t, l, 3)
	k.steps(80)
	must(t, l.Sync())
	f, err := fs.Create(dir + "/00000000000000000000.log.swap")
	must(t, err)
	_, err = f.WriteAt([]byte(strings.Repeat("not a batch ", 20)), 0)
	must(t, err)
	must(t, f.Close())
	again := reopenCompacted(t, fs, l, l.RecoveryPoint())
	k.check(again, 0, false)
}

// Appending, compacting, retiring, crashing and opening anew in any order: the last record of each key is there, offsets
// never change, and producers are known.
func TestCompactedLogIsItsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fs := vfs.NewMem()
		must(t, vfs.MakeDirs(fs, "data"))
		c := compactConfig()
		c.DeleteDelay = 0
		l, _ := mustOpen(t, fs, c, 0, 0)
		k := newKeyed(t, l, rapid.Uint64().Draw(rt, "seed"))
		k.markers = true
		now, point, gaps, cleaned := t0, int64(0), int64(0), int64(0)
		horizon := false
		steps := rapid.SliceOfN(rapid.SampledFrom([]string{"append", "append", "append", "sync", "compact", "compact", "roll", "later", "crash", "delete"}), 5, 40).Draw(rt, "steps")
		for _, step := range steps {
			switch step {
			case "append":
				k.steps(15)
			case "sync":
				must(t, l.Sync())
				point = l.RecoveryPoint()
			case "roll":
				must(t, l.Roll(now))
			case "later":
				now, horizon = now.Add(2*time.Hour), true
			case "delete":
				must(t, l.DeletePending(now))
			case "compact":
				keys := int64(rapid.IntRange(1, 1000).Draw(rt, "key bytes"))
				d, err := l.Cleanable(now, point, 0)
				must(t, err)
				gaps = max(gaps, d.To)
				_, err = NewCleaner(CleanerOptions{KeyBytes: keys, KeyLoad: 0.7, BufferBytes: 100}).Clean(l, d, time.Hour, now, new(sync.Mutex))
				must(t, err)
				if rapid.Bool().Draw(rt, "written down") {
					cleaned = l.CleanedTo()
				}
			case "crash":
				must(t, l.Sync()) // what is not synced is the business of the other model
				point = l.RecoveryPoint()
				entries := l.Producers().Entries()
				fs = fs.CrashClone(rapid.SampledFrom(vfs.CrashModes()).Draw(rt, "mode"), 1)
				again, r, err := Open(Options{FS: fs, Dir: dir, Config: c, RecoveryPoint: point, Now: now, Gaps: gaps, Cleaned: cleaned})
				must(t, err)
				if lost(r) || again.End() != l.End() || len(entries) != again.Producers().Len() {
					t.Fatalf("recovery %+v, end %d, was %d", r, again.End(), l.End())
				}
				l, k.l = again, again
			}
			k.check(l, 0, horizon)
		}
	})
}
