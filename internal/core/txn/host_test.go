package txn

import (
	"bytes"
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"time"

	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fakeHost does what core/shard asks of a host, and after every command checks what doc.go promises.
type fakeHost struct {
	t      fataler
	shard  *Shard
	cfg    Config
	epoch  int32
	img    *image.Image
	now    time.Time
	timers map[any]time.Time
	log    []entry
	calls  shard.Call
	open   map[shard.Call]kmsg.Request // who has no answer yet
	since  map[shard.Call]time.Time
	tasks  []*WriteMarkers
	asks   int   // AllocateProducerIDs not answered
	ids    int64 // next producer id of the cluster
	meta   int64
	told   func(before, after *Transaction) // of every record
}

type entry struct{ key, value []byte }

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func newHost(t fataler, cfg Config) *fakeHost {
	return &fakeHost{
		t: t, shard: New(cfg), cfg: cfg, img: image.Empty(), now: time.UnixMilli(0).UTC(), timers: map[any]time.Time{},
		open: map[shard.Call]kmsg.Request{}, since: map[shard.Call]time.Time{}, ids: 1000,
	}
}

func (h *fakeHost) topic(name string, id byte, partitions int) {
	h.meta++
	records := []image.Record{&image.TopicRecord{Name: name, ID: image.TopicID{id}}}
	for p := range partitions {
		records = append(records, &image.PartitionRecord{Topic: image.TopicID{id}, Index: int32(p)})
	}
	h.img = h.img.Apply(h.meta, records)
}

// do is one whole turn.
func (h *fakeHost) do(request any) (shard.Call, shard.Outcome) {
	h.calls++
	cmd := shard.Command{Request: request, Call: h.calls, Image: h.img}
	if r, ok := request.(kmsg.Request); ok {
		h.open[h.calls], h.since[h.calls] = r, h.now
	}
	before := h.snapshot(h.shard)
	out := h.shard.Decide(h.now, cmd)
	if again := h.shard.Decide(h.now, cmd); !sameOutcome(out, again) {
		h.t.Fatalf("%T decided twice differs", request)
	}
	if !bytes.Equal(before, h.snapshot(h.shard)) {
		h.t.Fatalf("Decide(%T) changed the state", request)
	}
	h.apply(out)
	h.checkReplay()
	return cmd.Call, out
}

func (h *fakeHost) apply(out shard.Outcome) {
	for _, r := range out.Records {
		if key, value := r.Encode(); key != nil {
			h.log = append(h.log, entry{key, value})
		}
		if r, ok := r.(*Record); ok && h.told != nil {
			h.told(h.shard.txns[r.ID], r.Value)
		}
		h.shard.Apply(int64(len(h.log)), r)
	}
	for _, timer := range out.Timers {
		if timer.At.IsZero() {
			delete(h.timers, timer.Key)
		} else if _, armed := h.timers[timer.Key]; !armed || !timer.Keep {
			h.timers[timer.Key] = timer.At
		}
	}
	for _, r := range out.Replies {
		request := h.open[r.Call]
		if request == nil {
			h.t.Fatalf("call %d is answered twice, or was never made", r.Call)
		}
		if request.Key() != r.Response.Key() || request.GetVersion() != r.Response.GetVersion() {
			h.t.Fatalf("call %d of %T v%d is answered by %T v%d", r.Call, request, request.GetVersion(), r.Response, r.Response.GetVersion())
		}
		back := kmsg.ResponseForKey(r.Response.Key())
		back.SetVersion(r.Response.GetVersion())
		if err := back.ReadFrom(r.Response.AppendTo(nil)); err != nil {
			h.t.Fatalf("%T v%d cannot be read back: %v", r.Response, r.Response.GetVersion(), err)
		}
		if waited := h.now.Sub(h.since[r.Call]); waited > h.cfg.Patience {
			h.t.Fatalf("call %d waited %v", r.Call, waited)
		}
		delete(h.open, r.Call)
	}
	for _, task := range out.Tasks {
		switch task := task.(type) {
		case *WriteMarkers:
			h.tasks = append(h.tasks, task)
		case *AllocateProducerIDs:
			h.asks++
		}
	}
}

// allocate answers who asked for producer ids.
func (h *fakeHost) allocate(n int32) (outs []shard.Outcome) {
	for h.asks > 0 {
		h.asks--
		first := h.ids
		h.ids += int64(n)
		_, out := h.do(&ProducerIDs{First: first, Count: n})
		outs = append(outs, out)
	}
	return outs
}

// written says that a task is done.
func (h *fakeHost) written(i int) shard.Outcome {
	task := h.tasks[i]
	h.tasks = slices.Delete(h.tasks, i, i+1)
	_, out := h.do(&MarkersWritten{ID: task.ID, ProducerID: task.ProducerID, Epoch: task.Epoch})
	return out
}

func sameOutcome(a, b shard.Outcome) bool {
	return reflect.DeepEqual(a.Timers, b.Timers) && reflect.DeepEqual(a.Events, b.Events) && reflect.DeepEqual(a.Replies, b.Replies) && reflect.DeepEqual(a.Tasks, b.Tasks) &&
		slices.EqualFunc(a.Records, b.Records, func(x, y shard.Record) bool {
			xk, xv := x.Encode()
			yk, yv := y.Encode()
			return bytes.Equal(xk, yk) && bytes.Equal(xv, yv)
		})
}

func (h *fakeHost) snapshot(s *Shard) []byte {
	var b bytes.Buffer
	if err := s.Snapshot(&b); err != nil {
		h.t.Fatal(err)
	}
	return b.Bytes()
}

// replay is the shard that a restart makes of the log.
func (h *fakeHost) replay() *Shard {
	s := New(h.cfg)
	for i, e := range h.log {
		r, err := Decode(e.key, e.value)
		if err != nil {
			h.t.Fatal(err)
		}
		s.Apply(int64(i), r)
	}
	return s
}

// checkReplay holds the log against the state: what a restart would find is what is there.
func (h *fakeHost) checkReplay() {
	replayed := h.replay()
	if live, replayed := h.snapshot(h.shard), h.snapshot(replayed); !bytes.Equal(live, replayed) {
		h.t.Fatalf("the log replayed gives another state\nlive     %q\nreplayed %q", live, replayed)
	}
	for id, x := range h.shard.txns {
		if y := replayed.txns[id]; !reflect.DeepEqual(x, y) {
			h.t.Fatalf("%s is %+v, replayed %+v", id, *x, *y)
		}
	}
}

// restart is a coordinator that dies: who waits is never answered.
func (h *fakeHost) restart() shard.Outcome {
	h.epoch++
	h.shard = h.replay()
	h.timers, h.open, h.tasks, h.asks = map[any]time.Time{}, map[shard.Call]kmsg.Request{}, nil, 0
	_, out := h.do(&shard.Loaded{Epoch: h.epoch})
	return out
}

// next is the timer that is due first, and whether there is one up to a moment.
func (h *fakeHost) next(until time.Time) (any, bool) {
	var keys []any
	for k, at := range h.timers {
		if !at.After(until) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, false
	}
	return slices.MinFunc(keys, func(a, b any) int {
		return cmp.Or(h.timers[a].Compare(h.timers[b]), cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	}), true
}

// tick lets time pass and fires what is due, one at a time.
func (h *fakeHost) tick(d time.Duration, told func(TimerKey, shard.Outcome)) {
	until := h.now.Add(d)
	for turns := 0; ; turns++ {
		if turns > 100_000 {
			h.t.Fatalf("timers go round and round: %v", h.timers)
		}
		k, ok := h.next(until)
		if !ok {
			break
		}
		if at := h.timers[k]; at.After(h.now) {
			h.now = at
		}
		delete(h.timers, k)
		_, out := h.do(&shard.Fired{Timer: k})
		told(k.(TimerKey), out)
	}
	h.now = until
}
