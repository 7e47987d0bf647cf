package config

// txnTable holds the broker keys of transactions.
var txnTable = []Key{
	{
		Name: "transaction.max.timeout.ms", Type: Int, Default: "900000", valid: atLeast(1),
		Doc: "The longest time a producer may ask for to leave a transaction open, in milliseconds; longer is refused.",
	},
	{
		Name: "transactional.id.expiration.ms", Type: Int, Default: "604800000", valid: atLeast(1),
		Doc: "How long a transactional id is remembered that nobody uses, in milliseconds.",
	},
	{
		Name: "transaction.remove.expired.transaction.cleanup.interval.ms", Type: Int, Default: "3600000", valid: atLeast(1),
		Doc: "How often a coordinator looks for transactional ids that nobody uses, in milliseconds.",
	},
	{
		Name: "transaction.state.log.num.partitions", Type: Int, Default: "50", valid: atLeast(1),
		Doc: "How many partitions the topic of the transaction coordinators gets when it is created.",
	},
	{
		Name: "transaction.state.log.replication.factor", Type: Short, Default: "3", valid: atLeast(1),
		Doc: "How many replicas the topic of the transaction coordinators gets when it is created; left out, three, or as many as there are brokers if fewer.",
	},
	{
		Name: "transaction.state.log.min.isr", Type: Int, Default: "2", valid: atLeast(1),
		Doc: "The min.insync.replicas of the topic of the transaction coordinators, as that topic is created; of a topic with fewer replicas, all of them.",
	},
	{
		Name: "transaction.state.log.segment.bytes", Type: Int, Default: "104857600", valid: atLeast(1), unsupport: refuseTinySegments,
		Doc: "How large a segment of the topic of the transaction coordinators gets, in bytes, as that topic is created.",
	},
}
