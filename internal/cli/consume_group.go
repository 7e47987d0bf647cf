package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// instancePatience is how long a static member waits for another one's session to end: longer than the default, 45 s.
const instancePatience = time.Minute

// leaveWithin bounds the last commit and the leave: whoever stops a consumer does not wait for a cluster that is away.
const leaveWithin = 15 * time.Second

// groupReader is one run of consume --group.
type groupReader struct {
	app    *app
	flags  *groupFlags
	client *client
	ledger *ledger
	topic  string
	reset  string // where out-of-range reading goes on: earliest, latest, none
	left   int64  // records still to take; negative has no limit

	handle func(ctx context.Context, records []*kgo.Record) (done int, err error)
	poll   int // records to take at once

	committed time.Time // when last
	came      time.Time // the last record
	taken     time.Time // since when another one has been found to be this static member
	said      string    // the last notice about the session
}

// runGroup reads topic as a member of the group until it is interrupted, has what it wants, or cannot go on.
func (c *consume) runGroup(ctx context.Context, topic string, settings clientSettings, out *bufio.Writer, print func(*kgo.Record) error) error {
	opts, reset, err := c.group.options(c, settings)
	if err != nil {
		return err
	}
	r := &groupReader{app: c.app, flags: &c.group, topic: topic, reset: reset, left: -1, poll: 5000, came: time.Now(), committed: time.Now()}
	if c.count > 0 {
		r.left = c.count
	}
	r.ledger = newLedger(c.app, c.group.name)
	opts = append(
		opts, kgo.ConsumeTopics(topic), kgo.KeepControlRecords(), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.KeepRetryableFetchErrors(),
		kgo.OnPartitionsAssigned(r.ledger.joined), kgo.OnPartitionsRevoked(r.ledger.revoked), kgo.OnPartitionsLost(r.ledger.lost), kgo.AdjustFetchOffsetsFn(r.ledger.assigned),
	)
	if err := c.mayJoin(ctx, topic, settings); err != nil {
		return err
	}
	if r.client, err = c.client.connect(ctx, settings, opts...); err != nil {
		return err
	}
	defer r.client.CloseAllowingRebalance()
	r.ledger.client = r.client.Client
	r.handle = func(_ context.Context, records []*kgo.Record) (int, error) { return writeAll(out, print, records) }
	if c.group.exec.command != "" {
		r.handle, r.poll = c.group.exec.runner(c.app, c.group.name, c.recordFormat()), c.group.exec.batch
	}
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE) // a closed pipe is an error to be told, not the end of the process
	defer signal.Stop(pipe)
	return r.end(ctx, r.run(ctx))
}

// mayJoin refuses, before a member comes and goes, what cannot work.
func (c *consume) mayJoin(ctx context.Context, topic string, settings clientSettings) error {
	cl, err := c.client.connect(ctx, settings)
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := cl.canJoin(ctx, c.group.protocol); err != nil {
		return err
	}
	_, err = cl.topics(ctx, topic)
	return err
}

// writeAll writes records and flushes them: all were written, or none of them counts.
func writeAll(out *bufio.Writer, print func(*kgo.Record) error, records []*kgo.Record) (int, error) {
	for _, rec := range records {
		if err := print(rec); err != nil {
			return 0, err
		}
	}
	if err := out.Flush(); err != nil {
		return 0, err
	}
	return len(records), nil
}

// run reads, handles and commits. Between two polls nothing is revoked, except where the poll itself waits.
func (r *groupReader) run(ctx context.Context) error {
	for ctx.Err() == nil && r.left != 0 {
		member := r.ledger.isMember()
		err := r.turn(ctx)
		r.client.AllowRebalance()
		if err != nil {
			return err
		}
		if !member {
			r.came = time.Now() // while the group is still putting itself together, nothing is idle
		}
		if r.flags.idle > 0 && time.Since(r.came) >= r.flags.idle {
			return nil
		}
	}
	return nil
}

// turn is one poll with what follows from it.
func (r *groupReader) turn(ctx context.Context) error {
	most := r.poll
	if r.left > 0 {
		most = int(min(int64(most), r.left))
	}
	wait := time.Until(r.committed.Add(r.flags.interval))
	if r.flags.idle > 0 {
		wait = min(wait, time.Until(r.came.Add(r.flags.idle)))
	}
	waiting, cancel := context.WithTimeout(ctx, max(wait, 10*time.Millisecond))
	fetches := r.client.PollRecords(waiting, most)
	cancel()
	for _, e := range fetches.Errors() {
		if errors.Is(e.Err, context.DeadlineExceeded) && waiting.Err() != nil || errors.Is(e.Err, context.Canceled) && ctx.Err() != nil {
			continue
		}
		if err := r.trouble(ctx, e); err != nil {
			return err
		}
	}
	var failure error
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if failure == nil && len(p.Records) > 0 && ctx.Err() == nil {
			failure = r.take(ctx, p.Records)
		}
	})
	if failure != nil {
		return failure
	}
	if time.Since(r.committed) >= r.flags.interval || r.flags.exec.command != "" {
		r.committed = time.Now()
		return r.commit(ctx)
	}
	return nil
}

// commit commits, whether or not an interrupt has come. Where the cluster does not answer, the next commit does it.
func (r *groupReader) commit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
	defer cancel()
	err := r.ledger.commit(ctx)
	var refused *kerr.Error
	if err != nil && (!errors.As(err, &refused) || refused.Retriable) {
		r.app.notice("%v; trying again", err)
		return nil
	}
	return err
}

// take handles the records of one partition, in their order. Marks of transactions are read and not handled.
func (r *groupReader) take(ctx context.Context, all []*kgo.Record) error {
	records := make([]*kgo.Record, 0, len(all))
	for _, rec := range all {
		if !rec.Attrs.IsControl() {
			records = append(records, rec)
		}
	}
	done, err := 0, error(nil)
	if len(records) > 0 {
		r.came, r.said, r.taken = time.Now(), "", time.Time{}
		done, err = r.handle(ctx, records)
	}
	switch {
	case done == len(records):
		r.ledger.note(all[len(all)-1], int64(done))
	case done > 0:
		r.ledger.note(records[done-1], int64(done))
	}
	if r.left > 0 {
		r.left -= int64(done)
	}
	return err
}

// end commits what was handled and leaves the group, so that others take its partitions over at once.
func (r *groupReader) end(ctx context.Context, err error) error {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
	defer cancel()
	r.client.AllowRebalance()
	commitErr := r.ledger.commit(last)
	var left error
	if r.flags.instance == "" { // a static member keeps its partitions until its session ends
		if e := r.client.LeaveGroupContext(last); e != nil {
			left = failed(e, "Its partitions wait until its session has timed out.", "could not leave group %s: %v", r.flags.name, e)
		}
	}
	r.app.notice("group %s: %s", r.flags.name, r.ledger.summary(r.flags.exec.command != ""))
	switch {
	case errors.Is(err, syscall.EPIPE):
		err = failed(err, "What was written into it before is committed, whether or not it was read.", "standard output was closed")
	case err == nil && r.ledger.open() > 0:
		err = commitErr
	}
	var list []error
	for _, e := range []error{err, left} {
		if e != nil {
			list = append(list, e)
		}
	}
	return joinProblems(list)
}

// trouble judges an error of a poll: nil goes on.
func (r *groupReader) trouble(ctx context.Context, e kgo.FetchError) error {
	var session *kgo.ErrGroupSession
	var loss *kgo.ErrDataLoss
	where := fmt.Sprintf("%s partition %d", e.Topic, e.Partition)
	switch {
	case errors.As(e.Err, &session):
		return r.sessionTrouble(session.Err)
	case errors.Is(e.Err, kerr.OffsetOutOfRange):
		return r.outOfRange(ctx, e.Topic, e.Partition)
	case errors.As(e.Err, &loss):
		r.app.notice("%s lost records: %v", where, loss)
		return nil
	case errors.Is(e.Err, kerr.CorruptMessage):
		return damagedRecords(e)
	case kerr.IsRetriable(e.Err): // the client goes on by itself
		return nil
	case e.Topic == "":
		return r.client.explain(e.Err, "read topic "+r.topic)
	}
	return r.client.explain(e.Err, "read "+where)
}

// sessionTrouble tells what only a person can change from what the client mends by joining again.
func (r *groupReader) sessionTrouble(err error) error {
	doing := "be a member of group " + r.flags.name
	switch {
	case errors.Is(err, kerr.InconsistentGroupProtocol):
		return failed(err, "See `holdfast group describe "+r.flags.name+"`, and use the same --protocol and partition.assignment.strategy.", "could not %s: its members use another protocol or assignor", doing)
	case errors.Is(err, kerr.UnreleasedInstanceID) && r.waitsForInstance():
		return nil
	case errors.Is(err, kerr.FencedInstanceID), errors.Is(err, kerr.UnreleasedInstanceID):
		return failed(err, "Each running member needs an --instance of its own.", "could not %s: another one runs as --instance %s", doing, r.flags.instance)
	case errors.Is(err, kerr.GroupAuthorizationFailed), errors.Is(err, kerr.InvalidGroupID), errors.Is(err, kerr.GroupMaxSizeReached),
		errors.Is(err, kerr.InvalidSessionTimeout), errors.Is(err, kerr.UnsupportedAssignor), errors.Is(err, kerr.InvalidRequest), errors.Is(err, kerr.UnsupportedVersion):
		return r.client.explain(err, doing)
	}
	r.sayOnce("%s; joining again", kafkaError(err))
	return nil
}

// waitsForInstance tells whether the static member may still be one that was killed: its place is free again when its
// session has timed out.
func (r *groupReader) waitsForInstance() bool {
	if r.taken.IsZero() {
		r.taken = time.Now()
	}
	r.sayOnce("another one runs as --instance %s, or was killed a moment ago; waiting for its session to end", r.flags.instance)
	return time.Since(r.taken) < instancePatience
}

// sayOnce says the same thing once until records come again: the client tries several times a second.
func (r *groupReader) sayOnce(format string, args ...any) {
	if said := fmt.Sprintf(format, args...); said != r.said {
		r.said = said
		r.app.notice("group %s: %s", r.flags.name, said)
	}
}

// outOfRange goes on where --offset says, and tells what is skipped or read again.
func (r *groupReader) outOfRange(ctx context.Context, topic string, partition int32) error {
	at := r.ledger.at(topic, partition)
	bounded, cancel := r.client.bounded(ctx)
	defer cancel()
	starts, ends, _, err := r.client.listOffsets(bounded, position{way: r.reset}, topic)
	if err != nil {
		return err
	}
	start, end := starts[topic][partition].Offset, ends[topic][partition].Offset
	what := fmt.Sprintf("offset %d of %s partition %d does not exist: there are %d to %d", at, topic, partition, start, end)
	to := map[bool]int64{true: end, false: start}[r.reset == "latest"]
	if r.reset == "none" {
		return failed(kerr.OffsetOutOfRange, fmt.Sprintf("Move the group: holdfast group reset %s --topic %s:%d --to-earliest", r.flags.name, topic, partition), "%s", what)
	}
	switch {
	case at >= 0 && at < to:
		what += fmt.Sprintf("; goes on at %d, %s skipped", to, plural(to-at, "record"))
	case at > to:
		what += fmt.Sprintf("; goes on at %d, what was read from there on is read again", to)
	default:
		what += fmt.Sprintf("; goes on at %d", to)
	}
	r.app.notice("group %s: %s", r.flags.name, what)
	r.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{topic: {partition: {Epoch: -1, Offset: to}}})
	return nil
}

// canJoin says at once where the cluster does not speak the group's protocol; the client would use the other one.
func (c *client) canJoin(ctx context.Context, protocol string) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	versions, err := c.admin.ApiVersions(ctx)
	if err != nil {
		return c.explain(err, "ask what the cluster can do")
	}
	key, least, name, remedy := int16(kmsg.JoinGroup), int16(0), "consumer groups", "Read without --group."
	if protocol == "consumer" {
		key, least, name, remedy = int16(kmsg.ConsumerGroupHeartbeat), 1, "consumer groups of the new protocol (KIP-848)", "Use --protocol classic."
	}
	for _, v := range versions.Sorted() {
		if has, ok := v.KeyMaxVersion(key); v.Err == nil && (!ok || has < least) {
			return failed(nil, remedy, "broker %d has no %s", v.NodeID, name)
		}
	}
	return nil
}
