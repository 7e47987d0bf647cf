package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/storage/vfs"
)

const (
	testDir     = "data/journal"
	testSegment = 8 * pageSize
)

var testID = ID{1, 2, 3, 15: 16}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newDisk(t testing.TB) *vfs.Mem {
	m := vfs.NewMem()
	must(t, m.MkdirAll("data"))
	must(t, m.SyncDir("/"))
	return m
}

func openTest(t testing.TB, fsys vfs.FS) (*Journal, []Entry) {
	t.Helper()
	j, entries, err := open(fsys, testDir, testID, testSegment)
	must(t, err)
	return j, entries
}

// entry makes a recognizable entry of n bytes.
func entry(i, n int) Entry {
	data := bytes.Repeat([]byte(fmt.Sprintf("%d.", i)), n)[:n]
	return Entry{Type: uint8(i), Data: data}
}

func appendAll(t testing.TB, j *Journal, entries ...Entry) []Entry {
	t.Helper()
	seq, err := j.Append(entries...)
	must(t, err)
	var out []Entry
	for _, e := range entries {
		e.Seq = seq
		out = append(out, e)
	}
	return out
}

func TestWhatWasAppendedComesBackInOrder(t *testing.T) {
	disk := newDisk(t)
	j, got := openTest(t, disk)
	if len(got) != 0 {
		t.Fatalf("a new journal has entries: %v", got)
	}
	var want []Entry
	for i := range 40 { // over several segments, of all sizes, one larger than a segment
		size := []int{0, 1, 4000, pageSize - blockHead - entryHead, 4096, 9000, 3 * testSegment}[i%7]
		want = append(want, appendAll(t, j, entry(i, size), entry(i+100, i))...)
		if i%3 == 0 {
			must(t, j.Sync())
		}
		if i%10 == 0 {
			must(t, j.Close())
			j, got = openTest(t, disk)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("after %d: %s", i, diff)
			}
		}
	}
	must(t, j.Close())
	if n := disk.OpenFiles(); n != 0 {
		t.Errorf("%d files left open", n)
	}
}

func TestCutKeepsTheRestAndReusesFiles(t *testing.T) {
	disk := newDisk(t)
	j, _ := openTest(t, disk)
	var want []Entry
	var size int64
	for i := range 200 {
		want = append(want, appendAll(t, j, entry(i, 3000))...)
		must(t, j.Sync())
		if i%10 == 9 {
			must(t, j.Cut(want[len(want)-5].Seq))
		}
		size = max(size, j.Size())
	}
	must(t, j.Close())
	if limit := int64(6 * testSegment); size > limit {
		t.Errorf("grew to %d bytes, want at most %d", size, limit)
	}
	_, got := openTest(t, disk)
	if len(got) < 5 || len(got) > 20 {
		t.Fatalf("%d entries left, want those of a few files", len(got))
	}
	if diff := cmp.Diff(want[len(want)-len(got):], got); diff != "" {
		t.Error(diff)
	}
}

func TestPreparedFileIsUsed(t *testing.T) {
	disk := newDisk(t)
	j, _ := openTest(t, disk)
	must(t, j.Prepare())
	must(t, j.Prepare())
	before := j.Size()
	appendAll(t, j, entry(1, 5*pageSize))
	appendAll(t, j, entry(2, 5*pageSize))
	if j.Size() != before || before != 2*testSegment {
		t.Errorf("size went from %d to %d, want two segments", before, j.Size())
	}
	must(t, j.Close())
}

func TestAppendRefusesTooMuch(t *testing.T) {
	j, _ := openTest(t, newDisk(t))
	if _, err := j.Append(make([]Entry, MaxEntries+1)...); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too many entries: %v", err)
	}
	big := Entry{Data: make([]byte, MaxAppend/2)}
	if _, err := j.Append(big, big); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too many bytes: %v", err)
	}
	appendAll(t, j, entry(1, 1))
	must(t, j.Close())
}

func TestForeignJournalIsRefusedAndKept(t *testing.T) {
	disk := newDisk(t)
	j, _ := openTest(t, disk)
	want := appendAll(t, j, entry(1, 10))
	must(t, SaveSnapshot(disk, testDir, testID, []byte("x")))
	must(t, j.Close())

	other := testID
	other[0]++
	if _, _, err := Open(disk, testDir, other); !errors.Is(err, ErrForeign) {
		t.Errorf("open with another id: %v", err)
	}
	if _, err := LoadSnapshot(disk, testDir, other); !errors.Is(err, ErrForeign) {
		t.Errorf("load with another id: %v", err)
	}
	_, got := openTest(t, disk)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSnapshot(t *testing.T) {
	disk := newDisk(t)
	must(t, disk.MkdirAll(testDir))
	if _, err := LoadSnapshot(disk, testDir, testID); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no snapshot: %v", err)
	}
	for _, want := range []string{"one", "", "three"} {
		must(t, SaveSnapshot(disk, testDir, testID, []byte(want)))
		got, err := LoadSnapshot(disk, testDir, testID)
		must(t, err)
		if string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if _, _, err := Open(disk, testDir, testID); !errors.Is(err, ErrRot) {
		t.Errorf("a snapshot without journal files: %v", err)
	}
}
