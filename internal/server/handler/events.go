package handler

import (
	"holdfast/internal/base/event"
)

// event begins an event about what a client asked for.
func (h *Handler) event(k *event.Kind, c *Call) event.Event {
	return event.New(k, h.now(), h.options.NodeID).
		Text("client_id", string(c.header.ClientID)).Text("client_host", c.Client.Address.Addr().String())
}

// outOfRange tells of a fetch for an offset that the partition does not have: the client will now skip or read again.
func (h *Handler) outOfRange(c *Call, it *fetchItem) {
	if it.part == nil {
		return
	}
	h.metrics.outOfRange(it.part.Topic.Name)
	asked, first := it.query.FetchOffset, it.found.LogStart
	w := c.whoami()
	group := h.resets.groupOf(w)
	h.resets.expect(start{w, it.part.Topic.Name, it.part.Index}, pending{group, max(asked, 0), h.now()})
	h.options.Events.Emit(h.event(event.KindFetchOutOfRange, c).In(it.part.Topic.Name, it.part.Index).Of(group).
		Number("offset", asked).Number("log_start", first).Number("log_end", it.found.HighWatermark).
		Number("missed", max(first-asked, 0)))
}
