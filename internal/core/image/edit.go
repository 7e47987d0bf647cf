package image

import (
	"slices"
)

// Edit is an image being changed. It is used by one goroutine; Image ends it.
type Edit struct {
	img           Image
	features      *tableEdit[nameKey, int16]
	topics        *tableEdit[nameKey, *Topic]
	topicIDs      *tableEdit[TopicID, *Topic]
	unified       *tableEdit[nameKey, string]
	brokers       *tableEdit[brokerKey, *Broker]
	brokerConfigs *tableEdit[nameKey, *Configs]
	groupConfigs  *tableEdit[nameKey, *Configs]
	fresh         map[TopicID]*Topic // topics this edit made or copied, and so may change in place
}

// Edit opens a copy of the image to change. The image itself stays as it is.
func (i *Image) Edit() *Edit {
	return &Edit{
		img: *i, fresh: map[TopicID]*Topic{},
		features: i.features.edit(), topics: i.topics.edit(), topicIDs: i.topicIDs.edit(), unified: i.unified.edit(),
		brokers: i.brokers.edit(), brokerConfigs: i.brokerConfigs.edit(),
		groupConfigs: i.groupConfigs.edit(),
	}
}

// Apply makes a record true. It cannot fail: a record about something that does not exist changes nothing.
func (e *Edit) Apply(r Record) { r.apply(e) }

// Image ends the edit: the picture after every applied record, at the given offset of the metadata log.
func (e *Edit) Image(offset int64) *Image {
	img := e.img
	img.offset = offset
	img.features = e.features.done()
	img.topics, img.topicIDs, img.unified = e.topics.done(), e.topicIDs.done(), e.unified.done()
	img.brokers, img.brokerConfigs, img.groupConfigs = e.brokers.done(), e.brokerConfigs.done(), e.groupConfigs.done()
	return &img
}

// Apply is the image after one batch of records.
func (i *Image) Apply(offset int64, records []Record) *Image {
	e := i.Edit()
	for _, r := range records {
		e.Apply(r)
	}
	return e.Image(offset)
}

// topic returns the topic to change in place; nil when there is none.
func (e *Edit) topic(id TopicID) *Topic {
	if t := e.fresh[id]; t != nil {
		return t
	}
	old, ok := e.topicIDs.get(id)
	if !ok {
		return nil
	}
	t := &Topic{Name: old.Name, ID: id, Configs: old.Configs, Partitions: slices.Clone(old.Partitions)}
	e.put(t)
	return t
}

func (e *Edit) put(t *Topic) {
	e.fresh[t.ID] = t
	e.topics.set(nameKey(t.Name), t)
	e.topicIDs.set(t.ID, t)
}

func (r *FormationRecord) apply(e *Edit) { e.img.clusterID = r.ClusterID }

func (r *FeatureRecord) apply(e *Edit) {
	if r.Level == 0 {
		e.features.delete(nameKey(r.Name))
		return
	}
	e.features.set(nameKey(r.Name), r.Level)
}

func (r *TopicRecord) apply(e *Edit) {
	if old, ok := e.topics.get(nameKey(r.Name)); ok {
		e.remove(old)
	}
	if old, ok := e.topicIDs.get(r.ID); ok {
		e.remove(old)
	}
	e.put(&Topic{Name: r.Name, ID: r.ID})
	if mayCollide(r.Name) {
		e.unified.set(unify(r.Name), r.Name)
	}
}

func (r *RemoveTopicRecord) apply(e *Edit) {
	if t, ok := e.topicIDs.get(r.ID); ok {
		e.remove(t)
	}
}

func (e *Edit) remove(t *Topic) {
	e.img.partitions -= len(t.Partitions)
	delete(e.fresh, t.ID)
	e.topicIDs.delete(t.ID)
	e.topics.delete(nameKey(t.Name))
	if name, ok := e.unified.get(unify(t.Name)); ok && name == t.Name {
		e.unified.delete(unify(t.Name))
	}
}

func (r *PartitionRecord) apply(e *Edit) {
	t := e.topic(r.Topic)
	if t == nil || r.Index < 0 || int(r.Index) > len(t.Partitions) {
		return
	}
	p := r.Partition
	if slices.Equal(p.ISR, p.Replicas) {
		p.ISR = p.Replicas // the usual case, and 10,000 small slices less
	}
	if int(r.Index) == len(t.Partitions) {
		t.Partitions = append(t.Partitions, &p)
		e.img.partitions++
		return
	}
	t.Partitions[r.Index] = &p
}

func (r *ConfigRecord) apply(e *Edit) {
	switch r.Resource {
	case ResourceTopic:
		if old, ok := e.topics.get(nameKey(r.Name)); ok {
			t := e.topic(old.ID)
			t.Configs = t.Configs.with(r.Key, r.Value)
		}
	case ResourceBroker:
		r.applyTo(e.brokerConfigs)
	case ResourceGroup:
		r.applyTo(e.groupConfigs)
	}
}

func (r *ConfigRecord) applyTo(configs *tableEdit[nameKey, *Configs]) {
	old, _ := configs.get(nameKey(r.Name))
	if c := old.with(r.Key, r.Value); c == nil {
		configs.delete(nameKey(r.Name))
	} else {
		configs.set(nameKey(r.Name), c)
	}
}

func (r *BrokerRecord) apply(e *Edit) {
	b := r.Broker
	e.brokers.set(brokerKey(b.ID), &b)
}

func (r *ProducerIDsRecord) apply(e *Edit) {
	e.img.nextProducerID = max(e.img.nextProducerID, r.Next)
}
