package handler

import (
	"context"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/base/config"
	"holdfast/internal/core/controller"
	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"
)

func (h *Handler) describeConfigs(ctx context.Context, c *Call, q *kmsg.DescribeConfigsRequest) *kmsg.DescribeConfigsResponse {
	img := h.image()
	q.Resources = distinctResources(q.Resources)
	h.hold(ctx, c, len(q.Resources)*describedConfigsBytes)
	r := kmsg.NewPtrDescribeConfigsResponse()
	for i := range q.Resources {
		in := &q.Resources[i]
		out := kmsg.NewDescribeConfigsResponseResource()
		out.ResourceType, out.ResourceName = in.ResourceType, in.ResourceName
		described, code, why := h.describeResource(img, in)
		for _, d := range described {
			if in.ConfigNames == nil || slices.Contains(in.ConfigNames, d.Key.Name) {
				out.Configs = append(out.Configs, configEntry(d, q.IncludeSynonyms, q.IncludeDocumentation))
			}
		}
		out.ErrorCode, out.ErrorMessage = h.code(c, code), text(why)
		r.Resources = append(r.Resources, out)
	}
	return r
}

// distinctResources drops resources that are asked for again.
func distinctResources(resources []kmsg.DescribeConfigsRequestResource) []kmsg.DescribeConfigsRequestResource {
	type asked struct {
		of   kmsg.ConfigResourceType
		name string
	}
	seen := make(map[asked]bool, len(resources))
	return slices.DeleteFunc(resources, func(r kmsg.DescribeConfigsRequestResource) bool {
		key := asked{r.ResourceType, r.ResourceName}
		again := seen[key]
		seen[key] = true
		return again
	})
}

// describeResource lists the settings of a topic, broker or group, sorted by name.
func (h *Handler) describeResource(img *image.Image, in *kmsg.DescribeConfigsRequestResource) ([]config.Described, wire.Code, string) {
	values := h.options.Config()
	switch in.ResourceType {
	case kmsg.ConfigResourceTypeTopic:
		t := img.Topic(in.ResourceName)
		if t == nil && !controller.ValidTopicName(in.ResourceName) {
			return nil, wire.InvalidTopicException, ""
		}
		if t == nil {
			return nil, wire.UnknownTopicOrPartition, ""
		}
		return describeTopic(values, t.Configs.Map()), wire.None, ""
	case kmsg.ConfigResourceTypeBroker:
		if in.ResourceName == image.DefaultBroker {
			return config.DescribeDefaults(img.BrokerConfigs(image.DefaultBroker).Map()), wire.None, ""
		}
		if in.ResourceName != strconv.Itoa(int(h.options.NodeID)) {
			return nil, wire.InvalidRequest, "this is broker " + strconv.Itoa(int(h.options.NodeID)) + ": ask broker " + in.ResourceName + " for its own settings"
		}
		return describeBroker(values), wire.None, ""
	case kmsg.ConfigResourceTypeGroupConfig:
		if in.ResourceName == "" {
			return nil, wire.InvalidRequest, "settings of groups are of one group each: name it"
		}
		return describeGroup(values, img.GroupConfigs(in.ResourceName).Map()), wire.None, ""
	default:
		return nil, wire.InvalidRequest, "resources of type " + in.ResourceType.String() + " have no settings here"
	}
}

func configEntry(d config.Described, synonyms, documentation bool) kmsg.DescribeConfigsResponseResourceConfig {
	out := kmsg.NewDescribeConfigsResponseResourceConfig()
	out.Name, out.Value = d.Key.Name, orNull(d.Value, d.Null)
	out.Source, out.ConfigType = kmsg.ConfigSource(d.Source), kmsg.ConfigType(d.Key.Type)
	out.IsSensitive, out.ReadOnly, out.IsDefault = d.Key.Secret, d.ReadOnly, d.Source == config.DefaultConfig
	if documentation {
		out.Documentation = ptr(d.Key.Doc)
	}
	if synonyms {
		for _, s := range d.Synonyms {
			out.ConfigSynonyms = append(out.ConfigSynonyms, kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{
				Name: s.Name, Value: orNull(s.Value, s.Null), Source: kmsg.ConfigSource(s.Source),
			})
		}
	}
	return out
}

func orNull(s string, null bool) *string {
	if null {
		return nil
	}
	return &s
}

func describeTopic(values *config.Values, overrides map[string]string) (out []config.Described) {
	for _, k := range config.TopicKeys() {
		out = append(out, config.DescribeTopic(k, values, overrides))
	}
	return out
}

func describeGroup(values *config.Values, overrides map[string]string) (out []config.Described) {
	for _, k := range config.GroupKeys() {
		out = append(out, config.DescribeGroup(k, values, overrides))
	}
	return out
}

func describeBroker(values *config.Values) (out []config.Described) {
	for _, k := range config.BrokerKeys() {
		out = append(out, config.DescribeBroker(k, values))
	}
	return out
}

// listConfigResources lists what can have settings: version 0 knows only client metrics subscriptions, of which there
// are none.
func (h *Handler) listConfigResources(ctx context.Context, c *Call, q *kmsg.ListConfigResourcesRequest) *kmsg.ListConfigResourcesResponse {
	r := kmsg.NewPtrListConfigResourcesResponse()
	if slices.ContainsFunc(q.ResourceTypes, unknownResource) {
		r.ErrorCode = h.code(c, wire.UnsupportedVersion)
		return r
	}
	h.check(c.header.Key, wire.None)
	if q.Version == 0 {
		return r
	}
	wants := func(t kmsg.ConfigResourceType) bool {
		return len(q.ResourceTypes) == 0 || slices.Contains(q.ResourceTypes, int8(t))
	}
	add := func(t kmsg.ConfigResourceType, name string) {
		o := kmsg.NewListConfigResourcesResponseConfigResource()
		o.Name, o.Type = name, int8(t)
		r.ConfigResources = append(r.ConfigResources, o)
	}
	img := h.image()
	h.hold(ctx, c, (img.TopicCount()+1)*topicBytes)
	if wants(kmsg.ConfigResourceTypeTopic) {
		for t := range img.Topics() {
			add(kmsg.ConfigResourceTypeTopic, t.Name)
		}
	}
	if wants(kmsg.ConfigResourceTypeBroker) {
		for b := range img.Brokers() {
			add(kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(b.ID)))
		}
	}
	if wants(kmsg.ConfigResourceTypeGroupConfig) {
		for id := range img.GroupConfigResources() {
			add(kmsg.ConfigResourceTypeGroupConfig, id)
		}
	}
	return r
}

func unknownResource(t int8) bool {
	switch kmsg.ConfigResourceType(t) {
	case kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeBroker, kmsg.ConfigResourceTypeBrokerLogger,
		kmsg.ConfigResourceTypeClientMetrics, kmsg.ConfigResourceTypeGroupConfig:
		return false
	}
	return true
}
