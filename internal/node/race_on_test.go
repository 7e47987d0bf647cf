//go:build race

package node_test

// racing: the race detector has sync.Pool forget at random, so that allocations tell nothing.
const racing = true
