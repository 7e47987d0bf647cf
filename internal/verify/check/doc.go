// Package check judges a run: it is told what producers sent and were answered, what readers got and committed, and
// what the log held in the end, and says whether anything was lost, doubled, reordered, changed or invented - record
// by record, with the offset and the epoch.
//
// It has no clock, no goroutine, no I/O and no lock: the caller serializes its calls. It works against any broker,
// since all it knows comes from clients.
//
// # What the caller owes
//
//   - Attempt is told before the request leaves, Outcome and Read after the answer came. Then "A was told acked before
//     B was told attempted" means that it truly was so, which V8 and V11 rest on.
//   - The producer number and the sequence travel in the record itself. Sequences rise by one a producer and partition,
//     starting at 0. A producer that lost its memory (killed, new process) is a new producer: AddProducer again.
//   - An answer is Refused only if the record can never appear; a timeout, a cut connection, or an error raised after
//     the append is Unsure. When in doubt: Unsure. An Unsure record may appear, or not.
//   - Assigned and Positioned are told after the answer came, a commit before its request leaves, Released before the group
//     learns of it. A member that died is told as Died, after an Unsure for each commit of it that had no answer.
//   - At the end, when faults are healed and nothing is sent any more: Bounds of each partition, then one session of
//     the Audit group from its start to its end, with Reached. Without it the verdict is INCONCLUSIVE.
//
// # What is judged
//
//	V1  lost         an acknowledged record is not in the final log
//	V2  undelivered  it is in the log, and a group that read past it did not get it
//	V3  dup-in-log   one record at two offsets: a failure for an idempotent producer, else counted
//	V4  redelivered  one offset given to a group twice, more often than the group allows
//	V5  order        sequences fall along the log (idempotent producer; else counted), or offsets or epochs within a session
//	V6  conflict     an acknowledged offset is not where the record lies, or two values were read at one offset
//	V7  phantom      read, though refused, aborted, never sent, sent elsewhere, or unreadable; open data read as committed
//	V8  real-time    sent after another was acknowledged, yet at a lower offset
//	V9  unstable     read once, no longer in the final log
//	V11 commits      an acknowledged commit was gone, moved back, or a commit appeared that nobody sent, or past what was delivered
//	V13 owners       two members held a partition and neither was fenced, or a fenced one's commit was accepted, or an epoch fell
//	V14 hand-over    a member let a partition go without committing what it got, or committed later
//
// V13 and V14 are judged of groups whose members are told of: who holds a partition from when to when. A hold that another
// begins within is right if it ends with Lost, or after Fenced: the member was given up, and learned of it later. What is delivered again to a
// member is always traced to the hold before; where there was none, it is a failure whatever the group allows.
//
// A promise is only as strong as its acks: what follows from an acknowledgement (V1, V8, and V6 of acknowledged
// offsets) is a failure for acks=all and merely counted for acks=1 and acks=0.
//
// Records below the final log start are expired: neither lost nor unstable. Compacted topics are not judged.
//
// # Memory
//
// 32 bytes an operation, 16 an offset of the log, one bit an offset and group, in pages; nothing a record leaves a
// string or a map entry behind. Options.MaxBytes bounds it: beyond it the feed is ignored and the verdict INCONCLUSIVE.
//
// Read feed.go and owners.go for what can be told, report.go for what comes back, judge.go for the checks.
package check
