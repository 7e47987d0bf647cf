package commitlog

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"holdfast/internal/storage/vfs"
)

// TopicPartition names a partition in a checkpoint file.
type TopicPartition struct {
	Topic     string
	Partition int32
	TopicID   [16]byte // zero where the file does not say, as Kafka's do not
}

const (
	checkpointVersion = 0
	idDigits          = 22 // of a topic id in base64
)

// ErrCheckpoint says that a file is no whole checkpoint file.
var ErrCheckpoint = errors.New("not a checkpoint file")

// parseCheckpoint reads Kafka's checkpoint form: a version, a count, as many lines of so many fields, or so many more.
func parseCheckpoint(p []byte, fields, more int, line func([]string) error) error {
	version, p, ok := cutLine(p)
	if !ok || version != strconv.Itoa(checkpointVersion) {
		return fmt.Errorf("%w of version %d", ErrCheckpoint, checkpointVersion)
	}
	text, p, ok := cutLine(p)
	count, err := strconv.Atoi(text)
	if !ok || err != nil || count < 0 {
		return fmt.Errorf("%w: its second line is no count", ErrCheckpoint)
	}
	for n := 0; ; n++ {
		text, rest, ok := cutLine(p)
		if !ok {
			if n != count || len(p) > 0 {
				return fmt.Errorf("%w: it has %d whole lines and says %d", ErrCheckpoint, n, count)
			}
			return nil
		}
		f := strings.Fields(text)
		if len(f) < fields || len(f) > fields+more {
			return fmt.Errorf("%w: line %d has %d fields, not %d", ErrCheckpoint, n+3, len(f), fields)
		}
		if err := line(f); err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrCheckpoint, n+3, err)
		}
		p = rest
	}
}

func cutLine(p []byte) (line string, rest []byte, ok bool) {
	i := bytes.IndexByte(p, '\n')
	if i < 0 {
		return "", p, false
	}
	return string(p[:i]), p[i+1:], true
}

// ParseCheckpoint reads the contents of a file of offsets by partition, such as Kafka's
// recovery-point-offset-checkpoint and log-start-offset-checkpoint. Ours have the topic's id behind the offset: a topic
// may be deleted and made anew under its name, and what is said of the one does not hold for the other. A checksum
// ends the line.
func ParseCheckpoint(p []byte) (map[TopicPartition]int64, error) {
	out := map[TopicPartition]int64{}
	err := parseCheckpoint(p, 3, 2, func(f []string) error {
		partition, err := strconv.ParseInt(f[1], 10, 32)
		if err != nil {
			return err
		}
		offset, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			return err
		}
		if partition < 0 || offset < 0 {
			return errors.New("a number is negative")
		}
		k := TopicPartition{Topic: f[0], Partition: int32(partition)}
		if len(f) > 3 {
			if n, err := base64.RawURLEncoding.Decode(k.TopicID[:], []byte(f[3][:min(len(f[3]), idDigits)])); err != nil || n != len(k.TopicID) || len(f[3]) != idDigits {
				return fmt.Errorf("%q is no topic id", f[3])
			}
		}
		if want := lineChecksum(strings.Join(f[:min(len(f), 4)], " ")); len(f) > 4 && f[4] != want {
			return fmt.Errorf("its checksum is %s, computed %s", f[4], want)
		}
		out[k] = offset
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// lineChecksum ends a line of ours. One flipped bit in an offset would take acknowledged records away.
func lineChecksum(line string) string {
	return fmt.Sprintf("%08x", crc32.Checksum([]byte(line), castagnoli))
}

// ReadCheckpoint reads a file of offsets by partition. A missing file is an empty map.
func ReadCheckpoint(fsys vfs.FS, name string) (map[TopicPartition]int64, error) {
	p, err := vfs.ReadFile(fsys, name, maxCheckpointBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return map[TopicPartition]int64{}, nil
	}
	if err != nil {
		return nil, err
	}
	out, err := ParseCheckpoint(p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return out, nil
}

// maxCheckpointBytes bounds what a checkpoint file may be; a million partitions fit.
const maxCheckpointBytes = 256 << 20

// WriteCheckpoint replaces a file of offsets by partition, durably: after a crash it is the old file or the new one.
func WriteCheckpoint(fsys vfs.FS, name string, offsets map[TopicPartition]int64) error {
	keys := slices.SortedFunc(maps.Keys(offsets), func(a, b TopicPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), bytes.Compare(a.TopicID[:], b.TopicID[:]))
	})
	p := fmt.Appendf(nil, "%d\n%d\n", checkpointVersion, len(keys))
	for _, k := range keys {
		from := len(p)
		p = fmt.Appendf(p, "%s %d %d", k.Topic, k.Partition, offsets[k])
		if k.TopicID != ([16]byte{}) {
			line := fmt.Sprintf("%s %d %d %s", k.Topic, k.Partition, offsets[k], base64.RawURLEncoding.EncodeToString(k.TopicID[:]))
			p = fmt.Appendf(p[:from], "%s %s", line, lineChecksum(line))
		}
		p = append(p, '\n')
	}
	return vfs.ReplaceFile(fsys, name, p)
}

// WritePartitionMetadata writes the partition.metadata file of a partition folder, durably: it says which topic the
// records are of, so that a folder left over from a deleted topic is not taken for its successor's.
func WritePartitionMetadata(fsys vfs.FS, dir string, topicID [16]byte) error {
	return vfs.ReplaceFile(fsys, path.Join(dir, metadataName), appendMetadata(topicID))
}

func appendMetadata(topicID [16]byte) []byte {
	return []byte("version: 0\ntopic_id: " + base64.RawURLEncoding.EncodeToString(topicID[:]) + "\n")
}

// writeMetadata writes the folder's partition.metadata, to be synced with the first records.
func (l *Log) writeMetadata() error {
	if l.topic == ([16]byte{}) {
		return nil
	}
	h, err := l.files.writeFile(path.Join(l.dir, metadataName), appendMetadata(l.topic))
	if err != nil {
		return err
	}
	l.soil(h)
	l.newNames = true
	return nil
}

// maxMetadataBytes bounds what a partition.metadata file may be.
const maxMetadataBytes = 4 << 10

// ReadPartitionMetadata reads the topic id of a partition folder; the error is fs.ErrNotExist where it has none.
func ReadPartitionMetadata(fsys vfs.FS, dir string) (topicID [16]byte, err error) {
	name := path.Join(dir, metadataName)
	p, err := vfs.ReadFile(fsys, name, maxMetadataBytes)
	if err != nil {
		return topicID, err
	}
	if topicID, err = ParsePartitionMetadata(p); err != nil {
		return topicID, fmt.Errorf("%s: %w", name, err)
	}
	return topicID, nil
}

// ParsePartitionMetadata reads the contents of a partition.metadata file.
func ParsePartitionMetadata(p []byte) (topicID [16]byte, err error) {
	f := strings.Fields(string(p))
	if len(f) != 4 || f[0] != "version:" || f[2] != "topic_id:" {
		return topicID, errors.New("not a partition metadata file: it wants the lines \"version: 0\" and \"topic_id: …\"")
	}
	if v, err := strconv.Atoi(f[1]); err != nil || v < 0 {
		return topicID, fmt.Errorf("partition metadata of version %q is unknown", f[1])
	}
	id, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(f[3], "="))
	if err != nil || len(id) != len(topicID) {
		return topicID, fmt.Errorf("topic id %q is not 16 bytes of base64", f[3])
	}
	copy(topicID[:], id)
	if topicID == ([16]byte{}) {
		return topicID, errors.New("the topic id is zero")
	}
	return topicID, nil
}
