//go:generate go test -run TestErrorsDoc -update .

package wire

// Outcome is what an error says about the request it answers.
type Outcome uint8

const (
	// Failed: the request changed nothing, now or later.
	Failed Outcome = iota
	// Unknown: the request may have taken effect, wholly or in part, now or later.
	Unknown
)

// String returns what docs/errors.md says.
func (o Outcome) String() string {
	if o == Unknown {
		return "unknown"
	}
	return "failed"
}

// Class is what a client may conclude from an answer.
type Class struct {
	Retriable bool // sending the same request again may succeed
	Outcome   Outcome
}

// Answers returns the class of a code in an answer of an API. None has the zero class. An answer that is not in the table is a bug of
// the broker: it adds a promise to clients that nobody wrote down.
func Answers(key int16, code Code) (Class, bool) {
	if code == None {
		_, ok := Lookup(key)
		return Class{}, ok
	}
	for i := range answers {
		a := &answers[i]
		if a.key != key {
			continue
		}
		for j := range a.rows {
			if r := &a.rows[j]; r.code == code {
				return Class{Retriable: code.Retriable(), Outcome: r.outcome}, true
			}
		}
	}
	return Class{}, false
}

// answer is one error an API may answer with, and when.
type answer struct {
	code    Code
	outcome Outcome
	when    string
}

// What several APIs say for the same reason.
var (
	noPartition   = answer{UnknownTopicOrPartition, Failed, "The topic or partition does not exist, or this broker has not heard of it yet."}
	noTopic       = answer{UnknownTopicOrPartition, Failed, "The topic does not exist, or this broker has not heard of it yet."}
	noTopicID     = answer{UnknownTopicID, Failed, "No topic has this id, or this broker has not heard of it yet."}
	notLeader     = answer{NotLeaderOrFollower, Failed, "This broker does not lead the partition."}
	oldEpoch      = answer{FencedLeaderEpoch, Failed, "The leader epoch in the request is older than the partition's."}
	newEpoch      = answer{UnknownLeaderEpoch, Failed, "The leader epoch in the request is newer than the one this broker knows."}
	cannotRead    = answer{KafkaStorageError, Failed, "The partition's data directory has failed or its data is damaged there."}
	badName       = answer{InvalidTopicException, Failed, "The topic's name breaks the rules, or the topic is internal."}
	notController = answer{NotController, Failed, "This broker is not the active controller and did not take the request."}
	noDecision    = answer{RequestTimedOut, Unknown, "The time-out passed before the change was committed; it may still be."}
	badRequest    = answer{InvalidRequest, Failed, "The request contradicts itself; the message says where."}
	tooMuch       = answer{PolicyViolation, Failed, "The request asks for more at once than one change of the metadata may hold; split it."}
	unloaded      = answer{CoordinatorLoadInProgress, Failed, "This broker has just become the group's coordinator and still reads what the group committed."}
	noCoordinator = answer{CoordinatorNotAvailable, Failed, "The coordinator cannot be reached by its replicas just now, or is short of memory."}
	notHere       = answer{NotCoordinator, Failed, "This broker is not the group's coordinator: ask FindCoordinator."}
	unsureThere   = answer{CoordinatorNotAvailable, Unknown, "What was asked is in the coordinator's log, but was not confirmed in time; or the coordinator is short of memory."}
	unsureHere    = answer{NotCoordinator, Unknown, "This broker is not the group's coordinator, or ceased to be it while the request waited: ask FindCoordinator."}
	badGroup      = answer{InvalidGroupID, Failed, "The group id is empty, or longer than 32767 bytes."}
	noMember      = answer{UnknownMemberID, Failed, "The group has no such member: it left, was too slow, or never was one."}
	oldGeneration = answer{IllegalGeneration, Failed, "The group is at another generation, or the member at another epoch."}
	rebalancing   = answer{RebalanceInProgress, Failed, "The group rebalances: join it again."}
	fencedStatic  = answer{FencedInstanceID, Failed, "Another member has taken over the instance id."}
	noGroup       = answer{GroupIDNotFound, Failed, "There is no group of this id, or none of this kind; the message says which."}
	noTransaction = answer{InvalidProducerIDMapping, Failed, "The transactional id is not known, or is held by another producer id."}
	replaced      = answer{ProducerFenced, Failed, "Another producer has taken over the transactional id, or the transaction was open for too long."}
	replacedOld   = answer{InvalidProducerEpoch, Failed, "The same, in versions that know no PRODUCER_FENCED."}
	ending        = answer{ConcurrentTransactions, Failed, "The producer's last transaction is still being completed, after a second of waiting; ask again."}
	noReplica     = answer{ClusterAuthorizationFailed, Failed, "The request claims to come from a replica, but not on the brokers' own port."}
)

// answers is the table of errors, one entry an API in the order of the API table. The server's tests fail on an answer that is not
// here, and docs/errors.md is made of it.
var answers = []struct {
	key  int16
	rows []answer
}{
	{KeyProduce, []answer{
		{CorruptMessage, Failed, "A batch has a wrong checksum, length or count."},
		{UnknownTopicOrPartition, Unknown, "The partition is not here, or was taken away while the batches waited for the replicas."},
		{NotLeaderOrFollower, Unknown, "This broker does not lead the partition, or lost it while it waited for the replicas."},
		{RequestTimedOut, Unknown, "The batches are in the leader's log, but were not confirmed within the time-out."},
		{MessageTooLarge, Failed, "A batch is larger than the topic's max.message.bytes."},
		badName,
		{RecordListTooLarge, Failed, "The batches are larger than a segment may be."},
		{NotEnoughReplicas, Failed, "Fewer replicas are in sync than min.insync.replicas demands, or the disk has no room; or the coordinator of the transaction cannot be asked just now."},
		{NotEnoughReplicasAfterAppend, Unknown, "The batches are in the leader's log, then too few replicas were in sync."},
		{InvalidRequiredAcks, Failed, "acks is none of 0, 1 and -1."},
		{InvalidTimestamp, Failed, "A record's time is outside the topic's message.timestamp limits; the record errors name it."},
		{UnsupportedForMessageFormat, Failed, "The records are in a format older than batch version 2, or come with a request older than version 3."},
		{OutOfOrderSequenceNumber, Failed, "The producer's sequence has a gap or repeats a batch too old to be recognised."},
		{InvalidProducerEpoch, Failed, "A newer instance of this producer has written to the partition."},
		{InvalidTxnState, Failed, "The partition is not part of the producer's transaction, or that has ended; or the producer has one open here that has to end first."},
		noTransaction,
		{TransactionalIDAuthorizationFailed, Failed, "The batch is transactional, and the request names no transactional id."},
		{KafkaStorageError, Unknown, "Writing or syncing failed; the batches may be on disk."},
		{UnsupportedCompressionType, Failed, "The codec is unknown, or is zstd in a request older than version 7."},
		{InvalidRecord, Failed, "A record breaks a rule of the topic or of the format; the record errors name it."},
		noTopicID,
		{TransactionAbortable, Failed, "The same as INVALID_TXN_STATE, in versions that know it: abort the transaction."},
	}},
	{KeyFetch, []answer{
		{OffsetOutOfRange, Failed, "The offset lies before the start of the log or behind its end."},
		{CorruptMessage, Failed, "The batch on disk is damaged and is not served."},
		noPartition, notLeader, badName, noReplica, badRequest, cannotRead,
		{FetchSessionIDNotFound, Failed, "The session was evicted or the broker restarted; start a new one."},
		{InvalidFetchSessionEpoch, Failed, "The session is at another epoch; start a new one."},
		oldEpoch, newEpoch,
		{UnsupportedCompressionType, Failed, "The batches are compressed with zstd and the request is older than version 10."},
		noTopicID,
		{InconsistentTopicID, Failed, "The name in the session now belongs to a topic with another id."},
		{FetchSessionTopicIDError, Failed, "The session began with names and goes on with ids, or the reverse; start a new one."},
	}},
	{KeyListOffsets, []answer{
		noPartition, notLeader, badName, noReplica,
		{UnsupportedVersion, Failed, "The special timestamp needs a newer version of the request."},
		badRequest,
		cannotRead, oldEpoch, newEpoch,
		{OffsetNotAvailable, Failed, "The leader is new and does not know the high watermark yet."},
	}},
	{KeyMetadata, []answer{
		{UnknownTopicOrPartition, Unknown, "The topic does not exist; if it was to be created on demand, it may still come into being."},
		{LeaderNotAvailable, Failed, "The partition has no leader at present."},
		badName, noTopicID,
	}},
	{KeyOffsetCommit, []answer{
		{UnknownTopicOrPartition, Failed, "The topic does not exist, or has no such partition."},
		{OffsetMetadataTooLarge, Failed, "The metadata is longer than offset.metadata.max.bytes."},
		unloaded, unsureThere, unsureHere, oldGeneration,
		{InvalidGroupID, Failed, "The group id is longer than 32767 bytes, or is empty and the committer a member."},
		noMember, rebalancing,
		{InvalidCommitOffsetSize, Failed, "The offsets of one request must fit into one batch, and do not: commit fewer at a time."},
		{UnsupportedVersion, Failed, "A member of a group of the new protocol must commit with version 9 or later."},
		{GroupIDNotFound, Failed, "There is no group of this id, so nobody can be its member."},
		fencedStatic, noTopicID,
		{StaleMemberEpoch, Failed, "The member is at another epoch: heartbeat, then commit again."},
	}},
	{KeyOffsetFetch, []answer{
		{UnknownTopicOrPartition, Failed, "The topic does not exist, or has no such partition."},
		unloaded, noCoordinator, notHere, oldGeneration,
		{InvalidGroupID, Failed, "The group id is longer than 32767 bytes."},
		noMember,
		{UnstableOffsetCommit, Failed, "A transaction that has not ended commits an offset for the partition; ask again."},
		noTopicID,
		{StaleMemberEpoch, Failed, "The member is at another epoch: heartbeat, then ask again."},
	}},
	{KeyFindCoordinator, []answer{
		{CoordinatorNotAvailable, Failed, "The topic of the coordinators could not be created, or the partition in question has no leader."},
		badGroup,
		{InvalidRequest, Failed, "The kind of coordinator is unknown, or not served by this version."},
	}},
	{KeyJoinGroup, []answer{
		{MessageTooLarge, Failed, "With this member's subscription the group would not fit into a record."},
		unloaded, unsureThere, unsureHere, oldGeneration,
		{InconsistentGroupProtocol, Failed, "The members have no protocol in common, or the member names none."},
		badGroup, noMember,
		{InvalidSessionTimeout, Failed, "The session time-out is not between group.min.session.timeout.ms and group.max.session.timeout.ms."},
		rebalancing,
		{InvalidRequest, Failed, "A member id that was given out without an instance id cannot get one."},
		{MemberIDRequired, Failed, "Join again with the member id in the answer."},
		{GroupMaxSizeReached, Failed, "The group has as many members as group.max.size, or group.consumer.max.size, allows."},
		fencedStatic,
		{UnreleasedInstanceID, Failed, "The instance id is in use by a member of the new protocol."},
	}},
	{KeyHeartbeat, []answer{
		noCoordinator, notHere, oldGeneration, badGroup, noMember, rebalancing, fencedStatic,
	}},
	{KeyLeaveGroup, []answer{unloaded, unsureThere, unsureHere, badGroup, noMember, fencedStatic}},
	{KeySyncGroup, []answer{
		{MessageTooLarge, Failed, "The group with its assignment does not fit into a record."},
		unloaded, unsureThere, unsureHere, oldGeneration,
		{InconsistentGroupProtocol, Failed, "The protocol is not the one the group has chosen."},
		badGroup, noMember, rebalancing, fencedStatic,
	}},
	{KeyDescribeGroups, []answer{unloaded, noCoordinator, notHere, badGroup, noGroup}},
	{KeyListGroups, []answer{unloaded, noCoordinator, notHere}},
	{KeyApiVersions, []answer{
		{UnsupportedVersion, Failed, "The version of the request is too new; the answer, in version 0, names the ones to use."},
		{InvalidRequest, Failed, "The client's software name or version has forbidden characters."},
	}},
	{KeyCreateTopics, []answer{
		noDecision,
		{InvalidTopicException, Failed, "The name breaks the rules, or collides with a topic's where '.' and '_' are the same."},
		{TopicAlreadyExists, Failed, "A topic of this name exists."},
		{InvalidPartitions, Failed, "The number of partitions is below 1 or too large."},
		{InvalidReplicationFactor, Failed, "The replication factor is below 1 or above the number of brokers."},
		{InvalidReplicaAssignment, Failed, "The assignment names unknown brokers, repeats one, or leaves a partition out."},
		{InvalidConfig, Failed, "A setting is unknown, out of range, or not honoured by this version; the message names it."},
		notController, badRequest, tooMuch,
	}},
	{KeyDeleteTopics, []answer{
		noTopic, noDecision, badName, notController, badRequest,
		{TopicDeletionDisabled, Failed, "The cluster has delete.topic.enable=false."},
		noTopicID,
	}},
	{KeyDeleteRecords, []answer{
		{OffsetOutOfRange, Failed, "The offset lies behind the high watermark."},
		noPartition,
		{NotLeaderOrFollower, Unknown, "This broker does not lead the partition, or lost it while it waited for the replicas."},
		{RequestTimedOut, Unknown, "The new start is set at the leader, but was not confirmed within the time-out."},
		badName, badRequest,
		{PolicyViolation, Failed, "The topic is compacted and does not delete records."},
		{KafkaStorageError, Unknown, "Writing failed; the new start may be on disk."},
	}},
	{KeyInitProducerID, []answer{
		{RequestTimedOut, Failed, "No producer id could be had in time; an id that was given out meanwhile is never used."},
		{CoordinatorLoadInProgress, Failed, "The next block of producer ids is being fetched, or the coordinator still reads its log."},
		unsureThere, unsureHere,
		{InvalidRequest, Failed, "The transactional id is empty, or of producer id and epoch only one is given."},
		{InvalidProducerEpoch, Failed, "The same as PRODUCER_FENCED, in versions that do not know that."},
		{InvalidTransactionTimeout, Failed, "The time-out is 0, or longer than transaction.max.timeout.ms."},
		ending, replaced,
	}},
	{KeyOffsetForLeaderEpoch, []answer{
		noPartition, notLeader, badName, noReplica, badRequest, cannotRead, oldEpoch, newEpoch,
	}},
	{KeyAddPartitionsToTxn, []answer{
		{UnknownTopicOrPartition, Failed, "The topic does not exist, or has no such partition; none of the request was added."},
		unloaded, unsureThere, unsureHere,
		{InvalidRequest, Failed, "The transactional id is empty, or the transaction would not fit into a record."},
		replacedOld,
		{InvalidTxnState, Failed, "The partition is not part of the transaction (asked by a partition's leader)."},
		noTransaction, ending,
		{OperationNotAttempted, Failed, "Another partition of the request does not exist."},
		replaced,
		{TransactionAbortable, Failed, "The same as INVALID_TXN_STATE, in versions that know it."},
	}},
	{KeyAddOffsetsToTxn, []answer{
		unloaded, unsureThere, unsureHere,
		{InvalidRequest, Failed, "The transactional id is empty, or the transaction would not fit into a record."},
		replacedOld, noTransaction, ending, replaced,
	}},
	{KeyEndTxn, []answer{
		unloaded, unsureThere, unsureHere,
		{InvalidRequest, Failed, "The transactional id is empty."},
		replacedOld,
		{InvalidTxnState, Failed, "No transaction is open, or it was ended the other way."},
		noTransaction, ending, replaced,
	}},
	{KeyWriteTxnMarkers, []answer{
		noPartition,
		{NotLeaderOrFollower, Unknown, "This broker does not lead the partition, or lost it while it waited for the replicas."},
		{RequestTimedOut, Unknown, "The marker is in the leader's log, but was not confirmed in time."},
		unloaded, unsureThere, unsureHere,
		{ClusterAuthorizationFailed, Failed, "A client may only abort, and only what no coordinator will end: this transaction has one that knows of it."},
		{InvalidProducerEpoch, Failed, "The producer's open transaction is of another epoch."},
		{TransactionCoordinatorFenced, Failed, "A newer coordinator has written a marker of this producer."},
		{KafkaStorageError, Unknown, "Writing or syncing failed; the marker may be on disk."},
	}},
	{KeyTxnOffsetCommit, []answer{
		{UnknownTopicOrPartition, Failed, "The topic does not exist, or has no such partition."},
		{OffsetMetadataTooLarge, Failed, "The metadata is longer than offset.metadata.max.bytes."},
		unloaded, unsureThere, unsureHere, oldGeneration,
		{InvalidGroupID, Failed, "The group id is longer than 32767 bytes, or is empty and the committer a member."},
		noMember,
		{InvalidCommitOffsetSize, Failed, "The offsets of one request must fit into one batch, and do not: commit fewer at a time."},
		{UnsupportedVersion, Failed, "A member of a group of the new protocol must commit with version 3 or later."},
		{InvalidRequest, Failed, "The transactional id is empty."},
		{InvalidProducerEpoch, Failed, "Another producer has taken over the transactional id, or the transaction has ended."},
		{InvalidTxnState, Failed, "The group's offsets are not part of the transaction: AddOffsetsToTxn comes first."},
		noTransaction, ending, fencedStatic,
		{StaleMemberEpoch, Failed, "The member is at another epoch: heartbeat, then commit again."},
		{TransactionAbortable, Failed, "The same as INVALID_TXN_STATE, in versions that know it: abort the transaction."},
	}},
	{KeyDescribeConfigs, []answer{noTopic, badName, badRequest}},
	{KeyAlterConfigs, []answer{
		noTopic, noDecision, badName,
		{InvalidConfig, Failed, "A setting is unknown, out of range, read-only, or not honoured by this version; the message names it."},
		notController, badRequest, tooMuch,
		{BrokerIDNotRegistered, Failed, "No broker with this id has ever registered."},
	}},
	{KeyDescribeLogDirs, []answer{{KafkaStorageError, Failed, "The data directory has failed."}}},
	{KeyCreatePartitions, []answer{
		noTopic, noDecision, badName,
		{InvalidPartitions, Failed, "The topic has as many partitions or more, or the number is too large."},
		{InvalidReplicationFactor, Failed, "There are fewer brokers than the topic's replication factor."},
		{InvalidReplicaAssignment, Failed, "The assignment names unknown brokers, repeats one, or has another length."},
		notController, badRequest, tooMuch,
	}},
	{KeyDeleteGroups, []answer{
		unloaded, unsureThere, unsureHere, badGroup,
		{NonEmptyGroup, Failed, "The group has members."},
		{GroupIDNotFound, Failed, "There is no group of this id."},
	}},
	{KeyIncrementalAlterConfigs, []answer{
		noTopic, noDecision, badName,
		{InvalidConfig, Failed, "A setting is unknown, out of range, read-only, or not honoured by this version; the message names it."},
		notController, badRequest, tooMuch,
		{BrokerIDNotRegistered, Failed, "No broker with this id has ever registered."},
	}},
	{KeyOffsetDelete, []answer{
		{UnknownTopicOrPartition, Failed, "The topic does not exist."},
		unloaded, unsureThere, unsureHere, badGroup,
		{NonEmptyGroup, Failed, "The group has members, and what they read cannot be known."},
		{GroupIDNotFound, Failed, "There is no group of this id."},
		{GroupSubscribedToTopic, Failed, "The group reads the topic."},
	}},
	{KeyDescribeCluster, []answer{
		badRequest,
		{MismatchedEndpointType, Failed, "The request asks a broker's port for controllers."},
		{UnsupportedEndpointType, Failed, "The endpoint type is unknown."},
	}},
	{KeyDescribeProducers, []answer{noPartition, cannotRead}},
	{KeyDescribeTransactions, []answer{
		unloaded, noCoordinator, notHere,
		{InvalidRequest, Failed, "The transactional id is empty."},
		{TransactionalIDNotFound, Failed, "The transactional id is not known: it was never used, or not for transactional.id.expiration.ms."},
	}},
	{KeyListTransactions, []answer{
		unloaded, noCoordinator, notHere,
		{InvalidRegularExpression, Failed, "The pattern of transactional ids cannot be read."},
	}},
	{KeyConsumerGroupHeartbeat, []answer{
		unloaded, unsureThere, unsureHere, noMember,
		{RebalanceInProgress, Failed, "Members of the classic protocol are about to rebalance; join when they have."},
		{InvalidRequest, Failed, "The request contradicts itself; the message says where."},
		{GroupIDNotFound, Failed, "There is no group of this id, or it cannot be joined by this protocol; the message says which."},
		{GroupMaxSizeReached, Failed, "The group has as many members as group.consumer.max.size allows."},
		fencedStatic,
		{FencedMemberEpoch, Failed, "The member is behind or ahead of the group: abandon all partitions and join again."},
		{UnreleasedInstanceID, Failed, "The instance id is in use by a member that has not left."},
		{UnsupportedAssignor, Failed, "The assignor is not among group.consumer.assignors."},
		{InvalidRegularExpression, Failed, "The regular expression cannot be read, or is longer than 4096 bytes."},
	}},
	{KeyConsumerGroupDescribe, []answer{unloaded, noCoordinator, notHere, badGroup, noGroup}},
	{KeyListConfigResources, []answer{
		{UnsupportedVersion, Failed, "The type of resource is unknown, or needs a newer version of the request."},
		badRequest,
	}},
	{KeyDescribeTopicPartitions, []answer{
		noTopic,
		{LeaderNotAvailable, Failed, "The partition has no leader at present."},
		badName, badRequest,
	}},
}
