package controller

import (
	"holdfast/internal/base/config"
	"holdfast/internal/core/image"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// describe lists the settings a new topic has, as a CreateTopics response carries them: every key, its value and
// where that comes from. What is not the topic's own is the same for all topics of a request, and shared.
func (c *creation) describe(own []image.Record) []kmsg.CreateTopicsResponseTopicConfig {
	defaults := c.m.topicDefaults()
	if len(own) == 0 {
		return defaults
	}
	given := make(map[string]*string, len(own))
	for _, r := range own {
		r := r.(*image.ConfigRecord)
		given[r.Key] = r.Value
	}
	configs := append([]kmsg.CreateTopicsResponseTopicConfig(nil), defaults...)
	for i := range configs {
		if v, ok := given[configs[i].Name]; ok {
			configs[i].Value, configs[i].Source = v, int8(config.DynamicTopicConfig)
		}
	}
	return configs
}

// described is what topicDefaults made last, and of what. It is no part of the state: only work saved.
type described struct {
	of      *image.Configs
	configs []kmsg.CreateTopicsResponseTopicConfig
}

// topicDefaults describes a topic without settings of its own. The result is shared by replies and must not be changed.
func (m *Machine) topicDefaults() []kmsg.CreateTopicsResponseTopicConfig {
	cluster := m.img.BrokerConfigs(image.DefaultBroker)
	if m.described.configs == nil || m.described.of != cluster {
		m.described = described{cluster, describeTopic(m.broker.WithDynamic(cluster.Map(), nil))}
	}
	return m.described.configs
}

// describeTopic describes a topic that has no settings of its own.
func describeTopic(broker *config.Values) []kmsg.CreateTopicsResponseTopicConfig {
	keys := config.TopicKeys()
	configs := make([]kmsg.CreateTopicsResponseTopicConfig, 0, len(keys))
	for _, key := range keys {
		d := config.DescribeTopic(key, broker, nil)
		out := kmsg.NewCreateTopicsResponseTopicConfig()
		out.Name, out.Source, out.ReadOnly, out.IsSensitive = key.Name, int8(d.Source), d.ReadOnly, key.Secret
		if !d.Null {
			out.Value = &d.Value
		}
		configs = append(configs, out)
	}
	return configs
}
