package txn

import (
	"regexp"
	"slices"

	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func (t *turn) describe(r *kmsg.DescribeTransactionsRequest) kmsg.Response {
	resp := kmsg.NewPtrDescribeTransactionsResponse()
	resp.Version = r.Version
	for _, id := range r.TransactionalIDs {
		out := kmsg.DescribeTransactionsResponseTransactionState{TransactionalID: id}
		switch x := t.get(id); {
		case id == "":
			out.ErrorCode = int16(wire.InvalidRequest)
		case x == nil:
			out.ErrorCode = int16(wire.TransactionalIDNotFound)
		default:
			out.State, out.TimeoutMillis, out.StartTimestamp = x.State.String(), int32(x.Timeout.Milliseconds()), x.StartMs
			out.ProducerID, out.ProducerEpoch = x.ProducerID, x.Epoch
			for _, p := range x.Partitions {
				if n := len(out.Topics); n > 0 && out.Topics[n-1].Topic == p.Topic {
					out.Topics[n-1].Partitions = append(out.Topics[n-1].Partitions, p.Index)
				} else {
					out.Topics = append(out.Topics, kmsg.DescribeTransactionsResponseTransactionStateTopic{Topic: p.Topic, Partitions: []int32{p.Index}})
				}
			}
		}
		resp.TransactionStates = append(resp.TransactionStates, out)
	}
	return resp
}

// stateNames are the names a filter may have; two of them no transaction ever has.
var stateNames = []string{"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead", "PrepareEpochFence"}

// list tells of the transactions that pass every filter the request has.
func (t *turn) list(r *kmsg.ListTransactionsRequest) kmsg.Response {
	resp := kmsg.NewPtrListTransactionsResponse()
	resp.Version = r.Version
	var pattern *regexp.Regexp
	if p := r.TransactionalIDPattern; r.Version >= 2 && p != nil && *p != "" {
		var err error
		if pattern, err = regexp.Compile("^(?:" + *p + ")$"); err != nil {
			resp.ErrorCode = int16(wire.InvalidRegularExpression)
			return resp
		}
	}
	known := 0
	for _, name := range r.StateFilters {
		if slices.Contains(stateNames, name) {
			known++
		} else {
			resp.UnknownStateFilters = append(resp.UnknownStateFilters, name)
		}
	}
	if len(r.StateFilters) > 0 && known == 0 {
		return resp
	}
	for _, id := range t.s.names() {
		x := t.s.txns[id]
		switch open := x.State == Ongoing || x.completing(); {
		case len(r.StateFilters) > 0 && !slices.Contains(r.StateFilters, x.State.String()):
		case len(r.ProducerIDFilters) > 0 && !slices.Contains(r.ProducerIDFilters, x.ProducerID):
		case r.Version >= 1 && r.DurationFilterMillis >= 0 && (!open || t.now.UnixMilli()-x.StartMs <= r.DurationFilterMillis):
		case pattern != nil && !pattern.MatchString(id):
		default:
			resp.TransactionStates = append(resp.TransactionStates, kmsg.ListTransactionsResponseTransactionState{
				TransactionalID: id, ProducerID: x.ProducerID, TransactionState: x.State.String(),
			})
		}
	}
	return resp
}
