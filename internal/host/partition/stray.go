package partition

import (
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"path/filepath"
	"slices"
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
	name := PartitionDir(topic, index)
	id, err := commitlog.ReadPartitionMetadata(m.options.FS, path)
	if err == nil {
		if t := img.Topic(topic); t != nil && int(index) < len(t.Partitions) {
			switch n := distance(t.ID, id); {
			case n == 0:
				return nil
			case n <= rotBits:
				m.options.Log.Error("a partition folder's topic id is damaged; it is written anew", "folder", path)
				return commitlog.WritePartitionMetadata(m.options.FS, path, t.ID)
			}
		}
		return m.moveAside(path, name, image.TopicID(id).String())
	}
	var unread *fs.PathError
	if errors.As(err, &unread) && !errors.Is(err, fs.ErrNotExist) {
		return err // the disk did not answer: that says nothing about whose it is
	}
	if full, err := m.hasSegments(path); err != nil || !full {
		return err // not a partition, or one that crashed before its first record: adopting it is safe
	}
	// The file is made durable with the first records. So where records were synced it is there, unless it rotted: then
	// taking the folder over by its name loses nothing, and setting it aside could. Where none were, nothing was promised,
	// and it may be of a deleted topic of the same name.
	// But where its log start was raised, that was promised.
	if (m.points.recoveryOf(name) > 0 || m.points.startOf(name) > 0) && holds(img, topic, index) {
		m.options.Log.Warn("a partition folder does not say whose it is; it is taken over by its name", "folder", path, "err", err)
		return nil
	}
	return m.moveAside(path, name, "unknown")
}

// rotBits is by how many bits an id on disk may differ from a topic's and still be the same, damaged. Ids of two topics
// are random: they differ by about 61 bits, and by less than 20 once in 10^22.
const rotBits = 8

func distance(a, b [16]byte) (n int) {
	for i := range a {
		n += bits.OnesCount8(a[i] ^ b[i])
	}
	return n
}

// moveAside gives a folder a name that no partition has. A folder that is there already by that name is left alone.
func (m *Manager) moveAside(path, name, owner string) error {
	aside := path + "." + owner + straySuffix
	for i := 2; ; i++ {
		_, err := m.options.FS.Stat(aside)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
		aside = fmt.Sprintf("%s.%s-%d%s", path, owner, i, straySuffix)
	}
	m.options.Log.Warn("a partition folder belongs to no topic of this cluster; it was set aside and may be removed",
		"folder", path, "now", aside)
	if err := m.options.FS.Rename(path, aside); err != nil {
		return err
	}
	m.pointsDropped = m.points.drop(name) || m.pointsDropped
	return m.options.FS.SyncDir(m.options.Dir)
}

// hasSegments tells whether a folder looks like that of a partition with records.
func (m *Manager) hasSegments(path string) (bool, error) {
	if info, err := m.options.FS.Stat(path); err != nil || !info.IsDir {
		return false, err
	}
	names, err := m.options.FS.List(path)
	return slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, ".log") }), err
}

// dropStrangers forgets what the checkpoint files say of partitions that this node does not have. Who makes a topic of
// that name must not inherit it.
func (m *Manager) dropStrangers(img *image.Image) {
	for _, offsets := range []map[string]int64{m.points.recovery, m.points.start} {
		for name := range offsets { // order-free
			if topic, index, ok := parseDir(name); !ok || !holds(img, topic, index) {
				m.points.drop(name)
				m.pointsDropped = true
			}
		}
	}
}

func holds(img *image.Image, topic string, index int32) bool {
	t := img.Topic(topic)
	return t != nil && int(index) < len(t.Partitions)
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
