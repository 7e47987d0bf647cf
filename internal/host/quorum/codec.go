package quorum

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	pb "go.etcd.io/raft/v3/raftpb"

	"holdfast/internal/storage/journal"
)

// Types of the journal's entries. Numbers are never used again for something else; another layout is another number.
const (
	typeVoters    uint8 = 1 // count 4, raft ids 8 each: who votes at the beginning of the log
	typeHardState uint8 = 2 // term 8, vote 8, commit 8
	typeEntry     uint8 = 3 // term 8, index 8, raft's type 1, data
)

const snapshotFormat = 1

var errLayout = fmt.Errorf("its length is wrong: %w", journal.ErrRot)

func appendVoters(dst []byte, voters []uint64) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(voters)))
	for _, id := range voters {
		dst = binary.BigEndian.AppendUint64(dst, id)
	}
	return dst
}

func decodeVoters(b []byte) ([]uint64, error) {
	voters, rest, err := cutVoters(b)
	if err == nil && len(rest) > 0 {
		err = errLayout
	}
	return voters, err
}

func cutVoters(b []byte) (voters []uint64, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, errLayout
	}
	n := int64(binary.BigEndian.Uint32(b))
	b = b[4:]
	if n == 0 || n*8 > int64(len(b)) {
		return nil, nil, errLayout
	}
	for ; n > 0; n-- {
		voters, b = append(voters, binary.BigEndian.Uint64(b)), b[8:]
	}
	return voters, b, nil
}

func appendHardState(dst []byte, h *pb.HardState) []byte {
	dst = binary.BigEndian.AppendUint64(dst, h.GetTerm())
	dst = binary.BigEndian.AppendUint64(dst, h.GetVote())
	return binary.BigEndian.AppendUint64(dst, h.GetCommit())
}

func decodeHardState(b []byte) (*pb.HardState, error) {
	if len(b) != 24 {
		return nil, errLayout
	}
	return &pb.HardState{
		Term:   new(binary.BigEndian.Uint64(b)),
		Vote:   new(binary.BigEndian.Uint64(b[8:])),
		Commit: new(binary.BigEndian.Uint64(b[16:])),
	}, nil
}

func appendEntry(dst []byte, e *pb.Entry) []byte {
	if dst == nil {
		dst = make([]byte, 0, 17+len(e.Data))
	}
	dst = binary.BigEndian.AppendUint64(dst, e.GetTerm())
	dst = binary.BigEndian.AppendUint64(dst, e.GetIndex())
	dst = append(dst, byte(e.GetType()))
	return append(dst, e.Data...)
}

func decodeEntry(b []byte) (*pb.Entry, error) {
	if len(b) < 17 {
		return nil, errLayout
	}
	e := &pb.Entry{
		Term:  new(binary.BigEndian.Uint64(b)),
		Index: new(binary.BigEndian.Uint64(b[8:])),
		Type:  pb.EntryType(b[16]).Enum(),
	}
	if len(b) > 17 {
		e.Data = bytes.Clone(b[17:]) // b is a part of what was read at once, and would keep all of it
	}
	return e, nil
}

// snapshot is the content of the snapshot file: format 1, index 8, term 8, voters, image.
type snapshot struct {
	index, term uint64
	voters      []uint64
	image       []byte
}

func encodeSnapshot(s snapshot) []byte {
	b := make([]byte, 0, 64+len(s.image))
	b = append(b, snapshotFormat)
	b = binary.BigEndian.AppendUint64(b, s.index)
	b = binary.BigEndian.AppendUint64(b, s.term)
	b = appendVoters(b, s.voters)
	return append(b, s.image...)
}

func decodeSnapshot(b []byte) (s snapshot, err error) {
	if len(b) > 0 && b[0] != snapshotFormat {
		return s, fmt.Errorf("format %d: %w", b[0], journal.ErrVersion)
	}
	if len(b) < 17 {
		return s, errors.New("it is cut short")
	}
	s.index, s.term = binary.BigEndian.Uint64(b[1:]), binary.BigEndian.Uint64(b[9:])
	s.voters, s.image, err = cutVoters(b[17:])
	return s, err
}
