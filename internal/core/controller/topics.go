package controller

import (
	"strings"

	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// creation is one CreateTopics request being decided.
type creation struct {
	m       *Machine
	ids     ids
	placer  *placer
	records []image.Record
	budget  budget
	unified map[string]string // names this request creates, '.' taken for '_'
}

func (m *Machine) createTopics(req *kmsg.CreateTopicsRequest, nonce [32]byte) Outcome {
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
	c := &creation{m: m, ids: ids{nonce: nonce}, unified: map[string]string{}}
	c.placer = newPlacer(m.img, &c.ids)

	named := make(map[string]int, len(req.Topics))
	for i := range req.Topics {
		named[req.Topics[i].Topic]++
	}
	whole := tooManyPartitions(m.partitionsAsked(req))
	resp.Topics = make([]kmsg.CreateTopicsResponseTopic, 0, len(req.Topics))
	for i := range req.Topics {
		t := &req.Topics[i]
		times := named[t.Topic]
		if times == 0 {
			continue // a duplicate that was answered already
		}
		out := kmsg.NewCreateTopicsResponseTopic()
		out.Topic = t.Topic
		r := whole
		if r == nil && times > 1 {
			named[t.Topic] = 0
			r = refuse(wire.InvalidRequest, "Duplicate topic name.")
		}
		if r == nil {
			r = c.topic(t, &out)
		}
		out.ErrorCode, out.ErrorMessage = r.fields()
		resp.Topics = append(resp.Topics, out)
	}
	if req.ValidateOnly {
		c.records = nil
	}
	return Outcome{Records: c.records, Reply: resp}
}

// partitionsAsked is an upper bound of the partitions a request would create.
func (m *Machine) partitionsAsked(req *kmsg.CreateTopicsRequest) int64 {
	var n int64
	for i := range req.Topics {
		t := &req.Topics[i]
		switch {
		case len(t.ReplicaAssignment) > 0:
			n += int64(len(t.ReplicaAssignment))
		case t.NumPartitions == -1:
			n += m.broker.Int64("num.partitions")
		default:
			n += max(0, int64(t.NumPartitions))
		}
	}
	return n
}

// topic decides one topic of the request. A refused topic leaves no trace; the others go on.
func (c *creation) topic(t *kmsg.CreateTopicsRequestTopic, out *kmsg.CreateTopicsResponseTopic) *refusal {
	if r := c.checkName(t.Topic); r != nil {
		return r
	}
	configs, r := c.configs(t)
	if r != nil {
		return r
	}
	replicas, r := c.replicas(t)
	if r != nil {
		return r
	}
	id := c.ids.topic(c.m.img)
	records := make([]image.Record, 0, 1+len(configs)+len(replicas))
	records = append(records, &image.TopicRecord{Name: t.Topic, ID: id})
	records = append(records, configs...)
	for n, rs := range replicas {
		records = append(records, &image.PartitionRecord{Topic: id, Index: int32(n), Partition: newPartition(c.m.img, rs)})
	}
	if r := c.budget.take(records); r != nil {
		return r
	}
	c.records = append(c.records, records...)
	c.unified[unify(t.Topic)] = t.Topic

	out.TopicID = id
	out.NumPartitions = int32(len(replicas))
	out.ReplicationFactor = int16(len(replicas[0]))
	out.Configs = c.describe(configs)
	return nil
}

func unify(name string) string { return strings.ReplaceAll(name, ".", "_") }

func (c *creation) checkName(name string) *refusal {
	if r := checkTopicName(name); r != nil {
		return r
	}
	if name == metadataTopic {
		return refuse(wire.InvalidRequest, "Creation of internal topic %s is prohibited.", name)
	}
	if c.m.img.Topic(name) != nil {
		return refuse(wire.TopicAlreadyExists, "Topic '%s' already exists.", name)
	}
	other, found := c.m.img.Colliding(name)
	if !found {
		other, found = c.unified[unify(name)]
	}
	if found {
		return refuse(wire.InvalidTopicException, "Topic '%s' collides with existing topic: %s", name, other)
	}
	return nil
}

// configs checks the settings given with a topic and returns their records. Of a key given twice the last one counts.
func (c *creation) configs(t *kmsg.CreateTopicsRequestTopic) ([]image.Record, *refusal) {
	if len(t.Configs) == 0 {
		return nil, nil
	}
	var nulls []string
	values := make(map[string]string, len(t.Configs))
	for _, cfg := range t.Configs {
		if cfg.Value == nil {
			nulls = append(nulls, cfg.Name)
			continue
		}
		values[cfg.Name] = *cfg.Value
	}
	if nulls != nil {
		return nil, refuse(wire.InvalidConfig, "Null value not supported for topic configs: %s", strings.Join(nulls, ","))
	}
	return c.m.setTopicConfigs(t.Topic, values)
}

// replicas returns the brokers of each partition: as assigned by hand, or placed.
func (c *creation) replicas(t *kmsg.CreateTopicsRequestTopic) ([][]int32, *refusal) {
	if len(t.ReplicaAssignment) > 0 {
		return c.assigned(t)
	}
	factor, partitions := int(t.ReplicationFactor), int(t.NumPartitions)
	switch {
	case factor < -1 || factor == 0:
		return nil, refuse(wire.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
	case partitions < -1 || partitions == 0:
		return nil, refuse(wire.InvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	}
	if factor == -1 {
		factor = c.m.defaultFactor()
	}
	if partitions == -1 {
		partitions = int(c.m.broker.Int64("num.partitions"))
	}
	if r := c.placer.check(factor); r != nil {
		return nil, r
	}
	replicas := make([][]int32, partitions)
	for i := range replicas {
		replicas[i] = c.placer.place(factor)
	}
	return replicas, nil
}

// defaultFactor is default.replication.factor; its -1 stands for three, or as many as there are brokers if fewer.
func (m *Machine) defaultFactor() int {
	if n := int(m.broker.Int64("default.replication.factor")); n > 0 {
		return n
	}
	return max(1, min(3, m.img.BrokerCount()))
}

func (c *creation) assigned(t *kmsg.CreateTopicsRequestTopic) ([][]int32, *refusal) {
	switch {
	case t.ReplicationFactor != -1:
		return nil, refuse(wire.InvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.")
	case t.NumPartitions != -1:
		return nil, refuse(wire.InvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.")
	}
	replicas := make([][]int32, len(t.ReplicaAssignment))
	factor := 0
	for _, a := range t.ReplicaAssignment {
		if a.Partition < 0 || int(a.Partition) >= len(replicas) {
			return nil, refuse(wire.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
		if replicas[a.Partition] != nil {
			return nil, refuse(wire.InvalidReplicaAssignment, "Found multiple manual partition assignments for partition %d", a.Partition)
		}
		if r := checkManual(c.m.img, a.Replicas, factor); r != nil {
			return nil, r
		}
		factor = len(a.Replicas)
		replicas[a.Partition] = a.Replicas
	}
	return replicas, nil
}

func (m *Machine) autoCreateTopics(a *AutoCreateTopics, nonce [32]byte) Outcome {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = req.MaxVersion()
	for _, name := range a.Names {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, -1, -1
		req.Topics = append(req.Topics, t)
	}
	out := m.createTopics(req, nonce)
	resp := out.Reply.(*kmsg.CreateTopicsResponse)
	for i := range resp.Topics {
		r := &resp.Topics[i]
		if t := m.img.Topic(r.Topic); t != nil && r.ErrorCode == int16(wire.TopicAlreadyExists) {
			r.ErrorCode, r.ErrorMessage, r.TopicID = 0, nil, t.ID
			r.NumPartitions, r.ReplicationFactor = int32(len(t.Partitions)), int16(len(t.Partitions[0].Replicas))
		}
	}
	return out
}
