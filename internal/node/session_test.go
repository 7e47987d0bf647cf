package node_test

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/node"
	"holdfast/internal/proto/wire"
)

// fetchSession is a client's side of a fetch session over version 12 (names) or 13 (ids).
type fetchSession struct {
	t       *testing.T
	c       *raw
	version int16
	ids     map[string][16]byte
	id      int32
	epoch   int32
}

func openSession(t *testing.T, n *node.Node, version int16, topics ...string) *fetchSession {
	s := &fetchSession{t: t, c: dial(t, n), version: version, ids: map[string][16]byte{}}
	for _, name := range topics {
		s.ids[name] = metadataOf(t, s.c, name).TopicID
	}
	return s
}

// request is the session's next request.
func (s *fetchSession) request(where []at, forget ...at) *kmsg.FetchRequest {
	q := fetchOf(s.version, 0, 0, where...)
	for i := range q.Topics {
		q.Topics[i].TopicID = s.ids[q.Topics[i].Topic]
	}
	q.SessionID, q.SessionEpoch = s.id, s.epoch
	for _, w := range forget {
		f := kmsg.NewFetchRequestForgottenTopic()
		f.Topic, f.TopicID, f.Partitions = w.topic, s.ids[w.topic], []int32{w.partition}
		q.ForgottenTopics = append(q.ForgottenTopics, f)
	}
	return q
}

// fetch asks for what changed and says which partitions the answer holds, by name and number.
func (s *fetchSession) fetch(where []at, forget ...at) (code wire.Code, parts map[at]kmsg.FetchResponseTopicPartition) {
	s.t.Helper()
	r := s.c.ask(s.request(where, forget...)).(*kmsg.FetchResponse)
	for i := range r.Topics {
		for name, id := range s.ids {
			if s.version >= 13 && id == r.Topics[i].TopicID {
				r.Topics[i].Topic = name
			}
		}
	}
	if r.ErrorCode == 0 {
		s.id, s.epoch = r.SessionID, s.epoch+1
	}
	return wire.Code(r.ErrorCode), fetched(r)
}

func (s *fetchSession) want(parts map[at]kmsg.FetchResponseTopicPartition, want ...at) {
	s.t.Helper()
	if len(parts) != len(want) {
		s.t.Errorf("the answer holds %d partitions %v, want %v", len(parts), parts, want)
	}
	for _, w := range want {
		if _, ok := parts[w]; !ok {
			s.t.Errorf("the answer lacks %s-%d", w.topic, w.partition)
		}
	}
}

func TestFetchSession(t *testing.T) {
	for _, version := range []int16{7, 12, 13, 18} {
		n := start(t, t.TempDir())
		createTopic(t, n, "a", 3)
		createTopic(t, n, "b", 1)
		s := openSession(t, n, version, "a", "b")
		a0, a1, a2, b0 := at{topic: "a"}, at{topic: "a", partition: 1}, at{topic: "a", partition: 2}, at{topic: "b"}

		_, parts := s.fetch([]at{a0, a1, b0})
		s.want(parts, a0, a1, b0)
		if s.id == 0 {
			t.Fatalf("version %d: no session", version)
		}
		_, parts = s.fetch(nil)
		s.want(parts) // nothing is new

		fill(t, n, "a", 1, 1)
		_, parts = s.fetch(nil)
		s.want(parts, a1)
		_, parts = s.fetch([]at{{topic: "a", partition: 1, offset: 3}}) // go on behind what was read
		s.want(parts)

		fill(t, n, "a", 2, 1)
		_, parts = s.fetch([]at{a2}) // add one
		s.want(parts, a2)
		if got := offsets(t, parts[a2].RecordBatches); !slices.Equal(got, []int64{0}) {
			t.Errorf("batches at %v", got)
		}
		_, parts = s.fetch([]at{{topic: "a", partition: 2, offset: 3}}, a1) // change one, forget another
		s.want(parts)
		fill(t, n, "a", 1, 1)
		fill(t, n, "b", 0, 1)
		_, parts = s.fetch(nil)
		s.want(parts, b0)
	}
}

// An error is told each time until it is over.
func TestFetchSessionRepeatsErrors(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "a", 1)
	s := openSession(t, n, 12, "a")
	missing := at{topic: "a", partition: 9}
	_, parts := s.fetch([]at{missing})
	s.want(parts, missing)
	_, parts = s.fetch(nil)
	s.want(parts, missing)
	if code := wire.Code(parts[missing].ErrorCode); code != wire.UnknownTopicOrPartition {
		t.Errorf("answered %v", code)
	}
}

func TestFetchSessionErrors(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "a", 1)
	a0 := at{topic: "a"}
	s := openSession(t, n, 12, "a")
	s.fetch([]at{a0})
	good := *s

	s.epoch++
	if code, _ := s.fetch(nil); code != wire.InvalidFetchSessionEpoch {
		t.Errorf("an epoch too far: %v", code)
	}
	s.epoch = good.epoch
	s.version = 13
	if code, _ := s.fetch(nil); code != wire.FetchSessionTopicIDError {
		t.Errorf("ids in a session of names: %v", code)
	}
	s.version, s.epoch = 12, good.epoch
	if code, _ := s.fetch(nil); code != wire.None {
		t.Errorf("the session after errors: %v", code)
	}
	s.id++
	if code, _ := s.fetch(nil); code != wire.FetchSessionIDNotFound {
		t.Errorf("an id of no session: %v", code)
	}

	s.id = good.id
	s.epoch = -1 // the client ends it
	if code, parts := s.fetch([]at{a0}); code != wire.None || len(parts) != 1 || s.id != 0 {
		t.Errorf("the last request of a session: %v with %d partitions, session %d", code, len(parts), s.id)
	}
	s.id, s.epoch = good.id, good.epoch+1
	if code, _ := s.fetch(nil); code != wire.FetchSessionIDNotFound {
		t.Errorf("a session that was ended: %v", code)
	}
}

// A new session of the same client replaces its old one.
func TestFetchSessionBeginsAnew(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "a", 1)
	s := openSession(t, n, 12, "a")
	s.fetch([]at{{topic: "a"}})
	old := *s
	s.epoch = 0
	if _, parts := s.fetch([]at{{topic: "a"}}); len(parts) != 1 || s.id == old.id {
		t.Errorf("%d partitions, session %d after %d", len(parts), s.id, old.id)
	}
	if code, _ := old.fetch(nil); code != wire.FetchSessionIDNotFound {
		t.Errorf("the old session: %v", code)
	}
}

// A session without partitions ends, as in Kafka.
func TestFetchSessionEndsEmpty(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "a", 1)
	s := openSession(t, n, 12, "a")
	s.fetch([]at{{topic: "a"}})
	if code, parts := s.fetch(nil, at{topic: "a"}); code != wire.None || len(parts) != 0 || s.id != 0 {
		t.Errorf("%v with %d partitions, session %d; want no session", code, len(parts), s.id)
	}
}

// Where all slots are taken by sessions in use, the next client goes on without one.
func TestFetchSessionSlots(t *testing.T) {
	n := start(t, t.TempDir(), "max.incremental.fetch.session.cache.slots=2")
	createTopic(t, n, "a", 1)
	for i, want := range []bool{true, true, false} {
		s := openSession(t, n, 12, "a")
		if _, parts := s.fetch([]at{{topic: "a"}}); len(parts) != 1 || (s.id != 0) != want {
			t.Errorf("client %d: %d partitions, session %d", i, len(parts), s.id)
		}
	}
}

// A full answer does not starve the partitions behind it: the next one starts where it ended.
func TestFetchSessionTakesTurns(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "a", 3)
	var all []at
	for i := range int32(3) {
		fill(t, n, "a", i, 1)
		all = append(all, at{topic: "a", partition: i})
	}
	s := openSession(t, n, 12, "a")
	seen := map[at]bool{}
	for round := range 3 {
		q := s.request(nil)
		if round == 0 {
			q = s.request(all)
		}
		q.MaxBytes = 1 // one batch
		r := s.c.ask(q).(*kmsg.FetchResponse)
		s.id, s.epoch = r.SessionID, s.epoch+1
		for w, p := range fetched(r) {
			if len(p.RecordBatches) > 0 {
				seen[w] = true
			}
		}
	}
	if len(seen) != 3 {
		t.Errorf("three answers of one batch each served %v, want each partition once", seen)
	}
}
