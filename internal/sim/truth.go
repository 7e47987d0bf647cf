package sim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"holdfast/internal/core/image"
	"holdfast/internal/host/partition"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

// truth is everything that was promised to anybody, and everything that was asked for. It sees the node from the
// inside: what a reader could have been shown counts as shown, whether one looked or not.
type truth struct {
	topics map[string]*topic // by name
	gone   map[image.TopicID]string
	logs   []*plog // of topics that exist or may, in a fixed order

	img  *image.Image // the newest that was shown
	ids  map[int64]bool
	mode vfs.CrashMode // how the last life ended

	retaining bool // retention is at work: a crash may leave it undone, done, or half done
}

// topic is one name.
type topic struct {
	name     string
	id       image.TopicID
	state    state
	parts    int
	growing  int // partitions asked for, 0: none
	settings map[string]string
	asked    map[string]string // settings asked for, nil: none
	logs     []*plog
}

type state uint8

const (
	absent state = iota
	creating
	exists
	deleting
)

// plog is one partition.
type plog struct {
	topic *topic
	index int32
	part  *partition.Partition // in this life; nil while the node is down

	line      []int64         // the record at each offset
	where     map[int64]int64 // and the offset of each record, for those that must not be there twice
	newest    map[int64]int64 // the last record of each idempotent producer
	maybe     []stray         // batches whose writing did not come to its end, or failed: a crash may leave them
	forgotten int64           // records below it were deleted and then lost, and with them what the log knew of their producers
	high      int64           // high watermark last seen
	durable   int64           // below it no crash may take anything
	must      int64           // below it the crashes since it was served took nothing
	gone      bool            // the topic was deleted
	start     int64           // log start last seen in this life
	floor     int64           // the log start was acknowledged to be here, or higher
	ceiling   int64           // nobody asked for a higher one, retention included
	synced    bool            // commit.sync, as the node has it
}

func (l *plog) String() string { return fmt.Sprintf("%s-%d", l.topic.name, l.index) }

func newTruth() truth {
	return truth{topics: map[string]*topic{}, gone: map[image.TopicID]string{}, ids: map[int64]bool{}, img: image.Empty()}
}

// look judges the node as it is, after every step.
func (w *world) look() {
	n := w.node
	if n == nil {
		return
	}
	offline := w.groups != nil && n.coordinatorsOffline()
	for _, l := range w.truth.logs {
		if l.part == nil {
			offline = true
			continue
		}
		l.look(w)
	}
	if (offline || n.parts.Failed() != nil) && !n.failing {
		n.failing = true
		n.after(w.about(w.plan.restart), w.operator)
	}
	n.serve()
	n.coordinate()
	n.flushSoon()
}

func (l *plog) look(w *world) {
	start, high, end := l.part.LogStart(), l.part.HighWatermark(), l.part.LogEnd()
	switch {
	case start > high || high > end:
		violate("%v: log start %d, high watermark %d, log end %d", l, start, high, end)
	case high < l.high:
		violate("%v: the high watermark fell from %d to %d", l, l.high, high)
	case start < l.start:
		violate("%v: the log start fell from %d to %d", l, l.start, start)
	case end != int64(len(l.line)):
		violate("%v: the log ends at %d, and %d records were appended", l, end, len(l.line))
	}
	if start > l.start {
		w.counts[Retentions]++
	}
	l.start, l.ceiling = start, max(l.ceiling, start)
	synced := l.part.Topic.Config().CommitSync
	if high > l.high && synced {
		l.durable = high // shown as committed, in a topic that promises to keep it
	}
	l.high, l.synced = high, synced
}

// append appends a batch and holds the node to what it says about it.
func (w *world) append(l *plog, b *batch, acks partition.Acks, c *partition.Commit, r *wire.ProducePartitionResult) {
	end := l.part.LogEnd()
	l.maybe = append(l.maybe, stray{end, b.records})
	l.part.Append(slices.Clone(b.bytes), acks, w.now, c, r)
	if l.part.LogEnd() != end || r.Code != wire.KafkaStorageError {
		l.maybe = l.maybe[:len(l.maybe)-1]
	}
	switch l.part.LogEnd() {
	case end:
		if r.Code == wire.None {
			l.repeated(b, r.BaseOffset)
			w.counts[Repeats]++
		}
	case end + int64(len(b.records)):
		l.appended(b, end, r)
		w.counts[Batches]++
		w.counts[Records] += int64(len(b.records))
	default:
		violate("%v: the log ended at %d, got %d records, ends at %d", l, end, len(b.records), l.part.LogEnd())
	}
	w.note("append", l.String(), r.BaseOffset, int64(r.Code))
}

func (l *plog) appended(b *batch, at int64, r *wire.ProducePartitionResult) {
	if r.Code != wire.None || r.BaseOffset != at {
		violate("%v: a batch was appended at %d and answered %v, offset %d", l, at, r.Code, r.BaseOffset)
	}
	if b.once && b.records[0] < l.newest[b.producer] {
		violate("%v: record %d of an idempotent producer came after %d", l, b.records[0], l.newest[b.producer])
	}
	for i, record := range b.records {
		if before, ok := l.where[record]; ok && b.once {
			violate("%v: record %d of an idempotent producer is at %d and again at %d", l, record, before, at+int64(i))
		}
		l.where[record] = at + int64(i)
		l.newest[b.producer] = record
	}
	l.line = append(l.line, b.records...)
}

// repeated holds the node to its claim that a batch is there already.
func (l *plog) repeated(b *batch, at int64) {
	to := at + int64(len(b.records))
	if at < 0 || to > int64(len(l.line)) || !slices.Equal(l.line[at:to], b.records) {
		violate("%v: batch %v is said to be at %d already, and is not", l, b.records, at)
	}
}

// committed judges an answer to acks=all, before it leaves.
func (l *plog) committed(b *batch, at int64, synced bool) {
	to := at + int64(len(b.records))
	switch {
	case l.part == nil: // deleted since
	case to > int64(len(l.line)):
		violate("%v: a batch at %d was acknowledged, and is not there", l, at)
	case l.part.HighWatermark() < to:
		violate("%v: records up to %d were acknowledged, the high watermark is %d", l, to, l.part.HighWatermark())
	}
	l.repeated(b, at)
	if synced {
		l.durable = max(l.durable, to)
	}
}

// crashed notes how a life ended.
func (t *truth) crashed(mode vfs.CrashMode, lossy bool) {
	t.mode = mode
	for _, l := range t.logs {
		if l.part != nil {
			l.must = int64(len(l.line))
		}
		if mode != vfs.KillOnly && (mode != vfs.LoseNone || lossy) {
			l.must = min(l.must, l.durable)
		}
		l.part = nil
	}
}

// replayed holds the metadata that a start found against what was shown before.
func (t *truth) replayed(w *world, old, img *image.Image) {
	switch {
	case img.Offset() < old.Offset():
		violate("the metadata log ended at %d and ends at %d after a restart", old.Offset(), img.Offset())
	case img.Offset() == old.Offset() && !bytes.Equal(img.Snapshot(nil), old.Snapshot(nil)):
		violate("the metadata at offset %d is not what it was before the restart", img.Offset())
	case img.NextProducerID() < old.NextProducerID():
		violate("producer ids up to %d were given out, and the next is %d", old.NextProducerID(), img.NextProducerID())
	}
	t.shown(w, img)
	for _, name := range slices.Sorted(maps.Keys(t.topics)) { // what was on its way has arrived or will not
		t.topics[name].settle(t)
	}
	w.admin.restart()
}

// settle ends doubt: the node that was asked is gone.
func (topic *topic) settle(t *truth) {
	found := t.img.Topic(topic.name)
	switch {
	case found == nil:
		topic.state = absent
	case topic.state != exists:
		topic.state = exists
	}
	if found != nil {
		topic.parts, topic.settings = len(found.Partitions), found.Configs.Map()
	}
	topic.growing, topic.asked = 0, nil
}

// shown judges a new image and takes over what it says.
func (t *truth) shown(w *world, img *image.Image) {
	t.img = img
	for _, name := range slices.Sorted(maps.Keys(t.topics)) {
		t.judgeTopic(w, t.topics[name], img.Topic(name))
	}
	for found := range img.Topics() {
		switch topic := t.topics[found.Name]; {
		case found.Name == image.TopicOffsets:
		case t.gone[found.ID] != "":
			violate("topic %s was deleted and is back", found.Name)
		case topic == nil || topic.state == absent:
			violate("topic %s: nobody asked for it", found.Name)
		}
	}
	t.attach(w)
}

func (t *truth) judgeTopic(w *world, topic *topic, found *image.Topic) {
	switch {
	case found == nil && topic.state == exists:
		violate("topic %s was acknowledged and is gone", topic.name)
	case found == nil:
		if !topic.id.Zero() {
			t.gone[topic.id] = topic.name
			for _, l := range topic.logs {
				l.part, l.gone = nil, true
			}
			topic.id, topic.logs = image.TopicID{}, nil
		}
		return
	case topic.id.Zero() && topic.state == creating:
		topic.id = found.ID
		w.counts[Topics]++
	case topic.id != found.ID:
		violate("topic %s has id %v and is told to have %v", topic.name, topic.id, found.ID)
	}
	if n := len(found.Partitions); n != topic.parts && n != topic.growing {
		violate("topic %s has %d partitions, asked for %d, then %d", topic.name, n, topic.parts, topic.growing)
	}
	if s := found.Configs.Map(); !maps.Equal(s, topic.settings) && (topic.asked == nil || !maps.Equal(s, topic.asked)) {
		violate("topic %s has settings %v, asked for %v, then %v", topic.name, s, topic.settings, topic.asked)
	}
	for i := len(topic.logs); i < len(found.Partitions); i++ {
		topic.logs = append(topic.logs, &plog{topic: topic, index: int32(i), where: map[int64]int64{}, newest: map[int64]int64{}})
	}
}

// attach finds the partitions of this life again.
func (t *truth) attach(w *world) {
	t.logs = t.logs[:0]
	for _, name := range slices.Sorted(maps.Keys(t.topics)) {
		for _, l := range t.topics[name].logs {
			t.logs = append(t.logs, l)
			if w.node != nil {
				l.part = w.node.partition(l.topic.id, l.index)
			}
		}
	}
}

// reopened judges what a start found.
func (t *truth) reopened(w *world) {
	t.attach(w)
	w.disk.quiet = true
	for _, l := range t.logs {
		if l.part != nil {
			l.reopened(w, t)
			continue
		}
		if !w.disk.faulted() {
			violate("%v is not served", l)
		}
	}
	w.disk.quiet, t.retaining = false, false
}

// stray is a batch that may have got to the disk, or most of it, without anybody having been told so.
type stray struct {
	at      int64
	records []int64
}

// survivors is the line as it may be now: what was promised, what was appended, and where the disk says so, what was
// refused while its bytes were being written. A torn write may even lack nothing but zeros.
func (l *plog) survivors(end int64) []int64 {
	line := slices.Clone(l.line)
	for at := max(l.must, l.part.LogStart()); at < l.part.HighWatermark(); {
		got, _, _ := read(l.part, at, 1<<20)
		if len(got) == 0 {
			break // the audit will say why
		}
		for len(got) > 0 {
			b, rest, err := record.Next(got)
			if err != nil {
				return line
			}
			base, records := b.BaseOffset(), serials(b)
			if int64(len(line)) < base || len(line[base:]) < len(records) || !slices.Equal(line[base:][:len(records)], records) {
				if !slices.ContainsFunc(l.maybe, func(s stray) bool { return s.at == base && slices.Equal(s.records, records) }) {
					return line
				}
				line = append(line[:base], records...)
			}
			at, got = b.NextOffset(), rest
		}
	}
	for _, s := range l.maybe { // not committed, so not read
		if s.at == int64(len(line)) && end > s.at {
			line = append(line, s.records...)
		}
	}
	return line
}

// serials are the numbers of a batch's records.
func serials(b record.Batch) (out []int64) {
	for r, err := range b.Records(nil) {
		if err == nil && len(r.Value) >= 8 {
			out = append(out, int64(binary.BigEndian.Uint64(r.Value)))
		}
	}
	return out
}

func (l *plog) reopened(w *world, t *truth) {
	start, high, end := l.part.LogStart(), l.part.HighWatermark(), l.part.LogEnd()
	may := l.survivors(end)
	switch {
	case end < l.must:
		violate("%v ends at %d after %v; records up to %d were promised (acknowledged and shown as committed: %d)", l, end, t.mode, l.must, l.durable)
	case end > int64(len(may)):
		violate("%v ends at %d after %v, and %d records were appended", l, end, t.mode, len(may))
	case high != end && !w.disk.faulted(): // what is not synced yet is not committed yet
		violate("%v is idle after a start: high watermark %d, end %d", l, high, end)
	case start < l.floor:
		violate("%v starts at %d after %v, and was promised to start at %d", l, start, t.mode, l.floor)
	case start > l.ceiling && l.ceiling < l.must && !t.retaining:
		violate("%v starts at %d after %v, and nothing was deleted beyond %d", l, start, t.mode, l.ceiling)
	}
	kept := end // records from here on are lost, and are allowed to be
	if start > l.must {
		kept = l.must // what was deleted may have been lost before, and with it what the log knew of its producers
		l.forgotten = start
	}
	l.line = may[:end:end]
	if high == end { // all is synced: nothing comes back any more
		l.maybe = nil
	}
	clear(l.where)
	clear(l.newest)
	for at := l.forgotten; at < end; at++ {
		l.where[l.line[at]] = at
		if id, ok := w.writers[l.line[at]]; ok {
			l.newest[id] = l.line[at]
		}
	}
	for _, p := range w.producers {
		if p.log == l && p.acked > kept {
			p.shaken = true
		}
	}
	for _, r := range w.readers {
		if r.log == l && r.at > end {
			r.at = end
		}
	}
	l.ceiling = max(l.ceiling, start)
	l.start, l.high, l.durable, l.synced = start, high, max(high, min(l.durable, end)), l.part.Topic.Config().CommitSync
	l.audit(w)
}

// audit reads everything that can be read.
func (l *plog) audit(w *world) {
	for at := l.part.LogStart(); at < l.part.HighWatermark(); {
		got, code, err := read(l.part, at, 1<<20)
		if code != wire.None || len(got) == 0 {
			violate("%v: read at %d of [%d, %d): %v, %d bytes, %v", l, at, l.part.LogStart(), l.part.HighWatermark(), code, len(got), err)
		}
		next := l.check(at, got)
		w.counts[RecordsAudited] += next - at
		at = next
	}
}

// read reads whole batches from the one that holds the offset at.
func read(p *partition.Partition, at int64, maxBytes int) ([]byte, wire.Code, error) {
	r := p.Read(partition.ReadRequest{Offset: at, CurrentEpoch: -1, MaxBytes: maxBytes, AtLeastOne: true})
	if r.Code != wire.None || r.Span.Len == 0 {
		return nil, r.Code, nil
	}
	buf := make([]byte, r.Span.Len)
	if err := r.Span.ReadAt(buf); err != nil {
		return nil, partition.ReadCode(err), err
	}
	return buf, wire.None, nil
}

// check compares what was read from an offset on with what was appended, and returns where to read on.
func (l *plog) check(at int64, got []byte) (next int64) {
	first := true
	for len(got) > 0 {
		b, rest, err := record.Next(got)
		switch {
		case err != nil:
			violate("%v: read at %d: %v", l, at, err)
		case first && (b.BaseOffset() > at || b.NextOffset() <= at):
			violate("%v: a read at %d gives the batch at %d to %d", l, at, b.BaseOffset(), b.LastOffset())
		case !first && b.BaseOffset() != at:
			violate("%v: the batch at %d follows offset %d", l, b.BaseOffset(), at-1)
		}
		for r, err := range b.Records(nil) {
			if err != nil {
				violate("%v: batch at %d: %v", l, b.BaseOffset(), err)
			}
			l.checkRecord(b.BaseOffset()+int64(r.OffsetDelta), r.Value)
		}
		at, got, first = b.NextOffset(), rest, false
	}
	return at
}

func (l *plog) checkRecord(at int64, value []byte) {
	if at >= int64(len(l.line)) {
		violate("%v: there is a record at %d, and %d were appended", l, at, len(l.line))
	}
	if want := l.line[at]; !bytes.Equal(value, content(want)) {
		violate("%v: the record at %d is %d, appended was %d", l, at, binary.BigEndian.Uint64(value), want)
	}
}

// content is the value of a record: its number, and as many bytes as follow from it.
func content(serial int64) []byte {
	b := make([]byte, 8, 8+serial%90)
	binary.BigEndian.PutUint64(b, uint64(serial))
	for i := range cap(b) - 8 {
		b = append(b, byte(serial)+byte(i))
	}
	return b
}
