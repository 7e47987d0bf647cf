package coord

import (
	"errors"
	"fmt"
	"io"
	"time"

	"holdfast/internal/base/event"
	"holdfast/internal/core/shard"
	"holdfast/internal/host/partition"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
)

// maxBatchBytes bounds what one decision writes. Machines keep theirs far below it, but sizes depend on clients' bytes:
// one that is larger is not carried out, and a timer that asked for it asks again after overfullRest.
const (
	maxBatchBytes = 16 << 20
	overfullRest  = 10 * time.Second
)

var errOverfull = errors.New("one decision does not fit into a batch")

// decide carries out one command, to where its answers wait for the watermark.
func (r *runner) decide(cmd shard.Command) {
	defer r.catch()
	cmd.Image = r.host.image.Load()
	if cmd.Call == r.nextCall {
		r.nextCall++
	}
	if _, err := io.ReadFull(r.random, cmd.Nonce[:]); err != nil {
		r.fail(fmt.Errorf("read random bytes: %w", err))
		return
	}
	now := r.host.o.Now()
	out := r.machine.Decide(now, cmd)
	base, err := r.append(now, out.Records)
	if errors.Is(err, partition.ErrFenced) { // nothing was written, and nothing can be
		r.answer(cmd.Call, wire.InvalidProducerEpoch)
		return
	}
	if _, load := cmd.Request.(*shard.Loaded); errors.Is(err, errOverfull) && !load {
		r.overfull(now, cmd, len(out.Records))
		return
	}
	if err != nil {
		r.fail(err)
		return
	}
	r.apply(base, out.Records)
	for _, t := range out.Timers {
		r.timers.set(t)
	}
	for _, e := range out.Events {
		e.Node = r.host.o.NodeID
		r.host.o.Events.Emit(e)
	}
	r.park(now, out)
}

// overfull leaves a decision that is too large alone: nothing of it is applied, and the shard goes on for everybody else.
func (r *runner) overfull(now time.Time, cmd shard.Command, records int) {
	o := r.host.o
	o.Events.Emit(event.New(event.KindDecisionTooLarge, now, o.NodeID).In(o.Kind.Topic, r.index).
		Text("command", fmt.Sprintf("%T", cmd.Request)).Number("records", int64(records)).Number("max_bytes", maxBatchBytes))
	if fired, ok := cmd.Request.(*shard.Fired); ok {
		r.timers.set(shard.Timer{Key: fired.Timer, At: now.Add(overfullRest)})
		return
	}
	r.answer(cmd.Call, wire.CoordinatorNotAvailable)
}

// answer refuses one caller that waits.
func (r *runner) answer(call shard.Call, code wire.Code) {
	if a := r.calls[call]; a != nil {
		delete(r.calls, call)
		a.refuse(r.host, code)
	}
}

// append writes records as one batch and gives the offset of the first.
func (r *runner) append(now time.Time, records []shard.Record) (base int64, err error) {
	b := r.builder
	b.Reset()
	r.written = r.written[:0]
	var o record.BuilderOptions
	for _, rec := range records {
		key, value := rec.Encode()
		r.written = append(r.written, key != nil)
		if key == nil {
			continue
		}
		if b.Count() == 0 {
			if o = options(rec); o.Transactional {
				b = record.NewBuilder(o)
			}
		}
		if err := b.Append(now.UnixMilli(), key, value); err != nil {
			return 0, fmt.Errorf("%w of %d bytes: %w", errOverfull, maxBatchBytes, err)
		}
	}
	if b.Count() == 0 {
		return r.applied, nil
	}
	count := int64(b.Count())
	next, err := r.partition.AppendOwn(r.loaded, b.Build(), now)
	if err != nil {
		return 0, err
	}
	return next - count, nil
}

// options says what batch a record wants to be in.
func options(rec shard.Record) record.BuilderOptions {
	o := record.BuilderOptions{MaxBytes: maxBatchBytes}
	if t, ok := rec.(shard.Transactional); ok {
		if id, epoch := t.Transaction(); id != shard.NoProducer {
			o.Idempotent, o.Transactional, o.ProducerID, o.ProducerEpoch, o.BaseSequence = true, true, id, epoch, -1
		}
	}
	return o
}

// apply makes records part of the machine's state, those that were written from offset base on.
func (r *runner) apply(base int64, records []shard.Record) {
	next := base
	for i, rec := range records {
		if !r.written[i] {
			r.machine.Apply(next-1, rec)
			continue
		}
		r.machine.Apply(next, rec)
		next++
		if r.host.o.Kind.Appended != nil {
			r.host.o.Kind.Appended(rec)
		}
	}
	r.applied = next
}

// mark writes the end of a transaction.
func (r *runner) mark(m *mark) {
	defer r.catch()
	now := r.host.o.Now()
	next, err := r.partition.AppendOwn(r.loaded, m.Batch(), now)
	switch {
	case errors.Is(err, partition.ErrFenced):
		m.done <- wire.InvalidProducerEpoch
		return
	case err != nil:
		m.done <- wire.NotCoordinator
		r.fail(err)
		return
	}
	r.machine.Apply(next-1, &shard.Marker{ProducerID: m.ProducerID, ProducerEpoch: m.ProducerEpoch, Commit: m.Commit})
	r.applied = next
	r.parked.push(waiting{until: next, by: now.Add(r.host.o.CommitTimeout()), mark: m})
}
