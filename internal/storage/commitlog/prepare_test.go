package commitlog

import (
	"testing"

	"holdfast/internal/storage/vfs"
)

func sizeOf(t *testing.T, fs vfs.FS, base int64) int64 {
	t.Helper()
	info, err := fs.Stat(dir + "/" + fileName(base, logSuffix))
	must(t, err)
	return info.Size
}

// Space is prepared for small appends, once there are enough of them, not for large ones; and it is gone when a segment
// ends, by a roll or by a clean stop.
func TestPrepare(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes int
		want  bool
	}{{"small", 1 << 10, true}, {"large", 256 << 10, false}} {
		t.Run(c.name, func(t *testing.T) {
			fs := vfs.NewMem()
			conf := smallConfig()
			conf.SegmentBytes = 64 << 20
			l, _ := mustOpen(t, fs, conf, 0, 0)
			prepared, synced := false, 0
			for l.Size() < 3<<20 {
				must(t, l.Append(batchSpec{base: l.End(), count: 1, size: c.bytes}.build(), t0))
				must(t, l.Sync())
				did, err := l.Prepare()
				must(t, err)
				if prepared = prepared || did; did && l.Size() < spaceFrom {
					t.Fatalf("prepared at %d bytes", l.Size())
				}
				if sizeOf(t, fs, 0) == l.Size() {
					synced++ // a sync that had to grow the file
				}
			}
			if prepared != c.want || c.want && synced > spaceFrom/c.bytes {
				t.Fatalf("prepared: %v; %d syncs at the end of the file", prepared, synced)
			}
			size := l.Size()
			must(t, l.Roll(t0))
			if got := sizeOf(t, fs, 0); got != size {
				t.Fatalf("a rolled segment of %d bytes has a file of %d", size, got)
			}
			base := l.End()
			must(t, l.Append(batchSpec{base: base, count: 1, size: 10}.build(), t0))
			_, err := l.prepare(1, 100)
			must(t, err)
			must(t, l.Close())
			if got := sizeOf(t, fs, base); got != l.Size()-size {
				t.Fatalf("a clean stop leaves a file of %d bytes for %d", got, l.Size()-size)
			}
		})
	}
}

func TestCheckpointDue(t *testing.T) {
	fs := vfs.NewMem()
	conf := smallConfig()
	conf.SegmentBytes = 1 << 30
	l, _ := mustOpen(t, fs, conf, 0, 0)
	due := 0
	for l.Size() < 3*checkpointEach {
		must(t, l.Append(batchSpec{base: l.End(), count: 1, size: 64 << 10}.build(), t0))
		if l.CheckpointDue() {
			due++
			must(t, l.Checkpoint())
		}
	}
	if due != 3 && due != 2 {
		t.Fatalf("%d checkpoints in %d bytes", due, l.Size())
	}
	must(t, l.Sync())
	end, point := l.End(), l.RecoveryPoint()
	l, r := mustOpen(t, fs, conf, point, 0) // killed
	if l.End() != end || r.ReplayedBytes > l.Size()/2 {
		t.Fatalf("end %d of %d, %d of %d bytes replayed", l.End(), end, r.ReplayedBytes, l.Size())
	}
}
