package controller

import (
	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// deletion is one DeleteTopics request being decided: every topic asked for, by name or by id.
type deletion struct {
	m       *Machine
	resp    *kmsg.DeleteTopicsResponse
	names   map[string]int
	ids     map[image.TopicID]int
	records []image.Record
}

func (m *Machine) deleteTopics(req *kmsg.DeleteTopicsRequest) Outcome {
	d := &deletion{
		m: m, resp: req.ResponseKind().(*kmsg.DeleteTopicsResponse),
		names: map[string]int{}, ids: map[image.TopicID]int{},
	}
	asked := req.Topics
	for i := range req.TopicNames {
		asked = append(asked, kmsg.DeleteTopicsRequestTopic{Topic: &req.TopicNames[i]})
	}
	for _, a := range asked {
		switch id := image.TopicID(a.TopicID); {
		case a.Topic == nil && !id.Zero():
			d.ids[id]++
		case a.Topic != nil && id.Zero():
			d.names[*a.Topic]++
		}
	}
	for _, a := range asked {
		d.one(a.Topic, a.TopicID)
	}
	return Outcome{Records: d.records, Reply: d.resp}
}

// one answers one entry of the request; an entry that is given more than once is answered once, with an error.
func (d *deletion) one(name *string, id image.TopicID) {
	enabled := d.m.broker.Bool("delete.topic.enable")
	switch {
	case !enabled && d.resp.Version < 3:
		d.answer(name, id, refuse(wire.InvalidRequest, "This version does not support topic deletion."))
	case !enabled:
		d.answer(name, id, refuse(wire.TopicDeletionDisabled, "Topic deletion is disabled."))
	case name == nil && id.Zero():
		d.answer(name, id, refuse(wire.InvalidRequest, "Neither topic name nor id were specified."))
	case name == nil:
		d.byID(id)
	case id.Zero():
		d.byName(*name)
	default:
		d.answer(name, id, refuse(wire.InvalidRequest, "You may not specify both topic name and topic id."))
	}
}

func (d *deletion) byID(id image.TopicID) {
	times := d.ids[id]
	d.ids[id] = -1
	t := d.m.img.TopicByID(id)
	switch {
	case times < 0: // answered
	case times > 1:
		d.answer(nil, id, refuse(wire.InvalidRequest, "Duplicate topic id."))
	case t == nil:
		d.answer(nil, id, refuse(wire.UnknownTopicID, "This server does not host this topic ID."))
	case d.names[t.Name] != 0:
		d.answer(&t.Name, id, refuse(wire.InvalidRequest, "The provided topic name maps to an ID that was already supplied."))
	default:
		d.remove(t)
	}
}

func (d *deletion) byName(name string) {
	times := d.names[name]
	d.names[name] = -1
	t := d.m.img.Topic(name)
	switch {
	case times < 0: // answered
	case times > 1:
		d.answer(&name, image.TopicID{}, refuse(wire.InvalidRequest, "Duplicate topic name."))
	case t == nil:
		d.answer(&name, image.TopicID{}, refuse(wire.UnknownTopicOrPartition, "This server does not host this topic-partition."))
	case d.ids[t.ID] != 0:
		// Answered where the id is: both entries mean one topic, and it is left alone.
	default:
		d.remove(t)
	}
}

func (d *deletion) remove(t *image.Topic) {
	d.records = append(d.records, &image.RemoveTopicRecord{ID: t.ID})
	d.answer(&t.Name, t.ID, nil)
}

func (d *deletion) answer(name *string, id image.TopicID, r *refusal) {
	out := kmsg.NewDeleteTopicsResponseTopic()
	out.Topic, out.TopicID = name, id
	if name == nil && d.resp.Version < 6 {
		out.Topic = new(string) // null is not allowed there
	}
	out.ErrorCode, out.ErrorMessage = r.fields()
	d.resp.Topics = append(d.resp.Topics, out)
}
