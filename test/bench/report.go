package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is all that one run found.
type report struct {
	Host         string
	Began        time.Time
	Scale        float64
	WarmGB       float64
	Rounds       int
	Shared       bool   // rows shared brokers
	Note         string // what readers must know of this run
	Measurements []measurement
}

func (r *report) save(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// load reads reports that were saved. What a later one measured takes the place of an earlier one's.
func (r *report) load(paths string) error {
	var kept []measurement
	for path := range strings.SplitSeq(paths, ",") {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		r.Measurements = nil
		if err := json.Unmarshal(text, r); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		kept = slices.DeleteFunc(kept, func(old measurement) bool {
			return slices.ContainsFunc(r.Measurements, func(m measurement) bool { return m.Row == old.Row && m.Variant == old.Variant })
		})
		kept = append(kept, r.Measurements...)
	}
	r.Measurements = kept
	return nil
}

// describeHost names processor, cores, memory and kernel.
func describeHost() string {
	out, err := exec.Command("uname", "-sr").Output()
	kernel := strings.TrimSpace(string(out))
	if err != nil {
		kernel = runtime.GOOS
	}
	return fmt.Sprintf("%s, %s memory, %s, %s", processor(), procField("/proc/meminfo", "MemTotal"), kernel, runtime.Version())
}

// processor names it, with its number of cores.
func processor() string {
	return fmt.Sprintf("%d x %s", runtime.NumCPU(), procField("/proc/cpuinfo", "model name"))
}

// procField is the value of a "key : value" line.
func procField(file, key string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "?"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return "?"
}

// of gathers a figure of a row's variant over the rounds.
func (r *report) of(row, variant, figure string) spread {
	var values []float64
	for _, m := range r.Measurements {
		if v, ok := m.Figures[figure]; ok && m.Row == row && m.Variant == variant && m.Error == "" {
			values = append(values, v)
		}
	}
	return spreadOf(values)
}

// errors are the rounds of a row that failed.
func (r *report) errors(row string) (out []string) {
	for _, m := range r.Measurements {
		if m.Row == row && m.Error != "" {
			first, _, _ := strings.Cut(m.Error, "\n")
			out = append(out, fmt.Sprintf("%s, %s, round %d: %s", m.Row, m.Variant, m.Round+1, first))
		}
	}
	return out
}

// figures of a row that are shown beside those that it aims at.
var beside = []string{cpuPerGB, p99, rssPeak, deviceBytes}

// markdown writes one table for all rows: a line a figure.
func (r *report) markdown(w io.Writer, rows []row) error {
	fmt.Fprintf(w, "%s, %s; %d rounds, scale %g, %g GB of guest memory touched before each measurement%s.\n\n", r.Host,
		r.Began.UTC().Format("2006-01-02 15:04 MST"), r.Rounds, r.Scale, r.WarmGB, map[bool]string{true: ", rows shared brokers"}[r.Shared])
	if r.Note != "" {
		fmt.Fprintf(w, "**%s**\n\n", r.Note)
	}
	fmt.Fprintln(w, "| row | figure | Kafka 4.3.1 | Holdfast | ratio | aim | unsynced | ratio | aim | others |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|")
	var failed []string
	for _, row := range rows {
		failed = append(failed, r.errors(row.name)...)
		title := row.name
		for _, a := range row.lines() {
			against := a.against
			if against == "" {
				against = theirs.name
			}
			base, own, fast := r.of(row.name, against, a.figure), r.of(row.name, ours.name, a.figure), r.of(row.name, oursUnsynced.name, a.figure)
			if base.Rounds+own.Rounds+fast.Rounds == 0 {
				continue
			}
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", title, a.figure, base, own,
				ratio(a.figure, base, own, a.ours), a.text(a.ours), fast, ratio(a.figure, base, fast, a.unsynced), a.text(a.unsynced),
				percent(r.of(row.name, ours.name, others)))
			title = ""
		}
	}
	if err := r.tuned(w, rows); err != nil {
		return err
	}
	for _, f := range failed {
		if _, err := fmt.Fprintf(w, "\nFailed: %s\n", f); err != nil {
			return err
		}
	}
	return nil
}

// tuned is a second table, where Kafka was measured with other settings, too.
func (r *report) tuned(w io.Writer, rows []row) error {
	if !slices.ContainsFunc(r.Measurements, func(m measurement) bool { return m.Variant == theirsTuned.name }) {
		return nil
	}
	fmt.Fprintf(w, "\nKafka with a heap of 4 GB and %s:\n\n", strings.Join(tuning(), ", "))
	fmt.Fprintln(w, "| row | figure | Kafka 4.3.1 | tuned | Holdfast | ratio to tuned |\n|---|---|---|---|---|---|")
	for _, row := range rows {
		for _, a := range row.aims {
			base, tuned, own := r.of(row.name, theirs.name, a.figure), r.of(row.name, theirsTuned.name, a.figure), r.of(row.name, ours.name, a.figure)
			if tuned.Rounds == 0 {
				continue
			}
			if _, err := fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", row.name, a.figure, base, tuned, own, ratio(a.figure, tuned, own, 0)); err != nil {
				return err
			}
		}
	}
	return nil
}

// lines are the row's aims, and what is shown beside them.
func (r row) lines() []aim {
	lines := slices.Clone(r.aims)
	for _, figure := range beside {
		if !slices.ContainsFunc(lines, func(a aim) bool { return a.figure == figure }) {
			against := ""
			if len(r.aims) > 0 {
				against = r.aims[0].against
			}
			lines = append(lines, aim{figure: figure, against: against})
		}
	}
	return lines
}

func (s spread) String() string {
	if s.Rounds == 0 {
		return "-"
	}
	if s.Rounds == 1 {
		return number(s.Median)
	}
	return fmt.Sprintf("%s (%s-%s)", number(s.Median), number(s.Low), number(s.High))
}

func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func percent(s spread) string {
	if s.Rounds == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f %%", s.Median*100)
}

// ratio says how many times better ours is, in bold where it reaches the aim.
func ratio(figure string, base, own spread, aim float64) string {
	if base.Rounds == 0 || own.Rounds == 0 || base.Median <= 0 || own.Median <= 0 {
		return "-"
	}
	x := base.Median / own.Median
	if moreIsBetter(figure) {
		x = own.Median / base.Median
	}
	text := number(x) + "x"
	if aim > 0 && x >= aim {
		return "**" + text + "**"
	}
	return text
}

func (a aim) text(ratio float64) string {
	var parts []string
	if ratio > 0 {
		parts = append(parts, number(ratio)+"x")
	}
	if a.most > 0 {
		parts = append(parts, "at most "+number(a.most))
	}
	return strings.Join(parts, ", ")
}

// publish writes docs/performance.md and its pictures.
func (r *report) publish(rows []row) error {
	dir := filepath.Join("docs", "pictures")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join("docs", "performance.md"))
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Fprint(f, introduction)
	if err := r.markdown(f, rows); err != nil {
		return err
	}
	for _, p := range r.pictures() {
		file := strings.ReplaceAll(p.name, " ", "-") + ".svg"
		if err := os.WriteFile(filepath.Join(dir, file), []byte(p.svg()), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(f, "\n## %s\n\n![%s](pictures/%s)\n", p.title, p.title, file)
	}
	return f.Close()
}

const introduction = `# Performance: Holdfast beside Apache Kafka

Written by ` + "`go run ./test/bench -write`" + `, which says how it measures in its package comment. Both run on one machine, one
after the other in each round, with the load generator beside them: a Go client (franz-go), which takes its share of the
processors. Nothing here is about many brokers or a network.

Kafka runs from its published jars with its own defaults: a record is acknowledged when it is in the page cache. Holdfast's
default is that an acknowledged record is on stable storage; "unsynced" is Holdfast with ` + "`commit.sync=false`" + `, which promises
what Kafka does. Rows with "synced" in their name compare with Kafka set to sync each write (` + "`flush.messages=1`" + `). After each
produce row all records are read back and counted, and after each row of commits the offsets; one that is missing fails the row.

A figure is the median of the rounds, with the lowest and the highest. A ratio is how many times better Holdfast is (below 1x:
worse), in bold where it reaches its aim; aims were set before anything was measured. CPU is the broker's own, in seconds for
each GB of keys and values. "Device bytes a byte" counts what reached the device before the last acknowledgement: a system
that does not sync may have written less by then. "Others" is the share of the machine that neither broker nor load
generator used: where it is large, the row was measured on a busy machine.

How soon a change in a group is noticed is up to the members' heartbeats: 3 s apart in a classic group, which no broker can
shorten. The row with heartbeats of 100 ms shows the broker's own share.

`
