// Package quorum runs the cluster's metadata log: it lets core/controller decide, makes the decision durable through raft
// and the journal, and shows every node the same sequence of images.
//
// It is not the controller (core/controller decides) and not the picture (core/image). It owns one goroutine, one
// journal and the raft state; nobody else touches them.
//
// # One turn of the loop
//
//	take every command that waits        Decide reads the pending image: committed, plus all that was appended
//	propose each decision                one command, one entry, one atomic batch
//	append and sync the journal, once    all commands that came during the sync before share it
//	apply what is committed, show it     watchers in their order, then Image, then the replies
//
// The sync stands before everything that leaves: replies, watchers, and later messages to other voters. Inside a turn raft
// may take its own vote or entry for stored before it is; nobody hears of it earlier.
//
// # Rules
//
//   - A reply, also one that changed nothing, leaves only when everything appended before it is committed and shown.
//   - The pending image is thrown away when leadership is lost. Whoever waits then learns that the outcome is unknown.
//   - A failed journal stops the driver: Done is closed and Err says why; the node stops. A full disk is waited for.
//   - A cluster is formed once, by the first entries of an empty journal: the voters and a formation record.
//
// Today there is one voter, this node: it campaigns at once instead of waiting for an election time-out, sends no
// message and needs no tick. Raft's ids are node ids plus one, because raft keeps 0 for "nobody".
//
// What lies in the folder is drawn in docs/format/metadata.md. Read driver.go first, then loop.go; store.go is what
// raft has on disk.
package quorum
