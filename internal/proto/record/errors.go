package record

import "fmt"

// Kind is why a batch is refused. The server answers each kind with one of Kafka's codes.
type Kind uint8

const (
	Corrupt           Kind = iota + 1 // the bytes are not those that were sent: CORRUPT_MESSAGE
	TooLarge                          // batch, or what it decompresses to, over its limit: MESSAGE_TOO_LARGE
	InvalidRecord                     // the client built it wrong: INVALID_RECORD
	InvalidTimestamp                  // outside the topic's limits: INVALID_TIMESTAMP
	UnsupportedCodec                  // a codec that does not exist: UNSUPPORTED_COMPRESSION_TYPE
	UnsupportedFormat                 // magic 0, 1 or unknown: UNSUPPORTED_FOR_MESSAGE_FORMAT
)

// String names the kind as in the source.
func (k Kind) String() string {
	switch k {
	case Corrupt:
		return "Corrupt"
	case TooLarge:
		return "TooLarge"
	case InvalidRecord:
		return "InvalidRecord"
	case InvalidTimestamp:
		return "InvalidTimestamp"
	case UnsupportedCodec:
		return "UnsupportedCodec"
	case UnsupportedFormat:
		return "UnsupportedFormat"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Error says what is wrong with a batch, for its client.
type Error struct {
	Kind        Kind
	RecordIndex int32  // the offending record's place in the batch, -1 if it is the batch as a whole
	Message     string // one sentence without a full stop
}

// Error is the message, with the record's place where one is to blame.
func (e *Error) Error() string {
	if e.RecordIndex < 0 {
		return e.Message
	}
	return fmt.Sprintf("record %d of the batch: %s", e.RecordIndex, e.Message)
}

// failf makes the error of a whole batch.
func failf(k Kind, format string, args ...any) *Error { return recordf(k, -1, format, args...) }

// recordf makes the error of the record at index.
func recordf(k Kind, index int32, format string, args ...any) *Error {
	return &Error{Kind: k, RecordIndex: index, Message: fmt.Sprintf(format, args...)}
}
