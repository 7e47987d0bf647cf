package cli

import (
	"fmt"
	"strings"
)

// durability is how a cluster makes a commit of a topic durable, as far as its settings tell.
type durability uint8

const (
	durabilityUnknown durability = iota
	durabilitySynced             // committed means on stable storage
	durabilityCached             // committed means in the page cache
)

// partitionState is what survival needs to know of a partition.
type partitionState struct {
	Leader   int32 // -1: none
	Replicas []int32
	ISR      []int32
}

// topicState is what survival needs to know of a topic.
type topicState struct {
	Partitions []partitionState
	MinISR     int
	Unclean    bool // unclean.leader.election.enable
	Durability durability
}

// survival says in words what a topic can lose now, and what acks=all guarantees whatever happens next.
type survival struct {
	Now        []string `json:"now"`
	Guaranteed string   `json:"guaranteed"`
	Trouble    []string `json:"trouble"` // what is wrong at this moment
}

// survive works out the sentences. Losing a broker "loses nothing" if every committed record is on another one in sync;
// it "stops nothing" if min.insync.replicas are left in every partition. The weakest partition decides.
func survive(t topicState) survival {
	if len(t.Partitions) == 0 {
		return survival{Now: []string{"nothing is known: the topic has no partitions"}, Guaranteed: "nothing", Trouble: []string{}}
	}
	inSync, replicas := len(t.Partitions[0].ISR), len(t.Partitions[0].Replicas)
	brokers := map[int32]bool{}
	for _, p := range t.Partitions {
		inSync, replicas = min(inSync, len(p.ISR)), min(replicas, len(p.Replicas))
		for _, id := range p.Replicas {
			brokers[id] = true
		}
	}
	minISR := max(1, min(t.MinISR, replicas)) // a topic with fewer replicas than min.insync.replicas is held to all of them
	return survival{
		Now:        surviveNow(inSync, minISR, len(brokers)),
		Guaranteed: surviveAlways(t, minISR),
		Trouble:    trouble(t.Partitions, minISR),
	}
}

// surviveNow has a line for what may be lost without harm, and one for each further step up to the first that loses data.
func surviveNow(inSync, minISR, brokers int) []string {
	if inSync == 0 {
		return []string{"a partition is offline: its records wait for a replica that was in sync to return"}
	}
	free, safe := inSync-minISR, inSync-1 // brokers that may go without stopping writes; without losing records
	var lines []string
	switch {
	case free > 0:
		lines = append(lines, fmt.Sprintf("may lose any %d of %s - loses nothing, stops nothing", free, plural(int64(brokers), "broker")))
	case free == 0:
		lines = append(lines, "may lose no broker without stopping something")
	default:
		lines = append(lines, "acks=all is refused until enough replicas are in sync again; reads go on")
	}
	if from := max(free, 0) + 1; safe >= from {
		lines = append(lines, anyOf(from, safe)+" - loses nothing; writes wait until "+enough(from, safe)+" back")
	}
	if inSync == 1 {
		return append(lines, "any 1 - reads and writes of its partitions stop until it is back; if its disk is gone, so are the records")
	}
	return append(lines, fmt.Sprintf("any %d - reads stop too; records are lost only if all %d disks are gone", inSync, inSync))
}

func anyOf(from, to int) string {
	if from == to {
		return fmt.Sprintf("any %d", from)
	}
	return fmt.Sprintf("any %d to %d", from, to)
}

func enough(from, to int) string {
	if from == to && from == 1 {
		return "it is"
	}
	if from == to {
		return "one is"
	}
	return "enough are"
}

// surviveAlways is the promise of acks=all under the topic's settings.
func surviveAlways(t topicState, minISR int) string {
	if t.Unclean {
		return "nothing: unclean elections are on, so a replica that was not in sync may lead and cut committed records off"
	}
	var b strings.Builder
	if minISR == 1 {
		b.WriteString("acks=all may be answered with one replica holding the record: losing that disk may lose it")
	} else {
		fmt.Fprintf(&b, "acks=all is answered once %d replicas hold the record: losing any %d of them loses nothing", minISR, minISR-1)
	}
	b.WriteString(map[durability]string{
		durabilitySynced:  "; it is synced to disk by then, so a power cut of all brokers loses nothing",
		durabilityCached:  "; it may be in memory only by then, so a power cut of all brokers may lose it",
		durabilityUnknown: "; whether it is synced to disk by then, the cluster does not say",
	}[t.Durability])
	return b.String()
}

// trouble lists what is wrong now, worst first; an empty list is the good case.
func trouble(partitions []partitionState, minISR int) []string {
	var offline, below, under int
	for _, p := range partitions {
		switch {
		case p.Leader < 0:
			offline++
		case len(p.ISR) < minISR:
			below++
		case len(p.ISR) < len(p.Replicas):
			under++
		}
	}
	lines := []string{}
	for _, l := range []struct {
		n    int
		what string
	}{
		{offline, "without a leader: no reads, no writes"},
		{below, "below min.insync.replicas: acks=all is refused"},
		{under, "with a replica out of sync"},
	} {
		if l.n > 0 {
			lines = append(lines, fmt.Sprintf("%d of %s %s", l.n, plural(int64(len(partitions)), "partition"), l.what))
		}
	}
	return lines
}
