package config

// family is a group of Kafka's broker keys that are judged alike and not described. Each is a name, or
// name=default where the default is admitted although anything else is refused.
type family struct {
	standing Standing
	feature  string // completes the notice or the refusal, as a noun
	secret   bool
	names    []string
}

// families is every broker key of Kafka 4.3.1 that brokerTable and fallbacks lack, and those older releases had
// that are still found in properties files.
var families = []family{
	{standing: NoMeaning, feature: "threads, pools and timers of Apache Kafka's process", names: []string{
		"num.io.threads", "num.network.threads", "background.threads", "num.recovery.threads.per.data.dir", "queued.max.request.bytes=-1", "queued.max.requests",
		"fetch.purgatory.purge.interval.requests", "producer.purgatory.purge.interval.requests",
		"delete.records.purgatory.purge.interval.requests", "share.fetch.purgatory.purge.interval.requests",
		"log.initial.task.delay.ms", "server.max.startup.time.ms", "producer.id.expiration.check.interval.ms",
		"log.flush.offset.checkpoint.interval.ms", "log.flush.start.offset.checkpoint.interval.ms", "replica.high.watermark.checkpoint.interval.ms",
		"socket.listen.backlog.size", "socket.receive.buffer.bytes", "socket.send.buffer.bytes", "early.start.listeners",
		"controller.performance.always.log.threshold.ms", "controller.performance.sample.period.ms",
		"unstable.api.versions.enable", "unstable.feature.versions.enable", "log.dir.failure.timeout.ms",
	}},
	{standing: NoMeaning, feature: "Java metrics (Holdfast has /metrics)", names: []string{
		"metric.reporters", "metrics.num.samples", "metrics.recording.level", "metrics.sample.window.ms", "auto.include.jmx.reporter",
		"kafka.metrics.polling.interval.secs", "kafka.metrics.reporters", "kafka.csv.metrics.dir", "kafka.csv.metrics.reporter.enabled",
	}},
	{standing: NoMeaning, feature: "ZooKeeper", names: []string{
		"zookeeper.connect", "zookeeper.connection.timeout.ms", "zookeeper.session.timeout.ms", "zookeeper.sync.time.ms",
		"zookeeper.max.in.flight.requests", "zookeeper.set.acl=false", "zookeeper.metadata.migration.enable=false", "zookeeper.clientCnxnSocket",
		"control.plane.listener.name", "broker.id.generation.enable", "reserved.broker.max.id", "controlled.shutdown.max.retries",
		"controlled.shutdown.retry.backoff.ms", "inter.broker.protocol.version", "log.message.format.version",
		"log.message.downconversion.enable", "replica.fetch.backoff.max.ms", "group.coordinator.new.enable",
	}},
	{standing: NoMeaning, feature: "files of Apache Kafka's metadata quorum (Holdfast keeps its own, in the data folder)", names: []string{
		"metadata.log.dir", "metadata.log.max.record.bytes.between.snapshots", "metadata.log.max.snapshot.interval.ms",
		"metadata.log.segment.bytes", "metadata.log.segment.min.bytes", "metadata.log.segment.ms", "metadata.max.idle.interval.ms",
		"metadata.max.retention.bytes", "metadata.max.retention.ms", "internal.metadata.delete.delay.millis",
		"internal.metadata.log.segment.bytes", "internal.metadata.max.batch.size.in.bytes",
	}},
	{standing: NotYet, feature: "clusters of several nodes", names: []string{
		"broker.heartbeat.interval.ms", "broker.session.timeout.ms", "initial.broker.registration.timeout.ms",
		"controlled.shutdown.enable", "controller.socket.timeout.ms", "request.timeout.ms",
		"controller.quorum.append.linger.ms", "controller.quorum.election.backoff.max.ms", "controller.quorum.election.timeout.ms",
		"controller.quorum.fetch.max.bytes", "controller.quorum.fetch.snapshot.max.bytes", "controller.quorum.fetch.timeout.ms",
		"controller.quorum.request.timeout.ms", "controller.quorum.retry.backoff.ms", "controller.quorum.auto.join.enable",
		"auto.leader.rebalance.enable", "leader.imbalance.check.interval.seconds", "leader.imbalance.per.broker.percentage",
		"num.replica.alter.log.dirs.threads", "num.replica.fetchers", "replica.fetch.backoff.ms", "replica.fetch.max.bytes",
		"replica.fetch.min.bytes", "replica.fetch.response.max.bytes", "replica.fetch.wait.max.ms", "replica.lag.time.max.ms",
		"replica.socket.receive.buffer.bytes", "replica.socket.timeout.ms", "unclean.leader.election.interval.ms",
		"socket.connection.setup.timeout.max.ms", "socket.connection.setup.timeout.ms",
	}},
	{standing: NoMeaning, feature: "threads, buffers and timers of Apache Kafka's coordinators", names: []string{
		"offsets.commit.required.acks", "offsets.load.buffer.size", "group.coordinator.append.linger.ms", "group.coordinator.background.threads",
		"group.coordinator.cached.buffer.max.bytes", "group.coordinator.rebalance.protocols", "group.coordinator.threads",
		"group.consumer.regex.refresh.interval.ms",
		"add.partitions.to.txn.retry.backoff.max.ms", "add.partitions.to.txn.retry.backoff.ms",
		"transaction.abort.timed.out.transaction.cleanup.interval.ms", "transaction.state.log.load.buffer.size",
	}},
	{standing: DefaultOnly, feature: "writing in transactions that no coordinator knows of", names: []string{"transaction.partition.verification.enable=true"}},
	{standing: NotYet, feature: "compressing what coordinators write", names: []string{"offsets.topic.compression.codec"}},
	{standing: DefaultOnly, feature: "keeping members of one protocol out of groups of the other", names: []string{"group.consumer.migration.policy=bidirectional"}},
	{standing: NotYet, feature: "streams groups", names: []string{
		"group.streams.assignment.interval.ms", "group.streams.heartbeat.interval.ms", "group.streams.initial.rebalance.delay.ms",
		"group.streams.max.assignment.interval.ms", "group.streams.max.heartbeat.interval.ms", "group.streams.max.session.timeout.ms",
		"group.streams.max.size", "group.streams.max.standby.replicas", "group.streams.min.assignment.interval.ms",
		"group.streams.min.heartbeat.interval.ms", "group.streams.min.session.timeout.ms", "group.streams.num.standby.replicas",
		"group.streams.session.timeout.ms",
	}},
	{standing: NotYet, feature: "share groups", names: []string{
		"group.share.assignment.interval.ms", "group.share.assignors", "group.share.delivery.count.limit", "group.share.heartbeat.interval.ms",
		"group.share.initialize.retry.interval.ms", "group.share.max.assignment.interval.ms", "group.share.max.delivery.count.limit",
		"group.share.max.heartbeat.interval.ms", "group.share.max.partition.max.record.locks", "group.share.max.record.lock.duration.ms",
		"group.share.max.session.timeout.ms", "group.share.max.share.sessions", "group.share.max.size", "group.share.min.assignment.interval.ms",
		"group.share.min.delivery.count.limit", "group.share.min.heartbeat.interval.ms", "group.share.min.partition.max.record.locks",
		"group.share.min.record.lock.duration.ms", "group.share.min.session.timeout.ms", "group.share.partition.max.record.locks",
		"group.share.persister.class.name", "group.share.record.lock.duration.ms", "group.share.session.timeout.ms",
		"share.coordinator.append.linger.ms", "share.coordinator.cached.buffer.max.bytes", "share.coordinator.cold.partition.snapshot.interval.ms",
		"share.coordinator.load.buffer.size", "share.coordinator.snapshot.update.records.per.snapshot",
		"share.coordinator.state.topic.compression.codec", "share.coordinator.state.topic.min.isr",
		"share.coordinator.state.topic.num.partitions", "share.coordinator.state.topic.prune.interval.ms",
		"share.coordinator.state.topic.replication.factor", "share.coordinator.state.topic.segment.bytes",
		"share.coordinator.threads", "share.coordinator.write.timeout.ms",
	}},
	{standing: DefaultOnly, feature: "two-phase commit", names: []string{"transaction.two.phase.commit.enable=false"}},
	{standing: NotYet, feature: "compacting several partitions at a time", names: []string{"log.cleaner.threads"}},
	{standing: NotYet, feature: "client metrics", names: []string{"telemetry.max.bytes"}},
	{standing: NotYet, feature: "quotas", names: []string{
		"alter.log.dirs.replication.quota.window.num", "alter.log.dirs.replication.quota.window.size.seconds",
		"controller.quota.window.num", "controller.quota.window.size.seconds", "quota.window.num", "quota.window.size.seconds",
		"replication.quota.window.num", "replication.quota.window.size.seconds",
	}},
	{standing: DefaultOnly, feature: "a limit on clients or on replication traffic", names: []string{
		"client.quota.callback.class", "quota.producer.default=9223372036854775807", "quota.consumer.default=9223372036854775807",
		"follower.replication.throttled.rate", "leader.replication.throttled.rate", "replica.alter.log.dirs.io.max.bytes.per.second",
	}},
	{standing: DefaultOnly, feature: "loading a Java class", names: []string{
		"alter.config.policy.class.name", "create.topic.policy.class.name", "config.providers", "replica.selector.class",
		"principal.builder.class=org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder", "security.providers",
	}},
	{standing: DefaultOnly, feature: "access control", names: []string{
		"authorizer.class.name", "super.users", "allow.everyone.if.no.acl.found",
	}},
	{standing: DefaultOnly, feature: "tiered storage", names: []string{
		"follower.fetch.last.tiered.offset.enable=false", "remote.log.storage.system.enable=false",
		"remote.log.storage.manager.class.name", "remote.log.storage.manager.class.path",
		"remote.log.metadata.manager.class.name=org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
		"remote.log.metadata.manager.class.path", "remote.log.metadata.manager.listener.name",
	}},
	{standing: NotYet, feature: "tiered storage", names: []string{
		"remote.fetch.max.wait.ms", "remote.list.offsets.request.timeout.ms", "remote.log.index.file.cache.total.size.bytes",
		"remote.log.index.file.cache.ttl.ms", "remote.log.manager.copier.thread.pool.size", "remote.log.manager.copy.max.bytes.per.second",
		"remote.log.manager.copy.quota.window.num", "remote.log.manager.copy.quota.window.size.seconds",
		"remote.log.manager.expiration.thread.pool.size", "remote.log.manager.fetch.max.bytes.per.second",
		"remote.log.manager.fetch.quota.window.num", "remote.log.manager.fetch.quota.window.size.seconds",
		"remote.log.manager.follower.thread.pool.size", "remote.log.manager.task.interval.ms", "remote.log.manager.task.retry.backoff.max.ms",
		"remote.log.manager.task.retry.backoff.ms", "remote.log.manager.task.retry.jitter", "remote.log.manager.thread.pool.size",
		"remote.log.metadata.custom.metadata.max.bytes", "remote.log.metadata.manager.impl.prefix", "remote.log.reader.max.pending.tasks",
		"remote.log.reader.threads", "remote.log.storage.manager.impl.prefix",
	}},
	{standing: DefaultOnly, feature: "moving partitions off a data folder", names: []string{"cordoned.log.dirs"}},
	{standing: DefaultOnly, feature: "TLS between brokers", names: []string{"security.inter.broker.protocol=PLAINTEXT"}},
	{standing: DefaultOnly, feature: "authentication", names: []string{
		"connections.max.reauth.ms=0", "sasl.client.callback.handler.class", "sasl.enabled.mechanisms",
		"sasl.kerberos.kinit.cmd", "sasl.kerberos.min.time.before.relogin", "sasl.kerberos.principal.to.local.rules", "sasl.kerberos.service.name",
		"sasl.kerberos.ticket.renew.jitter", "sasl.kerberos.ticket.renew.window.factor", "sasl.login.callback.handler.class", "sasl.login.class",
		"sasl.login.connect.timeout.ms", "sasl.login.read.timeout.ms", "sasl.login.refresh.buffer.seconds", "sasl.login.refresh.min.period.seconds",
		"sasl.login.refresh.window.factor", "sasl.login.refresh.window.jitter", "sasl.login.retry.backoff.max.ms", "sasl.login.retry.backoff.ms",
		"sasl.mechanism.controller.protocol", "sasl.mechanism.inter.broker.protocol", "sasl.oauthbearer.assertion.algorithm",
		"sasl.oauthbearer.assertion.claim.aud", "sasl.oauthbearer.assertion.claim.exp.seconds", "sasl.oauthbearer.assertion.claim.iss",
		"sasl.oauthbearer.assertion.claim.jti.include", "sasl.oauthbearer.assertion.claim.nbf.seconds", "sasl.oauthbearer.assertion.claim.sub",
		"sasl.oauthbearer.assertion.file", "sasl.oauthbearer.assertion.private.key.file", "sasl.oauthbearer.assertion.template.file",
		"sasl.oauthbearer.client.credentials.client.id", "sasl.oauthbearer.clock.skew.seconds", "sasl.oauthbearer.expected.audience",
		"sasl.oauthbearer.expected.issuer", "sasl.oauthbearer.jwks.endpoint.refresh.ms", "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
		"sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "sasl.oauthbearer.jwks.endpoint.url", "sasl.oauthbearer.jwt.retriever.class",
		"sasl.oauthbearer.jwt.validator.class", "sasl.oauthbearer.scope", "sasl.oauthbearer.scope.claim.name", "sasl.oauthbearer.sub.claim.name",
		"sasl.oauthbearer.token.endpoint.url", "sasl.server.callback.handler.class",
	}},
	{standing: NotYet, feature: "authentication", names: []string{"connection.failed.authentication.delay.ms", "sasl.server.max.receive.size"}},
	{standing: NotYet, feature: "delegation tokens", names: []string{
		"delegation.token.expiry.check.interval.ms", "delegation.token.expiry.time.ms", "delegation.token.max.lifetime.ms",
	}},
	{standing: DefaultOnly, feature: "authentication", secret: true, names: []string{
		"delegation.token.secret.key", "delegation.token.master.key", "sasl.jaas.config", "sasl.oauthbearer.assertion.private.key.passphrase",
		"sasl.oauthbearer.client.credentials.client.secret",
	}},
	{standing: DefaultOnly, feature: "TLS", names: []string{
		"ssl.allow.dn.changes=false", "ssl.allow.san.changes=false", "ssl.cipher.suites", "ssl.client.auth=none", "ssl.enabled.protocols",
		"ssl.endpoint.identification.algorithm", "ssl.engine.factory.class", "ssl.keymanager.algorithm", "ssl.keystore.location",
		"ssl.keystore.type", "ssl.principal.mapping.rules", "ssl.protocol", "ssl.provider", "ssl.secure.random.implementation",
		"ssl.trustmanager.algorithm", "ssl.truststore.location", "ssl.truststore.type",
	}},
	{standing: DefaultOnly, feature: "TLS", secret: true, names: []string{
		"ssl.key.password", "ssl.keystore.certificate.chain", "ssl.keystore.key", "ssl.keystore.password",
		"ssl.truststore.certificates", "ssl.truststore.password",
	}},
}

// gone are keys of older releases whose meaning now has another name: refused, because to drop them silently would
// change what the node does.
var gone = map[string]string{
	"port":                 "is no longer a setting. Use listeners=PLAINTEXT://HOST:PORT",
	"host.name":            "is no longer a setting. Use listeners=PLAINTEXT://HOST:PORT",
	"advertised.port":      "is no longer a setting. Use advertised.listeners=PLAINTEXT://HOST:PORT",
	"advertised.host.name": "is no longer a setting. Use advertised.listeners=PLAINTEXT://HOST:PORT",
	"log.message.timestamp.difference.max.ms": "is no longer a setting. Use log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms",
	"max.connections.override":                "is no longer a setting. Use max.connections.per.ip.overrides",
}

// foreignPrefixes are whole name spaces of Apache Kafka's process.
var foreignPrefixes = []struct {
	prefix   string
	standing Standing
	feature  string
}{
	{"log4j.", NoMeaning, "Java logging"},
	{"log4j2.", NoMeaning, "Java logging"},
	{"zookeeper.ssl.", NoMeaning, "ZooKeeper"},
	{"kafka.logs.", NoMeaning, "Java logging"},
	{"listener.name.", DefaultOnly, "a setting for a single listener"},
	{"rsm.config.", NotYet, "tiered storage"},
	{"rlmm.config.", NotYet, "tiered storage"},
	{"confluent.", NoMeaning, "Confluent's additions"},
}
