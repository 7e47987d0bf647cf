//go:build linux

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fileSystem is what we know of a kind of file system.
type fileSystem struct {
	name   string
	level  string // as in hostCheck
	remedy string
}

const (
	inMemory  = "It is memory: everything is gone after a restart. Choose a folder on a disk with --data."
	onNetwork = "A network file system may answer a sync before the data is safe, and locks may not hold. Choose a local disk."
	layered   = "A container's own layer is slow, and gone with the container. Mount a volume for --data."
)

// fileSystems by the number that statfs gives.
func fileSystems() map[int64]fileSystem {
	return map[int64]fileSystem{
		0xef53:     {"ext4", "good", ""},
		0x58465342: {"xfs", "good", ""},
		0x9123683e: {"btrfs", "warn", "Copy-on-write makes synced appends slow. chattr +C on the empty folder turns it off."},
		0x2fc12fc1: {"zfs", "good", ""},
		0xf2f52010: {"f2fs", "good", ""},
		0x01021994: {"tmpfs", "bad", inMemory},
		0x858458f6: {"ramfs", "bad", inMemory},
		0x794c7630: {"overlay", "warn", layered},
		0x6969:     {"nfs", "bad", onNetwork},
		0xff534d42: {"cifs", "bad", onNetwork},
		0xfe534d42: {"smb2", "bad", onNetwork},
		0x00c36400: {"ceph", "warn", onNetwork},
		0x01021997: {"9p", "bad", onNetwork},
		0x65735546: {"fuse", "warn", "What a sync means is up to the program behind it. Choose a local disk unless you know."},
	}
}

func fileSystemCheck(dir string) hostCheck {
	const name = "file system"
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return unknown(name, err)
	}
	kind, ok := fileSystems()[int64(st.Type)]
	if !ok {
		return unknown(name, fmt.Sprintf("%s is of a kind that is not known here (0x%x)", dir, int64(st.Type)))
	}
	if options, ok := mountOptions(dir); ok && hasOption(options, "nobarrier", "barrier=0") {
		return bad(name, "Mount it without nobarrier.", "%s is %s, mounted so that a sync does not reach the disk", dir, kind.name)
	}
	return hostCheck{Check: name, Level: kind.level, Found: dir + " is " + kind.name, Remedy: kind.remedy}
}

// mountOptions finds the options of the mount that dir is on.
func mountOptions(dir string) ([]string, bool) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, false
	}
	best, options := "", ""
	for _, line := range strings.Split(string(mounts), "\n") {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		point := strings.NewReplacer(`\040`, " ", `\011`, "\t").Replace(f[1])
		if rel, err := filepath.Rel(point, dir); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") && len(point) >= len(best) {
			best, options = point, f[3]
		}
	}
	return strings.Split(options, ","), best != ""
}

func hasOption(options []string, names ...string) bool {
	for _, o := range options {
		for _, n := range names {
			if o == n {
				return true
			}
		}
	}
	return false
}

func syncData(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }

// clockCheck asks the kernel whether something keeps the clock right.
func clockCheck() hostCheck {
	const name = "clock"
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return unknown(name, err)
	}
	source := firstLine("/sys/devices/system/clocksource/clocksource0/current_clocksource")
	if t.Status&unix.STA_UNSYNC != 0 {
		return warn(name, "Run chrony or systemd-timesyncd: retention, lookups by time and logs depend on it.", "nothing synchronizes it (source %s)", source)
	}
	if source == "hpet" || source == "acpi_pm" {
		return warn(name, "Reading it is slow. Use tsc or kvm-clock (kernel parameter clocksource=).", "synchronized, source %s", source)
	}
	return good(name, "synchronized, source %s", source)
}

// machineChecks looks at memory and processors.
func machineChecks() []hostCheck {
	return []hostCheck{swapCheck(), hugePagesCheck(), processorsCheck(), memoryCheck()}
}

func swapCheck() hostCheck {
	const name = "swap"
	swaps, err := os.ReadFile("/proc/swaps")
	if err != nil {
		return unknown(name, err)
	}
	if strings.Count(strings.TrimSpace(string(swaps)), "\n") == 0 {
		return good(name, "off")
	}
	swappiness, _ := strconv.Atoi(firstLine("/proc/sys/vm/swappiness"))
	if swappiness > 10 {
		return warn(name, "A broker that is swapped out misses its heartbeats: swapoff -a, or sysctl vm.swappiness=1.", "on, with vm.swappiness=%d", swappiness)
	}
	return good(name, "on, with vm.swappiness=%d", swappiness)
}

func hugePagesCheck() hostCheck {
	const name = "huge pages"
	setting := firstLine("/sys/kernel/mm/transparent_hugepage/enabled")
	switch {
	case setting == "":
		return unknown(name, "the kernel does not say")
	case strings.Contains(setting, "[always]"):
		return warn(name, "The broker may take more memory than it uses: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled.", "transparent, always")
	}
	return good(name, "transparent: %s", setting)
}

func processorsCheck() hostCheck {
	const name = "processors"
	quota := strings.Fields(firstLine("/sys/fs/cgroup/cpu.max"))
	if len(quota) == 2 && quota[0] != "max" {
		q, err1 := strconv.ParseFloat(quota[0], 64)
		period, err2 := strconv.ParseFloat(quota[1], 64)
		if err1 == nil && err2 == nil && period > 0 {
			return warn(name, "A quota stops the whole broker for the rest of each period once it is used up; heartbeats wait too. Use shares instead.",
				"%d, with a quota of %.2f", runtime.NumCPU(), q/period)
		}
	}
	return good(name, "%d", runtime.NumCPU())
}

func memoryCheck() hostCheck {
	const name = "memory"
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return unknown(name, err)
	}
	total := uint64(info.Totalram) * uint64(info.Unit)
	found := fmt.Sprintf("%.1f GB", float64(total)/1e9)
	if limit, err := strconv.ParseUint(firstLine("/sys/fs/cgroup/memory.max"), 10, 64); err == nil && limit < total {
		total, found = limit, found+fmt.Sprintf(", limited to %.1f GB", float64(limit)/1e9)
	}
	if total < 256<<20 {
		return warn(name, "Give it 512 MB or more.", "%s", found)
	}
	return good(name, "%s", found)
}

func firstLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}
