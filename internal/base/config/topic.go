package config

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"holdfast/internal/base/invariant"
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
	MinCleanableRatio    float64 // of bytes not compacted yet to all
	MinCompactionLagMs   int64
	MaxCompactionLagMs   int64 // math.MaxInt64: no limit
	DeleteRetentionMs    int64 // of tombstones

	CompactionRequestedMs int64 // Unix time; 0: nobody asked
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
	c := defaultTopic
	if broker != nil && broker.topic != nil {
		c = *broker.topic
	}
	for name, value := range overrides { // order-free: each key has fields of its own
		set, ok := topicFields[name]
		if k := topics.byName[name]; ok && k.obeys(value) {
			normal, _ := k.Normal(value)
			set(&c, normal)
		}
	}
	return c
}

// defaultTopic is a topic that nobody said anything about.
var defaultTopic = resolveDefaults(nil)

// resolveDefaults is a topic without overrides. Values keeps the result, because a broker with ten thousand topics
// resolves them all when one of its settings changes.
func resolveDefaults(broker *Values) TopicConfig {
	var c TopicConfig
	for name, set := range topicFields { // order-free: each key has fields of its own
		set(&c, broker.topicValue(topics.byName[name]))
	}
	return c
}

// topicValue is a topic setting without override, in its normal spelling. A key that is not honoured keeps its default.
func (v *Values) topicValue(k *Key) string {
	if k.Broker != "" && k.Honoured {
		if s, ok := v.resolve(k.Broker); ok {
			return s
		}
	}
	return k.Default
}

// topicFields says which field of TopicConfig holds which setting; values come in their normal spelling.
var topicFields = map[string]func(c *TopicConfig, v string){
	"cleanup.policy":                  func(c *TopicConfig, v string) { c.CleanupPolicy = cleanupPolicy(v) },
	CompactionRequested:               func(c *TopicConfig, v string) { c.CompactionRequestedMs = whole(v) },
	CommitSync:                        func(c *TopicConfig, v string) { c.CommitSync = v == "true" },
	"compression.gzip.level":          func(c *TopicConfig, v string) { c.GzipLevel = int(whole(v)) },
	"compression.lz4.level":           func(c *TopicConfig, v string) { c.Lz4Level = int(whole(v)) },
	"compression.type":                func(c *TopicConfig, v string) { c.CompressionType = v },
	"compression.zstd.level":          func(c *TopicConfig, v string) { c.ZstdLevel = int(whole(v)) },
	"delete.retention.ms":             func(c *TopicConfig, v string) { c.DeleteRetentionMs = whole(v) },
	"file.delete.delay.ms":            func(c *TopicConfig, v string) { c.FileDeleteDelay = Milliseconds(whole(v)) },
	"flush.messages":                  func(c *TopicConfig, v string) { c.FlushMessages = whole(v) },
	"flush.ms":                        func(c *TopicConfig, v string) { c.FlushMs = whole(v) },
	"index.interval.bytes":            func(c *TopicConfig, v string) { c.IndexIntervalBytes = int(whole(v)) },
	"max.compaction.lag.ms":           func(c *TopicConfig, v string) { c.MaxCompactionLagMs = whole(v) },
	"max.message.bytes":               func(c *TopicConfig, v string) { c.MaxMessageBytes = int(whole(v)) },
	"message.timestamp.after.max.ms":  func(c *TopicConfig, v string) { c.TimestampAfterMaxMs = whole(v) },
	"message.timestamp.before.max.ms": func(c *TopicConfig, v string) { c.TimestampBeforeMaxMs = whole(v) },
	"message.timestamp.type":          func(c *TopicConfig, v string) { c.TimestampType = timestampType(v) },
	"min.cleanable.dirty.ratio":       func(c *TopicConfig, v string) { c.MinCleanableRatio = atof(v) },
	"min.compaction.lag.ms":           func(c *TopicConfig, v string) { c.MinCompactionLagMs = whole(v) },
	"min.insync.replicas":             func(c *TopicConfig, v string) { c.MinInSync = int(whole(v)) },
	"preallocate":                     func(c *TopicConfig, v string) { c.Preallocate = v == "true" },
	RecordValidation:                  func(c *TopicConfig, v string) { c.RecordValidation = validation(v) },
	"retention.bytes":                 func(c *TopicConfig, v string) { c.RetentionBytes = whole(v) },
	"retention.ms":                    func(c *TopicConfig, v string) { c.RetentionMs = whole(v) },
	"segment.bytes":                   func(c *TopicConfig, v string) { c.SegmentBytes = whole(v) },
	"segment.index.bytes":             func(c *TopicConfig, v string) { c.SegmentIndexBytes = int(whole(v)) },
	"segment.jitter.ms":               func(c *TopicConfig, v string) { c.SegmentJitterMs = whole(v) },
	"segment.ms":                      func(c *TopicConfig, v string) { c.SegmentMs = whole(v) },
	"unclean.leader.election.enable":  func(c *TopicConfig, v string) { c.UncleanElection = v == "true" },
}

func cleanupPolicy(v string) CleanupPolicy {
	var c CleanupPolicy
	for _, policy := range SplitList(v) {
		if policy == "delete" {
			c |= CleanupDelete
		} else {
			c |= CleanupCompact
		}
	}
	return c
}

func timestampType(v string) TimestampType {
	if v == "LogAppendTime" {
		return LogAppendTime
	}
	return CreateTime
}

func validation(v string) Validation {
	if v == "full" {
		return ValidateFull
	}
	return ValidateHeader
}

// whole reads a number in its normal spelling.
func whole(v string) int64 {
	n, err := strconv.ParseInt(v, 10, 64)
	invariant.That(err == nil, "config: %q is not in normal spelling", v)
	return n
}

// obeys tells whether an override counts: it is valid, and the key is honoured or the value is its default.
func (k *Key) obeys(value string) bool {
	return k.Check(value) == nil && (k.Honoured || k.Unsupported(value) == nil)
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

// TopicConflict judges what the settings of one topic say together, each being valid by itself. The error is a *KeyError.
func TopicConflict(settings map[string]string) error {
	c := ResolveTopic(nil, settings)
	if c.MinCompactionLagMs > c.MaxCompactionLagMs {
		return &KeyError{Scope: ScopeTopic, Key: "min.compaction.lag.ms", Message: strconv.FormatInt(c.MinCompactionLagMs, 10) +
			" is more than max.compaction.lag.ms, " + strconv.FormatInt(c.MaxCompactionLagMs, 10)}
	}
	return nil
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
