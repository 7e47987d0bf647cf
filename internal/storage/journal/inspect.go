package journal

import (
	"fmt"

	"holdfast/internal/storage/vfs"
)

// Segment is what one journal file says, for people who look at it.
type Segment struct {
	ID     ID
	First  uint64 // sequence of the first block
	Bytes  int64  // of the file, by its header
	Blocks []Block
	End    int64   // offset behind the last block
	Stray  []Block // blocks behind the end that check and are not older than it: given up by the next Open, or proof of rot
}

// Block is one block of a Segment.
type Block struct {
	Offset  int64
	Seq     uint64
	Synced  uint64 // the highest sequence that was durable when the block was written
	Bytes   int    // on disk
	Entries []Entry
}

// Inspect reads one journal file and changes nothing. It takes any id.
func Inspect(fsys vfs.FS, name string) (*Segment, error) {
	b, err := readFile(fsys, name, maxSegment)
	if err != nil {
		return nil, err
	}
	s, err := scanSegment(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	out := &Segment{ID: s.head.id, First: s.head.first, Bytes: s.head.size, End: int64(s.end)}
	at := pageSize
	for i := range s.blocks {
		out.Blocks = append(out.Blocks, s.blocks[i].inspect(at))
		at += s.blocks[i].size
	}
	for i := range s.stray {
		out.Stray = append(out.Stray, s.stray[i].inspect(s.stray[i].at))
	}
	return out, nil
}

func (b *block) inspect(at int) Block {
	return Block{Offset: int64(at), Seq: b.seq, Synced: b.synced, Bytes: b.size, Entries: b.appendEntries(nil)}
}
