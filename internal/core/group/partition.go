package group

import (
	"math"
	"unicode/utf16"
)

// PartitionFor is the partition of __consumer_offsets that coordinates a group, of so many partitions. Every client
// asks FindCoordinator, so it need not be Kafka's; it is, so that a log written by Kafka can be read.
func PartitionFor(group string, partitions int32) int32 {
	var h int32 // Java's String.hashCode: over UTF-16 units
	for _, u := range utf16.Encode([]rune(group)) {
		h = 31*h + int32(u)
	}
	if h == math.MinInt32 {
		return 0 // it has no absolute value
	}
	return max(h, -h) % partitions
}
