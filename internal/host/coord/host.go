package coord

import (
	"context"

	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Host runs the shards of one kind that this node leads.
type Host struct{ o Options }

// New returns a host that runs nothing yet.
func New(o Options) *Host { return &Host{o: o} }

// Start begins to load what the image gives to this node. It does not wait for it.
func (h *Host) Start() {}

// Ask asks the shard that a key belongs to: a group id, a transactional id. The answer is never nil: a request that
// cannot be served is refused, with a code that the client retries. It returns when ctx ends at the latest; the request
// may then have its effect all the same. A request belongs to the machine from here on: it is not to be touched again.
func (h *Host) Ask(ctx context.Context, key string, request kmsg.Request, client shard.Client) kmsg.Response {
	return h.AskShard(ctx, h.ShardFor(key), request, client)
}

// AskShard is Ask for a shard by its number.
func (h *Host) AskShard(ctx context.Context, shard int32, request kmsg.Request, client shard.Client) kmsg.Response {
	panic("TODO")
}

// AskAll asks every shard that this node leads the same, and gives their answers in the order of the shards. A shard
// that does not serve yet has refused.
func (h *Host) AskAll(ctx context.Context, request kmsg.Request, client shard.Client) []kmsg.Response {
	panic("TODO")
}

// Tell gives a shard a command that answers nobody, such as how a task went. It reports whether the shard took it: one
// that is lost before it is decided, or not here, has not.
func (h *Host) Tell(shard int32, command any) bool { panic("TODO") }

// ShardFor is the shard that a key belongs to; -1 while the topic does not exist.
func (h *Host) ShardFor(key string) int32 { panic("TODO") }

// EnsureTopic creates the topic if it does not exist. When it returns nil the topic is in the image; its shards may
// still load. It waits for the controller until ctx ends; callers at one time share one creation.
func (h *Host) EnsureTopic(ctx context.Context) error { panic("TODO") }

// Follow brings the shards to a new committed image. It is called in the image's order, after the partitions followed,
// and does not wait for anybody.
func (h *Host) Follow(after *image.Image, d image.Delta) {}

// Stop refuses whoever waits, lets answers leave whose records are about to be committed, and ends every shard.
func (h *Host) Stop() {}
