package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of CPU times in /proc on every architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// usage is what a process has used so far.
type usage struct {
	cpu     time.Duration // user and system
	rss     int64         // bytes
	rssPeak int64         // bytes
	written int64         // bytes that it made dirty, by whole folios of the page cache: often more than the device gets
}

func usageOf(pid int) (usage, error) {
	var u usage
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	// The program's name is in parentheses and may hold anything; fields are counted from behind it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, field := range fields[11:13] { // utime, stime
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(ticks) * clockTick
	}
	status, err := table(pid, "status")
	if err != nil {
		return u, err
	}
	io, err := table(pid, "io")
	u.rss, u.rssPeak, u.written = status["VmRSS"]<<10, status["VmHWM"]<<10, io["write_bytes"]
	return u, err
}

// table reads a file of "name: number unit" lines; what is no number is left out.
func table(pid int, file string) (map[string]int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return nil, err
	}
	values := map[string]int64{}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		if n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), " kB")), 10, 64); err == nil {
			values[name] = n
		}
	}
	return values, nil
}

// machine is what the whole machine has done so far.
type machine struct {
	busy, stolen time.Duration // of all processors
	written      int64         // bytes that the data folders' device took, whoever wrote them
}

func machineNow(device string) (machine, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return machine{}, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal
	var ticks [8]time.Duration
	for i := range ticks {
		n, err := strconv.ParseInt(fields[i+1], 10, 64)
		if err != nil {
			return machine{}, err
		}
		ticks[i] = time.Duration(n) * clockTick
	}
	m := machine{busy: ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6], stolen: ticks[7]}
	if text, err = os.ReadFile(device); err != nil {
		return m, nil // a file system without a device of its own
	}
	if fields = strings.Fields(string(text)); len(fields) > 6 {
		sectors, err := strconv.ParseInt(fields[6], 10, 64)
		m.written = sectors * 512
		return m, err
	}
	return m, nil
}

// loadAverage is the number of processes that wanted to run, over the last minute.
func loadAverage() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return -1
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return -1
	}
	return load
}

// meter measures a broker, and the machine around it, from its start to its stop.
type meter struct {
	pid    int
	device string // its statistics
	began  time.Time
	broker usage
	all    machine
}

func startMeter(pid int, device string) (m meter, err error) {
	m = meter{pid: pid, device: device}
	if m.broker, err = usageOf(pid); err != nil {
		return m, err
	}
	if m.all, err = machineNow(device); err != nil {
		return m, err
	}
	m.began = time.Now()
	return m, nil
}

// stop turns what was measured into figures; r is what the load generator did meanwhile.
func (m meter) stop(r result) (figures, error) {
	now, err := usageOf(m.pid)
	if err != nil {
		return nil, err
	}
	all, err := machineNow(m.device)
	if err != nil {
		return nil, err
	}
	// All processors' time between start and stop.
	capacity := time.Since(m.began).Seconds() * float64(runtime.NumCPU())
	broker := (now.cpu - m.broker.cpu).Seconds()
	f := figures{
		brokerCPU: broker, rss: float64(now.rss) / 1e6, rssPeak: float64(now.rssPeak) / 1e6, seconds: r.Seconds,
		clientShare: r.CPUSeconds / capacity, brokerShare: broker / capacity,
		others: max((all.busy-m.all.busy).Seconds()-broker-r.CPUSeconds, 0) / capacity,
		stolen: (all.stolen - m.all.stolen).Seconds() / capacity, loadAvg: loadAverage(),
	}
	if r.Bytes > 0 {
		f[mbps] = float64(r.Bytes) / 1e6 / r.Seconds
		f[cpuPerGB] = broker / (float64(r.Bytes) / 1e9)
		f[clientCPUPerGB] = r.CPUSeconds / (float64(r.Bytes) / 1e9)
		f[deviceBytes] = float64(all.written-m.all.written) / float64(r.Bytes)
		f[askedBytes] = float64(now.written-m.broker.written) / float64(r.Bytes)
	}
	if r.Max > 0 {
		f[p50], f[p99], f[p999], f[slowest] = r.P50, r.P99, r.P999, r.Max
	}
	return f, nil
}
