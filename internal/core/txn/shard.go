package txn

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"holdfast/internal/core/shard"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Shard is the state of one partition of __transaction_state. It is not safe for concurrent use.
type Shard struct {
	cfg  Config
	txns map[string]*Transaction

	// What a restart forgets.
	epoch  leads
	parked map[string][]parked // requests that wait for a transaction to complete, oldest first
	ids    reserve
}

// leads is volatile: the leader epoch in which the shard serves. Markers carry it, so that a partition refuses those of a
// coordinator that was replaced.
type leads int32

// Encode gives nothing.
func (leads) Encode() (key, value []byte) { return nil, nil }

// New returns an empty shard.
func New(cfg Config) *Shard {
	return &Shard{cfg: cfg, txns: map[string]*Transaction{}, parked: map[string][]parked{}}
}

// WriteMarkers is a task: write the end of a transaction to all its partitions. It is done when each of them has
// committed the marker, or does not exist any more; then comes MarkersWritten. It is tried until then, or until the
// shard is unloaded. A marker that is written twice does no harm before MarkersWritten.
type WriteMarkers struct {
	ID               string // transactional id
	ProducerID       int64
	Epoch            int16 // that of the marker; by protocol 2 above that of the transaction's records
	Commit           bool
	Bumped           bool // the epoch is known to be above that of the records: a marker that does not raise it is a late one
	CoordinatorEpoch int32
	Partitions       []Partition // not to be changed
}

// MarkersWritten is a command: a WriteMarkers task is done.
type MarkersWritten struct {
	ID         string
	ProducerID int64
	Epoch      int16
}

// AllocateProducerIDs is a task: get a block of producer ids that were never given out. ProducerIDs answers it.
type AllocateProducerIDs struct{}

// ProducerIDs is a command: a block of producer ids, from First on; none if Count is 0, since they could not be had.
type ProducerIDs struct {
	First int64
	Count int32
}

// Decide answers cmd from the state as it is and says what must become true. It changes nothing.
func (s *Shard) Decide(now time.Time, cmd shard.Command) shard.Outcome {
	t := &turn{s: s, now: now, cmd: &cmd, epoch: s.epoch, ids: s.ids, txns: map[string]*Transaction{}, parked: map[string][]parked{}}
	switch r := cmd.Request.(type) {
	case *kmsg.InitProducerIDRequest, *kmsg.AddPartitionsToTxnRequest, *kmsg.EndTxnRequest:
		t.serve(parked{call: cmd.Call, request: r.(kmsg.Request)})
	case *kmsg.DescribeTransactionsRequest:
		t.reply(cmd.Call, t.describe(r))
	case *kmsg.ListTransactionsRequest:
		t.reply(cmd.Call, t.list(r))
	case *MarkersWritten:
		t.markersWritten(r)
	case *ProducerIDs:
		t.producerIDs(r)
	case *shard.Fired:
		t.fired(r.Timer.(TimerKey))
	case *shard.Loaded:
		t.loaded(r.Epoch)
	case *shard.TopicsDeleted, *shard.MetadataChanged:
	default:
		panic(fmt.Sprintf("txn: no command %T", r))
	}
	return t.close()
}

// Apply makes a record part of the state. It cannot fail: a record that was decided, or is in the log, is a fact.
func (s *Shard) Apply(_ int64, record shard.Record) {
	switch r := record.(type) {
	case *Record:
		if r.Value == nil {
			delete(s.txns, r.ID)
		} else {
			s.txns[r.ID] = r.Value
		}
	case *waits:
		if len(r.list) == 0 {
			delete(s.parked, r.id)
		} else {
			s.parked[r.id] = r.list
		}
	case *reserve:
		s.ids = *r
	case leads:
		s.epoch = r
	case *shard.Marker: // there are none in this log
	default:
		panic(fmt.Sprintf("txn: no record %T", r))
	}
}

// Snapshot writes the state in its canonical form: the shortest log that leads to it, sorted. Each entry is
//
//	length of key 4, of value 4, key, value
//
// in big-endian order. Who waits, and the producer ids in reserve, are not part of it: a restart forgets them.
func (s *Shard) Snapshot(w io.Writer) error {
	var b []byte
	for _, id := range s.names() {
		key, value := (&Record{id, s.txns[id]}).Encode()
		b = binary.BigEndian.AppendUint32(b, uint32(len(key)))
		b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
		b = append(append(b, key...), value...)
	}
	_, err := w.Write(b)
	return err
}

func (s *Shard) names() []string { return slices.Sorted(maps.Keys(s.txns)) }

// Len is the number of transactional ids, for metrics.
func (s *Shard) Len() int { return len(s.txns) }

// turn is one decision as it comes about. What it changes it sees changed, so that one command can take several steps:
// a transaction completes, and those who waited for that go on.
type turn struct {
	s   *Shard
	now time.Time
	cmd *shard.Command
	out shard.Outcome

	epoch  leads
	txns   map[string]*Transaction // changed in this turn
	parked map[string][]parked     // changed in this turn
	ids    reserve
}

func (t *turn) reply(call shard.Call, resp kmsg.Response) {
	t.out.Replies = append(t.out.Replies, shard.Reply{Call: call, Response: resp})
}

func (t *turn) get(id string) *Transaction {
	if x, ok := t.txns[id]; ok {
		return x
	}
	return t.s.txns[id]
}

// put makes x what is known of its id, and sets going what follows from its state.
func (t *turn) put(x *Transaction) {
	t.txns[x.ID] = x
	t.out.Records = append(t.out.Records, &Record{x.ID, x})
	switch {
	case x.State == Ongoing:
		t.arm(TimerTimeout, x.ID, x.deadline())
	case x.completing():
		t.arm(TimerTimeout, x.ID, time.Time{})
		t.writeMarkers(x)
	}
}

func (t *turn) writeMarkers(x *Transaction) {
	t.out.Tasks = append(t.out.Tasks, &WriteMarkers{
		ID: x.ID, ProducerID: x.ProducerID, Epoch: x.Epoch, Commit: x.committed(), Bumped: x.Version >= protocol2,
		CoordinatorEpoch: int32(t.epoch), Partitions: x.Partitions,
	})
}

// close hands over what a restart forgets, in an order that does not change.
func (t *turn) close() shard.Outcome {
	for _, id := range slices.Sorted(maps.Keys(t.parked)) {
		t.out.Records = append(t.out.Records, &waits{id, t.parked[id]})
		t.armPatience(id)
	}
	if !t.ids.same(&t.s.ids) {
		ids := t.ids
		t.out.Records = append(t.out.Records, &ids)
	}
	return t.out
}

// markersWritten completes a transaction, and lets those go on who waited for that.
func (t *turn) markersWritten(m *MarkersWritten) {
	x := t.get(m.ID)
	if x == nil || !x.completing() || x.ProducerID != m.ProducerID || x.Epoch != m.Epoch {
		return // told again
	}
	t.put(x.completed(t.now))
	t.wake(m.ID)
}
