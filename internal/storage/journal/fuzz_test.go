package journal

import (
	"encoding/binary"
	"runtime"
	"testing"
)

// reseal makes the checksum at offset at right for all that follows it.
func reseal(b []byte, id ID, at int) {
	binary.BigEndian.PutUint32(b[at:], checksum(id, b[at+4:]))
}

// resealAll makes the checksums of a segment right as far as its lengths allow, so that the fuzzer gets past them.
func resealAll(b []byte) {
	if len(b) < pageSize {
		return
	}
	binary.BigEndian.PutUint32(b[8:], checksum(ID{}, b[12:pageSize]))
	id := ID(b[16:32])
	for at := pageSize; at+pageSize <= len(b); {
		size := pages(blockHead + int(binary.BigEndian.Uint32(b[at+20:])))
		if size > len(b)-at {
			at += pageSize
			continue
		}
		reseal(b[at:at+size], id, 0)
		at += size
	}
}

func FuzzSegment(f *testing.F) {
	disk, _ := filled(f)
	for _, name := range segmentNames(f, disk) {
		f.Add(readAll(f, disk, name)[:4*pageSize], false)
		f.Add(readAll(f, disk, name)[:2*pageSize], true)
	}
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal {
			resealAll(b)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := scanSegment(b)
		var entries []Entry
		if err == nil {
			entries = make([]Entry, 0, s.count())
			for i := range s.blocks {
				entries = s.blocks[i].appendEntries(entries)
			}
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(16*len(b)+64<<10) {
			t.Fatalf("%d bytes of input made it allocate %d", len(b), n)
		}
		if err != nil {
			return
		}
		if s.end > len(b) || len(entries) != s.count() {
			t.Fatalf("end %d of %d, %d entries of %d", s.end, len(b), len(entries), s.count())
		}
		openFuzzed(t, b, s)
	})
}

// openFuzzed opens the bytes as a journal: it is refused, or it opens a second time with the same entries.
func openFuzzed(t *testing.T, b []byte, s *scan) {
	disk := newDisk(t)
	must(t, disk.MkdirAll(testDir))
	f, err := disk.Create(segment{first: s.head.first}.name(testDir))
	must(t, err)
	_, err = f.WriteAt(b, 0)
	must(t, err)
	must(t, f.Close())
	j, entries, err := open(disk, testDir, s.head.id, testSegment)
	if err != nil {
		return
	}
	must(t, j.Close())
	j, again, err := open(disk, testDir, s.head.id, testSegment)
	must(t, err)
	must(t, same(entries, again))
	must(t, j.Close())
}

func FuzzSnapshot(f *testing.F) {
	f.Add(encodeSnapshot(testID, []byte("state")), false)
	f.Add(encodeSnapshot(testID, nil), true)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal && len(b) >= snapshotHead {
			reseal(b, ID{}, 8)
		}
		data, id, err := decodeSnapshot(b)
		if err == nil && string(encodeSnapshot(id, data)) != string(b) {
			t.Fatal("decoded bytes encode to others")
		}
	})
}
