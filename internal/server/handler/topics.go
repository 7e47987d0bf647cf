package handler

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/host/quorum"
	"holdfast/internal/proto/wire"
)

// How long the broker waits for the metadata quorum where the request does not say.
const (
	proposalPatience   = 30 * time.Second
	autoCreatePatience = 5 * time.Second
)

// propose has the controller decide a request and waits until what it decided is committed and followed here.
func (h *Handler) propose(ctx context.Context, request any) (any, error) {
	began := h.now()
	reply, err := h.options.Quorum.Propose(ctx, request)
	switch {
	case err == nil:
		h.metrics.decided.Inc()
		h.metrics.decision.Seconds(h.now().Sub(began))
	case errors.Is(err, quorum.ErrUnknown):
		h.metrics.decisionLost.Inc()
	default:
		h.metrics.decisionRefused.Inc()
	}
	return reply, err
}

// decide proposes a client's request for as long as the client waits. Where the quorum does not answer in time, code
// says what the client may conclude.
func decide[R kmsg.Response](ctx context.Context, h *Handler, request kmsg.Request, timeoutMs int32) (r R, code wire.Code) {
	patience := proposalPatience
	if timeoutMs > 0 {
		patience = min(patience, time.Duration(timeoutMs)*time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	reply, err := h.propose(ctx, request)
	switch {
	case err == nil:
		return reply.(R), wire.None
	case errors.Is(err, quorum.ErrUnknown) || errors.Is(err, context.DeadlineExceeded):
		return r, wire.RequestTimedOut
	default:
		h.options.Log.Warn("the metadata quorum did not take a request", "err", err)
		return r, wire.NotController
	}
}

func (h *Handler) createTopics(ctx context.Context, c *Call, q *kmsg.CreateTopicsRequest) *kmsg.CreateTopicsResponse {
	r, code := decide[*kmsg.CreateTopicsResponse](ctx, h, q, q.TimeoutMillis)
	if code != wire.None {
		r = kmsg.NewPtrCreateTopicsResponse()
		for i := range q.Topics {
			t := kmsg.NewCreateTopicsResponseTopic()
			t.Topic, t.ErrorCode = q.Topics[i].Topic, int16(code)
			r.Topics = append(r.Topics, t)
		}
	}
	for i := range r.Topics {
		h.check(c.header.Key, wire.Code(r.Topics[i].ErrorCode))
	}
	return r
}

func (h *Handler) deleteTopics(ctx context.Context, c *Call, q *kmsg.DeleteTopicsRequest) *kmsg.DeleteTopicsResponse {
	r, code := decide[*kmsg.DeleteTopicsResponse](ctx, h, q, q.TimeoutMillis)
	if code != wire.None {
		r = kmsg.NewPtrDeleteTopicsResponse()
		for _, name := range q.TopicNames {
			t := kmsg.NewDeleteTopicsResponseTopic()
			t.Topic, t.ErrorCode = ptr(name), int16(code)
			r.Topics = append(r.Topics, t)
		}
		for i := range q.Topics {
			t := kmsg.NewDeleteTopicsResponseTopic()
			t.Topic, t.TopicID, t.ErrorCode = q.Topics[i].Topic, q.Topics[i].TopicID, int16(code)
			r.Topics = append(r.Topics, t)
		}
	}
	for i := range r.Topics {
		h.check(c.header.Key, wire.Code(r.Topics[i].ErrorCode))
	}
	return r
}

func (h *Handler) createPartitions(ctx context.Context, c *Call, q *kmsg.CreatePartitionsRequest) *kmsg.CreatePartitionsResponse {
	r, code := decide[*kmsg.CreatePartitionsResponse](ctx, h, q, q.TimeoutMillis)
	if code != wire.None {
		r = kmsg.NewPtrCreatePartitionsResponse()
		for i := range q.Topics {
			t := kmsg.NewCreatePartitionsResponseTopic()
			t.Topic, t.ErrorCode = q.Topics[i].Topic, int16(code)
			r.Topics = append(r.Topics, t)
		}
	}
	for i := range r.Topics {
		h.check(c.header.Key, wire.Code(r.Topics[i].ErrorCode))
	}
	return r
}

func (h *Handler) alterConfigs(ctx context.Context, c *Call, q *kmsg.AlterConfigsRequest) *kmsg.AlterConfigsResponse {
	r, code := decide[*kmsg.AlterConfigsResponse](ctx, h, q, 0)
	if code != wire.None {
		r = kmsg.NewPtrAlterConfigsResponse()
		for i := range q.Resources {
			o := kmsg.NewAlterConfigsResponseResource()
			o.ResourceType, o.ResourceName, o.ErrorCode = q.Resources[i].ResourceType, q.Resources[i].ResourceName, int16(code)
			r.Resources = append(r.Resources, o)
		}
	}
	for i := range r.Resources {
		h.check(c.header.Key, wire.Code(r.Resources[i].ErrorCode))
	}
	return r
}

func (h *Handler) incrementalAlterConfigs(ctx context.Context, c *Call, q *kmsg.IncrementalAlterConfigsRequest) *kmsg.IncrementalAlterConfigsResponse {
	r, code := decide[*kmsg.IncrementalAlterConfigsResponse](ctx, h, q, 0)
	if code != wire.None {
		r = kmsg.NewPtrIncrementalAlterConfigsResponse()
		for i := range q.Resources {
			o := kmsg.NewIncrementalAlterConfigsResponseResource()
			o.ResourceType, o.ResourceName, o.ErrorCode = q.Resources[i].ResourceType, q.Resources[i].ResourceName, int16(code)
			r.Resources = append(r.Resources, o)
		}
	}
	for i := range r.Resources {
		h.check(c.header.Key, wire.Code(r.Resources[i].ErrorCode))
	}
	return r
}
