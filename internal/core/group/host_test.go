package group

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fakeHost does what doc.go asks of a host, and after every command checks what doc.go promises.
type fakeHost struct {
	t      fataler
	shard  *Shard
	cfg    Config
	img    *image.Image
	now    time.Time
	timers map[TimerKey]time.Time
	log    []entry
	calls  shard.Call
	nonces uint64
	open   map[shard.Call]kmsg.Request // who has no answer yet
	meta   int64
}

type entry struct {
	key, value []byte
	producer   int64
	marker     *shard.Marker
}

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func newHost(t fataler, cfg Config) *fakeHost {
	return &fakeHost{
		t: t, shard: New(cfg), cfg: cfg, img: image.Empty(), now: time.UnixMilli(0).UTC(),
		timers: map[TimerKey]time.Time{}, open: map[shard.Call]kmsg.Request{},
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

func (h *fakeHost) grow(name string, partitions int) {
	h.meta++
	t := h.img.Topic(name)
	var records []image.Record
	for p := len(t.Partitions); p < partitions; p++ {
		records = append(records, &image.PartitionRecord{Topic: t.ID, Index: int32(p)})
	}
	h.img = h.img.Apply(h.meta, records)
}

func (h *fakeHost) drop(name string) shard.DeletedTopic {
	h.meta++
	t := h.img.Topic(name)
	h.img = h.img.Apply(h.meta, []image.Record{&image.RemoveTopicRecord{ID: t.ID}})
	return shard.DeletedTopic{Name: t.Name, ID: t.ID}
}

// do is one whole turn.
func (h *fakeHost) do(request any, client shard.Client) (shard.Call, shard.Outcome) {
	h.calls++
	h.nonces++
	cmd := shard.Command{Request: request, Call: h.calls, Client: client, Image: h.img}
	binary.BigEndian.PutUint64(cmd.Nonce[8:], h.nonces)
	if r, ok := request.(kmsg.Request); ok {
		h.open[h.calls] = r
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
			e := entry{key: key, value: value, producer: shard.NoProducer}
			if o, ok := r.(*OffsetRecord); ok {
				e.producer = o.ProducerID
			}
			h.log = append(h.log, e)
		}
		h.shard.Apply(int64(len(h.log)), r)
	}
	for _, timer := range out.Timers {
		key := timer.Key.(TimerKey)
		if timer.At.IsZero() {
			delete(h.timers, key)
		} else if _, armed := h.timers[key]; !armed || !timer.Keep {
			h.timers[key] = timer.At
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
		roundTrip(h.t, r.Response)
		delete(h.open, r.Call)
	}
}

// roundTrip makes sure that a response can be written and read.
func roundTrip(t fataler, resp kmsg.Response) {
	back := kmsg.ResponseForKey(resp.Key())
	back.SetVersion(resp.GetVersion())
	if err := back.ReadFrom(resp.AppendTo(nil)); err != nil {
		t.Fatalf("%T v%d cannot be read back: %v", resp, resp.GetVersion(), err)
	}
}

func sameOutcome(a, b shard.Outcome) bool {
	return reflect.DeepEqual(a.Timers, b.Timers) && reflect.DeepEqual(a.Events, b.Events) && reflect.DeepEqual(a.Replies, b.Replies) &&
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
		if e.marker != nil {
			s.Apply(int64(i+1), e.marker)
			continue
		}
		r, err := Decode(e.key, e.value)
		if err != nil {
			h.t.Fatal(err)
		}
		if o, ok := r.(*OffsetRecord); ok {
			o.ProducerID = e.producer
		}
		s.Apply(int64(i+1), r)
	}
	return s
}

// checkReplay holds the log against the state: what a restart would find is what is there.
func (h *fakeHost) checkReplay() {
	live, replayed := h.snapshot(h.shard), h.snapshot(h.replay())
	if !bytes.Equal(live, replayed) {
		h.t.Fatalf("the log replayed gives another state\nlive     %q\nreplayed %q", live, replayed)
	}
	restored := New(h.cfg)
	if err := restored.Restore(bytes.NewReader(live)); err != nil {
		h.t.Fatal(err)
	}
	if again := h.snapshot(restored); !bytes.Equal(live, again) {
		h.t.Fatalf("a snapshot restored gives another\n%q\n%q", live, again)
	}
}

func (h *fakeHost) marker(producer int64, commit bool) {
	m := &shard.Marker{ProducerID: producer, Commit: commit}
	h.log = append(h.log, entry{marker: m})
	h.shard.Apply(int64(len(h.log)), m)
	h.checkReplay()
}

// restart is a coordinator that dies: who waits is never answered.
func (h *fakeHost) restart() shard.Outcome {
	h.shard = h.replay()
	h.timers, h.open = map[TimerKey]time.Time{}, map[shard.Call]kmsg.Request{}
	_, out := h.do(&shard.Loaded{}, shard.Client{})
	return out
}

// next is the timer that is due first, and whether there is one up to a moment.
func (h *fakeHost) next(until time.Time) (TimerKey, bool) {
	var keys []TimerKey
	for k, at := range h.timers {
		if !at.After(until) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return TimerKey{}, false
	}
	return slices.MinFunc(keys, func(a, b TimerKey) int {
		if c := h.timers[a].Compare(h.timers[b]); c != 0 {
			return c
		}
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
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
		_, out := h.do(&shard.Fired{Timer: k}, shard.Client{})
		told(k, out)
	}
	h.now = until
}
