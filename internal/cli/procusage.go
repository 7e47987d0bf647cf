package cli

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usageOf is the CPU time and memory that processes have used so far.
type usageOf struct {
	cpu     time.Duration // user and system
	rss     int64         // bytes in memory now
	rssPeak int64         // bytes at most since the process began
}

// serverUsage adds up the processes with these ids, as /proc shows them (Linux).
func serverUsage(pids []int) (usageOf, error) {
	var total usageOf
	for _, pid := range pids {
		u, err := procUsage(pid)
		if err != nil {
			return total, usage("--server-pid is for brokers on this machine, and needs Linux.", "cannot see process %d: %v", pid, err)
		}
		total.cpu += u.cpu
		total.rss += u.rss
		total.rssPeak += u.rssPeak
	}
	return total, nil
}

// clockTick is the unit of CPU times in /proc: the kernel shows hundredths of a second on every architecture we build for.
const clockTick = 10 * time.Millisecond

func procUsage(pid int) (usageOf, error) {
	var u usageOf
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	// The name of the program is in parentheses and may hold anything; fields are counted from behind it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return u, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	for _, field := range fields[11:13] { // utime, stime
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(ticks) * clockTick
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	for _, line := range strings.Split(string(status), "\n") {
		name, value, _ := strings.Cut(line, ":")
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch {
		case err != nil:
		case name == "VmRSS":
			u.rss = kib << 10
		case name == "VmHWM":
			u.rssPeak = kib << 10
		}
	}
	return u, nil
}

// ownCPU is the CPU time of this process so far.
func ownCPU() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
