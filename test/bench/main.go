package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
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
	var (
		rows      = flag.String("rows", "", "measure only rows whose name contains one of these, separated by commas")
		variants  = flag.String("variants", "", "measure only variants whose name contains one of these, separated by commas")
		list      = flag.Bool("list", false, "list the rows")
		load      = flag.Bool("generate", false, "be a load generator, for the harness alone")
		bin       = flag.String("bin", "", "a holdfast program; without it this checkout is built")
		against   = flag.String("against", "", "another holdfast program, to be measured in Kafka's place: before and after a change")
		temp      = flag.String("dir", "", "where data folders are made (the file system that is measured; default: the system's)")
		out       = flag.String("json", "", "write all measurements to this file")
		warmGB    = flag.Float64("warm", 4, "GB of guest memory to touch before each measurement")
		write     = flag.Bool("write", false, "write docs/performance.md and its pictures")
		from      = flag.String("from", "", "measure nothing: take the measurements from these files of -json, separated by commas")
		note      = flag.String("note", "", "what readers of the report must know, first of all")
		curves    = flag.Bool("curves", false, "measure how cost grows, too: partitions, connections, record size, GB kept")
		gate      = flag.Bool("gate", false, "compare what a request costs with the accepted figures; needs no Kafka, and no quiet machine")
		accept    = flag.Bool("accept", false, "with -gate: make what is measured the accepted figures")
		serveArgs = flag.String("serve", "", "further arguments of holdfast serve, separated by spaces")
	)
	flag.BoolVar(&b.share, "share", false, "let rows share a broker instead of a fresh one each, where what they measure allows it")
	short := flag.Bool("short", false, "all rows in about half an hour: -share -scale 0.1 -warmup 1s -warm 1, where not said otherwise")
	flag.IntVar(&b.rounds, "rounds", 3, "rounds")
	flag.Float64Var(&b.scale, "scale", 1, "scale all amounts; published figures are of 1")
	flag.DurationVar(&b.warmup, "warmup", 5*time.Second, "load before the clock starts")
	flag.BoolVar(&b.keep, "keep", false, "keep the data folders")
	flag.StringVar(&b.profiles, "profile", "", "write CPU profiles of Holdfast into this folder")
	flag.Parse()
	if *short {
		if err := setUnlessGiven(map[string]string{"share": "true", "scale": "0.1", "warmup": "1s", "warm": "1"}); err != nil {
			return err
		}
	}
	b.warmBytes = int(*warmGB * 1e9)
	if *load {
		return generate(ctx, os.Stdin, os.Stdout)
	}
	if *gate {
		b.warmBytes = 0
		if err := b.prepareHoldfast(ctx, *temp, *bin, strings.Fields(*serveArgs), true); err != nil {
			return err
		}
		defer os.RemoveAll(b.temp)
		return b.gate(ctx, *accept)
	}
	chosen := choose(b.rows(), *rows, *variants)
	if *curves {
		chosen = append(chosen, choose(b.curves(), *rows, *variants)...)
	}
	if *list {
		for _, r := range chosen {
			fmt.Printf("%-32s %4.0f s a round  %s\n", r.name, b.estimate(r).Seconds(), r.what)
		}
		fmt.Printf("%d rows, %d rounds: about %v on a quiet machine\n", len(chosen), b.rounds, b.estimateAll(chosen))
		return nil
	}
	report := &report{Host: describeHost(), Began: time.Now(), Scale: b.scale, WarmGB: *warmGB, Rounds: b.rounds, Shared: b.share}
	if *from != "" {
		if err := report.load(*from); err != nil {
			return err
		}
	} else if err := b.prepare(ctx, *temp, *bin, *against, strings.Fields(*serveArgs)); err != nil {
		return err
	} else if err := b.measureAll(ctx, chosen, report, *out); err != nil {
		return errors.Join(err, report.markdown(os.Stdout, b.rows())) // what there is
	}
	if *note != "" {
		report.Note = *note
	}
	if err := report.markdown(os.Stdout, b.rows()); err != nil {
		return err
	}
	if *write {
		return report.publish(b.rows())
	}
	return nil
}

// choose keeps the rows and variants whose names contain one of the wanted words.
func choose(all []row, rows, variants string) (chosen []row) {
	for _, r := range all {
		if !named(r.name, rows) {
			continue
		}
		var kept []variant
		for _, v := range r.variants {
			if named(v.name, variants) {
				kept = append(kept, v)
			}
		}
		r.variants = kept
		chosen = append(chosen, r)
	}
	return chosen
}

func named(name, words string) bool {
	for word := range strings.SplitSeq(words, ",") {
		if strings.Contains(name, strings.TrimSpace(word)) {
			return true
		}
	}
	return false
}

// setUnlessGiven sets flags that the command line leaves alone.
func setUnlessGiven(values map[string]string) error {
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range values {
		if !given[name] {
			if err := flag.Set(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepare builds what is measured.
func (b *bench) prepare(ctx context.Context, temp, bin, against string, serveArgs []string) (err error) {
	if err := b.prepareHoldfast(ctx, temp, bin, serveArgs, b.profiles != ""); err != nil {
		return err
	}
	if against != "" {
		b.systems["kafka"] = holdfast(against, serveArgs, b.profiles != "")
		return nil
	}
	classpath, err := kafkaClasspath()
	b.systems["kafka"] = kafka(classpath)
	return err
}

func (b *bench) prepareHoldfast(ctx context.Context, temp, bin string, serveArgs []string, profiled bool) (err error) {
	if b.temp, err = os.MkdirTemp(temp, "holdfast-bench-"); err != nil {
		return err
	}
	b.device = deviceOf(b.temp)
	if bin == "" {
		if bin, err = buildHoldfast(ctx, b.temp); err != nil {
			return err
		}
	}
	b.systems = map[string]*system{"holdfast": holdfast(bin, serveArgs, profiled)}
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
