package group

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/core/shard"
	"holdfast/internal/proto/wire"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestScripts runs testdata/*.txt against a shard in a fake host, which checks the package's promises at every step.
// A member id is shown as m1, m2... in the order they were given out, a call as #1, #2...; "nothing" means that a
// caller waits. What goes to the log is shown with "log", what a person would be told with "event".
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := &script{}
		s.reset(t, DefaultConfig())
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	h     *fakeHost
	ids   []string          // m1 is ids[0]
	alias map[string]string // id to m1
	quiet bool              // log lines are left out
}

func (s *script) reset(t testing.TB, cfg Config) {
	s.h, s.ids, s.alias = newHost(t, cfg), nil, map[string]string{}
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	s.h.t = t
	a := args{d}
	switch d.Cmd {
	case "config":
		s.configure(t, d)
		return ""
	case "topic":
		s.h.topic(a.pos(0), byte(a.num("id", 1)), a.num("partitions", 1))
		return s.do(&shard.MetadataChanged{}, a)
	case "grow":
		s.h.grow(a.pos(0), a.num("partitions", 1))
		return s.do(&shard.MetadataChanged{}, a)
	case "drop":
		gone := s.h.drop(a.pos(0))
		if a.has("unheard") {
			return ""
		}
		return s.do(&shard.TopicsDeleted{Topics: []shard.DeletedTopic{gone}}, a)
	case "tick":
		return s.tick(t, a)
	case "restart":
		return s.outcome(s.h.restart())
	case "timers":
		return s.timers()
	case "marker":
		s.h.marker(int64(a.num("producer", 0)), a.has("commit"))
		return ""
	case "waiting":
		return fmt.Sprintf("%d\n", len(s.h.open))
	}
	if r := s.request(a); r != nil {
		return s.do(r, a)
	}
	t.Fatalf("no command %q", d.Cmd)
	return ""
}

func (s *script) configure(t *testing.T, d *datadriven.TestData) {
	cfg := DefaultConfig()
	a := args{d}
	cfg.InitialRebalanceDelay = a.dur("initial-delay", cfg.InitialRebalanceDelay)
	cfg.MaxSize = a.num("max-size", cfg.MaxSize)
	cfg.MaxRecordBytes = a.num("max-record", cfg.MaxRecordBytes)
	cfg.OffsetsRetention = a.dur("retention", cfg.OffsetsRetention)
	cfg.MaxSweepRecords = a.num("max-sweep", cfg.MaxSweepRecords)
	cfg.ConsumerMaxSize = a.num("consumer-max-size", cfg.ConsumerMaxSize)
	s.quiet = a.has("quiet")
	s.reset(t, cfg)
}

func (s *script) tick(t *testing.T, a args) string {
	d, err := time.ParseDuration(a.pos(0))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	s.h.tick(d, func(k TimerKey, out shard.Outcome) {
		text := s.outcome(out)
		if text != "nothing\n" {
			fmt.Fprintf(&b, "%v %s\n%s", k.Kind, s.name(k.Member), text)
		}
	})
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func (s *script) timers() string {
	var lines []string
	for k, at := range s.h.timers {
		if k.Kind != TimerSweep {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%v %s", k.Kind, s.name(k.Member)))+fmt.Sprintf(" in %v\n", at.Sub(s.h.now)))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func (s *script) do(r any, a args) string {
	call, out := s.h.do(r, shard.Client{ID: a.str("client", "c"), Host: "/127.0.0.1"})
	text := s.outcome(out)
	if _, ok := r.(kmsg.Request); ok && s.h.open[call] != nil {
		return fmt.Sprintf("#%d waits\n", call) + strings.TrimPrefix(text, "nothing\n")
	}
	return text
}

// short is a sentence with member ids in their short form.
func (s *script) short(text string) string {
	for i, id := range s.ids {
		text = strings.ReplaceAll(text, id, "m"+strconv.Itoa(i+1))
	}
	return text
}

// name is the short form of a member id; new ids get the next number.
func (s *script) name(id string) string {
	if id == "" {
		return ""
	}
	if len(id) < 36 && s.alias[id] == "" {
		return id
	}
	if s.alias[id] == "" {
		s.ids = append(s.ids, id)
		s.alias[id] = "m" + strconv.Itoa(len(s.ids))
	}
	return s.alias[id]
}

// id is the member id of a short form.
func (s *script) id(name string) string {
	if n, err := strconv.Atoi(strings.TrimPrefix(name, "m")); err == nil && n >= 1 && n <= len(s.ids) {
		return s.ids[n-1]
	}
	return name
}

func (s *script) outcome(out shard.Outcome) string {
	var b strings.Builder
	for _, r := range out.Replies {
		fmt.Fprintf(&b, "#%d %s\n", r.Call, s.response(r.Response))
	}
	for _, r := range out.Records {
		if text := s.record(r); text != "" && !s.quiet {
			fmt.Fprintf(&b, "  log %s\n", text)
		}
	}
	for _, e := range out.Events {
		fmt.Fprintf(&b, "  event %s %s-%d: %s\n", e.Kind.Name, e.Topic, e.Partition, s.short(e.Sentence()))
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func (s *script) record(record shard.Record) string {
	switch r := record.(type) {
	case *OffsetRecord:
		if r.Committed == nil {
			return fmt.Sprintf("offset %s %s-%d gone", r.Group, r.Topic, r.Partition)
		}
		text := fmt.Sprintf("offset %s %s-%d = %d", r.Group, r.Topic, r.Partition, r.Committed.Offset)
		if r.ProducerID != shard.NoProducer {
			text += fmt.Sprintf(" of producer %d", r.ProducerID)
		}
		return text
	case *ClassicRecord:
		if r.Value == nil {
			return fmt.Sprintf("group %s gone", r.Group)
		}
		text := fmt.Sprintf("group %s generation=%d", r.Group, r.Value.Generation)
		for _, m := range r.Value.Members {
			text += fmt.Sprintf(" %s=%q", s.name(m.MemberID), m.Assignment)
		}
		return text
	case *ConsumerRecord:
		return s.consumerRecord(r)
	}
	return ""
}

func (s *script) response(resp kmsg.Response) string {
	switch r := resp.(type) {
	case *kmsg.JoinGroupResponse:
		if r.ErrorCode != 0 {
			return strings.TrimSpace(fmt.Sprintf("join %v %s", wire.Code(r.ErrorCode), s.name(r.MemberID)))
		}
		text := fmt.Sprintf("join %s generation=%d protocol=%s leader=%s", s.name(r.MemberID), r.Generation, deref(r.Protocol), s.name(r.LeaderID))
		if len(r.Members) > 0 {
			text += " members="
			for i, m := range r.Members {
				text += strings.Repeat(",", min(i, 1)) + s.name(m.MemberID)
			}
		}
		if r.SkipAssignment {
			text += " skip-assignment"
		}
		return text
	case *kmsg.SyncGroupResponse:
		var a kmsg.ConsumerMemberAssignment
		if a.ReadFrom(r.MemberAssignment) == nil && len(r.MemberAssignment) > 2 {
			text := fmt.Sprintf("sync %v", wire.Code(r.ErrorCode))
			for _, t := range a.Topics {
				text += fmt.Sprintf(" %s%v", t.Topic, t.Partitions)
			}
			return text
		}
		return fmt.Sprintf("sync %v %q", wire.Code(r.ErrorCode), r.MemberAssignment)
	case *kmsg.HeartbeatResponse:
		return fmt.Sprintf("heartbeat %v", wire.Code(r.ErrorCode))
	case *kmsg.LeaveGroupResponse:
		text := fmt.Sprintf("leave %v", wire.Code(r.ErrorCode))
		for _, m := range r.Members {
			text += fmt.Sprintf(" %s%s:%v", s.name(m.MemberID), deref(m.InstanceID), wire.Code(m.ErrorCode))
		}
		return text
	case *kmsg.OffsetCommitResponse:
		text := "commit"
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				text += fmt.Sprintf(" %s-%d:%v", t.Topic, p.Partition, wire.Code(p.ErrorCode))
			}
		}
		return text
	case *kmsg.TxnOffsetCommitResponse:
		text := "txn-commit"
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				text += fmt.Sprintf(" %s-%d:%v", t.Topic, p.Partition, wire.Code(p.ErrorCode))
			}
		}
		return text
	}
	return s.adminResponse(resp)
}

func (s *script) adminResponse(resp kmsg.Response) string {
	switch r := resp.(type) {
	case *kmsg.OffsetFetchResponse:
		text := "fetch"
		if r.ErrorCode != 0 {
			text += " " + wire.Code(r.ErrorCode).String()
		}
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				text += fmt.Sprintf(" %s-%d=%s", t.Topic, p.Partition, offsetText(p.Offset, p.ErrorCode))
			}
		}
		for _, g := range r.Groups {
			text += " [" + g.Group
			if g.ErrorCode != 0 {
				text += " " + wire.Code(g.ErrorCode).String()
			}
			for _, t := range g.Topics {
				name := t.Topic
				if r.Version >= 10 {
					name = fmt.Sprintf("id%d", t.TopicID[0])
				}
				for _, p := range t.Partitions {
					text += fmt.Sprintf(" %s-%d=%s", name, p.Partition, offsetText(p.Offset, p.ErrorCode))
				}
			}
			text += "]"
		}
		return text
	case *kmsg.OffsetDeleteResponse:
		text := fmt.Sprintf("delete-offsets %v", wire.Code(r.ErrorCode))
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				text += fmt.Sprintf(" %s-%d:%v", t.Topic, p.Partition, wire.Code(p.ErrorCode))
			}
		}
		return text
	case *kmsg.ListGroupsResponse:
		text := "list"
		for _, g := range r.Groups {
			text += fmt.Sprintf(" %s(%s,%s,%q)", g.Group, g.GroupState, g.GroupType, g.ProtocolType)
		}
		return text
	case *kmsg.DescribeGroupsResponse:
		text := "describe"
		for _, g := range r.Groups {
			text += fmt.Sprintf(" %s %v %s type=%q protocol=%q", g.Group, wire.Code(g.ErrorCode), g.State, g.ProtocolType, g.Protocol)
			for _, m := range g.Members {
				text += fmt.Sprintf(" %s(%s%s %q %q)", s.name(m.MemberID), m.ClientID, deref(m.InstanceID), m.ProtocolMetadata, m.MemberAssignment)
			}
		}
		return text
	case *kmsg.DeleteGroupsResponse:
		text := "delete"
		for _, g := range r.Groups {
			text += fmt.Sprintf(" %s:%v", g.Group, wire.Code(g.ErrorCode))
		}
		return text
	}
	return s.consumerResponse(resp)
}

func offsetText(offset int64, code int16) string {
	if code != 0 {
		return wire.Code(code).String()
	}
	return strconv.FormatInt(offset, 10)
}
