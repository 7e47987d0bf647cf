package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ledger knows what was handled and is not committed yet. Only what is noted here is ever committed.
type ledger struct {
	app    *app
	group  string
	client *kgo.Client

	mu      sync.Mutex // the client's callbacks come from goroutines of its own
	pending map[place]handled
	next    map[place]int64 // the offset to read next of each partition that is owned
	member  bool            // partitions, perhaps none, were assigned once

	handled, committed, repeated int64 // records; repeated: handled, and then gone to others before they were committed
}

// handled is how far a partition was handled, and how many records that were since its last commit.
type handled struct {
	next    kgo.EpochOffset
	records int64
}

func newLedger(a *app, group string) *ledger {
	return &ledger{app: a, group: group, pending: map[place]handled{}, next: map[place]int64{}}
}

// note adds that records were handled, up to last.
func (l *ledger) note(last *kgo.Record, records int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := place{topic: last.Topic, partition: last.Partition}
	h := l.pending[key]
	l.pending[key] = handled{next: kgo.EpochOffset{Epoch: last.LeaderEpoch, Offset: last.Offset + 1}, records: h.records + records}
	l.next[key] = last.Offset + 1
	l.handled += records
}

// at is the offset to read next of a partition; -1: not known.
func (l *ledger) at(topic string, partition int32) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.next[place{topic: topic, partition: partition}]; ok {
		return at
	}
	return -1
}

// open is how many records were handled and not committed.
func (l *ledger) open() (n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.pending { // order-free
		n += h.records
	}
	return n
}

// commit commits all that was handled. What may succeed the next time is kept and nil returned, while ctx lives.
func (l *ledger) commit(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.commitSome(ctx, func(place) bool { return true })
}

// commitSome commits the chosen partitions.
func (l *ledger) commitSome(ctx context.Context, chosen func(place) bool) error {
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for key, h := range l.pending { // order-free
		if chosen(key) {
			if offsets[key.topic] == nil {
				offsets[key.topic] = map[int32]kgo.EpochOffset{}
			}
			offsets[key.topic][key.partition] = h.next
		}
	}
	if len(offsets) == 0 {
		return nil
	}
	var failure error
	l.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		failure = l.settle(offsets, resp, err)
	})
	return failure
}

// settle takes a commit's answer in: what was committed is settled, what others own now will be handled again by them.
func (l *ledger) settle(asked map[string]map[int32]kgo.EpochOffset, resp *kmsg.OffsetCommitResponse, err error) error {
	if err != nil {
		return failed(err, "", "could not commit the offsets of group %s: %s", l.group, kafkaError(err))
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			key := place{topic: t.Topic, partition: p.Partition}
			h, err := l.pending[key], kerr.ErrorForCode(p.ErrorCode)
			switch {
			case err == nil:
				if h.next == asked[t.Topic][p.Partition] {
					delete(l.pending, key)
					l.committed += h.records
				}
			case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.IllegalGeneration), errors.Is(err, kerr.FencedMemberEpoch):
				l.drop(key)
			case errors.Is(err, kerr.RebalanceInProgress), errors.Is(err, kerr.StaleMemberEpoch), awaited(err) != nil:
				// kept: it is committed with the next commit, or when the partition is revoked
			default:
				return failed(err, "", "could not commit group %s in %s partition %d: %s", l.group, t.Topic, p.Partition, kafkaError(err))
			}
		}
	}
	return nil
}

// drop forgets what can no longer be committed, and says what that means.
func (l *ledger) drop(key place) {
	h, ok := l.pending[key]
	if !ok {
		return
	}
	delete(l.pending, key)
	if h.records > 0 {
		l.repeated += h.records
		l.app.notice("group %s: %s partition %d went to another member before %s before offset %d could be committed: handled again there",
			l.group, key.topic, key.partition, plural(h.records, "record"), h.next.Offset)
	}
}

// revoked commits a partition before another member gets it.
func (l *ledger) revoked(ctx context.Context, _ *kgo.Client, gone map[string][]int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	going := l.places(gone)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
	defer cancel()
	for wait := 20 * time.Millisecond; ; wait *= 2 {
		err := l.commitSome(ctx, func(key place) bool { return going[key] })
		if err != nil {
			l.app.notice("%v", err)
		}
		if err != nil || !l.anyPending(going) || ctx.Err() != nil {
			break
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	l.forget(going)
}

// lost is revoked without a chance to commit: the session has ended.
func (l *ledger) lost(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(l.places(gone))
}

func (l *ledger) places(gone map[string][]int32) map[place]bool {
	set := map[place]bool{}
	for topic, partitions := range gone { // order-free
		for _, p := range partitions {
			set[place{topic: topic, partition: p}] = true
		}
	}
	return set
}

func (l *ledger) anyPending(set map[place]bool) bool {
	for key := range set { // order-free
		if _, ok := l.pending[key]; ok {
			return true
		}
	}
	return false
}

func (l *ledger) forget(set map[place]bool) {
	for key := range set { // order-free
		l.drop(key)
		delete(l.next, key)
	}
}

// joined notes that the group has assigned something, if only nothing.
func (l *ledger) joined(context.Context, *kgo.Client, map[string][]int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.member = true
}

func (l *ledger) isMember() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.member
}

// assigned remembers where each partition begins, as the group committed it.
func (l *ledger) assigned(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for topic, partitions := range offsets { // order-free
		for p, o := range partitions { // order-free
			if at := o.EpochOffset().Offset; at >= 0 {
				l.next[place{topic: topic, partition: p}] = at
			}
		}
	}
	return offsets, nil
}

// summary is the last line of consume --group.
func (l *ledger) summary(ran bool) string {
	open := l.open()
	s := plural(l.handled, "record") + map[bool]string{true: " handled, ", false: " written, "}[ran]
	switch again := open + l.repeated; {
	case l.handled == 0:
		return s + "nothing to commit"
	case again == 0:
		return s + "all committed"
	default:
		return s + fmt.Sprintf("%s committed, %s will be read again", comma(l.committed), comma(again))
	}
}
