package config

import "strconv"

// Described is what DescribeConfigs answers about one key.
type Described struct {
	Key      *Key
	Value    string // in force; "" where Null
	Null     bool   // no value, or a secret one
	Source   Source
	ReadOnly bool
	Synonyms []SynonymValue // everything that is said about the key, strongest first; the first is in force
}

// SynonymValue is one link of the chain: the value as given for Name, in Name's unit.
type SynonymValue struct {
	Name   string
	Value  string
	Null   bool // a secret
	Source Source
}

// DescribeTopic describes a topic's setting. A key that is not honoured always has its default.
func DescribeTopic(k *Key, broker *Values, overrides map[string]string) Described {
	d := Described{Key: k, Value: broker.topicValue(k), Source: DefaultConfig}
	if v, ok := overrides[k.Name]; ok && k.obeys(v) {
		d.Value, _ = k.Normal(v)
		d.Synonyms = append(d.Synonyms, SynonymValue{k.Name, v, k.Secret, DynamicTopicConfig})
	}
	if b, ok := Broker(k.Broker); ok && k.Honoured {
		d.Synonyms = append(d.Synonyms, broker.synonyms(b)...)
	}
	if len(d.Synonyms) > 0 {
		d.Source = d.Synonyms[0].Source
	}
	return d.blot()
}

// DescribeBroker describes a broker's setting on the node that holds these values.
func DescribeBroker(k *Key, v *Values) Described {
	d := Described{Key: k, Source: DefaultConfig, ReadOnly: !k.Dynamic, Synonyms: v.synonyms(k)}
	value, ok := v.resolve(k.Name)
	d.Value, d.Null = value, !ok
	if len(d.Synonyms) > 0 {
		d.Source = d.Synonyms[0].Source
	}
	return d.blot()
}

// DescribeDefaults describes the settings made for all brokers at once (the resource with an empty name): only
// those that are set, as Kafka does.
func DescribeDefaults(cluster map[string]string) []Described {
	var out []Described
	for _, k := range brokers.shown {
		if v, ok := cluster[k.Name]; ok {
			d := Described{Key: k, Value: v, Source: DynamicDefaultBrokerConfig, Synonyms: []SynonymValue{{k.Name, v, k.Secret, DynamicDefaultBrokerConfig}}}
			out = append(out, d.blot())
		}
	}
	return out
}

func (v *Values) synonyms(k *Key) []SynonymValue {
	var out []SynonymValue
	for c := range v.chain(k) {
		out = append(out, SynonymValue{c.key.Name, c.value, c.key.Secret, c.source})
	}
	return out
}

// blot removes what nobody may see.
func (d Described) blot() Described {
	if d.Key.Secret {
		d.Value, d.Null = "", true
	}
	for i := range d.Synonyms {
		if d.Synonyms[i].Null {
			d.Synonyms[i].Value = ""
		}
	}
	return d
}

// DefaultText is the default as documentation shows it: "(unset)" for null, the empty value quoted.
func (k *Key) DefaultText() string {
	switch {
	case k.Null:
		return "(unset)"
	case k.Default == "":
		return strconv.Quote("")
	}
	return k.Default
}
