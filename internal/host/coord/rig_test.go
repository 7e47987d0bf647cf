package coord

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/internal/base/config"
	"holdfast/internal/base/event"
	"holdfast/internal/base/metrics"
	"holdfast/internal/core/group"
	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"
	"holdfast/internal/host/partition"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// rig is a node's partitions and its host of group coordinators, over a test's disk.
type rig struct {
	t          testing.TB
	disk       vfs.FS
	img        *image.Image
	offset     int64
	partitions *partition.Manager
	host       *Host
	kind       Kind
	boot       string

	mu     sync.Mutex
	events []event.Event
}

const (
	orders         = "orders" // the topic that groups read
	ordersID       = 7
	offsetsID      = 9
	commitPatience = 5 * time.Second
)

// groups is the kind of host that tests run, unless they say otherwise.
func groups() Kind {
	return Kind{
		Topic:  image.TopicOffsets,
		New:    func() shard.Machine { return group.New(group.DefaultConfig()) },
		Decode: group.Decode, Refuse: group.Refuse, PartitionFor: shard.PartitionFor,
	}
}

// start is a node that comes up on a disk: a new incarnation, with leader epochs of its own.
func start(t testing.TB, disk vfs.FS, shards int, kind Kind) *rig {
	t.Helper()
	r := &rig{t: t, disk: disk, img: image.Empty(), kind: kind, boot: "boot"}
	epochs++
	r.topic(orders, ordersID, 4, epochs)
	r.topic(image.TopicOffsets, offsetsID, shards, epochs)
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	r.host.Start()
	return r
}

var epochs int32 // rises from start to start, as the cluster's metadata has it

func (r *rig) topic(name string, id byte, partitions int, epoch int32) {
	records := []image.Record{&image.TopicRecord{Name: name, ID: image.TopicID{id}}}
	for p := range partitions {
		records = append(records, &image.PartitionRecord{
			Topic: image.TopicID{id}, Index: int32(p),
			Partition: image.Partition{Replicas: []int32{1}, ISR: []int32{1}, Leader: 1, LeaderEpoch: epoch, Directories: make([]image.DirectoryID, 1)},
		})
	}
	r.change(records...)
}

// change is the next image, followed as a node follows it.
func (r *rig) change(records ...image.Record) {
	before := r.img
	r.offset++
	r.img = before.Apply(r.offset, records)
	if r.host == nil {
		return
	}
	d := image.Diff(before, r.img)
	r.partitions.Follow(d)
	r.host.Follow(r.img, d)
}

func (r *rig) open() (err error) {
	registry := metrics.New()
	log := slog.New(slog.DiscardHandler)
	r.partitions, err = partition.Open(partition.Options{
		FS: r.disk, Dir: "data", NodeID: 1, BootID: r.boot, MaxFiles: 100, Log: log,
		Events: event.SinkFunc(r.emit), Metrics: registry, Config: func() *config.Values { return nil },
	}, r.img)
	if err != nil {
		return err
	}
	r.partitions.Start()
	r.host = New(Options{
		Kind: r.kind, NodeID: 1, FS: r.disk, Dir: "data", Partitions: r.partitions, Image: r.img, Events: event.SinkFunc(r.emit),
		Metrics: registry, Log: log, CommitTimeout: func() time.Duration { return commitPatience },
		Propose: func(context.Context, any) (any, error) { r.t.Error("nobody creates a topic here"); return nil, nil },
	})
	return nil
}

func (r *rig) stop() {
	r.t.Helper()
	r.host.Stop()
	if err := r.partitions.Stop(); err != nil && r.partitions.Failed() == nil {
		r.t.Error(err)
	}
}

func (r *rig) emit(e event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *rig) told(k *event.Kind) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == k {
			n++
		}
	}
	return n
}

// serving waits until every shard serves.
func (r *rig) serving() {
	r.t.Helper()
	for range 10_000 {
		if by, _ := r.host.Shards(); by["serving"] == len(r.host.all()) {
			return
		}
		pass(time.Millisecond)
	}
	by, _ := r.host.Shards()
	r.t.Fatalf("shards do not serve: %v", by)
}

// pass lets time pass, which in a bubble costs none.
func pass(d time.Duration) {
	time.Sleep(d) // sleep: the bubble's clock moves when everybody waits
}

var client = shard.Client{ID: "c", Host: "/127.0.0.1"}

func commitRequest(group string, partition int32, offset int64) *kmsg.OffsetCommitRequest {
	q := kmsg.NewPtrOffsetCommitRequest()
	q.Version, q.Group, q.Generation = 8, group, -1
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = partition, offset
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic, t.Partitions = orders, append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	return q
}

func commitCode(r kmsg.Response) wire.Code {
	return wire.Code(r.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode)
}

func (r *rig) commit(group string, partition int32, offset int64) wire.Code {
	return commitCode(r.host.Ask(context.Background(), group, commitRequest(group, partition, offset), client))
}

func (r *rig) mustCommit(group string, partition int32, offset int64) {
	r.t.Helper()
	if code := r.commit(group, partition, offset); code != wire.None {
		r.t.Fatalf("commit of %d by %s: %v", offset, group, code)
	}
}

func fetchRequest(group string, partition int32) *kmsg.OffsetFetchRequest {
	q := kmsg.NewPtrOffsetFetchRequest()
	q.Version = 8
	g := kmsg.NewOffsetFetchRequestGroup()
	t := kmsg.NewOffsetFetchRequestGroupTopic()
	t.Topic, t.Partitions = orders, []int32{partition}
	g.Group, g.Topics = group, append(g.Topics, t)
	q.Groups = append(q.Groups, g)
	return q
}

func fetched(r kmsg.Response) (offset int64, code wire.Code) {
	g := r.(*kmsg.OffsetFetchResponse).Groups[0]
	if g.ErrorCode != 0 {
		return -1, wire.Code(g.ErrorCode)
	}
	return g.Topics[0].Partitions[0].Offset, wire.Code(g.Topics[0].Partitions[0].ErrorCode)
}

func (r *rig) fetch(group string, partition int32) (int64, wire.Code) {
	return fetched(r.host.Ask(context.Background(), group, fetchRequest(group, partition), client))
}

func (r *rig) mustFetch(group string, partition int32, want int64) {
	r.t.Helper()
	if got, code := r.fetch(group, partition); code != wire.None || got != want {
		r.t.Fatalf("group %s has committed %d (%v), want %d", group, got, code, want)
	}
}

// join sends a JoinGroup that will be parked: a member with an id joins a group whose other member never comes back.
func joinRequest(group, member string) *kmsg.JoinGroupRequest {
	q := kmsg.NewPtrJoinGroupRequest()
	q.Version, q.Group, q.MemberID, q.ProtocolType = 5, group, member, "consumer"
	q.SessionTimeoutMillis, q.RebalanceTimeoutMillis = 30_000, 60_000
	q.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 0}}}
	return q
}

// states is the canonical state of every shard.
func (r *rig) states() map[int32][]byte {
	r.t.Helper()
	var mu sync.Mutex
	out := map[int32][]byte{}
	r.host.Look(time.Second, func(index int32, m shard.Machine) {
		var b bytes.Buffer
		if err := m.Snapshot(&b); err != nil {
			r.t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		out[index] = b.Bytes()
	})
	return out
}

func sameStates(a, b map[int32][]byte) bool {
	return slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b))) && maps.EqualFunc(a, b, bytes.Equal)
}
