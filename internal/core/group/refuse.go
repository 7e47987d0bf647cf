package group

import (
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Refuse is the answer to any request of this package that gives one error for all it asks: the shard is loading, is
// elsewhere, or was lost. An answer to a request this package does not know is nil.
//
// A classic heartbeat is answered without error while the shard loads: the member may be alive and well, and would
// else rejoin for nothing.
func Refuse(request kmsg.Request, code wire.Code) kmsg.Response {
	c := int16(code)
	switch r := request.(type) {
	case *kmsg.JoinGroupRequest:
		return joinError(r.Version, r.MemberID, code)
	case *kmsg.SyncGroupRequest:
		return syncError(r.Version, code)
	case *kmsg.HeartbeatRequest:
		resp := kmsg.NewPtrHeartbeatResponse()
		resp.Version = r.Version
		if code != wire.CoordinatorLoadInProgress {
			resp.ErrorCode = c
		}
		return resp
	case *kmsg.LeaveGroupRequest:
		resp := kmsg.NewPtrLeaveGroupResponse()
		resp.Version, resp.ErrorCode = r.Version, c
		return resp
	case *kmsg.ConsumerGroupHeartbeatRequest:
		resp := kmsg.NewPtrConsumerGroupHeartbeatResponse()
		resp.Version, resp.ErrorCode = r.Version, c
		return resp
	case *kmsg.OffsetCommitRequest:
		return refuseCommit(r, c)
	case *kmsg.TxnOffsetCommitRequest:
		return refuseTxnCommit(r, c)
	case *kmsg.OffsetFetchRequest:
		return refuseFetch(r, c)
	case *kmsg.OffsetDeleteRequest:
		resp := kmsg.NewPtrOffsetDeleteResponse()
		resp.Version, resp.ErrorCode = r.Version, c
		return resp
	}
	return refuseAdmin(request, c)
}

func refuseAdmin(request kmsg.Request, c int16) kmsg.Response {
	switch r := request.(type) {
	case *kmsg.ListGroupsRequest:
		resp := kmsg.NewPtrListGroupsResponse()
		resp.Version, resp.ErrorCode = r.Version, c
		return resp
	case *kmsg.DescribeGroupsRequest:
		resp := kmsg.NewPtrDescribeGroupsResponse()
		resp.Version = r.Version
		for _, id := range r.Groups {
			g := kmsg.NewDescribeGroupsResponseGroup()
			g.Group, g.ErrorCode, g.State = id, c, "Dead"
			resp.Groups = append(resp.Groups, g)
		}
		return resp
	case *kmsg.DeleteGroupsRequest:
		resp := kmsg.NewPtrDeleteGroupsResponse()
		resp.Version = r.Version
		for _, id := range r.Groups {
			resp.Groups = append(resp.Groups, kmsg.DeleteGroupsResponseGroup{Group: id, ErrorCode: c})
		}
		return resp
	case *kmsg.ConsumerGroupDescribeRequest:
		resp := kmsg.NewPtrConsumerGroupDescribeResponse()
		resp.Version = r.Version
		for _, id := range r.Groups {
			g := kmsg.NewConsumerGroupDescribeResponseGroup()
			g.Group, g.ErrorCode = id, c
			resp.Groups = append(resp.Groups, g)
		}
		return resp
	}
	return nil
}

func refuseCommit(r *kmsg.OffsetCommitRequest, c int16) kmsg.Response {
	resp := kmsg.NewPtrOffsetCommitResponse()
	resp.Version = r.Version
	for _, topic := range r.Topics {
		out := kmsg.OffsetCommitResponseTopic{Topic: topic.Topic, TopicID: topic.TopicID}
		for _, p := range topic.Partitions {
			out.Partitions = append(out.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: c})
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

func refuseTxnCommit(r *kmsg.TxnOffsetCommitRequest, c int16) kmsg.Response {
	resp := kmsg.NewPtrTxnOffsetCommitResponse()
	resp.Version = r.Version
	for _, topic := range r.Topics {
		out := kmsg.TxnOffsetCommitResponseTopic{Topic: topic.Topic}
		for _, p := range topic.Partitions {
			out.Partitions = append(out.Partitions, kmsg.TxnOffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: c})
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

// refuseFetch puts the error where the version has a place for it: on the group, the response, or each partition.
func refuseFetch(r *kmsg.OffsetFetchRequest, c int16) kmsg.Response {
	resp := kmsg.NewPtrOffsetFetchResponse()
	resp.Version = r.Version
	switch {
	case r.Version >= 8:
		for _, g := range r.Groups {
			resp.Groups = append(resp.Groups, kmsg.OffsetFetchResponseGroup{Group: g.Group, ErrorCode: c})
		}
	case r.Version >= 2:
		resp.ErrorCode = c
	default:
		none := ""
		for _, topic := range r.Topics {
			out := kmsg.OffsetFetchResponseTopic{Topic: topic.Topic}
			for _, p := range topic.Partitions {
				out.Partitions = append(out.Partitions, kmsg.OffsetFetchResponseTopicPartition{Partition: p, Offset: -1, LeaderEpoch: -1, Metadata: &none, ErrorCode: c})
			}
			resp.Topics = append(resp.Topics, out)
		}
	}
	return resp
}
