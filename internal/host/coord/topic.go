package coord

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// creation lets those who need the topic at one time share one request.
type creation struct {
	mu   sync.Mutex
	runs *attempt // nil: none
}

type attempt struct {
	done chan struct{} // closed when err is set
	err  error
}

// EnsureTopic creates the topic if it does not exist. When it returns nil the topic is in the image; its shards may
// still load. It waits for the controller until ctx ends; callers at one time share one creation.
func (h *Host) EnsureTopic(ctx context.Context) error {
	if h.image.Load().Topic(h.o.Kind.Topic) != nil {
		return nil
	}
	c := &h.topic
	c.mu.Lock()
	a := c.runs
	if a == nil {
		a = &attempt{done: make(chan struct{})}
		c.runs = a
		c.mu.Unlock()
		// The first caller's patience is everybody's: its client retries as theirs do.
		a.err = h.create(ctx)
		c.mu.Lock()
		c.runs = nil
		close(a.done)
	}
	c.mu.Unlock()
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return fmt.Errorf("the topic %s is being created: %w", h.o.Kind.Topic, ctx.Err())
	}
}

func (h *Host) create(ctx context.Context) error {
	how := h.o.Kind.Creation()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = h.o.Kind.Topic, how.Partitions, how.ReplicationFactor
	for _, name := range slices.Sorted(maps.Keys(how.Configs)) {
		value := how.Configs[name]
		t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: name, Value: &value})
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = req.MaxVersion()
	req.Topics = append(req.Topics, t)
	reply, err := h.o.Propose(ctx, req)
	if err != nil {
		return fmt.Errorf("create the topic %s: %w", h.o.Kind.Topic, err)
	}
	if r, ok := reply.(*kmsg.CreateTopicsResponse); ok && len(r.Topics) == 1 {
		if code := wire.Code(r.Topics[0].ErrorCode); code != wire.None && code != wire.TopicAlreadyExists {
			return fmt.Errorf("create the topic %s: %v%s", h.o.Kind.Topic, code, detail(r.Topics[0].ErrorMessage))
		}
	}
	return nil
}

func detail(message *string) string {
	if message == nil {
		return ""
	}
	return ": " + *message
}
