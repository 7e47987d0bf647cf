package coord

import (
	"context"
	"io"
	"log/slog"
	"time"

	"holdfast/internal/base/event"
	"holdfast/internal/base/metrics"
	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"
	"holdfast/internal/host/partition"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Options is what a Host works with.
type Options struct {
	Kind       Kind
	NodeID     int32
	FS         vfs.FS // where a broken shard writes its state down; nil for nowhere
	Dir        string // the data directory
	Partitions *partition.Manager
	Image      *image.Image // as it is at the start; Follow brings the later ones
	Events     event.Sink
	Metrics    *metrics.Registry
	Log        *slog.Logger
	Now        func() time.Time // nil for time.Now
	Random     io.Reader        // nil for crypto/rand

	// Propose has the active controller carry out a request: it creates the topic.
	Propose func(ctx context.Context, request any) (reply any, err error)

	// CommitTimeout is how long an answer waits for its records to be committed (offsets.commit.timeout.ms).
	CommitTimeout func() time.Duration

	// InOrder starts no goroutines: who calls Step does the work, one thing at a time, in an order that does not change
	// from run to run.
	InOrder bool
}

// Kind is what a host coordinates.
type Kind struct {
	Topic string // the internal topic whose partitions are the shards

	New          func() shard.Machine
	Decode       func(key, value []byte) (shard.Record, error)
	Refuse       func(request kmsg.Request, code wire.Code) kmsg.Response
	PartitionFor func(key string, partitions int32) int32

	// Creation is how the topic is made when it is needed first.
	Creation func() Creation

	// Task carries out what a machine wants done outside its shard, when all that was applied before is committed. It
	// does not wait: it hands on. How it went comes back with Host.Tell. Nil where machines have no tasks.
	Task func(shard int32, task any)

	// Appended sees each record that was appended, on the shard's goroutine; for metrics. May be nil.
	Appended func(shard.Record)
}

// Creation is how an internal topic is made.
type Creation struct {
	Partitions        int32
	ReplicationFactor int16
	Configs           map[string]string
}
