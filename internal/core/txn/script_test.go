package txn

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

// TestScripts runs testdata/scripts/*.txt against a shard in a fake host, which checks the package's promises at every
// step. A call is #1, #2...; "nothing" means that nobody is answered. What goes to the log is shown with "log", a task
// with "task". Producer ids and tasks are given at once, unless the script says "slow".
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := &script{}
		s.reset(t, DefaultConfig())
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct{ h *fakeHost }

func (s *script) reset(t testing.TB, cfg Config) {
	s.h = newHost(t, cfg)
	s.h.topic("a", 1, 4)
	s.h.topic("b", 2, 4)
	s.h.apply(s.h.shard.Decide(s.h.now, shard.Command{Request: &shard.Loaded{}}))
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	s.h.t = t
	a := args{d}
	switch d.Cmd {
	case "config":
		cfg := DefaultConfig()
		cfg.MaxRecordBytes = a.num("max-record", cfg.MaxRecordBytes)
		cfg.MaxSweep = a.num("max-sweep", cfg.MaxSweep)
		cfg.MaxParked = a.num("max-parked", cfg.MaxParked)
		s.reset(t, cfg)
		return ""
	case "tick":
		return s.tick(t, a)
	case "restart":
		return s.outcome(s.h.restart())
	case "written":
		i := slices.IndexFunc(s.h.tasks, func(w *WriteMarkers) bool { return w.ID == a.pos(0) })
		if i < 0 {
			return "no such task\n"
		}
		return s.outcome(s.h.written(i))
	case "written-late": // told again, or from before a restart
		_, out := s.h.do(&MarkersWritten{ID: a.pos(0), ProducerID: int64(a.num("producer", 1000)), Epoch: int16(a.num("epoch", 0))})
		return s.outcome(out)
	case "ids":
		return s.allocate(int32(a.num("count", 2)))
	case "age": // make the epochs of an id nearly used up
		x := s.h.shard.txns[a.pos(0)]
		y := *x
		y.Epoch = int16(a.num("epoch", 0))
		s.h.apply(shard.Outcome{Records: []shard.Record{&Record{y.ID, &y}}})
		return ""
	}
	r := s.request(t, a)
	call, out := s.h.do(r)
	text := s.outcome(out)
	if s.h.asks > 0 && !a.has("slow") {
		text = strings.TrimPrefix(text, "nothing\n") + s.allocate(2)
	}
	if s.h.open[call] != nil {
		return fmt.Sprintf("#%d waits\n", call) + strings.TrimPrefix(text, "nothing\n")
	}
	return text
}

func (s *script) allocate(n int32) string {
	var b strings.Builder
	for _, out := range s.h.allocate(n) {
		b.WriteString(s.outcome(out))
	}
	return b.String()
}

func (s *script) tick(t *testing.T, a args) string {
	d, err := time.ParseDuration(a.pos(0))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	s.h.tick(d, func(k TimerKey, out shard.Outcome) {
		if text := s.outcome(out); text != "nothing\n" {
			fmt.Fprintf(&b, "%s\n%s", strings.TrimSpace(k.Kind.String()+" "+k.ID), text)
		}
	})
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func (s *script) request(t *testing.T, a args) kmsg.Request {
	id, producer, epoch := a.pos(0), int64(a.num("producer", 1000)), int16(a.num("epoch", 0))
	switch a.d.Cmd {
	case "init":
		r := kmsg.NewPtrInitProducerIDRequest()
		r.Version, r.TransactionalID, r.TransactionTimeoutMillis = int16(a.num("v", 5)), &id, int32(a.num("timeout", 60000))
		if a.has("producer") {
			r.ProducerID, r.ProducerEpoch = producer, epoch
		}
		return r
	case "add", "verify":
		r := kmsg.NewPtrAddPartitionsToTxnRequest()
		if r.Version = int16(a.num("v", 5)); r.Version < 4 {
			r.TransactionalID, r.ProducerID, r.ProducerEpoch = id, producer, epoch
			for _, p := range a.partitions(1) {
				r.Topics = append(r.Topics, kmsg.AddPartitionsToTxnRequestTopic{Topic: p.Topic, Partitions: []int32{p.Index}})
			}
			return r
		}
		x := kmsg.AddPartitionsToTxnRequestTransaction{TransactionalID: id, ProducerID: producer, ProducerEpoch: epoch, VerifyOnly: a.d.Cmd == "verify"}
		for _, p := range a.partitions(1) {
			x.Topics = append(x.Topics, kmsg.AddPartitionsToTxnRequestTransactionTopic{Topic: p.Topic, Partitions: []int32{p.Index}})
		}
		r.Transactions = append(r.Transactions, x)
		return r
	case "commit", "abort":
		r := kmsg.NewPtrEndTxnRequest()
		r.Version, r.TransactionalID, r.ProducerID, r.ProducerEpoch, r.Commit = int16(a.num("v", 5)), id, producer, epoch, a.d.Cmd == "commit"
		return r
	case "describe":
		r := kmsg.NewPtrDescribeTransactionsRequest()
		r.TransactionalIDs = []string{id}
		return r
	case "list":
		r := kmsg.NewPtrListTransactionsRequest()
		r.Version = int16(a.num("v", 2))
		for _, arg := range a.d.CmdArgs {
			switch arg.Key {
			case "states":
				r.StateFilters = arg.Vals
			case "producer":
				r.ProducerIDFilters = []int64{producer}
			case "longer":
				r.DurationFilterMillis = int64(a.num("longer", 0))
			case "pattern":
				r.TransactionalIDPattern = &arg.Vals[0]
			}
		}
		return r
	}
	t.Fatalf("no command %q", a.d.Cmd)
	return nil
}

func (s *script) outcome(out shard.Outcome) string {
	var b strings.Builder
	for _, r := range out.Records {
		if r, ok := r.(*Record); ok {
			fmt.Fprintf(&b, "log %s: %s\n", r.ID, show(r.Value))
		}
	}
	for _, task := range out.Tasks {
		switch w := task.(type) {
		case *WriteMarkers:
			end := "ABORT"
			if w.Commit {
				end = "COMMIT"
			}
			fmt.Fprintf(&b, "task %s: %s of %d/%d in %s, coordinator epoch %d\n", w.ID, end, w.ProducerID, w.Epoch, showPartitions(w.Partitions), w.CoordinatorEpoch)
		case *AllocateProducerIDs:
			b.WriteString("task: producer ids\n")
		}
	}
	for _, e := range out.Events {
		fmt.Fprintf(&b, "event: %s\n", e.Sentence())
	}
	for _, r := range out.Replies {
		fmt.Fprintf(&b, "#%d %s\n", r.Call, showResponse(r.Response))
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func show(x *Transaction) string {
	if x == nil {
		return "gone"
	}
	text := fmt.Sprintf("%v %d/%d", x.State, x.ProducerID, x.Epoch)
	if x.LastEpoch != NoEpoch {
		text += fmt.Sprintf(" after %d", x.LastEpoch)
	}
	if x.PreviousID != x.ProducerID {
		text += fmt.Sprintf(" of %d", x.PreviousID)
	}
	if x.NextID >= 0 {
		text += fmt.Sprintf(" then %d", x.NextID)
	}
	if len(x.Partitions) > 0 {
		text += " " + showPartitions(x.Partitions)
	}
	return text
}

func showPartitions(ps []Partition) string {
	var words []string
	for _, p := range ps {
		words = append(words, fmt.Sprintf("%s-%d", p.Topic, p.Index))
	}
	return strings.Join(words, ",")
}

func showResponse(resp kmsg.Response) string {
	switch r := resp.(type) {
	case *kmsg.InitProducerIDResponse:
		if r.ErrorCode != 0 {
			return wire.Code(r.ErrorCode).String()
		}
		return fmt.Sprintf("ok %d/%d", r.ProducerID, r.ProducerEpoch)
	case *kmsg.EndTxnResponse:
		switch {
		case r.ErrorCode != 0:
			return wire.Code(r.ErrorCode).String()
		case r.Version < 5:
			return "ok"
		}
		return fmt.Sprintf("ok, now %d/%d", r.ProducerID, r.ProducerEpoch)
	case *kmsg.AddPartitionsToTxnResponse:
		var words []string
		for _, x := range r.Transactions {
			for _, topic := range x.Topics {
				for _, p := range topic.Partitions {
					words = append(words, fmt.Sprintf("%s-%d %v", topic.Topic, p.Partition, wire.Code(p.ErrorCode)))
				}
			}
		}
		for _, topic := range r.Topics {
			for _, p := range topic.Partitions {
				words = append(words, fmt.Sprintf("%s-%d %v", topic.Topic, p.Partition, wire.Code(p.ErrorCode)))
			}
		}
		return strings.Join(words, ", ")
	case *kmsg.DescribeTransactionsResponse:
		x := r.TransactionStates[0]
		if x.ErrorCode != 0 {
			return wire.Code(x.ErrorCode).String()
		}
		return fmt.Sprintf("%s %d/%d since %d timeout %d %v", x.State, x.ProducerID, x.ProducerEpoch, x.StartTimestamp, x.TimeoutMillis, x.Topics)
	case *kmsg.ListTransactionsResponse:
		words := []string{wire.Code(r.ErrorCode).String()}
		for _, x := range r.TransactionStates {
			words = append(words, fmt.Sprintf("%s %d %s", x.TransactionalID, x.ProducerID, x.TransactionState))
		}
		if len(r.UnknownStateFilters) > 0 {
			words = append(words, fmt.Sprintf("unknown %v", r.UnknownStateFilters))
		}
		return strings.Join(words, "; ")
	}
	return fmt.Sprintf("%T", resp)
}

// args are the words of a script's line: positions, and key=value.
type args struct{ d *datadriven.TestData }

func (a args) pos(i int) string {
	for _, arg := range a.d.CmdArgs {
		if len(arg.Vals) > 0 {
			continue
		}
		if i == 0 {
			return arg.Key
		}
		i--
	}
	return ""
}

func (a args) has(key string) bool { return a.d.HasArg(key) }

func (a args) num(key string, otherwise int) int {
	for _, arg := range a.d.CmdArgs {
		if arg.Key == key && len(arg.Vals) > 0 {
			n, err := strconv.Atoi(arg.Vals[0])
			if err != nil {
				panic(err)
			}
			return n
		}
	}
	return otherwise
}

// partitions are words such as a-0, from position i on.
func (a args) partitions(i int) (out []Partition) {
	for ; a.pos(i) != ""; i++ {
		if topic, index, ok := strings.Cut(a.pos(i), "-"); ok {
			n, err := strconv.Atoi(index)
			if err != nil {
				panic(err)
			}
			out = append(out, Partition{topic, int32(n)})
		}
	}
	return out
}
