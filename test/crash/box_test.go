package crash

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/base/config"
	"holdfast/internal/base/event"
	"holdfast/internal/base/metrics"
	"holdfast/internal/core/image"
	"holdfast/internal/host/partition"
	"holdfast/internal/host/quorum"
	"holdfast/internal/storage/vfs"
)

const (
	dataDir   = "var/data"
	nodeID    = 1
	clusterID = "crash-cluster"

	// snapshotEvery makes snapshots of the metadata common.
	snapshotEvery = 6
	// journalBytes makes new files of the journal common, and a start cheap.
	journalBytes = 64 << 10
)

// box is a node without its sockets, put together as internal/node does it.
type box struct {
	fs     vfs.FS
	tools  *tools
	quorum *quorum.Driver
	parts  atomic.Pointer[partition.Manager] // nil until it is open; observers look in from their own goroutines

	mu     sync.Mutex
	events []event.Event
}

// tools are what boxes may share, because making them costs more than a box.
type tools struct {
	metrics *metrics.Registry
	values  *config.Values
	lives   byte // runs of the node so far: each registers as a new incarnation
	inOrder bool // partitions do one thing at a time, where the workload says: a run repeats exactly
	apart   bool // syncfs is not trusted: every file and folder is synced by itself
}

// apart is a file system whose syncfs is not known to be a barrier.
type apart struct{ vfs.FS }

func (apart) Type(string) (string, error) { return "some other", nil }

func newTools() *tools {
	v, _, err := config.Load("", []string{"log.retention.check.interval.ms=20000"}, nil)
	if err != nil {
		panic(err)
	}
	return &tools{metrics: metrics.New(), values: v}
}

// open starts a node on fsys: metadata, registration, partitions. On an error nothing runs any more.
func (ts *tools) open(fsys vfs.FS) (*box, error) {
	ts.lives++
	if ts.apart {
		fsys = apart{fsys}
	}
	b := &box{fs: fsys, tools: ts}
	if err := vfs.MakeDirs(fsys, dataDir); err != nil {
		return nil, err
	}
	forms := clusterID
	if used, err := partition.Used(fsys, dataDir); err != nil {
		return nil, err
	} else if used {
		forms = ""
	}
	d, err := quorum.Open(quorum.Options{
		FS: fsys, Dir: path.Join(dataDir, "quorum"), Directory: [16]byte{1}, NodeID: nodeID, ClusterID: forms,
		Broker: ts.values, SnapshotEvery: snapshotEvery, JournalBytes: journalBytes, Random: seeded(uint64(ts.lives)<<32 | rand.Uint64()>>32),
	})
	if err != nil {
		return nil, err
	}
	b.quorum = d
	d.Watch(b.follow)
	if err := d.Start(); err != nil {
		return nil, err
	}
	if err := b.register(ts.lives); err != nil {
		return nil, errors.Join(err, d.Stop())
	}
	if err := b.openPartitions(); err != nil {
		return nil, errors.Join(err, d.Stop())
	}
	return b, nil
}

func (b *box) openPartitions() error {
	m, err := partition.Open(partition.Options{
		FS: b.fs, Dir: dataDir, NodeID: nodeID, BootID: "boot", MaxFiles: 8, Log: slog.New(slog.DiscardHandler),
		Events: event.SinkFunc(b.emit), Metrics: b.tools.metrics, Config: func() *config.Values { return b.tools.values },
		InOrder: b.tools.inOrder,
	}, b.quorum.Image())
	if err != nil {
		return err
	}
	if !b.tools.inOrder {
		m.Start()
	}
	b.parts.Store(m)
	return nil
}

// flush is what the flusher does at once, where it runs.
func (b *box) flush() {
	if b.tools.inOrder {
		b.parts.Load().Flush()
	}
}

// pass lets time go by: checkpoints are written, segments retired. It is the bubble's time.
func (b *box) pass(d time.Duration) {
	if !b.tools.inOrder {
		pass(d)
		return
	}
	for ; d >= time.Second; d -= time.Second {
		pass(time.Second)
		m, now := b.parts.Load(), time.Now()
		if m.SaveCheckpoints() != nil {
			return // the disk is broken, and housekeeping would only say so
		}
		m.FlushAged(now)
		if now.Unix()%10 == 0 {
			m.Sweep(now)
			m.Flush()
		}
		if now.Unix()%20 == 0 {
			m.Retain(now)
		}
	}
	pass(d)
}

// restart stops the partitions cleanly and opens them again.
func (b *box) restart() error {
	m := b.parts.Swap(nil)
	if err := m.Stop(); err != nil {
		return err
	}
	return b.openPartitions()
}

func seeded(seed uint64) io.Reader {
	var s [32]byte
	binary.BigEndian.PutUint64(s[:], seed)
	return rand.NewChaCha8(s)
}

func (b *box) follow(_, _ *image.Image, d image.Delta) {
	if m := b.parts.Load(); m != nil {
		m.Follow(d)
	}
}

func (b *box) emit(e event.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
}

// told lists the events of a kind.
func (b *box) told(k *event.Kind) []event.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.events), func(e event.Event) bool { return e.Kind != k })
}

func (b *box) propose(request any) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return b.quorum.Propose(ctx, request)
}

// patience bounds every wait. It is time of the bubble: what takes that long would never end.
const patience = 10 * time.Minute

func (b *box) register(life byte) error {
	q := kmsg.NewPtrBrokerRegistrationRequest()
	q.Version, q.BrokerID, q.ClusterID = q.MaxVersion(), nodeID, clusterID
	q.IncarnationID, q.LogDirs = [16]byte{life, byte(rand.Uint32()), byte(rand.Uint32())}, [][16]byte{{1}}
	reply, err := b.propose(q)
	if err != nil {
		return err
	}
	if code := reply.(*kmsg.BrokerRegistrationResponse).ErrorCode; code != 0 {
		return fmt.Errorf("register: code %d", code)
	}
	return nil
}

func (b *box) partition(id image.TopicID, index int32) *partition.Partition {
	m := b.parts.Load()
	if m == nil {
		return nil
	}
	t := m.TopicByID(id)
	if t == nil {
		return nil
	}
	return t.Partition(index)
}

// stop ends the node as a clean stop does.
func (b *box) stop() error { return errors.Join(b.parts.Load().Stop(), b.quorum.Stop()) }
