// Package producer keeps what one partition knows of its idempotent and transactional producers: the epoch, the last
// five batches with the offsets they got, and the open transactions that hold the last stable offset back.
//
// It is pure: no clock, no goroutine, no lock. The commit log owns one State per partition and feeds it every batch that
// was appended (Update, UpdateMarker) or replayed at start. The partition asks Check before it appends. Both happen under
// the partition's lock; a State is not safe for concurrent use.
//
// Invariants:
//   - A producer's batches are ordered by offset and hold the last five appended in its current epoch.
//   - Check changes nothing, and a batch that Check lets through leaves Update nothing to refuse.
//   - A batch equal to one of the five (same epoch, same first and last sequence) is a duplicate and gets the
//     original offsets back, so a retry is answered as the first attempt was.
//   - A producer that the partition does not know may begin at any sequence: its state may have expired or been
//     removed with the records. State is therefore never dropped before its expiry, and outlives the records.
//   - A producer with an open transaction never expires.
package producer
