package crash

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/core/image"
	"holdfast/internal/host/partition"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

// world is everything that a node's clients were told, and what they have asked for and not been answered. A power cut
// may come at any operation of the disk, so it is noted before a request what may be there, and after it what must.
type world struct {
	mu     sync.Mutex
	rand   *rand.Rand
	topics map[string]*topic // by name; those that nobody asked for are not in it
	gone   map[image.TopicID]string
	serial int // numbers records, so that each is unique
}

// topic is one name.
type topic struct {
	name     string
	id       image.TopicID
	exists   bool // was acknowledged
	creating bool // asked for: may exist, with any id
	deleting bool // asked for: may be gone
	unsynced bool // commit.sync=false
	flushes  bool // flush.messages=1: acknowledged means synced all the same
	logs     []*plog
}

// plog is one partition of a topic.
type plog struct {
	index int32

	may  []record.Batch // every batch that was ever handed in, with the offsets it would get; append-only
	must []record.Batch // those acknowledged for good, by offset; append-only

	startMin int64 // where the log starts at least: DeleteRecords was acknowledged
	startMax int64 // and at most

	producers map[int64]*client

	// Filled in by look: what the running node showed at that moment.
	high, end int64
}

// client is an idempotent producer's next batch.
type client struct {
	epoch int16
	seq   int32
}

func newWorld(seed uint64) *world {
	return &world{rand: rand.New(rand.NewPCG(seed, 11)), topics: map[string]*topic{}, gone: map[image.TopicID]string{}}
}

// clone is the world at this moment, to judge a disk by. look is asked for the node as it shows itself.
func (w *world) clone(look func(image.TopicID, int32) *partition.Partition) *world {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := &world{rand: rand.New(rand.NewPCG(1, uint64(w.serial))), topics: make(map[string]*topic, len(w.topics)), gone: maps.Clone(w.gone), serial: w.serial + 1_000_000}
	for name, t := range w.topics { // order-free
		u := *t
		u.logs = make([]*plog, len(t.logs))
		for i, l := range t.logs {
			k := *l
			k.may, k.must = slices.Clip(l.may), slices.Clip(l.must)
			k.producers = make(map[int64]*client, len(l.producers))
			for id, p := range l.producers { // order-free
				q := *p
				k.producers[id] = &q
			}
			if look != nil {
				k.look(look(t.id, l.index))
			}
			u.logs[i] = &k
		}
		c.topics[name] = &u
	}
	return c
}

func (l *plog) look(p *partition.Partition) {
	if p == nil {
		return
	}
	// End first: it only grows, and the high watermark never passes what it was.
	l.end = p.LogEnd()
	l.high = p.HighWatermark()
	l.startMax = max(l.startMax, p.LogStart())
}

func (w *world) note(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// create asks for a topic. Settings are key=value pairs' maps.
func (w *world) create(b *box, name string, partitions int, settings map[string]string) error {
	t := &topic{name: name, creating: true, unsynced: settings["commit.sync"] == "false", flushes: settings["flush.messages"] == "1"}
	for i := range partitions {
		t.logs = append(t.logs, &plog{index: int32(i), producers: map[int64]*client{}})
	}
	w.note(func() { w.topics[name] = t })
	q := kmsg.NewPtrCreateTopicsRequest()
	q.Version = 7
	k := kmsg.NewCreateTopicsRequestTopic()
	k.Topic, k.NumPartitions, k.ReplicationFactor = name, int32(partitions), 1
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		value := settings[key]
		c.Name, c.Value = key, &value
		k.Configs = append(k.Configs, c)
	}
	q.Topics = append(q.Topics, k)
	reply, err := b.propose(q)
	if err != nil {
		return err
	}
	r := reply.(*kmsg.CreateTopicsResponse).Topics[0]
	if r.ErrorCode != 0 {
		return fmt.Errorf("create %s: code %d", name, r.ErrorCode)
	}
	w.note(func() { t.id, t.exists, t.creating = image.TopicID(r.TopicID), true, false })
	return nil
}

// remove asks for a topic's deletion.
func (w *world) remove(b *box, name string) error {
	t := w.topics[name]
	w.note(func() { t.deleting = true })
	q := kmsg.NewPtrDeleteTopicsRequest()
	q.Version = 6
	q.Topics = []kmsg.DeleteTopicsRequestTopic{{TopicID: t.id}}
	reply, err := b.propose(q)
	if err != nil {
		return err
	}
	if code := reply.(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode; code != 0 {
		return fmt.Errorf("delete %s: code %d", name, code)
	}
	w.note(func() {
		delete(w.topics, name)
		w.gone[t.id] = name
	})
	return nil
}

// plan is one batch to be produced.
type plan struct {
	topic    string
	index    int32
	count    int   // records
	size     int   // bytes of each value
	producer int64 // 0: none
}

// prepare builds the batch of a plan and notes that it may be there from now on.
func (w *world) prepare(p *partition.Partition, t *topic, l *plog, n plan) record.Batch {
	o := record.BuilderOptions{}
	if n.producer > 0 {
		c := l.producers[n.producer]
		if c == nil {
			c = &client{}
			l.producers[n.producer] = c
		}
		o = record.BuilderOptions{Idempotent: true, ProducerID: n.producer, ProducerEpoch: c.epoch, BaseSequence: c.seq}
		c.seq += int32(n.count)
	}
	build := record.NewBuilder(o)
	for range n.count {
		w.serial++
		value := fmt.Appendf(nil, "%s-%d record %d ", t.name, l.index, w.serial)
		for len(value) < n.size {
			value = append(value, byte('a'+w.serial%26))
		}
		if err := build.Append(time.Now().UnixMilli(), fmt.Appendf(nil, "key %d", w.serial), value); err != nil {
			panic(err)
		}
	}
	b := build.Build()
	noted := slices.Clone(b)
	noted.SetBaseOffset(p.LogEnd())
	noted.SetLeaderEpoch(p.LeaderEpoch())
	w.note(func() { l.may = append(l.may, noted) })
	return b
}

// errNotThere marks a produce to a partition that the node does not serve.
var errNotThere = errors.New("the partition is not there")

// produce sends one request of one batch a partition and waits for its answer. Refusals are returned by partition.
func (w *world) produce(b *box, acks partition.Acks, plans ...plan) (codes []wire.Code, err error) {
	var c partition.Commit
	c.Begin(len(plans))
	results := make([]wire.ProducePartitionResult, len(plans))
	noted := make([]record.Batch, len(plans))
	logs := make([]*plog, len(plans))
	for i, n := range plans {
		t := w.topics[n.topic]
		l := t.logs[n.index]
		p := b.partition(t.id, n.index)
		if p == nil {
			return nil, fmt.Errorf("%s-%d: %w", n.topic, n.index, errNotThere)
		}
		batch := w.prepare(p, t, l, n)
		logs[i], noted[i] = l, l.may[len(l.may)-1]
		p.Append(batch, acks, time.Now(), &c, &results[i])
	}
	if !c.Seal() {
		b.flush()
		c.Wait(patience)
	}
	for i := range results {
		r := &results[i]
		codes = append(codes, r.Code)
		if r.Code == wire.RequestTimedOut {
			return codes, fmt.Errorf("a produce to %s-%d was not answered", plans[i].topic, plans[i].index)
		}
		if r.Code != wire.None {
			continue
		}
		if r.BaseOffset != noted[i].BaseOffset() {
			return codes, fmt.Errorf("%s-%d: appended at %d, want %d", plans[i].topic, plans[i].index, r.BaseOffset, noted[i].BaseOffset())
		}
		t := w.topics[plans[i].topic]
		if acks == partition.AcksAll && (!t.unsynced || t.flushes) {
			w.note(func() { logs[i].must = append(logs[i].must, noted[i]) })
		}
	}
	return codes, nil
}

// mustProduce is produce on a healthy node.
func (w *world) mustProduce(b *box, acks partition.Acks, plans ...plan) error {
	codes, err := w.produce(b, acks, plans...)
	if err != nil {
		return err
	}
	for i, c := range codes {
		if c != wire.None {
			return fmt.Errorf("produce to %s-%d: %w (directory: %w)", plans[i].topic, plans[i].index, &codeError{c}, b.parts.Load().Failed())
		}
	}
	return nil
}

// deleteRecords raises a log start.
func (w *world) deleteRecords(b *box, name string, index int32, offset int64) error {
	t := w.topics[name]
	l := t.logs[index]
	p := b.partition(t.id, index)
	if p == nil {
		return errNotThere
	}
	w.note(func() { l.startMax = max(l.startMax, offset) })
	_, start, code := p.DeleteRecords(offset)
	if code != wire.None {
		return &codeError{code}
	}
	w.note(func() { l.startMin = max(l.startMin, start) })
	return nil
}

type codeError struct{ code wire.Code }

func (e *codeError) Error() string { return e.code.String() }

// verify holds an opened node against the world. lost says that the power was cut, so that what was never synced may be
// missing.
func (w *world) verify(b *box, lost bool) error {
	img := b.quorum.Image()
	for _, name := range slices.Sorted(maps.Keys(w.topics)) {
		t := w.topics[name]
		found := img.Topic(name)
		switch {
		case found == nil && t.exists && !t.deleting:
			return fmt.Errorf("topic %s was acknowledged and is gone", name)
		case found == nil:
		case t.exists && found.ID != t.id:
			return fmt.Errorf("topic %s was acknowledged with id %v and has %v", name, t.id, found.ID)
		case len(found.Partitions) != len(t.logs):
			return fmt.Errorf("topic %s has %d partitions, asked for %d", name, len(found.Partitions), len(t.logs))
		default:
			if err := w.verifyTopic(b, t, found.ID, lost); err != nil {
				return err
			}
		}
	}
	for t := range img.Topics() {
		if w.gone[t.ID] != "" {
			return fmt.Errorf("topic %s was deleted and is back", t.Name)
		}
		if w.topics[t.Name] == nil {
			return fmt.Errorf("topic %s: nobody asked for it", t.Name)
		}
	}
	return nil
}

func (w *world) verifyTopic(b *box, t *topic, id image.TopicID, lost bool) error {
	for _, l := range t.logs {
		p := b.partition(id, l.index)
		if p == nil {
			return fmt.Errorf("%s-%d is not served", t.name, l.index)
		}
		if err := l.verify(p, lost, t.unsynced); err != nil {
			return fmt.Errorf("%s-%d [%d, %d) of %d: %w", t.name, l.index, p.LogStart(), p.HighWatermark(), p.LogEnd(), err)
		}
	}
	return nil
}

// verify reads the whole partition and compares each byte.
func (l *plog) verify(p *partition.Partition, lost, unsynced bool) error {
	start, high, end := p.LogStart(), p.HighWatermark(), p.LogEnd()
	promised := l.promised(lost, unsynced)
	switch {
	case lost && promised <= l.startMin && start > l.startMax: // nothing was promised, and a later segment outlived an earlier one
	case start < l.startMin || start > l.startMax:
		return fmt.Errorf("it starts at %d, want %d to %d", start, l.startMin, l.startMax)
	case high < promised && start < promised:
		return fmt.Errorf("records up to %d were promised", promised)
	case high != end:
		return fmt.Errorf("the high watermark of an idle partition is %d, its end %d", high, end)
	}
	may := map[int64][]record.Batch{}
	for _, b := range l.may {
		may[b.BaseOffset()] = append(may[b.BaseOffset()], b)
	}
	must := map[int64]record.Batch{}
	for _, b := range l.must {
		must[b.BaseOffset()] = b
	}
	got, err := read(p, start, high)
	if err != nil {
		return err
	}
	next := start
	for _, b := range got {
		switch {
		case b.BaseOffset() > next:
			return fmt.Errorf("offsets %d to %d are missing", next, b.BaseOffset()-1)
		case must[b.BaseOffset()] != nil && !bytes.Equal(must[b.BaseOffset()], b):
			return fmt.Errorf("the batch at %d is not the acknowledged one", b.BaseOffset())
		case !slices.ContainsFunc(may[b.BaseOffset()], func(m record.Batch) bool { return bytes.Equal(m, b) }):
			return fmt.Errorf("the batch at %d was never sent here", b.BaseOffset())
		}
		next = b.NextOffset()
	}
	if next < high {
		return fmt.Errorf("offsets %d to %d are missing", next, high-1)
	}
	return nil
}

// promised is the offset up to which everything must be there.
func (l *plog) promised(lost, unsynced bool) int64 {
	promised := int64(0)
	if n := len(l.must); n > 0 {
		promised = l.must[n-1].NextOffset()
	}
	switch {
	case !lost: // the page cache is there, so is everything that was written
		promised = max(promised, l.end)
	case !unsynced: // what a reader may have seen
		promised = max(promised, l.high)
	}
	return promised
}

// read returns all batches from the one that contains start up to below.
func read(p *partition.Partition, start, below int64) (out []record.Batch, err error) {
	for at := start; at < below; {
		r := p.Read(partition.ReadRequest{Offset: at, CurrentEpoch: -1, MaxBytes: 1 << 20, AtLeastOne: true})
		if r.Code != wire.None || r.Span.Len == 0 {
			return out, fmt.Errorf("read at %d: %v, %d bytes", at, r.Code, r.Span.Len)
		}
		buf := make([]byte, r.Span.Len)
		if err := r.Span.ReadAt(buf); err != nil {
			return out, err
		}
		for len(buf) > 0 {
			b, rest, err := record.Next(buf)
			if err != nil {
				return out, err
			}
			if b.NextOffset() > at {
				out = append(out, b)
			}
			buf = rest
		}
		at = r.Span.NextOffset
	}
	return out, nil
}

// settle turns doubt into knowledge: what an opened node shows is committed, and promised from here on.
func (w *world) settle(b *box) error {
	img := b.quorum.Image()
	for _, name := range slices.Sorted(maps.Keys(w.topics)) {
		t, found := w.topics[name], img.Topic(name)
		if found == nil {
			if t.exists {
				w.gone[t.id] = name
			}
			delete(w.topics, name)
			continue
		}
		t.id, t.exists, t.creating, t.deleting = found.ID, true, false, false
		for _, l := range t.logs {
			p := b.partition(t.id, l.index)
			got, err := read(p, p.LogStart(), p.HighWatermark())
			if err != nil {
				return err
			}
			l.startMax = max(l.startMin, p.LogStart()) // what was asked for and not done is given up
			doubtful := l.doubtful(p.LogStart())
			l.must = append(l.below(p.LogStart()), got...)
			l.may = slices.Clone(l.must)
			l.resume(t.unsynced, doubtful)
			l.high, l.end = p.HighWatermark(), p.LogEnd()
		}
	}
	return nil
}

// forgetUnsynced is what a power cut does to promises: what was only in the page cache may be gone for good.
func (w *world) forgetUnsynced() {
	for _, t := range w.topics { // order-free
		for _, l := range t.logs {
			l.end = 0
		}
	}
}

// below is the acknowledged batches that lie below the log start: nobody reads them, but producers may retry them.
func (l *plog) below(start int64) (out []record.Batch) {
	for _, b := range l.must {
		if b.NextOffset() <= start {
			out = append(out, b)
		}
	}
	return out
}

// doubtful are the producers of batches below the log start that were never acknowledged: nobody reads them, so nobody can
// tell whether they were appended, but the log knows its producers.
func (l *plog) doubtful(start int64) map[int64]bool {
	ids := map[int64]bool{}
	for _, b := range l.may {
		if b.NextOffset() <= start && !slices.ContainsFunc(l.must, func(m record.Batch) bool { return bytes.Equal(m, b) }) {
			ids[b.ProducerID()] = true
		}
	}
	return ids
}

// resume has every producer go on after the last batch of its that is there. Where that is in doubt it begins anew, with a
// higher epoch, as producers do: also in an unsynced topic, where a snapshot may outlive the records that it was made of.
func (l *plog) resume(unsynced bool, doubtful map[int64]bool) {
	for id, c := range l.producers { // order-free
		c.seq = 0
		known := false
		for _, b := range l.must {
			if b.ProducerID() == id && b.ProducerEpoch() == c.epoch {
				c.seq, known = b.LastSequence()+1, true
			}
		}
		if doubtful[id] || unsynced && !known {
			*c = client{epoch: c.epoch + 1}
		}
	}
}

// retry sends again what producers may: the last five batches of each are recognised, one of before is not taken again,
// and a gap is refused.
func (w *world) retry(b *box) error {
	for _, name := range slices.Sorted(maps.Keys(w.topics)) {
		t := w.topics[name]
		for _, l := range t.logs {
			p := b.partition(t.id, l.index)
			for _, id := range slices.Sorted(maps.Keys(l.producers)) {
				if err := l.retry(b, p, id); err != nil {
					return fmt.Errorf("%s-%d, producer %d: %w", name, l.index, id, err)
				}
			}
		}
	}
	return nil
}

func (l *plog) retry(x *box, p *partition.Partition, id int64) error {
	var own []record.Batch
	for _, b := range l.must {
		if b.ProducerID() == id && b.ProducerEpoch() == l.producers[id].epoch {
			own = append(own, b)
		}
	}
	end := p.LogEnd()
	send := func(b record.Batch) (r wire.ProducePartitionResult) {
		var c partition.Commit
		c.Begin(1)
		b = slices.Clone(b)
		b.SetBaseOffset(0) // as clients send it
		b.SetLeaderEpoch(-1)
		p.Append(b, partition.AcksAll, time.Now(), &c, &r)
		if !c.Seal() {
			x.flush()
			c.Wait(patience)
		}
		return r
	}
	if len(own) == 0 {
		return nil
	}
	for _, b := range own[max(0, len(own)-5):] {
		if r := send(b); r.Code != wire.None || r.BaseOffset != b.BaseOffset() {
			return fmt.Errorf("the retry of the batch at %d was answered %v, offset %d", b.BaseOffset(), r.Code, r.BaseOffset)
		}
	}
	last := own[len(own)-1]
	gap := record.NewBuilder(record.BuilderOptions{Idempotent: true, ProducerID: id, ProducerEpoch: last.ProducerEpoch(), BaseSequence: last.LastSequence() + 100})
	if err := gap.Append(time.Now().UnixMilli(), nil, []byte("after a gap")); err != nil {
		return err
	}
	if r := send(gap.Build()); r.Code != wire.OutOfOrderSequenceNumber {
		return fmt.Errorf("a batch after a gap was answered %v", r.Code)
	}
	if p.LogEnd() != end {
		return fmt.Errorf("retries were appended: the end was %d and is %d", end, p.LogEnd())
	}
	return nil
}

// goOn is life after a crash: every topic takes a record, every deleted name is made anew and is empty.
func (w *world) goOn(b *box) error {
	for _, name := range slices.Sorted(maps.Values(w.gone)) {
		if w.topics[name] != nil {
			continue
		}
		if err := w.create(b, name, 1, nil); err != nil {
			return err
		}
		t := w.topics[name]
		if p := b.partition(t.id, 0); p == nil || p.LogEnd() != 0 || p.LogStart() != 0 {
			return fmt.Errorf("topic %s was made anew and is not empty: %+v", name, p)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.topics)) {
		t := w.topics[name]
		plans := make([]plan, len(t.logs))
		for i, l := range t.logs {
			plans[i] = plan{topic: name, index: l.index, count: 2, size: 50}
			for _, id := range slices.Sorted(maps.Keys(l.producers)) { // what was lost may be sent again, and is no repeat
				if err := w.mustProduce(b, partition.AcksAll, plan{topic: name, index: l.index, count: 1 + len(l.must)%3, size: 50, producer: id}); err != nil {
					return err
				}
			}
		}
		if err := w.mustProduce(b, partition.AcksAll, plans...); err != nil {
			return err
		}
	}
	return nil
}

var _ vfs.FS = (*vfs.Mem)(nil)
