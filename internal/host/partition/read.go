package partition

import (
	"cmp"
	"slices"

	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/commitlog"
)

// Reading is what a fetch gets of one partition: where the record bytes lie, and the offsets that go with them.
type Reading struct {
	Code          wire.Code
	HighWatermark int64
	LastStable    int64
	LogStart      int64
	Span          commitlog.Span         // empty if there is nothing to read
	Aborted       []commitlog.AbortedTxn // by first offset: some clients walk it along with the records
}

// ReadRequest is one partition's part of a fetch.
type ReadRequest struct {
	Offset        int64
	CurrentEpoch  int32 // the leader epoch the client knows, or -1
	MaxBytes      int   // bound for the record bytes
	AtLeastOne    bool  // give the first batch even where it is larger
	ReadCommitted bool  // stop at the last stable offset and list aborted transactions
}

// Read finds committed records. It takes no lock and reads no record bytes yet.
func (p *Partition) Read(q ReadRequest) Reading {
	out := Reading{HighWatermark: -1, LastStable: -1, LogStart: -1}
	if out.Code = p.checkEpoch(q.CurrentEpoch); out.Code != wire.None {
		return out
	}
	high := p.high.Load()
	out.HighWatermark, out.LastStable, out.LogStart = high, p.stable.Load(), p.log.Start()
	if q.Offset < out.LogStart || q.Offset > p.log.End() {
		out.Code = wire.OffsetOutOfRange
		return out
	}
	below := high
	if q.ReadCommitted {
		below = out.LastStable
	}
	if q.Offset >= below {
		return out
	}
	span, err := p.log.Locate(q.Offset, below, q.MaxBytes, q.AtLeastOne)
	if err != nil {
		out.Code = ReadCode(err)
		return out
	}
	out.Span = span
	if q.ReadCommitted {
		if out.Aborted, err = p.log.Aborted(q.Offset, span.NextOffset); err != nil {
			out.Code, out.Span = ReadCode(err), commitlog.Span{}
		}
		slices.SortFunc(out.Aborted, byFirstOffset)
	}
	return out
}

func byFirstOffset(a, b commitlog.AbortedTxn) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) }
