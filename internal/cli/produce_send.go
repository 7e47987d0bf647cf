package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"holdfast/internal/verify/check"
	"holdfast/internal/verify/workload"
)

// sender sends records and keeps count of what became of them.
type sender struct {
	app     *app
	client  *client
	handler *failureHandler
	witness *workload.Witness

	transaction string // the transactional id; empty for none

	mu     sync.Mutex
	counts sendCounts
	first  error // the first record's failure

	finished bool // all of the input was read and sent; owned by send's caller
}

// sendCounts is what the user is told at the end; their sum is the number of records read.
type sendCounts struct {
	Acked   int64 `json:"acked"`
	Failed  int64 `json:"failed"`  // surely not in the log
	Unknown int64 `json:"unknown"` // may or may not be in the log
}

// send sends what next returns until io.EOF, waits for every outcome and reports the counts.
// An interrupt ends the reading; what was read is still sent.
func (s *sender) send(ctx context.Context, next func() (*kgo.Record, error)) error {
	if err := s.begin(); err != nil {
		return err
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	sending, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	deadlines := &deadlines{parent: sending, timeout: s.client.settings.deliveryTimeout()}
	defer deadlines.stop()
	stopProgress := s.app.progress(s.progressLine)
	input := readAhead(reading, next)
	var inputErr error
loop:
	for {
		select {
		case <-reading.Done():
			break loop
		case res := <-input:
			if s.finished = errors.Is(res.err, io.EOF); s.finished {
				break loop
			}
			if res.err != nil {
				inputErr = res.err
				break loop
			}
			s.client.Produce(deadlines.next(), res.record, s.outcome(s.witness.Now(), stop))
		}
	}
	if s.stopped() {
		giveUp() // waits for no answer any more: what is in flight ends as unknown, the rest as failed
	}
	_ = s.client.Flush(context.WithoutCancel(ctx)) // its only error is the context's, which has no end; each record has its delivery timeout
	stopProgress()
	notEnded := s.end(ctx)
	return cmp.Or(s.report(ctx, inputErr), notEnded)
}

// outcome is called once a record, in the order of its partition.
func (s *sender) outcome(since uint64, stop context.CancelFunc) func(*kgo.Record, error) {
	return func(r *kgo.Record, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err == nil {
			s.counts.Acked++
			return
		}
		result := outcomeFailed
		if s.witness.Result(r.Partition, since) == check.Unsure {
			result = outcomeUnknown
			s.counts.Unknown++
		} else {
			s.counts.Failed++
		}
		if s.first == nil {
			s.first = err
		}
		if s.handler.handle(r, result, err) {
			stop()
		}
	}
}

func (s *sender) stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handler.stops && s.first != nil
}

func (s *sender) progressLine() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts.String()
}

func (c sendCounts) String() string {
	return fmt.Sprintf("acked %s, failed %s, unknown %s", comma(c.Acked), comma(c.Failed), comma(c.Unknown))
}

// report prints the counts on standard error and decides the exit code.
func (s *sender) report(ctx context.Context, inputErr error) error {
	spilled := s.handler.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	line := s.counts.String()
	if s.client.settings["acks"] == "0" {
		line += " (acks=0: acked means sent, nothing confirms it)"
	}
	fmt.Fprintln(s.app.env.Err, line)
	if s.app.json() {
		if err := jsonLine(s.app.env.Out, s.counts); err != nil {
			return err
		}
	}
	switch {
	case spilled != nil:
		return failed(spilled, "What is missing there is lost unless it can be read again.", "the spill directory could not be written: %v", spilled)
	case inputErr != nil:
		return inputErr
	case s.first != nil:
		return s.failure()
	case ctx.Err() != nil:
		return failed(ctx.Err(), "", "interrupted before the end of the input")
	}
	return nil
}

// failure says what kept records from being acked, and what to do about it.
func (s *sender) failure() error {
	notAcked := plural(s.counts.Failed+s.counts.Unknown, "record")
	remedy := ""
	if s.handler.spill != "" {
		remedy = "They are kept; send them with `holdfast produce --resend " + s.handler.spill + "`."
	}
	reason := s.client.explain(s.first, "send").Error()
	switch {
	case errors.Is(s.first, context.DeadlineExceeded):
		reason = fmt.Sprintf("no confirmation within the delivery timeout of %s", s.client.settings.deliveryTimeout())
	case errors.Is(s.first, kgo.ErrRecordRetries):
		reason = "tried as often as --retries allows"
	}
	return failed(s.first, remedy, "%s not acked; the first: %s", notAcked, reason)
}

// deadlines gives each record a context that ends with its delivery timeout. Records handed over at almost the same time
// share one. (The client library's own timeout counts from the record's timestamp, which may be years back.)
type deadlines struct {
	parent  context.Context
	timeout time.Duration
	current context.Context
	until   time.Time
	cancels []context.CancelFunc
}

func (d *deadlines) next() context.Context {
	now := time.Now()
	if d.current == nil || now.After(d.until) {
		d.until = now.Add(d.timeout / 100)
		ctx, cancel := context.WithDeadline(d.parent, d.until.Add(d.timeout))
		d.current, d.cancels = ctx, append(d.cancels, cancel)
		if len(d.cancels) > 200 { // the oldest ended long ago: each covers a hundredth of the timeout
			d.cancels[0]()
			d.cancels = d.cancels[1:]
		}
	}
	return d.current
}

// stop frees the contexts, once no record needs them any more.
func (d *deadlines) stop() {
	for _, cancel := range d.cancels {
		cancel()
	}
}
