package producer

import (
	"cmp"
	"math"
	"slices"
)

const (
	// NoSequence is the sequence of a batch or producer that has none.
	NoSequence int32 = -1
	// NoOffset marks "no open transaction".
	NoOffset int64 = -1
	// Remembered is how many batches of one producer are known by their sequences. Clients keep at most five requests
	// in flight, so any retry falls within them.
	Remembered = 5
)

// Batch is what the state needs of one data batch.
type Batch struct {
	ProducerID              int64
	Epoch                   int16
	FirstSeq, LastSeq       int32
	FirstOffset, LastOffset int64 // set for Update; Check does not read them
	TimestampMs             int64 // the batch's largest timestamp; answered again for a duplicate
	Transactional           bool
}

// Marker is the end of a transaction: a COMMIT or ABORT control record.
type Marker struct {
	ProducerID       int64
	Epoch            int16
	CoordinatorEpoch int32
	Offset           int64
	TimestampMs      int64
	Abort            bool
	Bumped           bool // the epoch is above that of the transaction's records (protocol 2); read by CheckMarker only
}

// Completed is a transaction that a marker ended. LastStable is the last stable offset once it has ended: the first
// offset of the oldest other open transaction, or the offset after the marker.
type Completed struct {
	ProducerID              int64
	FirstOffset, LastOffset int64 // LastOffset is the marker's
	LastStable              int64
	Abort                   bool
}

// Kind is the answer of Check.
type Kind uint8

const (
	Append             Kind = iota // take it
	Duplicate                      // it is in the log already: answer with Verdict's offsets
	OutOfOrderSequence             // a gap, or a new epoch that does not begin at zero
	InvalidEpoch                   // an older epoch than the partition has seen: a zombie
	InvalidTxnState                // a plain batch, or one of a newer epoch, inside the producer's own open transaction
	CoordinatorFenced              // a marker of an older transaction coordinator
)

var kindNames = [...]string{"append", "duplicate", "out of order sequence", "invalid producer epoch", "invalid transaction state", "coordinator fenced"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Verdict is the answer of Check. For a Duplicate the offsets and the timestamp are those of the first attempt. For a
// refusal KnownEpoch and KnownSeq say what the partition has, for the error message.
type Verdict struct {
	Kind                    Kind
	FirstOffset, LastOffset int64
	TimestampMs             int64
	KnownEpoch              int16
	KnownSeq                int32
}

// BatchMeta is one remembered batch. OffsetDelta is last offset minus first, and last sequence minus first.
type BatchMeta struct {
	LastSeq     int32
	LastOffset  int64
	OffsetDelta int32
	TimestampMs int64
}

// FirstSeq is the batch's first sequence; sequences wrap from 2^31-1 to 0.
func (m BatchMeta) FirstSeq() int32 {
	if first := int64(m.LastSeq) - int64(m.OffsetDelta); first < 0 && m.LastSeq >= 0 {
		return int32(first + math.MaxInt32 + 1)
	}
	return m.LastSeq - m.OffsetDelta
}

// FirstOffset is the batch's first offset.
func (m BatchMeta) FirstOffset() int64 { return m.LastOffset - int64(m.OffsetDelta) }

// Entry is the whole state of one producer, as snapshots keep it. Batches are oldest first, at most Remembered.
type Entry struct {
	ProducerID       int64
	Epoch            int16
	CoordinatorEpoch int32 // -1 before the first marker
	TimestampMs      int64 // of the last batch or marker, as written in it
	SeenMs           int64 // when the partition last took something from this producer, on the broker's clock
	TxnFirstOffset   int64 // NoOffset when no transaction is open
	Batches          []BatchMeta
}

// known is one producer in memory; the batches are a ring without pointers.
type known struct {
	epoch       int16
	count, head uint8 // the oldest is at head
	coordinator int32
	timestampMs int64
	seenMs      int64
	txnFirst    int64
	ring        [Remembered]BatchMeta
}

func (k *known) at(i int) *BatchMeta { return &k.ring[(int(k.head)+i)%Remembered] }

func (k *known) lastSeq() int32 {
	if k.count == 0 {
		return NoSequence
	}
	return k.at(int(k.count) - 1).LastSeq
}

func (k *known) push(m BatchMeta) {
	if int(k.count) == Remembered {
		k.head = (k.head + 1) % Remembered
		k.count--
	}
	k.count++
	*k.at(int(k.count) - 1) = m
}

// enter moves to an epoch; the batches of another epoch cannot be retried any more.
func (k *known) enter(epoch int16) {
	if k.epoch != epoch {
		k.epoch, k.count, k.head = epoch, 0, 0
	}
}

// span is a transaction: open (last < 0) or ended at the marker's offset.
type span struct {
	producer, first, last int64
}

// State is what one partition knows of its producers. The zero value is ready.
type State struct {
	producers map[int64]*known
	open      []span // by first offset
	ended     []span // ended, marker perhaps not committed yet; by marker offset
	changed   bool   // since the last ClearChanged
}

// Len is the number of known producers.
func (s *State) Len() int { return len(s.producers) }

// Changed says whether anything changed since ClearChanged; it tells the log whether a new snapshot is worth writing.
func (s *State) Changed() bool { return s.changed }

// ClearChanged is called once a snapshot has been written.
func (s *State) ClearChanged() { s.changed = false }

// Knows tells whether the partition remembers the producer.
func (s *State) Knows(id int64) bool { return s.producers[id] != nil }

// InTransaction tells whether the producer has a transaction open here, in that epoch.
func (s *State) InTransaction(id int64, epoch int16) bool {
	k := s.producers[id]
	return k != nil && k.txnFirst != NoOffset && k.epoch == epoch
}

// Check decides about a data batch that a client wants to append. It changes nothing and does not allocate.
func (s *State) Check(b Batch) Verdict {
	k, ok := s.producers[b.ProducerID]
	if !ok {
		return Verdict{Kind: Append}
	}
	refuse := func(kind Kind) Verdict { return Verdict{Kind: kind, KnownEpoch: k.epoch, KnownSeq: k.lastSeq()} }
	if b.Epoch < k.epoch {
		return refuse(InvalidEpoch)
	}
	if b.Epoch > k.epoch {
		if b.FirstSeq != 0 {
			return refuse(OutOfOrderSequence)
		}
	} else {
		for i := range int(k.count) {
			if m := k.at(i); m.LastSeq == b.LastSeq && m.FirstSeq() == b.FirstSeq {
				return Verdict{Kind: Duplicate, FirstOffset: m.FirstOffset(), LastOffset: m.LastOffset, TimestampMs: m.TimestampMs}
			}
		}
		if !follows(k.lastSeq(), b.FirstSeq) {
			return refuse(OutOfOrderSequence)
		}
	}
	if k.txnFirst != NoOffset && (!b.Transactional || b.Epoch != k.epoch) {
		return refuse(InvalidTxnState) // the marker of what is open has to come first
	}
	return Verdict{Kind: Append}
}

func follows(last, first int32) bool {
	return int64(first) == int64(last)+1 || first == 0 && last == math.MaxInt32
}

// CheckEpoch decides about a batch without sequences, such as a coordinator writes in a producer's transaction.
func (s *State) CheckEpoch(id int64, epoch int16) Verdict {
	k, ok := s.producers[id]
	switch {
	case !ok || epoch == k.epoch:
		return Verdict{Kind: Append}
	case epoch < k.epoch:
		return Verdict{Kind: InvalidEpoch, KnownEpoch: k.epoch, KnownSeq: k.lastSeq()}
	case k.txnFirst != NoOffset:
		return Verdict{Kind: InvalidTxnState, KnownEpoch: k.epoch, KnownSeq: k.lastSeq()}
	default:
		return Verdict{Kind: Append}
	}
}

// CheckMarker decides about an end-of-transaction marker.
func (s *State) CheckMarker(m Marker) Verdict {
	k, ok := s.producers[m.ProducerID]
	switch {
	case !ok:
		return Verdict{Kind: Append}
	case m.Epoch < k.epoch:
		return Verdict{Kind: InvalidEpoch, KnownEpoch: k.epoch, KnownSeq: k.lastSeq()}
	case m.Bumped && m.Epoch == k.epoch && k.txnFirst != NoOffset: // it is of the transaction before
		return Verdict{Kind: InvalidEpoch, KnownEpoch: k.epoch, KnownSeq: k.lastSeq()}
	case m.CoordinatorEpoch < k.coordinator:
		return Verdict{Kind: CoordinatorFenced, KnownEpoch: k.epoch, KnownSeq: k.lastSeq()}
	}
	return Verdict{Kind: Append}
}

// Update records a data batch that is in the log now. nowMs is the broker's clock, used for expiry only. It takes
// whatever the log holds: what was appended is a fact, also where Check would refuse it (replication, replay).
func (s *State) Update(b Batch, nowMs int64) {
	k := s.know(b.ProducerID, b.Epoch)
	k.enter(b.Epoch)
	k.push(BatchMeta{LastSeq: b.LastSeq, LastOffset: b.LastOffset, OffsetDelta: int32(b.LastOffset - b.FirstOffset), TimestampMs: b.TimestampMs})
	k.timestampMs, k.seenMs = b.TimestampMs, nowMs
	if b.Transactional && k.txnFirst == NoOffset {
		k.txnFirst = b.FirstOffset
		s.open = insert(s.open, span{b.ProducerID, b.FirstOffset, -1})
	}
}

// UpdateMarker records an end-of-transaction marker that is in the log now. ok is false where the producer had no open
// transaction here.
func (s *State) UpdateMarker(m Marker, nowMs int64) (done Completed, ok bool) {
	k := s.know(m.ProducerID, m.Epoch)
	k.enter(m.Epoch)
	k.coordinator, k.timestampMs, k.seenMs = m.CoordinatorEpoch, m.TimestampMs, nowMs
	if k.txnFirst == NoOffset {
		return Completed{}, false
	}
	done = Completed{ProducerID: m.ProducerID, FirstOffset: k.txnFirst, LastOffset: m.Offset, LastStable: m.Offset + 1, Abort: m.Abort}
	k.txnFirst = NoOffset
	s.open = slices.DeleteFunc(s.open, func(t span) bool { return t.producer == m.ProducerID })
	if len(s.open) > 0 {
		done.LastStable = s.open[0].first
	}
	s.ended = append(s.ended, span{m.ProducerID, done.FirstOffset, m.Offset})
	return done, true
}

func (s *State) know(id int64, epoch int16) *known {
	s.changed = true
	k, ok := s.producers[id]
	if !ok {
		if s.producers == nil {
			s.producers = make(map[int64]*known)
		}
		k = &known{epoch: epoch, coordinator: -1, txnFirst: NoOffset}
		s.producers[id] = k
	}
	return k
}

func insert(open []span, t span) []span {
	i, _ := slices.BinarySearchFunc(open, t, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	return slices.Insert(open, i, t)
}

// FirstUndecided is the first offset of the oldest open transaction.
func (s *State) FirstUndecided() (offset int64, ok bool) {
	if len(s.open) == 0 {
		return 0, false
	}
	return s.open[0].first, true
}

// FirstUnstable is the first offset that a reader of committed records must not pass: of an open transaction, or of one
// whose marker is not below the high watermark. Transactions whose markers are below it are forgotten.
func (s *State) FirstUnstable(highWatermark int64) (offset int64, ok bool) {
	s.ended = slices.DeleteFunc(s.ended, func(t span) bool { return t.last < highWatermark })
	offset, ok = s.FirstUndecided()
	for _, t := range s.ended {
		if !ok || t.first < offset {
			offset, ok = t.first, true
		}
	}
	return offset, ok
}

// Expire forgets producers that the partition has not heard of for expiryMs and that have no open transaction. It
// returns how many.
func (s *State) Expire(nowMs, expiryMs int64) int {
	before := len(s.producers)
	for id, k := range s.producers { // order-free
		if k.txnFirst == NoOffset && nowMs-k.seenMs >= expiryMs {
			delete(s.producers, id)
		}
	}
	gone := before - len(s.producers)
	s.changed = s.changed || gone > 0
	return gone
}

// Entry is a copy of one producer's state.
func (s *State) Entry(id int64) (Entry, bool) {
	k, ok := s.producers[id]
	if !ok {
		return Entry{}, false
	}
	return k.entry(id), true
}

func (k *known) entry(id int64) Entry {
	e := Entry{ProducerID: id, Epoch: k.epoch, CoordinatorEpoch: k.coordinator, TimestampMs: k.timestampMs, SeenMs: k.seenMs, TxnFirstOffset: k.txnFirst}
	for i := range int(k.count) {
		e.Batches = append(e.Batches, *k.at(i))
	}
	return e
}

// Entries is a copy of the whole state, sorted by producer id.
func (s *State) Entries() []Entry {
	out := make([]Entry, 0, len(s.producers))
	for id, k := range s.producers { // order-free: sorted below
		out = append(out, k.entry(id))
	}
	slices.SortFunc(out, func(a, b Entry) int { return cmp.Compare(a.ProducerID, b.ProducerID) })
	return out
}

// Restore replaces the state by the entries of a snapshot.
func (s *State) Restore(entries []Entry) {
	*s = State{}
	if len(entries) == 0 {
		return
	}
	s.producers = make(map[int64]*known, len(entries))
	for _, e := range entries {
		k := &known{epoch: e.Epoch, coordinator: e.CoordinatorEpoch, timestampMs: e.TimestampMs, seenMs: e.SeenMs, txnFirst: NoOffset}
		for _, m := range e.Batches {
			k.push(m)
		}
		s.producers[e.ProducerID] = k
		if e.TxnFirstOffset >= 0 {
			k.txnFirst = e.TxnFirstOffset
			s.open = insert(s.open, span{e.ProducerID, e.TxnFirstOffset, -1})
		}
	}
}
