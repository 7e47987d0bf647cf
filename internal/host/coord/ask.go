package coord

import (
	"context"
	"time"

	"holdfast/internal/core/shard"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// item is what the mailbox of a shard holds.
type item interface {
	// do is the item's turn. The shard serves.
	do(r *runner)
	// refuse answers where do will not be called any more.
	refuse(h *Host, code wire.Code)
}

// Asked is a request on its way.
type Asked struct {
	request kmsg.Request
	client  shard.Client
	answer  chan kmsg.Response // holds one
}

func (a *Asked) do(r *runner) {
	r.calls[r.nextCall] = a
	r.decide(shard.Command{Request: a.request, Call: r.nextCall, Client: a.client})
}

func (a *Asked) refuse(h *Host, code wire.Code) { a.answer <- h.o.Kind.Refuse(a.request, code) }

// Answer is the answer if it is there.
func (a *Asked) Answer() (kmsg.Response, bool) {
	select {
	case r := <-a.answer:
		return r, true
	default:
		return nil, false
	}
}

// Send puts a request into the mailbox of a shard. What cannot be served has its answer at once.
func (h *Host) Send(index int32, request kmsg.Request, client shard.Client) *Asked {
	a := &Asked{request: request, client: client, answer: make(chan kmsg.Response, 1)}
	h.post(index, a)
	return a
}

func (h *Host) post(index int32, it item) {
	r := h.runner(index)
	if r == nil {
		it.refuse(h, wire.NotCoordinator)
	} else if code := r.post(it); code != wire.None {
		it.refuse(h, code)
	}
}

// Ask asks the shard that a key belongs to: a group id, a transactional id. The answer is never nil: a request that
// cannot be served is refused, with a code that the client retries. It returns when ctx ends at the latest; the request
// may then have its effect all the same. A request belongs to the machine from here on: it is not to be touched again.
func (h *Host) Ask(ctx context.Context, key string, request kmsg.Request, client shard.Client) kmsg.Response {
	return h.AskShard(ctx, h.ShardFor(key), request, client)
}

// AskShard is Ask for a shard by its number.
func (h *Host) AskShard(ctx context.Context, index int32, request kmsg.Request, client shard.Client) kmsg.Response {
	return h.wait(ctx, h.Send(index, request, client))
}

func (h *Host) wait(ctx context.Context, a *Asked) kmsg.Response {
	select {
	case r := <-a.answer:
		return r
	case <-ctx.Done():
		return h.o.Kind.Refuse(a.request, wire.CoordinatorNotAvailable)
	}
}

// AskAll asks every shard that this node leads the same, and gives their answers in the order of the shards. A shard
// that does not serve yet has refused.
func (h *Host) AskAll(ctx context.Context, request kmsg.Request, client shard.Client) []kmsg.Response {
	rs := h.all()
	asked := make([]*Asked, len(rs))
	for i, r := range rs {
		asked[i] = h.Send(r.index, request, client)
	}
	out := make([]kmsg.Response, len(rs))
	for i, a := range asked {
		out[i] = h.wait(ctx, a)
	}
	return out
}

// Tell gives a shard a command that answers nobody, such as how a task went. It reports whether the shard has it: one
// that is not here, loads or is full has not. A shard that is lost before the command is decided forgets it.
func (h *Host) Tell(index int32, command any) bool {
	r := h.runner(index)
	return r != nil && r.post(told{command}) == wire.None
}

type told struct{ command any }

func (t told) do(r *runner)              { r.decide(shard.Command{Request: t.command}) }
func (told) refuse(_ *Host, _ wire.Code) {}

// Mark writes the end of a transaction into a shard's log and has the machine hear of it. It returns None when the
// marker is committed, else an error that the transaction coordinator retries, or INVALID_PRODUCER_EPOCH where a newer
// epoch has written.
func (h *Host) Mark(ctx context.Context, index int32, m record.Marker) wire.Code {
	it := &mark{m, make(chan wire.Code, 1)}
	h.post(index, it)
	select {
	case code := <-it.done:
		return code
	case <-ctx.Done():
		return wire.CoordinatorNotAvailable
	}
}

type mark struct {
	record.Marker
	done chan wire.Code // holds one
}

func (m *mark) do(r *runner)                   { r.mark(m) }
func (m *mark) refuse(_ *Host, code wire.Code) { m.done <- code }

// Look runs a function on the goroutine of every shard that serves, one after the other or at once, and waits for all of
// them, but not for longer than the bound: for metrics and tests.
func (h *Host) Look(bound time.Duration, look func(index int32, m shard.Machine)) {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	var looks []*glance
	for _, r := range h.all() {
		g := &glance{look, make(chan struct{}, 1)}
		if r.post(g) == wire.None {
			looks = append(looks, g)
		}
	}
	for _, g := range looks {
		select {
		case <-g.done:
		case <-ctx.Done():
			return
		}
	}
}

type glance struct {
	look func(int32, shard.Machine)
	done chan struct{} // holds one
}

func (g *glance) do(r *runner) {
	g.look(r.index, r.machine)
	g.done <- struct{}{}
}

func (g *glance) refuse(*Host, wire.Code) { g.done <- struct{}{} }
