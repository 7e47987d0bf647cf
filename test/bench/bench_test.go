package main

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// have runs a work against a cluster in this process, as the harness would in another.
func have(t *testing.T, w work) result {
	t.Helper()
	toGenerator, words := io.Pipe()
	answers, fromGenerator := io.Pipe()
	failed := make(chan error, 1)
	go func() {
		err := generate(t.Context(), toGenerator, fromGenerator)
		fromGenerator.CloseWithError(errors.Join(err, io.EOF))
		failed <- err
	}()
	line, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(words, "%s\n", line)
	var r result
	for out := bufio.NewReader(answers); ; {
		line, err := out.ReadString('\n')
		if err != nil {
			t.Fatalf("%s: %v", w.Kind, errors.Join(err, <-failed))
		}
		if strings.TrimSpace(line) == readyLine {
			go fmt.Fprintln(words, "go")
			continue
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
}

func TestGenerator(t *testing.T) {
	quick := kfake.BrokerConfigs(map[string]string{"group.consumer.heartbeat.interval.ms": "20", "group.initial.rebalance.delay.ms": "0"})
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), quick)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	at := cluster.ListenAddrs()[0]

	for _, acks := range []string{"all", "1", "0"} {
		w := work{
			Kind: "produce", Address: at, Topic: "t-" + acks, Create: true, Partitions: 3, Size: 100, Records: 1000, Warmup: 0.05,
			Keys: 10, Acks: acks, Codec: "lz4", Text: true, Producers: 2, LingerMs: 1,
		}
		produced := have(t, w)
		if produced.Records != 1000 || produced.Failed > 0 || produced.Total < 1000 || produced.Bytes < 100_000 || produced.Seconds <= 0 {
			t.Fatalf("acks %s: %+v", acks, produced)
		}
		read := have(t, work{Kind: "count", Address: at, Topic: w.Topic, Records: produced.Total})
		if read.Records != produced.Total {
			t.Fatalf("acks %s: %d records read of %d", acks, read.Records, produced.Total)
		}
	}
	if r := have(t, work{Kind: "produce", Address: at, Topic: "t-all", Size: 64, Rate: 2000, Seconds: 0.2}); r.Records != 400 || r.P50 <= 0 || r.P999 < r.P99 || r.Max < r.P999 {
		t.Errorf("at a rate: %+v", r)
	}
	if r := have(t, work{Kind: "consume", Address: at, Topic: "t-1", Warmup: 1}); r.Records < 1000 {
		t.Errorf("consume: %+v", r)
	}
	if r := have(t, work{Kind: "mixed", Address: at, Topic: "t-1", Partitions: 1, Size: 10, Rate: 1000, Warmup: 0.05}); r.Records < 1000 {
		t.Errorf("mixed: %+v", r)
	}
	if r := have(t, work{Kind: "topics", Address: at, Topic: "many", Records: 20}); r.Records != 20 {
		t.Errorf("topics: %+v", r)
	}
	for _, protocol := range []string{"classic", "consumer"} {
		w := work{Kind: "group", Address: at, Topic: "g-" + protocol, Create: true, Partitions: 6, Members: 3, Protocol: protocol, HeartbeatMs: 20}
		if r := have(t, w); r.AllIn <= 0 || r.Joins <= 0 || r.Leaves <= 0 {
			t.Errorf("group %s: %+v", protocol, r)
		}
	}
	if r := have(t, work{Kind: "commits", Address: at, Topic: "c", Create: true, Partitions: 2, Producers: 2, Seconds: 0.1}); r.Records == 0 || r.P50 <= 0 {
		t.Errorf("commits: %+v", r)
	}
	if r := have(t, work{Kind: "connections", Address: at, Connections: 20, Hold: 30}); r.Records != 20 {
		t.Errorf("connections: %+v", r)
	}
}

func TestHistogramAgainstSorting(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h histogram
	var all []float64
	for range 5000 {
		d := time.Duration(random.Int64N(1 << random.IntN(40)))
		h.add(d)
		all = append(all, float64(d)/1e6)
	}
	slices.Sort(all)
	for _, q := range []float64{0.001, 0.5, 0.99, 0.999, 1} {
		exact := all[max(int(q*5000+0.5), 1)-1]
		if got := h.ms(q); got < exact || got > exact*1.016+1e-6 {
			t.Errorf("%v: %v, exactly %v", q, got, exact)
		}
	}
}

// A report says what was measured, how far it is from the aim, and what failed.
func TestReport(t *testing.T) {
	b := &bench{scale: 1}
	r := &report{Rounds: 3}
	name := "produce acks=all 1 partition"
	for round, x := range []float64{100, 300, 110} {
		r.Measurements = append(r.Measurements,
			measurement{Row: name, Variant: theirs.name, Round: round, Figures: figures{mbps: x, cpuPerGB: 6}},
			measurement{Row: name, Variant: ours.name, Round: round, Figures: figures{mbps: 3 * x, cpuPerGB: 3}},
			measurement{Row: name, Variant: oursUnsynced.name, Round: round, Error: "LOST: all\nand more"})
	}
	for i, c := range allCurves {
		for _, x := range c.points {
			r.Measurements = append(r.Measurements, measurement{Row: c.rowName(x), Variant: ours.name, Figures: figures{c.figure: math.Sqrt(x) + float64(i)}})
		}
	}
	var out strings.Builder
	if err := r.markdown(&out, b.rows()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| " + name + " | MB/s | 110 (100-300) | 330 (300-900) | **3.00x** | 2.00x | - | - | 3.00x |",
		"|  | CPU s/GB | 6.00 (6.00-6.00) | 3.00 (3.00-3.00) | 2.00x | 2.50x |",
		"Failed: " + name + ", holdfast unsynced, round 3: LOST: all\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	pictures := r.pictures()
	if len(pictures) != len(allCurves) {
		t.Fatalf("%d pictures of %d", len(pictures), len(allCurves))
	}
	for _, p := range pictures {
		if err := xml.Unmarshal([]byte(p.svg()), new(struct{ XMLName xml.Name })); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}

// Every row and curve has a name of its own, and what -rows chooses is what it names.
func TestRows(t *testing.T) {
	b := &bench{scale: 1}
	seen := map[string]bool{}
	for _, r := range append(b.rows(), b.curves()...) {
		if seen[r.name] || len(r.variants) == 0 || r.what == "" {
			t.Errorf("row %q", r.name)
		}
		seen[r.name] = true
	}
	if chosen := choose(b.rows(), options{rows: "latency, recovery", skip: "synced", variants: "kafka"}); len(chosen) != 3 || len(chosen[0].variants) != 1 {
		t.Errorf("%d rows chosen", len(chosen))
	}
}

// What is accepted reads back as it was written, and a figure is held to it with a little room.
func TestGate(t *testing.T) {
	found := []held{{"a load", allocations, 2.004}, {"a load", bytesRead, 1000}, {"a load", cpuPerGB, 0.5}}
	path := filepath.Join(t.TempDir(), "gate.md")
	if err := os.WriteFile(path, []byte(gateText(found)), 0o644); err != nil {
		t.Fatal(err)
	}
	accepted, host, err := readGate(path)
	if err != nil || host != processor() || len(accepted) != 3 || accepted["a load|"+allocations] != 2 {
		t.Fatalf("%v %q %v", accepted, host, err)
	}
	if beyond := judgeGate(found, accepted); len(beyond) != 0 {
		t.Errorf("beyond itself: %+v", beyond)
	}
	worse := []held{{"a load", allocations, 3}, {"a load", bytesRead, 1500}, {"a load", cpuPerGB, 0.9}, {"another", reads, 0}}
	if beyond := judgeGate(worse, accepted); len(beyond) != 4 || onlyCPU(beyond) || !onlyCPU(beyond[2:3]) {
		t.Errorf("%+v", beyond)
	}
	if _, _, err := readGate(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("read what is not there")
	}
}
