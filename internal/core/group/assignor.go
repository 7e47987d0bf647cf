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
	racks      [][]string // of each partition's replicas; nil where nobody asks
}

type assignee struct {
	id       string
	instance string     // "" for none
	rack     string     // "" for none
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
// partitions of the same number of topics alike meet at one member. It looks neither at what members had nor at racks,
// as Apache Kafka's of 4.3 does not: whoever asks for ranges asks for just these.
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
// not have. Of members that may have a partition next, one in a rack of its replicas goes first; nothing moves for that.
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
	u.handOutLocal()
	for _, tp := range u.order {
		if _, ok := u.owner[tp]; ok {
			continue
		}
		u.give(tp, u.least(tp.topic))
	}
}

// handOutLocal gives partitions to subscribers in a rack of theirs, as far as it costs no evenness.
func (u *uniform) handOutLocal() {
	mates := map[image.TopicID]map[string][]int{} // subscribers by rack
	for _, t := range u.a.topics {                // order-free
		if t.racks == nil {
			continue
		}
		mates[t.id] = map[string][]int{}
		for _, i := range u.subscribers[t.id] {
			mates[t.id][u.a.members[i].rack] = append(mates[t.id][u.a.members[i].rack], i)
		}
	}
	if len(mates) == 0 {
		return
	}
	racks := map[image.TopicID][][]string{}
	for _, t := range u.a.topics { // order-free
		racks[t.id] = t.racks
	}
	for _, tp := range u.order {
		if _, ok := u.owner[tp]; ok || racks[tp.topic] == nil {
			continue
		}
		best := -1
		for _, rack := range racks[tp.topic][tp.partition] {
			for _, i := range mates[tp.topic][rack] {
				if best < 0 || len(u.has[i]) < len(u.has[best]) {
					best = i
				}
			}
		}
		if best < 0 {
			continue
		}
		if u.alike && len(u.has[best]) < u.quota || !u.alike && len(u.has[best]) == len(u.has[u.least(tp.topic)]) {
			u.give(tp, best)
		}
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

// maxBalanceSteps bounds the work on evenness where subscriptions differ: looks at a member in the search for one to take
// something off another. A group of 1000 members with subscriptions of their own needs some 100,000.
const maxBalanceSteps = 4_000_000

// balance takes partitions off those who have most, the most loaded first, until nobody has two more than somebody to
// whom one of its partitions can get: directly, or by way of others who take one and give one. Each time the loads get
// closer, so it ends.
func (u *uniform) balance() {
	if u.alike {
		return // keep and handOut have seen to it
	}
	order := make([]int, len(u.has))
	for i := range order {
		order[i] = i
	}
	steps := maxBalanceSteps
	for moved := true; moved; {
		moved = false
		slices.SortStableFunc(order, func(x, y int) int { return len(u.has[y]) - len(u.has[x]) })
		for _, from := range order {
			for {
				to, hops := u.relief(from, &steps)
				if to < 0 {
					break
				}
				for to != from {
					u.move(hops[to], to)
					to = hops[to].from
				}
				moved = true
			}
		}
	}
}

// hop is how a member is reached: by a partition of a topic that another has.
type hop struct {
	from  int
	topic image.TopicID
}

// relief finds the member with the least load, at least two less than that of from, among those that take the fewest
// hops; -1 if there is none.
func (u *uniform) relief(from int, steps *int) (int, map[int]hop) {
	hops, topics := map[int]hop{from: {}}, map[image.TopicID]bool{}
	best := -1
	for level := []int{from}; len(level) > 0 && best < 0; {
		var next []int
		for _, m := range level {
			for _, tp := range u.has[m] {
				if topics[tp.topic] {
					continue
				}
				topics[tp.topic] = true
				for _, to := range u.subscribers[tp.topic] {
					if *steps--; *steps < 0 {
						return -1, nil
					}
					if _, seen := hops[to]; seen {
						continue
					}
					hops[to] = hop{m, tp.topic}
					next = append(next, to)
					if len(u.has[from])-len(u.has[to]) >= 2 && (best < 0 || len(u.has[to]) < len(u.has[best])) {
						best = to
					}
				}
			}
		}
		level = next
	}
	return best, hops
}

// move hands on a partition that the next one had before, or at least one that the member did not have before, if it can.
func (u *uniform) move(h hop, to int) {
	best, cost := 0, 4
	for i, tp := range u.has[h.from] {
		if tp.topic != h.topic {
			continue
		}
		c := 0
		if u.a.members[h.from].had.has(tp) {
			c++
		}
		if !u.a.members[to].had.has(tp) {
			c += 2
		}
		if c < cost {
			best, cost = i, c
		}
	}
	tp := u.has[h.from][best]
	u.has[h.from] = slices.Delete(u.has[h.from], best, best+1)
	u.give(tp, to)
}
