//go:build !race

package node_test

const racing = false // see race_on_test.go
