package node_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/node"
)

// scraped fails unless /metrics has each of the lines.
func scraped(t *testing.T, n *node.Node, lines ...string) {
	t.Helper()
	_, page := get(t, n, "/metrics")
	for _, line := range lines {
		if !strings.Contains(page, "\n"+line+"\n") {
			name, _, _ := strings.Cut(line, " ")
			name, _, _ = strings.Cut(name, "{")
			var like []string
			for l := range strings.Lines(page) {
				if strings.HasPrefix(l, name) {
					like = append(like, l)
				}
			}
			t.Errorf("/metrics lacks %q; it has %q", line, like)
		}
	}
}

// What happened is what /metrics says.
func TestMetricsTellWhatHappened(t *testing.T) {
	dir := t.TempDir()
	n := start(t, dir)
	createTopic(t, n, "orders", 2)
	c := dial(t, n)
	size := 0
	for i, sequence := range []int32{0, 3, 3, 9} { // new, new, again, a gap
		b := batchOf(t, 3, 7, 0, sequence)
		if i < 2 {
			size += len(b)
		}
		c.ask(produceOf("orders", 0, -1, b))
	}
	c.ask(produceOf("nothing", 0, -1, goodBatch(t)))
	c.ask(fetchOf(11, 0, 0, at{topic: "orders"}))
	c.ask(fetchOf(11, 0, 0, at{topic: "orders", offset: 99}))
	session := fetchOf(11, 0, 0, at{topic: "orders", offset: 6})
	session.SessionEpoch = 0
	c.ask(session)
	parked := fetchOf(11, 1, 9000, at{topic: "orders", partition: 1})
	other := dial(t, n)
	other.post(1, parked)
	eventually(t, "the fetch is parked", func() bool {
		_, page := get(t, n, "/metrics")
		return strings.Contains(page, "\nholdfast_fetch_waiting 1\n")
	})
	scraped(t, n,
		`holdfast_requests_total{api="Produce"} 5`, `holdfast_requests_total{api="Fetch"} 3`, `holdfast_requests_in_flight 1`,
		`holdfast_request_errors_total{api="Produce",error="OUT_OF_ORDER_SEQUENCE_NUMBER"} 1`,
		`holdfast_request_errors_total{api="Produce",error="UNKNOWN_TOPIC_OR_PARTITION"} 1`,
		`holdfast_request_errors_total{api="Fetch",error="OFFSET_OUT_OF_RANGE"} 1`,
		`holdfast_batches_refused_total{error="OUT_OF_ORDER_SEQUENCE_NUMBER"} 1`, `holdfast_batches_duplicate_total 1`,
		`holdfast_appended_records_total{topic="orders"} 6`, fmt.Sprintf(`holdfast_appended_bytes_total{topic="orders"} %d`, size),
		fmt.Sprintf(`holdfast_fetched_bytes_total{topic="orders"} %d`, size), fmt.Sprintf(`holdfast_log_bytes{topic="orders"} %d`, size),
		`holdfast_fetch_out_of_range_total{topic="orders"} 1`, `holdfast_fetch_sessions 1`, `holdfast_producers 1`,
		`holdfast_produce_waiting 0`, `holdfast_quorum_leader 1`, `holdfast_partitions_offline 0`, `holdfast_log_damaged_ranges 0`,
		fmt.Sprintf(`holdfast_data_dir_online{dir=%q} 1`, dir), fmt.Sprintf(`holdfast_data_dir_full{dir=%q} 0`, dir),
		`holdfast_memory_budget_bytes 2.68435456e+08`, `holdfast_connections{listener="PLAINTEXT"} 3`,
	)
	c.ask(produceOf("orders", 1, -1, goodBatch(t)))
	other.answer(1, parked)
	for _, r := range []*raw{c, other} {
		r.Close()
	}
	eventually(t, "all is given back", func() bool {
		_, page := get(t, n, "/metrics")
		return strings.Contains(page, "\nholdfast_memory_used_bytes 0\n") && strings.Contains(page, "\nholdfast_requests_in_flight 0\n") &&
			strings.Contains(page, "\nholdfast_fetch_waiting 0\n")
	})
}

// A topic that is gone leaves no series behind.
func TestMetricsForgetDeletedTopics(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "orders", 1)
	fill(t, n, "orders", 0, 1)
	c := dial(t, n)
	c.ask(fetchOf(11, 0, 0, at{topic: "orders", offset: 99}))
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.Version, del.TimeoutMillis, del.TopicNames = 5, 5000, []string{"orders"}
	c.ask(del)
	if _, page := get(t, n, "/metrics"); strings.Contains(page, `topic="orders"`) {
		t.Error("series of a deleted topic are still there")
	}
}

func TestMetricsOfAWaitingProduce(t *testing.T) {
	held := newHeldDisk()
	n := startOn(t, held, t.TempDir())
	createTopic(t, n, "orders", 1)
	release := held.hold(t)
	c, q := dial(t, n), produceOf("orders", 0, -1, goodBatch(t))
	c.post(1, q)
	eventually(t, "the produce waits", func() bool {
		_, page := get(t, n, "/metrics")
		return strings.Contains(page, "\nholdfast_produce_waiting 1\n")
	})
	release()
	c.answer(1, q)
	scraped(t, n, "holdfast_produce_waiting 0", "holdfast_commit_seconds_count 1")
}
