package commitlog

import (
	"errors"
	"io/fs"
	"slices"
	"testing"

	"holdfast/internal/storage/vfs"
)

// A transaction index that is gone, cut off or changed is noticed, for a segment that ended and for the last one, and made
// anew: else readers of committed records would see aborted ones.
func TestTransactionIndexIsVouchedFor(t *testing.T) {
	mem := vfs.NewMem()
	must(t, vfs.MakeDirs(mem, "data"))
	l, _ := mustOpen(t, mem, smallConfig(), 0, 0)
	abort := func(id int64) {
		mustAppend(t, l, batchSpec{base: l.End(), count: 2, ms: t0.UnixMilli(), size: 50, pid: id, txn: true}.build())
		mustAppend(t, l, marker(l.End(), 0, id, 0, false, t0.UnixMilli()))
	}
	for id := range int64(3) {
		abort(id + 1)
	}
	must(t, l.Roll(t0))
	abort(11)
	abort(12)
	end := l.End()
	want, err := l.Aborted(0, end)
	must(t, err)
	if len(want) != 5 {
		t.Fatalf("%d aborted transactions", len(want))
	}
	second := l.active.base
	must(t, l.Close())

	damage := map[string]func(*vfs.Mem, string){
		"gone":    func(d *vfs.Mem, name string) { must(t, d.Remove(name)) },
		"cut off": func(d *vfs.Mem, name string) { resize(t, d, name, txnEntrySize) },
		"empty":   func(d *vfs.Mem, name string) { resize(t, d, name, 0) },
		"changed": func(d *vfs.Mem, name string) { flipBit(t, d, name, 17) }, // first offset
		"stable":  func(d *vfs.Mem, name string) { flipBit(t, d, name, 33) }, // last stable offset
	}
	for kind, spoil := range damage { // order-free
		for _, base := range []int64{0, second} {
			d := mem.Clone()
			spoil(d, l.name(base, txnSuffix))
			l, _ := mustOpen(t, d, smallConfig(), end, 0)
			got, err := l.Aborted(0, end)
			must(t, err)
			if !slices.Equal(got, want) {
				t.Errorf("%s, segment %d: aborted %v, want %v", kind, base, got, want)
			}
		}
	}
}

func resize(t *testing.T, d vfs.FS, name string, size int64) {
	t.Helper()
	f, err := d.Open(name)
	must(t, err)
	must(t, errors.Join(f.Truncate(size), f.Close()))
}

func flipBit(t *testing.T, d vfs.FS, name string, at int64) {
	t.Helper()
	p, err := vfs.ReadFile(d, name, 1<<20)
	must(t, err)
	if at >= int64(len(p)) {
		t.Fatalf("%s has %d bytes: %v", name, len(p), fs.ErrInvalid)
	}
	p[at] ^= 1
	must(t, vfs.ReplaceFile(d, name, p))
}
