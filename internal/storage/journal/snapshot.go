package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path"

	"holdfast/internal/storage/vfs"
)

// The snapshot file is a head - magic, checksum of all that follows, version, id, length - and the caller's bytes.

const (
	snapshotName    = "snapshot"
	snapshotMagic   = "HFsnap\r\n"
	snapshotVersion = 1
	snapshotHead    = 8 + 4 + 4 + 16 + 8

	// MaxSnapshot bounds the bytes of a snapshot.
	MaxSnapshot = 1 << 30
)

// SaveSnapshot replaces the snapshot in the journal's folder; when it returns nil, the new one is durable. After an error
// there is the old one or the new one, whole; the caller must not Cut, and may try again.
func SaveSnapshot(fsys vfs.FS, dir string, id ID, data []byte) error {
	if len(data) > MaxSnapshot {
		return fmt.Errorf("save snapshot: %w: %d bytes", ErrTooLarge, len(data))
	}
	name, temp := path.Join(dir, snapshotName), path.Join(dir, snapshotName+tempSuffix)
	if err := writeSnapshot(fsys, temp, id, data); err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	if err := fsys.Rename(temp, name); err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	if err := fsys.SyncDir(dir); err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	return nil
}

func writeSnapshot(fsys vfs.FS, name string, id ID, data []byte) (err error) {
	f, err := fsys.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteAt(encodeSnapshot(id, data), 0); err != nil {
		return err
	}
	return f.Sync()
}

func encodeSnapshot(id ID, data []byte) []byte {
	b := make([]byte, snapshotHead, snapshotHead+len(data))
	copy(b, snapshotMagic)
	binary.BigEndian.PutUint32(b[12:], snapshotVersion)
	copy(b[16:], id[:])
	binary.BigEndian.PutUint64(b[32:], uint64(len(data)))
	b = append(b, data...)
	binary.BigEndian.PutUint32(b[8:], checksum(ID{}, b[12:]))
	return b
}

// LoadSnapshot returns the bytes last saved. Without a snapshot the error is fs.ErrNotExist, damage is a *RotError.
func LoadSnapshot(fsys vfs.FS, dir string, id ID) ([]byte, error) {
	name := path.Join(dir, snapshotName)
	b, err := readFile(fsys, name, snapshotHead+MaxSnapshot)
	if err != nil {
		return nil, fmt.Errorf("load snapshot: %w", err)
	}
	data, owner, err := decodeSnapshot(b)
	switch {
	case errors.Is(err, ErrVersion):
		return nil, fmt.Errorf("load snapshot: %s: %w", name, err)
	case err != nil:
		return nil, fmt.Errorf("load snapshot: %w", &RotError{File: name, Detail: err.Error()})
	case owner != id:
		return nil, fmt.Errorf("load snapshot: %s: %w: it has id %x, this one has %x", name, ErrForeign, owner, id)
	}
	return data, nil
}

func decodeSnapshot(b []byte) (data []byte, id ID, err error) {
	switch {
	case len(b) < snapshotHead, !bytes.HasPrefix(b, []byte(snapshotMagic)), binary.BigEndian.Uint32(b[8:]) != checksum(ID{}, b[12:]):
		return nil, ID{}, errors.New("the checksum is wrong")
	case binary.BigEndian.Uint32(b[12:]) != snapshotVersion:
		return nil, ID{}, ErrVersion
	case binary.BigEndian.Uint64(b[32:]) != uint64(len(b)-snapshotHead):
		return nil, ID{}, errors.New("the length is wrong")
	}
	return b[snapshotHead:], ID(b[16:32]), nil
}
