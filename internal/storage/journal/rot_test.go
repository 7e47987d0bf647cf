package journal

import (
	"errors"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/storage/vfs"
)

// filled is a closed journal of several files, one of them recycled, in which every entry was synced.
func filled(t testing.TB) (*vfs.Mem, []Entry) {
	disk := newDisk(t)
	j, _ := openTest(t, disk)
	for i := range 8 {
		appendAll(t, j, entry(i, 9000))
		must(t, j.Sync())
	}
	must(t, j.Cut(j.Last()))
	for i := range 6 {
		appendAll(t, j, entry(i, 300), entry(i+50, 5000))
		must(t, j.Sync())
	}
	must(t, j.Close())
	j, entries := openTest(t, disk)
	must(t, j.file.Close())
	return disk, entries
}

func segmentNames(t testing.TB, disk vfs.FS) []string {
	names, err := disk.List(testDir)
	must(t, err)
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, segmentSuffix) })
	for i := range names {
		names[i] = path.Join(testDir, names[i])
	}
	return names
}

func readAll(t testing.TB, disk vfs.FS, name string) []byte {
	b, err := readFile(disk, name, 1<<30)
	must(t, err)
	return b
}

func change(t testing.TB, disk vfs.FS, name string, f func(vfs.File) error) {
	t.Helper()
	file, err := disk.Open(name)
	must(t, err)
	must(t, f(file))
	must(t, file.Sync())
	must(t, file.Close())
}

// wantRot opens a damaged disk: it is refused and left as it is.
func wantRot(t *testing.T, disk *vfs.Mem, what string, args ...any) {
	t.Helper()
	ops := disk.Ops()
	_, _, err := open(disk, testDir, testID, testSegment)
	if !errors.Is(err, ErrRot) {
		t.Errorf(what+": open says %v", append(args, err)...)
	}
	if disk.Ops() != ops+1 { // mkdir-all
		t.Errorf(what+": open changed something", args...)
	}
}

// TestFlippedBits flips bits in every byte region of every file: what was synced comes back whole, or the journal is refused.
func TestFlippedBits(t *testing.T) {
	disk, want := filled(t)
	rng := rand.New(rand.NewPCG(1, 1))
	names := segmentNames(t, disk)
	if len(names) < 2 {
		t.Fatalf("only files %v", names)
	}
	refused, unharmed := 0, 0
	for _, name := range names {
		seg, err := Inspect(disk, name)
		must(t, err)
		last := seg.Blocks[len(seg.Blocks)-1]
		for at := int64(0); at < seg.Bytes; at++ {
			// Every byte near the start of a page, where heads are; some of the others.
			if at%pageSize > 80 && rng.IntN(200) != 0 {
				continue
			}
			damaged := disk.Clone()
			change(t, damaged, name, func(f vfs.File) error {
				var b [1]byte
				if _, err := f.ReadAt(b[:], at); err != nil && err != io.EOF {
					return err
				}
				b[0] ^= 1 << rng.IntN(8)
				_, err := f.WriteAt(b[:], at)
				return err
			})
			// The last block of the last file is a claim that nobody claims; what is behind it is old.
			if at < last.Offset || at < seg.End && name != names[len(names)-1] {
				refused++
				wantRot(t, damaged, "%s byte %d", name, at)
				continue
			}
			unharmed++
			j, got, err := open(damaged, testDir, testID, testSegment)
			must(t, err)
			must(t, same(want, got))
			must(t, j.Close())
		}
	}
	if refused < 1000 || unharmed < 100 {
		t.Errorf("%d refused, %d unharmed: the test tests too little", refused, unharmed)
	}
	t.Logf("%d flips refused, %d without effect", refused, unharmed)
}

func TestCutOffFilesAreRefused(t *testing.T) {
	disk, _ := filled(t)
	for _, name := range segmentNames(t, disk) {
		size := int64(len(readAll(t, disk, name)))
		for at := int64(0); at < size; at += pageSize / 2 {
			damaged := disk.Clone()
			change(t, damaged, name, func(f vfs.File) error { return f.Truncate(at) })
			wantRot(t, damaged, "%s cut to %d", name, at)
		}
	}
}

func TestLostPagesAreRefused(t *testing.T) {
	disk, _ := filled(t)
	names := segmentNames(t, disk)
	for i, name := range names {
		seg, err := Inspect(disk, name)
		must(t, err)
		for _, b := range seg.Blocks[:len(seg.Blocks)-1] {
			// A write that the disk reported and never did, or did elsewhere.
			damaged := disk.Clone()
			change(t, damaged, name, func(f vfs.File) error { return f.Preallocate(b.Offset, int64(b.Bytes)) })
			wantRot(t, damaged, "%s without block %d", name, b.Seq)
			damaged = disk.Clone()
			change(t, damaged, name, func(f vfs.File) error {
				other := readAll(t, disk, names[(i+1)%len(names)])
				_, err := f.WriteAt(other[pageSize:pageSize+b.Bytes], b.Offset)
				return err
			})
			if b.Seq != seg.First {
				wantRot(t, damaged, "%s with a stranger for block %d", name, b.Seq)
			}
		}
	}
}

func TestMissingMiddleFileIsRefused(t *testing.T) {
	disk, _ := filled(t)
	names := segmentNames(t, disk)
	if len(names) < 3 {
		t.Fatalf("only files %v", names)
	}
	for _, name := range names[1 : len(names)-1] {
		damaged := disk.Clone()
		must(t, damaged.Remove(name))
		wantRot(t, damaged, "without %s", name)
	}
	damaged := disk.Clone()
	must(t, damaged.Rename(names[0], strings.Replace(names[0], "journal/0", "journal/1", 1)))
	wantRot(t, damaged, "%s renamed", names[0])
}

func TestDamagedSnapshotIsRefused(t *testing.T) {
	disk, _ := filled(t)
	must(t, SaveSnapshot(disk, testDir, testID, []byte("state of the machine")))
	name := path.Join(testDir, snapshotName)
	whole := readAll(t, disk, name)
	for at := range whole {
		for bit := range 8 {
			change(t, disk, name, func(f vfs.File) error {
				_, err := f.WriteAt([]byte{whole[at] ^ 1<<bit}, int64(at))
				return err
			})
			if _, err := LoadSnapshot(disk, testDir, testID); !errors.Is(err, ErrRot) {
				t.Errorf("byte %d, bit %d flipped: %v", at, bit, err)
			}
			change(t, disk, name, func(f vfs.File) error { _, err := f.WriteAt(whole, 0); return err })
		}
	}
	for n := range whole {
		change(t, disk, name, func(f vfs.File) error { return f.Truncate(int64(n)) })
		if _, err := LoadSnapshot(disk, testDir, testID); !errors.Is(err, ErrRot) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
		change(t, disk, name, func(f vfs.File) error { _, err := f.WriteAt(whole, 0); return err })
	}
}

func TestNewerVersionIsRefusedByName(t *testing.T) {
	disk, _ := filled(t)
	for _, name := range segmentNames(t, disk)[:1] {
		b := readAll(t, disk, name)[:pageSize]
		b[15]++
		reseal(b, ID{}, 8)
		change(t, disk, name, func(f vfs.File) error { _, err := f.WriteAt(b, 0); return err })
		if _, _, err := open(disk, testDir, testID, testSegment); !errors.Is(err, ErrVersion) || errors.Is(err, ErrRot) {
			t.Errorf("open says %v", err)
		}
	}
}
