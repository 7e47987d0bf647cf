// Package handler answers requests: one file an API.
//
// It knows what each Kafka request means in terms of the cluster image (core/image), the metadata quorum (host/quorum)
// and this node's partitions (host/partition). It moves no frames (package server does) and holds no records.
//
// Produce and Fetch are the hot path: they work on views of the frame, on scratch that a Call keeps from request to
// request, and allocate nothing in steady state. Everything else is decoded and encoded with kmsg.
//
// What is asked of a group or of a transaction goes to its coordinator (host/coord); a request that names several groups is
// split by who coordinates them. One that waits for other members holds nothing but itself.
//
// A request that breaks the protocol is an error of Serve, and ends its connection; whatever can be said with a Kafka
// error code is said with it. Each (API, code) pair must be in wire's table of answers; tests fail on any other.
//
// Callers: package server, from one goroutine a connection; a Call belongs to one goroutine at a time.
package handler
