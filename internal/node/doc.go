// Package node builds one Holdfast node out of its parts, starts them in order and stops them in the opposite order.
//
// It decides nothing and holds no records. What it owns is the data directory's identity (meta.properties and the
// lock), the order of start and stop, the HTTP endpoints, and where events go.
//
// Start order, each step relying on those before it:
//
//	lock the data directory, check whose it is
//	open the listeners' ports (a taken port fails before anything is recovered)
//	metadata quorum: replay the journal, form a new cluster in an empty directory
//	register this run of the node: every partition it leads gets a new leader epoch
//	partitions: recover the logs, follow the committed image from here on
//	accept clients
//
// Stop order: no new requests; those in work are answered; partitions are synced and closed; the quorum; the lock.
package node
