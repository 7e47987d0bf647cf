package cli

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"strings"

	"holdfast/internal/core/image"
	"holdfast/internal/storage/journal"
)

// dumpedBlock is one block of the journal.
type dumpedBlock struct {
	Kind    string        `json:"kind"` // block
	Offset  int64         `json:"position"`
	Seq     uint64        `json:"seq"`
	Synced  uint64        `json:"synced"` // the highest seq that was durable when it was written
	Bytes   int           `json:"bytes"`
	Stray   bool          `json:"stray,omitempty"` // behind the end
	Entries []dumpedEntry `json:"entries"`
}

// dumpedEntry is one entry of a block.
type dumpedEntry struct {
	Type    string           `json:"type"` // voters, hardState, entry, or the number of a type that is not known
	Term    uint64           `json:"term,omitempty"`
	Index   uint64           `json:"index,omitempty"`
	Vote    uint64           `json:"vote,omitempty"`
	Commit  uint64           `json:"commit,omitempty"`
	Voters  []uint64         `json:"voters,omitempty"`
	Records []dumpedMetadata `json:"records,omitempty"`
	Bytes   int              `json:"bytes"`
	Fault   string           `json:"fault,omitempty"`
}

// dumpedMetadata is one metadata record with its own fields.
type dumpedMetadata struct {
	Type   string         `json:"type"`
	Fields map[string]any `json:"fields"`
}

func (b dumpedBlock) line() string {
	var s strings.Builder
	fmt.Fprintf(&s, "@%d  block %d  synced %d  %d bytes", b.Offset, b.Seq, b.Synced, b.Bytes)
	if b.Stray {
		s.WriteString("  behind the end")
	}
	for _, e := range b.Entries {
		s.WriteString("\n    " + e.line())
	}
	return s.String()
}

func (e dumpedEntry) line() string {
	switch {
	case e.Fault != "":
		return fmt.Sprintf("%s of %d bytes: %s", e.Type, e.Bytes, e.Fault)
	case e.Type == "voters":
		return fmt.Sprintf("voters %v", e.Voters)
	case e.Type == "hardState":
		return fmt.Sprintf("term %d  vote %d  commit %d", e.Term, e.Vote, e.Commit)
	case e.Type != "entry":
		return fmt.Sprintf("entry of type %s, %d bytes", e.Type, e.Bytes)
	}
	s := fmt.Sprintf("entry %d  term %d", e.Index, e.Term)
	for _, r := range e.Records {
		s += "\n      " + r.line()
	}
	return s
}

func (m dumpedMetadata) line() string {
	fields, err := json.Marshal(m.Fields)
	if err != nil {
		return m.Type + ": " + err.Error()
	}
	return m.Type + " " + string(fields)
}

func (d *dump) journal(path string) error {
	seg, err := journal.Inspect(d.fs, path)
	if err != nil {
		if strings.HasSuffix(path, ".spare") {
			return d.remark(path, "a file to be used later: %v", err)
		}
		return d.fault(path, -1, "%v", err)
	}
	if err := d.remark(path, "journal %x, blocks from %d, end at %d of %d bytes", seg.ID, seg.First, seg.End, seg.Bytes); err != nil {
		return err
	}
	for i, b := range append(seg.Blocks, seg.Stray...) {
		if d.count > 0 && i == d.count {
			return nil
		}
		shown := dumpedBlock{"block", b.Offset, b.Seq, b.Synced, b.Bytes, i >= len(seg.Blocks), []dumpedEntry{}}
		for _, e := range b.Entries {
			entry := describeEntry(e.Type, e.Data)
			d.damaged = d.damaged || entry.Fault != ""
			shown.Entries = append(shown.Entries, entry)
		}
		if err := d.emit(shown); err != nil {
			return err
		}
	}
	return nil
}

// describeEntry reads what host/quorum puts into the journal: raft's voters, hard state and entries (docs/format/journal.md).
func describeEntry(kind uint8, b []byte) dumpedEntry {
	e, be := dumpedEntry{Bytes: len(b)}, binary.BigEndian
	switch {
	case kind == 1:
		e.Type = "voters"
		if len(b) < 4 || int64(len(b)) != 4+8*int64(be.Uint32(b)) {
			e.Fault = "its length is wrong"
			return e
		}
		for b = b[4:]; len(b) > 0; b = b[8:] {
			e.Voters = append(e.Voters, be.Uint64(b))
		}
	case kind == 2 && len(b) == 24:
		e.Type, e.Term, e.Vote, e.Commit = "hardState", be.Uint64(b), be.Uint64(b[8:]), be.Uint64(b[16:])
	case kind == 3 && len(b) >= 17:
		e.Type, e.Term, e.Index = "entry", be.Uint64(b), be.Uint64(b[8:])
		if raftType := b[16]; raftType != 0 || len(b) == 17 {
			return e // a change of voters, or the empty entry that a new leader begins with
		}
		records, err := image.DecodeBatch(b[17:])
		if err != nil {
			e.Fault = err.Error()
		}
		for _, r := range records {
			e.Records = append(e.Records, describeMetadata(r))
		}
	case kind == 2 || kind == 3:
		e.Type, e.Fault = map[uint8]string{2: "hardState", 3: "entry"}[kind], "its length is wrong"
	default:
		e.Type = fmt.Sprint(kind)
	}
	return e
}

func describeMetadata(r image.Record) dumpedMetadata {
	v := reflect.Indirect(reflect.ValueOf(r))
	return dumpedMetadata{lowerFirst(strings.TrimSuffix(v.Type().Name(), "Record")), fieldsOf(v)}
}

// fieldsOf turns a struct into what JSON should show: names as everywhere in JSON here, ids in Kafka's base64.
func fieldsOf(v reflect.Value) map[string]any {
	fields := map[string]any{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch {
		case !f.IsExported():
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			maps.Copy(fields, fieldsOf(v.Field(i)))
		default:
			fields[lowerFirst(f.Name)] = shownField(v.Field(i))
		}
	}
	return fields
}

func shownField(v reflect.Value) any {
	switch {
	case v.Kind() == reflect.Array && v.Len() == 16:
		id := make([]byte, 16)
		reflect.Copy(reflect.ValueOf(id), v)
		return base64.RawURLEncoding.EncodeToString(id)
	case v.Kind() == reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = shownField(v.Index(i))
		}
		return list
	case v.Kind() == reflect.Struct:
		return fieldsOf(v)
	}
	return v.Interface()
}

// lowerFirst is the JSON name of a Go name: its capitals at the begin become small, so that ID is id and ISR is isr.
func lowerFirst(name string) string {
	n := 0
	for n < len(name) && name[n] >= 'A' && name[n] <= 'Z' {
		n++
	}
	if n > 1 && n < len(name) {
		n-- // the last capital begins the next word
	}
	return strings.ToLower(name[:n]) + name[n:]
}

// dumpedImage is a summary of a metadata snapshot; topics follow one by one.
type dumpedImage struct {
	Kind           string   `json:"kind"` // image
	Index          uint64   `json:"index"`
	Term           uint64   `json:"term"`
	Voters         []uint64 `json:"voters"`
	Offset         int64    `json:"offset"`
	ClusterID      string   `json:"clusterId"`
	Brokers        int      `json:"brokers"`
	Topics         int      `json:"topics"`
	Partitions     int      `json:"partitions"`
	NextProducerID int64    `json:"nextProducerId"`
}

func (i dumpedImage) line() string {
	return fmt.Sprintf("entry %d of term %d, voters %v: cluster %s, %s, %s, %s, next producer id %d", i.Index, i.Term, i.Voters, i.ClusterID,
		plural(int64(i.Brokers), "broker"), plural(int64(i.Topics), "topic"), plural(int64(i.Partitions), "partition"), i.NextProducerID)
}

type dumpedTopic struct {
	Kind       string            `json:"kind"` // topic
	Topic      string            `json:"topic"`
	ID         string            `json:"id"`
	Configs    map[string]string `json:"configs,omitempty"`
	Partitions []map[string]any  `json:"partitions"`
	states     []*image.Partition
}

func (t dumpedTopic) line() string {
	s := fmt.Sprintf("topic %s  %s", t.Topic, t.ID)
	for _, key := range sortedKeys(t.Configs) {
		s += "  " + key + "=" + t.Configs[key]
	}
	for n, p := range t.states {
		s += fmt.Sprintf("\n    partition %d  leader %d epoch %d  replicas %s  in sync %s", n, p.Leader, p.LeaderEpoch, joinIDs(p.Replicas), joinIDs(p.ISR))
	}
	return s
}

// metadataSnapshot shows the snapshot beside the journal: format 1, index 8, term 8, voters, image (docs/format/journal.md).
func (d *dump) metadataSnapshot(path string) error {
	raw, err := d.whole(path)
	if err != nil {
		return err
	}
	if len(raw) < 32 {
		return d.fault(path, -1, "%d bytes are less than the head of a snapshot", len(raw))
	}
	b, err := journal.LoadSnapshot(d.fs, filepath.Dir(path), journal.ID(raw[16:32])) // whoever's it is
	if err != nil {
		return d.fault(path, -1, "%v", err)
	}
	shown, img, err := describeSnapshot(b)
	if err != nil {
		return d.fault(path, -1, "%v", err)
	}
	if err := d.emit(shown); err != nil {
		return err
	}
	for t := range img.Topics() {
		topic := dumpedTopic{Kind: "topic", Topic: t.Name, ID: t.ID.String(), Partitions: []map[string]any{}, states: t.Partitions}
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, fieldsOf(reflect.ValueOf(*p)))
		}
		if t.Configs != nil {
			topic.Configs = t.Configs.Map()
		}
		if err := d.emit(topic); err != nil {
			return err
		}
	}
	return nil
}

func describeSnapshot(b []byte) (dumpedImage, *image.Image, error) {
	be := binary.BigEndian
	if len(b) < 21 || b[0] != 1 {
		return dumpedImage{}, nil, errors.New("its layout is not known")
	}
	shown := dumpedImage{Kind: "image", Index: be.Uint64(b[1:]), Term: be.Uint64(b[9:]), Voters: []uint64{}}
	voters := int64(be.Uint32(b[17:]))
	if b = b[21:]; voters*8 > int64(len(b)) {
		return shown, nil, errors.New("it is cut short")
	}
	for range voters {
		shown.Voters, b = append(shown.Voters, be.Uint64(b)), b[8:]
	}
	img, err := image.Load(b)
	if err != nil {
		return shown, nil, err
	}
	shown.Offset, shown.ClusterID, shown.Brokers = img.Offset(), img.ClusterID(), img.BrokerCount()
	shown.Topics, shown.Partitions, shown.NextProducerID = img.TopicCount(), img.PartitionCount(), img.NextProducerID()
	return shown, img, nil
}
