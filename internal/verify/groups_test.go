package verify

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// groups are one of each kind.
func groups(t *testing.T, plans ...string) (list []GroupPlan) {
	t.Helper()
	for _, text := range plans {
		p, err := ParseGroupPlan(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

// Members of groups on both protocols are bounced, killed and paused, and the node under them is killed: nothing is lost,
// nothing comes again but what was not committed, no commit moves back, and nobody owns what is another's.
// HOLDFAST_VERIFY_ROUNDS sets the number of rounds, of all scenarios together.
func TestGroups(t *testing.T) {
	bin := program(t)
	for _, s := range []struct {
		name    string
		few     int
		session time.Duration
	}{
		{"consumer-bounce", 2, 10 * time.Second},
		{"consumer-kill", 1, 2 * time.Second},
		{"consumer-pause", 2, 2 * time.Second},
		{"coordinator-kill", 2, 2 * time.Second},
	} {
		t.Run(s.name, func(t *testing.T) {
			o := options(t, s.name)
			o.Rounds = max(rounds(t, 4*s.few)/4, 1)
			o.Groups, o.Members, o.Session = groups(t, "classic/cooperative-sticky/each", "classic/range/async", "consumer/uniform/auto"), 3, s.session
			o.Partitions, o.Load.Rate = 6, 500
			r := onNodes(t, bin, o, GroupSettings(s.session)...)
			befell := o.Rounds
			if o.Scenario.Deed != "" {
				befell *= len(o.Groups)
			}
			if r.Verdict != Pass || len(r.Rounds) != befell || r.Ops.Lost > 0 {
				t.Errorf("%s after %d of %d rounds", r.Verdict, len(r.Rounds), befell)
			}
			for _, g := range r.Groups {
				if g.Name == "tail" {
					continue
				}
				if !g.Finished || g.Members < int64(o.Members) || len(g.Ends) == 0 {
					t.Errorf("%+v", g)
				}
				if s.name == "consumer-bounce" && g.Redelivered > 0 {
					t.Errorf("%s was given %d records again", g.Name, g.Redelivered)
				}
			}
		})
	}
}

// A cluster that acknowledges commits and forgets them, or answers with old ones, is found out.
func TestFindsLostCommits(t *testing.T) {
	bin := program(t)
	c := fake(t)
	forgets := 0
	c.ControlKey(int16(kmsg.OffsetCommit), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if forgets++; forgets%3 > 0 {
			return nil, nil, false
		}
		return forgotten(r.(*kmsg.OffsetCommitRequest)), nil, true
	})
	o := options(t, "consumer-bounce")
	o.Open, o.Rounds = openerOf(c.ListenAddrs()...), 3
	o.Groups, o.Members, o.Session = groups(t, "classic/cooperative-sticky/each"), 2, 10*time.Second
	o.Member = []string{bin, "verify", "member", "--bootstrap", strings.Join(c.ListenAddrs(), ",")}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if v := r.Check("V11"); r.Verdict != Fail || v.Count == 0 || r.Ops.Lost > 0 {
		t.Errorf("%s\n%s", r.Verdict, r.Block())
	}
	t.Log("\n" + r.Block())
}

// forgotten acknowledges a commit of which nothing is kept.
func forgotten(req *kmsg.OffsetCommitRequest) *kmsg.OffsetCommitResponse {
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	for _, t := range req.Topics {
		topic := kmsg.NewOffsetCommitResponseTopic()
		topic.Topic, topic.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			part := kmsg.NewOffsetCommitResponseTopicPartition()
			part.Partition = p.Partition
			topic.Partitions = append(topic.Partitions, part)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

// A group that nobody serves is an error that says so, and leaves no process behind.
func TestGroupThatCannotBe(t *testing.T) {
	c := fake(t)
	o := options(t, "consumer-kill")
	o.Open, o.Groups, o.Members, o.Session = openerOf(c.ListenAddrs()...), groups(t, "classic"), 1, time.Second
	o.Member = []string{"/nowhere/holdfast"}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "/nowhere/holdfast") {
		t.Error(err)
	}
}

func TestGroupPlans(t *testing.T) {
	for text, want := range map[string]string{
		"classic": "classic/cooperative-sticky/each", "consumer": "consumer/uniform/each", "classic/range": "classic/range/each",
		"consumer/range/auto": "consumer/range/auto", "classic/sticky/async": "classic/sticky/async",
	} {
		if p, err := ParseGroupPlan(text); err != nil || p.String() != want {
			t.Errorf("%s is %s: %v", text, p, err)
		}
	}
	for _, text := range []string{"", "eager", "classic/uniform", "consumer/sticky", "classic/range/never", "classic/range/each/more"} {
		if p, err := ParseGroupPlan(text); err == nil {
			t.Errorf("%q is %s", text, p)
		}
	}
}
