package config

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
)

// TimestampType says whose time a record carries; the numbers are those of the batch attribute.
type TimestampType int8

// Kafka's timestamp types.
const (
	CreateTime    TimestampType = 0
	LogAppendTime TimestampType = 1
)

// String is Kafka's name.
func (t TimestampType) String() string {
	if t == LogAppendTime {
		return "LogAppendTime"
	}
	return "CreateTime"
}

// Validation is how closely a batch is checked on arrival.
type Validation uint8

// The values of record.validation.
const (
	ValidateHeader Validation = iota
	ValidateFull
)

// CleanupPolicy is a set of CleanupDelete and CleanupCompact; the empty one keeps everything.
type CleanupPolicy uint8

// The members of cleanup.policy.
const (
	CleanupDelete CleanupPolicy = 1 << iota
	CleanupCompact
)

// Has tells whether the policy contains all of p.
func (c CleanupPolicy) Has(p CleanupPolicy) bool { return c&p == p }

// TopicConfig is what the data plane reads of a topic's settings, resolved once per change. Fields ending in Ms
// are milliseconds; a retention of -1 means no limit; a TopicConfig is a value and compares with ==.
type TopicConfig struct {
	CleanupPolicy        CleanupPolicy
	CommitSync           bool
	RetentionMs          int64
	RetentionBytes       int64
	SegmentBytes         int64
	SegmentMs            int64
	SegmentJitterMs      int64
	SegmentIndexBytes    int
	IndexIntervalBytes   int
	FileDeleteDelay      time.Duration
	MaxMessageBytes      int
	CompressionType      string // "producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"
	GzipLevel            int    // -1: gzip's own default
	Lz4Level             int
	ZstdLevel            int
	TimestampType        TimestampType
	TimestampBeforeMaxMs int64
	TimestampAfterMaxMs  int64
	MinInSync            int
	FlushMessages        int64 // math.MaxInt64: never by count
	FlushMs              int64 // math.MaxInt64: never by time
	UncleanElection      bool
	Preallocate          bool
	RecordValidation     Validation
}

// CompressionLevel is the level that belongs to CompressionType, 0 where that has none.
func (c *TopicConfig) CompressionLevel() int {
	switch c.CompressionType {
	case "gzip":
		return c.GzipLevel
	case "lz4":
		return c.Lz4Level
	case "zstd":
		return c.ZstdLevel
	}
	return 0
}

// Segment is SegmentMs as a Duration, the longest one where it does not fit.
func (c *TopicConfig) Segment() time.Duration { return Milliseconds(c.SegmentMs) }

// Retention is RetentionMs as a Duration, negative for no limit.
func (c *TopicConfig) Retention() time.Duration { return Milliseconds(c.RetentionMs) }

// ResolveTopic is the settings in force for a topic with these overrides on a broker with these values: the
// override, else the broker's setting, else the default. What is unknown, invalid or not honoured in overrides
// does not count: it came from a newer version, and a node must start with it all the same.
func ResolveTopic(broker *Values, overrides map[string]string) TopicConfig {
	r := resolver{broker, overrides}
	c := TopicConfig{
		CommitSync:           r.bool(CommitSync),
		RetentionMs:          r.int("retention.ms"),
		RetentionBytes:       r.int("retention.bytes"),
		SegmentBytes:         r.int("segment.bytes"),
		SegmentMs:            r.int("segment.ms"),
		SegmentJitterMs:      r.int("segment.jitter.ms"),
		SegmentIndexBytes:    int(r.int("segment.index.bytes")),
		IndexIntervalBytes:   int(r.int("index.interval.bytes")),
		FileDeleteDelay:      Milliseconds(r.int("file.delete.delay.ms")),
		MaxMessageBytes:      int(r.int("max.message.bytes")),
		CompressionType:      r.string("compression.type"),
		GzipLevel:            int(r.int("compression.gzip.level")),
		Lz4Level:             int(r.int("compression.lz4.level")),
		ZstdLevel:            int(r.int("compression.zstd.level")),
		TimestampBeforeMaxMs: r.int("message.timestamp.before.max.ms"),
		TimestampAfterMaxMs:  r.int("message.timestamp.after.max.ms"),
		MinInSync:            int(r.int("min.insync.replicas")),
		FlushMessages:        r.int("flush.messages"),
		FlushMs:              r.int("flush.ms"),
		UncleanElection:      r.bool("unclean.leader.election.enable"),
		Preallocate:          r.bool("preallocate"),
	}
	for _, policy := range SplitList(r.string("cleanup.policy")) {
		if policy == "delete" {
			c.CleanupPolicy |= CleanupDelete
		} else {
			c.CleanupPolicy |= CleanupCompact
		}
	}
	if r.string("message.timestamp.type") == "LogAppendTime" {
		c.TimestampType = LogAppendTime
	}
	if r.string(RecordValidation) == "full" {
		c.RecordValidation = ValidateFull
	}
	return c
}

type resolver struct {
	broker    *Values
	overrides map[string]string
}

// string is the value in force of a topic key in its normal spelling.
func (r resolver) string(name string) string {
	k := topics.byName[name]
	if v, ok := r.overrides[name]; ok && k.obeys(v) {
		s, _ := k.Normal(v)
		return s
	}
	if k.Broker != "" && k.Honoured {
		if s, ok := r.broker.resolve(k.Broker); ok {
			return s
		}
	}
	return k.Default
}

// obeys tells whether an override counts: it is valid, and the key is honoured or the value is its default. A
// cleanup.policy with compact counts although it is refused today: what a newer version set must not be deleted by age.
func (k *Key) obeys(value string) bool {
	return k.Check(value) == nil && (k.Honoured || k.Unsupported(value) == nil)
}

func (r resolver) bool(name string) bool { return r.string(name) == "true" }

func (r resolver) int(name string) int64 {
	n, err := strconv.ParseInt(r.string(name), 10, 64)
	if err != nil {
		return math.MaxInt64
	}
	return n
}

// ValidateTopic judges a topic's settings as CreateTopics and AlterConfigs take them: one *KeyError for each bad
// key, sorted by key; unknown with the nearest name, out of range, or not supported yet.
func ValidateTopic(settings map[string]string) []error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		k, ok := Topic(name)
		if !ok {
			errs = append(errs, unknownTopic(name))
			continue
		}
		if err := k.Check(settings[name]); err != nil {
			errs = append(errs, err)
		} else if err := k.Unsupported(settings[name]); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func unknownTopic(name string) error {
	if b, ok := Broker(name); ok && b.Doc != "" {
		why := "is a setting of brokers, not of topics"
		for _, k := range topics.shown {
			if k.Broker == name && k.Name != name {
				why += ". Use " + k.Name
			}
		}
		return &KeyError{Scope: ScopeTopic, Key: name, Message: why}
	}
	return Unknown(name, ScopeTopic)
}

// ValidateBroker judges dynamic broker settings, for one broker or (perBroker false) for all: one *KeyError for
// each bad key, sorted by key. A key that only a restart can change is refused and says so.
func ValidateBroker(settings map[string]string, perBroker bool) []error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		k, ok := Broker(name)
		if !ok {
			errs = append(errs, unknownBroker(Entry{Key: name}))
			continue
		}
		if err := judgeDynamic(k, settings[name], perBroker); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func judgeDynamic(k *Key, value string, perBroker bool) error {
	if k.Doc == "" {
		return k.errorf("%s is not supported yet, so this has nothing to change", k.featureOr("this part"))
	}
	if k.Mode == ReadOnly {
		return k.errorf("changes only with a restart. Set it in the node's properties file, or with --set")
	}
	if k.Mode == PerBroker && !perBroker {
		return k.errorf("is set for each broker by itself, not for all of them")
	}
	if err := k.Check(value); err != nil {
		return err
	}
	if k.Standing == NotYet {
		return k.errorf("%s is not supported yet, so this has nothing to change", k.featureOr("this part"))
	}
	return k.Unsupported(value)
}

func (k *Key) featureOr(other string) string {
	if k.Feature == "" {
		return other
	}
	return k.Feature
}
