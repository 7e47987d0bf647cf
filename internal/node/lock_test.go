package node_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/storage/vfs"
)

// TestStartWaitsForADyingProcess has a killed process that nobody reaped yet hold the lock: it lets go of its files when
// it dies, and its number stays until its parent looks.
func TestStartWaitsForADyingProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("this system does not tell of other processes")
	}
	dir := t.TempDir()
	sleeper := exec.Command("sleep", "60")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	lock, err := vfs.OS().Lock(filepath.Join(dir, ".lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".lock"), fmtPID(sleeper.Process.Pid), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := startError(t, dir); !strings.Contains(got, "in use by process") {
		t.Errorf("while the holder lives: said %q", got)
	}
	sleeper.Process.Kill()
	released := time.AfterFunc(100*time.Millisecond, func() { lock.Close() })
	defer released.Stop()
	start(t, dir)
	sleeper.Wait()
}

func fmtPID(pid int) []byte { return []byte(strconv.Itoa(pid) + "\n") }
