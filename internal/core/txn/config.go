package txn

import "time"

// Config is what a shard is run with; a change is a new shard, or SetConfig.
type Config struct {
	MaxTimeout    time.Duration // transaction.max.timeout.ms: the longest time-out a producer may ask for
	Expiration    time.Duration // transactional.id.expiration.ms: an id unused for so long is forgotten
	SweepInterval time.Duration // transaction.remove.expired.transaction.cleanup.interval.ms

	Patience       time.Duration // how long a request waits for the transaction before it to complete
	MaxParked      int           // requests of one transactional id that wait
	MaxRecordBytes int           // the largest record the log takes
	MaxSweep       int           // ids forgotten in one Outcome; what is left over follows at once
}

// DefaultConfig is what Apache Kafka 4.3 runs with.
func DefaultConfig() Config {
	return Config{
		MaxTimeout:     15 * time.Minute,
		Expiration:     7 * 24 * time.Hour,
		SweepInterval:  time.Hour,
		Patience:       time.Second,
		MaxParked:      64,
		MaxRecordBytes: 1 << 20,
		MaxSweep:       5000,
	}
}

// SetConfig changes the settings from the next command on. It is no part of the state.
func (s *Shard) SetConfig(cfg Config) { s.cfg = cfg }
