package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const readyLine = "ready"

// generator is the load generator's side of the pipe.
type generator struct {
	work
	in  *bufio.Reader
	out io.Writer

	began time.Time
	cpu   time.Duration
}

// generate is what the process does that was started with -generate: read a work, prepare, say ready, wait for the
// word, do it, answer.
func generate(ctx context.Context, in io.Reader, out io.Writer) error {
	g := &generator{in: bufio.NewReader(in), out: out}
	if err := json.NewDecoder(lineReader(g.in)).Decode(&g.work); err != nil {
		return fmt.Errorf("read the work: %w", err)
	}
	if g.Create {
		if err := g.createTopic(ctx); err != nil {
			return fmt.Errorf("create topic %s: %w", g.Topic, err)
		}
	}
	do := map[string]func(context.Context) (result, error){
		"produce": g.produce, "consume": g.consume, "count": g.count, "mixed": g.mixed,
		"topics": g.topics, "connections": g.connections, "group": g.group, "commits": g.commits,
	}[g.Kind]
	if do == nil {
		return fmt.Errorf("unknown kind of work %q", g.Kind)
	}
	r, err := do(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", g.Kind, err)
	}
	return json.NewEncoder(out).Encode(r)
}

// lineReader is a reader of the next line only, so that the decoder does not read ahead.
func lineReader(in *bufio.Reader) io.Reader {
	line, _ := in.ReadString('\n') // an error leaves an empty line, which does not decode
	return strings.NewReader(line)
}

// ready tells the harness that all is prepared, and starts the clock when it says so.
func (g *generator) ready() error {
	if _, err := fmt.Fprintln(g.out, readyLine); err != nil {
		return err
	}
	if _, err := g.in.ReadString('\n'); err != nil {
		return fmt.Errorf("wait for the start: %w", err)
	}
	g.began, g.cpu = time.Now(), ownCPU()
	return nil
}

// stop fills in what the clock says; ended is when the last answer came.
func (g *generator) stop(r *result, ended time.Time) {
	r.Seconds = ended.Sub(g.began).Seconds()
	r.CPUSeconds = (ownCPU() - g.cpu).Seconds()
}

func ownCPU() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func (g *generator) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(g.Address), kgo.MetadataMinAge(100 * time.Millisecond)}, opts...)...)
}

// createTopic makes the topic and waits until all its partitions are led.
func (g *generator) createTopic(ctx context.Context) error {
	cl, err := g.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	configs := map[string]*string{}
	for k, v := range g.Configs {
		configs[k] = &v
	}
	admin := kadm.NewClient(cl)
	if _, err := admin.CreateTopic(ctx, g.Partitions, 1, configs, g.Topic); err != nil {
		return err
	}
	return g.awaitLeaders(ctx, admin, int(g.Partitions), g.Topic)
}

// awaitLeaders asks until so many partitions of the topics whose name begins so have a leader.
func (g *generator) awaitLeaders(ctx context.Context, admin *kadm.Client, partitions int, prefix string) error {
	for {
		m, err := admin.Metadata(ctx)
		if err != nil {
			return err
		}
		led := 0
		for name, t := range m.Topics {
			for _, p := range t.Partitions {
				if strings.HasPrefix(name, prefix) && t.Err == nil && p.Err == nil && p.Leader >= 0 {
					led++
				}
			}
		}
		if led >= partitions {
			return nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
