//go:build !linux

package main

import (
	"errors"
	"os/exec"
)

var errLinux = errors.New("the benchmark needs Linux: it reads /proc")

func dieWithParent(*exec.Cmd) {}

func deviceOf(string) string { return "" }

func settle() {}

func warmMemory(int) error { return errLinux }

func forgetPages(string) error { return errLinux }
