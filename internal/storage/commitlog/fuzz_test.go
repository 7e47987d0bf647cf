package commitlog

import (
	"bytes"
	"errors"
	"path"
	"runtime"
	"slices"
	"testing"

	"holdfast/internal/core/producer"
	"holdfast/internal/storage/vfs"
)

// bounded fails if f allocates more than a small multiple of what it was given.
func bounded(t *testing.T, input, factor int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > uint64(input*factor+1<<21) {
		t.Fatalf("%d bytes of input made it allocate %d", input, used)
	}
}

func seedFiles(f *testing.F, suffix string) {
	disk, _ := sample(f)
	names, err := disk.List(dir)
	must(f, err)
	for _, name := range names {
		if len(name) >= len(suffix) && name[len(name)-len(suffix):] == suffix {
			p, err := vfs.ReadFile(disk, path.Join(dir, name), 1<<20)
			must(f, err)
			f.Add(p)
		}
	}
	f.Add([]byte{})
}

func FuzzSnapshot(f *testing.F) {
	seedFiles(f, snapshotSuffix)
	f.Fuzz(func(t *testing.T, p []byte) {
		bounded(t, len(p), 16, func() {
			entries, err := ParseSnapshot(p, 1)
			if err != nil {
				return
			}
			parseTxnSum(p)
			again, err := ParseSnapshot(AppendSnapshot(nil, entries), 1)
			if err != nil || len(again) != len(entries) {
				t.Fatalf("%d entries became %d: %v", len(entries), len(again), err)
			}
			var s producer.State
			s.Restore(entries)
		})
	})
}

func FuzzEpochs(f *testing.F) {
	seedFiles(f, epochsName)
	f.Fuzz(func(t *testing.T, p []byte) {
		bounded(t, len(p), 64, func() {
			line, err := ParseEpochs(p)
			if err != nil {
				return
			}
			if again, err := ParseEpochs(appendEpochs(nil, line)); err != nil || !slices.Equal(again, line) {
				t.Fatalf("%v became %v: %v", line, again, err)
			}
		})
	})
}

func FuzzCheckpoint(f *testing.F) {
	f.Add([]byte("0\n2\na 0 5\nb 1 7\n"))
	f.Add([]byte("0\n9999999999\n"))
	f.Fuzz(func(t *testing.T, p []byte) { bounded(t, len(p), 256, func() { _, _ = ParseCheckpoint(p) }) })
}

func FuzzPartitionMetadata(f *testing.F) {
	f.Add([]byte("version: 0\ntopic_id: AQIDAAAAAAAAAAAAAAAAAA\n"))
	f.Fuzz(func(t *testing.T, p []byte) { bounded(t, len(p), 64, func() { _, _ = ParsePartitionMetadata(p) }) })
}

func FuzzTxnIndex(f *testing.F) {
	seedFiles(f, txnSuffix)
	f.Fuzz(func(t *testing.T, p []byte) {
		bounded(t, len(p), 16, func() {
			txns, err := parseTxns(p, 0)
			var q []byte
			for _, x := range txns {
				q = appendTxn(q, x)
			}
			if !bytes.HasPrefix(p, q) || err == nil && len(q) != len(p) {
				t.Fatalf("%d entries of %d bytes: %v", len(txns), len(p), err)
			}
		})
	})
}

// FuzzIndexes puts any bytes in the place of both sparse indexes: every read gives what was written.
func FuzzIndexes(f *testing.F) {
	disk, m := sample(f)
	names, err := disk.List(dir)
	must(f, err)
	for _, suffix := range []string{indexSuffix, timeSuffix} {
		i := slices.IndexFunc(names, func(n string) bool { _, ok := parseName(n, suffix); return ok })
		p, err := vfs.ReadFile(disk, path.Join(dir, names[i]), 1<<20)
		must(f, err)
		f.Add(p, uint8(i), suffix == timeSuffix)
	}
	f.Fuzz(func(t *testing.T, p []byte, which uint8, wide bool) {
		suffix := indexSuffix
		if wide {
			suffix = timeSuffix
		}
		var of []string
		for _, n := range names {
			if _, ok := parseName(n, suffix); ok {
				of = append(of, n)
			}
		}
		fs := spoil(t, disk, of[int(which)%len(of)], func(f vfs.File, _ int64) {
			must(t, f.Truncate(0))
			must(t, writeAt(f, p, 0))
		})
		bounded(t, len(p), 64, func() {
			l, _, err := Open(Options{FS: fs, Dir: dir, Config: smallConfig(), RecoveryPoint: m.end(), Now: t0})
			must(t, err)
			if missing, err := serve(l, m); err != nil || missing > 0 {
				t.Fatalf("%d batches not served: %v", missing, err)
			}
			l.Discard()
		})
	})
}

// FuzzSegment opens a folder whose only segment has any bytes, at any recovery point: it opens, and what it then serves
// are batches with right checksums.
func FuzzSegment(f *testing.F) {
	disk, _ := sample(f)
	p, err := vfs.ReadFile(disk, path.Join(dir, fileName(0, logSuffix)), 1<<20)
	must(f, err)
	f.Add(p, int64(0))
	f.Add(p, int64(30))
	f.Add(append(slices.Clone(p[:len(p)-7]), make([]byte, 4096)...), int64(1<<40))
	f.Fuzz(func(t *testing.T, p []byte, point int64) {
		fs := vfs.NewMem()
		must(t, fs.MkdirAll(dir))
		file, err := fs.Create(path.Join(dir, fileName(0, logSuffix)))
		must(t, err)
		must(t, writeAt(file, p, 0))
		must(t, file.Close())
		bounded(t, len(p), 512, func() {
			l, _, err := Open(Options{FS: fs, Dir: dir, Config: smallConfig(), RecoveryPoint: point, Now: t0})
			must(t, err)
			tries := 0
			for at := l.Start(); at < l.End(); {
				if tries++; tries > len(p)+10 {
					t.Fatalf("reading gets nowhere at %d: %+v", at, l.Damaged())
				}
				s, err := l.Locate(at, l.End(), 1<<16, true)
				if err == nil && s.Len > 0 {
					err = s.ReadAt(make([]byte, s.Len))
				}
				var d *DamagedError
				switch {
				case errors.As(err, &d) && d.From <= at && d.To > at:
					at = d.To
				case errors.As(err, &d):
				case err != nil:
					t.Fatal(err)
				case s.Len == 0:
					t.Fatalf("nothing at %d of %d", at, l.End())
				default:
					at = s.NextOffset
				}
			}
			_, _, _, err = l.OffsetForTime(5)
			if err != nil && !errors.Is(err, ErrDamaged) {
				t.Log(err)
			}
			_ = l.Close()
		})
	})
}
