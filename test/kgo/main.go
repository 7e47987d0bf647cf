package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const suite = "github.com/twmb/franz-go/pkg/kgo"

// Records that go through each chain of groups. The long form's is the suite's own default.
const (
	shortRecords = 20_000
	longRecords  = 500_000
)

//go:embed skips.txt
var skipList string

// options is what a person asks for.
type options struct {
	target  string        // holdfast or kafka
	seeds   string        // a broker that is there already, HOST:PORT; then none is started
	bin     string        // a built holdfast; "" builds one
	listen  string        // HOST:PORT of the broker; "" is a free port
	run     string        // a regular expression of tests
	records int           // in each chain of groups
	limit   time.Duration // for the whole suite
	keep    string        // file for all that the tests print; "" for none
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, parse())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kgo:", err)
		os.Exit(1)
	}
}

func parse() options {
	var o options
	long := flag.Bool("long", false, fmt.Sprintf("%d records through each chain of groups, not %d", longRecords, shortRecords))
	flag.StringVar(&o.target, "target", "holdfast", "what is judged: holdfast or kafka")
	flag.StringVar(&o.seeds, "seeds", "", "judge the broker of this address, which is of the kind that -target says")
	flag.StringVar(&o.bin, "bin", os.Getenv("HOLDFAST_BIN"), "a holdfast program; without it this tree is built")
	flag.StringVar(&o.listen, "listen", "", "address for the broker that is started (default: a free port)")
	flag.StringVar(&o.run, "run", "", "only tests that match this regular expression")
	flag.IntVar(&o.records, "records", 0, "records through each chain of groups")
	flag.DurationVar(&o.limit, "timeout", 0, "for the whole suite (default 6m, with -long 30m)")
	flag.StringVar(&o.keep, "output", "", "keep all that the tests print in this file")
	flag.Parse()
	records, limit := shortRecords, 6*time.Minute
	if *long {
		records, limit = longRecords, 30*time.Minute
	}
	if o.records == 0 {
		o.records = records
	}
	if o.limit == 0 {
		o.limit = limit
	}
	return o
}

func run(ctx context.Context, o options) error {
	skips, err := readSkips(skipList, o.target)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "holdfast-kgo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // a temporary folder
	tests := filepath.Join(dir, "suite")
	if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", tests, suite).CombinedOutput(); err != nil {
		return fmt.Errorf("build the suite: %w\n%s", err, out)
	}
	seeds, end := o.seeds, func() error { return nil }
	var b *broker
	if seeds == "" {
		if b, err = startBroker(ctx, dir, o); err != nil {
			return err
		}
		seeds, end = b.addr, b.stop
	}
	begun := time.Now()
	v, err := judge(ctx, o, tests, seeds)
	if stopped := end(); err == nil {
		err = stopped
	}
	if err != nil {
		return err
	}
	good := v.report(os.Stdout, skips, o.run == "")
	fmt.Printf("%s, %d records a chain, %s\n", o.target, o.records, time.Since(begun).Round(time.Second))
	if good {
		return nil
	}
	if b != nil {
		fmt.Printf("\nthe broker's last words:\n%s", b.tail())
	}
	return errors.New("the suite is not as it should be")
}

// judge runs the tests and hears what becomes of each.
func judge(ctx context.Context, o options, tests, seeds string) (*verdict, error) {
	folder, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", suite).Output()
	if err != nil {
		return nil, fmt.Errorf("find the suite's folder: %w", err)
	}
	args := []string{"tool", "test2json", "-t", tests, "-test.v=test2json", "-test.timeout=" + o.limit.String()}
	if o.run != "" {
		args = append(args, "-test.run="+o.run)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = strings.TrimSpace(string(folder))
	// One replica; committed offsets are asked for with require-stable; its log of the client is of no use here.
	cmd.Env = append(os.Environ(), "KGO_SEEDS="+seeds, "KGO_TEST_RF=1", "KGO_TEST_STABLE_FETCH=true", "KGO_LOG_LEVEL=none",
		"KGO_TEST_RECORDS="+strconv.Itoa(o.records))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // test2json does not end its child
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = cmd.Stdout
	events := bufio.NewReader(out)
	if o.keep != "" {
		file, err := os.Create(o.keep)
		if err != nil {
			return nil, err
		}
		defer file.Close() // of no consequence to the verdict
		events = bufio.NewReader(io.TeeReader(out, file))
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the suite: %w", err)
	}
	v, err := listen(events)
	if ended := cmd.Wait(); ended != nil && v.failures() == 0 && err == nil {
		err = fmt.Errorf("no test failed, but the suite ended with: %w\n%s", ended, v.loose)
	}
	return v, err
}
