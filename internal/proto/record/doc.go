// Package record knows the bytes of a record batch: Kafka's format with magic 2, the only one written since 2017.
//
// A Batch is a view: a byte slice with accessors, nothing is copied and nothing is decoded ahead. Rules says what a
// partition accepts from a client and prepares a batch for its log: it validates, stamps and, where the topic asks
// for another codec, re-encodes. Builder makes batches, Batch.Records reads their records, Marker ends transactions.
//
// It is not the log (storage/commitlog), which gives a batch its offsets and its leader epoch, and it does not judge
// sequences (core/producer). It has no clock, no goroutine and does no I/O: the time arrives in Rules.NowMs.
//
// Callers: server/handler (Rules, Single), host/partition and storage/commitlog (Batch, Next), cli and tests
// (Builder, Records), everything that keeps its state in a topic (Builder, Records, Marker).
//
// Invariants:
//
//	an accessor never reads outside the slice of a batch that Next returned
//	no count, length or size that a client wrote is trusted before the bytes behind it were seen
//	decompression streams; it stops at its limit and holds one codec window, never the bomb
//
// Drawn, with the offset of each field:
//
//	 0          8        12             16      17    21           23                 27              35
//	┌──────────┬────────┬──────────────┬───────┬─────┬────────────┬──────────────────┬───────────────┬──
//	│ base     │ length │ leader epoch │ magic │ crc │ attributes │ last offset      │ base          │
//	│ offset 8 │ 4      │ 4            │ 1 (2) │ 4   │ 2          │ delta 4          │ timestamp 8   │
//	└──────────┴────────┴──────────────┴───────┴─────┴────────────┴──────────────────┴───────────────┴──
//	35              43            51               53              57      61
//	┬───────────────┬─────────────┬────────────────┬───────────────┬───────┬────────────────────────────┐
//	│ max           │ producer    │ producer       │ base          │ count │ payload: records,          │
//	│ timestamp 8   │ id 8        │ epoch 2        │ sequence 4    │ 4     │ compressed as one, or not  │
//	┴───────────────┴─────────────┴────────────────┴───────────────┴───────┴────────────────────────────┘
//
// length counts the bytes after itself. crc is CRC-32C over everything from attributes on, so the log may write base
// offset and leader epoch into a batch without touching it.
//
// Read batch.go first, then rules.go; walk.go is the one parser that sees records of strangers while they stream.
package record
