package group

import (
	"cmp"
	"maps"
	"slices"

	"holdfast/internal/core/image"
)

// assignable is what an assignor has to go by.
type assignable struct {
	members []assignee       // sorted by id
	topics  map[string]topic // all that anybody subscribes to and that exist
}

type topic struct {
	id         image.TopicID
	partitions int32
}

type assignee struct {
	id       string
	instance string     // "" for none
	topics   []string   // subscribed and existing, sorted
	had      assignment // its target so far
}

// assign gives every partition of every topic to one subscriber. Same input, same output.
func assign(name string, a assignable) map[string]assignment {
	if name == AssignorRange {
		return assignRange(a)
	}
	return assignUniform(a)
}

// assignRange gives each topic's partitions out in runs, in the order of the members' instance and member ids, so that
// partitions of the same number of topics alike meet at one member.
func assignRange(a assignable) map[string]assignment {
	members := slices.SortedFunc(slices.Values(a.members), func(x, y assignee) int {
		return cmp.Or(-cmp.Compare(min(len(x.instance), 1), min(len(y.instance), 1)), cmp.Compare(x.instance, y.instance), cmp.Compare(x.id, y.id))
	})
	got := map[string]map[topicPartition]int32{}
	subscribers := map[string][]string{}
	for _, m := range members {
		got[m.id] = map[topicPartition]int32{}
		for _, t := range m.topics {
			subscribers[t] = append(subscribers[t], m.id)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.topics)) {
		ids := subscribers[name]
		t := a.topics[name]
		next := int32(0)
		for i, id := range ids {
			n := t.partitions / int32(len(ids))
			if int32(i) < t.partitions%int32(len(ids)) {
				n++
			}
			for range n {
				got[id][topicPartition{t.id, next}] = 0
				next++
			}
		}
	}
	return finished(got)
}

// assignUniform spreads all partitions evenly and moves as few as it can. Who subscribes to less gets what others need
// not have.
func assignUniform(a assignable) map[string]assignment {
	u := newUniform(a)
	u.keep()
	u.handOut()
	u.balance()
	got := map[string]map[topicPartition]int32{}
	for i, m := range a.members {
		got[m.id] = map[topicPartition]int32{}
		for _, tp := range u.has[i] {
			got[m.id][tp] = 0
		}
	}
	return finished(got)
}

func finished(got map[string]map[topicPartition]int32) map[string]assignment {
	out := make(map[string]assignment, len(got))
	for id, set := range got { // order-free
		out[id] = toAssignment(set, false)
	}
	return out
}

type uniform struct {
	a           assignable
	has         [][]topicPartition // by member
	owner       map[topicPartition]int
	subscribers map[image.TopicID][]int // members, ascending
	order       []topicPartition        // every partition: topics with the fewest subscribers first
	quota       int                     // nobody keeps more than this at first
	extra       int                     // members that may keep one more
	alike       bool                    // all members subscribe to all topics
	turn        map[image.TopicID]int   // where the search for the member with the least ended
}

func newUniform(a assignable) *uniform {
	u := &uniform{a: a, has: make([][]topicPartition, len(a.members)), owner: map[topicPartition]int{}, subscribers: map[image.TopicID][]int{}, turn: map[image.TopicID]int{}}
	for i, m := range a.members {
		for _, name := range m.topics {
			id := a.topics[name].id
			u.subscribers[id] = append(u.subscribers[id], i)
		}
	}
	names := slices.SortedFunc(maps.Keys(a.topics), func(x, y string) int {
		return cmp.Or(cmp.Compare(len(u.subscribers[a.topics[x].id]), len(u.subscribers[a.topics[y].id])), cmp.Compare(x, y))
	})
	for _, name := range names {
		t := a.topics[name]
		if len(u.subscribers[t.id]) == 0 {
			continue
		}
		for p := range t.partitions {
			u.order = append(u.order, topicPartition{t.id, p})
		}
	}
	u.alike = true
	for _, s := range u.subscribers { // order-free
		u.alike = u.alike && len(s) == len(a.members)
	}
	if n := len(a.members); n > 0 {
		u.quota, u.extra = len(u.order)/n, len(u.order)%n
	}
	return u
}

// keep leaves members what they had, as far as it exists, is subscribed to and no more than an even share. Where
// subscriptions differ an even share may be impossible: then balance takes care.
func (u *uniform) keep() {
	exists := map[topicPartition]bool{}
	for _, tp := range u.order {
		exists[tp] = true
	}
	extra := u.extra
	for i, m := range u.a.members {
		for tp := range m.had.all {
			_, subscribed := slices.BinarySearch(u.subscribers[tp.topic], i)
			if _, taken := u.owner[tp]; taken || !subscribed || !exists[tp] {
				continue
			}
			if u.alike {
				if len(u.has[i]) >= u.quota+1 || len(u.has[i]) == u.quota && extra == 0 {
					break
				}
				if len(u.has[i]) == u.quota {
					extra--
				}
			}
			u.give(tp, i)
		}
	}
}

func (u *uniform) give(tp topicPartition, to int) {
	u.owner[tp] = to
	u.has[to] = append(u.has[to], tp)
}

// handOut gives what nobody has to the subscriber with the least.
func (u *uniform) handOut() {
	for _, tp := range u.order {
		if _, ok := u.owner[tp]; ok {
			continue
		}
		u.give(tp, u.least(tp.topic))
	}
}

// least is the subscriber of a topic with the fewest partitions; of several, the first from where the search ended
// last time, so that members take turns.
func (u *uniform) least(id image.TopicID) int {
	s := u.subscribers[id]
	fewest := len(u.order)
	for _, n := range s {
		fewest = min(fewest, len(u.has[n]))
	}
	for i := range s {
		k := (u.turn[id] + i) % len(s)
		if len(u.has[s[k]]) == fewest {
			u.turn[id] = k
			return s[k]
		}
	}
	return s[0]
}

// balance moves partitions from those who have more to those who have at least two less, until there are none such.
// Each move brings the loads closer, so it ends.
func (u *uniform) balance() {
	if u.alike {
		return // keep and handOut have seen to it
	}
	for moved := true; moved; {
		moved = false
		for _, tp := range u.order {
			from := u.owner[tp]
			to := u.least(tp.topic)
			if len(u.has[from])-len(u.has[to]) < 2 {
				continue
			}
			u.has[from] = slices.DeleteFunc(u.has[from], func(x topicPartition) bool { return x == tp })
			u.give(tp, to)
			moved = true
		}
	}
}
