package txn

import (
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Refuse is the answer to any request of this package that gives one error for all it asks: the shard is loading, is
// elsewhere, or was lost, or the request has waited too long. An answer to a request this package does not know is nil.
func Refuse(request kmsg.Request, code wire.Code) kmsg.Response {
	c := int16(code)
	switch r := request.(type) {
	case *kmsg.InitProducerIDRequest:
		resp := kmsg.NewPtrInitProducerIDResponse()
		resp.Version, resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = r.Version, c, -1, -1
		return resp
	case *kmsg.AddPartitionsToTxnRequest:
		return addition(r).all(code)
	case *kmsg.EndTxnRequest:
		resp := kmsg.NewPtrEndTxnResponse()
		resp.Version, resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = r.Version, c, -1, -1
		return resp
	case *kmsg.DescribeTransactionsRequest:
		resp := kmsg.NewPtrDescribeTransactionsResponse()
		resp.Version = r.Version
		for _, id := range r.TransactionalIDs {
			resp.TransactionStates = append(resp.TransactionStates, kmsg.DescribeTransactionsResponseTransactionState{
				TransactionalID: id, ErrorCode: c, ProducerID: -1, ProducerEpoch: -1, StartTimestamp: -1,
			})
		}
		return resp
	case *kmsg.ListTransactionsRequest:
		resp := kmsg.NewPtrListTransactionsResponse()
		resp.Version, resp.ErrorCode = r.Version, c
		return resp
	}
	return nil
}
