package coord

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"

	"github.com/anishathalye/porcupine"
)

// register is one group's offset of one partition.
type register struct {
	group  string
	commit bool
	offset int64
}

// offsets is what committed offsets are to a client: a register a group and partition.
var offsets = porcupine.Model{
	Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
		byGroup := map[string]int{}
		for _, op := range history {
			name := op.Input.(register).group
			i, ok := byGroup[name]
			if !ok {
				i = len(parts)
				byGroup[name], parts = i, append(parts, nil)
			}
			parts[i] = append(parts[i], op)
		}
		return parts
	},
	Init: func() any { return int64(-1) },
	Step: func(state, input, output any) (bool, any) {
		if in := input.(register); in.commit {
			return true, in.offset
		}
		return output.(int64) == state.(int64), state
	},
	DescribeOperation: func(input, output any) string {
		if in := input.(register); in.commit {
			return fmt.Sprintf("%s := %d", in.group, in.offset)
		}
		return fmt.Sprintf("%s is %v", input.(register).group, output)
	},
}

// history is what clients did and saw. Its clock counts calls and returns.
type history struct {
	clock atomic.Int64
	mu    sync.Mutex
	ops   []porcupine.Operation
	over  bool // the node was killed: what comes back now comes from a dead one
}

// note adds an operation. One whose outcome nobody knows returns at the end of time.
func (h *history) note(client int, in register, called int64, out int64, code wire.Code) {
	h.mu.Lock()
	defer h.mu.Unlock()
	op := porcupine.Operation{ClientId: client, Input: in, Call: called, Output: out, Return: h.clock.Add(1)}
	switch {
	case (h.over || code != wire.None) && !in.commit:
		return
	case h.over || code != wire.None:
		op.Return = math.MaxInt64
	}
	h.ops = append(h.ops, op)
}

// TestCommitsAreLinearizable: many clients commit and fetch offsets of few groups while the coordinator is killed, its
// disk fills, and leader epochs rise. There is one order of all that explains what everybody saw.
func TestCommitsAreLinearizable(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 8
	}
	total := 0
	for seed := range rounds {
		h := &history{}
		synctest.Test(t, func(t *testing.T) { h.live(t, uint64(seed)) })
		ops := h.seen()
		total += len(ops)
		if res, info := porcupine.CheckOperationsVerbose(offsets, ops, time.Minute); res != porcupine.Ok {
			path := filepath.Join(t.ArtifactDir(), "history.html")
			_ = porcupine.VisualizePath(offsets, info, path)
			t.Fatalf("seed %d: %d operations are %v, see %s", seed, len(ops), res, path)
		}
	}
	t.Logf("%d operations", total)
}

// seen leaves out commits of which nobody knows and that nobody saw: each offset is committed once only, so they may as
// well never have happened.
func (h *history) seen() (out []porcupine.Operation) {
	read := map[int64]bool{}
	for _, op := range h.ops {
		if in := op.Input.(register); !in.commit {
			read[op.Output.(int64)] = true
		}
	}
	for _, op := range h.ops {
		if in := op.Input.(register); op.Return < math.MaxInt64 || read[in.offset] {
			out = append(out, op)
		}
	}
	return out
}

func (h *history) live(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	disk := vfs.NewMem()
	for life := range 4 {
		var full atomic.Bool
		r := start(t, vfs.NewFaulty(disk, func(op vfs.Op) error {
			if full.Load() && op.Kind == vfs.OpWrite {
				return syscall.ENOSPC
			}
			return nil
		}), 2, groups())
		r.serving()
		h.over = false
		done := make(chan struct{})
		var clients sync.WaitGroup
		for c := range 6 {
			own := rand.New(rand.NewPCG(seed, uint64(life*100+c)))
			clients.Go(func() { h.client(r, own, life*100+c, done) })
		}
		for range 5 {
			pass(time.Duration(rng.IntN(4)+1) * time.Millisecond)
			switch rng.IntN(3) {
			case 0:
				full.Store(!full.Load())
			case 1:
				r.raise(int32(rng.IntN(2)))
			}
		}
		h.mu.Lock()
		mode := vfs.CrashModes()[rng.IntN(5)]
		next := disk.CrashClone(mode, seed)
		h.over = true
		h.mu.Unlock()
		close(done)
		full.Store(false)
		clients.Wait()
		r.stop()
		disk = next
	}
}

func (h *history) client(r *rig, rng *rand.Rand, id int, done chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-time.After(time.Duration(rng.IntN(400)) * time.Microsecond):
		}
		in := register{group: fmt.Sprintf("g%d", rng.IntN(4)), commit: rng.IntN(2) == 0, offset: rng.Int64()}
		called := h.clock.Add(1)
		if in.commit {
			h.note(id, in, called, 0, r.commit(in.group, 0, in.offset))
		} else {
			offset, code := r.fetch(in.group, 0)
			h.note(id, in, called, offset, code)
		}
	}
}

// raise gives a shard a new leader epoch, as if its node had come back as another incarnation.
func (r *rig) raise(index int32) {
	p := *r.img.Topic(image.TopicOffsets).Partitions[index]
	epochs++
	p.LeaderEpoch = epochs
	r.change(&image.PartitionRecord{Topic: r.img.Topic(image.TopicOffsets).ID, Index: index, Partition: p})
}
