package check

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestScripts plays small histories and compares the report, as a block (judge) or as JSON (json). One line of input is one call of the feed:
//
//	producer p0 acks=all|1|0 [idempotent] [transactional]      group g [redelivered=N|any] [uncommitted] [stops]
//	send p0/0#7        acked p0/0#7 [@5]     refused p0/0#7     unsure p0/0#7     wrote p0/0#7 @5 (send and acked)
//	open s g/0 @5      read s @5 [e2] p0/0#7|damaged            reached s @9      finished g
//	log 0 from=0 end=9 [p0/0#7 | - | e2]...                     the final log: bounds and audit; "-" is an empty offset
//	bounds 0 0 9       log 0 ... short=5: the audit gives up there
//	commit c g/0 @5    commit-acked c   commit-refused c   commit-unsure c   ask g/0   answer g/0 [@5]
//	committing p0      committed p0     commit-lost p0     aborted p0        fault words
//	group ... [hands-over] [fenced]     member m g
//	assigned s m/0 [e2]  at s [@5] [from=0]                     the committed offset, if any; where it reads from without one
//	revoked s          lost s           fenced m      died m    commits c s @5
//
// An operation is producer/partition#sequence.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s := newScript(t, d)
			for _, line := range strings.Split(d.Input, "\n") {
				if line, _, _ = strings.Cut(line, "//"); strings.TrimSpace(line) != "" {
					if err := s.line(strings.Fields(line)); err != nil {
						d.Fatalf(t, "%q: %v", line, err)
					}
				}
			}
			r := s.c.Finish()
			if d.Cmd == "json" {
				out, err := json.MarshalIndent(r, "", " ")
				if err != nil {
					t.Fatal(err)
				}
				return string(out) + "\n"
			}
			return fmt.Sprintf("%s\n%s", r.Verdict, r.Block())
		})
	})
}

type script struct {
	c         *Checker
	producers map[string]int32
	groups    map[string]int32
	sessions  map[string]Session
	commits   map[string]Commit
	members   map[string]Member
}

func newScript(t *testing.T, d *datadriven.TestData) *script {
	o := Options{Partitions: []string{"t-0", "t-1"}}
	d.MaybeScanArgs(t, "samples", &o.Samples)
	return &script{
		c: New(o), producers: map[string]int32{}, groups: map[string]int32{"log": Audit},
		sessions: map[string]Session{}, commits: map[string]Commit{}, members: map[string]Member{},
	}
}

func (s *script) line(f []string) error {
	switch f[0] {
	case "producer", "group", "fault":
		return s.declare(f)
	case "send", "acked", "refused", "unsure", "wrote":
		return s.send(f)
	case "open", "read", "reached", "finished":
		return s.read(f)
	case "bounds", "log":
		return s.log(f)
	case "commit", "commit-acked", "commit-refused", "commit-unsure", "ask", "answer":
		return s.commit(f)
	case "member", "assigned", "at", "revoked", "lost", "fenced", "died", "commits":
		return s.member(f)
	case "committing":
		s.c.TxnCommitting(s.producers[f[1]])
	case "committed":
		s.c.TxnCommitted(s.producers[f[1]], Acked)
	case "commit-lost":
		s.c.TxnCommitted(s.producers[f[1]], Unsure)
	case "aborted":
		s.c.TxnAborted(s.producers[f[1]])
	default:
		return fmt.Errorf("no such line")
	}
	return nil
}

func (s *script) declare(f []string) error {
	name := f[1]
	p, g := Producer{Name: name, Acks: AcksAll}, Group{Name: name, ReadCommitted: true}
	if f[0] == "fault" {
		s.c.Fault(Mark{Name: strings.Join(f[1:], " ")})
		return nil
	}
	for _, a := range f[2:] {
		switch a {
		case "acks=1":
			p.Acks = 1
		case "acks=0":
			p.Acks = 0
		case "acks=all":
		case "idempotent":
			p.Idempotent = true
		case "transactional":
			p.Idempotent, p.Transactional = true, true
		case "redelivered=any":
			g.MaxRedelivered = -1
		case "uncommitted":
			g.ReadCommitted = false
		case "stops":
			g.MayStop = true
		case "hands-over":
			g.HandsOver = true
		case "fenced":
			g.MayBeFenced = true
		default:
			n, err := strconv.ParseInt(strings.TrimPrefix(a, "redelivered="), 10, 64)
			if err != nil {
				return err
			}
			g.MaxRedelivered = n
		}
	}
	if f[0] == "producer" {
		s.producers[name] = s.c.AddProducer(p)
	} else {
		s.groups[name] = s.c.AddGroup(g)
	}
	return nil
}

func (s *script) op(text string) (Op, error) {
	name, rest, ok := strings.Cut(text, "/")
	part, seq, ok2 := strings.Cut(rest, "#")
	p, err := strconv.Atoi(part)
	n, err2 := strconv.ParseInt(seq, 10, 64)
	if !ok || !ok2 || err != nil || err2 != nil {
		return Op{}, fmt.Errorf("%q is not producer/partition#sequence", text)
	}
	producer, known := s.producers[name]
	if !known {
		producer = 77 // a stranger's
	}
	return Op{Producer: producer, Partition: int32(p), Seq: n}, nil
}

// at finds "@5" among the words.
func at(f []string) int64 {
	for _, a := range f {
		if n, err := strconv.ParseInt(strings.TrimPrefix(a, "@"), 10, 64); err == nil && a[0] == '@' {
			return n
		}
	}
	return NoOffset
}

func (s *script) send(f []string) error {
	op, err := s.op(f[1])
	if err != nil {
		return err
	}
	switch f[0] {
	case "send":
		s.c.Attempt(op)
	case "acked":
		s.c.Outcome(op, Acked, at(f))
	case "refused":
		s.c.Outcome(op, Refused, NoOffset)
	case "unsure":
		s.c.Outcome(op, Unsure, NoOffset)
	case "wrote":
		s.c.Attempt(op)
		s.c.Outcome(op, Acked, at(f))
	}
	return nil
}

func (s *script) held(text string) (group, partition int32) {
	name, part, _ := strings.Cut(text, "/")
	n, _ := strconv.Atoi(part)
	return s.groups[name], int32(n)
}

func (s *script) read(f []string) error {
	switch f[0] {
	case "open":
		g, p := s.held(f[2])
		s.sessions[f[1]] = s.c.Open(g, p, at(f))
	case "reached":
		s.c.Reached(s.sessions[f[1]], at(f))
	case "finished":
		s.c.Finished(s.groups[f[1]])
	case "read":
		r := Record{Offset: at(f)}
		for _, a := range f[2:] {
			switch {
			case a == "damaged":
				r.Corrupt = true
			case strings.Contains(a, "#"):
				op, err := s.op(a)
				if err != nil {
					return err
				}
				r.Op = op
			case a[0] == 'e':
				n, _ := strconv.Atoi(a[1:])
				r.Epoch = int32(n)
			}
		}
		s.c.Read(s.sessions[f[1]], r)
	}
	return nil
}

func (s *script) log(f []string) error {
	n, _ := strconv.Atoi(f[1])
	part := int32(n)
	if f[0] == "bounds" {
		start, _ := strconv.ParseInt(f[2], 10, 64)
		end, _ := strconv.ParseInt(f[3], 10, 64)
		s.c.Bounds(part, start, end)
		return nil
	}
	var from, end, short int64 = 0, -1, -1
	records, offset, epoch := []Record(nil), int64(0), int32(0)
	for _, a := range f[2:] {
		name, value, _ := strings.Cut(a, "=")
		number, _ := strconv.ParseInt(value, 10, 64)
		switch {
		case name == "from":
			from, offset = number, number
		case name == "end":
			end = number
		case name == "short":
			short = number
		case strings.Contains(a, "#"):
			op, err := s.op(a)
			if err != nil {
				return err
			}
			records = append(records, Record{Offset: offset, Epoch: epoch, Op: op})
			offset++
		case a == "-":
			offset++
		case a[0] == 'e':
			e, _ := strconv.Atoi(a[1:])
			epoch = int32(e)
		default:
			return fmt.Errorf("what is %q?", a)
		}
	}
	if end < 0 {
		end = offset
	}
	s.c.Bounds(part, from, end)
	audit := s.c.Open(Audit, part, from)
	for _, r := range records {
		if short < 0 || r.Offset < short {
			s.c.Read(audit, r)
		}
	}
	if short < 0 {
		s.c.Reached(audit, end)
	}
	return nil
}

func (s *script) commit(f []string) error {
	switch f[0] {
	case "commit":
		g, p := s.held(f[2])
		s.commits[f[1]] = s.c.CommitSent(g, p, at(f))
	case "commit-acked":
		s.c.CommitDone(s.commits[f[1]], Acked)
	case "commit-refused":
		s.c.CommitDone(s.commits[f[1]], Refused)
	case "commit-unsure":
		s.c.CommitDone(s.commits[f[1]], Unsure)
	case "ask":
		s.c.CommittedAsked(s.held(f[1]))
	case "answer":
		g, p := s.held(f[1])
		s.c.CommittedAnswered(g, p, at(f), true)
	}
	return nil
}

func (s *script) member(f []string) error {
	switch f[0] {
	case "member":
		s.members[f[1]] = s.c.AddMember(s.groups[f[2]], f[1])
	case "assigned":
		name, part, _ := strings.Cut(f[2], "/")
		p, err := strconv.Atoi(part)
		if err != nil {
			return err
		}
		epoch := int64(-1)
		if len(f) > 3 {
			if epoch, err = strconv.ParseInt(strings.TrimPrefix(f[3], "e"), 10, 32); err != nil {
				return err
			}
		}
		s.sessions[f[1]] = s.c.Assigned(s.members[name], int32(p), int32(epoch))
	case "at":
		committed := at(f)
		from := max(committed, 0)
		for _, a := range f {
			if n, err := strconv.ParseInt(strings.TrimPrefix(a, "from="), 10, 64); err == nil && strings.HasPrefix(a, "from=") {
				from = n
			}
		}
		s.c.Positioned(s.sessions[f[1]], committed, from)
	case "revoked":
		s.c.Released(s.sessions[f[1]], Revoked)
	case "lost":
		s.c.Released(s.sessions[f[1]], Lost)
	case "fenced":
		s.c.Fenced(s.members[f[1]])
	case "died":
		s.c.Died(s.members[f[1]])
	case "commits":
		s.commits[f[1]] = s.c.MemberCommits(s.sessions[f[2]], at(f))
	}
	return nil
}
