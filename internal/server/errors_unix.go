//go:build unix

package server

import (
	"errors"
	"syscall"
)

// isExhausted says that the process or the machine has no file handle left for one more connection.
func isExhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}
