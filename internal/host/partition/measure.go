package partition

import (
	"time"

	"holdfast/internal/base/metrics"
)

// measures are what the data plane counts, bound once: counting costs no look-up.
type measures struct {
	syncSeconds, syncFiles, syncPartitions metrics.Histogram

	duplicates, recoded metrics.Counter
	scanned, truncated  metrics.Counter // bytes, by recoveries

	compactions, compactRead, compactWritten, compactRecords, compactFailures metrics.Counter

	compactSeconds metrics.Histogram
	scrubbed       metrics.Counter // bytes
}

func bind(r *metrics.Registry, dir string) measures {
	return measures{
		syncSeconds: r.Histogram(metrics.FsyncSeconds, dir), syncFiles: r.Histogram(metrics.FsyncFiles, dir),
		syncPartitions: r.Histogram(metrics.FsyncPartitions, dir),
		duplicates:     r.Counter(metrics.BatchesDuplicate), recoded: r.Counter(metrics.BatchesRecoded),
		scanned: r.Counter(metrics.RecoveredBytes), truncated: r.Counter(metrics.TruncatedBytes),

		compactions: r.Counter(metrics.Compactions), compactRead: r.Counter(metrics.CompactionReadBytes),
		compactWritten: r.Counter(metrics.CompactionWrittenBytes), compactRecords: r.Counter(metrics.CompactionRecords),
		compactFailures: r.Counter(metrics.CompactionFailures), compactSeconds: r.Histogram(metrics.CompactionSeconds),
		scrubbed: r.Counter(metrics.ScrubbedBytes),
	}
}

// dropped notes segments that retention removed.
func (m *Manager) dropped(reason string, segments int) {
	m.options.Metrics.Counter(metrics.SegmentsDropped, reason).Add(int64(segments))
}

// Tally is how much there is of what, for metrics.
type Tally struct {
	Partitions, Offline int // those that serve, and those that do not
	Segments            int
	Damaged             int // ranges of records that are not served
	Producers           int // one for each partition a producer wrote to
}

// Tally counts. It looks at every partition, so it is for now and then.
func (m *Manager) Tally() Tally {
	t := Tally{}
	for _, topic := range m.Topics() {
		for i, p := range topic.Partitions() {
			if p == nil {
				if topic.Offline(int32(i)) != nil {
					t.Offline++
				}
				continue
			}
			t.Partitions++
			t.Segments += p.log.Segments()
			t.Damaged += len(p.log.Damaged())
			p.mu.Lock()
			t.Producers += p.log.Producers().Len()
			p.mu.Unlock()
		}
	}
	return t
}

// Full reports whether appends are refused for want of space.
func (m *Manager) Full() bool { return m.dir.space.refuse.Load() != nil || m.dir.space.hit.Load() }

// timed is a round's sync, measured.
func (f *flusher) timed() error {
	began := time.Now()
	err := f.sync()
	f.measured.syncSeconds.Seconds(time.Since(began))
	f.measured.syncFiles.Observe(float64(len(f.files)))
	f.measured.syncPartitions.Observe(float64(len(f.jobs)))
	return err
}
