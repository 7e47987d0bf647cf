package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/base/metrics"
	"holdfast/internal/host/partition"
	"holdfast/internal/host/quorum"
)

// startQuorum replays the metadata and, in a fresh directory, forms the new cluster.
func (n *Node) startQuorum() error {
	forms := n.id.ClusterID
	used, err := partition.Used(n.options.FS, n.dir)
	if err != nil {
		return err
	}
	if used {
		forms = "" // one was formed; to form it again would be to lose all topics
	}
	synced := n.registry.Histogram(metrics.JournalSyncSeconds)
	d, err := quorum.Open(quorum.Options{
		FS: n.options.FS, Dir: filepath.Join(n.dir, quorumDir), Directory: n.id.DirectoryID,
		NodeID: n.id.NodeID, ClusterID: forms, Broker: n.options.Config, Synced: synced.Seconds,
	})
	if errors.Is(err, quorum.ErrEmpty) {
		return fmt.Errorf("%s was in use, and its cluster's metadata in %s is gone: nobody could say whose the partitions are.\n  Restore that folder from a copy", n.dir, quorumDir)
	}
	if err != nil {
		return err
	}
	n.quorum = d
	d.Watch(n.follow)
	if err := d.Start(); err != nil {
		return err
	}
	if id := n.quorum.Image().ClusterID(); id != n.id.ClusterID {
		return fmt.Errorf("%s holds the metadata of cluster %s, and its %s says %s.\n  Restore the folder from one source", n.dir, id, metaFile, n.id.ClusterID)
	}
	return nil
}

// registerPatience bounds the wait for the quorum; with one voter it is one sync of the journal.
const registerPatience = 30 * time.Second

// register tells the cluster where this node is reached. It is a new run: the partitions it leads get a new leader epoch.
func (n *Node) register(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, registerPatience)
	defer cancel()
	q := kmsg.NewPtrBrokerRegistrationRequest()
	q.Version = q.MaxVersion()
	q.BrokerID, q.ClusterID = n.id.NodeID, n.id.ClusterID
	rand.Read(q.IncarnationID[:]) //nolint:errcheck // it never fails
	if rack, ok := n.options.Config.Lookup("broker.rack"); ok {
		q.Rack = &rack
	}
	q.LogDirs = append(q.LogDirs, n.id.DirectoryID)
	for _, l := range n.listeners {
		e := kmsg.NewBrokerRegistrationRequestListener()
		e.Name, e.Host, e.Port = l.Name, l.AdvertisedHost, uint16(l.AdvertisedPort)
		if e.Host == "" && !l.Wildcard() {
			e.Host = l.Host
		}
		if e.Port == 0 {
			e.Port = uint16(l.Port)
		}
		q.Listeners = append(q.Listeners, e)
	}
	reply, err := n.quorum.Propose(ctx, q)
	if err != nil {
		return fmt.Errorf("this node cannot register: %w", err)
	}
	if code := reply.(*kmsg.BrokerRegistrationResponse).ErrorCode; code != 0 {
		return fmt.Errorf("this node cannot register: %w", kerr.ErrorForCode(code))
	}
	return nil
}

// bootID is the kernel's id of this boot of the machine, "" where there is none to be had.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
