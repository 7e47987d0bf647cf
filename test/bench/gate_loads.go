package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/proto/record"
)

// gateLoad is a request that is sent again and again, the next when the last is answered, on one connection.
type gateLoad struct {
	name     string
	requests int
	prepare  func(ctx context.Context, address, topic string) (request func() error, done func(), err error)
}

// warm is how many requests fill the broker's pools first.
func (l gateLoad) warm() int { return l.requests/4 + 50 }

func gateLoads() []gateLoad {
	unsynced := map[string]string{"commit.sync": "false"}
	return []gateLoad{
		{"produce 1 KB", 10_000, producing(nil, 1)},
		{"produce 1 KB, unsynced", 10_000, producing(unsynced, 1)},
		{"produce 64 records of 1 KB, unsynced", 4000, producing(unsynced, 64)},
		{"fetch 1 KB", 10_000, fetching(2000, 1)},
		{"fetch 1 MB", 1000, fetching(16, 1000)},
		{"metadata of a topic", 10_000, asking(func(topic string) kmsg.Request {
			q := kmsg.NewPtrMetadataRequest()
			q.Version = 12
			t := kmsg.NewMetadataRequestTopic()
			t.Topic = &topic
			q.Topics = append(q.Topics, t)
			return q
		})},
		{"commit 6 partitions", 5000, asking(func(topic string) kmsg.Request {
			q := kmsg.NewPtrOffsetCommitRequest()
			q.Version, q.Group = 8, "gate"
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic = topic
			for p := range int32(6) {
				one := kmsg.NewOffsetCommitRequestTopicPartition()
				one.Partition, one.Offset = p, 7
				t.Partitions = append(t.Partitions, one)
			}
			q.Topics = append(q.Topics, t)
			return q
		})},
	}
}

// raw is one connection that requests are written to as bytes: what the load generator's library does is no part of it.
type raw struct {
	net.Conn
	answer []byte
}

func dialRaw(address string) (*raw, error) {
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	return &raw{Conn: conn}, err
}

// ask sends the bytes of a request and returns those of its answer, without the length. They are valid until the next.
func (r *raw) ask(request []byte) ([]byte, error) {
	if err := r.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	if _, err := r.Write(request); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(size[:]))
	if cap(r.answer) < n {
		r.answer = make([]byte, n)
	}
	_, err := io.ReadFull(r, r.answer[:n])
	return r.answer[:n], err
}

// askFor sends a request and decodes its answer.
func (r *raw) askFor(q kmsg.Request) (kmsg.Response, error) {
	bytes, err := r.ask(encoded(q))
	if err != nil {
		return nil, err
	}
	answer := q.ResponseKind()
	answer.SetVersion(q.GetVersion())
	bytes = bytes[4:] // the correlation id
	if answer.IsFlexible() && q.Key() != int16(kmsg.ApiVersions) {
		bytes = bytes[1:] // no tags
	}
	return answer, answer.ReadFrom(bytes)
}

func encoded(q kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("gate")).AppendRequest(nil, q, 1)
}

// connected makes the topic, with six partitions, and a connection.
func connected(ctx context.Context, address, topic string, configs map[string]string) (*raw, error) {
	g := generator{work: work{Address: address, Topic: topic, Partitions: 6, Configs: configs}}
	if err := g.createTopic(ctx); err != nil {
		return nil, err
	}
	return dialRaw(address)
}

// asking repeats one request, whose first answers may have to be waited for.
func asking(q func(topic string) kmsg.Request) func(context.Context, string, string) (func() error, func(), error) {
	return func(ctx context.Context, address, topic string) (func() error, func(), error) {
		r, err := connected(ctx, address, topic, nil)
		if err != nil {
			return nil, nil, err
		}
		request := q(topic)
		if request.Key() == int16(kmsg.OffsetCommit) {
			if err := r.awaitCoordinator(ctx, "gate"); err != nil {
				return nil, nil, err
			}
		}
		for limit := time.Now().Add(30 * time.Second); ; {
			answer, err := r.askFor(request)
			if err == nil {
				err = refusedBy(answer)
			}
			if err == nil {
				break
			}
			if time.Now().After(limit) {
				return nil, nil, err
			}
			if err := pause(ctx, 20*time.Millisecond); err != nil {
				return nil, nil, err
			}
		}
		bytes := encoded(request)
		return func() error { _, err := r.ask(bytes); return err }, func() { _ = r.Close() }, nil
	}
}

func (r *raw) awaitCoordinator(ctx context.Context, group string) error {
	q := kmsg.NewPtrFindCoordinatorRequest()
	q.Version, q.CoordinatorKey = 2, group
	for limit := time.Now().Add(30 * time.Second); ; {
		answer, err := r.askFor(q)
		if err != nil {
			return err
		}
		err = kerr.ErrorForCode(answer.(*kmsg.FindCoordinatorResponse).ErrorCode)
		if err == nil || time.Now().After(limit) {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// refusedBy is the first error in an answer of the kinds that are asked for.
func refusedBy(answer kmsg.Response) error {
	switch a := answer.(type) {
	case *kmsg.MetadataResponse:
		return kerr.ErrorForCode(a.Topics[0].ErrorCode)
	case *kmsg.OffsetCommitResponse:
		return kerr.ErrorForCode(a.Topics[0].Partitions[0].ErrorCode)
	case *kmsg.ProduceResponse:
		return kerr.ErrorForCode(a.Topics[0].Partitions[0].ErrorCode)
	}
	return nil
}

// batch is a record batch of so many records of 1 KB.
func batch(records int) ([]byte, error) {
	b := record.NewBuilder(record.BuilderOptions{})
	for _, v := range payloads(false, 1024)[:records] {
		if err := b.Append(time.Now().UnixMilli(), nil, v); err != nil {
			return nil, err
		}
	}
	return b.Build(), nil
}

// producing repeats one produce request with acks=all to partition 0.
func producing(configs map[string]string, records int) func(context.Context, string, string) (func() error, func(), error) {
	return func(ctx context.Context, address, topic string) (func() error, func(), error) {
		r, err := connected(ctx, address, topic, configs)
		if err != nil {
			return nil, nil, err
		}
		q, err := produceRequest(topic, records)
		if err != nil {
			return nil, nil, err
		}
		answer, err := r.askFor(q)
		if err == nil {
			err = refusedBy(answer)
		}
		bytes := encoded(q)
		return func() error { _, err := r.ask(bytes); return err }, func() { _ = r.Close() }, err
	}
}

func produceRequest(topic string, records int) (*kmsg.ProduceRequest, error) {
	q := kmsg.NewPtrProduceRequest()
	q.Version, q.Acks, q.TimeoutMillis = 9, -1, 10_000
	t, p := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	var err error
	p.Records, err = batch(records)
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	return q, err
}

// fetching fills a partition with batches of some records, and reads one batch, or 1 MB of them, at a time.
func fetching(batches, records int) func(context.Context, string, string) (func() error, func(), error) {
	return func(ctx context.Context, address, topic string) (func() error, func(), error) {
		r, err := connected(ctx, address, topic, nil)
		if err != nil {
			return nil, nil, err
		}
		q, err := produceRequest(topic, records)
		if err != nil {
			return nil, nil, err
		}
		for range batches {
			answer, err := r.askFor(q)
			if err = errors.Join(err, refusedBy(answer)); err != nil {
				return nil, nil, err
			}
		}
		next := 0
		return func() error {
			offset := int64(next % batches * records)
			next++
			return r.fetch(topic, offset)
		}, func() { _ = r.Close() }, nil
	}
}

// fetch asks for one batch, which is given whole whatever its size.
func (r *raw) fetch(topic string, offset int64) error {
	q := kmsg.NewPtrFetchRequest()
	q.Version, q.MaxWaitMillis, q.MinBytes, q.MaxBytes, q.SessionEpoch = 11, 100, 1, 1, -1
	t, p := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes = offset, 1
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	answer, err := r.askFor(q)
	if err != nil {
		return err
	}
	part := answer.(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(part.ErrorCode); err != nil {
		return err
	}
	if len(part.RecordBatches) == 0 {
		return fmt.Errorf("a fetch at offset %d brought nothing", offset)
	}
	return nil
}
