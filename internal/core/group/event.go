package group

// Event is something a person may ask about later. The host makes a line, a counter and a record of it.
type Event struct {
	Kind      EventKind
	Group     string
	Topic     string
	Partition int32
	From      int64  // the offset that was committed before; -1 for none
	To        int64  // the offset that is committed now; -1 for none
	Member    string // who committed; "" if nobody did
	Client    Client
}

// EventKind is what happened.
type EventKind uint8

// The kinds of events. Every one names group, topic and partition.
const (
	// EventOffsetExpired: the group was without members, or without this topic, for the retention time. Who reads on
	// starts where auto.offset.reset says.
	EventOffsetExpired EventKind = iota
	// EventCommitMovedBack: an offset below the one before was committed: From-To records are read again.
	EventCommitMovedBack
	// EventCommitToRecreated: the topic was deleted and made again since the commit before, whose offset is void.
	EventCommitToRecreated
	// EventOffsetTopicGone: the topic of a committed offset was deleted, and the offset with it.
	EventOffsetTopicGone
)

var eventNames = [...]string{"offset-expired", "commit-moved-back", "commit-to-recreated", "offset-topic-gone"}

// String is the kind in words.
func (k EventKind) String() string { return eventNames[k] }
