package wire

import (
	"fmt"
	"unsafe"
)

// Produce is a view of a Produce request. Name, Records and TransactionalID alias the body it was parsed from. One value is parsed
// again and again and then allocates nothing; it is not safe for concurrent use.
type Produce struct {
	TransactionalID []byte // nil is null
	Acks            int16
	TimeoutMs       int32
	Topics          []ProduceTopic

	partitions []ProducePartition // of all topics, one after the other
}

// ProduceTopic is one topic of a Produce request: by name up to version 12, by id from version 13.
type ProduceTopic struct {
	Name       []byte
	ID         [16]byte
	Partitions []ProducePartition
}

// ProducePartition is what a Produce request holds for one partition.
type ProducePartition struct {
	Index   int32
	Records []byte // nil is null
}

// fewElements is how many topics and how many partitions a Produce request may hold however short it is. Beyond that there must be 64
// bytes for each: a batch with one record takes more. So a frame of empty partitions, which no client sends, cannot take twenty times
// its length in memory.
const fewElements = 16

// Parse reads the body of a request of a version from 0 to 13. Bytes behind the request are ignored, as Apache Kafka does. After an
// error the view is empty.
func (p *Produce) Parse(version int16, body []byte) error {
	if version < 0 || version > 13 {
		return fmt.Errorf("%w %d of Produce", ErrUnsupportedVersion, version)
	}
	topics, partitions := reuse(p.Topics), reuse(p.partitions)
	*p = Produce{}
	r := reader{buf: body, flexible: version >= 9}
	if version >= 3 {
		p.TransactionalID = r.nullableString()
	}
	p.Acks = r.int16()
	p.TimeoutMs = r.int32()

	minTopic, minPartition := produceSizes(version)
	most := fewElements + len(body)/64
	n := r.count(minTopic)
	if n > most {
		r.fail(ErrCount)
		n = 0
	}
	topics = grow(topics, n)
	for i := range n {
		t := &topics[i]
		t.Name, t.ID = r.topic(version >= 13)
		first := len(partitions)
		m := r.count(minPartition)
		if first+m > most {
			r.fail(ErrCount)
			m = 0
		}
		partitions = grow(partitions, first+m)
		for j := range m {
			part := &partitions[first+j]
			part.Index = r.int32()
			part.Records = r.nullableBytes()
			r.tags()
		}
		t.Partitions = partitions[first:]
		r.tags()
	}
	r.tags()
	p.Topics, p.partitions = topics, partitions
	if r.err != nil {
		p.Topics, p.partitions, p.TransactionalID = topics[:0], partitions[:0], nil
		return fmt.Errorf("body of Produce version %d: %w", version, r.err)
	}
	// The array of partitions may have moved while it grew.
	for i, first := 0, 0; i < n; i++ {
		m := len(topics[i].Partitions)
		topics[i].Partitions = partitions[first : first+m : first+m]
		first += m
	}
	return nil
}

// Memory returns how many bytes the view and the answer that mirrors it hold besides the frame. An honest request of a few large batches
// holds next to nothing; one of very many tiny batches up to five times its frame.
func (p *Produce) Memory() int {
	const (
		topic     = int(unsafe.Sizeof(ProduceTopic{}) + unsafe.Sizeof(ProduceTopicResult{}))
		partition = int(unsafe.Sizeof(ProducePartition{}) + unsafe.Sizeof(ProducePartitionResult{}))
	)
	return cap(p.Topics)*topic + cap(p.partitions)*partition
}

// produceSizes are the fewest bytes a topic and a partition take.
func produceSizes(version int16) (topic, partition int) {
	switch {
	case version >= 13:
		return 16 + 1 + 1, 4 + 1 + 1
	case version >= 9:
		return 1 + 1 + 1, 4 + 1 + 1
	default:
		return 2 + 4, 4 + 4
	}
}

// topic reads how a request names a topic.
func (r *reader) topic(byID bool) (name []byte, id [16]byte) {
	if byID {
		return nil, r.uuid()
	}
	return r.string(), id
}

// keepElements is how many elements a view keeps for the next request, however few the last one had.
const keepElements = 1024

// reuse returns the room of a slice for the next request. A much larger room than the last request needed is given back, so one huge
// request does not hold its memory for the life of a connection.
func reuse[T any](s []T) []T {
	if cap(s) > keepElements && len(s) < cap(s)/4 {
		return nil
	}
	return s[:0]
}

// grow returns s with n elements, n >= len(s). What the elements behind the old ones hold is not defined.
func grow[T any](s []T, n int) []T {
	switch {
	case n <= cap(s):
		return s[:n]
	case len(s) == 0:
		return make([]T, n)
	}
	bigger := make([]T, n, max(n, 2*cap(s)))
	copy(bigger, s)
	return bigger
}
