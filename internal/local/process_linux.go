package local

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// process is what can be seen of a living process.
type process struct {
	birth  string // differs between two processes with one id
	paused bool
}

// lookAt finds a living process; one that has ended and was not waited for does not count.
func lookAt(pid int) (process, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, false
	}
	// The second field is the program's name in parentheses, with anything in it.
	_, rest, ok := strings.Cut(string(text[max(0, strings.LastIndexByte(string(text), ')')):]), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return process{}, false
	}
	// The first thread of a killed process shows as a zombie while others are still leaving, say an fsync: until they are
	// gone the process keeps its locks and ports.
	if threads := fields[17]; (fields[0] == "Z" || fields[0] == "X") && (threads == "0" || threads == "1") {
		return process{}, false
	}
	return process{birth: fields[19], paused: fields[0] == "T"}, true // ticks from the boot to the start
}

// attributes keep a detached node from the signals of its starter's terminal, and let any other end with its starter.
//
// Pdeathsig is tied to the thread that started the process. The runtime ends a thread only where a goroutine that locked
// it ends, which nobody here does.
func attributes(detached bool) *syscall.SysProcAttr {
	if detached {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
