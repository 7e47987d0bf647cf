package sim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/proto/wire"
)

// admin makes topics, changes and deletes them, one request at a time, and deletes records.
type admin struct {
	w     *world
	busy  bool // a request is on the way
	asked int  // requests so far: an answer to an older one is not waited for any more
	done  int  // requests answered since healing began
}

func (w *world) newAdmin() *admin {
	a := &admin{w: w}
	w.after(0, a.tick)
	return a
}

// restart is called when the node has come back: what was on its way is decided.
func (a *admin) restart() { a.busy, a.asked = false, a.asked+1 }

func (a *admin) tick() {
	w := a.w
	pause := min(w.about(w.plan.every/2), 10*time.Second)
	if w.healing {
		pause = w.about(time.Second)
	}
	n := w.node
	if n == nil || a.busy {
		w.after(min(pause, 200*time.Millisecond), a.tick)
		return
	}
	t := a.topic(pick(w, topicNames[:w.plan.topics]))
	if t.state == absent {
		pause = min(pause, 20*time.Millisecond) // the others soon, too
	}
	w.after(pause, a.tick)
	switch {
	case t.state == absent:
		a.create(t)
	case w.healing:
		a.alter(t)
	case w.plan.has(deleteFault) && w.chance(0.5):
		a.deleteRecords(t)
	case w.plan.has(topicFault) && w.chance(0.25):
		a.remove(t)
	case w.plan.has(topicFault) && w.chance(0.2) && t.parts < 6:
		a.grow(t)
	case w.plan.has(settingFault):
		a.alter(t)
	}
}

var topicNames = [...]string{"apples", "pears", "plums", "figs"}

func (a *admin) topic(name string) *topic {
	t := a.w.truth.topics[name]
	if t == nil {
		t = &topic{name: name}
		a.w.truth.topics[name] = t
	}
	return t
}

// ask proposes a request; code finds the error code in the reply. then is called with it, unless nobody knows.
func (a *admin) ask(what, who string, request any, code func(reply any) int16, then func(wire.Code)) {
	a.busy = true
	a.asked++
	mine := a.asked
	a.w.note(what, who, 0, 0)
	a.w.node.propose(request, func(reply any, err error) {
		if a.asked != mine {
			return
		}
		a.busy = false
		if a.w.healing {
			a.done++
		}
		if err != nil {
			violate("%s %s: %v", what, who, err)
		}
		c := wire.Code(code(reply))
		a.w.note(what+" answered", who, int64(c), 0)
		if c != wire.None {
			violate("%s %s is answered %v", what, who, c)
		}
		then(c)
	})
}

func (a *admin) create(t *topic) {
	t.state, t.parts, t.settings = creating, 1+a.w.rand.IntN(3), a.w.topicSettings()
	q := kmsg.NewPtrCreateTopicsRequest()
	q.Version = 7
	k := kmsg.NewCreateTopicsRequestTopic()
	k.Topic, k.NumPartitions, k.ReplicationFactor = t.name, int32(t.parts), 1
	for _, key := range slices.Sorted(maps.Keys(t.settings)) {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		value := t.settings[key]
		c.Name, c.Value = key, &value
		k.Configs = append(k.Configs, c)
	}
	q.Topics = append(q.Topics, k)
	a.ask("create", t.name, q, func(reply any) int16 { return reply.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode }, func(wire.Code) {
		if t.id.Zero() {
			violate("topic %s was acknowledged and is not shown", t.name)
		}
		t.state = exists
	})
}

func (a *admin) remove(t *topic) {
	t.state = deleting
	q := kmsg.NewPtrDeleteTopicsRequest()
	q.Version = 6
	q.Topics = []kmsg.DeleteTopicsRequestTopic{{TopicID: t.id}}
	a.ask("delete", t.name, q, func(reply any) int16 { return reply.(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode }, func(wire.Code) {
		if !t.id.Zero() {
			violate("topic %s was deleted and is shown", t.name)
		}
		t.state = absent
		a.w.counts[TopicsDeleted]++
	})
}

func (a *admin) grow(t *topic) {
	t.growing = t.parts + 1
	q := kmsg.NewPtrCreatePartitionsRequest()
	q.Version = 3
	k := kmsg.NewCreatePartitionsRequestTopic()
	k.Topic, k.Count = t.name, int32(t.growing)
	q.Topics = append(q.Topics, k)
	a.ask("grow", t.name, q, func(reply any) int16 { return reply.(*kmsg.CreatePartitionsResponse).Topics[0].ErrorCode }, func(wire.Code) {
		t.parts, t.growing = t.growing, 0
		a.w.counts[PartitionsAdded]++
	})
}

func (a *admin) alter(t *topic) {
	t.asked = maps.Clone(t.settings)
	if t.asked == nil {
		t.asked = map[string]string{}
	}
	key := pick(a.w, []string{"commit.sync", "commit.sync", "segment.ms", "retention.ms", "flush.ms"})
	value := strconv.Itoa(1000 * (1 + a.w.rand.IntN(20)))
	if key == "commit.sync" {
		value = strconv.FormatBool(a.w.chance(0.6))
	}
	t.asked[key] = value
	q := kmsg.NewPtrIncrementalAlterConfigsRequest()
	q.Version = 1
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, t.name
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Op, c.Value = key, kmsg.IncrementalAlterConfigOpSet, &value
	r.Configs = append(r.Configs, c)
	q.Resources = append(q.Resources, r)
	a.ask(fmt.Sprintf("set %s=%s", key, value), t.name, q, func(reply any) int16 {
		return reply.(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode
	}, func(wire.Code) {
		t.settings, t.asked = t.asked, nil
		a.w.counts[SettingsChanged]++
	})
}

func (a *admin) deleteRecords(t *topic) {
	w := a.w
	if len(t.logs) == 0 {
		return
	}
	l := pick(w, t.logs)
	if l.part == nil || l.high == l.start {
		return
	}
	to := l.start + w.rand.Int64N(l.high-l.start+1)
	l.ceiling = max(l.ceiling, to)
	_, start, code := l.part.DeleteRecords(to)
	w.note("delete records", l.String(), to, int64(code))
	switch {
	case code == wire.None && start < to:
		violate("%v: records below %d were deleted, and the log starts at %d", l, to, start)
	case code == wire.None:
		l.floor = max(l.floor, start)
		w.counts[RecordsDeleted]++
	case code != wire.KafkaStorageError || !w.disk.faulted():
		violate("%v: deleting records below %d of [%d, %d) is answered %v", l, to, l.start, l.high, code)
	}
}
