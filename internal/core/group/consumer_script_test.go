package group

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// What scripts say and see of KIP-848 groups. Partitions are written orders:0,1 by topic.

func (s *script) consumerRequest(a args) kmsg.Request {
	switch a.d.Cmd {
	case "beat":
		r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		r.Version, r.Group, r.MemberID, r.MemberEpoch = int16(a.num("v", 1)), a.pos(0), s.id(a.str("member", "")), int32(a.num("epoch", 0))
		r.InstanceID, r.ServerAssignor, r.SubscribedTopicRegex = a.opt("instance"), a.opt("assignor"), a.opt("regex")
		if a.has("topics") {
			r.SubscribedTopicNames = append([]string{}, a.list("topics")...)
		}
		if r.MemberEpoch == epochJoin && !a.has("partial") {
			r.RebalanceTimeoutMillis = int32(a.dur("rebalance", 30*time.Second).Milliseconds())
			r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
			if r.SubscribedTopicNames == nil && r.SubscribedTopicRegex == nil {
				r.SubscribedTopicNames = []string{}
			}
		}
		if a.has("owns") {
			r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
			for _, w := range a.list("owns") {
				name, list, _ := strings.Cut(w, ":")
				rt := kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: s.topicID(name)}
				for _, p := range strings.Split(list, "/") {
					n, _ := strconv.Atoi(p)
					rt.Partitions = append(rt.Partitions, int32(n))
				}
				r.Topics = append(r.Topics, rt)
			}
		}
		return r
	case "describe-consumer":
		r := kmsg.NewPtrConsumerGroupDescribeRequest()
		r.Version, r.Groups = 1, strings.Split(a.pos(0), "+")
		return r
	}
	return nil
}

func (s *script) parts(a assignment) string {
	var words []string
	for _, t := range a {
		name := fmt.Sprintf("id%d", t.Topic[0])
		if topic := s.h.img.TopicByID(t.Topic); topic != nil {
			name = topic.Name
		}
		var list []string
		for _, p := range t.Partitions {
			list = append(list, strconv.Itoa(int(p)))
		}
		words = append(words, name+":"+strings.Join(list, "/"))
	}
	return "[" + strings.Join(words, " ") + "]"
}

func (s *script) consumerRecord(r *ConsumerRecord) string {
	who := s.name(r.Name)
	if r.value == nil {
		return strings.TrimSpace(fmt.Sprintf("type %d of %s %s gone", r.Kind, r.Group, who))
	}
	switch v := r.value.(type) {
	case *epochValue:
		return fmt.Sprintf("epoch of %s = %d", r.Group, v.Epoch)
	case *targetEpochValue:
		return fmt.Sprintf("targets of %s are of epoch %d", r.Group, v.Epoch)
	case *memberValue:
		return fmt.Sprintf("member %s %s%s %v %q", r.Group, who, deref(v.Instance), v.Topics, deref(v.Regex))
	case targetValue:
		return fmt.Sprintf("target %s %s %s", r.Group, who, s.parts(assignment(v)))
	case *currentValue:
		text := fmt.Sprintf("current %s %s epoch=%d state=%d %s", r.Group, who, v.Epoch, v.State, s.parts(v.Assigned))
		if v.Revoking != nil {
			text += " revoking " + s.parts(v.Revoking)
		}
		return text
	case *regexValue:
		return fmt.Sprintf("pattern %s %q matches %v", r.Group, r.Name, v.topics)
	}
	return "?"
}

func (s *script) consumerResponse(resp kmsg.Response) string {
	switch r := resp.(type) {
	case *kmsg.ConsumerGroupHeartbeatResponse:
		if r.ErrorCode != 0 {
			return fmt.Sprintf("beat %v: %s", wire.Code(r.ErrorCode), deref(r.ErrorMessage))
		}
		text := fmt.Sprintf("beat %s epoch=%d again in %d ms", s.name(deref(r.MemberID)), r.MemberEpoch, r.HeartbeatIntervalMillis)
		if r.Assignment != nil {
			var a assignment
			for _, t := range r.Assignment.Topics {
				a = append(a, topicPartitions{Topic: t.TopicID, Partitions: t.Partitions})
			}
			text += " has " + s.parts(a)
		}
		return text
	case *kmsg.ConsumerGroupDescribeResponse:
		text := "describe"
		for _, g := range r.Groups {
			text += fmt.Sprintf(" %s %v %s epoch=%d/%d %s", g.Group, wire.Code(g.ErrorCode), g.State, g.Epoch, g.AssignmentEpoch, g.AssignorName)
			for _, m := range g.Members {
				text += fmt.Sprintf(" %s(%d %s -> %s)", s.name(m.MemberID), m.MemberEpoch, described(m.Assignment), described(m.TargetAssignment))
			}
		}
		return text
	}
	return fmt.Sprintf("%T", resp)
}

func described(a kmsg.Assignment) string {
	text := ""
	for _, t := range a.TopicPartitions {
		text += t.Topic + fmt.Sprint(t.Partitions)
	}
	return text
}
