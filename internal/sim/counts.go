package sim

import (
	"fmt"
	"strings"
)

// Count is something that is counted, to tell runs that prove something from those that do not.
type Count int

// What is counted.
const (
	PowerCuts Count = iota
	CutInside       // of them, in the middle of a step
	Kills
	CleanStops
	FailedStarts
	DirFailures
	QuorumFailures
	FailedSyncs
	FullWrites
	FailedOpens
	FailedReads
	SlowSyncs
	Batches
	Records
	Acked
	Repeats // batches that the node recognised
	Refused
	TimedOut
	LateRequests
	RecordsRead
	RecordsAudited
	Topics
	TopicsDeleted
	SettingsChanged
	PartitionsAdded
	RecordsDeleted // DeleteRecords that moved a start
	Retentions     // log starts moved by retention
	Segments       // beyond the first of a partition, at the end
	NewProducerIDs
	EpochsRaised
	Compactions
	GroupRequests
	OffsetsCommitted
	OffsetsFetched
	Assignments // told to members
	kinds
)

var countNames = [kinds]string{
	"power cuts", "of them inside a step", "kills", "clean stops", "failed starts", "directory failures", "quorum failures",
	"failed syncs", "writes to a full disk", "opens without handles", "failed reads", "slow syncs",
	"batches", "records", "batches acked", "repeats recognised", "batches refused", "batches timed out", "late requests",
	"records read", "records audited", "topics", "topics deleted", "settings changed", "partitions added",
	"record deletions", "retentions", "segments rolled", "producer ids",
	"leader epochs raised", "compactions", "requests of groups", "offsets committed", "offsets fetched", "assignments",
}

// Counts is how much of what happened.
type Counts [kinds]int64

// Add adds up.
func (c *Counts) Add(o Counts) {
	for i := range o {
		c[i] += o[i]
	}
}

func (c Counts) String() string {
	parts := make([]string, kinds)
	for i, n := range c {
		parts[i] = fmt.Sprintf("%d %s", n, countNames[i])
	}
	return strings.Join(parts, ", ")
}
