package node

import (
	"strconv"

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
	host = n.coordinators(coord.Kind{
		Topic: image.TopicTransactions, New: func() shard.Machine { return txn.New(cfg) }, Refuse: txn.Refuse, PartitionFor: shard.PartitionFor,
		Decode:   func(key, value []byte) (shard.Record, error) { return txn.Decode(key, value) },
		Creation: func() coord.Creation { return transactionsTopic(n.config.Load()) },
		Task:     n.markers.Task,
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
	c.MaxRecordBytes = recordBytes(v, c.MaxRecordBytes)
	return c
}

// transactionsTopic is how the topic of the transaction coordinators is made.
func transactionsTopic(v *config.Values) coord.Creation {
	return coord.Creation{
		Partitions: int32(v.Int("transaction.state.log.num.partitions")), ReplicationFactor: replicas(v, "transaction.state.log.replication.factor"),
		Configs: map[string]string{
			"cleanup.policy": "compact", "compression.type": "uncompressed", "segment.bytes": v.String("transaction.state.log.segment.bytes"),
			"min.insync.replicas": strconv.Itoa(v.Int("transaction.state.log.min.isr")), "unclean.leader.election.enable": "false",
		},
	}
}
