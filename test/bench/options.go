package main

import (
	"flag"
	"time"
)

// options are the flags that are not of the bench itself.
type options struct {
	rows, skip, variants string
	list, load           bool
	bin, against, temp   string
	serveArgs            string
	out, from, note      string
	write, curves, tuned bool
	gate, accept         bool
}

func (b *bench) parse() (o options, err error) {
	var short bool
	var warmGB float64
	flag.StringVar(&o.rows, "rows", "", "measure only rows whose name contains one of these, separated by commas")
	flag.StringVar(&o.skip, "skip", "", "leave out rows whose name contains one of these, separated by commas")
	flag.StringVar(&o.variants, "variants", "", "measure only variants whose name contains one of these, separated by commas")
	flag.BoolVar(&o.list, "list", false, "list the rows, and how long they take")
	flag.BoolVar(&o.load, "generate", false, "be a load generator, for the harness alone")
	flag.StringVar(&o.bin, "bin", "", "a holdfast program; without it this checkout is built")
	flag.StringVar(&o.against, "against", "", "another holdfast program, to be measured in Kafka's place: before and after a change")
	flag.StringVar(&o.temp, "dir", "", "where data folders are made (the file system that is measured; default: the system's)")
	flag.StringVar(&o.out, "json", "", "write all measurements to this file")
	flag.BoolVar(&o.write, "write", false, "write docs/performance.md and its pictures")
	flag.StringVar(&o.from, "from", "", "measure nothing: take the measurements from these files of -json, separated by commas")
	flag.StringVar(&o.note, "note", "", "what readers of the report must know, first of all")
	flag.BoolVar(&o.curves, "curves", false, "measure how cost grows, too: partitions, connections, record size, GB kept")
	flag.BoolVar(&o.tuned, "tuned", false, "measure Kafka with more threads, larger buffers and a larger heap, too")
	flag.BoolVar(&o.gate, "gate", false, "compare what a request costs with the accepted figures; needs no Kafka, and no quiet machine")
	flag.BoolVar(&o.accept, "accept", false, "with -gate: make what is measured the accepted figures")
	flag.StringVar(&o.serveArgs, "serve", "", "further arguments of holdfast serve, separated by spaces")
	flag.BoolVar(&short, "short", false, "all rows in about half an hour: -share -scale 0.1 -warmup 1s -warm 1, where not said otherwise")
	flag.BoolVar(&b.share, "share", false, "let rows share a broker instead of a fresh one each, where what they measure allows it")
	flag.IntVar(&b.rounds, "rounds", 3, "rounds")
	flag.Float64Var(&b.scale, "scale", 1, "scale all amounts; published figures are of 1")
	flag.Float64Var(&warmGB, "warm", 4, "GB of guest memory to touch before each measurement")
	flag.DurationVar(&b.warmup, "warmup", 5*time.Second, "load before the clock starts")
	flag.BoolVar(&b.keep, "keep", false, "keep the data folders")
	flag.StringVar(&b.profiles, "profile", "", "write CPU profiles of Holdfast into this folder")
	flag.Parse()
	if short {
		err = setUnlessGiven(map[string]string{"share": "true", "scale": "0.1", "warmup": "1s", "warm": "1"})
	}
	b.warmBytes = int(warmGB * 1e9)
	return o, err
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
