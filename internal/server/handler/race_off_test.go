//go:build !race

package handler

const racing = false // see race_on_test.go
