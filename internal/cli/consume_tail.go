package cli

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// tailCheckAfter is how long a poll may bring nothing before the rest of each partition is looked at.
// It decides only when to look, never what is found.
const tailCheckAfter = 2 * time.Second

// skipEmptyTails moves partitions past batches without records. Compaction leaves such batches, and a client library
// passes over them without a word, so the only way to know that nothing is left is to fetch and look at the batches.
func (r *reader) skipEmptyTails(ctx context.Context) error {
	for _, p := range r.partitions() {
		if !r.unfinished(p) {
			continue
		}
		s := r.spans[p]
		next, err := r.emptyUntil(ctx, p, s.next)
		if err != nil {
			return err
		}
		s.next = max(s.next, min(next, s.end))
	}
	return nil
}

// emptyUntil returns the first offset at or after from that may belong to a record, as one fetch shows it.
func (r *reader) emptyUntil(ctx context.Context, partition int32, from int64) (int64, error) {
	ctx, cancel := r.client.bounded(ctx)
	defer cancel()
	details, err := r.client.topics(ctx, r.topic)
	if err != nil {
		return from, err
	}
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.MinBytes, req.MaxWaitMillis, req.SessionEpoch = 1<<20, 0, 100, -1
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = r.topic, details[0].ID
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = partition, from, 1<<20
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	resp, err := r.client.Broker(int(details[0].Partitions[partition].Leader)).RetriableRequest(ctx, req)
	if err != nil {
		return from, r.client.explain(err, fmt.Sprintf("read %s partition %d", r.topic, partition))
	}
	topics := resp.(*kmsg.FetchResponse).Topics
	if len(topics) == 0 || len(topics[0].Partitions) == 0 {
		return from, errors.New("the broker answered a fetch without the partition")
	}
	p := &topics[0].Partitions[0] // one was asked for
	switch err := kerr.ErrorForCode(p.ErrorCode); {
	case err == nil:
		return afterEmptyBatches(p.RecordBatches, from), nil
	case kerr.IsRetriable(err):
		return from, nil // the next look will tell
	default:
		return from, r.explain(ctx, kgo.FetchError{Topic: r.topic, Partition: partition, Err: err})
	}
}

// afterEmptyBatches passes over batches that hold no record: batch v2 has its base offset at 0, its length at 8, the last
// offset's delta at 23 and the number of records at 57.
func afterEmptyBatches(b []byte, from int64) int64 {
	const header = 61
	for len(b) >= header && b[16] == 2 {
		last := int64(binary.BigEndian.Uint64(b)) + int64(int32(binary.BigEndian.Uint32(b[23:])))
		if last >= from {
			if binary.BigEndian.Uint32(b[57:]) != 0 {
				return from
			}
			from = last + 1
		}
		size := 12 + int64(int32(binary.BigEndian.Uint32(b[8:])))
		if size < header || size > int64(len(b)) {
			return from
		}
		b = b[size:]
	}
	return from
}
