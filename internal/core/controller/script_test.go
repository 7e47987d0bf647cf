package controller

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/base/config"
	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"
)

// TestScripts runs testdata/scripts/*.txt: each command is decided, its records are applied, and what it answered is printed.
// Lines below a command are its topics or resources. A word "x*250" stands for 250 x, "" for the empty name.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := &script{m: New(nil, image.Empty())}
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	m      *Machine
	offset int64
	nonces uint64
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	var lines [][]string
	for line := range strings.Lines(d.Input) {
		words := strings.Fields(line)
		for i := range words {
			words[i] = expand(words[i])
		}
		lines = append(lines, words)
	}
	validate := d.HasArg("validate-only")
	switch d.Cmd {
	case "broker-settings":
		var sets []string
		for _, l := range lines {
			sets = append(sets, l...)
		}
		values, _, err := config.Load("", sets, nil)
		if err != nil {
			return err.Error() + "\n"
		}
		s.m = New(values, s.m.Image())
		return ""
	case "form":
		return s.do(&FormCluster{ClusterID: "C"})
	case "register":
		return s.do(registration(t, d))
	case "producer-ids":
		req := kmsg.NewPtrAllocateProducerIDsRequest()
		d.ScanArgs(t, "broker", &req.BrokerID)
		d.ScanArgs(t, "epoch", &req.BrokerEpoch)
		return s.do(req)
	case "create":
		req := kmsg.NewPtrCreateTopicsRequest()
		req.Version, req.ValidateOnly = 7, validate
		for _, l := range lines {
			req.Topics = append(req.Topics, creatable(t, l))
		}
		return s.do(req)
	case "auto-create":
		return s.do(&AutoCreateTopics{Names: lines[0]})
	case "delete":
		return s.do(s.deletion(d, lines))
	case "grow":
		req := kmsg.NewPtrCreatePartitionsRequest()
		req.Version, req.ValidateOnly = 3, validate
		for _, l := range lines {
			req.Topics = append(req.Topics, growing(t, l))
		}
		return s.do(req)
	case "alter":
		return s.do(incremental(t, lines, validate))
	case "alter-legacy":
		return s.do(legacy(t, lines, validate))
	case "show":
		return show(s.m.Image())
	}
	t.Fatalf("no command %q", d.Cmd)
	return ""
}

func expand(word string) string {
	if word == `""` {
		return ""
	}
	if c, n, ok := strings.Cut(word, "*"); ok {
		if n, err := strconv.Atoi(n); err == nil {
			return strings.Repeat(c, n)
		}
	}
	return word
}

// do decides, prints the reply, applies the records.
func (s *script) do(request any) string {
	s.nonces++
	cmd := Command{Request: request}
	binary.BigEndian.PutUint64(cmd.Nonce[:], s.nonces)
	out := s.m.Decide(time.UnixMilli(0), cmd)
	if len(out.Records) > 0 {
		s.offset++
		s.m.Apply(s.offset, out.Records)
	}
	var b strings.Builder
	printReply(&b, out.Reply)
	for _, r := range out.Records {
		printRecord(&b, r)
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func printReply(b *strings.Builder, reply any) {
	switch r := reply.(type) {
	case *kmsg.CreateTopicsResponse:
		for _, t := range r.Topics {
			verdict(b, quote(t.Topic), t.ErrorCode, t.ErrorMessage, fmt.Sprintf("%d partitions, %d replicas", t.NumPartitions, t.ReplicationFactor))
		}
	case *kmsg.DeleteTopicsResponse:
		for _, t := range r.Topics {
			name := "(no name)"
			if t.Topic != nil {
				name = quote(*t.Topic)
			}
			verdict(b, name, t.ErrorCode, t.ErrorMessage, "deleted")
		}
	case *kmsg.CreatePartitionsResponse:
		for _, t := range r.Topics {
			verdict(b, quote(t.Topic), t.ErrorCode, t.ErrorMessage, "grown")
		}
	case *kmsg.IncrementalAlterConfigsResponse:
		for _, t := range r.Resources {
			verdict(b, t.ResourceType.String()+" "+quote(t.ResourceName), t.ErrorCode, t.ErrorMessage, "altered")
		}
	case *kmsg.AlterConfigsResponse:
		for _, t := range r.Resources {
			verdict(b, t.ResourceType.String()+" "+quote(t.ResourceName), t.ErrorCode, t.ErrorMessage, "altered")
		}
	case *kmsg.BrokerRegistrationResponse:
		verdict(b, "broker", r.ErrorCode, nil, fmt.Sprintf("epoch %d", r.BrokerEpoch))
	case *kmsg.AllocateProducerIDsResponse:
		verdict(b, "producer ids", r.ErrorCode, nil, fmt.Sprintf("%d from %d", r.ProducerIDLen, r.ProducerIDStart))
	}
}

func quote(name string) string {
	if name == "" || len(name) > 60 {
		return fmt.Sprintf("(%d bytes)", len(name))
	}
	return name
}

func verdict(b *strings.Builder, what string, code int16, message *string, ok string) {
	switch {
	case code == 0:
		fmt.Fprintf(b, "%s: %s\n", what, ok)
	case message == nil:
		fmt.Fprintf(b, "%s: %v\n", what, wire.Code(code))
	default:
		m := *message
		if len(m) > 300 {
			m = m[:60] + " ... " + m[len(m)-60:]
		}
		fmt.Fprintf(b, "%s: %v %s\n", what, wire.Code(code), m)
	}
}

func printRecord(b *strings.Builder, r image.Record) {
	switch r := r.(type) {
	case *image.FormationRecord:
		fmt.Fprintf(b, "  formation cluster=%s\n", r.ClusterID)
	case *image.FeatureRecord:
		fmt.Fprintf(b, "  feature %s=%d\n", r.Name, r.Level)
	case *image.TopicRecord:
		fmt.Fprintf(b, "  topic %s\n", r.Name)
	case *image.RemoveTopicRecord:
		fmt.Fprintf(b, "  remove-topic\n")
	case *image.PartitionRecord:
		fmt.Fprintf(b, "  partition %d %s\n", r.Index, state(&r.Partition))
	case *image.ConfigRecord:
		value := "(none)"
		if r.Value != nil {
			value = *r.Value
		}
		fmt.Fprintf(b, "  config %v %q %s=%s\n", kmsg.ConfigResourceType(r.Resource), r.Name, r.Key, value)
	case *image.BrokerRecord:
		fmt.Fprintf(b, "  broker %d epoch=%d rack=%q incarnation=%d\n", r.ID, r.Epoch, r.Rack, r.Incarnation[0])
	case *image.ProducerIDsRecord:
		fmt.Fprintf(b, "  producer-ids broker=%d next=%d\n", r.Broker, r.Next)
	}
}

func state(p *image.Partition) string {
	return fmt.Sprintf("replicas=%v isr=%v leader=%d epoch=%d/%d", p.Replicas, p.ISR, p.Leader, p.LeaderEpoch, p.PartitionEpoch)
}

func show(img *image.Image) string {
	var b strings.Builder
	fmt.Fprintf(&b, "cluster %s, %d topics, %d partitions, next producer id %d\n", img.ClusterID(), img.TopicCount(), img.PartitionCount(), img.NextProducerID())
	for br := range img.Brokers() {
		fmt.Fprintf(&b, "broker %d epoch=%d rack=%q\n", br.ID, br.Epoch, br.Rack)
	}
	for name, c := range img.BrokerConfigResources() {
		for k, v := range c.All() {
			fmt.Fprintf(&b, "broker %q %s=%s\n", name, k, v)
		}
	}
	for t := range img.Topics() {
		fmt.Fprintf(&b, "%s\n", t.Name)
		for k, v := range t.Configs.All() {
			fmt.Fprintf(&b, "  %s=%s\n", k, v)
		}
		for n, p := range t.Partitions {
			fmt.Fprintf(&b, "  %d %s\n", n, state(p))
		}
	}
	return b.String()
}

func registration(t *testing.T, d *datadriven.TestData) *kmsg.BrokerRegistrationRequest {
	req := kmsg.NewPtrBrokerRegistrationRequest()
	req.Version, req.ClusterID = 4, "C"
	incarnation := 1
	d.ScanArgs(t, "id", &req.BrokerID)
	d.MaybeScanArgs(t, "incarnation", &incarnation)
	d.MaybeScanArgs(t, "cluster", &req.ClusterID)
	req.IncarnationID = [16]byte{byte(incarnation)}
	var rack string
	if d.MaybeScanArgs(t, "rack", &rack) {
		req.Rack = &rack
	}
	dir := int(req.BrokerID)
	d.MaybeScanArgs(t, "dir", &dir)
	req.LogDirs = [][16]byte{{byte(dir)}}
	req.Listeners = []kmsg.BrokerRegistrationRequestListener{{Name: "PLAINTEXT", Host: "localhost", Port: 9092}}
	return req
}

func creatable(t *testing.T, words []string) kmsg.CreateTopicsRequestTopic {
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = words[0], -1, -1
	for _, w := range words[1:] {
		key, value, given := strings.Cut(w, "=")
		switch key {
		case "partitions":
			topic.NumPartitions = int32(number(t, value))
		case "rf":
			topic.ReplicationFactor = int16(number(t, value))
		case "assign":
			for _, a := range strings.Split(value, ";") {
				index, replicas, _ := strings.Cut(a, ":")
				assignment := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
				assignment.Partition, assignment.Replicas = int32(number(t, index)), numbers(t, replicas)
				topic.ReplicaAssignment = append(topic.ReplicaAssignment, assignment)
			}
		default:
			cfg := kmsg.NewCreateTopicsRequestTopicConfig()
			cfg.Name = key
			if given {
				cfg.Value = &value
			}
			topic.Configs = append(topic.Configs, cfg)
		}
	}
	return topic
}

func (s *script) deletion(d *datadriven.TestData, lines [][]string) *kmsg.DeleteTopicsRequest {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version = 6
	if d.HasArg("old-form") {
		req.Version = 1
		req.TopicNames = lines[0]
		return req
	}
	for _, words := range lines {
		topic := kmsg.NewDeleteTopicsRequestTopic()
		for _, w := range words {
			if of, ok := strings.CutPrefix(w, "id-of="); ok {
				if known := s.m.Image().Topic(of); known != nil {
					topic.TopicID = known.ID
				} else {
					topic.TopicID = [16]byte{99}
				}
			} else if w != "nothing" {
				topic.Topic = &w
			}
		}
		req.Topics = append(req.Topics, topic)
	}
	return req
}

func growing(t *testing.T, words []string) kmsg.CreatePartitionsRequestTopic {
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic = words[0]
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "count":
			topic.Count = int32(number(t, value))
		case "assign":
			topic.Assignment = []kmsg.CreatePartitionsRequestTopicAssignment{}
			for _, a := range strings.Split(value, ";") {
				topic.Assignment = append(topic.Assignment, kmsg.CreatePartitionsRequestTopicAssignment{Replicas: numbers(t, a)})
			}
		}
	}
	return topic
}

func resourceOf(t *testing.T, word string) (kmsg.ConfigResourceType, string) {
	kind, name, _ := strings.Cut(word, ":")
	switch kind {
	case "topic":
		return kmsg.ConfigResourceTypeTopic, expand(name)
	case "broker":
		return kmsg.ConfigResourceTypeBroker, expand(name)
	}
	return kmsg.ConfigResourceType(number(t, kind)), expand(name)
}

func incremental(t *testing.T, lines [][]string, validate bool) *kmsg.IncrementalAlterConfigsRequest {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Version, req.ValidateOnly = 1, validate
	for _, words := range lines {
		r := kmsg.NewIncrementalAlterConfigsRequestResource()
		r.ResourceType, r.ResourceName = resourceOf(t, words[0])
		ops := map[string]kmsg.IncrementalAlterConfigOp{"set": 0, "delete": 1, "append": 2, "subtract": 3, "op9": 9}
		for i := 1; i+1 < len(words); i += 2 {
			c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
			key, value, given := strings.Cut(words[i+1], "=")
			value = expand(value)
			c.Name, c.Op = key, ops[words[i]]
			if given {
				c.Value = &value
			}
			r.Configs = append(r.Configs, c)
		}
		req.Resources = append(req.Resources, r)
	}
	return req
}

func legacy(t *testing.T, lines [][]string, validate bool) *kmsg.AlterConfigsRequest {
	req := kmsg.NewPtrAlterConfigsRequest()
	req.Version, req.ValidateOnly = 2, validate
	for _, words := range lines {
		r := kmsg.NewAlterConfigsRequestResource()
		r.ResourceType, r.ResourceName = resourceOf(t, words[0])
		for _, w := range words[1:] {
			c := kmsg.NewAlterConfigsRequestResourceConfig()
			key, value, given := strings.Cut(w, "=")
			c.Name = key
			if given {
				c.Value = &value
			}
			r.Configs = append(r.Configs, c)
		}
		req.Resources = append(req.Resources, r)
	}
	return req
}

func number(t *testing.T, s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func numbers(t *testing.T, s string) []int32 {
	var list []int32
	for _, n := range strings.Split(s, ",") {
		if n != "" {
			list = append(list, int32(number(t, n)))
		}
	}
	return list
}
