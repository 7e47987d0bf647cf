package handler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/base/config"
	"holdfast/internal/base/event"
	"holdfast/internal/base/metrics"
	"holdfast/internal/core/image"
	"holdfast/internal/host/coord"
	"holdfast/internal/host/partition"
	"holdfast/internal/host/quorum"
	"holdfast/internal/proto/wire"
)

// Options is what a Handler works with.
type Options struct {
	NodeID     int32
	Log        *slog.Logger
	Events     event.Sink
	Metrics    *Metrics
	Quorum     *quorum.Driver
	Partitions *partition.Manager
	Groups     *coord.Host

	Transactions *coord.Host
	Config       func() *config.Values // the broker's settings as they are now
	DataDir      string                // as DescribeLogDirs names it

	FetchMaxBytes int32         // bound of one answer's records (fetch.max.bytes)
	MaxFetchWait  time.Duration // no fetch is parked for longer
	Frames        *Budget       // of requests' own bytes: the server takes from it, as from Work
	Work          *Budget       // of what working on requests takes
	Answers       *Budget       // of large answers on their way out
	SessionSlots  int           // fetch sessions kept (max.incremental.fetch.session.cache.slots)

	// Check sees every error code that is answered. Tests use it to hold the broker to wire's table of answers.
	Check func(api int16, code wire.Code)
}

// Handler answers requests of all connections.
type Handler struct {
	options  Options
	metrics  *Metrics
	sessions sessions
	buffers  Buffers
	calls    sync.Pool
	ids      producerIDs
	parked   *Budget // of requests that wait for other members of their group
	resets   *resets
	apis     map[int16]func(context.Context, *Call, kmsg.Request) kmsg.Response
}

// New returns a handler.
func New(o Options) *Handler {
	h := &Handler{
		options: o, metrics: o.Metrics, parked: NewBudget(o.Work.Limit(), metrics.Histogram{}), resets: newResets(),
		sessions: sessions{
			slots: o.SessionSlots, most: int(o.Work.Limit() / 2 / partitionBytes), evicted: o.Metrics.sessionsEvicted,
			newID: rand.Int32, byID: map[int32]*session{},
		},
	}
	h.apis = map[int16]func(context.Context, *Call, kmsg.Request) kmsg.Response{
		int16(kmsg.Metadata):                serve(h.metadata),
		int16(kmsg.ListOffsets):             serve(h.listOffsets),
		int16(kmsg.OffsetForLeaderEpoch):    serve(h.offsetForLeaderEpoch),
		int16(kmsg.DeleteRecords):           serve(h.deleteRecords),
		int16(kmsg.InitProducerID):          serve(h.initProducerID),
		int16(kmsg.FindCoordinator):         serve(h.findCoordinator),
		int16(kmsg.JoinGroup):               waiting(h, func(q *kmsg.JoinGroupRequest) string { return q.Group }),
		int16(kmsg.SyncGroup):               waiting(h, func(q *kmsg.SyncGroupRequest) string { return q.Group }),
		int16(kmsg.Heartbeat):               ofGroup(h, func(q *kmsg.HeartbeatRequest) string { return q.Group }),
		int16(kmsg.LeaveGroup):              ofGroup(h, func(q *kmsg.LeaveGroupRequest) string { return q.Group }),
		int16(kmsg.ConsumerGroupHeartbeat):  ofGroup(h, func(q *kmsg.ConsumerGroupHeartbeatRequest) string { return q.Group }),
		int16(kmsg.OffsetCommit):            ofGroup(h, func(q *kmsg.OffsetCommitRequest) string { return q.Group }),
		int16(kmsg.OffsetDelete):            ofGroup(h, func(q *kmsg.OffsetDeleteRequest) string { return q.Group }),
		int16(kmsg.OffsetFetch):             serve(h.offsetFetch),
		int16(kmsg.ListGroups):              serve(h.listGroups),
		int16(kmsg.DescribeGroups):          serve(h.describeGroups),
		int16(kmsg.ConsumerGroupDescribe):   serve(h.consumerGroupDescribe),
		int16(kmsg.DeleteGroups):            serve(h.deleteGroups),
		int16(kmsg.AddPartitionsToTxn):      serve(h.addPartitionsToTxn),
		int16(kmsg.AddOffsetsToTxn):         serve(h.addOffsetsToTxn),
		int16(kmsg.EndTxn):                  serve(h.endTxn),
		int16(kmsg.WriteTxnMarkers):         serve(h.writeTxnMarkers),
		int16(kmsg.TxnOffsetCommit):         serve(h.txnOffsetCommit),
		int16(kmsg.DescribeProducers):       serve(h.describeProducers),
		int16(kmsg.DescribeTransactions):    serve(h.describeTransactions),
		int16(kmsg.ListTransactions):        serve(h.listTransactions),
		int16(kmsg.CreateTopics):            serve(h.createTopics),
		int16(kmsg.DeleteTopics):            serve(h.deleteTopics),
		int16(kmsg.CreatePartitions):        serve(h.createPartitions),
		int16(kmsg.DescribeConfigs):         serve(h.describeConfigs),
		int16(kmsg.AlterConfigs):            serve(h.alterConfigs),
		int16(kmsg.IncrementalAlterConfigs): serve(h.incrementalAlterConfigs),
		int16(kmsg.ListConfigResources):     serve(h.listConfigResources),
		int16(kmsg.DescribeCluster):         serve(h.describeCluster),
		int16(kmsg.DescribeTopicPartitions): serve(h.describeTopicPartitions),
		int16(kmsg.DescribeLogDirs):         serve(h.describeLogDirs),
	}
	return h
}

// FetchSessions is the number of fetch sessions held.
func (h *Handler) FetchSessions() int { return h.sessions.count() }

// serve gives an API's method the shape that the table holds.
func serve[Q kmsg.Request, R kmsg.Response](f func(context.Context, *Call, Q) R) func(context.Context, *Call, kmsg.Request) kmsg.Response {
	return func(ctx context.Context, c *Call, q kmsg.Request) kmsg.Response { return f(ctx, c, q.(Q)) }
}

// Serve works on a call whose frame has been read. After a nil error the call has its answer, or waits for it. An error
// ends the connection: the request could not be understood, or closing is the answer.
func (h *Handler) Serve(ctx context.Context, c *Call) error {
	c.began, c.served, c.size = h.now(), true, len(c.Frame.B)
	h.metrics.inFlight.Add(1)
	var err error
	c.header, c.body, err = wire.ParseHeader(c.Frame.B)
	key := c.header.Key
	switch {
	case key == int16(kmsg.ApiVersions) && (err == nil || errors.Is(err, wire.ErrUnsupportedVersion)):
		err = h.apiVersions(c, err)
	case err != nil:
	case key == int16(kmsg.Produce):
		err = h.serveProduce(ctx, c)
	case key == int16(kmsg.Fetch):
		err = h.serveFetch(ctx, c)
	default:
		err = h.serveDecoded(ctx, c)
	}
	if err == nil && !c.waits {
		h.metrics.answered(c, h.now().Sub(c.began))
	}
	if errors.Is(err, wire.ErrPanic) {
		h.metrics.panics.Inc()
	}
	return err
}

func (h *Handler) serveDecoded(ctx context.Context, c *Call) error {
	api, _ := wire.Lookup(c.header.Key)
	do, ok := h.apis[c.header.Key]
	if !ok {
		return fmt.Errorf("%s is in the API table but has no handler", api.Name)
	}
	request, err := wire.Decode(api, c.header.Version, c.body)
	if err != nil {
		return err
	}
	response := do(ctx, c, request)
	response.SetVersion(c.header.Version)
	c.end(response.AppendTo(c.begin(512)))
	return nil
}

func (h *Handler) now() time.Time { return time.Now() }

// check counts a code that is answered, and tells a test.
func (h *Handler) check(api int16, code wire.Code) {
	h.metrics.refused(api, code)
	if h.options.Check != nil {
		h.options.Check(api, code)
	}
}

// code notes an error code that is answered, and gives it as the protocol has it.
func (h *Handler) code(c *Call, code wire.Code) int16 {
	h.check(c.header.Key, code)
	return int16(code)
}

func (h *Handler) image() *image.Image { return h.options.Quorum.Image() }

// topic finds a topic of which this node holds partitions, by id or by name; nil where there is none.
func (h *Handler) topic(name []byte, id [16]byte, byID bool) *partition.Topic {
	if byID {
		return h.options.Partitions.TopicByID(image.TopicID(id))
	}
	return h.options.Partitions.Topic(name)
}

// partition finds a topic's partition on this node; nil where there is none.
func (h *Handler) partition(t *partition.Topic, index int32) *partition.Partition {
	if t == nil {
		return nil
	}
	return t.Partition(index)
}

// absent is Kafka's code for a partition that this node does not serve: it does not exist, or it is offline.
func absent(t *partition.Topic, index int32, byID bool) wire.Code {
	switch {
	case t == nil && byID:
		return wire.UnknownTopicID
	case t != nil && t.Offline(index) != nil:
		return wire.KafkaStorageError
	default:
		return wire.UnknownTopicOrPartition
	}
}

// reserveAnswer takes the bytes of a large answer from their budget, waiting for other answers to leave.
func (h *Handler) reserveAnswer(ctx context.Context, c *Call, size int) (err error) {
	c.reserved, err = h.options.Answers.Take(ctx, int64(size))
	return err
}

// hold charges an answer that is not bounded by its request, before it is built. It gives up only where the node stops.
func (h *Handler) hold(ctx context.Context, c *Call, size int) {
	_ = h.reserveAnswer(ctx, c, size)
}

func ptr[T any](v T) *T { return &v }

// text is a nullable string of the protocol: null where there is nothing to say.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
