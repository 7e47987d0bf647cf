package controller

import (
	"bytes"
	"math"
	"slices"

	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ProducerIDBlock is how many producer ids a broker gets at once.
const ProducerIDBlock = 1000

// registerBroker takes a broker into the cluster. A new incarnation fences the one before it: in the same batch every
// partition the broker leads gets a higher leader epoch, so that what the old process may still append and what the
// new one appends never share an offset and an epoch.
func (m *Machine) registerBroker(req *kmsg.BrokerRegistrationRequest) Outcome {
	resp := req.ResponseKind().(*kmsg.BrokerRegistrationResponse)
	resp.BrokerEpoch = -1
	if r := m.checkRegistration(req); r != nil {
		resp.ErrorCode, _ = r.fields()
		return Outcome{Reply: resp}
	}
	b := image.Broker{
		ID: req.BrokerID, Incarnation: req.IncarnationID,
		Epoch: m.img.Offset() + 1, // higher than that of any registration before, as its batch comes after theirs
	}
	if req.Rack != nil {
		b.Rack = *req.Rack
	}
	for _, l := range req.Listeners {
		b.Endpoints = append(b.Endpoints, image.Endpoint{Listener: l.Name, Host: l.Host, Port: l.Port, Security: l.SecurityProtocol})
	}
	for _, id := range req.LogDirs {
		b.Directories = append(b.Directories, id)
	}
	slices.SortFunc(b.Directories, func(a, b image.DirectoryID) int { return bytes.Compare(a[:], b[:]) })

	old := m.img.Broker(req.BrokerID)
	if old != nil && old.Incarnation == b.Incarnation {
		b.Epoch = old.Epoch // the same process says it again, perhaps with other endpoints
		resp.BrokerEpoch = b.Epoch
		return Outcome{Records: []image.Record{&image.BrokerRecord{Broker: b}}, Reply: resp}
	}
	records := []image.Record{&image.BrokerRecord{Broker: b}}
	if old != nil {
		records = m.raiseEpochs(records, b.ID)
	}
	resp.BrokerEpoch = b.Epoch
	return Outcome{Records: records, Reply: resp}
}

func (m *Machine) checkRegistration(req *kmsg.BrokerRegistrationRequest) *refusal {
	if req.ClusterID != m.img.ClusterID() {
		return refuse(wire.InconsistentClusterID, "Expected cluster ID %s, but got cluster ID %s", m.img.ClusterID(), req.ClusterID)
	}
	if req.BrokerID < 0 || len(req.LogDirs) == 0 {
		return refuse(wire.InvalidRegistration, "A broker needs an id and at least one directory.")
	}
	for i, id := range req.LogDirs {
		if id == ([16]byte{}) || slices.Contains(req.LogDirs[:i], id) {
			return refuse(wire.InvalidRegistration, "Directory ids must differ and not be zero.")
		}
	}
	for b := range m.img.Brokers() {
		for _, id := range req.LogDirs {
			if b.ID != req.BrokerID && slices.Contains(b.Directories, id) {
				return refuse(wire.InvalidRegistration, "Broker %d is already registered with directory %v", b.ID, image.TopicID(id))
			}
		}
	}
	return nil
}

// raiseEpochs appends the next state of every partition that the broker leads.
func (m *Machine) raiseEpochs(records []image.Record, broker int32) []image.Record {
	for t := range m.img.Topics() {
		for n, p := range t.Partitions {
			if p.Leader != broker {
				continue
			}
			next := *p
			next.LeaderEpoch++
			next.PartitionEpoch++
			records = append(records, &image.PartitionRecord{Topic: t.ID, Index: int32(n), Partition: next})
		}
	}
	return records
}

// allocateProducerIDs gives a registered broker the next block of ids. They are never given again, used or not.
func (m *Machine) allocateProducerIDs(req *kmsg.AllocateProducerIDsRequest) Outcome {
	resp := req.ResponseKind().(*kmsg.AllocateProducerIDsResponse)
	b, first := m.img.Broker(req.BrokerID), m.img.NextProducerID()
	switch {
	case b == nil || b.Epoch != req.BrokerEpoch:
		resp.ErrorCode = int16(wire.StaleBrokerEpoch)
		return Outcome{Reply: resp}
	case first > math.MaxInt64-ProducerIDBlock:
		resp.ErrorCode = int16(wire.UnknownServerError)
		return Outcome{Reply: resp}
	}
	resp.ProducerIDStart, resp.ProducerIDLen = first, ProducerIDBlock
	return Outcome{
		Records: []image.Record{&image.ProducerIDsRecord{Broker: b.ID, Epoch: b.Epoch, Next: first + ProducerIDBlock}},
		Reply:   resp,
	}
}
