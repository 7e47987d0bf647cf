package partition

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/base/config"
	"holdfast/internal/base/event"
	"holdfast/internal/base/metrics"
	"holdfast/internal/core/image"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

// house is a manager over a test's file system, with what it told.
type house struct {
	*Manager
	t   *testing.T
	img *image.Image

	still    bool // nothing runs by itself: the test takes the steps
	changes  int64
	sequence int32 // of the next batch of put

	mu     sync.Mutex
	events []event.Event
}

var epochs atomic.Int32

// open starts a manager over fsys with topic t of n partitions, in a leader epoch of its own.
func open(t *testing.T, fsys vfs.FS, n int, settings ...string) *house {
	t.Helper()
	h := &house{t: t}
	h.furnish(n, settings...)
	if err := h.start(fsys, "first boot"); err != nil {
		t.Fatal(err)
	}
	return h
}

// furnish makes the image with topic t of n partitions, in a leader epoch of its own.
func (h *house) furnish(n int, settings ...string) {
	epoch := epochs.Add(1)
	records := []image.Record{&image.TopicRecord{Name: "t", ID: image.TopicID{1}}}
	for i := range n {
		records = append(records, &image.PartitionRecord{
			Topic: image.TopicID{1}, Index: int32(i),
			Partition: image.Partition{Replicas: []int32{1}, ISR: []int32{1}, Leader: 1, LeaderEpoch: epoch, Directories: make([]image.DirectoryID, 1)},
		})
	}
	for _, s := range settings {
		key, value, _ := strings.Cut(s, "=")
		records = append(records, &image.ConfigRecord{Resource: image.ResourceTopic, Name: "t", Key: key, Value: &value})
	}
	h.img = image.Empty().Apply(1, records)
}

// start opens the manager over fsys as h's image says.
func (h *house) start(fsys vfs.FS, boot string) (err error) {
	var values *config.Values
	h.Manager, err = Open(Options{
		FS: fsys, Dir: "data", NodeID: 1, BootID: boot, MaxFiles: 100, Log: slog.New(slog.DiscardHandler),
		Events: event.SinkFunc(h.emit), Metrics: metrics.New(), Config: func() *config.Values { return values },
	}, h.img)
	if err == nil && !h.still {
		h.Manager.Start()
	}
	return err
}

func (h *house) emit(e event.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

func (h *house) told(k *event.Kind) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.events, func(e event.Event) bool { return e.Kind == k })
}

func (h *house) part(i int32) *Partition { return h.Topic([]byte("t")).Partition(i) }

// produce appends one batch of values and waits for its answer.
func (h *house) produce(i int32, acks Acks, values ...string) wire.ProducePartitionResult {
	var c Commit
	var r wire.ProducePartitionResult
	c.Begin(1)
	h.part(i).Append(batch(h.t, values...), acks, time.Now(), &c, &r)
	if !c.Seal() {
		c.Wait(10 * time.Second)
	}
	return r
}

func (h *house) mustProduce(i int32, acks Acks, values ...string) {
	h.t.Helper()
	if r := h.produce(i, acks, values...); r.Code != wire.None {
		h.t.Fatalf("produce %v: %v %s", values, r.Code, r.ErrorMessage)
	}
}

func batch(t *testing.T, values ...string) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.BuilderOptions{})
	for _, v := range values {
		if err := b.Append(time.Now().UnixMilli(), nil, []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	return b.Build()
}

// read returns every committed value of a partition.
func (h *house) read(i int32) (values []string) {
	h.t.Helper()
	p := h.part(i)
	for at := p.LogStart(); at < p.HighWatermark(); {
		r := p.Read(ReadRequest{Offset: at, CurrentEpoch: -1, MaxBytes: 1 << 20, AtLeastOne: true})
		if r.Code != wire.None || r.Span.Len == 0 {
			h.t.Fatalf("read of %v at %d: %v, %d bytes", p, at, r.Code, r.Span.Len)
		}
		bytes := make([]byte, r.Span.Len)
		if err := r.Span.ReadAt(bytes); err != nil {
			h.t.Fatal(err)
		}
		for len(bytes) > 0 {
			b, rest, err := record.Next(bytes)
			if err != nil {
				h.t.Fatal(err)
			}
			for rec, err := range b.Records(nil) {
				if err != nil {
					h.t.Fatal(err)
				}
				values = append(values, string(rec.Value))
			}
			bytes = rest
		}
		at = r.Span.NextOffset
	}
	return values
}

func (h *house) stop() {
	h.t.Helper()
	if err := h.Manager.Stop(); err != nil {
		h.t.Fatal(err)
	}
}

// gate is a disk whose syncs wait until they are let through.
type gate struct {
	*vfs.Faulty
	hold atomic.Bool
	let  chan struct{}
}

func newGate(inner vfs.FS) *gate {
	g := &gate{let: make(chan struct{})}
	g.Faulty = vfs.NewFaulty(inner, func(op vfs.Op) error {
		if (op.Kind == vfs.OpSync || op.Kind == vfs.OpSyncFS) && strings.Contains(op.Name+"/t-0", "t-0") && g.hold.Load() {
			<-g.let
		}
		return nil
	})
	return g
}

func (g *gate) open() {
	g.hold.Store(false)
	close(g.let)
}

func TestCommittedMeansSynced(t *testing.T) {
	g := newGate(vfs.NewMem())
	h := open(t, g, 1)
	g.hold.Store(true)
	h.mustProduce(0, AcksLeader, "leader") // acks=1 does not wait for the sync
	if got := h.part(0).HighWatermark(); got != 0 {
		t.Errorf("the high watermark is %d before anything was synced", got)
	}
	if r := h.part(0).Read(ReadRequest{Offset: 0, CurrentEpoch: -1, MaxBytes: 1 << 20, AtLeastOne: true}); r.Span.Len != 0 {
		t.Error("an uncommitted record was given to a reader")
	}
	done := make(chan wire.ProducePartitionResult)
	go func() { done <- h.produce(0, AcksAll, "all") }()
	select {
	case <-done:
		t.Error("acks=all was answered before the sync")
	case <-time.After(50 * time.Millisecond):
	}
	g.open()
	if r := <-done; r.Code != wire.None || r.BaseOffset != 1 {
		t.Errorf("acks=all answered %v at %d, want offset 1", r.Code, r.BaseOffset)
	}
	if got := h.read(0); !slices.Equal(got, []string{"leader", "all"}) {
		t.Errorf("read %v", got)
	}
	h.stop()
}

// Who waits for a sync when the topic's syncing is switched off was promised one.
func TestSwitchingSyncOffReleasesNobody(t *testing.T) {
	g := newGate(vfs.NewMem())
	h := open(t, g, 1)
	g.hold.Store(true)
	var c Commit
	var r wire.ProducePartitionResult
	c.Begin(1)
	h.part(0).Append(batch(t, "promised"), AcksAll, time.Now(), &c, &r)
	c.Seal()
	off := "false"
	h.Follow(image.Diff(h.img, h.img.Apply(2, []image.Record{&image.ConfigRecord{Resource: image.ResourceTopic, Name: "t", Key: "commit.sync", Value: &off}})))
	if c.Committed() {
		t.Error("acks=all was answered before the sync that it was promised")
	}
	if high := h.part(0).HighWatermark(); high != 0 {
		t.Errorf("the high watermark is %d before anything was synced", high)
	}
	g.open()
	if c.Wait(10 * time.Second); r.Code != wire.None {
		t.Errorf("after the sync it was answered %v", r.Code)
	}
	h.stop()
}

func TestUnsyncedTopicCommitsAtOnce(t *testing.T) {
	g := newGate(vfs.NewMem())
	h := open(t, g, 1, "commit.sync=false")
	g.hold.Store(true)
	h.mustProduce(0, AcksAll, "a")
	if got := h.read(0); !slices.Equal(got, []string{"a"}) {
		t.Errorf("read %v", got)
	}
	g.open()
	h.stop()
}

func TestFlushMessagesWaitsForTheSync(t *testing.T) {
	g := newGate(vfs.NewMem())
	h := open(t, g, 1, "commit.sync=false", "flush.messages=2")
	g.hold.Store(true)
	h.mustProduce(0, AcksLeader, "first") // one unsynced record is below the bound
	done := make(chan wire.ProducePartitionResult)
	go func() { done <- h.produce(0, AcksLeader, "second") }()
	select {
	case <-done:
		t.Error("the second record was answered before the sync that flush.messages=2 asks for")
	case <-time.After(50 * time.Millisecond):
	}
	g.open()
	if r := <-done; r.Code != wire.None {
		t.Errorf("answered %v", r.Code)
	}
	h.stop()
}

func TestTimeoutLeavesNothingBehind(t *testing.T) {
	g := newGate(vfs.NewMem())
	h := open(t, g, 1)
	g.hold.Store(true)
	var c Commit
	var r wire.ProducePartitionResult
	for range 3 { // the same Commit is used again after a time-out
		c.Begin(1)
		h.part(0).Append(batch(t, "late"), AcksAll, time.Now(), &c, &r)
		if c.Seal() {
			t.Fatal("committed without a sync")
		}
		c.Wait(time.Millisecond)
		if r.Code != wire.RequestTimedOut {
			t.Errorf("answered %v, want REQUEST_TIMED_OUT", r.Code)
		}
	}
	if h.part(0).commits.head != nil {
		t.Error("a request that timed out still waits")
	}
	g.open()
	h.mustProduce(0, AcksAll, "after")
	if got := h.read(0); len(got) != 4 {
		t.Errorf("read %v: what timed out has an unknown outcome, and here it is there", got)
	}
	h.stop()
}

func TestFailedSyncEndsAcknowledging(t *testing.T) {
	mem := vfs.NewMem()
	var failing atomic.Bool
	faulty := vfs.NewFaulty(mem, func(op vfs.Op) error {
		if failing.Load() && (op.Kind == vfs.OpSync || op.Kind == vfs.OpSyncFS) {
			return syscall.EIO
		}
		return nil
	})
	h := open(t, faulty, 2)
	h.mustProduce(0, AcksAll, "kept")
	failing.Store(true)
	if r := h.produce(0, AcksAll, "lost"); r.Code != wire.KafkaStorageError {
		t.Errorf("a produce whose sync failed was answered %v", r.Code)
	}
	failing.Store(false) // a retried sync would succeed: the kernel called the pages clean
	for _, acks := range []Acks{AcksAll, AcksLeader, AcksNone} {
		if r := h.produce(1, acks, "no"); r.Code != wire.KafkaStorageError || !strings.Contains(r.ErrorMessage, "restart the node") {
			t.Errorf("acks=%d after a failed sync: %v %q", acks, r.Code, r.ErrorMessage)
		}
	}
	if got := h.read(0); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("reads after a failed sync gave %v", got)
	}
	if !h.told(event.KindDirFailed) {
		t.Error("no event tells of the failed directory")
	}
	if err := h.Manager.Stop(); !errors.Is(err, ErrDirFailed) {
		t.Errorf("the stop says %v", err)
	}
	again := open(t, mem.CrashClone(vfs.LoseAll, 1), 2)
	if got := again.read(0); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("after a restart: %v", got)
	}
	again.stop()
}

func TestFullDiskHeals(t *testing.T) {
	mem := vfs.NewMem()
	var full atomic.Bool
	h := open(t, vfs.NewFaulty(mem, func(op vfs.Op) error {
		if full.Load() && op.Kind == vfs.OpWrite {
			return vfs.Short(10, syscall.ENOSPC)
		}
		return nil
	}), 1)
	h.mustProduce(0, AcksAll, "before")
	full.Store(true)
	if r := h.produce(0, AcksAll, "refused"); r.Code != wire.KafkaStorageError || !strings.Contains(r.ErrorMessage, "no space left") {
		t.Errorf("a full disk was answered %v %q", r.Code, r.ErrorMessage)
	}
	if got := h.read(0); !slices.Equal(got, []string{"before"}) {
		t.Errorf("reads on a full disk gave %v", got)
	}
	full.Store(false)
	h.mustProduce(0, AcksAll, "after")
	if got := h.read(0); !slices.Equal(got, []string{"before", "after"}) {
		t.Errorf("after the disk had room: %v", got)
	}
	h.stop()
}

// TestAcknowledgedSurvivesPowerCut cuts the power in the middle of a concurrent load, in every way a disk may then look.
func TestAcknowledgedSurvivesPowerCut(t *testing.T) {
	for _, mode := range []vfs.CrashMode{vfs.LoseAll, vfs.LoseNone, vfs.LoseRandom, vfs.LoseTorn, vfs.KillOnly} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			for seed := range uint64(20) {
				mem := vfs.NewMem()
				h := open(t, mem, 3, "segment.bytes=1048576")
				acked, image := loadAndCut(t, h, mem, mode, seed)
				again := open(t, image, 3)
				for i := range acked {
					if got := again.read(int32(i)); len(got) < len(acked[i]) || !slices.Equal(got[:len(acked[i])], acked[i]) {
						t.Fatalf("seed %d, partition %d: %d records acknowledged, after the power cut there are %d", seed, i, len(acked[i]), len(got))
					}
				}
				again.mustProduce(0, AcksAll, "goes on")
				again.stop()
				h.stop()
			}
		})
	}
}

// loadAndCut produces to three partitions at once and takes the crashed disk in the middle of it. It returns what had
// been acknowledged before the cut.
func loadAndCut(t *testing.T, h *house, mem *vfs.Mem, mode vfs.CrashMode, seed uint64) (acked [3][]string, image *vfs.Mem) {
	var mu sync.Mutex
	var load sync.WaitGroup
	cut := false
	for i := range acked {
		load.Go(func() {
			for n := range 40 {
				value := fmt.Sprintf("%d-%d", i, n)
				if r := h.produce(int32(i), AcksAll, value); r.Code != wire.None {
					t.Errorf("produce: %v", r.Code)
				}
				mu.Lock()
				if !cut {
					acked[i] = append(acked[i], value)
				}
				if n == 20+int(seed)%15 && !cut {
					cut = true
					image = mem.CrashClone(mode, seed)
				}
				mu.Unlock()
			}
		})
	}
	load.Wait()
	return acked, image
}

func TestDeletedTopicComesBackEmpty(t *testing.T) {
	mem := vfs.NewMem()
	h := open(t, mem, 1)
	h.mustProduce(0, AcksAll, "old")
	without := h.img.Apply(2, []image.Record{&image.RemoveTopicRecord{ID: image.TopicID{1}}})
	h.Follow(image.Diff(h.img, without))
	if h.Topic([]byte("t")) != nil {
		t.Fatal("the topic is still there")
	}
	again := without.Apply(3, []image.Record{
		&image.TopicRecord{Name: "t", ID: image.TopicID{2}},
		&image.PartitionRecord{Topic: image.TopicID{2}, Partition: image.Partition{Replicas: []int32{1}, ISR: []int32{1}, Leader: 1, Directories: make([]image.DirectoryID, 1)}},
	})
	h.Follow(image.Diff(without, again))
	h.mustProduce(0, AcksAll, "new")
	if got := h.read(0); !slices.Equal(got, []string{"new"}) {
		t.Errorf("the new topic holds %v", got)
	}
	h.stop()
}

func TestFolderOfAnotherTopicIsSetAside(t *testing.T) {
	mem := vfs.NewMem()
	h := open(t, mem, 1)
	h.mustProduce(0, AcksAll, "somebody's")
	h.stop()
	other := image.TopicID{9, 8, 7, 6, 0xff, 0xff, 0xff} // ids are random: those of two topics differ by many bits
	img := image.Empty().Apply(1, []image.Record{
		&image.TopicRecord{Name: "t", ID: other},
		&image.PartitionRecord{Topic: other, Partition: image.Partition{Replicas: []int32{1}, ISR: []int32{1}, Leader: 1, Directories: make([]image.DirectoryID, 1)}},
	})
	second := &house{t: t, img: img}
	if err := second.start(mem, "first boot"); err != nil {
		t.Fatal(err)
	}
	defer second.stop()
	if end := second.part(0).LogEnd(); end != 0 {
		t.Errorf("a new topic took over %d records of another one", end)
	}
	names, err := mem.List("data")
	if err != nil || !slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, straySuffix) }) {
		t.Errorf("the folder was not kept aside: %v %v", names, err)
	}
}

func TestUncleanStartIsTold(t *testing.T) {
	mem := vfs.NewMem()
	h := open(t, mem, 1)
	h.mustProduce(0, AcksAll, "a")
	if err := h.saveCheckpoints(); err != nil {
		t.Fatal(err)
	}
	image := mem.CrashClone(vfs.KillOnly, 1)
	h.stop()
	if clean := open(t, mem, 1); clean.told(event.KindUncleanStart) {
		t.Error("a clean stop was told as an unclean one")
	} else {
		clean.stop()
	}
	for boot, want := range map[string]string{"first boot": "killed", "another boot": "power_cut"} {
		h := &house{t: t, img: h.img}
		if err := h.start(image.Clone(), boot); err != nil {
			t.Fatal(err)
		}
		if !h.told(event.KindUncleanStart) {
			t.Fatal("no event tells of the unclean stop")
		}
		if cause, _ := h.events[0].Value("cause"); cause != want {
			t.Errorf("%s: the cause is %s, want %s", boot, cause, want)
		}
		h.stop()
	}
}

func TestWatchWakesWhenCommitted(t *testing.T) {
	g := newGate(vfs.NewMem())
	h := open(t, g, 1)
	w := NewWatch()
	w.Add(h.part(0))
	g.hold.Store(true)
	h.mustProduce(0, AcksLeader, "a")
	select {
	case <-w.Signal():
		t.Error("woken before anything was committed")
	case <-time.After(20 * time.Millisecond):
	}
	g.open()
	select {
	case <-w.Signal():
	case <-time.After(10 * time.Second):
		t.Error("not woken by the commit")
	}
	w.Clear()
	if h.part(0).watches.head != nil {
		t.Error("a cleared watch is still in the list")
	}
	h.stop()
}

func TestDeleteRecordsSurvivesPowerCut(t *testing.T) {
	mem := vfs.NewMem()
	h := open(t, mem, 1)
	for i := range 5 {
		h.mustProduce(0, AcksAll, fmt.Sprint(i))
	}
	if _, _, code := h.part(0).DeleteRecords(6); code != wire.OffsetOutOfRange {
		t.Errorf("deleting above the high watermark: %v", code)
	}
	if from, start, code := h.part(0).DeleteRecords(3); code != wire.None || from != 0 || start != 3 {
		t.Fatalf("deleted %d to %d: %v", from, start, code)
	}
	again := open(t, mem.CrashClone(vfs.LoseAll, 1), 1)
	if got := again.read(0); !slices.Equal(got, []string{"3", "4"}) {
		t.Errorf("after a power cut: %v", got)
	}
	again.stop()
	h.stop()
}

func TestUnreadableMetadataStopsNothing(t *testing.T) {
	mem := vfs.NewMem()
	h := open(t, mem, 1)
	h.mustProduce(0, AcksAll, "a")
	h.stop()
	f, err := mem.Create("data/t-0/partition.metadata")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	again := open(t, mem, 1)
	if got := again.read(0); !slices.Equal(got, []string{"a"}) {
		t.Errorf("read %v", got)
	}
	again.stop()
}

func TestPartitionThatDoesNotOpenIsOffline(t *testing.T) {
	mem := vfs.NewMem()
	h := open(t, mem, 2)
	h.mustProduce(0, AcksAll, "a")
	h.mustProduce(1, AcksAll, "b")
	h.stop()
	broken := vfs.NewFaulty(mem, vfs.FailWhen(func(op vfs.Op) bool { return op.Kind == vfs.OpList && strings.HasSuffix(op.Name, "t-0") }, syscall.EIO))
	again := open(t, broken, 2)
	topic := again.Topic([]byte("t"))
	if topic.Partition(0) != nil || topic.Offline(0) == nil || !again.told(event.KindPartitionOffline) {
		t.Errorf("partition 0 serves (%v) or nobody was told", topic.Offline(0))
	}
	if got := again.read(1); !slices.Equal(got, []string{"b"}) {
		t.Errorf("partition 1 holds %v", got)
	}
	again.stop()
}

func TestReserveIsKept(t *testing.T) {
	mem := vfs.NewMem()
	h := open(t, mem, 1)
	h.mustProduce(0, AcksAll, "a")
	mem.SetCapacity(1 << 10) // less than what is there
	h.watchSpace(time.Now())
	if r := h.produce(0, AcksAll, "b"); r.Code != wire.KafkaStorageError || !strings.Contains(r.ErrorMessage, "reserve") {
		t.Errorf("below the reserve: %v %q", r.Code, r.ErrorMessage)
	}
	mem.SetCapacity(1 << 30)
	h.watchSpace(time.Now())
	h.mustProduce(0, AcksAll, "c")
	if !h.told(event.KindDiskFull) || !h.told(event.KindDiskFreed) {
		t.Error("the full disk and its healing were not told")
	}
	h.stop()
}

// TestRecoveryIsNotRepeated kills a node over and over before its first checkpoint: what one start has checked and
// synced, the next need not read.
func TestRecoveryIsNotRepeated(t *testing.T) {
	mem := vfs.NewMem()
	h := open(t, mem, 1)
	for i := range 100 {
		h.mustProduce(0, AcksAll, fmt.Sprint(i))
	}
	image := mem.CrashClone(vfs.KillOnly, 1)
	h.stop()
	for range 2 {
		h = open(t, image, 1)
		image = image.CrashClone(vfs.KillOnly, 1)
	}
	if point := h.points.recoveryOf("t-0"); point != 100 {
		t.Errorf("the second start after a kill began its checks at offset %d, want 100", point)
	}
	h.stop()
}
