package partition

import (
	"bytes"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"holdfast/internal/base/config"
	"holdfast/internal/base/event"
	"holdfast/internal/base/metrics"
	"holdfast/internal/core/image"
	"holdfast/internal/storage/commitlog"
	"holdfast/internal/storage/vfs"
)

// Options is what a Manager works with.
type Options struct {
	FS       vfs.FS
	Dir      string // the data directory
	NodeID   int32
	BootID   string // the kernel's, new with every boot of the machine; "" where it cannot be told
	MaxFiles int    // open files of the data directory
	Log      *slog.Logger
	Events   event.Sink
	Metrics  *metrics.Registry
	Config   func() *config.Values // the broker's settings as they are now
	Now      func() time.Time      // nil for time.Now

	// InOrder has the manager do one thing at a time, in an order that does not change from run to run, on the
	// goroutine that calls it: for a simulation, which does not call Start.
	InOrder bool
}

// Manager holds this node's partitions.
type Manager struct {
	options    Options
	dir        *dir
	flusher    *flusher
	points     checkpoints
	compacted  compactedPoints
	compactNow chan struct{} // capacity one: somebody asked for it
	measured   measures
	scrubber   scrubber // owned by scrub

	recovered func(*Partition, commitlog.Recovery)

	saving        sync.Mutex // one writer of the checkpoint files
	pointsDropped bool       // the files know folders that are gone; guarded by saving, as are changes of points after Open

	stop    chan struct{}
	workers sync.WaitGroup

	following sync.Mutex // one at a time changes which partitions there are; before mu

	mu     sync.RWMutex
	byName map[string]*Topic
	byID   map[image.TopicID]*Topic
}

// Open brings the partitions that img places on this node to life: each log is recovered as far as its recovery point
// does not vouch for it. A partition that cannot be opened is an error of the whole start only where its directory is.
func Open(o Options, img *image.Image) (*Manager, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &dir{fs: o.FS, path: o.Dir, files: commitlog.NewFiles(o.FS, o.MaxFiles)}
	measured := bind(o.Metrics, o.Dir)
	m := &Manager{
		options: o, dir: d, measured: measured, flusher: newFlusher(d, o.InOrder, measured), stop: make(chan struct{}), compactNow: make(chan struct{}, 1),
		byName: map[string]*Topic{}, byID: map[image.TopicID]*Topic{},
	}
	d.onFailed = m.dirFailed
	if err := vfs.MakeDirs(o.FS, o.Dir); err != nil {
		return nil, err
	}
	clean, cause, err := m.markRunning()
	if err != nil {
		return nil, err
	}
	if m.points, err = m.loadCheckpoints(img); err != nil {
		return nil, err
	}
	if m.compacted, err = m.loadCompacted(img); err != nil {
		return nil, err
	}
	if err := m.setStraysAside(img); err != nil {
		return nil, err
	}
	m.dropStrangers(img)
	found := &recoveries{began: o.Now()}
	m.recovered = found.add
	m.openAll(img)
	// What recovery kept above the recovery points may be in the page cache only. It is synced before anybody may read it.
	m.flusher.flush()
	if err := m.Failed(); err != nil {
		return nil, err
	}
	if m.pointsDropped || !clean { // before a name may come back; so that a node killed soon again does not read it all again
		if err := m.saveCheckpoints(); err != nil {
			return nil, err
		}
	}
	if m.compacted.unknown { // from here on all is known
		if err := m.saveCompacted(); err != nil {
			return nil, err
		}
		m.compacted.unknown = false
	}
	if !clean && len(m.points.recovery) > 0 {
		found.tell(m, cause)
	}
	return m, nil
}

// Start sets the flusher and the housekeeping going. A simulation leaves it out and takes their steps itself; see steps.go.
func (m *Manager) Start() {
	m.workers.Go(func() { m.flusher.run(m.stop) })
	m.workers.Go(m.keepHouse)
	m.workers.Go(m.keepCompact)
	m.workers.Go(m.scrub)
}

// openAll opens what the image places here, several at a time.
func (m *Manager) openAll(img *image.Image) {
	c := newCrew(2*runtime.GOMAXPROCS(0), m.options.InOrder)
	for t := range img.Topics() {
		c.do(func() error { m.adopt(t); return nil })
	}
	c.wait() //nolint:errcheck // what does not open is offline, and told
}

// Topic finds a topic by name; nil where this node holds none of it.
func (m *Manager) Topic(name []byte) *Topic {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.byName[string(name)]
}

// TopicByID finds a topic by id; nil where this node holds none of it.
func (m *Manager) TopicByID(id image.TopicID) *Topic {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.byID[id]
}

// Topics lists all topics by id.
func (m *Manager) Topics() []*Topic {
	m.mu.RLock()
	defer m.mu.RUnlock()
	ts := make([]*Topic, 0, len(m.byID))
	for _, t := range m.byID { // order-free: sorted below
		ts = append(ts, t)
	}
	slices.SortFunc(ts, func(a, b *Topic) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return ts
}

// Failed is nil while the data directory may acknowledge.
func (m *Manager) Failed() error { return m.dir.Failed() }

// Follow makes the partitions what the committed image says. It is called in the image's order, from one goroutine.
// What cannot be opened stays unserved and is told; the rest goes on.
func (m *Manager) Follow(d image.Delta) {
	m.following.Lock()
	defer m.following.Unlock()
	m.forget(d) // first: a name may be deleted and come back in one delta
	for _, c := range d.Topics {
		m.follow(c)
	}
	if len(d.BrokerConfigs) > 0 {
		for _, t := range m.Topics() {
			m.configure(t, nil)
		}
	}
}

func (m *Manager) follow(c image.TopicChange) {
	switch {
	case c.After == nil: // forgotten
	case c.Before == nil:
		m.adopt(c.After)
	default:
		m.change(c)
	}
}

// adopt starts serving a topic's partitions.
func (m *Manager) adopt(t *image.Topic) {
	topic := &Topic{
		Name: t.Name, ID: t.ID, Internal: image.Internal(t.Name), configs: t.Configs,
		AppendedRecords: m.options.Metrics.Counter(metrics.AppendedRecords, t.Name),
		AppendedBytes:   m.options.Metrics.Counter(metrics.AppendedBytes, t.Name),
		Fetched:         m.options.Metrics.Counter(metrics.FetchedBytes, t.Name),
	}
	m.resolve(topic)
	partitions := make([]*Partition, len(t.Partitions))
	for i, p := range t.Partitions {
		partitions[i] = m.openOrNot(topic, int32(i), p)
	}
	topic.partitions.Store(&partitions)
	m.mu.Lock()
	m.byName[t.Name], m.byID[t.ID] = topic, topic
	m.mu.Unlock()
}

// change follows new partitions, new leader epochs and new settings of a topic.
func (m *Manager) change(c image.TopicChange) {
	topic := m.TopicByID(c.After.ID)
	if topic == nil {
		m.adopt(c.After)
		return
	}
	if c.ConfigsChanged() {
		m.configure(topic, c.After.Configs)
	}
	now := *topic.partitions.Load()
	grown := make([]*Partition, len(c.After.Partitions))
	copy(grown, now)
	for i, change := range c.Partitions() {
		if grown[i] != nil {
			grown[i].lead(change.After.LeaderEpoch)
		} else if why := topic.Offline(i); why != nil {
			topic.offline.set(i, down{why, change.After})
		} else {
			grown[i] = m.openOrNot(topic, i, change.After)
		}
	}
	topic.partitions.Store(&grown)
}

// openOrNot opens a partition, or takes it offline: one that cannot be opened does not keep the others from serving.
func (m *Manager) openOrNot(t *Topic, index int32, p *image.Partition) *Partition {
	opened, err := m.open(t, index, p)
	if err != nil {
		m.takeOffline(t, index, p, err)
	}
	return opened
}

// configure takes over new settings of a topic, or, where configs is nil, of the broker beneath it.
func (m *Manager) configure(t *Topic, configs *image.Configs) {
	if configs != nil {
		t.configs = configs
	}
	before := t.settings.Load().topic.CompactionRequestedMs
	m.resolve(t)
	if t.settings.Load().topic.CompactionRequestedMs != before {
		m.wakeCompaction()
	}
	for _, p := range t.Partitions() {
		if p != nil {
			p.configure(t.settings.Load())
		}
	}
}

func (m *Manager) resolve(t *Topic) {
	t.settings.Store(newSettings(m.options.Config(), t.configs.Map()))
}

// PartitionDir is the name of a partition's folder, as Kafka names it.
func PartitionDir(topic string, index int32) string { return topic + "-" + strconv.Itoa(int(index)) }

func (m *Manager) open(t *Topic, index int32, p *image.Partition) (*Partition, error) {
	name := PartitionDir(t.Name, index)
	s := t.settings.Load()
	log, recovery, err := commitlog.Open(commitlog.Options{
		FS: m.options.FS, Dir: filepath.Join(m.options.Dir, name), Files: m.dir.files,
		TopicID: t.ID, Config: s.log, Now: m.options.Now(),
		RecoveryPoint: m.points.recoveryOf(name), LogStart: m.points.startOf(name), StartKnown: m.points.ours[name], StartLost: m.points.noStarts,
		Gaps: m.gapsOf(name, s), Cleaned: m.compacted.cleaned[name],
	})
	if err != nil {
		return nil, fmt.Errorf("partition %s: %w", name, err)
	}
	opened := &Partition{Topic: t, Index: index, manager: m, log: log}
	m.recovered(opened, recovery)
	opened.take(p.LeaderEpoch, s.commitSync())
	if log.RecoveryPoint() < log.End() {
		opened.markDirty()
	}
	return opened, nil
}

// all does something with every partition, several at a time.
func (m *Manager) all(do func(*Partition) error) error {
	c := newCrew(2*runtime.GOMAXPROCS(0), m.options.InOrder)
	for _, t := range m.Topics() {
		for _, p := range t.Partitions() {
			if p != nil {
				c.do(func() error { return do(p) })
			}
		}
	}
	return c.wait()
}

// Stop answers all who wait, makes everything durable and takes the mark of a running node away. The manager serves nothing
// after that.
func (m *Manager) Stop() error {
	close(m.stop)
	m.workers.Wait()
	if err := m.all((*Partition).finish); err != nil {
		return err
	}
	m.flusher.flush() // what thousands of logs wrote last is synced at once
	if err := m.all((*Partition).close); err != nil {
		return err
	}
	if err := m.Failed(); err != nil {
		return err
	}
	if err := m.saveCheckpoints(); err != nil {
		return err
	}
	return m.markStopped()
}
