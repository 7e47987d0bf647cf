package handler

import (
	"context"
	"time"

	"holdfast/internal/host/partition"
	"holdfast/internal/proto/wire"
)

// fetchScratch is what a fetch is worked on with, reused from request to request.
type fetchScratch struct {
	view   wire.Fetch
	writer wire.FetchWriter
	items  []fetchItem
	watch  *partition.Watch
	timer  *time.Timer
	short  bool // the answer has to be a small one

	aborted []wire.Aborted
}

// fetchItem is one partition of a fetch: what is asked, who has it, what was found.
type fetchItem struct {
	name    []byte
	id      [16]byte
	query   *wire.FetchPartition
	told    *sessionPartition // nil without a session
	part    *partition.Partition
	missing wire.Code // why part is nil
	found   partition.Reading
	skip    bool // nothing new for this session
}

// serveFetch answers at once where enough bytes are there or a partition has an error, and otherwise waits, on this
// goroutine, until there are or the client's patience ends.
func (h *Handler) serveFetch(ctx context.Context, c *Call) error {
	f := &c.fetch.view
	if err := f.Parse(c.header.Version, c.body); err != nil {
		return err
	}
	if f.ReplicaID >= 0 {
		h.refuseFetch(c, wire.ClusterAuthorizationFailed) // followers speak on the peer port, which proves who they are
		return nil
	}
	byID := c.header.Version >= 13
	s, code := h.sessions.open(f, byID, h.now())
	if code != wire.None {
		h.refuseFetch(c, code)
		return nil
	}
	if s != nil {
		defer s.mu.Unlock()
	}
	h.collectItems(c, s)
	h.findItems(c, byID)
	enough := h.readItems(c)
	if !enough && f.MaxWaitMs > 0 {
		h.waitForItems(ctx, c, byID)
	}
	return h.answerFetch(ctx, c, s)
}

// collectItems lists what to read: the request's partitions, or all of the session's, starting where the last answer
// left off.
func (h *Handler) collectItems(c *Call, s *session) {
	items := c.fetch.items[:0]
	if s == nil {
		for i := range c.fetch.view.Topics {
			t := &c.fetch.view.Topics[i]
			for j := range t.Partitions {
				items = append(items, fetchItem{name: t.Name, id: t.ID, query: &t.Partitions[j]})
			}
		}
	} else {
		for i := range s.parts {
			p := &s.parts[(s.serveAt+i)%len(s.parts)]
			items = append(items, fetchItem{name: p.name, id: p.id, query: &p.query, told: p})
		}
	}
	c.fetch.items = items
}

// findItems looks up who has the partitions.
func (h *Handler) findItems(c *Call, byID bool) {
	items := c.fetch.items
	var topic *partition.Topic
	for i := range items {
		it := &items[i]
		if i == 0 || it.id != items[i-1].id || string(it.name) != string(items[i-1].name) {
			topic = h.topic(it.name, it.id, byID)
		}
		it.part, it.missing = h.readable(topic, it.query.Index, byID)
	}
}

// readable finds a partition to read, or says with Kafka's code why there is none.
func (h *Handler) readable(topic *partition.Topic, index int32, byID bool) (*partition.Partition, wire.Code) {
	if p := h.partition(topic, index); p != nil {
		return p, wire.None
	}
	return nil, absent(topic, index, byID)
}

// shortAnswer bounds the records of an answer while memory for answers is short: everybody gets some, also where others
// let theirs lie.
const shortAnswer = 256 << 10

// readItems looks at every partition and reports whether the answer can leave: enough bytes, or an error to tell.
func (h *Handler) readItems(c *Call) (enough bool) {
	f := &c.fetch.view
	limit, bytes := int(max(min(f.MaxBytes, h.options.FetchMaxBytes), 0)), 0
	if c.fetch.short || !h.options.Answers.Ample() {
		limit = min(limit, shortAnswer)
	}
	left := limit
	for i := range c.fetch.items {
		it := &c.fetch.items[i]
		if it.part == nil {
			it.found = partition.Reading{Code: it.missing, HighWatermark: -1, LastStable: -1, LogStart: -1}
			enough = true
			continue
		}
		it.found = it.part.Read(partition.ReadRequest{
			Offset: it.query.FetchOffset, CurrentEpoch: it.query.CurrentLeaderEpoch,
			MaxBytes: min(int(max(it.query.MaxBytes, 0)), left), AtLeastOne: bytes == 0, ReadCommitted: f.Isolation == 1,
		})
		bytes += it.found.Span.Len
		left = max(left-it.found.Span.Len, 0)
		enough = enough || it.found.Code != wire.None
	}
	return enough || bytes >= min(int(f.MinBytes), limit) || len(c.fetch.items) == 0
}

// shortWait is the patience of a fetch while memory is short: what parks holds some.
const shortWait = 100 * time.Millisecond

// waitForItems parks until the watermarks have moved far enough or the client's patience ends.
func (h *Handler) waitForItems(ctx context.Context, c *Call, byID bool) {
	s := &c.fetch
	patience := min(time.Duration(s.view.MaxWaitMs)*time.Millisecond, h.options.MaxFetchWait)
	if !h.options.Work.Ample() {
		patience = min(patience, shortWait)
	}
	h.metrics.fetchWaiting.Add(1)
	defer h.metrics.fetchWaiting.Add(-1)
	if s.watch == nil {
		s.watch, s.timer = partition.NewWatch(), time.NewTimer(patience)
	} else {
		s.timer.Reset(patience)
	}
	defer s.timer.Stop()
	for i := range s.items {
		s.watch.Add(s.items[i].part)
	}
	defer s.watch.Clear()
	for !h.readItems(c) {
		select {
		case <-s.watch.Signal():
			h.findItems(c, byID) // a topic may have gone
		case <-s.timer.C:
			h.readItems(c)
			return
		case <-ctx.Done():
			return
		}
	}
}

// answerFetch writes the answer, records read straight from the segments into it.
func (h *Handler) answerFetch(ctx context.Context, c *Call, s *session) error {
	incremental := s != nil && c.fetch.view.SessionEpoch > 0
	topics, size, err := h.makeRoom(ctx, c, incremental)
	if err != nil {
		return err
	}
	w := &c.fetch.writer
	sessionID := int32(0)
	if s != nil && !s.ended {
		sessionID = s.id
	}
	w.Begin(c.begin(size), c.header.Version, 0, wire.None, sessionID, topics)
	for i := 0; i < len(c.fetch.items); {
		i = h.writeTopic(c, i)
	}
	c.end(w.End(nil))
	if s != nil && len(s.parts) > 0 {
		s.serveAt = (s.serveAt + c.fetch.served()) % len(s.parts)
	}
	return nil
}

// makeRoom takes the memory that the answer needs. Where a large one would have to wait it becomes a small one first: many
// clients may have asked at once, while there was memory for each of them alone.
func (h *Handler) makeRoom(ctx context.Context, c *Call, incremental bool) (topics, size int, err error) {
	topics, size = c.fetch.shape(incremental)
	if size > shortAnswer {
		taken, ok := h.options.Answers.TryTake(int64(size))
		if ok {
			c.reserved = taken
			return topics, size, nil
		}
		c.fetch.short = true
		h.readItems(c)
		c.fetch.short = false
		topics, size = c.fetch.shape(incremental)
	}
	return topics, size, h.reserveAnswer(ctx, c, size)
}

// shape decides which items the answer holds and returns the number of its topics, one for each run of partitions of
// the same topic, and about how many bytes it takes.
func (s *fetchScratch) shape(incremental bool) (topics, size int) {
	var last *fetchItem
	size = 64
	for i := range s.items {
		it := &s.items[i]
		it.skip = incremental && !it.news()
		if it.skip {
			continue
		}
		if last == nil || !last.sameTopic(it) {
			topics++
			size += 32 + len(it.name)
		}
		size += 64 + 16*len(it.found.Aborted) + it.found.Span.Len
		last = it
	}
	return topics, size
}

func (it *fetchItem) sameTopic(o *fetchItem) bool {
	return it.id == o.id && string(it.name) == string(o.name)
}

// news reports whether the item holds something its session was not told yet.
func (it *fetchItem) news() bool {
	t, r := it.told, &it.found
	return r.Code != wire.None || r.Span.Len > 0 || !t.told ||
		t.highWatermark != r.HighWatermark || t.lastStable != r.LastStable || t.start != r.LogStart
}

// served counts the leading items up to the last one that gave records: the next answer starts behind them.
func (s *fetchScratch) served() (n int) {
	for i := range s.items {
		if s.items[i].found.Span.Len > 0 {
			n = i + 1
		}
	}
	return n
}

// writeTopic writes the run of partitions of one topic that starts at item i and returns where the next run starts.
func (h *Handler) writeTopic(c *Call, i int) (next int) {
	items := c.fetch.items
	first, count := -1, 0
	for next = i; next < len(items); next++ {
		it := &items[next]
		if it.skip {
			continue
		}
		if first < 0 {
			first = next
		} else if !items[first].sameTopic(it) {
			break
		}
		count++
	}
	if count == 0 {
		return next
	}
	c.fetch.writer.Topic(items[first].name, items[first].id, count)
	for k := first; k < next; k++ {
		if !items[k].skip {
			h.writeItem(c, &items[k])
		}
	}
	return next
}

func (h *Handler) writeItem(c *Call, it *fetchItem) {
	r := &it.found
	w := &c.fetch.writer
	head := wire.FetchError(it.query.Index, r.Code)
	if r.Code == wire.None {
		head.HighWatermark, head.LastStable, head.LogStart = r.HighWatermark, r.LastStable, r.LogStart
	}
	if c.fetch.view.Isolation == 1 {
		head.Aborted = c.fetch.abortedOf(r)
	}
	switch r.Code {
	case wire.OffsetOutOfRange:
		h.outOfRange(c, it)
	case wire.None:
		h.noteStart(c, it)
	}
	h.check(c.header.Key, r.Code)
	records := w.Partition(head, r.Span.Len)
	if r.Span.Len > 0 {
		if err := r.Span.ReadAt(records); err != nil {
			code := partition.ReadCode(err)
			w.Undo()
			if code == wire.CorruptMessage && it.upToDamage(c) {
				h.writeItem(c, it)
				return
			}
			h.check(c.header.Key, code)
			w.Partition(wire.FetchError(it.query.Index, code), 0)
			return
		}
		it.part.Topic.Fetched.Add(int64(r.Span.Len))
	}
	if it.told != nil {
		it.told.told = true
		it.told.highWatermark, it.told.lastStable, it.told.start = r.HighWatermark, r.LastStable, r.LogStart
	}
}

// upToDamage looks again after a read met damage, which is known now, and reports whether there are records before it: a
// client must not take them for damaged, too.
func (it *fetchItem) upToDamage(c *Call) bool {
	again := it.part.Read(partition.ReadRequest{
		Offset: it.query.FetchOffset, CurrentEpoch: it.query.CurrentLeaderEpoch, MaxBytes: it.found.Span.Len, ReadCommitted: c.fetch.view.Isolation == 1,
	})
	if again.Code != wire.None || again.Span.Len == 0 || again.Span.Len >= it.found.Span.Len {
		return false
	}
	it.found = again
	return true
}

// abortedOf lists a reading's aborted transactions; not nil, as read_committed answers have a list even where empty.
func (s *fetchScratch) abortedOf(r *partition.Reading) []wire.Aborted {
	s.aborted = s.aborted[:0]
	for _, a := range r.Aborted {
		s.aborted = append(s.aborted, wire.Aborted{ProducerID: a.ProducerID, FirstOffset: a.FirstOffset})
	}
	if s.aborted == nil {
		s.aborted = []wire.Aborted{}
	}
	return s.aborted
}

// refuseFetch answers the whole request with code: in its own field where the version has one, else on each partition.
func (h *Handler) refuseFetch(c *Call, code wire.Code) {
	h.check(c.header.Key, code)
	w := &c.fetch.writer
	topics := c.fetch.view.Topics
	if c.header.Version >= 7 {
		topics = nil
	}
	w.Begin(c.begin(64), c.header.Version, 0, code, 0, len(topics))
	for i := range topics {
		t := &topics[i]
		w.Topic(t.Name, t.ID, len(t.Partitions))
		for j := range t.Partitions {
			w.Partition(wire.FetchError(t.Partitions[j].Index, code), 0)
		}
	}
	c.end(w.End(nil))
}
