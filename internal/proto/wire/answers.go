package wire

// Outcome is what an error says about the request it answers.
type Outcome uint8

const (
	// Failed: the request changed nothing.
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
	Retriable bool
	Outcome   Outcome
}

// Answers returns the class of a code in an answer of an API. An answer that is not in the table is a bug; None is always in it.
func Answers(key int16, code Code) (Class, bool) {
	return Class{Retriable: code.Retriable()}, true
}
