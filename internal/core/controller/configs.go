package controller

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"holdfast/internal/base/config"
	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxConfigValue is the longest value a setting may have, in bytes.
const maxConfigValue = 32767

// resource is a topic or a broker resource as a request names it.
type resource struct {
	kind kmsg.ConfigResourceType
	name string
}

// change is a new value of one setting; nil takes it away.
type change struct {
	key   string
	value *string
}

// alteration is a request that changes the settings of several resources. Each resource changes wholly or not at all.
type alteration struct {
	m       *Machine
	times   map[resource]int
	records []image.Record
	budget  budget
}

func (m *Machine) incrementalAlterConfigs(req *kmsg.IncrementalAlterConfigsRequest) Outcome {
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	a := &alteration{m: m, times: map[resource]int{}}
	for _, r := range req.Resources {
		a.times[resource{r.ResourceType, r.ResourceName}]++
	}
	for _, r := range req.Resources {
		res := resource{r.ResourceType, r.ResourceName}
		var keys []string
		var nulls []string
		for _, c := range r.Configs {
			keys = append(keys, c.Name)
			if c.Value == nil && c.Op != kmsg.IncrementalAlterConfigOpDelete {
				nulls = append(nulls, c.Name)
			}
		}
		no := a.check(res, keys, nulls)
		var changes []change
		if no == nil {
			changes, no = m.applyOps(res, r.Configs)
		}
		if no == nil {
			no = a.change(res, changes)
		}
		out := kmsg.NewIncrementalAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = r.ResourceType, r.ResourceName
		out.ErrorCode, out.ErrorMessage = no.fields()
		resp.Resources = append(resp.Resources, out)
	}
	return a.outcome(req.ValidateOnly, resp)
}

// alterConfigs is the older request: what it names is set, everything else of the resource is taken away.
func (m *Machine) alterConfigs(req *kmsg.AlterConfigsRequest) Outcome {
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	a := &alteration{m: m, times: map[resource]int{}}
	for _, r := range req.Resources {
		a.times[resource{r.ResourceType, r.ResourceName}]++
	}
	for _, r := range req.Resources {
		res := resource{r.ResourceType, r.ResourceName}
		var keys, nulls []string
		var changes []change
		for _, c := range r.Configs {
			keys = append(keys, c.Name)
			if c.Value == nil {
				nulls = append(nulls, c.Name)
			}
			changes = append(changes, change{c.Name, c.Value})
		}
		no := a.check(res, keys, nulls)
		if no == nil {
			for key := range m.configsOf(res).All() {
				if !slices.Contains(keys, key) {
					changes = append(changes, change{key, nil})
				}
			}
			no = a.change(res, changes)
		}
		out := kmsg.NewAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = r.ResourceType, r.ResourceName
		out.ErrorCode, out.ErrorMessage = no.fields()
		resp.Resources = append(resp.Resources, out)
	}
	return a.outcome(req.ValidateOnly, resp)
}

func (a *alteration) outcome(validateOnly bool, reply any) Outcome {
	if validateOnly {
		a.records = nil
	}
	return Outcome{Records: a.records, Reply: reply}
}

// check holds the form of one resource's part of the request against the rules, whatever its settings mean.
func (a *alteration) check(res resource, keys, nulls []string) *refusal {
	slices.Sort(keys)
	switch {
	case a.times[res] > 1:
		return refuse(wire.InvalidRequest, "Each resource must appear at most once.")
	case len(slices.Compact(slices.Clone(keys))) < len(keys):
		return refuse(wire.InvalidRequest, "Error due to duplicate config keys")
	case nulls != nil:
		return refuse(wire.InvalidRequest, "Null value not supported for : %s", strings.Join(nulls, ", "))
	}
	switch res.kind {
	case kmsg.ConfigResourceTypeTopic:
		if res.name == "" {
			return refuse(wire.InvalidRequest, "Default topic resources are not allowed.")
		}
		return checkTopicName(res.name)
	case kmsg.ConfigResourceTypeBroker:
		return checkBrokerResource(res.name)
	case kmsg.ConfigResourceTypeGroupConfig:
		if res.name == "" || len(res.name) > maxConfigValue {
			return refuse(wire.InvalidRequest, "A group's settings are set by its id, of 1 to %d bytes.", maxConfigValue)
		}
		return nil
	}
	return refuse(wire.InvalidRequest, "Unknown resource type %d", int8(res.kind))
}

func checkBrokerResource(name string) *refusal {
	if name == image.DefaultBroker {
		return nil
	}
	id, err := strconv.ParseInt(name, 10, 32)
	switch {
	case err != nil || strconv.FormatInt(id, 10) != name:
		return refuse(wire.InvalidRequest, "Unable to parse broker name %q as a base 10 number.", name)
	case id < 0:
		return refuse(wire.InvalidRequest, "Invalid negative broker ID.")
	}
	return nil
}

// change checks the new settings of one resource and adds their records.
func (a *alteration) change(res resource, changes []change) *refusal {
	slices.SortFunc(changes, func(a, b change) int { return strings.Compare(a.key, b.key) })
	old := a.m.configsOf(res)
	kind := image.ResourceType(res.kind) // both are Kafka's numbers
	var records []image.Record
	for _, c := range changes {
		if had, given := old.Get(c.key); (c.value == nil && !given) || (c.value != nil && given && had == *c.value) {
			continue
		}
		if c.value != nil {
			if r := a.m.checkConfig(res, c.key, *c.value); r != nil {
				return r
			}
		}
		records = append(records, &image.ConfigRecord{Resource: kind, Name: res.name, Key: c.key, Value: c.value})
	}
	if r := a.m.checkExists(res); r != nil {
		return r
	}
	if r := checkTogether(res, old, changes); r != nil {
		return r
	}
	if r := a.budget.take(records); r != nil {
		return r
	}
	a.records = append(a.records, records...)
	return nil
}

// checkTogether says whether the settings of a topic agree with each other once they are changed.
func checkTogether(res resource, old *image.Configs, changes []change) *refusal {
	if res.kind != kmsg.ConfigResourceTypeTopic {
		return nil
	}
	all := map[string]string{}
	maps.Copy(all, old.Map())
	for _, c := range changes {
		if delete(all, c.key); c.value != nil {
			all[c.key] = *c.value
		}
	}
	if err := config.TopicConflict(all); err != nil {
		return &refusal{badConfig(res), err.Error()}
	}
	return nil
}

func (m *Machine) checkExists(res resource) *refusal {
	if res.kind == kmsg.ConfigResourceTypeTopic {
		if m.img.Topic(res.name) == nil {
			return refuse(wire.UnknownTopicOrPartition, "The topic '%s' does not exist.", res.name)
		}
		return nil
	}
	if res.kind == kmsg.ConfigResourceTypeGroupConfig || res.name == image.DefaultBroker {
		return nil // a group may get its settings before its first member
	}
	if id, err := strconv.ParseInt(res.name, 10, 32); err != nil || m.img.Broker(int32(id)) == nil {
		return refuse(wire.BrokerIDNotRegistered, "No node with id %s found.", res.name)
	}
	return nil
}

func (m *Machine) configsOf(res resource) *image.Configs {
	switch res.kind {
	case kmsg.ConfigResourceTypeTopic:
		if t := m.img.Topic(res.name); t != nil {
			return t.Configs
		}
	case kmsg.ConfigResourceTypeBroker:
		return m.img.BrokerConfigs(res.name)
	case kmsg.ConfigResourceTypeGroupConfig:
		return m.img.GroupConfigs(res.name)
	}
	return nil
}

// applyOps turns set, delete, append and subtract into the values they lead to.
func (m *Machine) applyOps(res resource, ops []kmsg.IncrementalAlterConfigsRequestResourceConfig) ([]change, *refusal) {
	old := m.configsOf(res)
	changes := make([]change, 0, len(ops))
	for _, op := range ops {
		c := change{key: op.Name}
		switch op.Op {
		case kmsg.IncrementalAlterConfigOpSet:
			c.value = op.Value
		case kmsg.IncrementalAlterConfigOpDelete:
		case kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract:
			v, r := editList(res, old, op)
			if r != nil {
				return nil, r
			}
			c.value = &v
		default:
			return nil, refuse(wire.InvalidRequest, "Unknown operations type %d", int8(op.Op))
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// editList adds items to a list setting, or takes them out. A list never given starts as the key's default.
func editList(res resource, old *image.Configs, op kmsg.IncrementalAlterConfigsRequestResourceConfig) (string, *refusal) {
	key, r := findKey(res, op.Name)
	if r != nil {
		return "", r
	}
	if key.Type != config.List {
		return "", refuse(wire.InvalidConfig, "Can't %s to key %s because its type is not LIST.", strings.ToUpper(op.Op.String()), op.Name)
	}
	value, given := old.Get(op.Name)
	if !given {
		value = key.Default
	}
	if op.Op == kmsg.IncrementalAlterConfigOpAppend {
		return config.AppendList(value, *op.Value), nil
	}
	return config.SubtractList(value, *op.Value), nil
}

// badConfig is the code for a setting that is wrong: Kafka's brokers answer differently for their own settings.
func badConfig(res resource) wire.Code {
	if res.kind == kmsg.ConfigResourceTypeBroker {
		return wire.InvalidRequest
	}
	return wire.InvalidConfig
}

func findKey(res resource, name string) (*config.Key, *refusal) {
	find, scope := config.Topic, config.ScopeTopic
	switch res.kind {
	case kmsg.ConfigResourceTypeBroker:
		find, scope = config.Broker, config.ScopeBroker
	case kmsg.ConfigResourceTypeGroupConfig:
		find, scope = config.Group, config.ScopeGroup
	}
	key, ok := find(name)
	if !ok {
		return nil, &refusal{badConfig(res), config.Unknown(name, scope).Error()}
	}
	return key, nil
}

// checkConfig says whether a resource may have this value of this setting.
func (m *Machine) checkConfig(res resource, name, value string) *refusal {
	key, r := findKey(res, name)
	if r != nil {
		return r
	}
	if len(value) > maxConfigValue {
		return refuse(wire.InvalidConfig, "The configuration value cannot be added because it exceeds the maximum value size of %d bytes.", maxConfigValue)
	}
	if res.kind == kmsg.ConfigResourceTypeBroker {
		switch {
		case !key.Dynamic:
			return refuse(wire.InvalidRequest, "broker setting %s cannot be changed while the broker runs: give it at the start (file, --set) and restart", name)
		case key.Mode == config.PerBroker && res.name == image.DefaultBroker:
			return refuse(wire.InvalidRequest, "broker setting %s belongs to one broker: name the broker", name)
		}
	}
	if res.kind == kmsg.ConfigResourceTypeGroupConfig {
		if err := config.CheckGroup(m.broker, key, value); err != nil {
			return &refusal{badConfig(res), err.Error()}
		}
		return nil
	}
	if err := key.Check(value); err != nil {
		return &refusal{badConfig(res), err.Error()}
	}
	if err := key.Unsupported(value); err != nil {
		return &refusal{badConfig(res), err.Error()}
	}
	return nil
}

// setTopicConfigs checks the settings of a new topic and returns their records.
func (m *Machine) setTopicConfigs(topic string, values map[string]string) ([]image.Record, *refusal) {
	res := resource{kmsg.ConfigResourceTypeTopic, topic}
	records := make([]image.Record, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name]
		if r := m.checkConfig(res, name, value); r != nil {
			return nil, r
		}
		records = append(records, &image.ConfigRecord{Resource: image.ResourceTopic, Name: topic, Key: name, Value: &value})
	}
	if err := config.TopicConflict(values); err != nil {
		return nil, &refusal{badConfig(res), err.Error()}
	}
	return records, nil
}
