// Package shard is the language that a coordinator's machines and their host speak: the commands a machine decides, and
// what a decision asks for. core/group and core/txn are such machines, host/coord runs them; neither knows the other.
//
// One shard is one partition of an internal topic: its log is the machine's state, its leader runs the machine.
//
// # Contract
//
// A command is decided, and then, before the next command is decided:
//
//  1. Outcome.Records are encoded ([Record]); those with a key are appended, in order, as one atomic batch. A record
//     without key is volatile: it concerns who waits and what was not decided yet, and is never written. If nothing has
//     a key, nothing is appended. Records of one outcome belong to no transaction, or all to the same ([Transactional]).
//  2. every record, volatile ones too, is given to [Machine.Apply], in order.
//  3. Outcome.Timers are armed (a timer of the same key is replaced, unless Keep says to leave it), or disarmed where
//     At is zero.
//  4. Outcome.Replies wait until everything applied so far is committed, then leave. A reply marked Early waits for
//     nothing.
//  5. Outcome.Tasks wait like replies and are then handed to the owner of the host, who carries them out elsewhere and
//     tells the machine how it went with a command of the machine's own.
//  6. Outcome.Events are told. They may be told at once.
//
// If the append fails, or leadership is lost, the shard is thrown away: nothing of the Outcome was applied, and every
// caller that waits, parked or not, is refused with NOT_COORDINATOR. A task that was not handed over is gone with it:
// the machine finds it again in its log when it is told [*Loaded].
//
// A due timer comes back as a command with Request [*Fired]. It is still armed at the moment it is decided: a timer
// replaced or disarmed by an earlier command does not fire. Nothing in a machine depends on firing being punctual.
//
// One command may answer many callers, one, or none yet. Every caller is answered exactly once in the life of a shard,
// unless the host answers first: a caller that is gone needs no word to the machine, its reply comes one day and is
// dropped.
//
// # Loading
//
// A new machine, then each record of the log from its start through the machine's decoder and Apply (one that is refused
// with [ErrUnknownRecord] is skipped; another error ends the load), control batches as [*Marker], then one command with
// Request [*Loaded], whose Outcome arms the timers. Its image is at least as new as the one that made this node the
// partition's leader. Until that Outcome is applied clients are refused with COORDINATOR_LOAD_IN_PROGRESS.
//
// A topic that is deleted: a command with Request [*TopicsDeleted] to every shard. Missed ones are made up for by Loaded.
// An image with other topics or more partitions: [*MetadataChanged].
package shard
