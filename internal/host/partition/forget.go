package partition

import (
	"errors"
	"io/fs"
	"path/filepath"

	"holdfast/internal/base/metrics"
	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"
)

// forget stops serving the topics that d deletes and removes their folders. Their names may come back at once, and a
// crash may come at any moment. So, each step durable before the next: the checkpoint files know them no more, their
// folders lose their names, the folders go. A folder that a crash leaves under its own name has the id of a topic that
// is gone from the image for good, and the next start sets it aside.
func (m *Manager) forget(d image.Delta) {
	var gone []*Partition
	for _, c := range d.Topics {
		if c.After == nil {
			gone = append(gone, m.withdraw(c.Before)...)
		}
	}
	if len(gone) == 0 {
		return
	}
	if err := m.saveCheckpoints(); err != nil {
		m.options.Log.Warn("the checkpoint files still know deleted topics", "err", err)
	}
	var aside []string
	for _, p := range gone {
		if path, err := p.rename(); err == nil {
			aside = append(aside, path)
		} else if !errors.Is(err, fs.ErrNotExist) { // there is no folder before the first record
			m.options.Log.Warn("the folder of a deleted topic is still there; the next start sets it aside", "partition", p.String(), "err", err)
		}
	}
	if len(aside) == 0 {
		return
	}
	err := m.options.FS.SyncDir(m.options.Dir)
	for _, path := range aside {
		if err == nil {
			err = m.options.FS.RemoveAll(path)
		}
	}
	if err != nil {
		m.options.Log.Warn("folders of deleted topics are still there; the next start removes them", "err", err)
	}
}

// withdraw takes a deleted topic out of the tables, answers all who wait, and returns its partitions.
func (m *Manager) withdraw(t *image.Topic) (gone []*Partition) {
	m.mu.Lock()
	topic := m.byID[t.ID]
	delete(m.byID, t.ID)
	if m.byName[t.Name] == topic {
		delete(m.byName, t.Name)
	}
	m.mu.Unlock()
	if topic == nil {
		return nil
	}
	for _, d := range []*metrics.Def{metrics.AppendedRecords, metrics.AppendedBytes, metrics.FetchedBytes, metrics.FetchOutOfRange} {
		m.options.Metrics.Delete(d, t.Name)
	}
	m.saving.Lock()
	defer m.saving.Unlock()
	m.pointsDropped = true
	for i, p := range topic.Partitions() {
		m.points.drop(PartitionDir(t.Name, int32(i)))
		m.compacted.drop(PartitionDir(t.Name, int32(i)))
		if p != nil {
			p.leave(wire.UnknownTopicOrPartition)
			gone = append(gone, p)
		}
	}
	return gone
}

// rename closes the log of a deleted topic and gives its folder a name that the next start removes.
func (p *Partition) rename() (path string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log.Discard()
	path = filepath.Join(p.manager.options.Dir, PartitionDir(p.Topic.Name, p.Index)+"."+p.Topic.ID.String()+deleteSuffix)
	return path, p.manager.options.FS.Rename(p.log.Dir(), path)
}
