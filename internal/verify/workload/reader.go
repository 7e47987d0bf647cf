package workload

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"holdfast/internal/verify/check"
)

// Tail reads a topic from its start while it is written, partitions assigned, no group.
type Tail struct {
	client   *kgo.Client
	judge    *Judge
	topic    string
	group    int32
	sessions []check.Session

	mu        sync.Mutex
	positions []int64 // the next offset, by partition
	errs      map[string]int64
	moved     chan struct{} // holds a token after positions changed
}

// NewTail opens a reader. The topic must be new: it is read from offset 0.
func NewTail(topic string, partitions int32, open Opener, j *Judge) (*Tail, error) {
	client, err := open(nil, consume(topic, make([]int64, partitions))...)
	if err != nil {
		return nil, err
	}
	t := &Tail{client: client, judge: j, topic: topic, positions: make([]int64, partitions), errs: map[string]int64{}, moved: make(chan struct{}, 1)}
	j.Tell(func(c *check.Checker) {
		t.group = c.AddGroup(check.Group{Name: "tail"})
		for p := range partitions {
			t.sessions = append(t.sessions, c.Open(t.group, p, 0))
		}
	})
	return t, nil
}

// consume assigns all partitions of a topic, each from its offset. Nothing resets: an offset that is gone is an error.
func consume(topic string, from []int64) []kgo.Opt {
	offsets := map[int32]kgo.Offset{}
	for p, at := range from {
		offsets[int32(p)] = kgo.NewOffset().At(at)
	}
	return []kgo.Opt{
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(100 * time.Millisecond),
	}
}

// Run reads until ctx ends.
func (t *Tail) Run(ctx context.Context) {
	for ctx.Err() == nil {
		fetches := t.client.PollFetches(ctx)
		fetches.EachError(func(_ string, p int32, err error) { t.note(p, err) })
		fetches.EachRecord(func(r *kgo.Record) {
			t.judge.read(t.sessions[r.Partition], r)
			t.mu.Lock()
			t.positions[r.Partition] = r.Offset + 1
			t.mu.Unlock()
		})
		select {
		case t.moved <- struct{}{}:
		default:
		}
	}
}

// note counts an error of a fetch. The client goes on by itself; what matters is whether the records come.
func (t *Tail) note(partition int32, err error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	text := fmt.Sprintf("partition %d: %v", partition, err)
	if _, known := t.errs[text]; known || len(t.errs) < most {
		t.errs[text]++
	}
}

// Errors are the errors of fetches that reached the reader, with how often each did.
func (t *Tail) Errors() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := map[string]int64{}
	for text, n := range t.errs {
		all[text] = n
	}
	return all
}

// Finish waits until everything below ends was read, and tells the checker so. Run must go on meanwhile.
func (t *Tail) Finish(ctx context.Context, ends []int64) error {
	for !t.reached(ends) {
		select {
		case <-t.moved:
		case <-ctx.Done():
			t.mu.Lock()
			defer t.mu.Unlock()
			return fmt.Errorf("a reader stands at %v and should have come to %v: %w", t.positions, ends, ctx.Err())
		}
	}
	t.judge.Tell(func(c *check.Checker) { c.Finished(t.group) })
	return nil
}

func (t *Tail) reached(ends []int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p, end := range ends {
		if t.positions[p] < end {
			return false
		}
	}
	return true
}

// Close ends the connections. Run must have returned.
func (t *Tail) Close() { t.client.Close() }

// Audit reads the whole of a topic that nobody writes to any more, and tells the checker what is in it. It returns where
// each partition ends.
func Audit(ctx context.Context, topic string, partitions int32, open Opener, j *Judge) ([]int64, error) {
	starts, ends, err := bounds(ctx, topic, partitions, open)
	if err != nil {
		return nil, err
	}
	client, err := open(nil, consume(topic, starts)...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	sessions := make([]check.Session, partitions)
	j.Tell(func(c *check.Checker) {
		for p := range partitions {
			c.Bounds(p, starts[p], ends[p])
			sessions[p] = c.Open(check.Audit, p, starts[p])
		}
	})
	next := append([]int64(nil), starts...)
	for behind(next, ends) {
		fetches := client.PollFetches(ctx)
		var failed error
		fetches.EachError(func(_ string, p int32, err error) {
			failed = fmt.Errorf("read partition %d at %d: %w", p, next[p], err)
		})
		if failed != nil {
			return nil, failed
		}
		fetches.EachRecord(func(r *kgo.Record) {
			j.read(sessions[r.Partition], r)
			next[r.Partition] = r.Offset + 1
		})
	}
	j.Tell(func(c *check.Checker) {
		for p := range partitions {
			c.Reached(sessions[p], next[p])
		}
	})
	return ends, nil
}

func behind(next, ends []int64) bool {
	for p := range next {
		if next[p] < ends[p] {
			return true
		}
	}
	return false
}

// bounds are the start and the end of each partition.
func bounds(ctx context.Context, topic string, partitions int32, open Opener) (starts, ends []int64, err error) {
	client, err := open(nil)
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	listed, err := admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("ask where the log starts: %w", err)
	}
	listedEnds, err := admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = listedEnds.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("ask where the log ends: %w", err)
	}
	for p := range partitions {
		s, ok := listed.Lookup(topic, p)
		e, also := listedEnds.Lookup(topic, p)
		if !ok || !also {
			return nil, nil, fmt.Errorf("partition %d has no bounds", p)
		}
		starts, ends = append(starts, s.Offset), append(ends, e.Offset)
	}
	return starts, ends, nil
}
