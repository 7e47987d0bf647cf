// Package image is the immutable picture of the cluster: its topics and their partitions, its brokers, its settings.
//
// It decides nothing (core/controller does) and stores nothing (host/quorum does). It knows the metadata records,
// how each is written as bytes, and the one way each changes a picture.
//
// An [Image] never changes once it is made, so any goroutine may read one without a lock. [Image.Edit] opens a copy
// that shares everything with the original; [Edit.Apply] changes it record by record; [Edit.Image] closes it. What
// differs between two images is a [Delta], computed by [Diff] in time proportional to what changed.
//
// Invariants:
//
//	equal pictures give equal bytes (Snapshot is canonical), and Load of those bytes gives an equal picture
//	Apply cannot fail: a record that refers to something unknown changes nothing
//	no two topics share a name, an id, or a name in which '.' and '_' are taken for the same
//	a record of a newer version than this build writes is refused by Decode, never skipped
//
// Callers: core/controller (reads, and applies what it decided), host/quorum (encodes, decodes, publishes), and
// everything that serves requests (reads). The formats are drawn in docs/format/metadata.md.
//
// Read image.go first, then record.go; table.go is the sorted copy-on-write map underneath.
package image
