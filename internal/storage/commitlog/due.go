package commitlog

// checkpointEach is how many bytes a partition takes between two checkpoints, or a share of a large segment. A start
// after a crash reads a batch's header for every batch since; 2,300 partitions that were never checkpointed are then
// read as good as whole.
const (
	checkpointEach  = 4 << 20
	checkpointShare = 16
)

// CheckpointDue tells whether enough was appended since the last one that a Checkpoint is worth its files. Under the
// partition's lock; it counts as made.
func (l *Log) CheckpointDue() bool {
	s := l.active
	if s == nil || l.failed != nil {
		return false
	}
	if l.kept.seg != s {
		l.kept = space{seg: s}
	}
	size := s.size.Load()
	if size-l.kept.size < max(checkpointEach, size/checkpointShare) {
		return false
	}
	l.kept.size = size
	return true
}
