package workload

import (
	"encoding/json"
	"fmt"
	"time"

	"holdfast/internal/verify/check"
)

// EventKind is what a member of a group, or who watches the group, has to tell.
type EventKind string

// The kinds of events. Those of a member concern one hold of one partition, which Assigned begins.
const (
	Started    EventKind = "started"
	Assigned   EventKind = "assigned"   // Epoch is the generation or member epoch
	Positioned EventKind = "positioned" // Offset is what was committed, -1 for none
	Got        EventKind = "got"        // Records
	Committing EventKind = "committing" // Offset is about to be committed, as Commit
	Committed  EventKind = "committed"  // Commit was answered; Text is why it failed, Fenced that the group has given the member up
	Revoked    EventKind = "revoked"    // the partition was asked back, and is let go now
	Lost       EventKind = "lost"       // the member was fenced, and lets it go
	Failed     EventKind = "failed"     // Text is what went wrong elsewhere; the member goes on
	Left       EventKind = "left"       // the last event of a member that was asked to end

	Asking   EventKind = "asking"   // the committed offset of Partition is about to be asked for
	Answered EventKind = "answered" // Offset is what was committed, -1 for none; Text is why there was no answer
)

// Event is one thing that happened to a member. Events of one member come in the order in which they happened, those of
// several on one machine are put in order by their times: what happened because of something else was later.
type Event struct {
	At        int64     `json:"at"` // ns since 1970
	Kind      EventKind `json:"kind"`
	Hold      int32     `json:"hold,omitempty"` // number of the hold within the member, from 1
	Partition int32     `json:"partition,omitempty"`
	Epoch     int32     `json:"epoch,omitempty"`
	Offset    int64     `json:"offset,omitempty"`
	Commit    int64     `json:"commit,omitempty"` // number of the commit within the member, from 1
	Records   []Read    `json:"records,omitempty"`
	Text      string    `json:"text,omitempty"`
	Fenced    bool      `json:"fenced,omitempty"`
}

// Read is a record as a member was given it. In JSON it is an array, since there are many.
type Read check.Record

// foreignProducer stands in JSON for a record that says nothing.
const foreignProducer = -1

// MarshalJSON implements json.Marshaler.
func (r Read) MarshalJSON() ([]byte, error) {
	op := r.Op
	if r.Corrupt {
		op = check.Op{Producer: foreignProducer}
	}
	return json.Marshal([5]int64{r.Offset, int64(r.Epoch), int64(op.Producer), int64(op.Partition), op.Seq})
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *Read) UnmarshalJSON(b []byte) error {
	var v [5]int64
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*r = Read{Offset: v[0], Epoch: int32(v[1]), Op: check.Op{Producer: int32(v[2]), Partition: int32(v[3]), Seq: v[4]}}
	r.Corrupt = r.Op.Producer == foreignProducer
	if r.Corrupt {
		r.Op = check.Op{}
	}
	return nil
}

// maxEventText bounds what an event says in words.
const maxEventText = 500

// AppendEvent writes an event as a line.
func AppendEvent(b []byte, e Event) ([]byte, error) {
	if len(e.Text) > maxEventText {
		e.Text = e.Text[:maxEventText]
	}
	line, err := json.Marshal(e)
	if err != nil {
		return b, fmt.Errorf("write an event of a member: %w", err)
	}
	return append(append(b, line...), '\n'), nil
}

// ParseEvent reads a line that AppendEvent wrote.
func ParseEvent(line []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(line, &e); err != nil {
		return Event{}, fmt.Errorf("%.100q is no event of a member: %w", line, err)
	}
	return e, nil
}

func now() int64 { return time.Now().UnixNano() }
