package image

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"iter"
	"strings"
)

// MetadataVersion is the newest level of metadata records that this build reads and writes. A cluster's finalized
// level ([Image.Feature] of [FeatureMetadata]) gates what may be written: a newer build holds back until it is raised.
const MetadataVersion int16 = 1

// FeatureMetadata is the name of the feature whose level gates metadata records.
const FeatureMetadata = "holdfast.metadata"

// DefaultBroker names the broker resource whose settings hold for every broker.
const DefaultBroker = ""

// NoLeader is the leader of a partition that has none.
const NoLeader int32 = -1

// TopicID identifies one life of a topic: a topic created again under an old name has another id.
type TopicID [16]byte

// String is Kafka's form: URL-safe base64 without padding.
func (id TopicID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// Zero reports whether the id is the one that stands for "none".
func (id TopicID) Zero() bool { return id == TopicID{} }

// DirectoryID identifies a data directory of a broker. The zero id stands for "not assigned yet".
type DirectoryID [16]byte

// Image is the cluster at one offset of its metadata log. It never changes: keep it, share it, compare pointers.
type Image struct {
	offset         int64
	clusterID      string
	features       table[nameKey, int16]
	nextProducerID int64
	topics         table[nameKey, *Topic]
	topicIDs       table[TopicID, *Topic]
	unified        table[nameKey, string] // names with '.' or '_', as unify writes them, to the name itself
	partitions     int
	brokers        table[brokerKey, *Broker]
	brokerConfigs  table[nameKey, *Configs] // by broker resource: "" or a decimal broker id
	groupConfigs   table[nameKey, *Configs] // by group id
}

// Topic is one topic. Nothing it refers to may be changed.
type Topic struct {
	Name       string
	ID         TopicID
	Partitions []*Partition // index is the partition's number
	Configs    *Configs     // given for this topic alone; nil when none
}

// Partition is one partition as the cluster has agreed on it.
type Partition struct {
	Replicas       []int32       // broker ids, preferred leader first
	Directories    []DirectoryID // one a replica
	ISR            []int32       // the replicas in sync, in the order of Replicas
	Leader         int32         // broker id, or NoLeader
	LeaderEpoch    int32         // rises with every change of leader or of the leader's incarnation
	PartitionEpoch int32         // rises with every change of any field
}

// Broker is one registered broker.
type Broker struct {
	ID          int32
	Epoch       int64    // rises with every registration in the cluster; requests of an older one are stale
	Incarnation [16]byte // one run of the process
	Endpoints   []Endpoint
	Rack        string        // "" for none
	Directories []DirectoryID // sorted
}

// Endpoint is where one listener of a broker is reached.
type Endpoint struct {
	Listener string
	Host     string
	Port     uint16
	Security int16 // Kafka's number: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL
}

type (
	nameKey   string
	brokerKey int32
)

func (k nameKey) compare(o nameKey) int     { return strings.Compare(string(k), string(o)) }
func (k brokerKey) compare(o brokerKey) int { return cmp.Compare(k, o) }
func (id TopicID) compare(o TopicID) int    { return bytes.Compare(id[:], o[:]) }

// Empty is the picture before a cluster is formed.
func Empty() *Image { return &Image{} }

// Offset is the offset of the last batch that is part of this picture; 0 before the first.
func (i *Image) Offset() int64 { return i.offset }

// ClusterID is "" until the cluster is formed.
func (i *Image) ClusterID() string { return i.clusterID }

// Feature is the finalized level of a feature, 0 when it has none.
func (i *Image) Feature(name string) int16 {
	level, _ := i.features.get(nameKey(name))
	return level
}

// Features yields every finalized feature and its level, sorted by name.
func (i *Image) Features() iter.Seq2[string, int16] {
	return func(yield func(string, int16) bool) {
		for name, level := range i.features.all() {
			if !yield(string(name), level) {
				return
			}
		}
	}
}

// NextProducerID is the first producer id that was never given out.
func (i *Image) NextProducerID() int64 { return i.nextProducerID }

// Topic finds a topic by name; nil when there is none.
func (i *Image) Topic(name string) *Topic {
	t, _ := i.topics.get(nameKey(name))
	return t
}

// TopicByID finds a topic by id; nil when there is none.
func (i *Image) TopicByID(id TopicID) *Topic {
	t, _ := i.topicIDs.get(id)
	return t
}

// Topics yields every topic, sorted by name.
func (i *Image) Topics() iter.Seq[*Topic] { return i.TopicsFrom("") }

// TopicsFrom yields the topics named name or later, sorted by name.
func (i *Image) TopicsFrom(name string) iter.Seq[*Topic] {
	return func(yield func(*Topic) bool) {
		for _, t := range i.topics.from(nameKey(name)) {
			if !yield(t) {
				return
			}
		}
	}
}

// TopicCount is the number of topics, PartitionCount that of their partitions.
func (i *Image) TopicCount() int     { return i.topics.len }
func (i *Image) PartitionCount() int { return i.partitions }

// Colliding returns the topic whose name differs from name at most in having '.' for '_' or the reverse.
func (i *Image) Colliding(name string) (string, bool) {
	return i.unified.get(unify(name))
}

// Broker finds a registered broker; nil when there is none.
func (i *Image) Broker(id int32) *Broker {
	b, _ := i.brokers.get(brokerKey(id))
	return b
}

// Brokers yields every registered broker, sorted by id.
func (i *Image) Brokers() iter.Seq[*Broker] {
	return func(yield func(*Broker) bool) {
		for _, b := range i.brokers.all() {
			if !yield(b) {
				return
			}
		}
	}
}

// BrokerCount is the number of registered brokers.
func (i *Image) BrokerCount() int { return i.brokers.len }

// BrokerConfigs returns the settings given for a broker resource: DefaultBroker, or a broker id in decimal.
func (i *Image) BrokerConfigs(resource string) *Configs {
	c, _ := i.brokerConfigs.get(nameKey(resource))
	return c
}

// BrokerConfigResources yields the broker resources that have settings, sorted.
func (i *Image) BrokerConfigResources() iter.Seq2[string, *Configs] {
	return func(yield func(string, *Configs) bool) {
		for name, c := range i.brokerConfigs.all() {
			if !yield(string(name), c) {
				return
			}
		}
	}
}

// GroupConfigs returns the settings given for a group, whether or not it exists.
func (i *Image) GroupConfigs(group string) *Configs {
	c, _ := i.groupConfigs.get(nameKey(group))
	return c
}

// GroupConfigResources yields the groups that have settings, sorted.
func (i *Image) GroupConfigResources() iter.Seq2[string, *Configs] {
	return func(yield func(string, *Configs) bool) {
		for name, c := range i.groupConfigs.all() {
			if !yield(string(name), c) {
				return
			}
		}
	}
}

// unify is a topic name with '.' and '_' taken for the same, as metric names do.
func unify(name string) nameKey { return nameKey(strings.ReplaceAll(name, ".", "_")) }

func mayCollide(name string) bool { return strings.ContainsAny(name, "._") }
