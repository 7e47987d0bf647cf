package config

import (
	"sort"
	"strings"
)

// table is the index over one scope's keys. It is built once from the literals and never changes.
type table struct {
	byName map[string]*Key
	shown  []*Key // described keys, sorted by name
}

var (
	topics  = topicIndex()
	brokers = brokerIndex()
	groups  = groupIndex()
)

// Topic finds a topic key by its exact name.
func Topic(name string) (*Key, bool) { k, ok := topics.byName[name]; return k, ok }

// Broker finds a broker key by its exact name, those that are only tolerated included (they have no Doc).
func Broker(name string) (*Key, bool) {
	if k, ok := brokers.byName[name]; ok {
		return k, true
	}
	for _, p := range foreignPrefixes {
		if strings.HasPrefix(name, p.prefix) && len(name) > len(p.prefix) {
			return &Key{Name: name, Type: String, Null: true, Standing: p.standing, Feature: p.feature, Secret: true}, true
		}
	}
	return nil, false
}

// TopicKeys lists the topic keys sorted by name.
func TopicKeys() []*Key { return append([]*Key(nil), topics.shown...) }

// BrokerKeys lists the documented broker keys sorted by name: those that are honoured and those that are the
// default of a topic key. Keys that are only tolerated are found by Broker.
func BrokerKeys() []*Key { return append([]*Key(nil), brokers.shown...) }

func (t *table) add(k Key) {
	k.Honoured = k.Standing == Obeyed
	k.Dynamic = k.Scope != ScopeBroker || k.Mode != ReadOnly
	if _, twice := t.byName[k.Name]; twice {
		panic("config: key declared twice: " + k.Name)
	}
	t.byName[k.Name] = &k
	if k.Doc != "" {
		t.shown = append(t.shown, &k)
	}
}

func (t *table) names() (names []string) {
	for _, k := range t.shown {
		names = append(names, k.Name)
	}
	return names
}

func (t *table) sorted() *table {
	sort.Slice(t.shown, func(i, j int) bool { return t.shown[i].Name < t.shown[j].Name })
	return t
}

func topicIndex() *table {
	t := &table{byName: map[string]*Key{}}
	for _, k := range topicTable {
		k.Scope = ScopeTopic
		t.add(k)
	}
	return t.sorted()
}

func groupIndex() *table {
	t := &table{byName: map[string]*Key{}}
	for _, k := range groupScope {
		k.Scope = ScopeGroup
		t.add(k)
	}
	return t.sorted()
}

func brokerIndex() *table {
	t := &table{byName: map[string]*Key{}}
	for _, k := range brokerTable {
		t.add(k)
	}
	for _, k := range groupTable {
		t.add(k)
	}
	for _, k := range txnTable {
		t.add(k)
	}
	for _, f := range fallbacks {
		t.add(fallbackKey(f.broker, topics.byName[f.topic], f.mode, f.synonyms))
	}
	for _, f := range families {
		for _, name := range f.names {
			name, def, given := strings.Cut(name, "=")
			k := Key{Name: name, Type: String, Default: def, Null: !given, Standing: f.standing, Feature: f.feature, Secret: f.secret}
			if f.secret {
				k.Type = Password
			}
			t.add(k)
		}
	}
	return t.sorted()
}

// Nearest is the known key of the scope whose name is closest to name, or "" if none is close enough to be a
// typing error or to share its words.
func Nearest(name string, scope Scope) string {
	t := map[Scope]*table{ScopeBroker: brokers, ScopeTopic: topics, ScopeGroup: groups}[scope]
	name = strings.ToLower(strings.ReplaceAll(name, "_", "."))
	name = name[:min(len(name), 100)] // no key is longer
	best, bestCost := "", 1<<30
	for _, k := range t.shown {
		if c := distance(name, k.Name); c < bestCost {
			best, bestCost = k.Name, c
		}
	}
	if bestCost <= 2 {
		return best
	}
	if k, ok := t.byName[otherUnit(name)]; ok {
		return k.Name
	}
	if bestCost <= 2+len(name)/6 {
		return best
	}
	return sharedWords(name, t.shown)
}

// otherUnit replaces a unit that people expect by the one Kafka uses: retention.hours is retention.ms.
func otherUnit(name string) string {
	at := strings.LastIndexByte(name, '.')
	switch name[at+1:] {
	case "hours", "hour", "minutes", "minute", "min", "seconds", "second", "sec", "s", "days", "day", "time", "duration":
		return name[:at+1] + "ms"
	case "size", "kb", "mb", "gb", "kib", "mib", "gib":
		return name[:at+1] + "bytes"
	}
	return ""
}

// sharedWords finds the key that shares most of its first words with name: retention.hours is near retention.bytes.
func sharedWords(name string, keys []*Key) string {
	words := strings.Split(name, ".")
	best, bestShare := "", 0.0
	for _, k := range keys {
		other := strings.Split(k.Name, ".")
		common := 0
		for _, w := range words {
			for _, o := range other {
				if w == o {
					common++
					break
				}
			}
		}
		share := float64(2*common) / float64(len(words)+len(other))
		if words[0] == other[0] {
			share += 0.1
		}
		closer := share == bestShare && best != "" && distance(name, k.Name) < distance(name, best)
		if share > bestShare || closer {
			best, bestShare = k.Name, share
		}
	}
	if bestShare < 0.5 {
		return ""
	}
	return best
}

// distance is the number of insertions, deletions, replacements and swaps of neighbours that turn a into b
// (optimal string alignment).
func distance(a, b string) int {
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
