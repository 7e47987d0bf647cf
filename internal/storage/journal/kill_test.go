package journal

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"holdfast/internal/storage/vfs"
)

const killEnv = "JOURNAL_TEST_KILL"

// TestKilledProcess kills a process that writes to a real disk as fast as it can, some times over, and finds everything
// that it said was synced.
func TestKilledProcess(t *testing.T) {
	if dir := os.Getenv(killEnv); dir != "" {
		writeForEver(t, dir)
		return
	}
	dir := filepath.Join(t.TempDir(), "journal")
	var last uint64
	for life := range 4 {
		last = max(last, killAfter(t, dir, 30+life*40))
		j, entries, err := open(vfs.OS(), dir, testID, testSegment)
		must(t, err)
		if len(entries) == 0 || entries[len(entries)-1].Seq < last {
			t.Fatalf("life %d: synced up to %d, but %d entries end before", life, last, len(entries))
		}
		for _, e := range entries {
			if string(e.Data) != string(entry(int(e.Seq%100), 3000).Data) {
				t.Fatalf("life %d: entry %d has other bytes", life, e.Seq)
			}
		}
		must(t, j.Close())
	}
}

// writeForEver appends, syncs, tells, cuts, until it is killed.
func writeForEver(t *testing.T, dir string) {
	j, _, err := open(vfs.OS(), dir, testID, testSegment)
	must(t, err)
	for {
		seq, err := j.Append(entry(int((j.Last()+1)%100), 3000))
		must(t, err)
		must(t, j.Sync())
		fmt.Println("synced", seq)
		if seq > 10 && seq%20 < 2 {
			must(t, j.Cut(seq-10))
		}
	}
}

// killAfter starts the writer, kills it after so many syncs, and returns the last sequence that it told of.
func killAfter(t *testing.T, dir string, syncs int) (last uint64) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcess$")
	cmd.Env = append(os.Environ(), killEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "synced %d", &last); err != nil {
			t.Errorf("the writer says %q", lines.Text())
		}
		if n++; n == syncs {
			must(t, cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the writer was not killed")
	}
	return last
}
