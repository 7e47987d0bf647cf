package cli

import (
	"fmt"
	"runtime"
	"time"
)

// benchReport is the line of JSON that a measurement ends with.
type benchReport struct {
	Bench      string  `json:"bench"`    // produce, consume or latency
	Schedule   string  `json:"schedule"` // max: as fast as possible; open: at a fixed rate, latency counted from the planned time
	Records    int64   `json:"records"`
	Bytes      int64   `json:"bytes"` // of keys and values
	Failed     int64   `json:"failed"`
	Seconds    float64 `json:"seconds"`
	RecordsPS  float64 `json:"recordsPerSecond"`
	MBps       float64 `json:"mbPerSecond"`
	Size       int     `json:"size"`
	Partitions int     `json:"partitions"`
	Producers  int     `json:"producers,omitempty"`
	Consumers  int     `json:"consumers,omitempty"`
	Acks       string  `json:"acks,omitempty"`
	Linger     float64 `json:"lingerMs"`
	Codec      string  `json:"compression,omitempty"`

	Ack      *percentiles `json:"ack,omitempty"`      // from the record's time to its acknowledgement
	EndToEnd *percentiles `json:"endToEnd,omitempty"` // from the record's time to its arrival at the consumer

	Client usageReport  `json:"client"`
	Server *usageReport `json:"server,omitempty"`

	firstError string
}

// usageReport is what processes used during the measurement.
type usageReport struct {
	CPUSeconds float64 `json:"cpuSeconds"`
	CPUShare   float64 `json:"cpuShare"` // of all processors of this machine, 0 to 1
	PerGB      float64 `json:"secondsPerGB"`
	RSSMB      float64 `json:"rssMB,omitempty"`
	RSSPeakMB  float64 `json:"rssPeakMB,omitempty"`
}

// latency is the distribution that an objective is about.
func (r *benchReport) latency() *percentiles {
	if r.EndToEnd != nil {
		return r.EndToEnd
	}
	return r.Ack
}

// meter measures time and CPU from its start to its stop.
type meter struct {
	began  time.Time
	own    time.Duration
	pids   []int
	server usageOf
}

func startMeter(pids []int) (*meter, error) {
	server, err := serverUsage(pids)
	return &meter{began: time.Now(), own: ownCPU(), pids: pids, server: server}, err
}

// stop fills the figures of r that follow from what was counted; ended is when the last record was done.
func (m *meter) stop(r *benchReport, ended time.Time) error {
	elapsed := ended.Sub(m.began)
	r.Seconds = round3(elapsed.Seconds())
	if elapsed > 0 {
		r.RecordsPS = round3(float64(r.Records) / elapsed.Seconds())
		r.MBps = round3(float64(r.Bytes) / 1e6 / elapsed.Seconds())
	}
	r.Client = newUsageReport(ownCPU()-m.own, elapsed, r.Bytes)
	if len(m.pids) == 0 {
		return nil
	}
	now, err := serverUsage(m.pids)
	if err != nil {
		return err
	}
	server := newUsageReport(now.cpu-m.server.cpu, elapsed, r.Bytes)
	server.RSSMB, server.RSSPeakMB = round3(float64(now.rss)/1e6), round3(float64(now.rssPeak)/1e6)
	r.Server = &server
	return nil
}

func newUsageReport(cpu, elapsed time.Duration, bytes int64) usageReport {
	u := usageReport{CPUSeconds: round3(cpu.Seconds())}
	if elapsed > 0 {
		u.CPUShare = round3(cpu.Seconds() / elapsed.Seconds() / float64(runtime.NumCPU()))
	}
	if bytes > 0 {
		u.PerGB = round3(cpu.Seconds() / (float64(bytes) / 1e9))
	}
	return u
}

func (r *benchReport) print(a *app) error {
	if a.json() {
		return jsonLine(a.env.Out, r)
	}
	w := a.env.Out
	fmt.Fprintf(w, "%s  %s in %.2f s: %s records/s, %.1f MB/s", r.Bench, plural(r.Records, "record"), r.Seconds, comma(int64(r.RecordsPS)), r.MBps)
	if r.Failed > 0 {
		fmt.Fprintf(w, ", %s failed", comma(r.Failed))
	}
	fmt.Fprintln(w)
	if r.Ack != nil || r.EndToEnd != nil {
		t := newTable("  LATENCY (ms)", "MEAN", "P50", "P90", "P99", "P99.9", "P99.99", "MAX")
		for _, l := range []struct {
			name string
			p    *percentiles
		}{{"  to the ack", r.Ack}, {"  end to end", r.EndToEnd}} {
			if l.p != nil {
				t.row(l.name, l.p.Mean, l.p.P50, l.p.P90, l.p.P99, l.p.P999, l.p.P9999, l.p.Max)
			}
		}
		if err := t.print(w); err != nil {
			return err
		}
		if r.Schedule == "max" {
			fmt.Fprintln(w, "  sent as fast as possible: latency is mostly waiting in the client; --rate measures the cluster's")
		}
	}
	fmt.Fprintf(w, "  client  %.2f CPU-s, %.0f %% of this machine, %.2f s/GB\n", r.Client.CPUSeconds, r.Client.CPUShare*100, r.Client.PerGB)
	if s := r.Server; s != nil {
		fmt.Fprintf(w, "  server  %.2f CPU-s, %.0f %% of this machine, %.2f s/GB, %.0f MB in memory (at most %.0f)\n",
			s.CPUSeconds, s.CPUShare*100, s.PerGB, s.RSSMB, s.RSSPeakMB)
	}
	return nil
}
