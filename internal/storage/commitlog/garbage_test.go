package commitlog

import (
	"path"
	"testing"

	"holdfast/internal/storage/vfs"
)

// A torn tail was cut off, and before that was durable the next segment began and the power went: the tail is back, right
// at the recovery point, and behind it a segment of which only the name was saved.
func TestTailThatComesBackAtTheRecoveryPoint(t *testing.T) {
	mem := vfs.NewMem()
	must(t, vfs.MakeDirs(mem, "data"))
	l, _ := mustOpen(t, mem, smallConfig(), 0, 0)
	fill(t, l, 8, 0)
	must(t, l.Sync())
	point := l.RecoveryPoint()
	want, err := readAll(l, 0, point, 1<<20)
	must(t, err)
	must(t, l.Close())
	f, err := mem.Open(path.Join(dir, fileName(0, logSuffix)))
	must(t, err)
	if _, err := f.WriteAt(make([]byte, 1000), int64(len(want))); err != nil {
		t.Fatal(err)
	}
	must(t, f.Close())
	f, err = mem.Create(path.Join(dir, fileName(point, logSuffix)))
	must(t, err)
	must(t, f.Close())

	l, r := mustOpen(t, mem, smallConfig(), point, 0)
	got, err := readAll(l, 0, l.End(), 1<<20)
	if err != nil || string(got) != string(want) || len(r.Damaged) > 0 {
		t.Errorf("read %d bytes of %d, %v; damaged: %v", len(got), len(want), err, r.Damaged)
	}
	fill(t, l, 3, 1)
	must(t, l.Sync())
	if _, err := readAll(l, 0, l.End(), 1<<20); err != nil {
		t.Error(err)
	}
}
