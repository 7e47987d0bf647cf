package coord

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast/internal/core/shard"
	"holdfast/internal/proto/record"
	"holdfast/internal/storage/commitlog"
)

const loadBytes = 1 << 20 // read at a time, or one batch that is larger

// load makes a machine of the log and begins to serve.
func (r *runner) load(epoch int32) {
	if !r.host.o.InOrder {
		r.host.loads <- struct{}{}
		defer func() { <-r.host.loads }()
	}
	defer r.catch()
	began := r.host.o.Now()
	if err := r.read(epoch); err != nil {
		r.fail(fmt.Errorf("load: %w", err))
		return
	}
	if r.machine == nil {
		return // ended meanwhile
	}
	r.mu.Lock()
	r.news = news{} // the image that Loaded sees is as new
	r.mu.Unlock()
	r.decide(shard.Command{Request: &shard.Loaded{Epoch: epoch}})
	if r.machine == nil || !r.become(loading, serving) {
		return
	}
	r.began = r.applied
	took := r.host.o.Now().Sub(began)
	r.host.metrics.load.Seconds(took)
	if took > time.Second {
		r.host.o.Log.Info("a coordinator has read its log", "topic", r.host.o.Kind.Topic, "partition", r.index, "offset", r.applied, "took", took)
	}
}

// read gives every record of the log to a new machine.
func (r *runner) read(epoch int32) error {
	topic := r.host.o.Partitions.TopicByID(r.topic)
	if topic == nil {
		return errors.New("the partition is not here")
	}
	p := topic.Partition(r.index)
	if p == nil {
		return errors.Join(errors.New("the partition is offline"), topic.Offline(r.index))
	}
	r.watch.Clear()
	r.watch.Add(p)
	if err := p.Leads(epoch); err != nil {
		return err
	}
	machine := r.host.o.Kind.New()
	l := loader{decode: r.host.o.Kind.Decode, machine: machine}
	at := p.LogStart()
	for {
		if r.is(ended) || r.is(leaving) {
			return nil
		}
		span, err := p.LocateOwn(at, loadBytes)
		if errors.Is(err, commitlog.ErrOutOfRange) && p.LogStart() > at {
			at = p.LogStart() // old segments were dropped meanwhile
			continue
		}
		if err != nil {
			return fmt.Errorf("at offset %d: %w", at, err)
		}
		if span.Len == 0 {
			break
		}
		err = l.apply(span)
		if errors.Is(err, commitlog.ErrOutOfRange) || errors.Is(err, commitlog.ErrTruncated) {
			return fmt.Errorf("at offset %d: the log changed meanwhile: %w", at, err)
		}
		if err != nil {
			return err
		}
		at = span.NextOffset
	}
	r.machine, r.partition, r.loaded, r.applied, r.calls = machine, p, epoch, p.LogEnd(), map[shard.Call]*Asked{}
	return nil
}

// loader feeds a machine with what a log holds.
type loader struct {
	decode  func(key, value []byte) (shard.Record, error)
	machine shard.Machine
	unpack  record.Decompressor
	buffer  []byte
}

func (l *loader) apply(span commitlog.Span) error {
	l.buffer = slices.Grow(l.buffer[:0], span.Len)[:span.Len]
	if err := span.ReadAt(l.buffer); err != nil {
		return err
	}
	for rest := l.buffer; len(rest) > 0; {
		var b record.Batch
		var err error
		if b, rest, err = record.Next(rest); err != nil {
			return err
		}
		if err := l.batch(b); err != nil {
			return fmt.Errorf("batch at offset %d: %w", b.BaseOffset(), err)
		}
	}
	return nil
}

func (l *loader) batch(b record.Batch) error {
	if b.Control() {
		if m, ok := b.Marker(); ok {
			l.machine.Apply(b.BaseOffset(), &shard.Marker{ProducerID: m.ProducerID, ProducerEpoch: m.ProducerEpoch, Commit: m.Commit})
		}
		return nil
	}
	for rec, err := range b.Records(&l.unpack) {
		if err != nil {
			return err
		}
		rec = rec.Clone() // the machine keeps it
		decoded, err := l.decode(rec.Key, rec.Value)
		if errors.Is(err, shard.ErrUnknownRecord) {
			continue
		}
		if err != nil {
			return fmt.Errorf("record %d: %w", b.BaseOffset()+int64(rec.OffsetDelta), err)
		}
		if t, ok := decoded.(shard.Transactional); ok && b.Transactional() {
			t.SetTransaction(b.ProducerID(), b.ProducerEpoch())
		}
		l.machine.Apply(b.BaseOffset()+int64(rec.OffsetDelta), decoded)
	}
	return nil
}
