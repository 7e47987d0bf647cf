package handler

import (
	"slices"
	"sync"
	"time"

	"holdfast/internal/base/metrics"
	"holdfast/internal/proto/wire"
)

// A fetch session remembers which partitions a client reads and what it was told of each, so that a request names only
// what changed and an answer holds only what moved (KIP-227).
//
// Sessions live in one cache, bounded by max.incremental.fetch.session.cache.slots. When it is full, the session that
// has been idle the longest makes room if it has been idle for idleBeforeEviction; otherwise the new client goes on
// without a session, which is always correct and only costs bytes. The same goes for the partitions of all sessions
// together, since a client may name any number of them.
const (
	idleBeforeEviction = 2 * time.Minute
	partitionBytes     = 512 // that a partition takes in a session, about
)

type sessions struct {
	slots   int
	most    int          // partitions of all sessions
	newID   func() int32 // random
	evicted metrics.Counter

	mu    sync.Mutex
	byID  map[int32]*session
	parts int // of all sessions
}

type session struct {
	id      int32
	usesIDs bool      // topics by id, as from version 13
	used    time.Time // guarded by sessions.mu
	counted int       // its share of sessions.parts; guarded by sessions.mu

	mu      sync.Mutex // one request at a time; never waited for under sessions.mu
	epoch   int32      // that the next request must carry
	parts   []sessionPartition
	index   map[sessionKey]int
	serveAt int  // where the next answer starts, so that a full answer does not starve the rest
	ended   bool // the answer tells the client to begin anew
}

type sessionKey struct {
	name  string
	id    [16]byte
	index int32
}

// sessionPartition is one partition of a session and what the client was last told of it.
type sessionPartition struct {
	name  []byte
	query wire.FetchPartition
	id    [16]byte

	told                             bool
	highWatermark, lastStable, start int64
}

// open finds the session a request names, or makes the one it asks for. It returns nil with None where the request has,
// or gets, no session. The session comes locked; close unlocks it.
func (s *sessions) open(f *wire.Fetch, byID bool, now time.Time) (*session, wire.Code) {
	if f.SessionEpoch <= 0 { // -1: no session wanted; 0: a new one
		s.drop(f.SessionID)
		if f.SessionEpoch < 0 {
			return nil, wire.None
		}
		return s.create(f, byID, now), wire.None
	}
	s.mu.Lock()
	found := s.byID[f.SessionID]
	if found != nil {
		found.used = now
	}
	s.mu.Unlock()
	if found == nil {
		return nil, wire.FetchSessionIDNotFound
	}
	found.mu.Lock()
	switch {
	case found.epoch != f.SessionEpoch:
		found.mu.Unlock()
		return nil, wire.InvalidFetchSessionEpoch
	case found.usesIDs != byID:
		found.mu.Unlock()
		return nil, wire.FetchSessionTopicIDError
	}
	found.epoch = nextEpoch(found.epoch)
	found.update(f)
	s.recount(found)
	return found, wire.None
}

// recount notes how many partitions a session holds now. One that holds none any more ends, as in Kafka, and so does
// one that has grown beyond what there is room for.
func (s *sessions) recount(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[c.id] != c {
		return
	}
	s.parts += len(c.parts) - c.counted
	c.counted = len(c.parts)
	if len(c.parts) == 0 || s.parts > s.most {
		c.ended = true
		s.remove(c)
	}
}

// remove forgets a session. Under s.mu.
func (s *sessions) remove(c *session) {
	delete(s.byID, c.id)
	s.parts -= c.counted
}

func nextEpoch(e int32) int32 {
	if e == 1<<31-1 {
		return 1
	}
	return e + 1
}

func (s *sessions) drop(id int32) {
	if id == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.byID[id]; c != nil {
		s.remove(c)
	}
}

// create returns a new session, locked, or nil where there is no room. An empty request gets none.
func (s *sessions) create(f *wire.Fetch, byID bool, now time.Time) *session {
	if len(f.Topics) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := 0
	for i := range f.Topics {
		asked += len(f.Topics[i].Partitions)
	}
	if s.parts+asked > s.most || len(s.byID) >= s.slots && !s.evict(now) {
		return nil
	}
	id := s.newID()
	for s.byID[id] != nil || id == 0 {
		id = s.newID()
	}
	made := &session{id: id, usesIDs: byID, epoch: 1, used: now, index: map[sessionKey]int{}}
	made.mu.Lock()
	made.update(f)
	made.counted = len(made.parts)
	s.parts += made.counted
	s.byID[id] = made
	return made
}

func (s *sessions) evict(now time.Time) bool {
	var oldest *session
	for _, c := range s.byID {
		if oldest == nil || c.used.Before(oldest.used) {
			oldest = c
		}
	}
	if oldest == nil || now.Sub(oldest.used) < idleBeforeEviction {
		return false
	}
	s.remove(oldest)
	s.evicted.Inc()
	return true
}

// count is the number of sessions.
func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID)
}

// update takes over what a request adds, changes and forgets.
func (s *session) update(f *wire.Fetch) {
	for i := range f.Topics {
		t := &f.Topics[i]
		for j := range t.Partitions {
			s.set(t.Name, t.ID, &t.Partitions[j])
		}
	}
	if len(f.Forgotten) > 0 {
		s.forget(f.Forgotten)
	}
}

func (s *session) set(name []byte, id [16]byte, q *wire.FetchPartition) {
	if at, ok := s.index[sessionKey{string(name), id, q.Index}]; ok {
		s.parts[at].query = *q
		return
	}
	s.index[sessionKey{string(name), id, q.Index}] = len(s.parts)
	s.parts = append(s.parts, sessionPartition{name: slices.Clone(name), id: id, query: *q})
}

func (s *session) forget(topics []wire.ForgottenTopic) {
	for i := range topics {
		t := &topics[i]
		for _, index := range t.Partitions {
			delete(s.index, sessionKey{string(t.Name), t.ID, index})
		}
	}
	kept := s.parts[:0]
	for _, p := range s.parts {
		key := sessionKey{string(p.name), p.id, p.query.Index}
		if _, ok := s.index[key]; ok {
			s.index[key] = len(kept)
			kept = append(kept, p)
		}
	}
	clear(s.parts[len(kept):])
	s.parts = kept
	s.serveAt = 0
}
