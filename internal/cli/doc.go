// Package cli is the command line of holdfast: one file a noun or verb.
//
// Client commands talk to a cluster the way any program does, through a public Kafka client (kgo, kadm); nothing here
// reaches into a running node. So most of them work against any Kafka cluster, and each command's help says whether it
// does ("any Kafka cluster"), is about Holdfast only, or needs no cluster at all.
//
// What every command keeps to:
//
//   - results go to standard output, as a table or (-o json) one JSON object a line with stable names;
//     everything else (progress, notices, counts, errors) goes to standard error
//   - an error says what happened, to what, and what to do about it (problem.go)
//   - the exit code is one of the six in exit.go
//   - the help of every command ends with a worked example
//
// It is not where decisions about data are made: what a record looks like is in proto/record, what a setting means in
// base/config. Callers: cmd/holdfast, and the tests, which run commands in-process through Run.
//
// Read root.go first, then client.go, then any command.
package cli
