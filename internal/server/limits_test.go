package server

import (
	"math"
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	at := time.Unix(1000, 0)
	b := bucket{}
	for i := range 10 {
		if wait := b.take(at, 10); wait != 0 {
			t.Fatalf("after a rest the %d. of 10 waits %v", i+1, wait)
		}
	}
	if wait := b.take(at, 10); wait != 100*time.Millisecond {
		t.Errorf("the 11th waits %v, want 100 ms", wait)
	}
	if wait := b.take(at.Add(100*time.Millisecond), 10); wait != 0 {
		t.Errorf("100 ms later it still waits %v", wait)
	}
	if wait := b.take(at.Add(time.Hour), 0); wait < time.Minute {
		t.Errorf("a rate of 0 waits %v", wait)
	}
	for range 10_000 {
		if wait := b.take(at.Add(2*time.Hour), math.MaxInt32); wait != 0 {
			t.Fatalf("without a limit one waits %v", wait)
		}
	}
	// Over a long time it is the rate, however often it is asked.
	b = bucket{}
	taken := 0
	for ms := range 10_000 {
		for b.take(at.Add(time.Duration(ms)*time.Millisecond), 50) == 0 {
			taken++
		}
	}
	if taken < 540 || taken > 560 {
		t.Errorf("%d in ten seconds at 50 a second after a rest, want 550", taken)
	}
}
