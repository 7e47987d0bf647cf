package quorum

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"holdfast/internal/core/image"
	"holdfast/internal/storage/journal"
	"holdfast/internal/storage/vfs"
)

func TestCodecRoundTrip(t *testing.T) {
	entry := &pb.Entry{Term: new(uint64(3)), Index: new(uint64(9)), Type: pb.EntryNormal.Enum(), Data: []byte("data")}
	e, err := decodeEntry(appendEntry(nil, entry))
	if err != nil || e.GetTerm() != 3 || e.GetIndex() != 9 || e.GetType() != pb.EntryNormal || string(e.Data) != "data" {
		t.Errorf("entry: %v %v", e, err)
	}
	h, err := decodeHardState(appendHardState(nil, &pb.HardState{Term: new(uint64(1)), Vote: new(uint64(2)), Commit: new(uint64(3))}))
	if err != nil || h.GetTerm() != 1 || h.GetVote() != 2 || h.GetCommit() != 3 {
		t.Errorf("hard state: %v %v", h, err)
	}
	s, err := decodeSnapshot(encodeSnapshot(snapshot{index: 7, term: 2, voters: []uint64{1, 5}, image: []byte("img")}))
	if err != nil || s.index != 7 || s.term != 2 || len(s.voters) != 2 || s.voters[1] != 5 || string(s.image) != "img" {
		t.Errorf("snapshot: %+v %v", s, err)
	}
}

// FuzzJournalEntries: whatever the journal returns, reading it neither panics nor allocates out of proportion.
func FuzzJournalEntries(f *testing.F) {
	f.Add(typeVoters, appendVoters(nil, []uint64{1, 2, 3}))
	f.Add(typeVoters, []byte{0xff, 0xff, 0xff, 0xff})
	f.Add(typeHardState, appendHardState(nil, &pb.HardState{}))
	f.Add(typeEntry, appendEntry(nil, &pb.Entry{Index: new(uint64(1)), Data: []byte("x")}))
	f.Add(uint8(0), encodeSnapshot(snapshot{index: 1, term: 1, voters: []uint64{1}}))
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		switch kind {
		case typeVoters:
			if v, err := decodeVoters(b); err == nil && !bytes.Equal(appendVoters(nil, v), b) {
				t.Fatal("voters change when written again")
			}
		case typeHardState:
			if h, err := decodeHardState(b); err == nil && !bytes.Equal(appendHardState(nil, h), b) {
				t.Fatal("a hard state changes when written again")
			}
		case typeEntry:
			if e, err := decodeEntry(b); err == nil && !bytes.Equal(appendEntry(nil, e), b) {
				t.Fatal("an entry changes when written again")
			}
		default:
			if s, err := decodeSnapshot(b); err == nil && !bytes.Equal(encodeSnapshot(s), b) {
				t.Fatal("a snapshot changes when written again")
			}
		}
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 64<<10+20*uint64(len(b)) {
			t.Fatalf("%d bytes made %d bytes of allocations", len(b), spent)
		}
	})
}

// TestBadJournals: what a journal must not hold is a sentence, not a panic inside raft.
func TestBadJournals(t *testing.T) {
	entry := func(term, index uint64, data []byte) journal.Entry {
		return journal.Entry{Type: typeEntry, Data: appendEntry(nil, &pb.Entry{Term: &term, Index: &index, Data: data})}
	}
	hard := func(commit uint64) journal.Entry {
		return journal.Entry{Type: typeHardState, Data: appendHardState(nil, &pb.HardState{Term: new(uint64(1)), Vote: new(uint64(2)), Commit: &commit})}
	}
	voters := journal.Entry{Type: typeVoters, Data: appendVoters(nil, []uint64{2})}
	newer := image.AppendBatch(nil, []image.Record{&image.FeatureRecord{Name: image.FeatureMetadata, Level: image.MetadataVersion + 1}})
	for name, tc := range map[string]struct { // order-free
		entries []journal.Entry
		want    string
		is      error
	}{
		"gap":           {[]journal.Entry{voters, entry(1, 1, nil), entry(1, 3, nil), hard(1)}, "entry 3 follows entry 1", journal.ErrRot},
		"too committed": {[]journal.Entry{voters, entry(1, 1, nil), hard(5)}, "5 entries are committed, but has entries 1 to 1", journal.ErrRot},
		"newer type":    {[]journal.Entry{voters, {Type: 200}}, "an entry of type 200", journal.ErrVersion},
		"short entry":   {[]journal.Entry{voters, {Type: typeEntry, Data: []byte{1}}}, "its length is wrong", journal.ErrRot},
		"bad batch":     {[]journal.Entry{voters, entry(1, 1, []byte{1, 0, 1, 9}), hard(1)}, "entry 1: metadata batch of 4 bytes", nil},
		"newer batch":   {[]journal.Entry{voters, entry(1, 1, []byte{7}), hard(1)}, "written by a newer holdfast", nil},
		"newer level":   {[]journal.Entry{voters, entry(1, 1, newer), hard(1)}, "with metadata level 2 (this one has 1)", nil},
		"other voter":   {[]journal.Entry{{Type: typeVoters, Data: appendVoters(nil, []uint64{4})}, hard(0)}, "it belongs to node 3, and this is node 1", nil},
	} {
		fs := vfs.NewMem()
		j, _, err := journal.Open(fs, "meta", [16]byte{1})
		if err == nil {
			_, err = j.Append(tc.entries...)
		}
		if err == nil {
			err = j.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		d, err := Open(options(fs))
		if err == nil {
			err = d.Start()
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) || (tc.is != nil && !errors.Is(err, tc.is)) {
			t.Errorf("%s: %v", name, err)
		}
		if n := fs.OpenFiles(); n != 0 {
			t.Errorf("%s: %d files left open", name, n)
		}
	}
}
