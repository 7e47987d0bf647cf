package node_test

import (
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// roundTrip sends a frame and reads its answer into buf.
func roundTrip(t *testing.T, c net.Conn, frame, buf []byte) {
	if _, err := c.Write(frame); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, buf[:4]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, buf[:binary.BigEndian.Uint32(buf)]); err != nil {
		t.Fatal(err)
	}
}

// The whole way of a hot request, from the socket to the disk and back, takes no memory from the heap. What the node does
// beside it now and then is allowed for.
func TestHotRequestsAllocateNothing(t *testing.T) {
	const requests = 2000
	n := start(t, t.TempDir())
	createTopic(t, n, "orders", 1)
	fetch := fetchOf(12, 0, 0, at{topic: "orders"})
	fetch.Topics[0].Partitions[0].PartitionMaxBytes = 1000
	large := batchOf(t, 2000, -1, 0, 0)
	for name, q := range map[string]kmsg.Request{
		"produce, acks=1":          produceOf("orders", 0, 1, goodBatch(t)),
		"produce, acks=all":        produceOf("orders", 0, -1, goodBatch(t)),
		"produce of several reads": produceOf("orders", 0, 1, large),
		"fetch":                    fetch,
	} {
		t.Run(name, func(t *testing.T) {
			frame, buf := kmsg.NewRequestFormatter().AppendRequest(nil, q, 1), make([]byte, 1<<20)
			c := dial(t, n)
			for range 200 {
				roundTrip(t, c.Conn, frame, buf)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range requests {
				roundTrip(t, c.Conn, frame, buf)
			}
			runtime.ReadMemStats(&after)
			if racing {
				return
			}
			if each := float64(after.Mallocs-before.Mallocs) / requests; each > 0.2 {
				t.Errorf("%.2f allocations a request", each)
			} else {
				t.Logf("%.3f allocations a request", each)
			}
		})
	}
}
