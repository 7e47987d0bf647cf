package cli

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"holdfast/internal/proto/record"
	"holdfast/internal/storage/vfs"
)

// dumpedBatch is one batch of a segment.
type dumpedBatch struct {
	Kind          string `json:"kind"` // batch
	Position      int64  `json:"position"`
	Bytes         int    `json:"bytes"`
	BaseOffset    int64  `json:"baseOffset"`
	LastOffset    int64  `json:"lastOffset"`
	Count         int32  `json:"count"`
	LeaderEpoch   int32  `json:"leaderEpoch"`
	BaseTime      int64  `json:"baseTimestampMs"`
	MaxTime       int64  `json:"maxTimestampMs"`
	HorizonMs     *int64 `json:"deleteHorizonMs,omitempty"` // tombstones, or the marker, may go from then on
	AppendTime    bool   `json:"appendTime"`
	Codec         string `json:"codec"`
	ProducerID    int64  `json:"producerId"` // -1: none
	ProducerEpoch int16  `json:"producerEpoch"`
	BaseSequence  int32  `json:"baseSequence"`
	LastSequence  int32  `json:"lastSequence"`
	Transactional bool   `json:"transactional"`
	Control       bool   `json:"control"`
	CRC           uint32 `json:"crc"`
	Valid         bool   `json:"valid"` // the checksum is right
}

func (b dumpedBatch) line() string {
	var s strings.Builder
	fmt.Fprintf(&s, "@%d  offsets %d-%d  %s  %d bytes  epoch %d  %s", b.Position, b.BaseOffset, b.LastOffset,
		plural(int64(b.Count), "record"), b.Bytes, b.LeaderEpoch, shownMs(b.MaxTime))
	if b.Codec != "none" {
		s.WriteString("  " + b.Codec)
	}
	if b.ProducerID >= 0 {
		fmt.Fprintf(&s, "  producer %d/%d", b.ProducerID, b.ProducerEpoch)
		if b.BaseSequence >= 0 {
			fmt.Fprintf(&s, " seq %d-%d", b.BaseSequence, b.LastSequence)
		}
	}
	for _, flag := range []struct {
		on   bool
		name string
	}{{b.Transactional, "transactional"}, {b.Control, "control"}, {b.AppendTime, "append-time"}, {!b.Valid, "CHECKSUM WRONG"}} {
		if flag.on {
			s.WriteString("  " + flag.name)
		}
	}
	if b.HorizonMs != nil {
		s.WriteString("  deletable from " + shownMs(*b.HorizonMs))
	}
	return s.String()
}

// dumpedRecord is one record of a batch.
type dumpedRecord struct {
	Kind   string `json:"kind"` // record, or marker for the end of a transaction
	Marker string `json:"marker,omitempty"`
	recordJSON
}

func (r dumpedRecord) line() string {
	s := fmt.Sprintf("    %d  %s", *r.Offset, shownMs(*r.TimestampMs))
	if r.Marker != "" {
		return s + "  " + r.Marker
	}
	s += fmt.Sprintf("  %s = %s", shownBytes(r.Key, r.KeyBase64), shownBytes(r.Value, r.ValueBase64))
	for _, h := range r.Headers {
		s += fmt.Sprintf("  [%s: %s]", h.Key, shownBytes(h.Value, h.ValueBase64))
	}
	return s
}

func shownBytes(text *string, raw []byte) string {
	switch {
	case text != nil:
		return fmt.Sprintf("%q", *text)
	case raw != nil:
		return fmt.Sprintf("0x%x", raw)
	}
	return "null"
}

func shownMs(ms int64) string {
	if ms < 0 {
		return "no time"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

// segment walks the batches of a log file. It holds one batch in memory at a time.
func (d *dump) segment(path string) error {
	f, err := d.fs.OpenRead(path)
	if err != nil {
		return failed(err, "", "cannot read %s: %v", path, err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return failed(err, "", "cannot read %s: %v", path, err)
	}
	w := segmentWalk{dump: d, path: path, file: f, size: size, next: -1}
	for w.at < size {
		more, err := w.batch()
		if err != nil || !more {
			return err
		}
	}
	return nil
}

type segmentWalk struct {
	dump  *dump
	path  string
	file  vfs.File
	size  int64
	at    int64
	next  int64 // the offset that must not be undercut; -1 at the begin
	shown int
	buf   []byte
	d     record.Decompressor
}

// batch shows the batch at w.at and moves behind it; more is false at the end, wherever that is.
func (w *segmentWalk) batch() (more bool, err error) {
	head := make([]byte, min(record.HeaderSize, w.size-w.at))
	if _, err := w.file.ReadAt(head, w.at); err != nil && !errors.Is(err, io.EOF) {
		return false, failed(err, "", "cannot read %s at %d: %v", w.path, w.at, err)
	}
	size := int64(-1)
	if len(head) >= 12 {
		size = 12 + int64(int32(binary.BigEndian.Uint32(head[8:])))
	}
	if size < int64(len(head)) || size > w.size-w.at {
		return false, w.end(head, size)
	}
	if int64(cap(w.buf)) < size {
		w.buf = make([]byte, size)
	}
	b := w.buf[:size]
	if _, err := w.file.ReadAt(b, w.at); err != nil && !errors.Is(err, io.EOF) {
		return false, failed(err, "", "cannot read %s at %d: %v", w.path, w.at, err)
	}
	batch, _, err := record.Next(b)
	if err != nil {
		return false, w.dump.fault(w.path, w.at, "%v", err)
	}
	if batch.LastOffset() >= w.dump.from {
		if err := w.show(batch); err != nil {
			return false, err
		}
		if w.shown++; w.dump.count > 0 && w.shown >= w.dump.count {
			return false, nil
		}
	}
	w.next, w.at = batch.NextOffset(), w.at+size
	return true, nil
}

// end tells apart the ways in which a log can end: prepared space, a batch cut short, damage.
func (w *segmentWalk) end(head []byte, size int64) error {
	rest := w.size - w.at
	zeros, err := w.allZeros()
	switch {
	case err != nil:
		return err
	case zeros:
		return w.dump.remark(w.path, "%d bytes of zeros at %d: space prepared ahead, or a torn end", rest, w.at)
	case int64(len(head)) < record.HeaderSize:
		return w.dump.remark(w.path, "torn end at %d: %d bytes are less than the header of a batch", w.at, rest)
	case size > rest:
		return w.dump.remark(w.path, "torn end at %d: the batch says %d bytes, there are %d", w.at, size, rest)
	}
	return w.dump.fault(w.path, w.at, "a batch cannot have %d bytes", size)
}

func (w *segmentWalk) allZeros() (bool, error) {
	chunk := make([]byte, 64<<10)
	for at := w.at; at < w.size; {
		n, err := w.file.ReadAt(chunk[:min(int64(len(chunk)), w.size-at)], at)
		if err != nil && !errors.Is(err, io.EOF) || n == 0 {
			return false, failed(err, "", "cannot read %s at %d: %v", w.path, at, err)
		}
		for _, c := range chunk[:n] {
			if c != 0 {
				return false, nil
			}
		}
		at += int64(n)
	}
	return true, nil
}

func (w *segmentWalk) show(b record.Batch) error {
	shown := dumpedBatch{
		Kind: "batch", Position: w.at, Bytes: len(b), BaseOffset: b.BaseOffset(), LastOffset: b.LastOffset(), Count: b.Count(),
		LeaderEpoch: b.LeaderEpoch(), BaseTime: b.BaseTimestamp(), MaxTime: b.MaxTimestamp(), AppendTime: b.LogAppendTime(),
		Codec: b.Codec().String(), ProducerID: b.ProducerID(), ProducerEpoch: b.ProducerEpoch(),
		BaseSequence: b.BaseSequence(), LastSequence: b.LastSequence(), Transactional: b.Transactional(), Control: b.Control(),
		CRC: b.CRC(), Valid: b.CheckCRC(),
	}
	if ms, ok := b.HorizonMs(); ok {
		shown.HorizonMs = &ms
	}
	if b.BaseSequence() < 0 {
		shown.LastSequence = -1
	}
	if err := w.dump.emit(shown); err != nil {
		return err
	}
	switch {
	case !shown.Valid:
		return w.dump.fault(w.path, w.at, "the batch of offsets %d to %d does not match its checksum", shown.BaseOffset, shown.LastOffset)
	case b.BaseOffset() < w.next:
		return w.dump.fault(w.path, w.at, "offset %d follows offset %d", b.BaseOffset(), w.next-1)
	case w.dump.records:
		return w.records(b)
	}
	return nil
}

func (w *segmentWalk) records(b record.Batch) error {
	if m, ok := b.Marker(); ok {
		kind := map[bool]string{true: "COMMIT", false: "ABORT"}[m.Commit]
		offset, ms := b.BaseOffset(), b.MaxTimestamp()
		return w.dump.emit(dumpedRecord{"marker", kind, recordJSON{Offset: &offset, TimestampMs: &ms}})
	}
	for r, err := range b.Records(&w.d) {
		if err != nil {
			return w.dump.fault(w.path, w.at, "%v", err)
		}
		offset, ms := b.BaseOffset()+int64(r.OffsetDelta), b.Timestamp(r)
		j := recordJSON{Offset: &offset, TimestampMs: &ms}
		j.Key, j.KeyBase64 = textOrBytes(r.Key)
		j.Value, j.ValueBase64 = textOrBytes(r.Value)
		for _, h := range r.Headers {
			hj := headerJSON{Key: string(h.Key)}
			hj.Value, hj.ValueBase64 = textOrBytes(h.Value)
			j.Headers = append(j.Headers, hj)
		}
		if err := w.dump.emit(dumpedRecord{Kind: "record", recordJSON: j}); err != nil {
			return err
		}
	}
	return nil
}
