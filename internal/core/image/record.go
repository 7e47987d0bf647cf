package image

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
)

// Record is one fact of the metadata log. The records of one batch take effect together or not at all.
type Record interface {
	kind() kind
	append(dst []byte) []byte
	decode(r *reader)
	apply(e *Edit)
	// Size is about how many bytes the record takes, to bound a batch before it is made.
	Size() int
}

// kind is what a record is called on disk. Numbers are never used again for something else.
type kind uint32

const (
	kindFormation kind = iota + 1
	kindFeature
	kindTopic
	kindRemoveTopic
	kindPartition
	kindConfig
	kindBroker
	kindProducerIDs
)

// kinds says, for each kind, the newest version this build writes and reads.
// A version rises when fields are added that a reader must not ignore; fields that it may ignore are tagged.
var kinds = [...]struct {
	name   string
	newest uint32
	make   func() Record
}{
	kindFormation:   {"formation", 0, func() Record { return new(FormationRecord) }},
	kindFeature:     {"feature", 0, func() Record { return new(FeatureRecord) }},
	kindTopic:       {"topic", 0, func() Record { return new(TopicRecord) }},
	kindRemoveTopic: {"remove-topic", 0, func() Record { return new(RemoveTopicRecord) }},
	kindPartition:   {"partition", 0, func() Record { return new(PartitionRecord) }},
	kindConfig:      {"config", 0, func() Record { return new(ConfigRecord) }},
	kindBroker:      {"broker", 0, func() Record { return new(BrokerRecord) }},
	kindProducerIDs: {"producer-ids", 0, func() Record { return new(ProducerIDsRecord) }},
}

func (k kind) String() string {
	if int(k) < len(kinds) && kinds[k].make != nil {
		return kinds[k].name
	}
	return fmt.Sprintf("type %d", uint32(k))
}

// FormationRecord begins a cluster. It is the first record of every metadata log.
type FormationRecord struct{ ClusterID string }

// FeatureRecord sets the finalized level of a feature; level 0 takes it away.
type FeatureRecord struct {
	Name  string
	Level int16
}

// TopicRecord creates a topic that has no partitions yet.
type TopicRecord struct {
	Name string
	ID   TopicID
}

// RemoveTopicRecord deletes a topic, its partitions and its settings.
type RemoveTopicRecord struct{ ID TopicID }

// PartitionRecord is the whole state of one partition: a new one, the next of its topic, or one that replaces.
type PartitionRecord struct {
	Topic TopicID
	Index int32
	Partition
}

// ResourceType is what a setting belongs to, with Kafka's numbers.
type ResourceType int8

const (
	ResourceTopic  ResourceType = 2
	ResourceBroker ResourceType = 4
	ResourceGroup  ResourceType = 32
)

// ConfigRecord gives one setting of a topic or broker resource; a nil value takes it away.
type ConfigRecord struct {
	Resource ResourceType
	Name     string // topic name; broker id in decimal, or DefaultBroker
	Key      string
	Value    *string
}

// BrokerRecord registers a broker, or registers it anew.
type BrokerRecord struct{ Broker }

// ProducerIDsRecord gives the ids below Next to a broker, which may hand them out.
type ProducerIDsRecord struct {
	Broker int32
	Epoch  int64
	Next   int64
}

func (*FormationRecord) kind() kind   { return kindFormation }
func (*FeatureRecord) kind() kind     { return kindFeature }
func (*TopicRecord) kind() kind       { return kindTopic }
func (*RemoveTopicRecord) kind() kind { return kindRemoveTopic }
func (*PartitionRecord) kind() kind   { return kindPartition }
func (*ConfigRecord) kind() kind      { return kindConfig }
func (*BrokerRecord) kind() kind      { return kindBroker }
func (*ProducerIDsRecord) kind() kind { return kindProducerIDs }

func (r *FormationRecord) Size() int   { return 8 + len(r.ClusterID) }
func (r *FeatureRecord) Size() int     { return 8 + len(r.Name) }
func (r *TopicRecord) Size() int       { return 24 + len(r.Name) }
func (r *RemoveTopicRecord) Size() int { return 24 }
func (r *PartitionRecord) Size() int   { return 48 + 4*len(r.ISR) + 20*len(r.Replicas) }
func (r *ProducerIDsRecord) Size() int { return 32 }
func (r *ConfigRecord) Size() int {
	n := 16 + len(r.Name) + len(r.Key)
	if r.Value != nil {
		n += len(*r.Value)
	}
	return n
}

func (r *BrokerRecord) Size() int {
	n := 48 + len(r.Rack) + 16*len(r.Directories)
	for _, e := range r.Endpoints {
		n += 8 + len(e.Listener) + len(e.Host)
	}
	return n
}

func (r *FormationRecord) append(dst []byte) []byte {
	return kbin.AppendCompactString(dst, r.ClusterID)
}
func (r *FormationRecord) decode(b *reader) { r.ClusterID = b.string() }

func (r *FeatureRecord) append(dst []byte) []byte {
	dst = kbin.AppendCompactString(dst, r.Name)
	return kbin.AppendInt16(dst, r.Level)
}

func (r *FeatureRecord) decode(b *reader) {
	r.Name = b.string()
	r.Level = b.Int16()
}

func (r *TopicRecord) append(dst []byte) []byte {
	dst = kbin.AppendCompactString(dst, r.Name)
	return kbin.AppendUuid(dst, r.ID)
}

func (r *TopicRecord) decode(b *reader) {
	r.Name = b.string()
	r.ID = b.Uuid()
}

func (r *RemoveTopicRecord) append(dst []byte) []byte { return kbin.AppendUuid(dst, r.ID) }
func (r *RemoveTopicRecord) decode(b *reader)         { r.ID = b.Uuid() }

func (r *PartitionRecord) append(dst []byte) []byte {
	dst = kbin.AppendUuid(dst, r.Topic)
	dst = kbin.AppendInt32(dst, r.Index)
	dst = appendInt32s(dst, r.Replicas)
	dst = appendIDs(dst, r.Directories)
	dst = appendInt32s(dst, r.ISR)
	dst = kbin.AppendInt32(dst, r.Leader)
	dst = kbin.AppendInt32(dst, r.LeaderEpoch)
	return kbin.AppendInt32(dst, r.PartitionEpoch)
}

func (r *PartitionRecord) decode(b *reader) {
	r.Topic = b.Uuid()
	r.Index = b.Int32()
	r.Replicas = b.int32s()
	r.Directories = b.ids()
	r.ISR = b.int32s()
	r.Leader = b.Int32()
	r.LeaderEpoch = b.Int32()
	r.PartitionEpoch = b.Int32()
}

func (r *ConfigRecord) append(dst []byte) []byte {
	dst = kbin.AppendInt8(dst, int8(r.Resource))
	dst = kbin.AppendCompactString(dst, r.Name)
	dst = kbin.AppendCompactString(dst, r.Key)
	return kbin.AppendCompactNullableString(dst, r.Value)
}

func (r *ConfigRecord) decode(b *reader) {
	r.Resource = ResourceType(b.Int8())
	r.Name = b.string()
	r.Key = b.string()
	r.Value = b.CompactNullableString()
}

func (r *BrokerRecord) append(dst []byte) []byte {
	dst = kbin.AppendInt32(dst, r.ID)
	dst = kbin.AppendInt64(dst, r.Epoch)
	dst = kbin.AppendUuid(dst, r.Incarnation)
	dst = kbin.AppendUvarint(dst, uint32(len(r.Endpoints)))
	for _, e := range r.Endpoints {
		dst = kbin.AppendCompactString(dst, e.Listener)
		dst = kbin.AppendCompactString(dst, e.Host)
		dst = kbin.AppendUint16(dst, e.Port)
		dst = kbin.AppendInt16(dst, e.Security)
	}
	dst = kbin.AppendCompactString(dst, r.Rack)
	return appendIDs(dst, r.Directories)
}

func (r *BrokerRecord) decode(b *reader) {
	r.ID = b.Int32()
	r.Epoch = b.Int64()
	r.Incarnation = b.Uuid()
	r.Endpoints = make([]Endpoint, b.count(6))
	for i := range r.Endpoints {
		r.Endpoints[i] = Endpoint{Listener: b.string(), Host: b.string(), Port: b.Uint16(), Security: b.Int16()}
	}
	r.Rack = b.string()
	r.Directories = b.ids()
}

func (r *ProducerIDsRecord) append(dst []byte) []byte {
	dst = kbin.AppendInt32(dst, r.Broker)
	dst = kbin.AppendInt64(dst, r.Epoch)
	return kbin.AppendInt64(dst, r.Next)
}

func (r *ProducerIDsRecord) decode(b *reader) {
	r.Broker = b.Int32()
	r.Epoch = b.Int64()
	r.Next = b.Int64()
}

func appendInt32s(dst []byte, v []int32) []byte {
	dst = kbin.AppendUvarint(dst, uint32(len(v)))
	for _, n := range v {
		dst = kbin.AppendInt32(dst, n)
	}
	return dst
}

func appendIDs(dst []byte, v []DirectoryID) []byte {
	dst = kbin.AppendUvarint(dst, uint32(len(v)))
	for _, id := range v {
		dst = kbin.AppendUuid(dst, id)
	}
	return dst
}

// reader reads primitives; after a failure every read gives zero, and Ok says so. A count is believed only as far
// as the bytes that remain could hold that many, so a lying count allocates no more than the input's own size.
type reader struct{ kbin.Reader }

var errShort = errors.New("it is cut short or damaged")

func (r *reader) count(minBytes int) int {
	n := r.Uvarint()
	if !r.Ok() || int64(n)*int64(minBytes) > int64(len(r.Src)) {
		r.fail()
		return 0
	}
	return int(n)
}

// fail makes this and every later read fail: it asks for more than there is.
func (r *reader) fail() { r.Span(len(r.Src) + 1) }

func (r *reader) string() string {
	n := r.Uvarint()
	if n == 0 { // null: no string of ours may be
		r.fail()
		return ""
	}
	return string(r.Span(int(n) - 1))
}

func (r *reader) int32s() []int32 {
	v := make([]int32, r.count(4))
	for i := range v {
		v[i] = r.Int32()
	}
	return v
}

func (r *reader) ids() []DirectoryID {
	v := make([]DirectoryID, r.count(16))
	for i := range v {
		v[i] = r.Uuid()
	}
	return v
}
