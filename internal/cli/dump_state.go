package cli

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"holdfast/internal/storage/commitlog"
)

// dumpedProducer is one producer of a producer snapshot.
type dumpedProducer struct {
	Kind             string                  `json:"kind"` // producer
	ProducerID       int64                   `json:"producerId"`
	Epoch            int16                   `json:"epoch"`
	CoordinatorEpoch int32                   `json:"coordinatorEpoch"` // -1: it ended no transaction yet
	TimestampMs      int64                   `json:"timestampMs"`
	TxnFirstOffset   int64                   `json:"txnFirstOffset"` // -1: no transaction is open
	Batches          []dumpedProducerBatches `json:"batches"`        // the newest last; Apache Kafka keeps one, Holdfast five
}

type dumpedProducerBatches struct {
	FirstSequence int32 `json:"firstSequence"`
	LastSequence  int32 `json:"lastSequence"`
	FirstOffset   int64 `json:"firstOffset"`
	LastOffset    int64 `json:"lastOffset"`
	TimestampMs   int64 `json:"timestampMs"`
}

func (p dumpedProducer) line() string {
	var s strings.Builder
	fmt.Fprintf(&s, "producer %d/%d  %s", p.ProducerID, p.Epoch, shownMs(p.TimestampMs))
	if p.TxnFirstOffset >= 0 {
		fmt.Fprintf(&s, "  transaction open from offset %d", p.TxnFirstOffset)
	}
	for _, b := range p.Batches {
		fmt.Fprintf(&s, "  seq %d-%d at %d-%d", b.FirstSequence, b.LastSequence, b.FirstOffset, b.LastOffset)
	}
	return s.String()
}

func (d *dump) producers(path string) error {
	b, err := d.whole(path)
	if err != nil {
		return err
	}
	entries, err := commitlog.ParseSnapshot(b, -1)
	if err != nil {
		return d.fault(path, -1, "%v", err)
	}
	for _, e := range entries {
		p := dumpedProducer{"producer", e.ProducerID, e.Epoch, e.CoordinatorEpoch, e.TimestampMs, e.TxnFirstOffset, []dumpedProducerBatches{}}
		for _, m := range e.Batches {
			p.Batches = append(p.Batches, dumpedProducerBatches{
				m.LastSeq - m.OffsetDelta, m.LastSeq, m.LastOffset - int64(m.OffsetDelta), m.LastOffset, m.TimestampMs,
			})
		}
		if err := d.emit(p); err != nil {
			return err
		}
	}
	return nil
}

// dumpedEpoch is one line of a leader epoch checkpoint.
type dumpedEpoch struct {
	Kind  string `json:"kind"` // leaderEpoch
	Epoch int32  `json:"epoch"`
	Start int64  `json:"startOffset"`
}

func (e dumpedEpoch) line() string {
	return fmt.Sprintf("epoch %d begins at offset %d", e.Epoch, e.Start)
}

func (d *dump) epochs(path string) error {
	b, err := d.whole(path)
	if err != nil {
		return err
	}
	list, err := commitlog.ParseEpochs(b)
	if err != nil {
		return d.fault(path, -1, "%v", err)
	}
	for _, e := range list {
		if err := d.emit(dumpedEpoch{"leaderEpoch", e.Epoch, e.Start}); err != nil {
			return err
		}
	}
	return nil
}

// dumpedCheckpoint is one line of a checkpoint of offsets.
type dumpedCheckpoint struct {
	Kind      string `json:"kind"` // checkpoint
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

func (c dumpedCheckpoint) line() string {
	return fmt.Sprintf("%s-%d  offset %d", c.Topic, c.Partition, c.Offset)
}

func (d *dump) checkpoint(path string) error {
	b, err := d.whole(path)
	if err != nil || len(b) == 0 {
		return err
	}
	offsets, err := commitlog.ParseCheckpoint(b)
	if err != nil {
		return d.fault(path, -1, "%v", err)
	}
	keys := slices.SortedFunc(maps.Keys(offsets), func(a, b commitlog.TopicPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	for _, k := range keys {
		if err := d.emit(dumpedCheckpoint{"checkpoint", k.Topic, k.Partition, offsets[k]}); err != nil {
			return err
		}
	}
	return nil
}

func (d *dump) partitionMetadata(path string) error {
	b, err := d.whole(path)
	if err != nil {
		return err
	}
	id, err := commitlog.ParsePartitionMetadata(b)
	if err != nil {
		return d.fault(path, -1, "%v", err)
	}
	return d.remark(path, "topic id %s", base64.RawURLEncoding.EncodeToString(id[:]))
}

// text shows a file that can be read as it is, within reason.
func (d *dump) text(path string) error {
	b, err := d.whole(path)
	if err != nil {
		return err
	}
	if len(b) > 64<<10 {
		return d.fault(path, -1, "%d bytes are too many for a file of its kind", len(b))
	}
	if len(b) == 0 {
		return d.remark(path, "empty: that it is there says it")
	}
	for _, line := range strings.Split(strings.TrimRight(string(b), "\n"), "\n") {
		line = strings.Map(func(r rune) rune { // what a terminal would obey is not for showing
			if r < ' ' || r == 0x7f || r == utf8.RuneError {
				return '?'
			}
			return r
		}, line)

		if err := d.remark(path, "%s", line); err != nil {
			return err
		}
	}
	return nil
}
