package group

import (
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	AssignorUniform = "uniform"
	AssignorRange   = "range"
)

type consumer struct{ members map[string]*consumerMember }
type consumerMember struct{ Epoch int32 }
type ConsumerRecord struct{}

func (*ConsumerRecord) Encode() (key, value []byte) { return nil, nil }

func (c *consumer) records() []Record            { return nil }
func (c *consumer) state() string                { return "Empty" }
func (c *consumer) subscribed(topic string) bool { return false }

func decodeConsumer(int16, []byte, []byte) (Record, error) { return nil, ErrUnknownRecord }
func (s *Shard) applyConsumer(*ConsumerRecord)             {}

func (t *turn) consumerHeartbeat(r *kmsg.ConsumerGroupHeartbeatRequest) {}
func (t *turn) describeConsumers(r *kmsg.ConsumerGroupDescribeRequest)  {}
func (t *turn) metadataChanged()                                        {}
func (t *turn) dropConsumer(c *consumer)                                {}
func (t *turn) joinConsumer(c *consumer, r *kmsg.JoinGroupRequest)      {}
func (t *turn) syncConsumer(c *consumer, r *kmsg.SyncGroupRequest)      {}
func (t *turn) beatConsumer(c *consumer, r *kmsg.HeartbeatRequest) wire.Code {
	return wire.UnknownMemberID
}
func (t *turn) leaveConsumer(c *consumer, m []kmsg.LeaveGroupRequestMember) []kmsg.LeaveGroupResponseMember {
	return nil
}
func (t *turn) firedConsumer(c *consumer, k TimerKey)                  {}
func (t *turn) loadedConsumer(c *consumer)                             {}
func (t *turn) mayCommitConsumer(c *consumer, who committer) wire.Code { return wire.UnknownMemberID }
