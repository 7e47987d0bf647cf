package shard

import (
	"errors"
	"io"
	"time"

	"holdfast/internal/base/event"
	"holdfast/internal/core/image"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Machine is the state of one shard and its rules. It is not safe for concurrent use.
type Machine interface {
	// Decide answers cmd from the state as it is and says what must become true. It changes nothing.
	Decide(now time.Time, cmd Command) Outcome

	// Apply makes a record part of the state. It cannot fail: a record that was decided, or is in the log, is a fact.
	// The offset is the record's place in the log; for a volatile one, that of the last record before it.
	Apply(offset int64, record Record)

	// Snapshot writes the state in its canonical form: equal states, as far as a restart keeps them, give equal bytes.
	Snapshot(w io.Writer) error
}

// Command is one thing asked of a machine.
type Command struct {
	// Request is a kmsg request, as a pointer, at the version it came in and to be answered at that version; or
	// *Fired, *Loaded, *TopicsDeleted, *MetadataChanged or a command of the machine's own, which answer nobody.
	// A request belongs to the machine from here on: its bytes may be kept.
	Request any

	Call   Call     // whom to answer; ignored for commands that answer nobody
	Client Client   // who asks
	Nonce  [16]byte // random; differs between commands
	Image  *image.Image
}

// Call names a caller to the host. The machine only hands it back.
type Call uint64

// Client is who asks, as far as it says and as the listener saw it.
type Client struct {
	ID   string // client.id
	Host string // address in Kafka's form, "/127.0.0.1"
}

// Fired says that a timer is due.
type Fired struct{ Timer TimerKey }

// Loaded says that every record of the log was applied and the shard serves from now on, in a leader epoch of its log's
// partition.
type Loaded struct{ Epoch int32 }

// TopicsDeleted says that topics are gone.
type TopicsDeleted struct{ Topics []DeletedTopic }

// DeletedTopic is one topic that is gone.
type DeletedTopic struct {
	Name string
	ID   image.TopicID
}

// MetadataChanged says that topics were created, deleted or got more partitions.
type MetadataChanged struct{}

// Outcome is what a decision asks of the host, in this order; see the package's contract.
type Outcome struct {
	Records []Record
	Timers  []Timer
	Replies []Reply
	Tasks   []any         // of the machine's own; known to the owner of the host
	Events  []event.Event // the host sets their node
}

// Reply answers one caller.
type Reply struct {
	Call     Call
	Response kmsg.Response
	Early    bool // need not wait for what was applied before it: a classic heartbeat
}

// TimerKey names a timer: a comparable value of a type of the machine's own. There is at most one timer of a key.
type TimerKey any

// Timer is armed for At, or disarmed when At is zero.
type Timer struct {
	Key  TimerKey
	At   time.Time
	Keep bool // leaves a timer of this key that is armed already as it is
}

// Record is one fact of a machine's log, or a volatile one of the machine's own, whose key is nil.
type Record interface {
	// Encode gives the record as it is in the log. A nil key: volatile, not for the log. A nil value: a tombstone.
	Encode() (key, value []byte)
}

// Transactional is a record that may be part of a transaction: the host writes it in that transaction, and a load hands
// it over with what the batch says.
type Transactional interface {
	Record
	// Transaction is the producer in whose transaction the record is; NoProducer for none.
	Transaction() (producerID int64, epoch int16)
	SetTransaction(producerID int64, epoch int16)
}

// NoProducer is the producer id of a record that is part of no transaction.
const NoProducer int64 = -1

// Marker ends a producer's transaction in this shard's log. It is a control batch there, never a record that is encoded.
type Marker struct {
	ProducerID    int64
	ProducerEpoch int16
	Commit        bool
}

// Encode gives nothing.
func (*Marker) Encode() (key, value []byte) { return nil, nil }

// ErrUnknownRecord is what a decoder answers for a key of a type this build does not know. Whoever loads skips it.
var ErrUnknownRecord = errors.New("record of an unknown type")
