// Package local runs nodes as processes of this machine, and does to them what a bad day does: kill, stop, pause.
//
// It knows a node from the outside only: a program with a command line, a process id, a port that answers. A cluster
// is a folder:
//
//	DIR/local.json    the nodes, their ports and settings, and the process of each
//	DIR/node-1/       the data of node 1
//	DIR/node-1.log    what node 1 prints, all its lives one after the other
//
// so that the `local` command of one shell can act on nodes that another started. A process is recognised by its id and
// the moment of its birth: an id that was given to somebody else since is never signalled.
//
// A Child is any other program that ends with its starter, prints lines to it, and can be done the same to: it belongs to no
// folder.
//
// Callers: the `local` command, whose nodes outlive it (Detached), and `verify`, whose nodes and members of groups end with
// it: with Stop, and where Linux helps also when the verifier itself is killed.
//
// Today a cluster has one node; more are refused until nodes replicate.
//
// A Cluster is not safe for use by several goroutines at once. Two programs that start nodes in one
// folder at the same moment are not kept apart here; the data folder's own lock keeps them from sharing data.
//
// Read cluster.go first, then node.go; child.go stands for itself.
package local
