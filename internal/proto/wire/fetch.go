package wire

import "fmt"

// Fetch is a view of a Fetch request. Names and rack alias the body it was parsed from. One value is parsed again and again and then
// allocates nothing; it is not safe for concurrent use.
type Fetch struct {
	ClusterID    []byte // nil is null
	ReplicaID    int32  // -1 for a consumer
	ReplicaEpoch int64  // -1 if unknown
	MaxWaitMs    int32
	MinBytes     int32
	MaxBytes     int32
	Isolation    int8  // 0 reads all, 1 only what is committed
	SessionID    int32 // 0 for none
	SessionEpoch int32 // -1 for none, also in versions without sessions
	Topics       []FetchTopic
	Forgotten    []ForgottenTopic
	Rack         []byte // empty if unknown

	partitions []FetchPartition // of all topics, one after the other
	forgotten  []int32          // of all forgotten topics, likewise
}

// FetchTopic is one topic of a Fetch request: by name up to version 12, by id from version 13.
type FetchTopic struct {
	Name       []byte
	ID         [16]byte
	Partitions []FetchPartition
}

// FetchPartition is where a Fetch request wants to read a partition. What a version does not have is -1.
type FetchPartition struct {
	Index              int32
	CurrentLeaderEpoch int32
	FetchOffset        int64
	LastFetchedEpoch   int32
	MaxBytes           int32
	LogStart           int64    // the start of the follower's log
	Directory          [16]byte // the follower's log directory; zero if unknown
	HighWatermark      int64    // the one the follower knows; [UnknownHighWatermark] if it does not say
}

// UnknownHighWatermark stands in a FetchPartition for a reader that does not tell the high watermark it knows.
const UnknownHighWatermark = 1<<63 - 1

// ForgottenTopic names partitions that leave a fetch session.
type ForgottenTopic struct {
	Name       []byte
	ID         [16]byte
	Partitions []int32
}

// Parse reads the body of a request of a version from 4 to 18. Bytes behind the request are ignored, as Apache Kafka does. After an
// error the view is empty.
func (f *Fetch) Parse(version int16, body []byte) error {
	if version < 4 || version > 18 {
		return fmt.Errorf("%w %d of Fetch", ErrUnsupportedVersion, version)
	}
	*f = Fetch{
		ReplicaID: -1, ReplicaEpoch: -1, SessionEpoch: -1,
		Topics: reuse(f.Topics), partitions: reuse(f.partitions),
		Forgotten: reuse(f.Forgotten), forgotten: reuse(f.forgotten),
	}
	r := reader{buf: body, flexible: version >= 12}
	if version <= 14 {
		f.ReplicaID = r.int32()
	}
	f.MaxWaitMs = r.int32()
	f.MinBytes = r.int32()
	f.MaxBytes = r.int32()
	f.Isolation = r.int8()
	if version >= 7 {
		f.SessionID = r.int32()
		f.SessionEpoch = r.int32()
	}
	f.parseTopics(&r, version)
	if version >= 7 {
		f.parseForgotten(&r, version)
	}
	if version >= 11 {
		f.Rack = r.string()
	}
	f.parseTags(&r, version)
	if r.err != nil {
		*f = Fetch{
			Topics: f.Topics[:0], partitions: f.partitions[:0],
			Forgotten: f.Forgotten[:0], forgotten: f.forgotten[:0],
		}
		return fmt.Errorf("body of Fetch version %d: %w", version, r.err)
	}
	return nil
}

func (f *Fetch) parseTopics(r *reader, version int16) {
	minTopic, minPartition := fetchSizes(version)
	n := r.count(minTopic)
	f.Topics = grow(f.Topics, n)
	for i := range n {
		t := &f.Topics[i]
		t.Name, t.ID = r.topic(version >= 13)
		first := len(f.partitions)
		m := r.count(minPartition)
		f.partitions = grow(f.partitions, first+m)
		t.Partitions = f.partitions[first:]
		for j := range m {
			t.Partitions[j].parse(r, version)
		}
		r.tags()
	}
	// The array of partitions may have moved while it grew.
	for i, first := 0, 0; i < n && r.err == nil; i++ {
		m := len(f.Topics[i].Partitions)
		f.Topics[i].Partitions = f.partitions[first : first+m : first+m]
		first += m
	}
}

func (p *FetchPartition) parse(r *reader, version int16) {
	*p = FetchPartition{CurrentLeaderEpoch: -1, LastFetchedEpoch: -1, LogStart: -1, HighWatermark: UnknownHighWatermark}
	p.Index = r.int32()
	if version >= 9 {
		p.CurrentLeaderEpoch = r.int32()
	}
	p.FetchOffset = r.int64()
	if version >= 12 {
		p.LastFetchedEpoch = r.int32()
	}
	if version >= 5 {
		p.LogStart = r.int64()
	}
	p.MaxBytes = r.int32()
	for n := r.tagCount(); n > 0; n-- {
		number, field := r.tag()
		switch {
		case number > 1: // unknown
		case number == 0 && version >= 17:
			p.Directory = field.uuid()
		case number == 1 && version >= 18:
			p.HighWatermark = field.int64()
		default:
			r.fail(ErrTag)
		}
		r.inherit(&field)
	}
}

func (f *Fetch) parseForgotten(r *reader, version int16) {
	minTopic, _ := fetchSizes(version)
	n := r.count(minTopic)
	f.Forgotten = grow(f.Forgotten, n)
	for i := range n {
		t := &f.Forgotten[i]
		t.Name, t.ID = r.topic(version >= 13)
		first := len(f.forgotten)
		m := r.count(4)
		f.forgotten = grow(f.forgotten, first+m)
		t.Partitions = f.forgotten[first:]
		for j := range m {
			t.Partitions[j] = r.int32()
		}
		r.tags()
	}
	for i, first := 0, 0; i < n && r.err == nil; i++ {
		m := len(f.Forgotten[i].Partitions)
		f.Forgotten[i].Partitions = f.forgotten[first : first+m : first+m]
		first += m
	}
}

// parseTags reads the tagged fields at the end: who the cluster and, from version 15, the replica are.
func (f *Fetch) parseTags(r *reader, version int16) {
	for n := r.tagCount(); n > 0; n-- {
		number, field := r.tag()
		switch {
		case number > 1: // unknown
		case number == 0:
			f.ClusterID = field.nullableString()
		case version >= 15:
			f.ReplicaID = field.int32()
			f.ReplicaEpoch = field.int64()
			field.tags()
		default:
			r.fail(ErrTag)
		}
		r.inherit(&field)
	}
}

// inherit passes the error of a tagged field on.
func (r *reader) inherit(field *reader) {
	if field.err != nil {
		r.fail(field.err)
	}
}

// fetchSizes are the fewest bytes a topic and a partition take.
func fetchSizes(version int16) (topic, partition int) {
	switch {
	case version >= 13:
		return 16 + 1 + 1, 4 + 4 + 8 + 4 + 8 + 4 + 1
	case version >= 12:
		return 1 + 1 + 1, 4 + 4 + 8 + 4 + 8 + 4 + 1
	case version >= 9:
		return 2 + 4, 4 + 4 + 8 + 8 + 4
	case version >= 5:
		return 2 + 4, 4 + 8 + 8 + 4
	default:
		return 2 + 4, 4 + 8 + 4
	}
}
