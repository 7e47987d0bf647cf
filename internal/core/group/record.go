package group

import (
	"encoding/binary"
	"fmt"
	"slices"

	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Types of keys, as Kafka numbers them.
const (
	keyOffsetCommitOld = 0 // an offset as Kafka 0.8 wrote it; same form
	keyOffsetCommit    = 1
	keyClassic         = 2
)

// Versions of values that are written: those Apache Kafka 4.3 writes.
const (
	offsetValueVersion         = 4 // the first with a topic id
	offsetValueExpiringVersion = 1 // the only one with an expiry of its own
	classicValueVersion        = 3
)

// OffsetRecord is one committed offset, or its end.
type OffsetRecord struct {
	Group     string
	Topic     string
	Partition int32
	Committed *Committed // nil: nothing is committed any more

	// ProducerID and ProducerEpoch are set when the offset is part of a transaction: the host writes it in that
	// transaction, and loading hands it over with them. It counts when the transaction's marker says commit.
	ProducerID    int64 // shard.NoProducer for none
	ProducerEpoch int16
}

// Transaction says in whose transaction the offset is.
func (r *OffsetRecord) Transaction() (producerID int64, epoch int16) {
	return r.ProducerID, r.ProducerEpoch
}

// SetTransaction says in whose transaction the log has the offset.
func (r *OffsetRecord) SetTransaction(producerID int64, epoch int16) {
	r.ProducerID, r.ProducerEpoch = producerID, epoch
}

// Committed is up to where a group has read a partition.
type Committed struct {
	Offset      int64
	LeaderEpoch int32 // -1: unknown
	Metadata    string
	CommitMs    int64         // when it was committed
	ExpireMs    int64         // when it expires, if the client said so; -1: by retention
	TopicID     image.TopicID // zero: unknown, written by an older broker
}

// Encode writes Kafka's OffsetCommitKey and OffsetCommitValue.
func (r *OffsetRecord) Encode() (key, value []byte) {
	k := kmsg.OffsetCommitKey{Version: keyOffsetCommit, Group: r.Group, Topic: r.Topic, Partition: r.Partition}
	key = k.AppendTo(make([]byte, 0, 10+len(r.Group)+len(r.Topic)))
	if c := r.Committed; c != nil {
		v := kmsg.OffsetCommitValue{
			Version: offsetValueVersion, Offset: c.Offset, LeaderEpoch: c.LeaderEpoch, Metadata: c.Metadata,
			CommitTimestamp: c.CommitMs, ExpireTimestamp: c.ExpireMs, TopicID: c.TopicID,
		}
		if c.ExpireMs >= 0 {
			v.Version = offsetValueExpiringVersion
		}
		value = v.AppendTo(make([]byte, 0, 48+len(c.Metadata)))
	}
	return key, value
}

// ClassicRecord is a classic group: its generation, its members and what they were given; or its end.
type ClassicRecord struct {
	Group string
	Value *kmsg.GroupMetadataValue // nil: the group is gone. Nothing it refers to may be changed
}

// Encode writes Kafka's GroupMetadataKey and GroupMetadataValue.
func (r *ClassicRecord) Encode() (key, value []byte) {
	k := kmsg.GroupMetadataKey{Version: keyClassic, Group: r.Group}
	key = k.AppendTo(nil)
	if r.Value != nil {
		value = r.Value.AppendTo(nil)
	}
	return key, value
}

// becomes is volatile: a classic group as it is from now on, parked callers and all.
type becomes struct{ group *classic }

func (becomes) Encode() (key, value []byte) { return nil, nil }

// Decode reads a record of the log. A nil value is a tombstone. Errors: shard.ErrUnknownRecord, or the bytes are not what
// their type says, or of a version newer than Kafka 4.3 writes.
func Decode(key, value []byte) (shard.Record, error) {
	if len(key) < 2 {
		return nil, fmt.Errorf("group: a key of %d bytes in __consumer_offsets", len(key))
	}
	switch kind := int16(binary.BigEndian.Uint16(key)); kind {
	case keyOffsetCommitOld, keyOffsetCommit:
		return decodeOffset(key, value)
	case keyClassic:
		return decodeClassic(key, value)
	default:
		return decodeConsumer(kind, key, value)
	}
}

func decodeOffset(key, value []byte) (shard.Record, error) {
	var k kmsg.OffsetCommitKey
	if err := k.ReadFrom(key); err != nil {
		return nil, fmt.Errorf("group: the key of a committed offset: %w", err)
	}
	r := &OffsetRecord{Group: k.Group, Topic: k.Topic, Partition: k.Partition, ProducerID: shard.NoProducer}
	if value == nil {
		return r, nil
	}
	var v kmsg.OffsetCommitValue
	if err := readVersioned(&v, value, offsetValueVersion); err != nil {
		return nil, fmt.Errorf("group: the offset of group %q for %s-%d: %w", k.Group, k.Topic, k.Partition, err)
	}
	r.Committed = &Committed{
		Offset: v.Offset, LeaderEpoch: v.LeaderEpoch, Metadata: v.Metadata, CommitMs: v.CommitTimestamp, ExpireMs: -1, TopicID: v.TopicID,
	}
	if v.Version < 3 {
		r.Committed.LeaderEpoch = -1
	}
	if v.Version == 1 {
		r.Committed.ExpireMs = v.ExpireTimestamp
	}
	return r, nil
}

func decodeClassic(key, value []byte) (shard.Record, error) {
	var k kmsg.GroupMetadataKey
	if err := k.ReadFrom(key); err != nil {
		return nil, fmt.Errorf("group: the key of a group: %w", err)
	}
	r := &ClassicRecord{Group: k.Group}
	if value == nil {
		return r, nil
	}
	v := &kmsg.GroupMetadataValue{}
	if err := readVersioned(v, value, 4); err != nil {
		return nil, fmt.Errorf("group: the members of group %q: %w", k.Group, err)
	}
	if v.Version < 2 {
		v.CurrentStateTimestamp = -1
	}
	v.Version = classicValueVersion // what later snapshots write
	v.UnknownTags = kmsg.Tags{}
	// A snapshot is canonical: members lie sorted, as they do when they are written here.
	slices.SortFunc(v.Members, func(a, b kmsg.GroupMetadataValueMember) int { return compare(a.MemberID, b.MemberID) })
	r.Value = v
	return r, nil
}

// readVersioned reads a value whose first two bytes are its version.
func readVersioned(v interface{ ReadFrom([]byte) error }, b []byte, newest int16) error {
	if len(b) < 2 {
		return fmt.Errorf("a value of %d bytes", len(b))
	}
	if version := int16(binary.BigEndian.Uint16(b)); version < 0 || version > newest {
		return fmt.Errorf("version %d is newer than %d, the newest this build reads", version, newest)
	}
	return v.ReadFrom(b)
}
