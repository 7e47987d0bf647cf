package config

import (
	"slices"
	"testing"
)

func TestDescribeTopicNamesEverySource(t *testing.T) {
	broker := mustAssemble(t, "log.retention.hours=2\nlog.retention.minutes=3").
		WithDynamic(map[string]string{"log.retention.ms": "5"}, map[string]string{"log.retention.ms": "6"})
	k, _ := Topic("retention.ms")
	d := DescribeTopic(k, broker, map[string]string{"retention.ms": "7"})
	want := []SynonymValue{
		{"retention.ms", "7", false, DynamicTopicConfig},
		{"log.retention.ms", "6", false, DynamicBrokerConfig},
		{"log.retention.ms", "5", false, DynamicDefaultBrokerConfig},
		{"log.retention.minutes", "3", false, StaticBrokerConfig},
		{"log.retention.hours", "2", false, StaticBrokerConfig},
		{"log.retention.hours", "168", false, DefaultConfig},
	}
	if d.Value != "7" || d.Source != DynamicTopicConfig || d.ReadOnly || !slices.Equal(d.Synonyms, want) {
		t.Errorf("%+v", d)
	}
	for _, c := range []struct {
		broker *Values
		value  string
		source Source
	}{
		{nil, "604800000", DefaultConfig},
		{mustAssemble(t, "log.retention.minutes=3"), "180000", StaticBrokerConfig},
		{broker.WithDynamic(map[string]string{"log.retention.ms": "5"}, nil), "5", DynamicDefaultBrokerConfig},
		{broker, "6", DynamicBrokerConfig},
	} {
		if d := DescribeTopic(k, c.broker, nil); d.Value != c.value || d.Source != c.source {
			t.Errorf("%+v, want %s from %s", d, c.value, c.source)
		}
	}
}

// What is described is what is in force.
func TestDescriptionAgreesWithTheResolvedTopic(t *testing.T) {
	broker := mustAssemble(t, "log.cleaner.delete.retention.ms=5\nlog.preallocate=true\nmessage.max.bytes=9")
	for name, want := range map[string]string{"delete.retention.ms": "5", "preallocate": "false", "max.message.bytes": "9", "remote.storage.enable": "false"} {
		k, _ := Topic(name)
		if d := DescribeTopic(k, broker, nil); d.Value != want {
			t.Errorf("%s is described as %+v", name, d)
		}
	}
	k, _ := Topic("preallocate") // an override from a newer version, which is not obeyed
	if d := DescribeTopic(k, nil, map[string]string{"preallocate": "true"}); d.Value != "false" || d.Source != DefaultConfig || len(d.Synonyms) != 0 {
		t.Errorf("%+v", d)
	}
}

func TestDescribeBroker(t *testing.T) {
	v := mustAssemble(t, "broker.id=4\nmessage.max.bytes=10").WithDynamic(map[string]string{"message.max.bytes": "11"}, nil)
	node, _ := Broker("node.id")
	d := DescribeBroker(node, v)
	if d.Value != "4" || d.Source != StaticBrokerConfig || !d.ReadOnly || d.Synonyms[0].Name != "broker.id" {
		t.Errorf("%+v", d)
	}
	bytes, _ := Broker("message.max.bytes")
	d = DescribeBroker(bytes, v)
	want := []SynonymValue{
		{"message.max.bytes", "11", false, DynamicDefaultBrokerConfig}, {"message.max.bytes", "10", false, StaticBrokerConfig}, {"message.max.bytes", "1048588", false, DefaultConfig},
	}
	if d.Value != "11" || d.ReadOnly || !slices.Equal(d.Synonyms, want) {
		t.Errorf("%+v", d)
	}
	rack, _ := Broker("broker.rack")
	if d = DescribeBroker(rack, v); !d.Null || d.Value != "" || d.Source != DefaultConfig || d.Synonyms != nil {
		t.Errorf("%+v", d)
	}
	if all := DescribeDefaults(map[string]string{"message.max.bytes": "11", "unknown": "x"}); len(all) != 1 || all[0].Value != "11" || all[0].Source != DynamicDefaultBrokerConfig {
		t.Errorf("%+v", all)
	}
	for _, k := range BrokerKeys() {
		if d := DescribeBroker(k, nil); d.Source != DefaultConfig || (!d.Null && d.Value == "" && k.Default != "") {
			t.Errorf("%s: %+v", k.Name, d)
		}
	}
}

func TestNamesOfEnums(t *testing.T) {
	if DynamicTopicConfig.String() != "DYNAMIC_TOPIC_CONFIG" || Source(99).String() != "UNKNOWN" || Password.String() != "password" || Type(-1).String() != "unknown" ||
		ClusterWide.String() != "cluster-wide" || LogAppendTime.String() != "LogAppendTime" || CreateTime.String() != "CreateTime" {
		t.Error("a name is wrong")
	}
	k, _ := Broker("broker.rack")
	if k.DefaultText() != "(unset)" {
		t.Error(k.DefaultText())
	}
	k, _ = Topic("leader.replication.throttled.replicas")
	if k.DefaultText() != `""` {
		t.Error(k.DefaultText())
	}
}
