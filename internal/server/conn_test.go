package server

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"math"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/base/metrics"
	"holdfast/internal/server/handler"
)

// served is a connection to a server over a pipe, in a bubble of fake time, and how it ended.
type served struct {
	net.Conn
	*Server
	ended chan string
}

func serve(t *testing.T, o Options) *served {
	t.Helper()
	none := metrics.Histogram{}
	o.Log = slog.New(slog.DiscardHandler)
	o.MaxFrame, o.IdleLimit, o.WriteLimit = 100<<20, 10*time.Minute, 10*time.Minute
	o.Frames, o.Work = handler.NewBudget(16<<20, none), handler.NewBudget(16<<20, none)
	if o.Answers == nil {
		o.Answers = handler.NewBudget(16<<20, none)
	}
	o.Limits = func() *Limits { return &Limits{math.MaxInt32, math.MaxInt32, nil, math.MaxInt32} }
	ended := make(chan string, 1)
	o.Metrics = Metrics{
		Opened: func(string) {}, Refused: func(string, string) {}, Panicked: func() { t.Error("a request broke the broker") },
		Violated: func() { t.Error("a request broke an invariant") },
		Closed:   func(_, reason string) { ended <- reason },
	}
	h := handler.New(handler.Options{Metrics: handler.NewMetrics(metrics.New()), Work: o.Work, Answers: o.Answers})
	s := New(h, o)
	ours, theirs := net.Pipe()
	s.take(t.Context(), theirs, "PLAINTEXT")
	t.Cleanup(func() { ours.Close() })
	return &served{ours, s, ended}
}

// want waits for the end of the connection.
func (s *served) want(t *testing.T, reason string, after time.Duration) {
	t.Helper()
	began := time.Now()
	got := <-s.ended
	if took := time.Since(began); got != reason || took < after || took > after+3*time.Second {
		t.Errorf("it ended after %v with %q, want %v with %q", took, got, after, reason)
	}
	for name, b := range map[string]*handler.Budget{"frames": s.options.Frames, "work": s.options.Work} {
		if b.Used() != 0 {
			t.Errorf("it left %d bytes of %s taken", b.Used(), name)
		}
	}
}

// emptyFetch is a request that is answered without any partition.
func emptyFetch() []byte {
	q := kmsg.NewPtrFetchRequest()
	q.Version, q.ReplicaID, q.SessionEpoch = 11, -1, -1
	return kmsg.NewRequestFormatter().AppendRequest(nil, q, 1)
}

func TestIdleConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { serve(t, Options{}).want(t, "idle", 10*time.Minute) })
}

// A request that comes byte by byte is given as long as a slow line needs, and no longer.
func TestTrickledRequestIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, Options{})
		var writing sync.WaitGroup
		writing.Go(func() {
			_, err := s.Write(append(binary.BigEndian.AppendUint32(nil, 160<<10), 0, 0, 0, 9))
			for err == nil {
				time.Sleep(time.Second) // sleep: it is how the client behaves
				_, err = s.Write([]byte{0})
			}
		})
		s.want(t, "slow", bodyPatience+10*time.Second)
		writing.Wait()
	})
}

// A client that takes nothing of its answer keeps it for long while there is memory, and not while others wait for it.
func TestAnswerThatIsNotTaken(t *testing.T) {
	request := emptyFetch()
	for name, tc := range map[string]struct {
		taken, wanted int64
		after         time.Duration
	}{"memory is ample": {0, 0, 10 * time.Minute}, "memory is short": {12 << 20, 0, shortPatience}, "others wait": {12 << 20, 8 << 20, queuePatience}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answers := handler.NewBudget(16<<20, metrics.Histogram{})
				if _, err := answers.Take(context.Background(), tc.taken); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(context.Background())
				s := serve(t, Options{Answers: answers})
				s.Write(request)
				began := time.Now()
				if synctest.Wait(); tc.wanted > 0 {
					go answers.Take(ctx, tc.wanted) //nolint:errcheck // it waits until the test ends
				}
				s.want(t, "slow", tc.after)
				if took := time.Since(began); took > tc.after+writeStep {
					t.Errorf("it kept its memory for %v, want %v", took, tc.after)
				}
				cancel()
			})
		})
	}
}

// A client that takes its answer slowly gets all of it.
func TestAnswerThatIsTakenSlowly(t *testing.T) {
	request := emptyFetch()
	synctest.Test(t, func(t *testing.T) {
		answers := handler.NewBudget(16<<20, metrics.Histogram{})
		if _, err := answers.Take(context.Background(), 12<<20); err != nil {
			t.Fatal(err)
		}
		s := serve(t, Options{Answers: answers})
		s.Write(request)
		var frame []byte
		for one := make([]byte, 1); len(frame) < 4 || len(frame) < 4+int(binary.BigEndian.Uint32(frame)); {
			time.Sleep(time.Second) // sleep: it is how the client behaves
			if _, err := io.ReadFull(s, one); err != nil {
				t.Fatalf("after %d bytes: %v", len(frame), err)
			}
			frame = append(frame, one[0])
		}
		s.Close()
		s.want(t, "client", 0)
	})
}

// While memory is short a large request is read as it comes, and given back whole.
func TestLargeRequestInShortMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, Options{})
		taken, err := s.options.Frames.Take(context.Background(), 12<<20)
		if err != nil {
			t.Fatal(err)
		}
		const size = 3<<20 + 17
		s.Write(append(binary.BigEndian.AppendUint32(nil, size), 0, 0, 0, 9))
		synctest.Wait()
		if used := s.options.Frames.Used() - taken; used > firstPiece {
			t.Errorf("%d bytes are held for 8 that came", used)
		}
		s.Write(make([]byte, 1<<20))
		synctest.Wait()
		if used := s.options.Frames.Used() - taken; used > 2<<20+firstPiece {
			t.Errorf("%d bytes are held for 1 MiB that came", used)
		}
		s.options.Frames.Give(taken)
		s.Write(make([]byte, size-4-1<<20)) // zeros are no Produce request
		s.want(t, "frame", 0)
	})
}
