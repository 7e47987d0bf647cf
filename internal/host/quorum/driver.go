package quorum

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3"

	"holdfast/internal/base/config"
	"holdfast/internal/core/controller"
	"holdfast/internal/core/image"
	"holdfast/internal/storage/journal"
	"holdfast/internal/storage/vfs"
)

var (
	// ErrNotLeader says that this node is not the active controller. The command was not carried out.
	ErrNotLeader = errors.New("this node is not the active controller")
	// ErrUnknown says that nobody can tell yet whether the command was or will be carried out: the caller stopped waiting,
	// or leadership was lost, or the driver stopped, after the command was handed over.
	ErrUnknown = errors.New("the outcome is not known")
	// ErrEmpty says that there is no journal, and that none may be begun.
	ErrEmpty = errors.New("it is empty, and no cluster id was given to form a cluster with")
	// ErrStopped says that the driver does not run. The command was not carried out.
	ErrStopped = errors.New("the metadata quorum of this node is stopped")
)

const (
	queueLength          = 1024     // commands that may wait for their turn
	groupBytes           = 32 << 20 // no further command is taken into a turn that has this many bytes
	groupCommands        = 4096     // or this many commands
	defaultSnapshotEvery = 10_000   // entries
	snapshotBytes        = 8 << 20  // entries are kept in memory until a snapshot: bounded by bytes too
	prepareEvery         = 1 << 20  // bytes written to the journal; its files have four times as many
	blockCost            = 8 << 10  // bytes that one append and sync take beside the entries, about
	fullDiskRetry        = 100 * time.Millisecond
)

// Options say what to run, where.
type Options struct {
	FS        vfs.FS
	Dir       string   // the journal's folder; made if it does not exist
	Directory [16]byte // id of the data directory that Dir belongs to
	NodeID    int32

	// ClusterID is the id of the cluster to form if the journal is empty, "" to refuse that. Else it is not looked at.
	ClusterID string

	// Broker is this node's settings: the defaults of new topics.
	Broker *config.Values

	SnapshotEvery int              // entries between snapshots; 0 for 10,000
	JournalBytes  int64            // of a file of the journal; 0 for journal.DefaultFileBytes
	Now           func() time.Time // nil for time.Now
	Random        io.Reader        // nil for crypto/rand

	Synced func(took time.Duration) // told of each append and sync of the journal; nil for nobody
}

// Watcher is told of every change, in order, before the replies of what changed leave. It must return quickly and must not
// call Propose: the loop waits for it. The first call is from the empty image.
type Watcher func(old, new *image.Image, d image.Delta)

// Driver runs this node's part of the metadata quorum.
type Driver struct {
	o        Options
	watchers []Watcher // fixed at Start

	queue    chan *call
	stopping chan struct{}
	stopOnce sync.Once
	started  atomic.Bool
	done     chan struct{} // closed when the loop has ended; err is set before
	err      error

	shown atomic.Pointer[image.Image] // what Image returns
	stats atomic.Pointer[Stats]

	loop // owned by the goroutine of run; before Start and after done by the caller
}

// call is one command on its way.
type call struct {
	cmd   controller.Command
	out   any         // the reply, once decided
	index uint64      // everything up to here must be committed before the reply leaves
	reply chan answer // holds one
}

type answer struct {
	reply any
	err   error
}

// Stats is how the driver is doing, for metrics.
type Stats struct {
	Active  bool   // this node is the active controller
	Term    uint64 // raft's
	Applied uint64 // index of the last entry applied
	Batches uint64 // turns that wrote to the journal, each with one sync
	Queued  int    // commands that wait for their turn
	Journal int64  // bytes of the journal's files
}

// Open reads what this node has of the metadata log. Nothing runs yet, and nothing was written.
func Open(o Options) (*Driver, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Synced == nil {
		o.Synced = func(time.Duration) {}
	}
	if o.SnapshotEvery == 0 {
		o.SnapshotEvery = defaultSnapshotEvery
	}
	if o.JournalBytes == 0 {
		o.JournalBytes = journal.DefaultFileBytes
	}
	d := &Driver{
		o: o, queue: make(chan *call, queueLength), stopping: make(chan struct{}), done: make(chan struct{}),
	}
	if err := d.open(); err != nil {
		return nil, fmt.Errorf("metadata in %s: %w", o.Dir, err)
	}
	d.shown.Store(image.Empty())
	d.stats.Store(&Stats{})
	return d, nil
}

func (d *Driver) open() (err error) {
	self := uint64(d.o.NodeID) + 1
	d.store, d.img, err = openStore(d.o.FS, d.o.Dir, d.o.Directory, d.o.JournalBytes)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.store.close())
		}
	}()
	if d.store.voters == nil {
		if d.o.ClusterID == "" {
			return ErrEmpty
		}
		if err := d.store.form([]uint64{self}); err != nil {
			return err
		}
	}
	if !slices.Contains(d.store.voters, self) {
		return fmt.Errorf("it belongs to node %d, and this is node %d. Start as that node (--id %d), or give this node a folder of its own",
			d.store.voters[0]-1, d.o.NodeID, d.store.voters[0]-1)
	}
	d.node, err = raft.NewRawNode(&raft.Config{
		ID: self, Storage: d.store.mem, Applied: d.store.snapshotIndex,
		ElectionTick: 10, HeartbeatTick: 1,
		MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 256,
		PreVote: true, CheckQuorum: true, DisableProposalForwarding: true,
		Logger: &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)}, // it panics on what must not be
	})
	return err
}

// Watch adds a watcher. Call it before Start; watchers are called in the order they were added.
func (d *Driver) Watch(w Watcher) {
	if d.started.Load() {
		panic("quorum: Watch after Start")
	}
	d.watchers = append(d.watchers, w)
}

// Start replays the log, takes the lead if this node is the only voter, forms the cluster if there is none, shows the
// first image to the watchers, and begins to serve Propose. When it returns nil, Image is up to date.
func (d *Driver) Start() error {
	if err := d.Begin(); err != nil {
		return err
	}
	go d.run()
	return nil
}

// Begin is Start without the goroutine: the caller takes the turns, with Step. A simulation does.
func (d *Driver) Begin() error {
	d.started.Store(true)
	if err := d.begin(); err != nil {
		err = errors.Join(fmt.Errorf("metadata in %s: %w", d.o.Dir, err), d.store.close())
		d.err = err
		close(d.done)
		return err
	}
	return nil
}

// Stop ends the loop and closes the journal. What was handed over and is not committed is answered with ErrUnknown.
func (d *Driver) Stop() error {
	d.stopOnce.Do(func() { close(d.stopping) })
	if !d.started.Swap(true) {
		d.err = d.store.close()
		close(d.done)
	}
	<-d.done
	return d.err
}

// Done is closed when the driver has ended: after Stop, or because it failed.
func (d *Driver) Done() <-chan struct{} { return d.done }

// Err is why the driver ended; nil while it runs and after a clean Stop.
func (d *Driver) Err() error {
	select {
	case <-d.done:
		return d.err
	default:
		return nil
	}
}

// Image is the newest committed picture that all watchers have seen.
func (d *Driver) Image() *image.Image { return d.shown.Load() }

// Stats is how the driver was doing after its last turn.
func (d *Driver) Stats() Stats {
	s := *d.stats.Load()
	s.Queued = len(d.queue)
	return s
}

// Propose has the active controller carry out a request, one of those listed at controller.Command, and returns its
// reply. It returns when the change is committed and every watcher has seen it. The errors are ErrNotLeader, ErrStopped
// and the context's own, when nothing was done; and ErrUnknown, when that is not known.
func (d *Driver) Propose(ctx context.Context, request any) (reply any, err error) {
	c, err := d.call(request)
	if err != nil {
		return nil, err
	}
	select {
	case d.queue <- c:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-d.done:
		return nil, d.stopped()
	}
	select {
	case a := <-c.reply:
		return a.reply, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnknown, ctx.Err())
	case <-d.done:
	}
	select { // the loop may have answered and ended since
	case a := <-c.reply:
		return a.reply, a.err
	default:
		return nil, d.stopped() // it was still in the queue
	}
}

func (d *Driver) call(request any) (*call, error) {
	c := &call{cmd: controller.Command{Request: request}, reply: make(chan answer, 1)}
	if _, err := io.ReadFull(d.o.Random, c.cmd.Nonce[:]); err != nil {
		return nil, fmt.Errorf("read random bytes for a topic id: %w", err)
	}
	return c, nil
}

func (d *Driver) stopped() error {
	if d.err != nil {
		return fmt.Errorf("%w: %w", ErrStopped, d.err)
	}
	return ErrStopped
}
