package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench is one run of the program.
type bench struct {
	rounds    int
	scale     float64       // of all amounts; 1 is what the published figures are of
	warmup    time.Duration // of each measured load
	warmBytes int
	share     bool                // rows share one broker of each system, and delete their topics
	shared    map[string]*session // by system
	keep      bool
	device    string // statistics of the data folders' device
	profiles  string // folder for CPU profiles of Holdfast
	temp      string // holds all data folders
	progress  io.Writer
	systems   map[string]*system
}

func main() {
	runtime.LockOSThread() // see dieWithParent
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	b := &bench{progress: os.Stderr}
	o, err := b.parse()
	switch {
	case err != nil:
		return err
	case o.load:
		return generate(ctx, os.Stdin, os.Stdout)
	case o.gate:
		return b.runGate(ctx, o)
	}
	chosen := choose(b.rows(), o)
	if o.curves {
		chosen = append(chosen, choose(b.curves(), o)...)
	}
	if o.list {
		b.list(chosen)
		return nil
	}
	report := &report{Host: describeHost(), Began: time.Now(), Scale: b.scale, WarmGB: float64(b.warmBytes) / 1e9, Rounds: b.rounds, Shared: b.share}
	if o.from != "" {
		if err := report.load(o.from); err != nil {
			return err
		}
	} else if err := b.prepare(ctx, o); err != nil {
		return err
	} else if err := b.measureAll(ctx, chosen, report, o.out); err != nil {
		return errors.Join(err, report.markdown(os.Stdout, b.rows())) // what there is
	}
	if o.note != "" {
		report.Note = o.note
	}
	if err := report.markdown(os.Stdout, b.rows()); err != nil {
		return err
	}
	if o.write {
		return report.publish(b.rows())
	}
	return nil
}

func (b *bench) list(rows []row) {
	for _, r := range rows {
		fmt.Printf("%-44s %4.0f s a round  %s\n", r.name, b.estimate(r).Seconds(), r.what)
	}
	fmt.Printf("%d rows, %d rounds: about %v on a quiet machine\n", len(rows), b.rounds, b.estimateAll(rows))
}

// runGate needs Holdfast alone.
func (b *bench) runGate(ctx context.Context, o options) error {
	b.warmBytes = 0
	if err := b.prepareHoldfast(ctx, o, true); err != nil {
		return err
	}
	defer os.RemoveAll(b.temp)
	return b.gate(ctx, o.accept)
}

// choose keeps the rows and variants whose names contain one of the wanted words, and of the rows none of the unwanted.
func choose(all []row, o options) (chosen []row) {
	for _, r := range all {
		if !named(r.name, o.rows) || o.skip != "" && named(r.name, o.skip) {
			continue
		}
		if o.tuned && slices.Contains(names(r.variants), theirs.name) && !r.alone {
			r.variants = slices.Insert(slices.Clone(r.variants), 1, theirsTuned)
		}
		var kept []variant
		for _, v := range r.variants {
			if named(v.name, o.variants) {
				kept = append(kept, v)
			}
		}
		r.variants = kept
		chosen = append(chosen, r)
	}
	return chosen
}

func names(variants []variant) (list []string) {
	for _, v := range variants {
		list = append(list, v.name)
	}
	return list
}

func named(name, words string) bool {
	for word := range strings.SplitSeq(words, ",") {
		if strings.Contains(name, strings.TrimSpace(word)) {
			return true
		}
	}
	return false
}

// prepare builds what is measured.
func (b *bench) prepare(ctx context.Context, o options) error {
	if err := b.prepareHoldfast(ctx, o, b.profiles != ""); err != nil {
		return err
	}
	if o.against != "" {
		b.systems["kafka"] = holdfast(o.against, strings.Fields(o.serveArgs), b.profiles != "")
		return nil
	}
	classpath, err := kafkaClasspath()
	b.systems["kafka"] = kafka("kafka", classpath, "1g", nil)
	b.systems["kafka tuned"] = kafka("kafka tuned", classpath, "4g", tuning())
	return err
}

func (b *bench) prepareHoldfast(ctx context.Context, o options, profiled bool) (err error) {
	if b.temp, err = os.MkdirTemp(o.temp, "holdfast-bench-"); err != nil {
		return err
	}
	b.device = deviceOf(b.temp)
	bin := o.bin
	if bin == "" {
		if bin, err = buildHoldfast(ctx, b.temp); err != nil {
			return err
		}
	}
	b.systems = map[string]*system{"holdfast": holdfast(bin, strings.Fields(o.serveArgs), profiled)}
	return nil
}

// measureAll runs all rounds of all rows, and keeps what it has when it is interrupted or a row fails.
func (b *bench) measureAll(ctx context.Context, rows []row, to *report, out string) error {
	defer func() {
		if !b.keep {
			_ = os.RemoveAll(b.temp) // a temporary folder
		}
	}()
	defer b.closeShared()
	fmt.Fprintf(b.progress, "%d rows, %d rounds: about %v on a quiet machine\n", len(rows), b.rounds, b.estimateAll(rows))
	for i, r := range rows {
		fmt.Fprintf(b.progress, "%v to go: %s\n", b.estimateAll(rows[i:]), r.name)
		for round := range b.rounds {
			for _, m := range b.round(ctx, r, round) {
				fmt.Fprintf(b.progress, "%-32s %-18s round %d  %s\n", m.Row, m.Variant, m.Round+1, m)
				to.Measurements = append(to.Measurements, m)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := to.save(out); err != nil {
				return err
			}
		}
	}
	return nil
}
