package handler

import (
	"iter"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// parts yields every error code in an answer of a coordinator, each with about the bytes that its part of the answer
// takes.
func parts(r kmsg.Response) iter.Seq2[int16, int] {
	return func(yield func(int16, int) bool) {
		switch r := r.(type) {
		case *kmsg.OffsetCommitResponse:
			commitParts(r, yield)
		case *kmsg.OffsetFetchResponse:
			fetchParts(r, yield)
		case *kmsg.OffsetDeleteResponse:
			offsetDeleteParts(r, yield)
		case *kmsg.JoinGroupResponse:
			size := 0
			for i := range r.Members {
				size += len(r.Members[i].MemberID) + len(r.Members[i].ProtocolMetadata)
			}
			yield(r.ErrorCode, size)
		case *kmsg.SyncGroupResponse:
			yield(r.ErrorCode, len(r.MemberAssignment))
		case *kmsg.HeartbeatResponse:
			yield(r.ErrorCode, 0)
		case *kmsg.ConsumerGroupHeartbeatResponse:
			yield(r.ErrorCode, 0)
		case *kmsg.LeaveGroupResponse:
			leaveParts(r, yield)
		case *kmsg.InitProducerIDResponse, *kmsg.EndTxnResponse, *kmsg.AddPartitionsToTxnResponse, *kmsg.TxnOffsetCommitResponse,
			*kmsg.DescribeTransactionsResponse, *kmsg.ListTransactionsResponse:
			txnParts(r, yield)
		default:
			adminParts(r, yield)
		}
	}
}

func adminParts(r kmsg.Response, yield func(int16, int) bool) {
	switch r := r.(type) {
	case *kmsg.ListGroupsResponse:
		size := 0
		for i := range r.Groups {
			size += 64 + len(r.Groups[i].Group)
		}
		yield(r.ErrorCode, size)
	case *kmsg.DeleteGroupsResponse:
		for i := range r.Groups {
			if !yield(r.Groups[i].ErrorCode, len(r.Groups[i].Group)) {
				return
			}
		}
	case *kmsg.DescribeGroupsResponse:
		for i := range r.Groups {
			size := len(r.Groups[i].Group)
			for j := range r.Groups[i].Members {
				m := &r.Groups[i].Members[j]
				size += 256 + len(m.MemberID) + len(m.ClientID) + len(m.ProtocolMetadata) + len(m.MemberAssignment)
			}
			if !yield(r.Groups[i].ErrorCode, size) {
				return
			}
		}
	case *kmsg.ConsumerGroupDescribeResponse:
		for i := range r.Groups {
			if !yield(r.Groups[i].ErrorCode, describedBytes(&r.Groups[i])) {
				return
			}
		}
	}
}

func describedBytes(g *kmsg.ConsumerGroupDescribeResponseGroup) int {
	size := len(g.Group)
	for i := range g.Members {
		m := &g.Members[i]
		size += 256 + len(m.MemberID) + len(m.ClientID)
		for _, t := range m.SubscribedTopics {
			size += len(t)
		}
		for j := range m.Assignment.TopicPartitions {
			size += 32 + len(m.Assignment.TopicPartitions[j].Topic) + 4*len(m.Assignment.TopicPartitions[j].Partitions)
		}
		for j := range m.TargetAssignment.TopicPartitions {
			size += 32 + len(m.TargetAssignment.TopicPartitions[j].Topic) + 4*len(m.TargetAssignment.TopicPartitions[j].Partitions)
		}
	}
	return size
}

func commitParts(r *kmsg.OffsetCommitResponse, yield func(int16, int) bool) {
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			if !yield(r.Topics[i].Partitions[j].ErrorCode, 8) {
				return
			}
		}
	}
}

func fetchParts(r *kmsg.OffsetFetchResponse, yield func(int16, int) bool) {
	if !yield(r.ErrorCode, 0) {
		return
	}
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			p := &r.Topics[i].Partitions[j]
			if !yield(p.ErrorCode, 32+length(p.Metadata)) {
				return
			}
		}
	}
	for i := range r.Groups {
		if !yield(r.Groups[i].ErrorCode, len(r.Groups[i].Group)) {
			return
		}
		for j := range r.Groups[i].Topics {
			for k := range r.Groups[i].Topics[j].Partitions {
				p := &r.Groups[i].Topics[j].Partitions[k]
				if !yield(p.ErrorCode, 32+length(p.Metadata)) {
					return
				}
			}
		}
	}
}

func length(s *string) int {
	if s == nil {
		return 0
	}
	return len(*s)
}

func offsetDeleteParts(r *kmsg.OffsetDeleteResponse, yield func(int16, int) bool) {
	if !yield(r.ErrorCode, 0) {
		return
	}
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			if !yield(r.Topics[i].Partitions[j].ErrorCode, 8) {
				return
			}
		}
	}
}

func leaveParts(r *kmsg.LeaveGroupResponse, yield func(int16, int) bool) {
	if !yield(r.ErrorCode, 0) {
		return
	}
	for i := range r.Members {
		if !yield(r.Members[i].ErrorCode, len(r.Members[i].MemberID)) {
			return
		}
	}
}
