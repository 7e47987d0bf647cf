package group

import (
	"strconv"
	"time"
)

// Config is what a shard is run with. It holds for every group of the shard; a change is a new shard, or SetConfig.
type Config struct {
	// Classic groups.
	InitialRebalanceDelay time.Duration // group.initial.rebalance.delay.ms
	MinSessionTimeout     time.Duration // group.min.session.timeout.ms
	MaxSessionTimeout     time.Duration // group.max.session.timeout.ms
	MaxSize               int           // group.max.size
	NewMemberTimeout      time.Duration // how long a join of a member new to the group may be parked

	// KIP-848 groups.
	ConsumerSessionTimeout time.Duration // group.consumer.session.timeout.ms
	ConsumerSessionMin     time.Duration // group.consumer.min.session.timeout.ms: least that a group's own may be; the next likewise
	ConsumerSessionMax     time.Duration // group.consumer.max.session.timeout.ms
	ConsumerBeatMin        time.Duration // group.consumer.min.heartbeat.interval.ms
	ConsumerBeatMax        time.Duration // group.consumer.max.heartbeat.interval.ms
	ConsumerAssignMin      time.Duration // group.consumer.min.assignment.interval.ms
	ConsumerAssignMax      time.Duration // group.consumer.max.assignment.interval.ms
	ConsumerMaxSize        int           // group.consumer.max.size
	ConsumerAssignors      []string      // group.consumer.assignors; the first is the default
	ConsumerHeartbeatMin   time.Duration // interval while partitions move
	ConsumerHeartbeatRest  time.Duration // interval of a small group at rest; a larger one has a millisecond a member
	ConsumerHeartbeatMax   time.Duration // interval of the largest group at rest
	ConsumerAssignInterval time.Duration // group.consumer.assignment.interval.ms: many members that come at once are one assignment

	// Offsets.
	OffsetMetadataMax int           // offset.metadata.max.bytes
	OffsetsRetention  time.Duration // offsets.retention.minutes
	SweepInterval     time.Duration // offsets.retention.check.interval.ms
	MaxRecordBytes    int           // the largest record, and batch of records, that the log takes
	MaxSweepRecords   int           // tombstones in one Outcome; what is left over follows at once
}

// DefaultConfig is what Apache Kafka 4.3 runs with, except that heartbeats of KIP-848 groups follow the group's size
// and whether partitions move.
func DefaultConfig() Config {
	return Config{
		InitialRebalanceDelay: 3 * time.Second,
		MinSessionTimeout:     6 * time.Second,
		MaxSessionTimeout:     30 * time.Minute,
		MaxSize:               1<<31 - 1,
		NewMemberTimeout:      5 * time.Minute,

		ConsumerSessionTimeout: 45 * time.Second,
		ConsumerSessionMin:     45 * time.Second,
		ConsumerSessionMax:     60 * time.Second,
		ConsumerBeatMin:        5 * time.Second,
		ConsumerBeatMax:        15 * time.Second,
		ConsumerAssignMax:      15 * time.Second,
		ConsumerMaxSize:        1<<31 - 1,
		ConsumerAssignors:      []string{AssignorUniform, AssignorRange},
		ConsumerHeartbeatMin:   100 * time.Millisecond,
		ConsumerHeartbeatRest:  500 * time.Millisecond,
		ConsumerHeartbeatMax:   5 * time.Second,
		ConsumerAssignInterval: 100 * time.Millisecond,

		OffsetMetadataMax: 4096,
		OffsetsRetention:  7 * 24 * time.Hour,
		SweepInterval:     10 * time.Minute,
		MaxRecordBytes:    1 << 20,
		MaxSweepRecords:   5000,
	}
}

// own is a setting as the group itself has it, in milliseconds and within what the broker allows; where it has none, and
// where its value is one this version cannot read, it is def.
func (t *turn) own(group, key string, least, most, def time.Duration) time.Duration {
	value, ok := t.cmd.Image.GroupConfigs(group).Get(key)
	if !ok {
		return def
	}
	ms, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return def
	}
	return min(max(time.Duration(ms)*time.Millisecond, least), most)
}

// SetConfig changes the settings from the next command on. It is no part of the state.
func (s *Shard) SetConfig(cfg Config) { s.cfg = cfg }

// assignInterval is how long after an assignment a KIP-848 group waits before it makes the next one.
func (t *turn) assignInterval(group string) time.Duration {
	cfg := &t.s.cfg
	return t.own(group, "consumer.assignment.interval.ms", cfg.ConsumerAssignMin, cfg.ConsumerAssignMax, cfg.ConsumerAssignInterval)
}
