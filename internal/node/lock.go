package node

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/storage/vfs"
)

const (
	dyingPatience = 10 * time.Second
	dyingPoll     = 10 * time.Millisecond
)

// lockDirectory makes the data directory ours alone. A process that was killed while it waits for the disk is gone only
// when the disk answers: it is waited for, so that a supervisor may start the next one at once.
func lockDirectory(fsys vfs.FS, dir string) (io.Closer, error) {
	for began := time.Now(); ; time.Sleep(dyingPoll) {
		lock, err := fsys.Lock(filepath.Join(dir, lockFile))
		var locked *vfs.LockedError
		switch {
		case err == nil:
			return lock, nil
		case !errors.As(err, &locked):
			return nil, fmt.Errorf("the data folder cannot be written: %w. Give this node a folder that it may write to (--data DIR)", err)
		case !dying(locked.PID) || time.Since(began) > dyingPatience:
			return nil, fmt.Errorf("%s is in use by process %d. Stop that node, or give this one a folder of its own (--data DIR)", dir, locked.PID)
		}
	}
}

// dying reports whether a process was killed and is on its way out, where the system tells (Linux).
func dying(pid int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if errors.Is(err, os.ErrNotExist) {
		_, err := os.Stat("/proc/self")
		return err == nil // gone since
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "State":
			if strings.HasPrefix(value, "Z") || strings.HasPrefix(value, "X") {
				return true
			}
		case "SigPnd", "ShdPnd":
			if pending, err := strconv.ParseUint(value, 16, 64); err == nil && pending&(1<<(9-1)) != 0 { // SIGKILL
				return true
			}
		}
	}
	return false
}
