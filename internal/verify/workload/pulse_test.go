package workload

import (
	"context"
	"errors"
	"testing"
	"time"
)

// Await returns when every partition that ever answered has answered again, and not before.
func TestPulseAwait(t *testing.T) {
	p := NewPulse(3)
	p.acked(0)
	p.acked(1) // 2 never answers
	since := time.Now()
	done := make(chan time.Time, 1)
	go func() {
		at, err := p.Await(t.Context(), since)
		if err != nil {
			t.Error(err)
		}
		done <- at
	}()
	p.acked(1)
	select {
	case <-done:
		t.Fatal("partition 0 has not answered yet")
	default:
	}
	p.acked(0)
	if at := <-done; !at.After(since) {
		t.Errorf("came at %v, before %v", at, since)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Await(ended, time.Now().Add(time.Hour)); !errors.Is(err, context.Canceled) {
		t.Errorf("nothing came: %v", err)
	}
	if _, err := NewPulse(1).Await(ended, time.Time{}); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody ever answered: %v", err)
	}
	s := p.Summary()
	if len(s.Gaps) != 3 || s.Gaps[0] <= 0 || s.Gaps[2] != 0 {
		t.Errorf("gaps %v", s.Gaps)
	}
	sum := int64(0)
	for _, n := range s.Series {
		sum += n
	}
	if sum != 4 {
		t.Errorf("%d acknowledgements in the series, want 4", sum)
	}
}

// However many errors there are, few are kept apart.
func TestPulseErrors(t *testing.T) {
	p := NewPulse(1)
	for i := range 1000 {
		p.failed(errors.New(time.Duration(i).String()))
	}
	s, all := p.Summary(), int64(0)
	for _, n := range s.Errors {
		all += n
	}
	if len(s.Errors) > most+1 || all != 1000 {
		t.Errorf("%d kinds, %d errors", len(s.Errors), all)
	}
}
