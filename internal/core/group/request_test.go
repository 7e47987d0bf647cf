package group

import (
	"strconv"
	"strings"
	"time"

	"holdfast/internal/core/image"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// args reads the arguments of a script's command: the first ones without value, then name=value.
type args struct{ d *datadriven.TestData }

func (a args) pos(i int) string {
	if i >= len(a.d.CmdArgs) || len(a.d.CmdArgs[i].Vals) > 0 {
		return ""
	}
	return expand(a.d.CmdArgs[i].Key)
}

func (a args) has(name string) bool { return a.d.HasArg(name) }

func (a args) str(name, otherwise string) string {
	for _, arg := range a.d.CmdArgs {
		if arg.Key == name && len(arg.Vals) > 0 {
			return expand(strings.Join(arg.Vals, ","))
		}
	}
	return otherwise
}

func (a args) opt(name string) *string {
	if !a.has(name) {
		return nil
	}
	s := a.str(name, "")
	return &s
}

func (a args) num(name string, otherwise int) int {
	if n, err := strconv.Atoi(a.str(name, "")); err == nil {
		return n
	}
	return otherwise
}

func (a args) dur(name string, otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(a.str(name, "")); err == nil {
		return d
	}
	return otherwise
}

func (a args) list(name string) []string {
	if s := a.str(name, ""); s != "" {
		return strings.Split(s, "+")
	}
	return nil
}

// expand turns x*100 into a hundred x.
func expand(word string) string {
	if c, n, ok := strings.Cut(word, "*"); ok {
		if n, err := strconv.Atoi(n); err == nil {
			return strings.Repeat(c, n)
		}
	}
	return word
}

func (s *script) request(a args) kmsg.Request {
	group := a.pos(0)
	switch a.d.Cmd {
	case "join":
		r := kmsg.NewPtrJoinGroupRequest()
		r.Version, r.Group, r.MemberID, r.InstanceID = int16(a.num("v", 9)), group, s.id(a.str("member", "")), a.opt("instance")
		r.SessionTimeoutMillis = int32(a.dur("session", 10*time.Second).Milliseconds())
		r.RebalanceTimeoutMillis = int32(a.dur("rebalance", time.Minute).Milliseconds())
		r.ProtocolType = a.str("type", "test")
		for _, p := range strings.Split(a.str("protocols", "range"), "+") {
			name, meta, _ := strings.Cut(p, ":")
			r.Protocols = append(r.Protocols, kmsg.JoinGroupRequestProtocol{Name: name, Metadata: []byte(expand(meta))})
		}
		if topics := a.list("topics"); topics != nil {
			r.ProtocolType = consumerProtocol
			r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: subscription(topics, a.list("owned"))}}
		}
		return r
	case "sync":
		r := kmsg.NewPtrSyncGroupRequest()
		r.Version, r.Group, r.MemberID, r.Generation, r.InstanceID = int16(a.num("v", 5)), group, s.id(a.str("member", "")), int32(a.num("gen", -1)), a.opt("instance")
		r.ProtocolType, r.Protocol = a.opt("type"), a.opt("protocol")
		for _, g := range a.list("give") { // in the form of consumers
			m, part, _ := strings.Cut(g, ":")
			topic, partitions := several(part)
			ca := kmsg.NewConsumerMemberAssignment()
			ca.Topics = []kmsg.ConsumerMemberAssignmentTopic{{Topic: topic, Partitions: partitions}}
			r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: s.id(m), MemberAssignment: ca.AppendTo(nil)})
		}
		for _, g := range a.list("assign") {
			m, part, _ := strings.Cut(g, ":")
			r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: s.id(m), MemberAssignment: []byte(expand(part))})
		}
		return r
	case "heartbeat":
		r := kmsg.NewPtrHeartbeatRequest()
		r.Version, r.Group, r.MemberID, r.Generation, r.InstanceID = 4, group, s.id(a.str("member", "")), int32(a.num("gen", -1)), a.opt("instance")
		return r
	case "leave":
		r := kmsg.NewPtrLeaveGroupRequest()
		r.Version, r.Group = int16(a.num("v", 5)), group
		for _, m := range a.list("members") {
			id, instance, ok := strings.Cut(m, "/")
			lm := kmsg.LeaveGroupRequestMember{MemberID: s.id(id)}
			if ok {
				lm.InstanceID = &instance
			}
			r.Members = append(r.Members, lm)
			r.MemberID = s.id(id)
		}
		return r
	}
	if r := s.offsetRequest(a); r != nil {
		return r
	}
	return s.adminRequest(a)
}

// subscription is what a consumer says with its protocol. Owned are words like orders-0/1.
func subscription(topics, owned []string) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Version, m.Topics = 1, topics
	for _, w := range owned {
		topic, partitions := several(w)
		m.OwnedPartitions = append(m.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{Topic: topic, Partitions: partitions})
	}
	return m.AppendTo(nil)
}

// several reads orders-0/1.
func several(word string) (topic string, partitions []int32) {
	topic, list, _ := strings.Cut(word, "-")
	for _, p := range strings.Split(list, "/") {
		n, _ := strconv.Atoi(p)
		partitions = append(partitions, int32(n))
	}
	return topic, partitions
}

// place reads orders-0=5 or orders-0; offset is -1 in the latter.
func place(word string) (topic string, partition int32, offset int64) {
	name, value, ok := strings.Cut(word, "=")
	i := strings.LastIndexByte(name, '-')
	p, _ := strconv.Atoi(name[i+1:])
	offset = -1
	if ok {
		n, _ := strconv.Atoi(value)
		offset = int64(n)
	}
	return name[:i], int32(p), offset
}

// places are the lines below a command.
func places(a args) []string { return strings.Fields(a.d.Input) }

func (s *script) offsetRequest(a args) kmsg.Request {
	group := a.pos(0)
	switch a.d.Cmd {
	case "commit":
		r := kmsg.NewPtrOffsetCommitRequest()
		r.Version, r.Group, r.MemberID, r.Generation, r.InstanceID = int16(a.num("v", 9)), group, s.id(a.str("member", "")), int32(a.num("gen", -1)), a.opt("instance")
		r.RetentionTimeMillis = a.dur("retention", -time.Millisecond).Milliseconds()
		for _, w := range places(a) {
			topic, p, offset := place(w)
			rt := kmsg.OffsetCommitRequestTopic{Topic: topic, TopicID: s.topicID(topic)}
			rt.Partitions = append(rt.Partitions, kmsg.OffsetCommitRequestTopicPartition{Partition: p, Offset: offset, LeaderEpoch: 7, Metadata: a.opt("metadata")})
			r.Topics = append(r.Topics, rt)
		}
		return r
	case "txn-commit":
		r := kmsg.NewPtrTxnOffsetCommitRequest()
		r.Version, r.Group, r.MemberID, r.Generation, r.ProducerID = 3, group, s.id(a.str("member", "")), int32(a.num("gen", -1)), int64(a.num("producer", 0))
		for _, w := range places(a) {
			topic, p, offset := place(w)
			rt := kmsg.TxnOffsetCommitRequestTopic{Topic: topic}
			rt.Partitions = append(rt.Partitions, kmsg.TxnOffsetCommitRequestTopicPartition{Partition: p, Offset: offset, LeaderEpoch: 7})
			r.Topics = append(r.Topics, rt)
		}
		return r
	case "delete-offsets":
		r := kmsg.NewPtrOffsetDeleteRequest()
		r.Group = group
		for _, w := range places(a) {
			topic, p, _ := place(w)
			rt := kmsg.OffsetDeleteRequestTopic{Topic: topic}
			rt.Partitions = append(rt.Partitions, kmsg.OffsetDeleteRequestTopicPartition{Partition: p})
			r.Topics = append(r.Topics, rt)
		}
		return r
	case "fetch":
		return s.fetchRequest(a)
	}
	return nil
}

// topicID is that of a topic, or of the word id7 the seventh.
func (s *script) topicID(topic string) image.TopicID {
	if t := s.h.img.Topic(topic); t != nil {
		return t.ID
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(topic, "id"))
	return image.TopicID{byte(n)}
}

// fetchRequest reads "fetch GROUP+GROUP"; without lines below it asks for everything.
func (s *script) fetchRequest(a args) kmsg.Request {
	r := kmsg.NewPtrOffsetFetchRequest()
	r.Version, r.RequireStable = int16(a.num("v", 9)), a.has("stable")
	for _, g := range strings.Split(a.pos(0), "+") {
		rg := kmsg.NewOffsetFetchRequestGroup()
		rg.Group, rg.MemberEpoch = g, int32(a.num("epoch", -1))
		if a.has("member") {
			id := s.id(a.str("member", ""))
			rg.MemberID = &id
		}
		for _, w := range places(a) {
			topic, p, _ := place(w)
			rg.Topics = append(rg.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: topic, TopicID: s.topicID(topic), Partitions: []int32{p}})
			r.Topics = append(r.Topics, kmsg.OffsetFetchRequestTopic{Topic: topic, Partitions: []int32{p}})
		}
		r.Groups = append(r.Groups, rg)
		r.Group = g
	}
	return r
}

func (s *script) adminRequest(a args) kmsg.Request {
	groups := strings.Split(a.pos(0), "+")
	switch a.d.Cmd {
	case "list":
		r := kmsg.NewPtrListGroupsRequest()
		r.Version, r.StatesFilter, r.TypesFilter = int16(a.num("v", 5)), a.list("states"), a.list("types")
		return r
	case "describe":
		r := kmsg.NewPtrDescribeGroupsRequest()
		r.Version, r.Groups = int16(a.num("v", 6)), groups
		return r
	case "delete":
		r := kmsg.NewPtrDeleteGroupsRequest()
		r.Version, r.Groups = 2, groups
		return r
	}
	return s.consumerRequest(a)
}
