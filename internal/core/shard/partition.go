package shard

import (
	"math"
	"unicode/utf16"
)

// PartitionFor is the shard that a key belongs to - a group id, a transactional id - of so many. Every client asks
// FindCoordinator, so it need not be Kafka's; it is, so that a log written by Kafka can be read.
func PartitionFor(key string, partitions int32) int32 {
	var h int32 // Java's String.hashCode: over UTF-16 units
	for _, u := range utf16.Encode([]rune(key)) {
		h = 31*h + int32(u)
	}
	if h == math.MinInt32 {
		return 0 // it has no absolute value
	}
	return max(h, -h) % partitions
}
