package wire

import (
	"slices"

	"holdfast/internal/base/invariant"
)

// FetchWriter writes the answer to a Fetch request piece by piece, so that records go from the file straight into the frame:
//
//	w.Begin(dst, version, 0, wire.None, session, 1)
//	w.Topic(name, id, 1)
//	records := w.Partition(header, n) // fill in all n bytes, or Undo
//	frame := w.End(nil)
//
// The caller knows the numbers of topics and partitions beforehand and writes exactly as many: anything else is a broken invariant, since
// it would make a frame that says one thing and holds another. One value is used again and again.
type FetchWriter struct {
	w       writer
	version int16
	topics  int // still to come
	left    int // partitions of the topic that are still to come
	undo    int // where the last partition began; -1 if there is none to undo
}

// FetchPartitionHeader is the answer for one partition but for its records.
type FetchPartitionHeader struct {
	Index            int32
	Code             Code
	HighWatermark    int64     // -1 on an error
	LastStable       int64     // -1 on an error
	LogStart         int64     // from version 5; -1 on an error
	Aborted          []Aborted // nil is null: the reader sees uncommitted records anyway
	PreferredReplica int32     // from version 11; -1 for none
	Diverging        EpochEnd  // from version 12
	CurrentLeader    Leader    // from version 12
}

// Aborted is an aborted transaction among the records.
type Aborted struct {
	ProducerID  int64
	FirstOffset int64
}

// EpochEnd is the end of a leader epoch in the leader's log, told to a follower whose log has taken another way. The zero value says
// nothing.
type EpochEnd struct {
	Known  bool
	Epoch  int32
	Offset int64
}

// FetchError is the answer for a partition that cannot be read.
func FetchError(index int32, code Code) FetchPartitionHeader {
	return FetchPartitionHeader{Index: index, Code: code, HighWatermark: -1, LastStable: -1, LogStart: -1, PreferredReplica: -1}
}

// Begin starts a response in a version from 4 to 18 behind the bytes of dst. Code and session id exist from version 7.
func (f *FetchWriter) Begin(dst []byte, version int16, throttleMs int32, code Code, sessionID int32, topics int) {
	f.version = version
	f.w = writer{buf: dst, flexible: version >= 12}
	f.topics, f.left, f.undo = topics, 0, -1
	f.w.int32(throttleMs)
	if version >= 7 {
		f.w.int16(int16(code))
		f.w.int32(sessionID)
	}
	f.w.size(topics)
}

// Topic starts a topic of so many partitions: by name up to version 12, by id from version 13. It ends with the last of them.
func (f *FetchWriter) Topic(name []byte, id [16]byte, partitions int) {
	if f.topics == 0 || f.left != 0 {
		invariant.Fail("Fetch response: a topic is begun with %d topics and %d partitions to come", f.topics, f.left)
	}
	f.topics--
	f.w.topic(f.version >= 13, name, id)
	f.w.size(partitions)
	f.left, f.undo = partitions, -1
	f.endTopic()
}

// Partition writes a partition and returns the place for its records, recordBytes long and of undefined content. The caller fills all of
// it before the next call, which may move the frame, or calls Undo.
func (f *FetchWriter) Partition(h FetchPartitionHeader, recordBytes int) []byte {
	if f.left == 0 {
		invariant.Fail("Fetch response: partition %d is one more than announced", h.Index)
	}
	w := &f.w
	f.undo = len(w.buf)
	w.int32(h.Index)
	w.int16(int16(h.Code))
	w.int64(h.HighWatermark)
	w.int64(h.LastStable)
	if f.version >= 5 {
		w.int64(h.LogStart)
	}
	w.aborted(h.Aborted)
	if f.version >= 11 {
		w.int32(h.PreferredReplica)
	}
	w.size(recordBytes)
	start := len(w.buf)
	w.buf = slices.Grow(w.buf, recordBytes+endRoom)[:start+recordBytes]
	w.partitionTags(&h)
	f.left--
	f.endTopic()
	return w.buf[start : start+recordBytes : start+recordBytes]
}

// Undo takes the last Partition back, so that another answer for it can be written. It must follow that Partition directly.
func (f *FetchWriter) Undo() {
	if f.undo < 0 {
		invariant.Fail("Fetch response: there is no partition to undo")
	}
	f.w.buf = f.w.buf[:f.undo]
	f.left++
	f.undo = -1
}

// End ends the response and returns dst with the response behind it. The endpoints exist from version 16.
func (f *FetchWriter) End(endpoints []NodeEndpoint) []byte {
	if f.topics != 0 || f.left != 0 {
		invariant.Fail("Fetch response: it ends with %d topics and %d partitions to come", f.topics, f.left)
	}
	if f.version >= 16 {
		f.w.endpointsTag(endpoints)
	} else {
		f.w.noTags()
	}
	return f.w.buf
}

// Len returns how long the frame is so far, dst included.
func (f *FetchWriter) Len() int { return len(f.w.buf) }

func (f *FetchWriter) endTopic() {
	if f.left == 0 {
		f.w.noTags()
	}
}

// endRoom is what follows the records of the last partition at most, endpoints aside: room for it is made together with the records, so
// that a large frame is not moved for a few bytes.
const endRoom = 64

func (w *writer) aborted(aborted []Aborted) {
	if aborted == nil {
		w.size(-1)
		return
	}
	w.size(len(aborted))
	for _, a := range aborted {
		w.int64(a.ProducerID)
		w.int64(a.FirstOffset)
		w.noTags()
	}
}

// partitionTags writes the tagged fields of a partition: diverging epoch and current leader, if known.
func (w *writer) partitionTags(h *FetchPartitionHeader) {
	if !w.flexible {
		return
	}
	w.uvarint(one(h.Diverging.Known) + one(h.CurrentLeader.Known))
	if h.Diverging.Known {
		w.uvarint(0)
		w.uvarint(4 + 8 + 1)
		w.int32(h.Diverging.Epoch)
		w.int64(h.Diverging.Offset)
		w.noTags()
	}
	if h.CurrentLeader.Known {
		w.leaderTag(1, h.CurrentLeader)
	}
}
