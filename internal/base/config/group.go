package config

import "strings"

// groupScope holds the settings a single group may have, all of the consumer protocol.
var groupScope = []Key{
	{
		Name: "consumer.assignment.interval.ms", Type: Int, Default: "100", Broker: "group.consumer.assignment.interval.ms", valid: atLeast(0),
		Doc: "How long after an assignment the group gathers changes before it makes the next one, in milliseconds.",
	},
	{
		Name: "consumer.heartbeat.interval.ms", Type: Int, Default: "5000", Broker: "group.consumer.heartbeat.interval.ms", valid: atLeast(1),
		Doc: "The time between two heartbeats of a member while no partition moves, in milliseconds. Left out, small groups beat more often.",
	},
	{
		Name: "consumer.session.timeout.ms", Type: Int, Default: "45000", Broker: "group.consumer.session.timeout.ms", valid: atLeast(1),
		Doc: "How long a member may be silent before it loses its partitions, in milliseconds.",
	},
}

// Group finds a group key by its exact name.
func Group(name string) (*Key, bool) { k, ok := groups.byName[name]; return k, ok }

// GroupKeys lists the group keys sorted by name.
func GroupKeys() []*Key { return append([]*Key(nil), groups.shown...) }

// notGroups completes the error for settings of kinds of groups that are not there.
func notGroups(name string) string {
	switch kind, _, _ := strings.Cut(name, "."); kind {
	case "share", "streams":
		return " There are no " + kind + " groups yet."
	}
	return ""
}

// CheckGroup judges a setting of a group on a broker with these values: beside its own range it has the one that the
// broker's settings group.consumer.min.… and group.consumer.max.… give it.
func CheckGroup(broker *Values, k *Key, value string) error {
	v, err := k.Normal(value)
	if err == nil {
		err = k.Check(value)
	}
	if err != nil {
		return err
	}
	least, most := GroupRange(k.Name)
	switch n := whole(v); {
	case n < broker.Int64(least):
		return k.errorf("%s must be at least %d (%s)", k.quote(value), broker.Int64(least), least)
	case n > broker.Int64(most):
		return k.errorf("%s must be at most %d (%s)", k.quote(value), broker.Int64(most), most)
	}
	return nil
}

// GroupRange names the broker settings that bound a group key.
func GroupRange(name string) (least, most string) {
	what, _ := strings.CutPrefix(name, "consumer.")
	return "group.consumer.min." + what, "group.consumer.max." + what
}

// DescribeGroup describes a group's setting.
func DescribeGroup(k *Key, broker *Values, overrides map[string]string) Described {
	d := Described{Key: k, Source: DefaultConfig}
	b, _ := Broker(k.Broker)
	d.Value, _ = broker.resolve(k.Broker)
	if v, ok := overrides[k.Name]; ok && k.obeys(v) {
		d.Value, _ = k.Normal(v)
		d.Synonyms = append(d.Synonyms, SynonymValue{k.Name, v, k.Secret, DynamicGroupConfig})
	}
	d.Synonyms = append(d.Synonyms, broker.synonyms(b)...)
	d.Source = d.Synonyms[0].Source
	return d
}
