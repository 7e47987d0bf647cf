package quorum

import (
	"errors"
	"fmt"
	"io/fs"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"holdfast/internal/core/image"
	"holdfast/internal/storage/journal"
	"holdfast/internal/storage/vfs"
)

// store is what raft has on disk, with a copy of it in memory: entries and hard state in the journal, a snapshot beside
// it. Entries are few, as snapshots cut them off, so raft reads from memory only.
type store struct {
	fs      vfs.FS
	dir     string
	id      journal.ID
	journal *journal.Journal
	mem     *raft.MemoryStorage

	voters        []uint64 // raft ids; nil before a cluster is formed
	hard          *pb.HardState
	snapshotIndex uint64
	bytes         int64 // of entries since the snapshot
	written       int64 // to the journal since its next file was made ready

	staged     []journal.Entry // to be written by the next flush, in one append
	stagedHard bool            // hard, too
}

// openStore reads snapshot and journal. The image is that of the snapshot, or empty.
func openStore(fsys vfs.FS, dir string, id [16]byte, fileBytes int64) (*store, *image.Image, error) {
	s := &store{fs: fsys, dir: dir, id: id, mem: raft.NewMemoryStorage(), hard: &pb.HardState{}}
	j, entries, err := journal.OpenSized(fsys, dir, id, fileBytes)
	if err != nil {
		return nil, nil, err
	}
	s.journal = j
	img, err := s.load(entries)
	if err != nil {
		return nil, nil, errors.Join(err, j.Close())
	}
	return s, img, nil
}

func (s *store) load(entries []journal.Entry) (*image.Image, error) {
	img, err := s.loadSnapshot()
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := s.replay(e); err != nil {
			return nil, fmt.Errorf("journal block %d: %w", e.Seq, err)
		}
	}
	if s.hard.GetCommit() < s.snapshotIndex || s.hard.GetCommit() > s.last() {
		return nil, fmt.Errorf("the journal says that %d entries are committed, but has entries %d to %d: %w",
			s.hard.GetCommit(), s.snapshotIndex+1, s.last(), journal.ErrRot)
	}
	return img, s.mem.SetHardState(s.hard)
}

func (s *store) loadSnapshot() (*image.Image, error) {
	b, err := journal.LoadSnapshot(s.fs, s.dir, s.id)
	if errors.Is(err, fs.ErrNotExist) {
		return image.Empty(), nil
	}
	if err != nil {
		return nil, err
	}
	snap, err := decodeSnapshot(b)
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	img, err := image.Load(snap.image)
	if err != nil {
		return nil, err
	}
	s.voters, s.snapshotIndex = snap.voters, snap.index
	s.hard = &pb.HardState{Term: &snap.term, Vote: new(uint64), Commit: &snap.index}
	return img, s.base(snap.index, snap.term)
}

// base makes raft's log in memory begin after the given entry, with the store's voters.
func (s *store) base(index, term uint64) error {
	return s.mem.ApplySnapshot(&pb.Snapshot{Metadata: &pb.SnapshotMetadata{
		Index: &index, Term: &term, ConfState: &pb.ConfState{Voters: s.voters},
	}})
}

// replay takes one entry of the journal into memory. What a snapshot covers is passed over; an entry whose index was
// there before replaces it and all after it, as in raft.
func (s *store) replay(e journal.Entry) error {
	switch e.Type {
	case typeVoters:
		voters, err := decodeVoters(e.Data)
		if err != nil || s.snapshotIndex > 0 {
			return err
		}
		s.voters = voters
		return s.base(0, 0)
	case typeHardState:
		hard, err := decodeHardState(e.Data)
		if err != nil {
			return err
		}
		s.hard = hard
		return nil
	case typeEntry:
		entry, err := decodeEntry(e.Data)
		if err != nil {
			return err
		}
		switch index := entry.GetIndex(); {
		case index <= s.snapshotIndex:
			return nil
		case index > s.last()+1:
			return fmt.Errorf("entry %d follows entry %d: %w", index, s.last(), journal.ErrRot)
		}
		s.bytes += int64(len(e.Data))
		return s.mem.Append([]*pb.Entry{entry})
	}
	return fmt.Errorf("it holds an entry of type %d: %w", e.Type, journal.ErrVersion)
}

// form begins a new log with these voters. It is written with the first flush.
func (s *store) form(voters []uint64) error {
	s.voters = voters
	s.staged = append(s.staged, journal.Entry{Type: typeVoters, Data: appendVoters(nil, voters)})
	return s.base(0, 0)
}

func (s *store) last() uint64 {
	n, _ := s.mem.LastIndex() // never an error
	return n
}

func (s *store) term() uint64 { return s.hard.GetTerm() }

// stage takes what raft wants stored into memory, and remembers it for the next flush.
func (s *store) stage(entries []*pb.Entry, hard *pb.HardState) error {
	for _, e := range entries {
		data := appendEntry(nil, e)
		s.staged = append(s.staged, journal.Entry{Type: typeEntry, Data: data})
		s.bytes += int64(len(data))
	}
	if err := s.mem.Append(entries); err != nil {
		return err
	}
	if raft.IsEmptyHardState(hard) {
		return nil
	}
	s.hard, s.stagedHard = hard, true
	return s.mem.SetHardState(hard)
}

// prepare makes the journal's next file ready, once in a while and long before it is needed, so that no command has to wait
// until it is zeroed. A full disk matters only when the file is needed.
func (s *store) prepare() error {
	if s.written < prepareEvery {
		return nil
	}
	s.written = 0
	if err := s.journal.Prepare(); err != nil && s.journal.Failed() != nil {
		return err
	}
	return nil
}

// flush makes durable what was staged, with one append and one sync. After an error from a full disk it may be called
// again; see journal.Append.
func (s *store) flush() error {
	staged := s.staged
	if s.stagedHard {
		staged = append(staged, journal.Entry{Type: typeHardState, Data: appendHardState(nil, s.hard)})
	}
	if len(staged) == 0 {
		return nil
	}
	if _, err := s.journal.Append(staged...); err != nil {
		return err
	}
	if err := s.journal.Sync(); err != nil {
		return err
	}
	for _, e := range staged {
		s.written += int64(len(e.Data))
	}
	s.written += blockCost
	clear(s.staged)
	s.staged, s.stagedHard = s.staged[:0], false
	return nil
}

// snapshotIfDue saves the image, which is that after entry index, and cuts off the entries it covers.
func (s *store) snapshotIfDue(index uint64, img *image.Image, every int) error {
	if index-s.snapshotIndex < uint64(every) && s.bytes < snapshotBytes {
		return nil
	}
	if index == s.snapshotIndex {
		return nil
	}
	term, err := s.mem.Term(index)
	if err != nil {
		return err
	}
	b := encodeSnapshot(snapshot{index: index, term: term, voters: s.voters, image: img.Snapshot(nil)})
	if err := journal.SaveSnapshot(s.fs, s.dir, s.id, b); err != nil {
		if vfs.IsFull(err) || vfs.IsHandles(err) {
			return nil // the old snapshot and all entries are still there; the next turn tries again
		}
		return err
	}
	if _, err := s.mem.CreateSnapshot(index, &pb.ConfState{Voters: s.voters}, nil); err != nil {
		return err
	}
	if err := s.mem.Compact(index); err != nil {
		return err
	}
	s.snapshotIndex, s.bytes = index, 0
	return s.cut()
}

// cut writes once more what must outlive the entries before the snapshot, and gives those up.
func (s *store) cut() error {
	keep := []journal.Entry{{Type: typeHardState, Data: appendHardState(nil, s.hard)}}
	if last := s.last(); last > s.snapshotIndex {
		rest, err := s.mem.Entries(s.snapshotIndex+1, last+1, 1<<62)
		if err != nil {
			return err
		}
		for _, e := range rest {
			data := appendEntry(nil, e)
			s.bytes += int64(len(data))
			keep = append(keep, journal.Entry{Type: typeEntry, Data: data})
		}
	}
	seq, err := s.journal.Append(keep...)
	if err != nil {
		if s.journal.Failed() == nil && (vfs.IsFull(err) || vfs.IsHandles(err)) {
			return nil // the next snapshot cuts
		}
		return err
	}
	if err := s.journal.Sync(); err != nil {
		return err
	}
	return s.journal.Cut(seq - 1)
}

func (s *store) close() error { return s.journal.Close() }
