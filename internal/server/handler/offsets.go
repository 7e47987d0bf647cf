package handler

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// offsetFetch answers what groups have committed. From version 8 a request may name several groups, each of which may be
// coordinated elsewhere; one that is there again is answered once.
func (h *Handler) offsetFetch(ctx context.Context, c *Call, q *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchResponse {
	if q.Version < 8 {
		r := h.options.Groups.Ask(ctx, q.Group, q, c.who()).(*kmsg.OffsetFetchResponse)
		h.noteFetched(c, q, r)
		return coordinated(ctx, h, c, r)
	}
	ids := make([]string, len(q.Groups))
	first := make(map[string]int, len(q.Groups))
	for i := range q.Groups {
		ids[i] = q.Groups[i].Group
		if _, again := first[ids[i]]; !again {
			first[ids[i]] = i
		}
	}
	r := kmsg.NewPtrOffsetFetchResponse()
	for _, ids := range h.byShard(ids) {
		part := *q
		part.Groups = make([]kmsg.OffsetFetchRequestGroup, len(ids))
		for i, id := range ids {
			part.Groups[i] = q.Groups[first[id]]
		}
		r.Groups = append(r.Groups, h.options.Groups.Ask(ctx, ids[0], &part, c.who()).(*kmsg.OffsetFetchResponse).Groups...)
	}
	h.noteFetched(c, q, r)
	return coordinated(ctx, h, c, r)
}
