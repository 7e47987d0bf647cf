package partition

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"holdfast/internal/storage/commitlog"
	"holdfast/internal/storage/vfs"
)

// The files of a data directory beside its partitions, with Kafka's names and formats where Kafka has them.
const (
	recoveryFile = "recovery-point-offset-checkpoint"
	startFile    = "log-start-offset-checkpoint"
	cleanFile    = ".clean-stop"
)

// checkpoints is what the data directory's files say of its partitions, by folder name.
type checkpoints struct {
	recovery map[string]int64 // synced up to here when last written
	start    map[string]int64 // log starts that lie inside a segment
}

func loadCheckpoints(fsys vfs.FS, dir string) (checkpoints, error) {
	c := checkpoints{}
	var err error
	if c.recovery, err = loadCheckpoint(fsys, filepath.Join(dir, recoveryFile)); err != nil {
		return c, err
	}
	c.start, err = loadCheckpoint(fsys, filepath.Join(dir, startFile))
	return c, err
}

// loadCheckpoint reads a checkpoint file by folder name. A missing file is an empty one.
func loadCheckpoint(fsys vfs.FS, path string) (map[string]int64, error) {
	byPartition, err := commitlog.ReadCheckpoint(fsys, path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]int64{}, nil
	}
	if err != nil {
		return nil, err
	}
	byName := make(map[string]int64, len(byPartition))
	for tp, offset := range byPartition {
		byName[PartitionDir(tp.Topic, tp.Partition)] = offset
	}
	return byName, nil
}

func (c *checkpoints) recoveryOf(name string) int64 { return c.recovery[name] }
func (c *checkpoints) startOf(name string) int64    { return c.start[name] }

// saveCheckpoints writes recovery points and log starts where they moved.
func (m *Manager) saveCheckpoints() error {
	m.saving.Lock()
	defer m.saving.Unlock()
	recovery, start := map[commitlog.TopicPartition]int64{}, map[commitlog.TopicPartition]int64{}
	changed := false
	m.each(func(p *Partition, _ time.Time) {
		p.mu.Lock()
		point, from := p.log.RecoveryPoint(), p.log.Start()
		p.mu.Unlock()
		changed = changed || point != p.savedPoint || from != p.savedStart
		p.savedPoint, p.savedStart = point, from
		tp := commitlog.TopicPartition{Topic: p.Topic.Name, Partition: p.Index}
		if point > 0 {
			recovery[tp] = point
		}
		if from > 0 {
			start[tp] = from
		}
	})
	if !changed {
		return nil
	}
	fsys := m.options.FS
	if err := commitlog.WriteCheckpoint(fsys, filepath.Join(m.options.Dir, startFile), start); err != nil {
		return err
	}
	return commitlog.WriteCheckpoint(fsys, filepath.Join(m.options.Dir, recoveryFile), recovery)
}

// takeCleanMarker reports whether the last stop was clean, and removes the marker before anything is written.
func (m *Manager) takeCleanMarker() (clean bool, err error) {
	err = m.options.FS.Remove(filepath.Join(m.options.Dir, cleanFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, m.options.FS.SyncDir(m.options.Dir)
}

// leaveCleanMarker says that everything was synced before the node went.
func (m *Manager) leaveCleanMarker() error {
	f, err := m.options.FS.Create(filepath.Join(m.options.Dir, cleanFile))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), m.options.FS.SyncDir(m.options.Dir))
}
