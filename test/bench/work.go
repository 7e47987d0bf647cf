package main

import "time"

// work tells the load generator what to do. It goes to the generator as one line of JSON.
type work struct {
	Kind    string // produce, consume, count, mixed, topics, connections, group, commits
	Address string

	Topic      string
	Create     bool
	Partitions int32
	Configs    map[string]string

	Size      int     // bytes of a value
	Records   int64   // stop after so many
	Seconds   float64 // or after this time; 0: no end in time
	Warmup    float64 // seconds of the same load before the clock starts
	Rate      float64 // records a second in all, on a fixed schedule; 0: as fast as possible
	Keys      int     // different keys; 0: no keys
	Text      bool    // values compress about 3:1; otherwise they do not
	Producers int     // clients, each with its own connections

	Acks     string // all, 1, 0
	Codec    string // none, lz4, zstd
	LingerMs int

	Members     int    // group: so many
	Protocol    string // group: classic or consumer
	HeartbeatMs int    // group: of the members; 0: the client's own

	Connections int // connections: so many
	Hold        int // connections: up to so many are held open, idle, after the clock stopped
}

func (w work) linger() time.Duration   { return time.Duration(w.LingerMs) * time.Millisecond }
func (w work) duration() time.Duration { return time.Duration(w.Seconds * float64(time.Second)) }
func (w work) warmup() time.Duration   { return time.Duration(w.Warmup * float64(time.Second)) }

// result is the generator's answer, one line of JSON. Only what was done between go and the last answer counts.
type result struct {
	Records int64 // acknowledged, or read, or topics, or connections
	Bytes   int64 // of keys and values
	Total   int64 // acknowledged with those of the warm-up
	Failed  int64
	Error   string // the first failure

	Seconds    float64
	CPUSeconds float64 // of the generator

	P50, P99, P999, Max float64 // ms from the planned moment to the acknowledgement

	// mixed: the producer beside the reader.
	ProducerP99 float64

	// group: seconds until all partitions had one owner.
	AllIn, Joins, Leaves float64
}
