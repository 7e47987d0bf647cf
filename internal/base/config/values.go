package config

import (
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/base/invariant"
)

// Source says where a value comes from, with the number DescribeConfigs uses for it.
type Source int8

// Kafka's config sources, in falling order of precedence.
const (
	DynamicTopicConfig         Source = 1
	DynamicBrokerConfig        Source = 2
	DynamicDefaultBrokerConfig Source = 3
	StaticBrokerConfig         Source = 4
	DefaultConfig              Source = 5
	DynamicGroupConfig         Source = 8 // before all others
)

var sourceNames = map[Source]string{
	DynamicTopicConfig: "DYNAMIC_TOPIC_CONFIG", DynamicBrokerConfig: "DYNAMIC_BROKER_CONFIG",
	DynamicDefaultBrokerConfig: "DYNAMIC_DEFAULT_BROKER_CONFIG", StaticBrokerConfig: "STATIC_BROKER_CONFIG", DefaultConfig: "DEFAULT_CONFIG",
	DynamicGroupConfig: "DYNAMIC_GROUP_CONFIG",
}

// String is Kafka's name of the source.
func (s Source) String() string {
	if n, ok := sourceNames[s]; ok {
		return n
	}
	return "UNKNOWN"
}

// Values is an immutable set of broker settings with their sources. The nil Values and the zero one hold none: every
// getter answers the default. Getters take names of broker keys; an unknown name is a bug of the caller and panics.
type Values struct {
	static  map[string]Entry  // file, environment, --set: the last one given
	cluster map[string]string // dynamic, for all brokers
	broker  map[string]string // dynamic, for this broker
	topic   *TopicConfig      // of a topic without overrides; nil in the zero Values
}

func newValues(static map[string]Entry, cluster, broker map[string]string) *Values {
	v := &Values{static: static, cluster: cluster, broker: broker}
	topic := resolveDefaults(v)
	v.topic = &topic
	return v
}

// Entry is one setting as it was given; Origin names the place ("server.properties line 12").
type Entry struct {
	Key, Value, Origin string
}

// WithDynamic is v under the dynamic settings of the cluster's image: those of all brokers and, above them,
// those of this broker. What v had of them before is replaced. Settings that this version does not know, cannot
// change while running, or finds out of range are left out, so that an image of a newer version never stops a node.
func (v *Values) WithDynamic(cluster, broker map[string]string) *Values {
	var static map[string]Entry
	if v != nil {
		static = v.static
	}
	return newValues(static, admissible(cluster), admissible(broker))
}

func admissible(given map[string]string) map[string]string {
	out := make(map[string]string, len(given))
	for name, value := range given { // order-free
		if k, ok := Broker(name); ok && k.Dynamic && k.Honoured && k.Check(value) == nil {
			out[name] = value
		}
	}
	return out
}

// candidate is one link of the chain that gives a key its value.
type candidate struct {
	key    *Key
	unit   int64
	value  string
	source Source
}

// chain yields what is said about a key, strongest first: sources by precedence, in each source the key before its
// synonyms. Only what is given or has a default is in it.
func (v *Values) chain(k *Key) iter.Seq[candidate] {
	return func(yield func(candidate) bool) {
		for _, source := range [...]Source{DynamicBrokerConfig, DynamicDefaultBrokerConfig, StaticBrokerConfig, DefaultConfig} {
			if value, ok := v.said(k, source); ok && !yield(candidate{k, 1, value, source}) {
				return
			}
			for _, s := range k.Synonyms {
				other := brokers.byName[s.Name]
				if value, ok := v.said(other, source); ok && !yield(candidate{other, s.Unit, value, source}) {
					return
				}
			}
		}
	}
}

// said is what one source says about one key.
func (v *Values) said(k *Key, source Source) (value string, ok bool) {
	switch {
	case source == DefaultConfig:
		return k.Default, !k.Null
	case v == nil:
		return "", false
	case source == DynamicBrokerConfig:
		value, ok = v.broker[k.Name]
	case source == DynamicDefaultBrokerConfig:
		value, ok = v.cluster[k.Name]
	default:
		var e Entry
		e, ok = v.static[k.Name]
		value = e.Value
	}
	return value, ok
}

// resolve gives the value in force in its normal spelling and unit, and false if the key is unset.
func (v *Values) resolve(name string) (string, bool) {
	k, ok := Broker(name)
	invariant.That(ok, "config: no broker setting is named %q", name)
	for c := range v.chain(k) {
		s, err := c.key.Normal(c.value)
		if err != nil {
			continue // Load and WithDynamic let no such value in
		}
		if c.unit != 1 {
			s = strconv.FormatInt(clampNegative(int64(atof(s)), c.unit), 10)
		}
		return s, true
	}
	return "", false
}

// Lookup is the value in force and whether there is one: a key without default is unset until it is given.
func (v *Values) Lookup(name string) (string, bool) { return v.resolve(name) }

// String is the value in force, "" if the key is unset.
func (v *Values) String(name string) string { s, _ := v.resolve(name); return s }

// Int64 is the value of a whole-number key, 0 if it is unset.
func (v *Values) Int64(name string) int64 {
	s, ok := v.resolve(name)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	invariant.That(err == nil, "config: %s is not a whole number", name)
	return n
}

// Int is Int64 for keys whose range fits into an int.
func (v *Values) Int(name string) int { return int(v.Int64(name)) }

// Float64 is the value of a double key, 0 if it is unset.
func (v *Values) Float64(name string) float64 { s, _ := v.resolve(name); return atof(s) }

// Bool is the value of a boolean key, false if it is unset.
func (v *Values) Bool(name string) bool { s, _ := v.resolve(name); return s == "true" }

// List is the value of a list key, nil if it is empty or unset.
func (v *Values) List(name string) []string { s, _ := v.resolve(name); return SplitList(s) }

// Duration is the value of a key in milliseconds. What does not fit is the longest Duration; negative values,
// which mean "never" or "unlimited", stay negative.
func (v *Values) Duration(name string) time.Duration {
	invariant.That(strings.HasSuffix(name, ".ms"), "config: %s is not in milliseconds", name)
	return Milliseconds(v.Int64(name))
}

// Milliseconds turns a count of milliseconds into a Duration, the longest one where it does not fit.
func Milliseconds(ms int64) time.Duration {
	return time.Duration(clampNegative(ms, int64(time.Millisecond)))
}

// Source says where the value in force comes from.
func (v *Values) Source(name string) Source {
	k, ok := Broker(name)
	invariant.That(ok, "config: no broker setting is named %q", name)
	for c := range v.chain(k) {
		return c.source
	}
	return DefaultConfig
}

// Given lists the settings from file, environment and --set, sorted by name, with secrets blotted out.
func (v *Values) Given() []Entry {
	if v == nil {
		return nil
	}
	var out []Entry
	for _, name := range slices.Sorted(maps.Keys(v.static)) {
		e := v.static[name]
		if k, ok := Broker(name); !ok || k.Secret {
			e.Value = "********"
		}
		out = append(out, e)
	}
	return out
}

// LogValue shows what was given, secrets blotted out.
func (v *Values) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, e := range v.Given() {
		attrs = append(attrs, slog.String(e.Key, e.Value))
	}
	return slog.GroupValue(attrs...)
}

// Format keeps %v of a Values from printing secrets.
func (v *Values) Format(f fmt.State, _ rune) {
	for i, e := range v.Given() {
		if i > 0 {
			fmt.Fprint(f, " ")
		}
		fmt.Fprintf(f, "%s=%s", e.Key, e.Value)
	}
}
