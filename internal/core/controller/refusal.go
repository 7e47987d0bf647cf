package controller

import (
	"fmt"

	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"
)

// refusal is why something asked for is not done: Kafka's code and a sentence for people. A nil *refusal is consent.
type refusal struct {
	code    wire.Code
	message string
}

func refuse(code wire.Code, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// fields are the refusal as a response carries it: no error, or a code and a message that is never missing.
func (r *refusal) fields() (code int16, message *string) {
	if r == nil {
		return 0, nil
	}
	return int16(r.code), &r.message
}

// tooManyPartitions refuses a whole request before any memory is spent on it.
func tooManyPartitions(n int64) *refusal {
	if n <= MaxPartitionsPerRequest {
		return nil
	}
	return refuse(wire.PolicyViolation, "This request would create %d partitions; at most %d can be created in one request. Split it.",
		n, MaxPartitionsPerRequest)
}

// budget bounds the bytes of one batch while it is put together.
type budget struct{ used int }

func (b *budget) take(records []image.Record) *refusal {
	n := 0
	for _, r := range records {
		n += r.Size()
	}
	if b.used+n > MaxBatchBytes {
		return refuse(wire.PolicyViolation, "This request would change more than %d MiB of metadata at once. Split it.", MaxBatchBytes>>20)
	}
	b.used += n
	return nil
}
