//go:build race

package handler

// racing: the race detector has sync.Pool forget at random, so that allocations tell nothing.
const racing = true
