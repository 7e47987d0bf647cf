package node

import (
	"strconv"
	"time"

	"holdfast/internal/base/config"
	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"
	"holdfast/internal/core/txn"
	"holdfast/internal/host/coord"
	"holdfast/internal/host/markers"
)

// startTxns starts the coordinators of transactions that this node leads, and who carries out what they decide.
func (n *Node) startTxns() {
	var host *coord.Host
	n.markers = markers.New(markers.Options{
		NodeID: n.id.NodeID, Partitions: n.partitions, Groups: n.groups, Image: n.quorum.Image, Propose: n.quorum.Propose, Log: n.options.Log,
	}, func(shard int32, command any) bool { return host.Tell(shard, command) })
	cfg := txnConfig(n.config.Load())
	host = coord.New(coord.Options{
		Kind: coord.Kind{
			Topic: image.TopicTransactions, New: func() shard.Machine { return txn.New(cfg) }, Refuse: txn.Refuse, PartitionFor: shard.PartitionFor,
			Decode:   func(key, value []byte) (shard.Record, error) { return txn.Decode(key, value) },
			Creation: func() coord.Creation { return transactionsTopic(n.config.Load()) },
			Task:     n.markers.Task,
		},
		NodeID: n.id.NodeID, FS: n.options.FS, Dir: n.dir, Partitions: n.partitions, Image: n.quorum.Image(), Events: n.events, Metrics: n.registry, Log: n.options.Log,
		Propose:       n.quorum.Propose,
		CommitTimeout: func() time.Duration { return n.config.Load().Duration("offsets.commit.timeout.ms") },
	})
	n.txns = host
	host.Start()
}

// stopTxns ends the coordinators before the partitions. What they have decided and not carried out they find again.
func (n *Node) stopTxns() {
	if n.txns != nil {
		n.markers.Stop()
		n.txns.Stop()
	}
}

// txnConfig is what the broker's settings say about transactions. None of them changes while the broker runs.
func txnConfig(v *config.Values) txn.Config {
	c := txn.DefaultConfig()
	c.MaxTimeout = v.Duration("transaction.max.timeout.ms")
	c.Expiration = v.Duration("transactional.id.expiration.ms")
	c.SweepInterval = v.Duration("transaction.remove.expired.transaction.cleanup.interval.ms")
	if most := v.Int("message.max.bytes"); most > recordRoom {
		c.MaxRecordBytes = min(c.MaxRecordBytes, most-recordRoom)
	}
	return c
}

// transactionsTopic is how the topic of the transaction coordinators is made. As with the groups', who runs one or two
// nodes need not say that they cannot hold three replicas.
func transactionsTopic(v *config.Values) coord.Creation {
	replicas := int16(v.Int("transaction.state.log.replication.factor"))
	if v.Source("transaction.state.log.replication.factor") == config.DefaultConfig {
		replicas = -1
	}
	return coord.Creation{
		Partitions: int32(v.Int("transaction.state.log.num.partitions")), ReplicationFactor: replicas,
		Configs: map[string]string{
			"cleanup.policy": "compact", "compression.type": "uncompressed", "segment.bytes": v.String("transaction.state.log.segment.bytes"),
			"min.insync.replicas": strconv.Itoa(v.Int("transaction.state.log.min.isr")), "unclean.leader.election.enable": "false",
		},
	}
}
