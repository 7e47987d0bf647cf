package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

// hostCheck is one thing that doctor looked at, and one line of its JSON output.
type hostCheck struct {
	Check  string `json:"check"`
	Level  string `json:"level"` // good, warn, bad, unknown
	Found  string `json:"found"`
	Remedy string `json:"remedy,omitempty"`
}

func good(name, format string, args ...any) hostCheck {
	return hostCheck{Check: name, Level: "good", Found: fmt.Sprintf(format, args...)}
}

func warn(name, remedy, format string, args ...any) hostCheck {
	return hostCheck{Check: name, Level: "warn", Found: fmt.Sprintf(format, args...), Remedy: remedy}
}

func bad(name, remedy, format string, args ...any) hostCheck {
	return hostCheck{Check: name, Level: "bad", Found: fmt.Sprintf(format, args...), Remedy: remedy}
}

func unknown(name string, why any) hostCheck {
	return hostCheck{Check: name, Level: "unknown", Found: fmt.Sprint(why)}
}

func newDoctorCommand(a *app) *cobra.Command {
	return noun("doctor", "Find what would lose, repeat or block data", "  holdfast doctor host --data ./holdfast-data", newDoctorHostCommand(a))
}

func newDoctorHostCommand(a *app) *cobra.Command {
	var data string
	var syncs int
	cmd := &cobra.Command{
		Use:   "host",
		Short: "Look at what this machine does wrong for a broker",
		Long: `Looks at the machine a broker runs on: the file system of its data directory, how long a sync to disk takes,
free space, open files, clock, memory, processors. It writes a small file into the data directory, syncs it a few
hundred times and removes it.

good needs nothing; warn costs speed or room; bad breaks a promise, and makes the exit code 3; unknown could not be
looked at.

` + holdfastOnly + ` ` + noCluster,
		Example: "  holdfast doctor host\n  holdfast doctor host --data /var/lib/holdfast -o json",
		Args:    takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if syncs < 1 || syncs > 100000 {
				return usage("", "--syncs %d is outside of 1 to 100000", syncs)
			}
			dir, err := existingParent(data)
			if err != nil {
				return err
			}
			return reportChecks(a, hostChecks(cmd.Context(), dir, syncs))
		},
	}
	cmd.Flags().StringVar(&data, "data", "./holdfast-data", "data directory of the broker; if it is not there yet, the folder it would be made in")
	cmd.Flags().IntVar(&syncs, "syncs", 300, "how many syncs to time")
	return cmd
}

// existingParent is dir, or the nearest folder above it that exists: a new data directory would be there.
func existingParent(dir string) (string, error) {
	at, err := filepath.Abs(dir)
	if err != nil {
		return "", usage("", "cannot use --data %s: %v", dir, err)
	}
	for {
		info, err := os.Stat(at)
		switch {
		case err == nil && !info.IsDir():
			return "", usage("Give --data a folder.", "%s is not a folder", at)
		case err == nil:
			return at, nil
		case !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at):
			return "", usage("", "cannot use --data %s: %v", dir, err)
		}
		at = filepath.Dir(at)
	}
}

// hostChecks looks at everything, in the order in which it matters.
func hostChecks(ctx context.Context, dir string, syncs int) []hostCheck {
	list := []hostCheck{fileSystemCheck(dir)}
	list = append(list, syncCheck(ctx, dir, syncs), spaceCheck(dir), openFilesCheck(), clockCheck())
	return append(list, machineChecks()...)
}

func reportChecks(a *app, list []hostCheck) error {
	worst := exitDone
	t := newTable("CHECK", "", "FOUND")
	for _, c := range list {
		if c.Level == "bad" {
			worst = exitViolation
		}
		if a.json() {
			if err := jsonLine(a.env.Out, c); err != nil {
				return err
			}
			continue
		}
		t.row(c.Check, c.Level, c.Found)
		if c.Remedy != "" {
			t.row("", "", "  "+c.Remedy)
		}
	}
	if !a.json() {
		if err := t.print(a.env.Out); err != nil {
			return err
		}
	}
	if worst != exitDone {
		return reported(worst)
	}
	return nil
}

// Limits of a plausible sync. The fastest disks with a protected cache need about 20 us for a synced 4 KiB write; memory
// needs 1. A disk whose tail is beyond slowSync holds every acknowledgement up.
const (
	implausibleSync = 10 * time.Microsecond
	slowSync        = 50 * time.Millisecond
)

// syncCheck times writes of 4 KiB that are synced each.
func syncCheck(ctx context.Context, dir string, times int) hostCheck {
	const name = "sync to disk"
	f, err := os.CreateTemp(dir, ".holdfast-doctor-*")
	if err != nil {
		return bad(name, "Give the broker's user the right to write there, or choose another folder with --data.", "cannot write to %s: %v", dir, err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	h := &histogram{}
	block := make([]byte, 4096)
	for i := 0; i < times && ctx.Err() == nil; i++ {
		began := time.Now()
		if _, err := f.WriteAt(block, int64(i)*4096); err != nil {
			return bad(name, "Look at the disk: dmesg shows what the kernel says.", "cannot write: %v", err)
		}
		if err := syncData(f); err != nil {
			return bad(name, "Look at the disk: dmesg shows what the kernel says.", "a sync failed: %v", err)
		}
		h.add(time.Since(began))
	}
	return judgeSync(name, h)
}

func judgeSync(name string, h *histogram) hostCheck {
	p := h.percentiles()
	figures := fmt.Sprintf("4 KiB written and synced in %.3f ms (median), %.3f ms (99th percentile), %.3f ms at most", p.P50, p.P99, p.Max)
	switch {
	case h.percentile(0.5) < implausibleSync:
		return bad(name, "Nothing reached a disk: a power cut would lose acknowledged records. Use a folder on a real disk.", "%s: implausibly fast", figures)
	case h.percentile(0.99) > slowSync:
		return warn(name, "Every synced acknowledgement waits for it. Use a faster disk, or one that others do not use.", "%s: slow", figures)
	}
	return good(name, "%s", figures)
}

// judgeSpace is about the file system of the data directory.
func judgeSpace(free, total uint64) hostCheck {
	const name = "free space"
	share := 0.0
	if total > 0 {
		share = float64(free) / float64(total)
	}
	found := fmt.Sprintf("%.1f GB of %.1f GB (%.0f %%)", float64(free)/1e9, float64(total)/1e9, share*100)
	switch {
	case free < 1<<30:
		return bad(name, "Free some: a broker refuses writes when the disk is full.", "%s", found)
	case share < 0.1:
		return warn(name, "Shorten retention.ms or retention.bytes, or add room.", "%s", found)
	}
	return good(name, "%s", found)
}

// judgeOpenFiles is about the limit of open files: each connection takes one, each segment in use about three.
func judgeOpenFiles(limit uint64) hostCheck {
	const name = "open files"
	remedy := "Raise it: ulimit -n 1048576, or LimitNOFILE=1048576 in the systemd unit."
	switch {
	case limit < 1024:
		return bad(name, remedy, "at most %d", limit)
	case limit < 65536:
		return warn(name, remedy, "at most %d", limit)
	}
	return good(name, "at most %d", limit)
}
