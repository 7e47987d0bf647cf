package config

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// The defaults, spelt out: a change of any of them changes what every topic does.
func TestDefaultTopic(t *testing.T) {
	week := int64(7 * 24 * time.Hour / time.Millisecond)
	want := TopicConfig{
		CleanupPolicy: CleanupDelete, CommitSync: true, RetentionMs: week, RetentionBytes: -1, SegmentBytes: 1 << 30, SegmentMs: week,
		SegmentIndexBytes: 10 << 20, IndexIntervalBytes: 4096, FileDeleteDelay: time.Minute, MaxMessageBytes: 1048588,
		CompressionType: "producer", GzipLevel: -1, Lz4Level: 9, ZstdLevel: 3, TimestampType: CreateTime,
		TimestampBeforeMaxMs: math.MaxInt64, TimestampAfterMaxMs: 3_600_000, MinInSync: 1, FlushMessages: math.MaxInt64, FlushMs: math.MaxInt64,
		MinCleanableRatio: 0.5, MaxCompactionLagMs: math.MaxInt64, DeleteRetentionMs: 86_400_000,
	}
	if got := ResolveTopic(nil, nil); got != want {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	if got := ResolveTopic(&Values{}, nil); got != want {
		t.Errorf("the zero Values gives %+v", got)
	}
}

func TestTopicOverBrokerOverDefault(t *testing.T) {
	broker := mustAssemble(t, "message.max.bytes=5000\nlog.retention.hours=1\nlog.commit.sync=false\ncompression.type=zstd\ncompression.zstd.level=7\nlog.message.timestamp.type=LogAppendTime\nlog.record.validation=full\nmin.insync.replicas=2")
	c := ResolveTopic(broker, map[string]string{"max.message.bytes": " 7000 ", "commit.sync": "TRUE", "segment.ms": "+60000", "cleanup.policy": ""})
	if c.MaxMessageBytes != 7000 || c.RetentionMs != 3_600_000 || !c.CommitSync || c.SegmentMs != 60000 || c.CompressionType != "zstd" || c.CompressionLevel() != 7 {
		t.Errorf("%+v", c)
	}
	if c.TimestampType != LogAppendTime || c.RecordValidation != ValidateFull || c.MinInSync != 2 || c.CleanupPolicy != 0 {
		t.Errorf("%+v", c)
	}
	if ResolveTopic(broker, nil).CommitSync {
		t.Error("log.commit.sync=false does not count")
	}
	if c.Segment() != time.Minute || c.Retention() != time.Hour {
		t.Error("durations")
	}
	for codec, want := range map[string]int{"gzip": -1, "lz4": 9, "snappy": 0, "producer": 0} {
		c.CompressionType = codec
		if c.CompressionLevel() != want {
			t.Errorf("level of %s is %d", codec, c.CompressionLevel())
		}
	}
}

// An image written by a newer version must not stop or mislead this one.
func TestImpossibleOverridesDoNotCount(t *testing.T) {
	odd := map[string]string{
		"retention.ms": "a week", "segment.bytes": "12", "no.such.key": "1", "unclean.leader.election.enable": "true", "preallocate": "true",
		"compression.type": "brotli", "cleanup.policy": "shred",
	}
	if got := ResolveTopic(nil, odd); got != ResolveTopic(nil, nil) {
		t.Errorf("%+v", got)
	}
	if c := ResolveTopic(nil, map[string]string{"cleanup.policy": "compact"}); c.CleanupPolicy != CleanupCompact {
		t.Errorf("a compacted topic would be deleted by age: %+v", c)
	}
	// A broker's setting of something that is not built touches no topic either.
	broker := mustAssemble(t, "unclean.leader.election.enable=true\nlog.preallocate=true")
	if got := ResolveTopic(broker, nil); got != ResolveTopic(nil, nil) {
		t.Errorf("%+v", got)
	}
}

func TestEverySettingReachesTheTopic(t *testing.T) {
	other := map[string]string{
		"cleanup.policy": "", "commit.sync": "false", "compression.gzip.level": "5", "compression.lz4.level": "5", "compression.type": "gzip",
		"compression.zstd.level": "5", "message.timestamp.type": "LogAppendTime", "record.validation": "full", "segment.bytes": "2000000",
		"min.cleanable.dirty.ratio": "0.25",
	}
	base := ResolveTopic(nil, nil)
	for _, k := range TopicKeys() {
		value, ok := other[k.Name]
		if !ok {
			value = "77"
		}
		changed := ResolveTopic(nil, map[string]string{k.Name: value}) != base
		if changed != k.Honoured {
			t.Errorf("%s=%s changes the topic: %v, honoured: %v", k.Name, value, changed, k.Honoured)
		}
		if k.Broker == "" || !k.Honoured {
			continue
		}
		if ResolveTopic(mustAssemble(t, k.Broker+"="+value), nil) == base {
			t.Errorf("%s=%s on the broker changes nothing", k.Broker, value)
		}
	}
}

func TestValidateTopic(t *testing.T) {
	for setting, want := range map[string]string{
		"retention.hours=7":                       `topic setting "retention.hours" does not exist. Did you mean retention.ms? (holdfast config keys --topic lists all)`,
		"retention.ms=-2":                         `topic setting retention.ms: "-2" must be at least -1`,
		"retention.ms=7d":                         `topic setting retention.ms: "7d" must be a whole number, without unit`,
		"segment.bytes=1000":                      `topic setting segment.bytes: "1000" must be at least 1048576`,
		"segment.bytes=9999999999":                `topic setting segment.bytes: "9999999999" must be a whole number that fits into int (32 bits)`,
		"compression.type=brotli":                 `topic setting compression.type: "brotli" must be one of uncompressed, zstd, lz4, snappy, gzip, producer`,
		"compression.gzip.level=0":                `topic setting compression.gzip.level: "0" must be between 1 and 9, or -1`,
		"cleanup.policy=shred":                    `topic setting cleanup.policy: "shred" must be a list of compact, delete`,
		"min.compaction.lag.ms=-1":                `topic setting min.compaction.lag.ms: "-1" must be at least 0`,
		"remote.storage.enable=true":              `topic setting remote.storage.enable: tiered storage is not supported yet. Leave it at false`,
		"unclean.leader.election.enable=true":     `topic setting unclean.leader.election.enable: unclean leader election is not supported yet. Leave it at false`,
		"leader.replication.throttled.replicas=*": `topic setting leader.replication.throttled.replicas: throttled replication is not supported yet. Leave this setting out`,
		"commit.sync=yes":                         `topic setting commit.sync: "yes" must be true or false`,
		"record.validation=none":                  `topic setting record.validation: "none" must be one of header, full`,
		"log.retention.ms=1":                      `topic setting log.retention.ms: is a setting of brokers, not of topics. Use retention.ms`,
		"message.max.bytes=1":                     `topic setting message.max.bytes: is a setting of brokers, not of topics. Use max.message.bytes`,
		"num.partitions=1":                        `topic setting num.partitions: is a setting of brokers, not of topics`,
		"min.cleanable.dirty.ratio=x":             `topic setting min.cleanable.dirty.ratio: "x" must be a number`,
		"internal.segment.bytes=14":               `topic setting "internal.segment.bytes" does not exist.`,
	} {
		name, value, _ := strings.Cut(setting, "=")
		errs := ValidateTopic(map[string]string{name: value, "retention.bytes": "1"})
		if len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", setting, errs, want)
		}
	}
	good := map[string]string{
		"unclean.leader.election.enable": "false", "min.cleanable.dirty.ratio": "0.50", "delete.retention.ms": "+7", "cleanup.policy": "delete, compact",
		"follower.replication.throttled.replicas": "", "preallocate": "FALSE", "retention.ms": "0", "max.message.bytes": "0",
	}
	if errs := ValidateTopic(good); errs != nil {
		t.Errorf("refused %v", errs)
	}
	errs := ValidateTopic(map[string]string{"z": "1", "a": "1", "retention.ms": "x"})
	if len(errs) != 3 || !slices.IsSortedFunc(errs, func(a, b error) int { return strings.Compare(a.(*KeyError).Key, b.(*KeyError).Key) }) {
		t.Errorf("%v", errs)
	}
}

func TestTopicConflict(t *testing.T) {
	err := TopicConflict(map[string]string{"min.compaction.lag.ms": "6", "max.compaction.lag.ms": "5"})
	if err == nil || err.Error() != "topic setting min.compaction.lag.ms: 6 is more than max.compaction.lag.ms, 5" {
		t.Error(err)
	}
	if err := TopicConflict(map[string]string{"min.compaction.lag.ms": "5", "max.compaction.lag.ms": "5"}); err != nil {
		t.Error(err)
	}
}

func TestValidateBroker(t *testing.T) {
	for setting, want := range map[string]string{
		"node.id=3":                             "broker setting node.id: changes only with a restart",
		"log.retention.hours=3":                 "broker setting log.retention.hours: changes only with a restart",
		"message.max.bytes=-1":                  `broker setting message.max.bytes: "-1" must be at least 0`,
		"num.io.threads=9":                      "threads, pools and timers of Apache Kafka's process is not supported yet, so this has nothing to change",
		"log.retention.minute=1":                "Did you mean log.retention.minutes?",
		"log.cleaner.threads=2":                 "compacting several partitions at a time is not supported yet, so this has nothing to change",
		"logging.level=debug":                   "is set for each broker by itself, not for all of them",
		"logging.level=loud":                    "is set for each broker by itself, not for all of them",
		"retention.ms=1":                        "is a setting of topics",
		"max.connections.per.ip.overrides=here": "must be a list of ADDRESS:COUNT",
		"ssl.keystore.password=hunter2":         "TLS is not supported yet, so this has nothing to change",
	} {
		name, value, _ := strings.Cut(setting, "=")
		errs := ValidateBroker(map[string]string{name: value, "max.connections": "5"}, false)
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), want) || strings.Contains(errs[0].Error(), "hunter2") {
			t.Errorf("%s\n got %v\nwant %s", setting, errs, want)
		}
	}
	if errs := ValidateBroker(map[string]string{"logging.level": "debug", "log.commit.sync": "false", "log.retention.ms": "-1"}, true); errs != nil {
		t.Errorf("refused %v", errs)
	}
	// Whatever may change takes effect in Values.
	for _, k := range BrokerKeys() {
		settable := ValidateBroker(map[string]string{k.Name: k.Default}, true) == nil
		if !k.Null && settable != (k.Dynamic && k.Honoured) {
			t.Errorf("%s: settable %v, dynamic %v", k.Name, settable, k.Dynamic)
		}
	}
}

func TestListOperations(t *testing.T) {
	for _, c := range []struct{ value, items, appended, subtracted string }{
		{"", "", "", ""},
		{"", "a", "a", ""},
		{"a,b", "b,c", "a,b,c", "a"},
		{" a , b ", "a,a,c,c", "a,b,c", "b"},
		{"a,a", "a", "a,a", ""},
		{"delete", "compact", "delete,compact", "delete"},
	} {
		if got := AppendList(c.value, c.items); got != c.appended {
			t.Errorf("%q + %q = %q", c.value, c.items, got)
		}
		if got := SubtractList(c.value, c.items); got != c.subtracted {
			t.Errorf("%q - %q = %q", c.value, c.items, got)
		}
	}
}

func TestNearest(t *testing.T) {
	for _, c := range []struct {
		name  string
		scope Scope
		want  string
	}{
		{"retention.hours", ScopeTopic, "retention.ms"},
		{"retention.m", ScopeTopic, "retention.ms"},
		{"retenton.ms", ScopeTopic, "retention.ms"},
		{"RETENTION_MS", ScopeTopic, "retention.ms"},
		{"min.insync.replica", ScopeTopic, "min.insync.replicas"},
		{"min.in.sync.replicas", ScopeTopic, "min.insync.replicas"},
		{"segment.size", ScopeTopic, "segment.bytes"},
		{"max.message.size", ScopeTopic, "max.message.bytes"},
		{"cleanup.polcy", ScopeTopic, "cleanup.policy"},
		{"compression", ScopeTopic, "compression.type"},
		{"shoe.size", ScopeTopic, ""},
		{"", ScopeTopic, ""},
		{"listener", ScopeBroker, "listeners"},
		{"log.retention.minute", ScopeBroker, "log.retention.minutes"},
		{"advertised.listener", ScopeBroker, "advertised.listeners"},
		{"memory.budget", ScopeBroker, "memory.budget.bytes"},
		{"numpartitions", ScopeBroker, "num.partitions"},
		{strings.Repeat("x", 100000), ScopeBroker, ""},
	} {
		if got := Nearest(c.name, c.scope); got != c.want {
			t.Errorf("nearest to %.40q is %q, want %q", c.name, got, c.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"ab", "ba", 1}, {"kitten", "sitting", 3}, {"abc", "abc", 0}, {"retenton", "retention", 1}} {
		if got := distance(c.a, c.b); got != c.want || distance(c.b, c.a) != c.want {
			t.Errorf("%q to %q is %d", c.a, c.b, got)
		}
	}
}

func FuzzResolveTopic(f *testing.F) {
	for _, k := range TopicKeys() {
		f.Add(k.Name, k.Default)
	}
	f.Add("cleanup.policy", "compact,delete,")
	f.Fuzz(func(t *testing.T, key, value string) {
		c := ResolveTopic(nil, map[string]string{key: value})
		if len(ValidateTopic(map[string]string{key: value})) == 0 {
			k, _ := Topic(key)
			d := DescribeTopic(k, nil, map[string]string{key: value})
			if d.Source != DynamicTopicConfig || d.Null {
				t.Fatalf("%s=%q is described as %+v", key, value, d)
			}
		}
		if c.SegmentBytes < 1<<20 || c.SegmentMs < 1 || c.RetentionMs < -1 || c.MinInSync < 1 || c.CompressionType == "" {
			t.Fatalf("%s=%q gives %+v", key, value, c)
		}
	})
}
