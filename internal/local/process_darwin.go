package local

import (
	"os/exec"
	"strconv"
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
	out, err := exec.Command("ps", "-o", "state=,lstart=", "-p", strconv.Itoa(pid)).Output()
	state, birth, ok := strings.Cut(strings.TrimSpace(string(out)), " ")
	if err != nil || !ok || strings.HasPrefix(state, "Z") {
		return process{}, false
	}
	return process{birth: strings.TrimSpace(birth), paused: strings.HasPrefix(state, "T")}, true
}

// attributes keep a node from the signals of its starter's terminal. A node whose starter is killed stays behind here.
func attributes(detached bool) *syscall.SysProcAttr {
	if detached {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true}
}
