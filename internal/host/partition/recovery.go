package partition

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"holdfast/internal/base/event"
	"holdfast/internal/storage/commitlog"
)

// recoveries adds up what opening the logs found.
type recoveries struct {
	began time.Time

	mu                                          sync.Mutex
	partitions, scanned, truncated, quarantined int64
}

// add notes one partition's recovery and tells what was cut or is damaged.
func (r *recoveries) add(p *Partition, found commitlog.Recovery) {
	r.mu.Lock()
	r.partitions++
	r.scanned += found.ScannedBytes
	if found.Cut != nil {
		r.truncated++
	}
	r.quarantined += int64(len(found.Damaged))
	r.mu.Unlock()

	m := p.manager
	m.measured.scanned.Add(found.ScannedBytes)
	if found.Cut != nil {
		m.measured.truncated.Add(found.Cut.Bytes)
	}
	if found.Cut != nil {
		m.options.Events.Emit(event.New(event.KindTruncatedTail, m.options.Now(), m.options.NodeID).In(p.Topic.Name, p.Index).
			Number("end", found.Cut.Offset).Number("bytes", found.Cut.Bytes).
			Number("recovery_point", m.points.recoveryOf(PartitionDir(p.Topic.Name, p.Index))).
			Text("reason", fmt.Sprintf("the batch at byte %d of segment %d is not whole", found.Cut.Position, found.Cut.Segment)))
	}
	if found.Lost != nil {
		p.tellDamage(*found.Lost)
	}
	for _, d := range found.Damaged {
		p.tellDamage(d)
	}
	p.toldDamage = found.Damaged
}

// tellDamage says that records are damaged and not served.
func (p *Partition) tellDamage(d commitlog.Damage) {
	m := p.manager
	m.options.Events.Emit(event.New(event.KindQuarantined, m.options.Now(), m.options.NodeID).In(p.Topic.Name, p.Index).
		Text("file", p.SegmentFile(d.Segment)).
		Number("first", d.From).Number("last", d.To-1).Text("reason", d.Reason))
}

// SegmentFile is the file of a segment, relative to the data directory.
func (p *Partition) SegmentFile(base int64) string {
	return fmt.Sprintf("%s/%020d.log", PartitionDir(p.Topic.Name, p.Index), base)
}

// Damaged lists the ranges of records that are damaged and not served.
func (p *Partition) Damaged() []commitlog.Damage { return p.log.Damaged() }

// lookForDamage tells what reads have found damaged since it was called last.
func (p *Partition) lookForDamage(time.Time) {
	found := p.log.Damaged()
	p.mu.Lock()
	told := p.toldDamage
	p.toldDamage = found
	p.mu.Unlock()
	for _, d := range found {
		if !slices.Contains(told, d) {
			p.tellDamage(d)
		}
	}
}

// tell says that the node before this one did not stop cleanly, and what that cost.
func (r *recoveries) tell(m *Manager, cause string) {
	m.options.Events.Emit(event.New(event.KindUncleanStart, m.options.Now(), m.options.NodeID).
		Text("cause", cause).Number("partitions", r.partitions).Number("scanned_bytes", r.scanned).
		Number("truncated", r.truncated).Number("quarantined", r.quarantined).
		Number("millis", m.options.Now().Sub(r.began).Milliseconds()))
}

// dirFailed tells that the data directory acknowledges nothing any more.
func (m *Manager) dirFailed(cause error) {
	partitions := int64(0)
	m.each(time.Time{}, func(*Partition, time.Time) { partitions++ })
	m.options.Events.Emit(event.New(event.KindDirFailed, m.options.Now(), m.options.NodeID).
		Text("dir", m.options.Dir).Text("operation", "write or sync").Text("error", cause.Error()).
		Number("partitions", partitions))
}

// Space is how many bytes may still be written to the data directory's file system, and its size.
func (m *Manager) Space() (freeBytes, totalBytes int64, err error) {
	return m.options.FS.Free(m.options.Dir)
}

// OpenFiles is how many segment and index files are open.
func (m *Manager) OpenFiles() int { return m.dir.files.Open() }
