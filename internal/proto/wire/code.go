package wire

import "strconv"

// Code is an error code of the Kafka protocol. Its names and numbers are those of Apache Kafka 4.3.
type Code int16

// The error codes of Apache Kafka 4.3.
const (
	UnknownServerError                 Code = -1
	None                               Code = 0
	OffsetOutOfRange                   Code = 1
	CorruptMessage                     Code = 2
	UnknownTopicOrPartition            Code = 3
	InvalidFetchSize                   Code = 4
	LeaderNotAvailable                 Code = 5
	NotLeaderOrFollower                Code = 6
	RequestTimedOut                    Code = 7
	BrokerNotAvailable                 Code = 8
	ReplicaNotAvailable                Code = 9
	MessageTooLarge                    Code = 10
	StaleControllerEpoch               Code = 11
	OffsetMetadataTooLarge             Code = 12
	NetworkException                   Code = 13
	CoordinatorLoadInProgress          Code = 14
	CoordinatorNotAvailable            Code = 15
	NotCoordinator                     Code = 16
	InvalidTopicException              Code = 17
	RecordListTooLarge                 Code = 18
	NotEnoughReplicas                  Code = 19
	NotEnoughReplicasAfterAppend       Code = 20
	InvalidRequiredAcks                Code = 21
	IllegalGeneration                  Code = 22
	InconsistentGroupProtocol          Code = 23
	InvalidGroupID                     Code = 24
	UnknownMemberID                    Code = 25
	InvalidSessionTimeout              Code = 26
	RebalanceInProgress                Code = 27
	InvalidCommitOffsetSize            Code = 28
	TopicAuthorizationFailed           Code = 29
	GroupAuthorizationFailed           Code = 30
	ClusterAuthorizationFailed         Code = 31
	InvalidTimestamp                   Code = 32
	UnsupportedSASLMechanism           Code = 33
	IllegalSASLState                   Code = 34
	UnsupportedVersion                 Code = 35
	TopicAlreadyExists                 Code = 36
	InvalidPartitions                  Code = 37
	InvalidReplicationFactor           Code = 38
	InvalidReplicaAssignment           Code = 39
	InvalidConfig                      Code = 40
	NotController                      Code = 41
	InvalidRequest                     Code = 42
	UnsupportedForMessageFormat        Code = 43
	PolicyViolation                    Code = 44
	OutOfOrderSequenceNumber           Code = 45
	DuplicateSequenceNumber            Code = 46
	InvalidProducerEpoch               Code = 47
	InvalidTxnState                    Code = 48
	InvalidProducerIDMapping           Code = 49
	InvalidTransactionTimeout          Code = 50
	ConcurrentTransactions             Code = 51
	TransactionCoordinatorFenced       Code = 52
	TransactionalIDAuthorizationFailed Code = 53
	SecurityDisabled                   Code = 54
	OperationNotAttempted              Code = 55
	KafkaStorageError                  Code = 56
	LogDirNotFound                     Code = 57
	SASLAuthenticationFailed           Code = 58
	UnknownProducerID                  Code = 59
	ReassignmentInProgress             Code = 60
	DelegationTokenAuthDisabled        Code = 61
	DelegationTokenNotFound            Code = 62
	DelegationTokenOwnerMismatch       Code = 63
	DelegationTokenRequestNotAllowed   Code = 64
	DelegationTokenAuthorizationFailed Code = 65
	DelegationTokenExpired             Code = 66
	InvalidPrincipalType               Code = 67
	NonEmptyGroup                      Code = 68
	GroupIDNotFound                    Code = 69
	FetchSessionIDNotFound             Code = 70
	InvalidFetchSessionEpoch           Code = 71
	ListenerNotFound                   Code = 72
	TopicDeletionDisabled              Code = 73
	FencedLeaderEpoch                  Code = 74
	UnknownLeaderEpoch                 Code = 75
	UnsupportedCompressionType         Code = 76
	StaleBrokerEpoch                   Code = 77
	OffsetNotAvailable                 Code = 78
	MemberIDRequired                   Code = 79
	PreferredLeaderNotAvailable        Code = 80
	GroupMaxSizeReached                Code = 81
	FencedInstanceID                   Code = 82
	EligibleLeadersNotAvailable        Code = 83
	ElectionNotNeeded                  Code = 84
	NoReassignmentInProgress           Code = 85
	GroupSubscribedToTopic             Code = 86
	InvalidRecord                      Code = 87
	UnstableOffsetCommit               Code = 88
	ThrottlingQuotaExceeded            Code = 89
	ProducerFenced                     Code = 90
	ResourceNotFound                   Code = 91
	DuplicateResource                  Code = 92
	UnacceptableCredential             Code = 93
	InconsistentVoterSet               Code = 94
	InvalidUpdateVersion               Code = 95
	FeatureUpdateFailed                Code = 96
	PrincipalDeserializationFailure    Code = 97
	SnapshotNotFound                   Code = 98
	PositionOutOfRange                 Code = 99
	UnknownTopicID                     Code = 100
	DuplicateBrokerRegistration        Code = 101
	BrokerIDNotRegistered              Code = 102
	InconsistentTopicID                Code = 103
	InconsistentClusterID              Code = 104
	TransactionalIDNotFound            Code = 105
	FetchSessionTopicIDError           Code = 106
	IneligibleReplica                  Code = 107
	NewLeaderElected                   Code = 108
	OffsetMovedToTieredStorage         Code = 109
	FencedMemberEpoch                  Code = 110
	UnreleasedInstanceID               Code = 111
	UnsupportedAssignor                Code = 112
	StaleMemberEpoch                   Code = 113
	MismatchedEndpointType             Code = 114
	UnsupportedEndpointType            Code = 115
	UnknownControllerID                Code = 116
	UnknownSubscriptionID              Code = 117
	TelemetryTooLarge                  Code = 118
	InvalidRegistration                Code = 119
	TransactionAbortable               Code = 120
	InvalidRecordState                 Code = 121
	ShareSessionNotFound               Code = 122
	InvalidShareSessionEpoch           Code = 123
	FencedStateEpoch                   Code = 124
	InvalidVoterKey                    Code = 125
	DuplicateVoter                     Code = 126
	VoterNotFound                      Code = 127
	InvalidRegularExpression           Code = 128
	RebootstrapRequired                Code = 129
	StreamsInvalidTopology             Code = 130
	StreamsInvalidTopologyEpoch        Code = 131
	StreamsTopologyFenced              Code = 132
	ShareSessionLimitReached           Code = 133
)

// lowestCode is the number of the first row of codeTable.
const lowestCode = UnknownServerError

// codeTable holds Kafka's name of each code and whether Kafka's clients try again on it, ordered by number without gaps.
// The flags are those of the Java client, which differ from franz-go's in a few places: see TestCodesAgainstKerr.
var codeTable = [...]struct {
	name      string
	retriable bool
}{
	UnknownServerError - lowestCode:                 {"UNKNOWN_SERVER_ERROR", false},
	None - lowestCode:                               {"NONE", false},
	OffsetOutOfRange - lowestCode:                   {"OFFSET_OUT_OF_RANGE", false},
	CorruptMessage - lowestCode:                     {"CORRUPT_MESSAGE", true},
	UnknownTopicOrPartition - lowestCode:            {"UNKNOWN_TOPIC_OR_PARTITION", true},
	InvalidFetchSize - lowestCode:                   {"INVALID_FETCH_SIZE", false},
	LeaderNotAvailable - lowestCode:                 {"LEADER_NOT_AVAILABLE", true},
	NotLeaderOrFollower - lowestCode:                {"NOT_LEADER_OR_FOLLOWER", true},
	RequestTimedOut - lowestCode:                    {"REQUEST_TIMED_OUT", true},
	BrokerNotAvailable - lowestCode:                 {"BROKER_NOT_AVAILABLE", false},
	ReplicaNotAvailable - lowestCode:                {"REPLICA_NOT_AVAILABLE", true},
	MessageTooLarge - lowestCode:                    {"MESSAGE_TOO_LARGE", false},
	StaleControllerEpoch - lowestCode:               {"STALE_CONTROLLER_EPOCH", false},
	OffsetMetadataTooLarge - lowestCode:             {"OFFSET_METADATA_TOO_LARGE", false},
	NetworkException - lowestCode:                   {"NETWORK_EXCEPTION", true},
	CoordinatorLoadInProgress - lowestCode:          {"COORDINATOR_LOAD_IN_PROGRESS", true},
	CoordinatorNotAvailable - lowestCode:            {"COORDINATOR_NOT_AVAILABLE", true},
	NotCoordinator - lowestCode:                     {"NOT_COORDINATOR", true},
	InvalidTopicException - lowestCode:              {"INVALID_TOPIC_EXCEPTION", false},
	RecordListTooLarge - lowestCode:                 {"RECORD_LIST_TOO_LARGE", false},
	NotEnoughReplicas - lowestCode:                  {"NOT_ENOUGH_REPLICAS", true},
	NotEnoughReplicasAfterAppend - lowestCode:       {"NOT_ENOUGH_REPLICAS_AFTER_APPEND", true},
	InvalidRequiredAcks - lowestCode:                {"INVALID_REQUIRED_ACKS", false},
	IllegalGeneration - lowestCode:                  {"ILLEGAL_GENERATION", false},
	InconsistentGroupProtocol - lowestCode:          {"INCONSISTENT_GROUP_PROTOCOL", false},
	InvalidGroupID - lowestCode:                     {"INVALID_GROUP_ID", false},
	UnknownMemberID - lowestCode:                    {"UNKNOWN_MEMBER_ID", false},
	InvalidSessionTimeout - lowestCode:              {"INVALID_SESSION_TIMEOUT", false},
	RebalanceInProgress - lowestCode:                {"REBALANCE_IN_PROGRESS", false},
	InvalidCommitOffsetSize - lowestCode:            {"INVALID_COMMIT_OFFSET_SIZE", false},
	TopicAuthorizationFailed - lowestCode:           {"TOPIC_AUTHORIZATION_FAILED", false},
	GroupAuthorizationFailed - lowestCode:           {"GROUP_AUTHORIZATION_FAILED", false},
	ClusterAuthorizationFailed - lowestCode:         {"CLUSTER_AUTHORIZATION_FAILED", false},
	InvalidTimestamp - lowestCode:                   {"INVALID_TIMESTAMP", false},
	UnsupportedSASLMechanism - lowestCode:           {"UNSUPPORTED_SASL_MECHANISM", false},
	IllegalSASLState - lowestCode:                   {"ILLEGAL_SASL_STATE", false},
	UnsupportedVersion - lowestCode:                 {"UNSUPPORTED_VERSION", false},
	TopicAlreadyExists - lowestCode:                 {"TOPIC_ALREADY_EXISTS", false},
	InvalidPartitions - lowestCode:                  {"INVALID_PARTITIONS", false},
	InvalidReplicationFactor - lowestCode:           {"INVALID_REPLICATION_FACTOR", false},
	InvalidReplicaAssignment - lowestCode:           {"INVALID_REPLICA_ASSIGNMENT", false},
	InvalidConfig - lowestCode:                      {"INVALID_CONFIG", false},
	NotController - lowestCode:                      {"NOT_CONTROLLER", true},
	InvalidRequest - lowestCode:                     {"INVALID_REQUEST", false},
	UnsupportedForMessageFormat - lowestCode:        {"UNSUPPORTED_FOR_MESSAGE_FORMAT", false},
	PolicyViolation - lowestCode:                    {"POLICY_VIOLATION", false},
	OutOfOrderSequenceNumber - lowestCode:           {"OUT_OF_ORDER_SEQUENCE_NUMBER", false},
	DuplicateSequenceNumber - lowestCode:            {"DUPLICATE_SEQUENCE_NUMBER", false},
	InvalidProducerEpoch - lowestCode:               {"INVALID_PRODUCER_EPOCH", false},
	InvalidTxnState - lowestCode:                    {"INVALID_TXN_STATE", false},
	InvalidProducerIDMapping - lowestCode:           {"INVALID_PRODUCER_ID_MAPPING", false},
	InvalidTransactionTimeout - lowestCode:          {"INVALID_TRANSACTION_TIMEOUT", false},
	ConcurrentTransactions - lowestCode:             {"CONCURRENT_TRANSACTIONS", true},
	TransactionCoordinatorFenced - lowestCode:       {"TRANSACTION_COORDINATOR_FENCED", false},
	TransactionalIDAuthorizationFailed - lowestCode: {"TRANSACTIONAL_ID_AUTHORIZATION_FAILED", false},
	SecurityDisabled - lowestCode:                   {"SECURITY_DISABLED", false},
	OperationNotAttempted - lowestCode:              {"OPERATION_NOT_ATTEMPTED", false},
	KafkaStorageError - lowestCode:                  {"KAFKA_STORAGE_ERROR", true},
	LogDirNotFound - lowestCode:                     {"LOG_DIR_NOT_FOUND", false},
	SASLAuthenticationFailed - lowestCode:           {"SASL_AUTHENTICATION_FAILED", false},
	UnknownProducerID - lowestCode:                  {"UNKNOWN_PRODUCER_ID", false},
	ReassignmentInProgress - lowestCode:             {"REASSIGNMENT_IN_PROGRESS", false},
	DelegationTokenAuthDisabled - lowestCode:        {"DELEGATION_TOKEN_AUTH_DISABLED", false},
	DelegationTokenNotFound - lowestCode:            {"DELEGATION_TOKEN_NOT_FOUND", false},
	DelegationTokenOwnerMismatch - lowestCode:       {"DELEGATION_TOKEN_OWNER_MISMATCH", false},
	DelegationTokenRequestNotAllowed - lowestCode:   {"DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", false},
	DelegationTokenAuthorizationFailed - lowestCode: {"DELEGATION_TOKEN_AUTHORIZATION_FAILED", false},
	DelegationTokenExpired - lowestCode:             {"DELEGATION_TOKEN_EXPIRED", false},
	InvalidPrincipalType - lowestCode:               {"INVALID_PRINCIPAL_TYPE", false},
	NonEmptyGroup - lowestCode:                      {"NON_EMPTY_GROUP", false},
	GroupIDNotFound - lowestCode:                    {"GROUP_ID_NOT_FOUND", false},
	FetchSessionIDNotFound - lowestCode:             {"FETCH_SESSION_ID_NOT_FOUND", true},
	InvalidFetchSessionEpoch - lowestCode:           {"INVALID_FETCH_SESSION_EPOCH", true},
	ListenerNotFound - lowestCode:                   {"LISTENER_NOT_FOUND", true},
	TopicDeletionDisabled - lowestCode:              {"TOPIC_DELETION_DISABLED", false},
	FencedLeaderEpoch - lowestCode:                  {"FENCED_LEADER_EPOCH", true},
	UnknownLeaderEpoch - lowestCode:                 {"UNKNOWN_LEADER_EPOCH", true},
	UnsupportedCompressionType - lowestCode:         {"UNSUPPORTED_COMPRESSION_TYPE", false},
	StaleBrokerEpoch - lowestCode:                   {"STALE_BROKER_EPOCH", false},
	OffsetNotAvailable - lowestCode:                 {"OFFSET_NOT_AVAILABLE", true},
	MemberIDRequired - lowestCode:                   {"MEMBER_ID_REQUIRED", false},
	PreferredLeaderNotAvailable - lowestCode:        {"PREFERRED_LEADER_NOT_AVAILABLE", true},
	GroupMaxSizeReached - lowestCode:                {"GROUP_MAX_SIZE_REACHED", false},
	FencedInstanceID - lowestCode:                   {"FENCED_INSTANCE_ID", false},
	EligibleLeadersNotAvailable - lowestCode:        {"ELIGIBLE_LEADERS_NOT_AVAILABLE", true},
	ElectionNotNeeded - lowestCode:                  {"ELECTION_NOT_NEEDED", true},
	NoReassignmentInProgress - lowestCode:           {"NO_REASSIGNMENT_IN_PROGRESS", false},
	GroupSubscribedToTopic - lowestCode:             {"GROUP_SUBSCRIBED_TO_TOPIC", false},
	InvalidRecord - lowestCode:                      {"INVALID_RECORD", false},
	UnstableOffsetCommit - lowestCode:               {"UNSTABLE_OFFSET_COMMIT", true},
	ThrottlingQuotaExceeded - lowestCode:            {"THROTTLING_QUOTA_EXCEEDED", true},
	ProducerFenced - lowestCode:                     {"PRODUCER_FENCED", false},
	ResourceNotFound - lowestCode:                   {"RESOURCE_NOT_FOUND", false},
	DuplicateResource - lowestCode:                  {"DUPLICATE_RESOURCE", false},
	UnacceptableCredential - lowestCode:             {"UNACCEPTABLE_CREDENTIAL", false},
	InconsistentVoterSet - lowestCode:               {"INCONSISTENT_VOTER_SET", false},
	InvalidUpdateVersion - lowestCode:               {"INVALID_UPDATE_VERSION", false},
	FeatureUpdateFailed - lowestCode:                {"FEATURE_UPDATE_FAILED", false},
	PrincipalDeserializationFailure - lowestCode:    {"PRINCIPAL_DESERIALIZATION_FAILURE", false},
	SnapshotNotFound - lowestCode:                   {"SNAPSHOT_NOT_FOUND", false},
	PositionOutOfRange - lowestCode:                 {"POSITION_OUT_OF_RANGE", false},
	UnknownTopicID - lowestCode:                     {"UNKNOWN_TOPIC_ID", true},
	DuplicateBrokerRegistration - lowestCode:        {"DUPLICATE_BROKER_REGISTRATION", false},
	BrokerIDNotRegistered - lowestCode:              {"BROKER_ID_NOT_REGISTERED", false},
	InconsistentTopicID - lowestCode:                {"INCONSISTENT_TOPIC_ID", true},
	InconsistentClusterID - lowestCode:              {"INCONSISTENT_CLUSTER_ID", false},
	TransactionalIDNotFound - lowestCode:            {"TRANSACTIONAL_ID_NOT_FOUND", false},
	FetchSessionTopicIDError - lowestCode:           {"FETCH_SESSION_TOPIC_ID_ERROR", true},
	IneligibleReplica - lowestCode:                  {"INELIGIBLE_REPLICA", false},
	NewLeaderElected - lowestCode:                   {"NEW_LEADER_ELECTED", false},
	OffsetMovedToTieredStorage - lowestCode:         {"OFFSET_MOVED_TO_TIERED_STORAGE", false},
	FencedMemberEpoch - lowestCode:                  {"FENCED_MEMBER_EPOCH", false},
	UnreleasedInstanceID - lowestCode:               {"UNRELEASED_INSTANCE_ID", false},
	UnsupportedAssignor - lowestCode:                {"UNSUPPORTED_ASSIGNOR", false},
	StaleMemberEpoch - lowestCode:                   {"STALE_MEMBER_EPOCH", false},
	MismatchedEndpointType - lowestCode:             {"MISMATCHED_ENDPOINT_TYPE", false},
	UnsupportedEndpointType - lowestCode:            {"UNSUPPORTED_ENDPOINT_TYPE", false},
	UnknownControllerID - lowestCode:                {"UNKNOWN_CONTROLLER_ID", false},
	UnknownSubscriptionID - lowestCode:              {"UNKNOWN_SUBSCRIPTION_ID", false},
	TelemetryTooLarge - lowestCode:                  {"TELEMETRY_TOO_LARGE", false},
	InvalidRegistration - lowestCode:                {"INVALID_REGISTRATION", false},
	TransactionAbortable - lowestCode:               {"TRANSACTION_ABORTABLE", false},
	InvalidRecordState - lowestCode:                 {"INVALID_RECORD_STATE", false},
	ShareSessionNotFound - lowestCode:               {"SHARE_SESSION_NOT_FOUND", true},
	InvalidShareSessionEpoch - lowestCode:           {"INVALID_SHARE_SESSION_EPOCH", true},
	FencedStateEpoch - lowestCode:                   {"FENCED_STATE_EPOCH", false},
	InvalidVoterKey - lowestCode:                    {"INVALID_VOTER_KEY", false},
	DuplicateVoter - lowestCode:                     {"DUPLICATE_VOTER", false},
	VoterNotFound - lowestCode:                      {"VOTER_NOT_FOUND", false},
	InvalidRegularExpression - lowestCode:           {"INVALID_REGULAR_EXPRESSION", false},
	RebootstrapRequired - lowestCode:                {"REBOOTSTRAP_REQUIRED", false},
	StreamsInvalidTopology - lowestCode:             {"STREAMS_INVALID_TOPOLOGY", false},
	StreamsInvalidTopologyEpoch - lowestCode:        {"STREAMS_INVALID_TOPOLOGY_EPOCH", false},
	StreamsTopologyFenced - lowestCode:              {"STREAMS_TOPOLOGY_FENCED", false},
	ShareSessionLimitReached - lowestCode:           {"SHARE_SESSION_LIMIT_REACHED", true},
}

// Known reports whether Apache Kafka 4.3 has this code.
func (c Code) Known() bool {
	return c >= lowestCode && int(c-lowestCode) < len(codeTable)
}

// String returns Kafka's name, NOT_LEADER_OR_FOLLOWER for example, or the number of a code Kafka 4.3 does not have.
func (c Code) String() string {
	if !c.Known() {
		return "ERROR_" + strconv.Itoa(int(c))
	}
	return codeTable[c-lowestCode].name
}

// Retriable reports whether Kafka's clients may send the same request again after this answer.
func (c Code) Retriable() bool {
	return c.Known() && codeTable[c-lowestCode].retriable
}
