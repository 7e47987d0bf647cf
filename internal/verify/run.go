package verify

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"holdfast/internal/verify/check"
	"holdfast/internal/verify/workload"
)

const (
	settle     = time.Second      // of load after the last recovery, and before the first kill
	outcomes   = time.Minute      // for the outcomes of the last records
	readBack   = 10 * time.Minute // for the whole log
	catchUp    = 30 * time.Second // for the reader that follows
	setupLimit = 30 * time.Second
)

// run is one run of a scenario.
type run struct {
	o      Options
	random *rand.Rand
	judge  *workload.Judge
	pulse  *workload.Pulse
	report *Report

	producers []*workload.Producer
	tail      *workload.Tail
	teams     []*team
	marks     []int64 // when each fault was, ns since 1970
	sending   sync.WaitGroup
	reading   sync.WaitGroup
	stopSend  context.CancelFunc
	stopRead  context.CancelFunc
}

// Run makes the topic, runs the scenario and returns what it came to. An error means that it could not be run.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.Say == nil {
		o.Say = func(string) {}
	}
	r := &run{o: o, random: rand.New(rand.NewPCG(o.Seed, 1)), report: newReport(&o)}
	var names []string
	for p := range o.Partitions {
		names = append(names, fmt.Sprintf("%s-%d", o.Topic, p))
	}
	r.judge = workload.NewJudge(check.New(check.Options{Partitions: names}), rand.Uint64())
	if err := r.createTopic(ctx); err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	if err := r.faults(ctx); err != nil {
		return nil, err
	}
	if err := r.finish(ctx); err != nil {
		return nil, err
	}
	r.judge.Tell(func(c *check.Checker) { r.report.Report = c.Finish() })
	r.report.conclude(&o, r.pulse.Summary(), r.tail.Errors())
	return r.report, nil
}

func (r *run) createTopic(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, setupLimit)
	defer cancel()
	client, err := r.o.Open(nil)
	if err != nil {
		return err
	}
	defer client.Close()
	configs := map[string]*string{}
	for k, v := range r.o.Configs {
		configs[k] = &v
	}
	if _, err := kadm.NewClient(client).CreateTopic(ctx, r.o.Partitions, r.o.Replication, configs, r.o.Topic); err != nil {
		return fmt.Errorf("create topic %s: %w", r.o.Topic, err)
	}
	return nil
}

// start opens all clients, lets the load flow and waits until each partition takes it.
func (r *run) start(ctx context.Context) error {
	r.pulse = workload.NewPulse(r.o.Partitions)
	var err error
	if r.tail, err = workload.NewTail(r.o.Topic, r.o.Partitions, r.o.Open, r.judge); err != nil {
		return err
	}
	load := r.o.Load
	load.Topic, load.Partitions = r.o.Topic, r.o.Partitions
	for i := range r.o.Producers {
		p, err := workload.NewProducer(fmt.Sprintf("p%d", i), load, r.o.Open, r.judge, r.pulse, r.random.Uint64())
		if err != nil {
			return err
		}
		r.producers = append(r.producers, p)
	}
	sending, stopSend := context.WithCancel(ctx)
	reading, stopRead := context.WithCancel(ctx)
	r.stopSend, r.stopRead = stopSend, stopRead
	r.reading.Go(func() { r.tail.Run(reading) })
	for _, p := range r.producers {
		r.sending.Go(func() { p.Run(sending) })
	}
	first, cancel := context.WithTimeout(ctx, setupLimit)
	defer cancel()
	if _, err := r.pulse.Await(first, time.Time{}); err != nil {
		return fmt.Errorf("no record was acknowledged within %s%s: %w", setupLimit, firstError(r.pulse.Summary().Errors), err)
	}
	return nil
}

func firstError(errors map[string]int64) string {
	for text := range errors { // order-free: any will do
		return " (" + text + ")"
	}
	return ""
}

// faults is the middle of the run: rounds of kills, or just time.
func (r *run) faults(ctx context.Context) error {
	if err := r.startGroups(ctx); err != nil {
		return err
	}
	if !r.o.faults() {
		r.say("load for %s", r.o.Duration)
		return pause(ctx, r.o.Duration)
	}
	if err := pause(ctx, settle); err != nil {
		return err
	}
	rounds := r.kills
	if r.o.Scenario.Deed != "" {
		rounds = r.memberRounds
	}
	if err := rounds(ctx); err != nil {
		return err
	}
	if r.report.Broken != "" {
		return nil
	}
	return pause(ctx, settle)
}

// finish ends the load, reads everything back and lets the reader that followed come to the end.
func (r *run) finish(ctx context.Context) error {
	r.stopSend()
	r.sending.Wait()
	if r.report.Broken != "" {
		r.endGroups(ctx, nil)
		return nil
	}
	r.say("waiting for the last outcomes")
	for _, p := range r.producers {
		left, err := p.Close(outcomes)
		if err != nil {
			return err
		}
		r.report.Unanswered += left
	}
	r.producers = nil
	r.say("reading everything back")
	audit, cancel := context.WithTimeout(ctx, readBack)
	defer cancel()
	ends, err := workload.Audit(audit, r.o.Topic, r.o.Partitions, r.o.Open, r.judge)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.report.Remarks = append(r.report.Remarks, fmt.Sprintf("the log could not be read back: %v", err))
		r.endGroups(ctx, nil)
		return nil
	}
	following, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	if err := r.tail.Finish(following, ends); err != nil {
		r.report.Missed = append(r.report.Missed, err.Error())
	}
	r.stopRead()
	r.reading.Wait()
	r.endGroups(ctx, ends)
	return ctx.Err()
}

// close ends what a run that was given up leaves.
func (r *run) close() {
	if r.stopSend != nil {
		r.stopSend()
		r.stopRead()
	}
	r.sending.Wait()
	r.reading.Wait()
	for _, t := range r.teams {
		t.close()
	}
	for _, p := range r.producers {
		_, _ = p.Close(time.Millisecond) // the run has its error already, or its verdict
	}
	if r.tail != nil {
		r.tail.Close()
	}
}

func (r *run) say(format string, args ...any) { r.o.Say(fmt.Sprintf(format, args...)) }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
