package sim

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var (
	runs    = flag.Int("sim.runs", 200, "how many runs")
	seed    = flag.Uint64("sim.seed", 1, "seed of the first run; the others follow")
	safety  = flag.Duration("sim.safety", 0, "simulated time in which faults happen; 0: each run draws its own")
	enough  = flag.Int("sim.enough", 10, "violations after which to stop")
	showAll = flag.Bool("sim.trace", false, "print every line of every run")
)

// TestSim lives many lives.
func TestSim(t *testing.T) {
	bench, err := NewBench()
	if err != nil {
		t.Fatal(err)
	}
	var (
		next   atomic.Int64
		mu     sync.Mutex
		failed []Result
		total  Result
		wg     sync.WaitGroup
		began  = time.Now()

		cpuBegan = cpuTime(t)
	)
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // runs are short and their memory is small
	workers := min(runtime.GOMAXPROCS(0), *runs)
	for range workers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(*runs); i = next.Add(1) - 1 {
				o := Options{Seed: *seed + uint64(i), Safety: *safety}
				if *showAll {
					o.Trace = os.Stdout
				}
				r := bench.Run(o)
				mu.Lock()
				total.Steps += r.Steps
				total.Simulated += r.Simulated
				total.Counts.Add(r.Counts)
				if r.Err != nil {
					failed = append(failed, r)
				}
				stop := len(failed) >= *enough
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	wg.Wait()
	wall := time.Since(began)
	slices.SortFunc(failed, func(a, b Result) int { return int(a.Seed) - int(b.Seed) })
	for i, r := range failed {
		if i == 0 {
			t.Errorf("%v", r.Err)
			continue
		}
		first, _, _ := strings.Cut(r.Err.Error(), "\n")
		t.Errorf("and %s", first)
	}
	simulated, cpu := total.Simulated.Seconds(), (cpuTime(t) - cpuBegan).Seconds()
	t.Logf("%d runs, seeds from %d: %.0f s simulated in %.1f s by %d workers, %.0f times as fast; %.0f per second of a core; %d steps",
		*runs, *seed, simulated, wall.Seconds(), workers, simulated/wall.Seconds(), simulated/cpu, total.Steps)
	t.Log(total.Counts)
	if n := len(failed); n > 0 {
		t.Logf("%d runs found something; the first was schedule %d", n, failed[0].Seed-*seed+1)
	}
	if *runs >= 200 && !t.Failed() {
		for i, n := range total.Counts {
			if n == 0 {
				t.Errorf("in %d runs there were 0 %s: what did not happen was not tested", *runs, countNames[i])
			}
		}
	}
}

// cpuTime is what the process has computed so far, on all cores.
func cpuTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestReplay: the same seed is the same run, to the last operation of the disk.
func TestReplay(t *testing.T) {
	bench, err := NewBench()
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewBench()
	if err != nil {
		t.Fatal(err)
	}
	hashes := map[uint64]bool{}
	for s := range uint64(10) {
		one := bench.Run(Options{Seed: s, Safety: 20 * time.Second})
		two := other.Run(Options{Seed: s, Safety: 20 * time.Second})
		if one.Hash != two.Hash || one.Steps != two.Steps {
			t.Errorf("seed %d: hash %x after %d steps, then %x after %d", s, one.Hash, one.Steps, two.Hash, two.Steps)
		}
		hashes[one.Hash] = true
	}
	if len(hashes) < 10 {
		t.Errorf("10 seeds gave %d different runs", len(hashes))
	}
}

func ExampleOptions() {
	bench, err := NewBench()
	if err != nil {
		panic(err)
	}
	r := bench.Run(Options{Seed: 42, Safety: 5 * time.Second})
	fmt.Println(r.Seed, r.Err)
	// Output: 42 <nil>
}
