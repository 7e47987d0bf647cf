package partition

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

// A new producer has two batches on the way when the disk is full for the first of them.
func TestARefusedFirstBatchKeepsItsTurn(t *testing.T) {
	full := false
	fsys := vfs.NewFaulty(vfs.NewMem(), vfs.FailWhen(func(op vfs.Op) bool { return full && op.Kind == vfs.OpWrite }, syscall.ENOSPC))
	h := open(t, fsys, 1)
	defer h.stop()
	h.mustProduce(0, AcksAll, "before")

	build := record.NewBuilder(record.BuilderOptions{Idempotent: true, ProducerID: 7})
	var batches []record.Batch
	for _, v := range []string{"first", "second", "third"} {
		if err := build.Append(time.Now().UnixMilli(), nil, []byte(v)); err != nil {
			t.Fatal(err)
		}
		batches = append(batches, build.Build())
	}
	send := func(i int) wire.Code {
		var c Commit
		var r wire.ProducePartitionResult
		c.Begin(1)
		h.part(0).Append(slices.Clone(batches[i]), AcksAll, time.Now(), &c, &r)
		if !c.Seal() {
			c.Wait(10 * time.Second)
		}
		return r.Code
	}
	full = true
	first := send(0)
	full = false
	if got := []wire.Code{first, send(1), send(0), send(1), send(2)}; !slices.Equal(got, []wire.Code{
		wire.KafkaStorageError, wire.OutOfOrderSequenceNumber, wire.None, wire.None, wire.None,
	}) {
		t.Errorf("answers: %v", got)
	}
	if got := h.read(0); !slices.Equal(got, []string{"before", "first", "second", "third"}) {
		t.Errorf("read %v", got)
	}
}
