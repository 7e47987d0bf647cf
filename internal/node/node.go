package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/internal/base/config"
	"holdfast/internal/base/event"
	"holdfast/internal/base/metrics"
	"holdfast/internal/core/image"
	"holdfast/internal/host/coord"
	"holdfast/internal/host/markers"
	"holdfast/internal/host/partition"
	"holdfast/internal/host/quorum"
	"holdfast/internal/proto/wire"
	"holdfast/internal/server"
	"holdfast/internal/server/handler"
	"holdfast/internal/storage/vfs"
)

const (
	lockFile  = ".lock"
	quorumDir = "quorum" // beside the partitions; no topic's folder has such a name, for theirs end in a number
)

// Options is what a node is started with.
type Options struct {
	FS      vfs.FS
	Config  *config.Values
	Log     *slog.Logger
	Version string
	Began   time.Time // when the process started

	// Check sees every error code that is answered; tests hold the broker to its table of answers with it.
	Check func(api int16, code wire.Code)
}

// Node is a running node.
type Node struct {
	options  Options
	id       identity
	dir      string
	static   *config.Values
	config   atomic.Pointer[config.Values] // static under the cluster's dynamic settings
	registry *metrics.Registry
	events   *eventLog

	lock       io.Closer
	listeners  []listener
	http       *httpServer
	quorum     *quorum.Driver
	partitions *partition.Manager
	groups     *coord.Host
	txns       *coord.Host
	markers    *markers.Writer
	handler    *handler.Handler
	server     *server.Server

	frames, work, answers *handler.Budget // the three parts of the memory budget
	limits                atomic.Pointer[server.Limits]

	ready   atomic.Bool
	serving errgroup.Group
	stop    context.CancelFunc // ends accepting and parked requests

	stopOnce sync.Once
	stopErr  error
}

// listener is an open port for Kafka clients.
type listener struct {
	config.Listener
	net net.Listener
}

// Start starts a node and returns when it serves. What it opened before an error is closed again.
func Start(ctx context.Context, o Options) (*Node, error) {
	dirs := o.Config.List("log.dirs")
	n := &Node{options: o, static: o.Config, dir: dirs[0], registry: metrics.New()}
	n.config.Store(o.Config)
	n.resolveLimits()
	if err := n.start(ctx); err != nil {
		return nil, errors.Join(err, n.abort())
	}
	n.ready.Store(true)
	n.started()
	return n, nil
}

func (n *Node) start(ctx context.Context) error {
	if err := n.openDirectory(); err != nil {
		return err
	}
	if err := n.listen(); err != nil {
		return err
	}
	n.events = newEventLog(n.options.Log, n.registry)
	if err := n.startQuorum(); err != nil {
		return err
	}
	if err := n.startPartitions(ctx); err != nil {
		return err
	}
	n.startGroups()
	n.startTxns()
	n.startServer()
	n.events.store(n.partitions, n.quorum)
	return nil
}

// openDirectory makes the data directory ours.
func (n *Node) openDirectory() error {
	fsys, o := n.options.FS, n.options
	if info, err := fsys.Stat(n.dir); err == nil && !info.IsDir {
		return fmt.Errorf("%s is a file. Give this node a folder (--data DIR)", n.dir)
	}
	if err := vfs.MakeDirs(fsys, n.dir); err != nil {
		return fmt.Errorf("the data folder cannot be made: %w. Give this node a folder that it may write to (--data DIR)", err)
	}
	lock, err := lockDirectory(fsys, n.dir)
	if err != nil {
		return err
	}
	n.lock = lock
	cluster, _ := o.Config.Lookup(config.ClusterID)
	n.id, err = claim(fsys, n.dir, int32(o.Config.Int("node.id")), cluster)
	return err
}

// listen opens the ports for clients. They are not accepted from before the node is ready.
func (n *Node) listen() error {
	ls, err := n.options.Config.Listeners()
	if err != nil {
		return err
	}
	for _, l := range ls {
		nl, err := net.Listen("tcp", l.Address())
		if err != nil {
			return portError(err, l.Address(), "--listen HOST:PORT")
		}
		l.Port = nl.Addr().(*net.TCPAddr).Port
		n.listeners = append(n.listeners, listener{l, nl})
		n.warnExposed(l)
	}
	n.http, err = openHTTP(n)
	return err
}

func portError(err error, address, remedy string) error {
	if isInUse(err) {
		return fmt.Errorf("%s is in use by another process. Stop it, or choose another address (%s)", address, remedy)
	}
	return fmt.Errorf("cannot listen on %s: %w. Choose another address (%s)", address, err, remedy)
}

func (n *Node) warnExposed(l config.Listener) {
	if l.Loopback() {
		return
	}
	n.options.Log.Warn("clients beyond this machine can reach this listener, and nothing authenticates or encrypts them",
		"listener", l.Name, "address", l.Address())
	if l.Wildcard() && l.AdvertisedHost == "" {
		n.options.Log.Warn("nothing is advertised for a listener on every address: each client is told the address it reached. Behind NAT or a proxy set advertised.listeners (--advertise HOST:PORT)",
			"listener", l.Name)
	}
}

// startPartitions registers this run of the node, so that its leader epochs are new, and opens the partitions.
func (n *Node) startPartitions(ctx context.Context) error {
	if err := n.register(ctx); err != nil {
		return err
	}
	m, err := partition.Open(partition.Options{
		FS: n.options.FS, Dir: n.dir, NodeID: n.id.NodeID, BootID: bootID(), MaxFiles: n.options.Config.Int(config.OpenFilesMax),
		Log: n.options.Log, Events: n.events, Metrics: n.registry, Config: n.config.Load,
	}, n.quorum.Image())
	if err != nil {
		return err
	}
	n.partitions = m
	m.Start()
	n.collect()
	return nil
}

// follow brings the node to a new committed image: settings first, because partitions read them. The quorum's goroutine
// calls it; n.partitions is set before the first request can be proposed.
func (n *Node) follow(_, after *image.Image, d image.Delta) {
	if len(d.BrokerConfigs) > 0 {
		n.resolveConfig(after)
	}
	if n.partitions == nil {
		return // not opened yet: they will start from the image as it is then
	}
	n.partitions.Follow(d)
	if n.groups != nil {
		n.groups.Follow(after, d)
	}
	if n.txns != nil {
		n.txns.Follow(after, d)
	}
	n.tellTopics(d)
}

func (n *Node) resolveConfig(img *image.Image) {
	n.config.Store(n.static.WithDynamic(
		img.BrokerConfigs(image.DefaultBroker).Map(), img.BrokerConfigs(strconv.Itoa(int(n.id.NodeID))).Map()))
	n.resolveLimits()
}

func (n *Node) startServer() {
	v := n.options.Config
	waited := n.registry.Histogram(metrics.MemoryWaitSeconds)
	memory := v.Int64(config.MemoryBudgetBytes)
	n.frames, n.work = handler.NewBudget(memory/4, waited), handler.NewBudget(memory/4, waited)
	n.answers = handler.NewBudget(memory/2, waited)
	n.handler = handler.New(handler.Options{
		NodeID: n.id.NodeID, Log: n.options.Log, Events: n.events, Metrics: handler.NewMetrics(n.registry),
		Quorum: n.quorum, Partitions: n.partitions, Groups: n.groups, Transactions: n.txns, Config: n.config.Load, DataDir: n.dir,
		FetchMaxBytes: int32(v.Int("fetch.max.bytes")), MaxFetchWait: maxFetchWait, Frames: n.frames, Work: n.work, Answers: n.answers,
		SessionSlots: v.Int("max.incremental.fetch.session.cache.slots"), Check: n.options.Check,
	})
	n.server = server.New(n.handler, server.Options{
		Log: n.options.Log, Metrics: n.serverMetrics(),
		MaxFrame: v.Int("socket.request.max.bytes"), Frames: n.frames, Work: n.work, Answers: n.answers, Limits: n.limits.Load,
		IdleLimit: v.Duration("connections.max.idle.ms"), WriteLimit: writeLimit,
	})
	n.collectServer()
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	for _, l := range n.listeners {
		n.serving.Go(func() error { return n.server.Serve(ctx, l.net, l.Name) })
	}
	n.serving.Go(n.http.serve)
}

const (
	maxFetchWait = 5 * time.Minute  // a consumer that left while parked is noticed by then
	writeLimit   = 10 * time.Minute // for a client that does not take its answer: some read on only when they have worked
)

// Address is where clients reach the node's first listener, HOST:PORT.
func (n *Node) Address() string { return n.listeners[0].net.Addr().String() }

// HTTPAddress is where the HTTP endpoints are, "" where they are off.
func (n *Node) HTTPAddress() string { return n.http.address() }

// ID is the node's number.
func (n *Node) ID() int32 { return n.id.NodeID }

// Dir is the data directory.
func (n *Node) Dir() string { return n.dir }

// Failed delivers when a part ended that the node cannot do without.
func (n *Node) Failed() <-chan struct{} { return n.quorum.Done() }

// Stop ends the node cleanly: requests in work are answered, everything is synced. It gives up when ctx ends.
func (n *Node) Stop(ctx context.Context) error {
	n.stopOnce.Do(func() {
		began := time.Now()
		n.ready.Store(false)
		n.events.stopStoring()
		n.stopTxns()
		n.groups.Stop() // what members wait for ends first; what they committed is answered
		n.stop()
		n.stopErr = errors.Join(n.server.Drain(ctx), n.http.close(), n.serving.Wait(), n.abort())
		n.events.Emit(event.New(event.KindNodeStopped, time.Now(), n.id.NodeID).Number("millis", time.Since(began).Milliseconds()))
	})
	return n.stopErr
}

// abort closes what is open, in the opposite order of the start.
func (n *Node) abort() error {
	var errs []error
	if n.http != nil {
		errs = append(errs, n.http.close())
	}
	for _, l := range n.listeners {
		if err := l.net.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	n.stopTxns()
	if n.groups != nil {
		n.groups.Stop()
	}
	if n.partitions != nil {
		errs = append(errs, n.partitions.Stop())
	}
	if n.quorum != nil {
		errs = append(errs, n.quorum.Stop())
	}
	if n.lock != nil {
		errs = append(errs, n.lock.Close())
	}
	return errors.Join(errs...)
}
