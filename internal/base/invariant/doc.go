// Package invariant stops the part of the program in which the impossible has happened.
//
// A broken invariant panics with a *Violation. The owner of a partition or a shard recovers it with Catch,
// takes that part offline with its state written down, and leaves the rest of the node running; only the
// journal and the quorum let it stop the node. An invariant may depend on our own code only, never on bytes
// that came from a client or a disk: those get an error.
//
// It is not an assert for tests and not a way to report errors. Cheap checks are always on; those that walk whole
// structures run in a build with the tag `invariants` (Costly). The package holds no state.
package invariant
