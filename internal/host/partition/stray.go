package partition

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"holdfast/internal/core/image"
	"holdfast/internal/storage/commitlog"
)

// Suffixes of folders that are no longer partitions, as in Kafka.
const (
	deleteSuffix = "-delete" // its topic was deleted
	straySuffix  = "-stray"  // no topic of the cluster owns it
)

// setStraysAside renames partition folders whose topic the image does not know, and removes those whose topic was
// deleted. A stray folder is kept for its owner to look at: only a deletion that was asked for deletes.
func (m *Manager) setStraysAside(img *image.Image) error {
	names, err := m.options.FS.List(m.options.Dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := filepath.Join(m.options.Dir, name)
		if strings.HasSuffix(name, deleteSuffix) {
			if err := m.options.FS.RemoveAll(path); err != nil {
				return err
			}
			continue
		}
		topic, index, ok := parseDir(name)
		if !ok {
			continue
		}
		if err := m.setAside(img, path, topic, index); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) setAside(img *image.Image, path, topic string, index int32) error {
	id, err := commitlog.ReadPartitionMetadata(m.options.FS, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // not a partition, or one that crashed before its first record: adopting it is safe
	}
	if err != nil {
		// A power cut before the folder's first sync leaves such a file, and rot may. Taking the folder over by its name
		// loses nothing; setting it aside could.
		m.options.Log.Warn("a partition folder does not say whose it is; it is taken over by its name", "folder", path, "err", err)
		return nil
	}
	t := img.TopicByID(id)
	if t != nil && t.Name == topic && int(index) < len(t.Partitions) {
		return nil
	}
	aside := path + "." + image.TopicID(id).String() + straySuffix
	m.options.Log.Warn("a partition folder belongs to no topic of this cluster; it was set aside and may be removed",
		"folder", path, "now", aside)
	if err := m.options.FS.Rename(path, aside); err != nil {
		return err
	}
	return m.options.FS.SyncDir(m.options.Dir)
}

// parseDir splits a partition's folder name.
func parseDir(name string) (topic string, index int32, ok bool) {
	dash := strings.LastIndexByte(name, '-')
	if dash <= 0 {
		return "", 0, false
	}
	n, err := strconv.ParseInt(name[dash+1:], 10, 32)
	if err != nil || n < 0 {
		return "", 0, false
	}
	return name[:dash], int32(n), true
}
