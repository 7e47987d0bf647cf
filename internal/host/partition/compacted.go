package partition

import (
	"errors"
	"io/fs"
	"math"
	"path/filepath"

	"holdfast/internal/base/config"
	"holdfast/internal/core/image"
	"holdfast/internal/storage/commitlog"
)

// What compaction writes down, beside the other checkpoints and with their lines.
const (
	cleanedFile = "cleaner-offset-checkpoint"    // Kafka's: compacted up to here, written after a run
	gapsFile    = "compaction-offset-checkpoint" // ours: offsets may be missing below, written before a run
)

// compactedPoints is what these files said at the start, by folder name.
type compactedPoints struct {
	cleaned, gaps map[string]int64
	unknown       bool // there is no gaps file: a folder of Kafka's, or somebody removed it
}

func (m *Manager) loadCompacted(img *image.Image) (c compactedPoints, err error) {
	if c.cleaned, _, err = m.loadCheckpoint(cleanedFile, img); err != nil {
		return c, err
	}
	var ours map[string]bool
	if c.gaps, ours, err = m.loadCheckpoint(gapsFile, img); err != nil {
		return c, err
	}
	_, missing := m.options.FS.Stat(filepath.Join(m.options.Dir, gapsFile))
	if missing != nil && !errors.Is(missing, fs.ErrNotExist) {
		return c, missing
	}
	c.unknown = ours == nil || missing != nil
	return c, nil
}

// gapsOf is the offset below which offsets of a folder may be missing. Where nobody knows, and the topic is compacted, any
// may be: else a start would take what compaction removed for lost, and cut off what comes after.
func (m *Manager) gapsOf(name string, s *settings) int64 {
	c := &m.compacted
	if c.unknown && s.compacts() {
		if _, err := m.options.FS.Stat(filepath.Join(m.options.Dir, name)); err == nil {
			return math.MaxInt64
		}
	}
	return max(c.gaps[name], c.cleaned[name])
}

func (c *compactedPoints) drop(name string) {
	delete(c.cleaned, name)
	delete(c.gaps, name)
}

// saveCompacted writes both files. What is offline keeps what it had.
func (m *Manager) saveCompacted() error {
	m.saving.Lock()
	defer m.saving.Unlock()
	cleaned, gaps := map[commitlog.TopicPartition]int64{}, map[commitlog.TopicPartition]int64{}
	for _, t := range m.Topics() {
		for i, p := range t.Partitions() {
			tp := commitlog.TopicPartition{Topic: t.Name, Partition: int32(i), TopicID: t.ID}
			name := PartitionDir(t.Name, tp.Partition)
			to, missing := m.compacted.cleaned[name], m.compacted.gaps[name]
			if p != nil {
				to, missing = p.log.CleanedTo(), p.log.GapsTo()
			}
			if to > 0 {
				cleaned[tp] = to
			}
			if missing > 0 {
				gaps[tp] = missing
			}
		}
	}
	if err := commitlog.WriteCheckpoint(m.options.FS, filepath.Join(m.options.Dir, gapsFile), gaps); err != nil {
		return err
	}
	return commitlog.WriteCheckpoint(m.options.FS, filepath.Join(m.options.Dir, cleanedFile), cleaned)
}

func (s *settings) compacts() bool { return s.topic.CleanupPolicy.Has(config.CleanupCompact) }
