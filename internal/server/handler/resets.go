package handler

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/base/event"
	"holdfast/internal/core/image"
)

// resets notices consumers that start reading where no commit tells them to: their group had committed nothing for the
// partition, or what they asked for was not there. A consumer asks for its offsets, is answered that there is none, looks
// for one by its auto.offset.reset, and fetches: there it starts. Tools that only look never fetch.
//
// Who a client is, is what it says and where it comes from; two groups that say the same are not told apart, and then
// none is named. Safe for concurrent use; fetches take no lock while nobody is about to start.
type resets struct {
	about  atomic.Int64 // len(starts)
	mu     sync.Mutex
	starts map[start]pending
	groups map[who]string // the group whose offsets a client asked for; "" for several
	swept  time.Time
}

type who struct {
	client string
	host   netip.Addr
}

type start struct {
	who
	topic     string
	partition int32
}

type pending struct {
	group  string
	before int64 // the offset that was not there; -1: none was committed
	at     time.Time
}

const (
	maxStarts     = 10_000          // partitions that somebody is about to start reading; more are not noticed
	maxClients    = 10_000          // clients whose group is known
	startPatience = 5 * time.Minute // who does not fetch for longer does not start
)

func newResets() *resets { return &resets{starts: map[start]pending{}, groups: map[who]string{}} }

func (c *Call) whoami() who {
	return who{string(c.header.ClientID), c.Client.Address.Addr()}
}

// belongs notes the group of a client.
func (r *resets) belongs(w who, group string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.groups[w]
	switch {
	case ok && known != group:
		r.groups[w] = ""
	case !ok && len(r.groups) < maxClients:
		r.groups[w] = group
	case !ok:
		for old := range r.groups { // order-free: whoever it is, its group is asked for again one day
			delete(r.groups, old)
			break
		}
		r.groups[w] = group
	}
}

// groupOf is the group that a client belongs to; "" where it is not known.
func (r *resets) groupOf(w who) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.groups[w]
}

// expect notes that the client is about to start somewhere.
func (r *resets) expect(s start, p pending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep(p.at)
	if old, ok := r.starts[s]; ok && old.group != p.group {
		p.group = "" // two of the same name
	}
	if len(r.starts) < maxStarts {
		r.starts[s] = p
	}
	r.about.Store(int64(len(r.starts)))
}

// forget: the client was told where to go on.
func (r *resets) forget(s start) {
	if r.about.Load() == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.starts, s)
	r.about.Store(int64(len(r.starts)))
}

// started reports that a client starts here, if it does. It allocates nothing where it does not.
func (r *resets) started(client []byte, host netip.Addr, topic string, partition int32, now time.Time) (pending, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep(now)
	p, ok := r.starts[start{who{string(client), host}, topic, partition}]
	if ok {
		delete(r.starts, start{who{string(client), host}, topic, partition})
	}
	r.about.Store(int64(len(r.starts)))
	return p, ok
}

func (r *resets) sweep(now time.Time) {
	if now.Sub(r.swept) < startPatience {
		return
	}
	r.swept = now
	for s, p := range r.starts { // order-free
		if now.Sub(p.at) >= startPatience {
			delete(r.starts, s)
		}
	}
}

// noteFetched looks at what a client learns of the offsets of groups. Where it asked for every offset there is, it does
// not learn of any that is missing.
func (h *Handler) noteFetched(c *Call, q *kmsg.OffsetFetchRequest, r *kmsg.OffsetFetchResponse) {
	if q.Version < 8 {
		topics := make([]kmsg.OffsetFetchResponseGroupTopic, 0, len(r.Topics))
		for _, t := range r.Topics {
			of := kmsg.OffsetFetchResponseGroupTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				of.Partitions = append(of.Partitions, kmsg.OffsetFetchResponseGroupTopicPartition{Partition: p.Partition, Offset: p.Offset, ErrorCode: p.ErrorCode})
			}
			topics = append(topics, of)
		}
		if r.ErrorCode == 0 && q.Topics != nil {
			h.noteGroup(c, q.Group, topics)
		}
		return
	}
	named := map[string]bool{}
	for i := range q.Groups {
		named[q.Groups[i].Group] = q.Groups[i].Topics != nil
	}
	for i := range r.Groups {
		if g := &r.Groups[i]; g.ErrorCode == 0 && named[g.Group] {
			h.noteGroup(c, g.Group, g.Topics)
		}
	}
}

func (h *Handler) noteGroup(c *Call, group string, topics []kmsg.OffsetFetchResponseGroupTopic) {
	w := c.whoami()
	h.resets.belongs(w, group)
	for i := range topics {
		t := &topics[i]
		if t.Topic == "" {
			if of := h.image().TopicByID(image.TopicID(t.TopicID)); of != nil {
				t.Topic = of.Name
			}
		}
		for _, p := range t.Partitions {
			s := start{w, t.Topic, p.Partition}
			switch {
			case p.ErrorCode != 0 || t.Topic == "":
			case p.Offset < 0:
				h.resets.expect(s, pending{group, -1, h.now()})
			default:
				h.resets.forget(s)
			}
		}
	}
}

// noteStart tells of a fetch that is the first of a consumer which no commit told where to start.
func (h *Handler) noteStart(c *Call, it *fetchItem) {
	if h.resets.about.Load() == 0 || it.part == nil {
		return
	}
	p, ok := h.resets.started(c.header.ClientID, c.Client.Address.Addr(), it.part.Topic.Name, it.part.Index, h.now())
	if !ok {
		return
	}
	at, first, end := it.query.FetchOffset, it.found.LogStart, it.found.HighWatermark
	skipped, repeated := max(at-first, 0), int64(0)
	if p.before >= 0 {
		skipped, repeated = max(at-p.before, 0), max(min(p.before, end)-at, 0)
	}
	h.options.Events.Emit(h.event(event.KindOffsetReset, c).In(it.part.Topic.Name, it.part.Index).Of(p.group).
		Number("before", p.before).Number("offset", at).Number("log_start", first).Number("log_end", end).
		Number("skipped", skipped).Number("repeated", repeated))
}
