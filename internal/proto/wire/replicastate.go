package wire

import (
	"encoding/json"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/base/invariant"
)

// ReplicaStatesTag is the number of a tagged field that a DescribeLogDirs answer has for each topic, from version 2 on. It
// holds what Kafka has no field for: ReplicaStates as JSON. Other clients pass over tagged fields they do not know.
const ReplicaStatesTag uint32 = 'H'<<8 | 'F'

// ReplicaState is how one replica on one node is.
type ReplicaState struct {
	Partition int32          `json:"partition"`
	End       int64          `json:"end"`                   // log end offset: what the next record gets; -1 where it is offline
	Offline   string         `json:"offline,omitempty"`     // why it does not serve, and what to do
	Damaged   []DamagedRange `json:"damaged,omitempty"`     // by offset; the first MaxDamagedRanges
	More      int            `json:"moreDamaged,omitempty"` // ranges that are not listed
}

// MaxDamagedRanges bounds what is said of one replica.
const MaxDamagedRanges = 100

// DamagedRange is a run of offsets whose bytes on disk are not what was written. They are not served.
type DamagedRange struct {
	First    int64  `json:"first"` // offsets
	Last     int64  `json:"last"`
	File     string `json:"file"`     // relative to the data directory
	Position int64  `json:"position"` // bytes in the file
	Until    int64  `json:"until"`    // where good bytes begin again
	Reason   string `json:"reason"`
}

// SetReplicaStates puts the states of a topic's replicas into an answer's topic.
func SetReplicaStates(t *kmsg.DescribeLogDirsResponseDirTopic, states []ReplicaState) {
	p, err := json.Marshal(states)
	invariant.That(err == nil, "states of replicas are no JSON: %v", err)
	t.UnknownTags.Set(ReplicaStatesTag, p)
}

// ReplicaStates reads them. A broker that does not send them is no error: there are none.
func ReplicaStates(t *kmsg.DescribeLogDirsResponseDirTopic) (states []ReplicaState, err error) {
	t.UnknownTags.Each(func(tag uint32, p []byte) {
		if tag == ReplicaStatesTag {
			err = json.Unmarshal(p, &states)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("states of the replicas of %s: %w", t.Topic, err)
	}
	return states, nil
}
