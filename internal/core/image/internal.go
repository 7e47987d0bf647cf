package image

import "holdfast/internal/base/event"

// The topics of the coordinators, named as in Kafka.
const (
	TopicOffsets      = "__consumer_offsets"
	TopicTransactions = "__transaction_state"
)

// Internal reports whether the brokers alone write to a topic.
func Internal(topic string) bool {
	return topic == TopicOffsets || topic == TopicTransactions || topic == event.Topic
}
