package handler

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/base/config"
	"holdfast/internal/base/event"
	"holdfast/internal/base/metrics"
	"holdfast/internal/core/group"
	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"
	"holdfast/internal/core/txn"
	"holdfast/internal/host/coord"
	"holdfast/internal/host/partition"
	"holdfast/internal/host/quorum"
	"holdfast/internal/proto/record"
	"holdfast/internal/storage/vfs"
)

// rig is a real handler over a real disk, without sockets.
type rig struct {
	tb testing.TB
	*Handler
	client Client
}

func newRig(tb testing.TB, fsys vfs.FS, sets ...string) *rig {
	tb.Helper()
	dir := tb.TempDir()
	values, _, err := config.Load("", append([]string{"log.dirs=" + dir}, sets...), nil)
	if err != nil {
		tb.Fatal(err)
	}
	q, err := quorum.Open(quorum.Options{FS: fsys, Dir: filepath.Join(dir, "quorum"), NodeID: 1, ClusterID: "rig", Broker: values})
	if err != nil {
		tb.Fatal(err)
	}
	var partitions *partition.Manager
	var groups, txns *coord.Host
	q.Watch(func(_, after *image.Image, d image.Delta) {
		if partitions != nil {
			partitions.Follow(d)
		}
		if txns != nil {
			groups.Follow(after, d)
			txns.Follow(after, d)
		}
	})
	if err := q.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := q.Stop(); err != nil {
			tb.Error(err)
		}
	})
	register := kmsg.NewPtrBrokerRegistrationRequest()
	register.Version, register.BrokerID, register.ClusterID = register.MaxVersion(), 1, "rig"
	register.LogDirs = [][16]byte{{1}}
	if r, err := q.Propose(context.Background(), register); err != nil || r.(*kmsg.BrokerRegistrationResponse).ErrorCode != 0 {
		tb.Fatal(r, err)
	}
	registry := metrics.New()
	partitions, err = partition.Open(partition.Options{
		FS: fsys, Dir: dir, NodeID: 1, Log: slog.New(slog.DiscardHandler), Events: event.Discard, Metrics: registry,
		Config: func() *config.Values { return values },
	}, q.Image())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := partitions.Stop(); err != nil {
			tb.Error(err)
		}
	})
	partitions.Start()
	groups = coordinators(tb, q, partitions, registry, coord.Kind{
		Topic: image.TopicOffsets, New: func() shard.Machine { return group.New(group.DefaultConfig()) }, Decode: group.Decode, Refuse: group.Refuse,
	})
	txns = coordinators(tb, q, partitions, registry, coord.Kind{
		Topic: image.TopicTransactions, New: func() shard.Machine { return txn.New(txn.DefaultConfig()) }, Refuse: txn.Refuse,
		Decode: func(key, value []byte) (shard.Record, error) { return txn.Decode(key, value) },
		Task:   func(int32, any) {},
	})
	h := New(Options{
		NodeID: 1, Log: slog.New(slog.DiscardHandler), Events: event.Discard, Metrics: NewMetrics(registry),
		Quorum: q, Partitions: partitions, Groups: groups, Transactions: txns, Config: func() *config.Values { return values }, DataDir: dir,
		FetchMaxBytes: 50 << 20, MaxFetchWait: maxWaitInTests, SessionSlots: 10,
		Work: NewBudget(64<<20, metrics.Histogram{}), Answers: NewBudget(64<<20, metrics.Histogram{}),
	})
	return &rig{tb: tb, Handler: h}
}

// coordinators runs those of one kind.
func coordinators(tb testing.TB, q *quorum.Driver, partitions *partition.Manager, registry *metrics.Registry, kind coord.Kind) *coord.Host {
	kind.PartitionFor = shard.PartitionFor
	kind.Creation = func() coord.Creation { return coord.Creation{Partitions: 1, ReplicationFactor: 1} }
	host := coord.New(coord.Options{
		Kind: kind, NodeID: 1, Partitions: partitions, Image: q.Image(), Metrics: registry, Log: slog.New(slog.DiscardHandler),
		Propose: q.Propose, CommitTimeout: func() time.Duration { return 5 * time.Second },
	})
	host.Start()
	tb.Cleanup(host.Stop)
	return host
}

const maxWaitInTests = 60_000_000_000

// frame encodes a request as it comes in, without its length.
func frame(q kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("rig")).AppendRequest(nil, q, 7)[4:]
}

// serve carries a frame through the handler as a connection does, and hands its answer to look.
func (r *rig) serve(request []byte, look func(answer []byte)) {
	c := r.NewCall(&r.client, len(request), 0)
	copy(c.Frame.B, request)
	if err := r.Serve(context.Background(), c); err != nil {
		r.tb.Fatal(err)
	}
	c.Finish()
	if look != nil {
		look(c.Answer())
	}
	r.EndCall(c)
}

// ask is serve for a request that is decoded.
func (r *rig) ask(q kmsg.Request) kmsg.Response {
	r.tb.Helper()
	resp := q.ResponseKind()
	r.serve(frame(q), func(answer []byte) {
		body := answer[8:]
		if q.IsFlexible() && q.Key() != int16(kmsg.ApiVersions) {
			body = body[1:]
		}
		if err := resp.ReadFrom(body); err != nil {
			r.tb.Fatal(err)
		}
	})
	return resp
}

func (r *rig) createTopic(name string, partitions int32, configs ...string) {
	r.tb.Helper()
	q := kmsg.NewPtrCreateTopicsRequest()
	q.Version, q.TimeoutMillis = 7, 5000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
	for i := 0; i+1 < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		t.Configs = append(t.Configs, c)
	}
	q.Topics = append(q.Topics, t)
	if got := r.ask(q).(*kmsg.CreateTopicsResponse).Topics[0]; got.ErrorCode != 0 {
		r.tb.Fatalf("create topic %s: error %d", name, got.ErrorCode)
	}
}

// batch is a batch of ten records of 100 bytes, of an idempotent producer where id is not negative.
func batch(tb testing.TB, id int64) record.Batch {
	tb.Helper()
	b := record.NewBuilder(record.BuilderOptions{ProducerID: id, Idempotent: id >= 0})
	for range 10 {
		if err := b.Append(0, nil, make([]byte, 100)); err != nil {
			tb.Fatal(err)
		}
	}
	return b.Build()
}
