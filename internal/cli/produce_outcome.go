package cli

// outcome is what is known of a record that was not acked.
type outcome string

const (
	outcomeFailed  outcome = "failed"  // surely not in the log
	outcomeUnknown outcome = "unknown" // may or may not be in the log
)
