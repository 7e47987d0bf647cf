package crash

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"holdfast/internal/base/event"
	"holdfast/internal/core/image"
	"holdfast/internal/host/partition"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/commitlog"
	"holdfast/internal/storage/journal"
	"holdfast/internal/storage/vfs"
)

var rotStride = flag.Int("crash.rot", 5, "of every so many bytes one is damaged; 1 for all")

// sound is a folder of a node in which everything was synced, and all that it answers.
type sound struct {
	disk    *vfs.Mem
	world   *world // of the topic beside, which must not suffer
	id      image.TopicID
	start   int64
	batches []record.Batch
	aborted []commitlog.AbortedTxn
	epochs  map[int32]int64
}

const rotten = "rotten"

// newSound fills a partition with what all the kinds of files are for: segments, two leader epochs, idempotent
// producers, transactions of which some were aborted.
func newSound(ts *tools) (*sound, error) {
	s := &sound{disk: vfs.NewMem(), world: newWorld(1), epochs: map[int32]int64{}}
	b, err := ts.open(s.disk)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"beside", rotten} {
		if err := s.world.create(b, name, 1, nil); err != nil {
			return nil, err
		}
		for range 4 {
			if err := s.world.mustProduce(b, partition.AcksAll, plan{topic: name, count: 2, size: 30, producer: 1}); err != nil {
				return nil, err
			}
		}
	}
	s.id = s.world.topics[rotten].id
	if err := b.stop(); err != nil {
		return nil, err
	}
	delete(s.world.topics, rotten)
	return s, s.fill()
}

// fill writes the rotten partition anew, with what no client can ask for yet.
func (s *sound) fill() error {
	dir := path.Join(dataDir, rotten+"-0")
	if err := s.disk.RemoveAll(dir); err != nil {
		return err
	}
	l, _, err := commitlog.Open(commitlog.Options{
		FS: s.disk, Dir: dir, TopicID: s.id, Now: time.Now(),
		Config: commitlog.Config{SegmentBytes: 1500, IndexInterval: 150, RetentionBytes: -1, RetentionAge: -1},
	})
	if err != nil {
		return err
	}
	add := func(b record.Batch, epoch int32) error {
		b.SetBaseOffset(l.End())
		b.SetLeaderEpoch(epoch)
		if _, ok := s.epochs[epoch]; !ok {
			s.epochs[epoch] = l.End()
		}
		s.batches = append(s.batches, b)
		return l.Append(slices.Clone(b), time.Now())
	}
	seqs := map[int64]int32{}
	for i := range 24 {
		id := int64(1 + i%3)
		o := record.BuilderOptions{Idempotent: true, ProducerID: id, BaseSequence: seqs[id], Transactional: id == 3}
		build := record.NewBuilder(o)
		for k := range 1 + i%3 {
			if err := build.Append(time.Now().UnixMilli()+int64(10*i+k), fmt.Appendf(nil, "k%d", i), fmt.Appendf(nil, "value %d of %d", k, i)); err != nil {
				return err
			}
		}
		seqs[id] += int32(1 + i%3)
		if err := add(build.Build(), int32(i/12)); err != nil {
			return err
		}
		if i%6 == 5 {
			marker := record.Marker{Commit: i%12 == 11, ProducerID: 3, CoordinatorEpoch: 1, TimestampMs: time.Now().UnixMilli() + int64(10*i)}
			if err := add(marker.Batch(), int32(i/12)); err != nil {
				return err
			}
		}
		if i%4 == 3 {
			if err := l.Sync(); err != nil {
				return err
			}
		}
	}
	s.start = 4 // inside a batch
	if err := l.SetStart(s.start); err != nil {
		return err
	}
	if err := l.Close(); err != nil {
		return err
	}
	if s.aborted, err = l.Aborted(s.start, l.End()); err != nil || len(s.aborted) == 0 {
		return fmt.Errorf("aborted transactions %v, %w", s.aborted, err)
	}
	for file, rot := range map[string]int64{"recovery-point-offset-checkpoint": l.End(), "log-start-offset-checkpoint": s.start} {
		name := path.Join(dataDir, file)
		offsets, err := commitlog.ReadCheckpoint(s.disk, name)
		if err != nil {
			return err
		}
		offsets[commitlog.TopicPartition{Topic: rotten, TopicID: s.id}] = rot
		if err := commitlog.WriteCheckpoint(s.disk, name, offsets); err != nil {
			return err
		}
	}
	return s.disk.SyncFS(dataDir)
}

func (s *sound) end() int64 { return s.batches[len(s.batches)-1].NextOffset() }

// region is a run of bytes of one kind of file that are of one kind themselves.
type region struct {
	file, kind, name string
	from, to         int64 // bytes
}

// regions takes the folder apart.
func (s *sound) regions() (out []region, err error) {
	dir := path.Join(dataDir, rotten+"-0")
	names, err := s.disk.List(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		file := path.Join(dir, name)
		info, err := s.disk.Stat(file)
		if err != nil {
			return nil, err
		}
		kind := strings.TrimPrefix(path.Ext(name), ".")
		if !strings.HasPrefix(name, "0") {
			kind = name
		}
		if kind != "log" {
			out = append(out, region{file, kind, "all", 0, info.Size})
			continue
		}
		raw, err := vfs.ReadFile(s.disk, file, 1<<20)
		if err != nil {
			return nil, err
		}
		for at, rest := int64(0), raw; len(rest) > 0; {
			b, after, err := record.Next(rest)
			if err != nil {
				return nil, err
			}
			for _, f := range []struct {
				name     string
				from, to int64
			}{{"base offset", 0, 8}, {"length", 8, 12}, {"leader epoch", 12, 16}, {"magic", 16, 17}, {"checksum", 17, 21}, {"rest of the header", 21, 61}, {"records", 61, int64(len(b))}} {
				out = append(out, region{file, "log", f.name, at + f.from, at + f.to})
			}
			at, rest = at+int64(len(b)), after
		}
	}
	for _, name := range []string{"recovery-point-offset-checkpoint", "log-start-offset-checkpoint"} {
		info, err := s.disk.Stat(path.Join(dataDir, name))
		if err != nil {
			return nil, err
		}
		out = append(out, region{path.Join(dataDir, name), name, "all", 0, info.Size})
	}
	return s.metadata(out)
}

// metadata adds the regions of the quorum's folder.
func (s *sound) metadata(out []region) ([]region, error) {
	dir := path.Join(dataDir, "quorum")
	names, err := s.disk.List(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		file := path.Join(dir, name)
		info, err := s.disk.Stat(file)
		switch {
		case err != nil:
			return nil, err
		case name == "snapshot":
			out = append(out, region{file, "quorum snapshot", "all", 0, info.Size})
		case strings.HasSuffix(name, ".journal"):
			seg, err := journal.Inspect(s.disk, file)
			if err != nil {
				return nil, err
			}
			out = append(out, region{file, "journal", "header", 0, 64})
			last := seg.Blocks[len(seg.Blocks)-1]
			for _, b := range seg.Blocks[:len(seg.Blocks)-1] {
				out = append(out, region{file, "journal", "block", b.Offset, b.Offset + min(int64(b.Bytes), 200)})
			}
			out = append(out, region{file, "journal", "last block: the claim that the one before is synced", last.Offset, last.Offset + 64})
			out = append(out, region{file, "journal", "behind the end", seg.End, seg.End + 64})
		}
	}
	return out, nil
}

// verdict is how a node took a damage.
type verdict string

const (
	unharmed    verdict = "all served"
	quarantined verdict = "quarantined, rest served"
	offlined    verdict = "partition offline"
	notStarted  verdict = "start refused"
)

// judge opens a damaged disk, twice, and says how the node took it. An error is a broken promise.
func (s *sound) judge(ts *tools, disk *vfs.Mem) (verdict, error) {
	v, err := s.look(ts, disk)
	if err != nil || v == notStarted {
		return v, err
	}
	again, err := s.look(ts, disk.CrashClone(vfs.LoseAll, 1))
	if err != nil {
		return v, fmt.Errorf("with the next start: %w", err)
	}
	if again == notStarted {
		return v, errors.New("the next start is refused")
	}
	return v, nil
}

func (s *sound) look(ts *tools, disk *vfs.Mem) (v verdict, err error) {
	b, err := ts.open(disk)
	if err != nil {
		if !strings.Contains(err.Error(), dataDir) {
			return notStarted, fmt.Errorf("the start is refused without a word where: %w", err)
		}
		return notStarted, nil
	}
	defer func() {
		if stopped := b.stop(); err == nil && stopped != nil {
			err = fmt.Errorf("the stop failed: %w", stopped)
		}
	}()
	if err := s.world.clone(nil).verify(b, false); err != nil && !strings.Contains(err.Error(), "nobody asked for it") {
		return "", fmt.Errorf("another partition suffers: %w", err)
	}
	p := b.partition(s.id, 0)
	if p == nil {
		live := b.parts.Load().TopicByID(s.id)
		if live == nil {
			return "", errors.New("the topic is gone")
		}
		if live.Offline(0) == nil || len(b.told(event.KindPartitionOffline)) == 0 {
			return "", errors.New("the partition is gone, and nobody says so")
		}
		return offlined, nil
	}
	return s.inspect(b, p)
}

// inspect asks the partition for everything it had.
func (s *sound) inspect(b *box, p *partition.Partition) (verdict, error) {
	missing := 0
	for _, want := range s.batches {
		if want.NextOffset() <= s.start {
			continue
		}
		got, err := readOne(p, max(want.BaseOffset(), s.start))
		switch {
		case err != nil:
			missing++
		case !bytes.Equal(got, want):
			return "", fmt.Errorf("other bytes are served at %d", want.BaseOffset())
		}
	}
	pass(11 * time.Second) // what a read found is told
	told := len(b.told(event.KindQuarantined))
	switch {
	case p.LogEnd() != s.end() || p.HighWatermark() != s.end():
		return "", fmt.Errorf("the log ends at %d, not at %d; told: %v", p.LogEnd(), s.end(), b.told(event.KindTruncatedTail))
	case p.LogStart() != s.start:
		return "", fmt.Errorf("the log starts at %d, not at %d", p.LogStart(), s.start)
	case missing > 0 && (told == 0 || len(p.Damaged()) == 0):
		return "", fmt.Errorf("%d batches are not served: %d events, %d listed", missing, told, len(p.Damaged()))
	case missing > 0:
		return quarantined, nil
	}
	return unharmed, s.answers(b, p)
}

// answers compares what is not records: aborted transactions, epochs, duplicates.
func (s *sound) answers(b *box, p *partition.Partition) error {
	r := p.Read(partition.ReadRequest{Offset: s.start, CurrentEpoch: -1, MaxBytes: 1 << 20, ReadCommitted: true})
	var aborted []commitlog.AbortedTxn
	for at := s.start; at < p.HighWatermark() && r.Code == wire.None && r.Span.Len > 0; {
		for _, a := range r.Aborted {
			if !slices.Contains(aborted, a) {
				aborted = append(aborted, a)
			}
		}
		at = r.Span.NextOffset
		r = p.Read(partition.ReadRequest{Offset: at, CurrentEpoch: -1, MaxBytes: 1 << 20, ReadCommitted: true})
	}
	if diff := cmp.Diff(s.aborted, aborted, cmpopts.EquateEmpty()); diff != "" {
		return fmt.Errorf("aborted transactions (-want +got):\n%s", diff)
	}
	if e, end, code := p.EpochEnd(0, -1); code != wire.None || e != 0 || end != s.epochs[1] {
		return fmt.Errorf("epoch 0 ended as %d at %d (%v), want %d", e, end, code, s.epochs[1])
	}
	for id := int64(1); id <= 2; id++ {
		l := &plog{producers: map[int64]*client{id: {}}, must: s.batches}
		if err := l.retry(b, p, id); err != nil {
			return err
		}
	}
	return nil
}

// readOne reads the batch that has an offset.
func readOne(p *partition.Partition, at int64) (record.Batch, error) {
	r := p.Read(partition.ReadRequest{Offset: at, CurrentEpoch: -1, MaxBytes: 1, AtLeastOne: true})
	if r.Code != wire.None || r.Span.Len == 0 {
		return nil, fmt.Errorf("%v, %d bytes", r.Code, r.Span.Len)
	}
	buf := make([]byte, r.Span.Len)
	if err := r.Span.ReadAt(buf); err != nil {
		return nil, err
	}
	b, _, err := record.Next(buf)
	return b, err
}

// damage is one change of one file.
type damage struct {
	region
	what string
	do   func(vfs.FS) error
}

func flip(name string, at int64, bit int) func(vfs.FS) error {
	return func(fsys vfs.FS) error {
		return change(fsys, name, func(f vfs.File) error {
			var b [1]byte
			if _, err := f.ReadAt(b[:], at); err != nil && err != io.EOF {
				return err
			}
			b[0] ^= 1 << bit
			_, err := f.WriteAt(b[:], at)
			return err
		})
	}
}

func change(fsys vfs.FS, name string, do func(vfs.File) error) error {
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(do(f), f.Sync(), f.Close())
}

// damages lists flips of every byte, truncations, and the loss of whole files.
func damages(regions []region) (out []damage) {
	r := rand.New(rand.NewPCG(1, 9))
	files := map[string]bool{}
	for _, g := range regions {
		for at := g.from; at < g.to; at++ {
			if *rotStride > 1 && g.to-g.from > 4 && r.IntN(*rotStride) > 0 {
				continue
			}
			bit := r.IntN(8)
			if g.name == "leader epoch" && at == g.to-1 {
				bit = 0 // the epoch next to it: nothing but the line of epochs tells
			}
			out = append(out, damage{g, fmt.Sprintf("bit %d of byte %d", bit, at), flip(g.file, at, bit)})
		}
		whole := g
		whole.name = "cut off"
		for _, at := range []int64{g.from, (g.from + g.to) / 2} {
			out = append(out, damage{whole, fmt.Sprintf("cut off at byte %d", at), func(fsys vfs.FS) error {
				return change(fsys, g.file, func(f vfs.File) error { return f.Truncate(at) })
			}})
		}
		if !files[g.file] {
			files[g.file] = true
			whole.name = "file gone"
			out = append(out, damage{whole, "gone", func(fsys vfs.FS) error { return errors.Join(fsys.Remove(g.file), fsys.SyncDir(path.Dir(g.file))) }})
		}
	}
	return out
}

// knownGaps are kinds of files, or regions of them, whose damage is not found yet, and why.
var knownGaps = map[string]string{
	"log, leader epoch": "outside the checksum; where the first batch of an epoch and the file of epochs disagree, neither has one",
}

// TestRot damages every region of every kind of file, one at a time.
func TestRot(t *testing.T) {
	var s *sound
	var err error
	synctest.Test(t, func(*testing.T) { s, err = newSound(newTools()) })
	if err != nil {
		t.Fatal(err)
	}
	regions, err := s.regions()
	if err != nil {
		t.Fatal(err)
	}
	all := damages(regions)
	type cell struct{ kind, name string }
	var order []cell
	counts := map[cell]map[verdict]int{}
	broken := map[cell]string{}
	var mu sync.Mutex
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			ts := newTools()
			for i := next.Add(1) - 1; i < int64(len(all)); i = next.Add(1) - 1 {
				d := all[i]
				var v verdict
				var err error
				synctest.Test(t, func(*testing.T) {
					disk := s.disk.Clone()
					if err = d.do(disk); err == nil || errors.Is(err, fs.ErrNotExist) {
						v, err = s.judge(ts, disk)
					}
				})
				if err != nil {
					v = "BROKEN"
				}
				mu.Lock()
				c := cell{d.kind, d.name}
				if counts[c] == nil {
					counts[c] = map[verdict]int{}
					order = append(order, c)
				}
				counts[c][v]++
				if err != nil && broken[c] == "" {
					broken[c] = fmt.Sprintf("%s, %s: %v", d.file, d.what, err)
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	table := newTable("file", "region", "damages", string(unharmed), string(quarantined), string(offlined), string(notStarted), "broken")
	slices.SortStableFunc(order, func(a, b cell) int { return strings.Compare(a.kind, b.kind) })
	for _, c := range order {
		n := counts[c]
		table.row(c.kind, c.name, n[unharmed]+n[quarantined]+n[offlined]+n[notStarted]+n["BROKEN"], n[unharmed], n[quarantined], n[offlined], n[notStarted], n["BROKEN"])
		if broken[c] != "" && knownGaps[c.kind] == "" && knownGaps[c.kind+", "+c.name] == "" {
			t.Errorf("%s: %s", c.kind, broken[c])
		}
	}
	table.finish(t, "crash-rot.md", "Every region of every file is damaged", rotText)
}

const rotText = `A partition with two segments, two leader epochs, idempotent producers and aborted transactions, another one beside it, and
the metadata of both, all synced. Then one bit is flipped, or a file is cut off or taken away, and the node is started, twice. All
records that are served are byte for byte those that were acknowledged; what is not served is listed and told; the log's start
and end, duplicates, leader epochs and aborted transactions are as before; the partition beside is not touched.

Known gaps. The leader epoch in a batch is outside its checksum; if that of the first batch of an epoch is changed to the
epoch before, the batch is served with it: the line of epochs in its file has no checksum either, and where the two disagree
nothing third says which is right. The records themselves are right. The index of aborted transactions, which has no checksum,
is vouched for by the snapshots of producers, but not where compaction made it, and not where Kafka wrote it. A damaged or
missing log-start-offset-checkpoint is replaced by the files of epochs: what DeleteRecords took away between the last sync of
its partition and the damage may be there again, and the log says so at the start.`
