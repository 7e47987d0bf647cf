package partition

import (
	"errors"
	"io/fs"
	"path/filepath"

	"holdfast/internal/core/image"
	"holdfast/internal/storage/commitlog"
	"holdfast/internal/storage/vfs"
)

// The files of a data directory beside its partitions, with Kafka's names where Kafka has them. Their lines are Kafka's with a
// topic id and a checksum behind: a name made anew inherits nothing, and a flipped digit is noticed.
const (
	recoveryFile = "recovery-point-offset-checkpoint"
	startFile    = "log-start-offset-checkpoint"
	runningFile  = ".running" // there from start to clean stop; holds the boot id
)

// checkpoints is what the data directory's files say of its partitions, by folder name.
type checkpoints struct {
	recovery map[string]int64 // synced up to here when last written
	start    map[string]int64 // log starts above 0
	ours     map[string]bool  // both were written by us, so that a start that is not there is 0
	noStarts bool             // the starts were written down, and their file is damaged or gone
}

// loadCheckpoints reads what an earlier run wrote down. A file that is damaged is told and done without: without recovery
// points everything is read and checked; log starts are found in the files of epochs, as of their last sync.
func (m *Manager) loadCheckpoints(img *image.Image) (c checkpoints, err error) {
	if c.recovery, c.ours, err = m.loadCheckpoint(recoveryFile, img); err != nil {
		return c, err
	}
	var readable map[string]bool
	c.start, readable, err = m.loadCheckpoint(startFile, img)
	if _, missing := m.options.FS.Stat(filepath.Join(m.options.Dir, startFile)); readable == nil || missing != nil {
		for _, ours := range c.ours { // order-free
			c.noStarts = c.noStarts || ours
		}
		c.ours = nil
	}
	if _, missing := m.options.FS.Stat(filepath.Join(m.options.Dir, recoveryFile)); missing != nil {
		m.pointsDropped = true // it also says that the directory was in use, though nobody ever wrote a record
	}
	return c, err
}

// loadCheckpoint reads a checkpoint file by folder name, and which of its lines are ours and not Kafka's. A missing file is
// an empty one; of one that is damaged ours is nil. It passes over what is said of a deleted topic whose name another has
// now: a full disk or a crash may have left it there.
func (m *Manager) loadCheckpoint(name string, img *image.Image) (byName map[string]int64, ours map[string]bool, err error) {
	byPartition, err := commitlog.ReadCheckpoint(m.options.FS, filepath.Join(m.options.Dir, name))
	if errors.Is(err, commitlog.ErrCheckpoint) {
		m.options.Log.Error("a checkpoint file is damaged and done without; the start takes longer, and what was deleted in the last moments may be there again", "err", err)
		m.pointsDropped = true // written anew when all is open
		return map[string]int64{}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	byName, ours = make(map[string]int64, len(byPartition)), make(map[string]bool, len(byPartition))
	for tp, offset := range byPartition { // order-free
		if t := img.Topic(tp.Topic); t != nil && tp.TopicID != t.ID && tp.TopicID != (image.TopicID{}) {
			continue
		}
		byName[PartitionDir(tp.Topic, tp.Partition)] = offset
		ours[PartitionDir(tp.Topic, tp.Partition)] = tp.TopicID != (image.TopicID{})
	}
	return byName, ours, nil
}

func (c *checkpoints) recoveryOf(name string) int64 { return c.recovery[name] }
func (c *checkpoints) startOf(name string) int64    { return c.start[name] }

// drop forgets a folder's offsets and reports whether there were any.
func (c *checkpoints) drop(name string) bool {
	_, point := c.recovery[name]
	_, start := c.start[name]
	delete(c.recovery, name)
	delete(c.start, name)
	delete(c.ours, name)
	return point || start
}

// saveCheckpoints writes recovery points and log starts where they moved. What is offline keeps what it had.
func (m *Manager) saveCheckpoints() error {
	m.saving.Lock()
	defer m.saving.Unlock()
	recovery, start := map[commitlog.TopicPartition]int64{}, map[commitlog.TopicPartition]int64{}
	put := func(tp commitlog.TopicPartition, point, from int64) {
		if point > 0 {
			recovery[tp] = point
		}
		if from > 0 {
			start[tp] = from
		}
	}
	var moved []func()
	for _, t := range m.Topics() {
		for i, p := range t.Partitions() {
			tp := commitlog.TopicPartition{Topic: t.Name, Partition: int32(i), TopicID: t.ID}
			if p == nil {
				name := PartitionDir(t.Name, tp.Partition)
				put(tp, m.points.recoveryOf(name), m.points.startOf(name))
				continue
			}
			p.mu.Lock()
			point, from := p.log.RecoveryPoint(), p.log.Start()
			p.mu.Unlock()
			if point != p.savedPoint || from != p.savedStart {
				moved = append(moved, func() { p.savedPoint, p.savedStart = point, from })
			}
			put(tp, point, from)
		}
	}
	if len(moved) == 0 && !m.pointsDropped {
		return nil
	}
	fsys := m.options.FS
	if err := commitlog.WriteCheckpoint(fsys, filepath.Join(m.options.Dir, startFile), start); err != nil {
		return err
	}
	if err := commitlog.WriteCheckpoint(fsys, filepath.Join(m.options.Dir, recoveryFile), recovery); err != nil {
		return err
	}
	for _, saved := range moved {
		saved()
	}
	m.pointsDropped = false
	return nil
}

// Used tells whether a data directory was in use before: then there was a cluster, and metadata of it.
func Used(fsys vfs.FS, dir string) (bool, error) {
	for _, name := range []string{recoveryFile, runningFile} {
		if _, err := fsys.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return err == nil, err
		}
	}
	return false, nil
}

// markRunning reports whether the last stop was clean, and if not, what ended the run before: a killed process, which
// leaves the page cache, or a power cut (another boot), which does not. It then marks the directory as running, before
// anything else is written.
func (m *Manager) markRunning() (clean bool, cause string, err error) {
	fsys, dir := m.options.FS, m.options.Dir
	running := filepath.Join(dir, runningFile)
	boot, err := vfs.ReadFile(fsys, running, 1<<10)
	clean, cause = errors.Is(err, fs.ErrNotExist), "unknown"
	switch {
	case err != nil && !clean:
		return false, "", err
	case m.options.BootID == "" || len(boot) == 0:
	case string(boot) == m.options.BootID:
		cause = "killed"
	default:
		cause = "power_cut"
	}
	return clean, cause, vfs.ReplaceFile(fsys, running, []byte(m.options.BootID))
}

// markStopped says that everything was synced before the node went.
func (m *Manager) markStopped() error {
	if err := m.options.FS.Remove(filepath.Join(m.options.Dir, runningFile)); err != nil {
		return err
	}
	return m.options.FS.SyncDir(m.options.Dir)
}
