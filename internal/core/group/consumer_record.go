package group

import (
	"encoding/binary"
	"fmt"
	"slices"

	"holdfast/internal/core/shard"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Types of the keys of KIP-848 groups. Type 4, the topics' partitions, is what Kafka 4.0 wrote where the hash is now.
const (
	keyConsumer             = 3
	keyConsumerMember       = 5
	keyConsumerTarget       = 6
	keyConsumerTargetMember = 7
	keyConsumerCurrent      = 8
	keyConsumerRegex        = 16
)

// ConsumerRecord is one fact of a KIP-848 group, in the form of Kafka's ConsumerGroup* keys and values.
type ConsumerRecord struct {
	Kind  int16  // the key's type
	Group string //
	Name  string // the member id or regular expression of the key; "" where it has none

	value consumerValue // nil: the fact ends
}

type consumerValue interface{ appendTo(b []byte) []byte }

// Encode writes the key and the value.
func (r *ConsumerRecord) Encode() (key, value []byte) {
	key = binary.BigEndian.AppendUint16(nil, uint16(r.Kind))
	key = kbin.AppendString(key, r.Group)
	if named(r.Kind) {
		key = kbin.AppendString(key, r.Name)
	}
	if r.value != nil {
		value = r.value.appendTo([]byte{0, 0})
	}
	return key, value
}

func named(kind int16) bool { return kind != keyConsumer && kind != keyConsumerTarget }

// epochValue is the epoch of a group (ConsumerGroupMetadataValue).
type epochValue struct {
	Epoch int32
	Hash  int64 // of the subscribed topics
}

// targetEpochValue says which epoch the targets are for (ConsumerGroupTargetAssignmentMetadataValue).
type targetEpochValue struct {
	Epoch int32
	AtMs  int64 // when they were computed
}

// memberValue is what a member said of itself (ConsumerGroupMemberMetadataValue).
type memberValue struct {
	Instance    *string
	Rack        *string
	Client      shard.Client
	Topics      []string // subscribed by name, sorted
	Regex       *string  // subscribed by pattern
	RebalanceMs int32
	Assignor    *string
	Classic     *classicMeta // set for a member that speaks the classic protocol
}

// classicMeta is what a classic member said of itself.
type classicMeta struct {
	SessionMs int32
	Protocols []kmsg.JoinGroupRequestProtocol
}

// currentValue is what a member has (ConsumerGroupCurrentMemberAssignmentValue).
type currentValue struct {
	Epoch    int32
	Previous int32 // the epoch before, in case the answer that told of this one is lost
	State    memberState
	Assigned assignment
	Revoking assignment // to be given up, and not yet
}

// targetValue is what a member is to have (ConsumerGroupTargetAssignmentMemberValue).
type targetValue assignment

// regexValue is what a pattern matches (ConsumerGroupRegularExpressionValue).
type regexValue struct {
	topics  []string // sorted
	version int64    // of the metadata it was matched against
	atMs    int64
}

const noTags = 0

func (v *epochValue) appendTo(b []byte) []byte {
	b = kbin.AppendInt32(b, v.Epoch)
	return appendInt64Tag(b, v.Hash)
}

func (v *targetEpochValue) appendTo(b []byte) []byte {
	b = kbin.AppendInt32(b, v.Epoch)
	return appendInt64Tag(b, v.AtMs)
}

// appendInt64Tag writes tags: number 0 if it is not 0, its default.
func appendInt64Tag(b []byte, v int64) []byte {
	if v == 0 {
		return append(b, noTags)
	}
	return kbin.AppendInt64(append(b, 1, 0, 8), v)
}

func (v *memberValue) appendTo(b []byte) []byte {
	b = kbin.AppendCompactNullableString(b, v.Instance)
	b = kbin.AppendCompactNullableString(b, v.Rack)
	b = kbin.AppendCompactString(b, v.Client.ID)
	b = kbin.AppendCompactString(b, v.Client.Host)
	b = appendStrings(b, v.Topics)
	b = kbin.AppendCompactNullableString(b, v.Regex)
	b = kbin.AppendInt32(b, v.RebalanceMs)
	b = kbin.AppendCompactNullableString(b, v.Assignor)
	if v.Classic == nil {
		return append(b, noTags)
	}
	tag := []byte{1} // a struct that can be null says first that it is not
	tag = kbin.AppendInt32(tag, v.Classic.SessionMs)
	tag = kbin.AppendCompactArrayLen(tag, len(v.Classic.Protocols))
	for _, p := range v.Classic.Protocols {
		tag = kbin.AppendCompactString(tag, p.Name)
		tag = append(kbin.AppendCompactBytes(tag, p.Metadata), noTags)
	}
	tag = append(tag, noTags)
	b = kbin.AppendUvarint(append(b, 1, 0), uint32(len(tag)))
	return append(b, tag...)
}

func appendStrings(b []byte, list []string) []byte {
	b = kbin.AppendCompactArrayLen(b, len(list))
	for _, s := range list {
		b = kbin.AppendCompactString(b, s)
	}
	return b
}

func (v *currentValue) appendTo(b []byte) []byte {
	b = kbin.AppendInt32(b, v.Epoch)
	b = kbin.AppendInt32(b, v.Previous)
	b = kbin.AppendInt8(b, int8(v.State))
	b = appendAssignment(b, v.Assigned)
	return append(appendAssignment(b, v.Revoking), noTags)
}

func (v targetValue) appendTo(b []byte) []byte {
	return append(appendAssignment(b, assignment(v)), noTags)
}

func appendAssignment(b []byte, a assignment) []byte {
	b = kbin.AppendCompactArrayLen(b, len(a))
	for _, t := range a {
		b = kbin.AppendUuid(b, t.Topic)
		b = appendInt32s(b, t.Partitions)
		if t.Epochs == nil {
			b = append(b, noTags)
			continue
		}
		tag := appendInt32s(nil, t.Epochs)
		b = kbin.AppendUvarint(append(b, 1, 0), uint32(len(tag)))
		b = append(b, tag...)
	}
	return b
}

func appendInt32s(b []byte, list []int32) []byte {
	b = kbin.AppendCompactArrayLen(b, len(list))
	for _, n := range list {
		b = kbin.AppendInt32(b, n)
	}
	return b
}

func (v *regexValue) appendTo(b []byte) []byte {
	b = appendStrings(b, v.topics)
	b = kbin.AppendInt64(b, v.version)
	return append(kbin.AppendInt64(b, v.atMs), noTags)
}

func decodeConsumer(kind int16, key, value []byte) (shard.Record, error) {
	switch kind {
	case keyConsumer, keyConsumerMember, keyConsumerTarget, keyConsumerTargetMember, keyConsumerCurrent, keyConsumerRegex:
	default:
		return nil, fmt.Errorf("%w: %d", shard.ErrUnknownRecord, kind)
	}
	k := kbin.Reader{Src: key[2:]}
	r := &ConsumerRecord{Kind: kind, Group: k.String()}
	if named(kind) {
		r.Name = k.String()
	}
	if err := k.Complete(); err != nil {
		return nil, fmt.Errorf("group: the key of a record of type %d: %w", kind, err)
	}
	if value == nil {
		return r, nil
	}
	b := kbin.Reader{Src: value}
	if version := b.Int16(); version != 0 {
		return nil, fmt.Errorf("group: a record of type %d of group %q has version %d; this build reads version 0", kind, r.Group, version)
	}
	r.value = readConsumerValue(kind, &b)
	if err := b.Complete(); err != nil {
		return nil, fmt.Errorf("group: a record of type %d of group %q: %w", kind, r.Group, err)
	}
	return r, nil
}

func readConsumerValue(kind int16, b *kbin.Reader) consumerValue {
	switch kind {
	case keyConsumer:
		v := &epochValue{Epoch: b.Int32()}
		readTags(b, func(tag *kbin.Reader) { v.Hash = tag.Int64() })
		return v
	case keyConsumerTarget:
		v := &targetEpochValue{Epoch: b.Int32()}
		readTags(b, func(tag *kbin.Reader) { v.AtMs = tag.Int64() })
		return v
	case keyConsumerMember:
		return readMember(b)
	case keyConsumerTargetMember:
		v := targetValue(readAssignment(b))
		readTags(b, nil)
		return v
	case keyConsumerCurrent:
		v := &currentValue{Epoch: b.Int32(), Previous: b.Int32(), State: memberState(b.Int8())}
		v.Assigned, v.Revoking = readAssignment(b), readAssignment(b)
		readTags(b, nil)
		return v
	}
	v := &regexValue{topics: readStrings(b), version: b.Int64(), atMs: b.Int64()}
	readTags(b, nil)
	return v
}

func readMember(b *kbin.Reader) *memberValue {
	v := &memberValue{Instance: b.CompactNullableString(), Rack: b.CompactNullableString()}
	v.Client.ID, v.Client.Host = b.CompactString(), b.CompactString()
	v.Topics = readStrings(b)
	slices.Sort(v.Topics)
	v.Regex = b.CompactNullableString()
	v.RebalanceMs = b.Int32()
	v.Assignor = b.CompactNullableString()
	readTags(b, func(tag *kbin.Reader) {
		if tag.Int8() < 0 {
			return
		}
		v.Classic = &classicMeta{SessionMs: tag.Int32()}
		for n := tag.CompactArrayLen(); n > 0 && tag.Ok(); n-- {
			v.Classic.Protocols = append(v.Classic.Protocols, kmsg.JoinGroupRequestProtocol{Name: tag.CompactString(), Metadata: tag.CompactBytes()})
			readTags(tag, nil)
		}
		readTags(tag, nil)
	})
	return v
}

// readTags reads the tagged fields: number 0 by the given function, the others not at all.
func readTags(b *kbin.Reader, zero func(*kbin.Reader)) {
	for n := b.Uvarint(); n > 0 && b.Ok(); n-- {
		number := b.Uvarint()
		tag := kbin.Reader{Src: b.Span(int(b.Uvarint()))}
		if number == 0 && zero != nil {
			zero(&tag)
			if tag.Complete() != nil {
				b.Span(len(b.Src) + 1) // fails the whole
			}
		}
	}
}

func readStrings(b *kbin.Reader) []string {
	var out []string
	for n := b.CompactArrayLen(); n > 0 && b.Ok(); n-- {
		out = append(out, b.CompactString())
	}
	return out
}

func readInt32s(b *kbin.Reader) []int32 {
	var out []int32
	for n := b.CompactArrayLen(); n > 0 && b.Ok(); n-- {
		out = append(out, b.Int32())
	}
	return out
}

// readAssignment reads partitions by topic and sorts them: Kafka writes them as its sets happen to lie.
func readAssignment(b *kbin.Reader) assignment {
	set := map[topicPartition]int32{}
	epochs := false
	for n := b.CompactArrayLen(); n > 0 && b.Ok(); n-- {
		topic, partitions := b.Uuid(), readInt32s(b)
		var since []int32
		readTags(b, func(tag *kbin.Reader) { since = readInt32s(tag) })
		for i, p := range partitions {
			epoch := int32(0)
			if i < len(since) {
				epoch, epochs = since[i], true
			}
			set[topicPartition{topic, p}] = epoch
		}
	}
	return toAssignment(set, epochs)
}
