package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The events of Apache Kafka's verifiable clients, fields in the order in which those print them.

// verifyEvent is how every event begins.
type verifyEvent struct {
	Timestamp int64  `json:"timestamp"` // ms since 1970
	Name      string `json:"name"`
}

func newVerifyEvent(name string) verifyEvent { return verifyEvent{time.Now().UnixMilli(), name} }

type sendSuccess struct {
	verifyEvent
	Key       *string `json:"key"`
	Value     string  `json:"value"`
	Offset    int64   `json:"offset"`
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
}

type sendError struct {
	verifyEvent
	Topic     string  `json:"topic"`
	Key       *string `json:"key"`
	Value     string  `json:"value"`
	Exception string  `json:"exception"`
	Message   string  `json:"message"`
}

type toolData struct {
	verifyEvent
	Sent             int64      `json:"sent"`
	Acked            int64      `json:"acked"`
	TargetThroughput int64      `json:"target_throughput"`
	AvgThroughput    javaDouble `json:"avg_throughput"`
}

type topicPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

// partitionsEvent is partitions_assigned and partitions_revoked.
type partitionsEvent struct {
	verifyEvent
	Partitions []topicPartition `json:"partitions"`
}

type recordsConsumed struct {
	verifyEvent
	Count      int         `json:"count"`
	Partitions []recordSet `json:"partitions"`
}

type recordSet struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Count     int    `json:"count"`
	MinOffset int64  `json:"minOffset"`
	MaxOffset int64  `json:"maxOffset"`
}

type recordData struct {
	verifyEvent
	Key       *string `json:"key"`
	Value     *string `json:"value"`
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Offset    int64   `json:"offset"`
}

type offsetsCommitted struct {
	verifyEvent
	Offsets []committedOffset `json:"offsets"`
	Error   *string           `json:"error,omitempty"`
	Success bool              `json:"success"`
}

type committedOffset struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// javaDouble is written with a fraction always, as in Java.
type javaDouble float64

// MarshalJSON implements json.Marshaler.
func (d javaDouble) MarshalJSON() ([]byte, error) {
	text := strconv.FormatFloat(float64(d), 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return []byte(text), nil
}

func textOrNull(b []byte) *string {
	if b == nil {
		return nil
	}
	s := string(b)
	return &s
}

const javaErrors = "org.apache.kafka.common.errors."

// javaNames are the exceptions of the Java client whose names do not follow from that of the error, of those that a
// producer may meet.
var javaNames = map[string]string{
	"CORRUPT_MESSAGE":              "CorruptRecordException",
	"DUPLICATE_SEQUENCE_NUMBER":    "DuplicateSequenceException",
	"INVALID_PRODUCER_ID_MAPPING":  "InvalidPidMappingException",
	"INVALID_TOPIC_EXCEPTION":      "InvalidTopicException",
	"INVALID_TRANSACTION_TIMEOUT":  "InvalidTxnTimeoutException",
	"KAFKA_STORAGE_ERROR":          "KafkaStorageException",
	"MESSAGE_TOO_LARGE":            "RecordTooLargeException",
	"NETWORK_EXCEPTION":            "NetworkException",
	"NOT_LEADER_FOR_PARTITION":     "NotLeaderOrFollowerException",
	"OUT_OF_ORDER_SEQUENCE_NUMBER": "OutOfOrderSequenceException",
	"RECORD_LIST_TOO_LARGE":        "RecordBatchTooLargeException",
	"REQUEST_TIMED_OUT":            "TimeoutException",
	"UNKNOWN_SERVER_ERROR":         "UnknownServerException",
}

// javaException is the class and the message with which a Java client would report err.
func javaException(err error, topic string) (class, message string) {
	var answered *kerr.Error
	switch {
	case errors.Is(err, kerr.InvalidRecord):
		return "org.apache.kafka.common.InvalidRecordException", javaMessage(kerr.InvalidRecord, topic)
	case errors.As(err, &answered):
		return javaErrors + javaName(answered.Message), javaMessage(answered, topic)
	case errors.Is(err, kgo.ErrRecordTimeout), errors.Is(err, context.DeadlineExceeded):
		return javaErrors + "TimeoutException", fmt.Sprintf("Expiring record for %s: %v", topic, err)
	case errors.Is(err, kgo.ErrClientClosed), errors.Is(err, kgo.ErrAborting):
		return "org.apache.kafka.common.KafkaException", "Producer closed while send in progress"
	}
	return javaErrors + "NetworkException", err.Error()
}

// javaName is the class of an error: NOT_ENOUGH_REPLICAS is NotEnoughReplicasException.
func javaName(code string) string {
	if name, ok := javaNames[code]; ok {
		return name
	}
	var b strings.Builder
	for _, suffix := range []string{"AUTHORIZATION", "AUTHENTICATION"} { // TOPIC_AUTHORIZATION_FAILED has failed already
		if strings.HasSuffix(code, suffix+"_FAILED") {
			code = strings.TrimSuffix(code, "_FAILED")
		}
	}
	for _, word := range strings.Split(code, "_") {
		if word != "" {
			b.WriteString(word[:1] + strings.ToLower(word[1:]))
		}
	}
	return b.String() + "Exception"
}

func javaMessage(e *kerr.Error, topic string) string {
	if e.Code == kerr.InvalidTopicException.Code {
		return fmt.Sprintf("Invalid topics: [%s]", topic)
	}
	return strings.TrimSuffix(e.Description, ".") + "."
}
