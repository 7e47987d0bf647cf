package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kgo"
)

// execGrace is how long a command that runs may go on after an interrupt.
const execGrace = 30 * time.Second

// execFlags are the flags of consume --exec.
type execFlags struct {
	command string
	batch   int
	retries int
	wait    time.Duration
	timeout time.Duration
}

func (e *execFlags) add(f *pflag.FlagSet) {
	f.StringVar(&e.command, "exec", "", "with --group: run this with sh -c for each record, the record on its standard input, and commit when it exits 0")
	f.IntVar(&e.batch, "batch", 1, "with --exec: up to so many records of one partition for each run")
	f.IntVar(&e.retries, "exec-retries", 0, "with --exec: run it again up to so many times when it fails")
	f.DurationVar(&e.wait, "exec-retry-wait", time.Second, "with --exec: time before the first further try; it doubles, up to a minute")
	f.DurationVar(&e.timeout, "exec-timeout", 0, "with --exec: kill a run that takes longer; 0 lets it take its time")
}

func (e *execFlags) check(c *consume) error {
	switch {
	case e.command == "":
		for _, name := range []string{"batch", "exec-retries", "exec-retry-wait", "exec-timeout"} {
			if c.cmd.Flags().Changed(name) {
				return usage("Add --exec COMMAND.", "--%s means something with --exec only", name)
			}
		}
	case e.batch < 1 || e.retries < 0 || e.wait < 0 || e.timeout < 0:
		return usage("", "--batch is 1 or more; retries, waits and time-outs are not negative")
	}
	return nil
}

// runner runs the command for records of one partition and tells for how many it exited 0.
func (e *execFlags) runner(a *app, group, format string) func(context.Context, []*kgo.Record) (int, error) {
	return func(ctx context.Context, records []*kgo.Record) (int, error) {
		var input bytes.Buffer
		print, err := recordPrinter(&input, format)
		if err != nil {
			return 0, err
		}
		for _, r := range records {
			if err := print(r); err != nil {
				return 0, err
			}
		}
		if err := e.run(ctx, a, environment(group, records), input.Bytes()); err != nil {
			first, last := records[0], records[len(records)-1]
			where := fmt.Sprintf("%s partition %d offset %d", first.Topic, first.Partition, first.Offset)
			if last != first {
				where += fmt.Sprintf(" to %d", last.Offset)
			}
			return 0, failed(err, "It is not committed: the group goes on there. `holdfast group reset` skips it.", "the command failed for %s: %v", where, err)
		}
		return len(records), nil
	}
}

// run runs the command until it exits 0 or its tries are used up.
func (e *execFlags) run(ctx context.Context, a *app, env []string, input []byte) error {
	wait := e.wait
	for try := 0; ; try++ {
		err := e.once(ctx, a, env, input)
		if err == nil || try == e.retries || ctx.Err() != nil {
			if err != nil && try > 0 {
				err = fmt.Errorf("%w (%d tries)", err, try+1)
			}
			return err
		}
		a.notice("the command failed: %v; try %d of %d in %v", err, try+2, e.retries+1, wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
		wait = min(2*wait, time.Minute)
	}
}

var errTooLong = errors.New("it took longer than --exec-timeout")

// once runs the command. An interrupt lets it end by itself, within a limit; what runs when that is over is killed.
func (e *execFlags) once(ctx context.Context, a *app, env []string, input []byte) error {
	if e.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, e.timeout, errTooLong)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", e.command)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), a.env.Out, a.env.Err
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = execGrace
	cmd.Cancel = func() error {
		if context.Cause(ctx) == errTooLong {
			return cmd.Process.Kill()
		}
		return os.ErrProcessDone // no: but this lets it go on until WaitDelay is over
	}
	err := cmd.Run()
	if context.Cause(ctx) == errTooLong && err != nil {
		return errTooLong
	}
	return err
}

// environment tells the command which records it has.
func environment(group string, records []*kgo.Record) []string {
	first, last := records[0], records[len(records)-1]
	env := []string{
		"HOLDFAST_GROUP=" + group, "HOLDFAST_TOPIC=" + first.Topic, "HOLDFAST_PARTITION=" + strconv.Itoa(int(first.Partition)),
		"HOLDFAST_OFFSET=" + strconv.FormatInt(first.Offset, 10), "HOLDFAST_LAST_OFFSET=" + strconv.FormatInt(last.Offset, 10),
		"HOLDFAST_RECORDS=" + strconv.Itoa(len(records)), "HOLDFAST_TIMESTAMP_MS=" + strconv.FormatInt(first.Timestamp.UnixMilli(), 10),
	}
	if key := string(first.Key); len(records) == 1 && first.Key != nil && utf8.ValidString(key) && !strings.Contains(key, "\x00") {
		env = append(env, "HOLDFAST_KEY="+key)
	}
	return env
}
