package wire

// ProduceResponse is the answer to a Produce request. [ProduceResponse.Mirror] shapes it, the handler fills in what happened to each
// partition, Append encodes it. One value is used again and again and then allocates nothing.
type ProduceResponse struct {
	Topics     []ProduceTopicResult
	ThrottleMs int32
	Endpoints  []NodeEndpoint // of the current leaders named in the results; from version 10

	partitions []ProducePartitionResult
}

// ProduceTopicResult is the answer for one topic.
type ProduceTopicResult struct {
	Name       []byte   // up to version 12
	ID         [16]byte // from version 13
	Partitions []ProducePartitionResult
}

// ProducePartitionResult is the answer for one partition.
type ProducePartitionResult struct {
	Index           int32
	Code            Code
	BaseOffset      int64         // -1 on an error
	LogAppendTimeMs int64         // -1 if the batches keep the time their producer gave them
	LogStart        int64         // -1 if unknown
	RecordErrors    []RecordError // from version 8
	ErrorMessage    string        // from version 8; empty is null
	CurrentLeader   Leader        // from version 10
}

// RecordError names one record that made the broker refuse a batch.
type RecordError struct {
	BatchIndex int32  // the record's position in the batch
	Message    string // empty is null
}

// Leader tells a client who leads a partition now, so that it need not ask for metadata. The zero value says nothing.
type Leader struct {
	Known bool
	ID    int32
	Epoch int32
}

// NodeEndpoint tells a client where a node is.
type NodeEndpoint struct {
	ID   int32
	Host string
	Port int32
	Rack string // empty is null
}

// Mirror gives the response one result for each partition of the request, in its order, with no error and all offsets -1. Names alias
// the request. The results stay in place until the next Mirror.
func (r *ProduceResponse) Mirror(p *Produce) {
	topics, partitions := reuse(r.Topics), reuse(r.partitions)
	topics, partitions = grow(topics, len(p.Topics)), grow(partitions, len(p.partitions))
	first := 0
	for i := range p.Topics {
		asked := &p.Topics[i]
		results := partitions[first : first+len(asked.Partitions) : first+len(asked.Partitions)]
		for j := range results {
			results[j] = ProducePartitionResult{Index: asked.Partitions[j].Index, BaseOffset: -1, LogAppendTimeMs: -1, LogStart: -1}
		}
		topics[i] = ProduceTopicResult{Name: asked.Name, ID: asked.ID, Partitions: results}
		first += len(results)
	}
	*r = ProduceResponse{Topics: topics, partitions: partitions}
}

// Append appends the body of the response in a version from 0 to 13.
func (r *ProduceResponse) Append(dst []byte, version int16) []byte {
	w := writer{buf: dst, flexible: version >= 9}
	w.size(len(r.Topics))
	for i := range r.Topics {
		t := &r.Topics[i]
		w.topic(version >= 13, t.Name, t.ID)
		w.size(len(t.Partitions))
		for j := range t.Partitions {
			t.Partitions[j].append(&w, version)
		}
		w.noTags()
	}
	if version >= 1 {
		w.int32(r.ThrottleMs)
	}
	if version >= 10 {
		w.endpointsTag(r.Endpoints)
	} else {
		w.noTags()
	}
	return w.buf
}

func (p *ProducePartitionResult) append(w *writer, version int16) {
	w.int32(p.Index)
	w.int16(int16(p.Code))
	w.int64(p.BaseOffset)
	if version >= 2 {
		w.int64(p.LogAppendTimeMs)
	}
	if version >= 5 {
		w.int64(p.LogStart)
	}
	if version >= 8 {
		w.size(len(p.RecordErrors))
		for i := range p.RecordErrors {
			w.int32(p.RecordErrors[i].BatchIndex)
			w.nullableString(p.RecordErrors[i].Message)
			w.noTags()
		}
		w.nullableString(p.ErrorMessage)
	}
	if version >= 10 && p.CurrentLeader.Known {
		w.uvarint(1)
		w.leaderTag(0, p.CurrentLeader)
	} else {
		w.noTags()
	}
}

// topic writes how a response names a topic.
func (w *writer) topic(byID bool, name []byte, id [16]byte) {
	if byID {
		w.uuid(id)
	} else {
		appendString(w, name)
	}
}

// leaderTag writes the tagged field with the current leader.
func (w *writer) leaderTag(number uint32, l Leader) {
	w.uvarint(number)
	w.uvarint(4 + 4 + 1)
	w.int32(l.ID)
	w.int32(l.Epoch)
	w.noTags()
}

// endpointsTag ends a response with its only tagged field, the endpoints, or with none.
func (w *writer) endpointsTag(endpoints []NodeEndpoint) {
	if len(endpoints) == 0 {
		w.noTags()
		return
	}
	size := uvarintSize(uint32(len(endpoints) + 1))
	for i := range endpoints {
		e := &endpoints[i]
		size += 4 + uvarintSize(uint32(len(e.Host)+1)) + len(e.Host) + 4 + uvarintSize(uint32(len(e.Rack)+1)) + len(e.Rack) + 1
	}
	w.uvarint(1)
	w.uvarint(0)
	w.uvarint(uint32(size))
	w.size(len(endpoints))
	for i := range endpoints {
		e := &endpoints[i]
		w.int32(e.ID)
		appendString(w, e.Host)
		w.int32(e.Port)
		w.nullableString(e.Rack)
		w.noTags()
	}
}
