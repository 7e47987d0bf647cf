package controller

import (
	"slices"

	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"
)

// placer spreads the replicas of new partitions, and with them the leaders: first evenly over racks, then evenly over the
// brokers of a rack. It deals racks and brokers out in turn, each partition starting one further.
type placer struct {
	racks []rack
	size  int // brokers in all
	turn  int // partitions placed so far, plus a start taken from the command's nonce
}

type rack struct {
	name    string
	brokers []int32 // sorted
}

func newPlacer(img *image.Image, g *ids) *placer {
	p := &placer{size: img.BrokerCount()}
	for b := range img.Brokers() {
		i := slices.IndexFunc(p.racks, func(r rack) bool { return r.name == b.Rack })
		if i < 0 {
			i = len(p.racks)
			p.racks = append(p.racks, rack{name: b.Rack})
		}
		p.racks[i].brokers = append(p.racks[i].brokers, b.ID)
	}
	p.turn = g.number(1 << 30)
	return p
}

// check says whether n replicas can be placed at all.
func (p *placer) check(n int) *refusal {
	switch {
	case p.size == 0:
		return refuse(wire.InvalidReplicationFactor, "Unable to replicate the partition %d time(s): no broker is registered.", n)
	case n > p.size:
		return refuse(wire.InvalidReplicationFactor, "Unable to replicate the partition %d time(s): The target replication factor of %d "+
			"cannot be reached because only %d broker(s) are registered.", n, n, p.size)
	}
	return nil
}

// place returns n different brokers for the next partition; check(n) must have passed.
func (p *placer) place(n int) []int32 {
	if p.size == 1 {
		return []int32{p.racks[0].brokers[0]}
	}
	replicas := make([]int32, 0, n)
	// Each round over the racks takes one more broker of each, until there are enough.
	for round := 0; len(replicas) < n; round++ {
		for i := range p.racks {
			r := p.racks[(p.turn+i)%len(p.racks)]
			if round < len(r.brokers) && len(replicas) < n {
				// A rack's turn comes once in len(racks) partitions: dividing makes it begin with another broker each time.
				replicas = append(replicas, r.brokers[(p.turn/len(p.racks)+round)%len(r.brokers)])
			}
		}
	}
	p.turn++
	return replicas
}

// newPartition is a partition's first state: every replica in sync, the first one leading.
func newPartition(img *image.Image, replicas []int32) image.Partition {
	p := image.Partition{Replicas: replicas, ISR: replicas, Leader: replicas[0], Directories: make([]image.DirectoryID, len(replicas))}
	for i, id := range replicas {
		// A broker with one directory has no choice; with several it chooses when it first opens the partition.
		if b := img.Broker(id); len(b.Directories) == 1 {
			p.Directories[i] = b.Directories[0]
		}
	}
	return p
}

// checkManual holds an assignment made by hand against the brokers and, unless it is 0, the replication factor.
func checkManual(img *image.Image, replicas []int32, factor int) *refusal {
	if len(replicas) == 0 {
		return refuse(wire.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list.")
	}
	sorted := slices.Sorted(slices.Values(replicas))
	for i, id := range sorted {
		if img.Broker(id) == nil {
			return refuse(wire.InvalidReplicaAssignment, "The manual partition assignment includes broker %d, but no such broker is registered.", id)
		}
		if i > 0 && sorted[i-1] == id {
			return refuse(wire.InvalidReplicaAssignment, "The manual partition assignment includes the broker %d more than once.", id)
		}
	}
	if factor > 0 && len(replicas) != factor {
		return refuse(wire.InvalidReplicaAssignment, "The manual partition assignment includes a partition with %d replica(s), but this is not "+
			"consistent with previous partitions, which have %d replica(s).", len(replicas), factor)
	}
	return nil
}
