package partition

import (
	"time"

	"holdfast/internal/base/config"
	"holdfast/internal/proto/record"
	"holdfast/internal/storage/commitlog"
)

// settings is a topic's configuration, resolved once a change and read by every request.
type settings struct {
	topic config.TopicConfig
	rules record.Rules // for produced batches; NowMs is set per batch
	log   commitlog.Config
}

func newSettings(broker *config.Values, overrides map[string]string) *settings {
	c := config.ResolveTopic(broker, overrides)
	if !c.CleanupPolicy.Has(config.CleanupDelete) { // only what is below the log start goes
		c.RetentionBytes, c.RetentionMs = -1, -1
	}
	s := &settings{
		topic: c,
		rules: record.Rules{
			MaxBytes:      c.MaxMessageBytes,
			Compacted:     c.CleanupPolicy.Has(config.CleanupCompact),
			Full:          c.RecordValidation == config.ValidateFull,
			Codec:         c.CompressionType,
			Level:         c.CompressionLevel(),
			LogAppendTime: c.TimestampType == config.LogAppendTime,
			BeforeMaxMs:   c.TimestampBeforeMaxMs,
			AfterMaxMs:    c.TimestampAfterMaxMs,

			MaxDecompressed: broker.Int(config.DecompressedMaxBytes),
		},
		log: commitlog.Config{
			SegmentBytes: c.SegmentBytes, SegmentAge: c.Segment(), SegmentJitter: config.Milliseconds(c.SegmentJitterMs),
			IndexBytes: c.SegmentIndexBytes, IndexInterval: c.IndexIntervalBytes,
			RetentionBytes: c.RetentionBytes, RetentionAge: c.Retention(), DeleteDelay: c.FileDeleteDelay,
			ProducerExpiry: broker.Duration("producer.id.expiration.ms"),
		},
	}
	if s.compacts() { // what is to be compacted by then must not be in the active segment
		s.log.SegmentAge = min(s.log.SegmentAge, config.Milliseconds(c.MaxCompactionLagMs))
	}
	return s
}

// prepare checks a produced batch against the topic's rules. Without the partition's lock.
func (s *settings) prepare(records []byte, now time.Time) (record.Batch, *record.Error) {
	batch, bad := record.Single(records)
	if bad != nil {
		return nil, bad
	}
	rules := s.rules
	rules.NowMs = now.UnixMilli()
	return rules.Prepare(batch)
}

func (s *settings) commitSync() bool { return s.topic.CommitSync }
func (s *settings) deletes() bool    { return s.topic.CleanupPolicy.Has(config.CleanupDelete) }
