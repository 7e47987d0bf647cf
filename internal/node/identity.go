package node

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"holdfast/internal/base/config"
	"holdfast/internal/storage/vfs"
)

// metaFile says whose data directory it is, in Kafka's format and under Kafka's name.
const (
	metaFile    = "meta.properties"
	metaVersion = 1

	maxMetaBytes = 64 << 10
)

// identity is what meta.properties holds.
type identity struct {
	ClusterID   string
	NodeID      int32
	DirectoryID [16]byte
	Fresh       bool // the directory was empty: this run made it
}

// claim reads whose directory it is, or makes an empty one ours. What would mix two clusters or two nodes is refused.
func claim(fsys vfs.FS, dir string, nodeID int32, clusterID string) (identity, error) {
	raw, err := vfs.ReadFile(fsys, filepath.Join(dir, metaFile), maxMetaBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return found(fsys, dir, nodeID, clusterID)
	}
	if err != nil {
		return identity{}, err
	}
	id, err := parseMeta(raw)
	if err != nil {
		return identity{}, fmt.Errorf("%s: %w", filepath.Join(dir, metaFile), err)
	}
	switch {
	case id.NodeID != nodeID:
		return identity{}, fmt.Errorf("%s belongs to cluster %s node %d, and this is node %d.\n  Start it as that node (--id %d), or give this node a folder of its own (--data DIR)",
			dir, id.ClusterID, id.NodeID, nodeID, id.NodeID)
	case clusterID != "" && id.ClusterID != clusterID:
		return identity{}, fmt.Errorf("%s belongs to cluster %s, and cluster.id says %s.\n  Correct cluster.id, or give this node a folder of its own (--data DIR)",
			dir, id.ClusterID, clusterID)
	}
	return id, nil
}

// found makes an empty directory the first one of a new cluster. A directory with anything in it that is not ours is
// left alone: it may be the wrong one.
func found(fsys vfs.FS, dir string, nodeID int32, clusterID string) (identity, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return identity{}, err
	}
	for _, name := range names {
		if name != lockFile && name != "lost+found" && !strings.HasPrefix(name, metaFile) {
			return identity{}, fmt.Errorf("%s is not empty and has no %s, so it is not known whose it is (it holds %s).\n  Give this node an empty folder (--data DIR), or restore %s", dir, metaFile, name, metaFile)
		}
	}
	id := identity{ClusterID: clusterID, NodeID: nodeID, Fresh: true}
	if id.ClusterID == "" {
		raw := randomID()
		id.ClusterID = base64.RawURLEncoding.EncodeToString(raw[:])
	}
	id.DirectoryID = randomID()
	return id, writeMeta(fsys, dir, id)
}

// randomID is a random UUID (version 4) that never starts with '-' in base64, where command lines would take it for a
// flag.
func randomID() (id [16]byte) {
	for {
		rand.Read(id[:]) //nolint:errcheck // it never fails
		id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
		if base64.RawURLEncoding.EncodeToString(id[:])[0] != '-' {
			return id
		}
	}
}

func parseMeta(raw []byte) (identity, error) {
	entries, err := config.ParseProperties(metaFile, bytes.NewReader(raw))
	if err != nil {
		return identity{}, err
	}
	p := map[string]string{}
	for _, e := range entries {
		p[e.Key] = e.Value
	}
	version, err := strconv.Atoi(p["version"])
	if err != nil {
		return identity{}, errors.New("it has no version")
	}
	if version > metaVersion {
		return identity{}, fmt.Errorf("its version is %d, and this program knows up to %d: the folder was used by a newer one. Start that program", version, metaVersion)
	}
	node, err := strconv.ParseInt(p["node.id"], 10, 32)
	if err != nil || node < 0 {
		return identity{}, fmt.Errorf("node.id=%q is not a node's number", p["node.id"])
	}
	id := identity{ClusterID: p["cluster.id"], NodeID: int32(node)}
	if id.ClusterID == "" {
		return identity{}, errors.New("it has no cluster.id")
	}
	directory, err := base64.RawURLEncoding.DecodeString(p["directory.id"])
	if err != nil || len(directory) != len(id.DirectoryID) {
		return identity{}, fmt.Errorf("directory.id=%q is not an id", p["directory.id"])
	}
	copy(id.DirectoryID[:], directory)
	return id, nil
}

// writeMeta writes meta.properties so that a crash leaves it whole or absent.
func writeMeta(fsys vfs.FS, dir string, id identity) error {
	return vfs.ReplaceFile(fsys, filepath.Join(dir, metaFile), fmt.Appendf(nil,
		"version=%d\ncluster.id=%s\nnode.id=%d\ndirectory.id=%s\n",
		metaVersion, id.ClusterID, id.NodeID, base64.RawURLEncoding.EncodeToString(id.DirectoryID[:])))
}
