package config

import (
	"slices"
	"strings"
	"testing"
)

func TestGroupKeys(t *testing.T) {
	v := mustAssemble(t, "group.consumer.max.session.timeout.ms=90000")
	for _, k := range GroupKeys() {
		if b, ok := Broker(k.Broker); !ok || b.Type != k.Type || b.Default != k.Default || !k.Dynamic || k.Scope != ScopeGroup {
			t.Errorf("%s falls back to %s", k.Name, k.Broker)
		}
		least, most := GroupRange(k.Name)
		for _, name := range []string{least, most} {
			if b, ok := Broker(name); !ok || !b.Honoured {
				t.Errorf("%s is bounded by %s", k.Name, name)
			}
		}
		if err := CheckGroup(nil, k, map[bool]string{true: "5000", false: "45000"}[k.Name != "consumer.session.timeout.ms"]); err != nil {
			t.Error(err)
		}
	}
	k, _ := Group("consumer.session.timeout.ms")
	for value, want := range map[string]string{
		"90000": "", "90001": "group.consumer.max.session.timeout.ms", "44999": "group.consumer.min.session.timeout.ms", "x": "whole number", "0": "at least 1",
	} {
		err := CheckGroup(v, k, value)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", value, err)
		}
	}
	d := DescribeGroup(k, v, map[string]string{k.Name: " 60000"})
	want := []SynonymValue{{k.Name, " 60000", false, DynamicGroupConfig}, {k.Broker, "45000", false, DefaultConfig}}
	if d.Value != "60000" || d.Source != DynamicGroupConfig || !slices.Equal(d.Synonyms, want) {
		t.Errorf("%+v", d)
	}
	if d := DescribeGroup(k, v, nil); d.Value != "45000" || d.Source != DefaultConfig {
		t.Errorf("%+v", d)
	}
	for name, want := range map[string]string{
		"consumer.session.timeout": "consumer.session.timeout.ms?", "share.auto.offset.reset": "no share groups", "nonsense": "A group may have",
	} {
		if err := Unknown(name, ScopeGroup); !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
