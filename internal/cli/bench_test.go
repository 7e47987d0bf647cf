package cli

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A percentile of the histogram is never below the true one and at most 1.6 % above it.
func TestHistogramAgainstSorting(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		h, all := &histogram{}, []time.Duration(nil)
		for range 1 + random.IntN(5000) {
			d := time.Duration(random.Int64N(1 << random.IntN(40)))
			h.add(d)
			all = append(all, d)
		}
		slices.Sort(all)
		for _, q := range []float64{0.001, 0.5, 0.9, 0.99, 0.999, 1} {
			rank := min(max(int(q*float64(len(all))+0.5), 1), len(all))
			exact, got := all[rank-1], h.percentile(q)
			if got < exact || float64(got) > float64(exact)*1.016+1 {
				t.Fatalf("%v of %d values: %v, exactly %v", q, len(all), got, exact)
			}
		}
	}
}

func TestBench(t *testing.T) {
	cluster := fakeCluster(t)
	b := brokersOf(cluster)
	pid := strconv.Itoa(os.Getpid())
	for _, c := range []struct{ args, bench string }{
		{"produce -n 500 --size 100 --partitions 3 --producers 2 --keys 10 --compression lz4 --payload text", "produce"},
		{"produce -n 200 --size 100 --rate 2000 --acks 1", "produce"},
		{"consume -n 500 --size 100 --partitions 3 --consumers 2", "consume"},
		{"latency -n 300 --rate 1000 --warmup 100ms --size 64", "latency"},
	} {
		r := holdfast(t, b, "", append([]string{"bench"}, strings.Fields(c.args+" -o json --server-pid "+pid)...)...).want(t, exitDone)
		var report benchReport
		if err := json.Unmarshal([]byte(r.out), &report); err != nil {
			t.Fatal(err)
		}
		if report.Bench != c.bench || report.Records == 0 || report.Bytes == 0 || report.Seconds <= 0 || report.Server == nil {
			t.Errorf("bench %s: %s", c.args, r.out)
		}
		if c.bench == "consume" && report.Records != 1000 {
			t.Errorf("two consumers read %d of 2 times 500 records", report.Records)
		}
		if c.bench == "latency" && (report.EndToEnd == nil || report.EndToEnd.Count != uint64(report.Records) || report.EndToEnd.P50 <= 0) {
			t.Errorf("latency: %s", r.out)
		}
	}
	if left := holdfast(t, b, "", "topic", "list"); len(left.lines()) != 0 {
		t.Errorf("scratch topics are left behind: %s", left.out)
	}
}

func TestBenchObjective(t *testing.T) {
	b := brokersOf(fakeCluster(t))
	r := holdfast(t, b, "", "bench", "produce", "-n", "10", "--want-mbps", "1e12").want(t, exitMissed)
	if !strings.Contains(r.err, "objective missed") {
		t.Error(r.err)
	}
	holdfast(t, b, "", "bench", "produce", "-n", "10", "--want-p99", "1m").want(t, exitDone)
	holdfast(t, b, "", "bench", "produce", "--payload", "gold").want(t, exitUsage)
	holdfast(t, b, "", "bench", "produce", "--server-pid", "999999999").want(t, exitUsage)
}
