package partition

import (
	"testing"
	"time"

	"holdfast/internal/base/event"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

// inTransaction is a batch of producer 7.
func inTransaction(t *testing.T, epoch int16, sequence int32, value string) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.BuilderOptions{Idempotent: true, Transactional: true, ProducerID: 7, ProducerEpoch: epoch, BaseSequence: sequence})
	if err := b.Append(time.Now().UnixMilli(), nil, []byte(value)); err != nil {
		t.Fatal(err)
	}
	return b.Build()
}

// append1 appends a batch, and gives the code.
func (h *house) append1(b record.Batch) wire.Code {
	var c Commit
	var r wire.ProducePartitionResult
	c.Begin(1)
	h.part(0).Append(b, AcksAll, time.Now(), &c, &r)
	if !c.Seal() {
		c.Wait(10 * time.Second)
	}
	return r.Code
}

// end1 writes a marker of producer 7, and gives the code.
func (h *house) end1(commit bool, epoch int16, bumped bool, coordinator int32) wire.Code {
	var c Commit
	var r wire.ProducePartitionResult
	c.Begin(1)
	h.part(0).AppendMarker(record.Marker{Commit: commit, ProducerID: 7, ProducerEpoch: epoch, CoordinatorEpoch: coordinator}, bumped, time.Now(), &c, &r)
	if !c.Seal() {
		c.Wait(10 * time.Second)
	}
	return r.Code
}

func (h *house) stable(want int64) {
	h.t.Helper()
	if got := h.part(0).LastStable(); got != want {
		h.t.Fatalf("the last stable offset is %d, want %d", got, want)
	}
}

func expect(t *testing.T, what string, got, want wire.Code) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
}

// begin claims a transaction for a batch, has it granted, and appends.
func (h *house) begin(t *testing.T, b record.Batch, protocol1 bool) {
	t.Helper()
	c := h.part(0).ClaimFor(b, protocol1)
	if c == nil {
		t.Fatal("the batch begins no transaction")
	}
	c.Grant()
	expect(t, "begin", h.append1(b), wire.None)
	c.Release()
}

// A batch that begins a transaction is taken only where its coordinator knows, and no longer than the transaction lasts.
func TestTransactionBeginsWithItsCoordinator(t *testing.T) {
	h := open(t, vfs.NewMem(), 1)
	defer h.Manager.Stop()
	first := inTransaction(t, 0, 0, "a")
	expect(t, "without a claim", h.append1(first), wire.InvalidTxnState)
	c := h.part(0).ClaimFor(first, false)
	expect(t, "with a claim that is not granted", h.append1(first), wire.InvalidTxnState)
	c.Grant()
	expect(t, "with a claim", h.append1(first), wire.None)
	c.Release()
	h.stable(0)

	second := inTransaction(t, 0, 1, "b")
	if h.part(0).ClaimFor(second, false) != nil {
		t.Fatal("a batch of an open transaction begins another")
	}
	expect(t, "while it is open", h.append1(second), wire.None)
	expect(t, "of a newer epoch while it is open", h.append1(inTransaction(t, 1, 0, "c")), wire.InvalidTxnState)
	expect(t, "commit", h.end1(true, 1, true, 5), wire.None)
	h.stable(3)
	expect(t, "after its end", h.append1(inTransaction(t, 0, 2, "late")), wire.InvalidProducerEpoch)
	expect(t, "the next, unasked", h.append1(inTransaction(t, 1, 0, "c")), wire.InvalidTxnState)
}

// A marker undoes the claims of the transaction that it ends: what was asked before it counts no more.
func TestMarkerUndoesClaims(t *testing.T) {
	h := open(t, vfs.NewMem(), 1)
	defer h.Manager.Stop()
	late := inTransaction(t, 0, 0, "late")

	c := h.part(0).ClaimFor(late, true)
	c.Grant()
	expect(t, "a marker where nothing was written", h.end1(false, 0, false, 1), wire.None)
	expect(t, "protocol 1: granted before the marker, written after", h.append1(late), wire.InvalidTxnState)
	c.Release()

	c = h.part(0).ClaimFor(late, true) // asked before the marker, answered after
	expect(t, "another marker", h.end1(false, 0, false, 1), wire.None)
	c.Grant()
	expect(t, "protocol 1: granted after the marker", h.append1(late), wire.InvalidTxnState)
	c.Release()

	c = h.part(0).ClaimFor(late, false)
	c.Grant()
	expect(t, "protocol 2: a marker with the next epoch", h.end1(false, 1, true, 1), wire.None)
	expect(t, "protocol 2: granted before the marker", h.append1(late), wire.InvalidProducerEpoch)
	c.Release()

	next := inTransaction(t, 2, 0, "next")
	c = h.part(0).ClaimFor(next, false) // the next transaction waits for the marker of this one, which has its epoch
	expect(t, "the marker of the one before", h.end1(true, 2, true, 1), wire.None)
	c.Grant()
	expect(t, "protocol 2: the next transaction", h.append1(next), wire.None)
	c.Release()
	h.stable(4)
}

// A marker that comes late, from a coordinator that was replaced or of a transaction before, ends nothing.
func TestLateMarkers(t *testing.T) {
	h := open(t, vfs.NewMem(), 1)
	defer h.Manager.Stop()
	h.begin(t, inTransaction(t, 3, 0, "a"), false)
	expect(t, "of an older producer epoch", h.end1(true, 2, false, 9), wire.InvalidProducerEpoch)
	expect(t, "of the transaction before, by protocol 2", h.end1(true, 3, true, 9), wire.InvalidProducerEpoch)
	h.stable(0)
	expect(t, "abort", h.end1(false, 4, true, 9), wire.None)
	expect(t, "the same again", h.end1(false, 4, true, 9), wire.None)
	h.begin(t, inTransaction(t, 4, 0, "b"), false)
	expect(t, "of a coordinator that was replaced", h.end1(true, 5, true, 8), wire.TransactionCoordinatorFenced)
	h.stable(3)
	expect(t, "commit", h.end1(true, 5, true, 9), wire.None)
	h.stable(5)
	r := h.part(0).Read(ReadRequest{CurrentEpoch: -1, MaxBytes: 1 << 20, ReadCommitted: true})
	if r.Code != wire.None || len(r.Aborted) != 1 || r.Aborted[0].FirstOffset != 0 || r.Aborted[0].LastOffset != 1 {
		t.Fatalf("%v, aborted %+v", r.Code, r.Aborted)
	}
}

// What a producer has on the way behind a batch whose transaction could not be begun yet does not get in before it.
func TestRefusedBeginningKeepsItsPlace(t *testing.T) {
	h := open(t, vfs.NewMem(), 1)
	defer h.Manager.Stop()
	first, second := inTransaction(t, 0, 0, "a"), inTransaction(t, 0, 1, "b")
	c := h.part(0).ClaimFor(first, false)
	c.Refuse(first)
	c.Release()
	c = h.part(0).ClaimFor(second, false)
	c.Grant()
	expect(t, "the second before the first", h.append1(second), wire.OutOfOrderSequenceNumber)
	c.Release()
	h.begin(t, first, false)
	expect(t, "the second", h.append1(second), wire.None)
	if n := len(h.part(0).claims); n != 0 {
		t.Fatalf("%d claims are left", n)
	}
}

// Where readers of committed records stand for too long, somebody is told, once.
func TestStandstillIsTold(t *testing.T) {
	h := open(t, vfs.NewMem(), 1)
	defer h.Manager.Stop()
	h.begin(t, inTransaction(t, 0, 0, "a"), false)
	now := time.Now()
	h.part(0).watchStable(now)
	h.part(0).watchStable(now.Add(15 * time.Minute))
	if h.told(event.KindStableOffsetStands) {
		t.Fatal("told while a producer may still be at work")
	}
	h.part(0).watchStable(now.Add(16 * time.Minute))
	h.part(0).watchStable(now.Add(17 * time.Minute))
	h.mu.Lock()
	told := len(h.events)
	h.mu.Unlock()
	if !h.told(event.KindStableOffsetStands) || told != 1 {
		t.Fatalf("%d events", told)
	}
	expect(t, "abort", h.end1(false, 1, true, 0), wire.None)
	h.part(0).watchStable(now.Add(18 * time.Minute))
	if h.part(0).standstill != (standstill{}) {
		t.Fatal("it stands for ever")
	}
}
