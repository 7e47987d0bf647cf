package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/proto/record"
)

// Bounds of reading records for their times alone. A batch that does not fit is judged by its header, so that a thousand
// partitions cost a few MB; a partition that brings nothing is asked again with more room.
const (
	timeFetchPartitions = 64       // in one request
	timeFetchBytes      = 16 << 10 // of each partition
	timeFetchMoreBytes  = 1 << 20  // of each partition that brought nothing
	timeFetchAtMost     = 8 << 20  // of one answer
	timeFetchRounds     = 6
)

// place is an offset of a partition whose record is looked for.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// found is the first record at or after a place.
type found struct {
	known   bool
	at      time.Time // of the record; of its batch, where the batch was too large to look into
	nothing bool      // there is none: markers and gaps until the end
}

// look is a place that is still looked for.
type look struct {
	place
	index  int
	leader int32
	bytes  int32
}

// recordsAt finds the first record at or after each place. What cannot be read in a few bounded fetches stays unknown:
// times are shown beside figures that are right without them.
func (c *client) recordsAt(ctx context.Context, places []place) []found {
	answers := make([]found, len(places))
	if len(places) == 0 {
		return answers
	}
	var topics []string
	for _, p := range places {
		topics = append(topics, p.topic)
	}
	slices.Sort(topics)
	details, err := c.admin.ListTopics(ctx, slices.Compact(topics)...)
	if err != nil {
		return answers
	}
	var open []look
	for i, p := range places {
		if d, ok := details[p.topic].Partitions[p.partition]; ok && d.Leader >= 0 {
			open = append(open, look{place: p, index: i, leader: d.Leader, bytes: timeFetchBytes})
		}
	}
	for round := 0; round < timeFetchRounds && len(open) > 0 && ctx.Err() == nil; round++ {
		var again []look
		for len(open) > 0 {
			var wave []look
			wave, open = nextWave(open)
			again = append(again, c.lookAt(ctx, details, wave, answers)...)
		}
		open = again
	}
	return answers
}

// nextWave takes places that fit into one request: of one leader, and each partition once.
func nextWave(open []look) (wave, rest []look) {
	type key struct {
		topic     string
		partition int32
	}
	taken := map[key]bool{}
	room := int32(timeFetchAtMost)
	for _, l := range open {
		k := key{l.topic, l.partition}
		if len(wave) > 0 && (l.leader != wave[0].leader || taken[k] || len(wave) == timeFetchPartitions || l.bytes > room) {
			rest = append(rest, l)
			continue
		}
		taken[k], room = true, room-l.bytes
		wave = append(wave, l)
	}
	return wave, rest
}

// lookAt sends one fetch, notes what it found, and returns what is to be looked for again.
func (c *client) lookAt(ctx context.Context, details kadm.TopicDetails, wave []look, answers []found) (again []look) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.MinBytes, req.MaxWaitMillis, req.SessionEpoch = timeFetchAtMost, 0, 0, -1
	names := map[[16]byte]string{}
	for _, l := range wave {
		if len(req.Topics) == 0 || req.Topics[len(req.Topics)-1].Topic != l.topic {
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = l.topic, details[l.topic].ID
			names[t.TopicID] = l.topic
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes = l.partition, l.offset, l.bytes
		t := &req.Topics[len(req.Topics)-1]
		t.Partitions = append(t.Partitions, p)
	}
	answer, err := c.Broker(int(wave[0].leader)).RetriableRequest(ctx, req)
	if err != nil {
		return nil
	}
	for _, t := range answer.(*kmsg.FetchResponse).Topics {
		if t.Topic == "" {
			t.Topic = names[t.TopicID]
		}
		for _, p := range t.Partitions {
			i := slices.IndexFunc(wave, func(l look) bool { return l.topic == t.Topic && l.partition == p.Partition })
			if i < 0 || kerr.ErrorForCode(p.ErrorCode) != nil {
				continue
			}
			l := wave[i]
			f, next := firstRecord(p.RecordBatches, l.offset)
			switch {
			case f.known:
				answers[l.index] = f
			case next >= p.HighWatermark:
				answers[l.index] = found{nothing: true}
			case next > l.offset:
				l.offset = next
				again = append(again, l)
			default:
				l.bytes = timeFetchMoreBytes
				again = append(again, l)
			}
		}
	}
	return again
}

// firstRecord finds the first record at or after offset in batches of which the last may be cut short. Without one it
// returns the offset to go on at.
func firstRecord(batches []byte, offset int64) (f found, next int64) {
	for len(batches) >= record.HeaderSize {
		b, rest, err := record.Next(batches)
		whole := err == nil
		switch {
		case errors.Is(err, record.ErrShort):
			b, rest = record.Batch(batches[:record.HeaderSize]), nil
		case !whole:
			return found{}, offset // a format older than 2017's
		}
		batches = rest
		switch {
		case b.LastOffset() < offset:
		case b.Control(), b.Count() == 0:
			offset = b.NextOffset()
		default:
			if at, ok := timeIn(b, whole, offset); ok {
				return found{known: true, at: time.UnixMilli(at)}, offset
			}
			offset = b.NextOffset()
		}
	}
	return found{}, offset
}

// timeIn is the time of the batch's first record at or after offset, or of the batch where it is not all there.
func timeIn(b record.Batch, whole bool, offset int64) (ms int64, ok bool) {
	if b.LogAppendTime() {
		return b.MaxTimestamp(), true
	}
	if !whole {
		return b.BaseTimestamp(), true
	}
	for r, err := range b.Records(nil) {
		if err != nil {
			return b.BaseTimestamp(), true
		}
		if b.BaseOffset()+int64(r.OffsetDelta) >= offset {
			return b.Timestamp(r), true
		}
	}
	return 0, false
}
