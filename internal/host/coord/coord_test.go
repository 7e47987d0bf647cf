package coord

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/base/event"
	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestCommittedOffsetsOutliveTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		r := start(t, disk, 5, groups())
		r.serving()
		for i := range 20 {
			r.mustCommit(fmt.Sprintf("g%d", i), 1, int64(100+i))
			r.mustCommit(fmt.Sprintf("g%d", i), 1, int64(200+i))
		}
		before := r.states()
		r.stop()
		again := start(t, disk, 5, groups())
		defer again.stop()
		again.serving()
		for i := range 20 {
			again.mustFetch(fmt.Sprintf("g%d", i), 1, int64(200+i))
		}
		again.mustFetch("nobody", 1, -1)
		if after := again.states(); !sameStates(before, after) {
			t.Fatalf("the log gives another state\nbefore %q\nafter  %q", before, after)
		}
	})
}

func TestWhoIsNotServedIsToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		gate := make(chan struct{})
		faulty := vfs.NewFaulty(vfs.NewMem(), nil)
		r := start(t, faulty, 2, groups())
		r.serving()
		r.mustCommit("a", 0, 5)
		r.stop()

		faulty.Decide(func(op vfs.Op) error { // reads of the log hang from here on
			if slow.Load() && op.Kind == vfs.OpRead {
				<-gate
			}
			return nil
		})
		again := &rig{t: t, disk: faulty, img: r.img, kind: groups(), boot: "boot", offset: r.offset}
		if err := again.open(); err != nil {
			t.Fatal(err)
		}
		defer again.stop()
		if _, code := again.fetch("a", 0); code != wire.NotCoordinator {
			t.Errorf("before the start: %v", code)
		}
		slow.Store(true)
		again.host.Start()
		synctest.Wait()
		if _, code := again.fetch("a", 0); code != wire.CoordinatorLoadInProgress {
			t.Errorf("while loading: %v", code)
		}
		slow.Store(false)
		close(gate)
		again.serving()
		again.mustFetch("a", 0, 5)
		if got := again.host.AskAll(context.Background(), kmsg.NewPtrListGroupsRequest(), client); len(got) != 2 {
			t.Errorf("%d shards list their groups", len(got))
		}
		again.host.Stop()
		if _, code := again.fetch("a", 0); code != wire.NotCoordinator {
			t.Errorf("after the stop: %v", code)
		}
	})
}

// TestAReadWaitsForWhatItSaw: a fetch that saw an offset that is not committed yet is not answered before that is.
func TestAReadWaitsForWhatItSaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		faulty := vfs.NewFaulty(vfs.NewMem(), nil)
		r := start(t, faulty, 1, groups())
		defer r.stop()
		r.serving()
		r.mustCommit("a", 0, 1)
		var hang atomic.Bool
		hang.Store(true)
		faulty.Decide(func(op vfs.Op) error {
			if hang.Load() && isSync(op) {
				<-gate
			}
			return nil
		})
		commit := r.host.Send(0, commitRequest("a", 0, 2), client)
		fetch := r.host.Send(0, fetchRequest("a", 0), client)
		beat := kmsg.NewPtrHeartbeatRequest()
		beat.Group, beat.MemberID, beat.Generation = "a", "nobody", 1
		early := r.host.Send(0, beat, client)
		synctest.Wait()
		if _, ok := commit.Answer(); ok {
			t.Error("a commit is answered before it is synced")
		}
		if _, ok := fetch.Answer(); ok {
			t.Error("a fetch shows what is not synced")
		}
		if _, ok := early.Answer(); !ok {
			t.Error("a heartbeat waits for the disk")
		}
		hang.Store(false)
		close(gate)
		synctest.Wait()
		if a, ok := commit.Answer(); !ok || commitCode(a) != wire.None {
			t.Errorf("commit: %v %v", a, ok)
		}
		if a, ok := fetch.Answer(); !ok {
			t.Error("the fetch is not answered")
		} else if offset, _ := fetched(a); offset != 2 {
			t.Errorf("fetched %d", offset)
		}
	})
}

func isSync(op vfs.Op) bool { return op.Kind == vfs.OpSync || op.Kind == vfs.OpSyncFS }

// TestADiskThatHangs: nobody waits for longer than the commit time-out, and what was committed meanwhile is there later.
func TestADiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var hang atomic.Bool
		faulty := vfs.NewFaulty(vfs.NewMem(), func(op vfs.Op) error {
			if hang.Load() && isSync(op) {
				<-gate
			}
			return nil
		})
		r := start(t, faulty, 1, groups())
		defer r.stop()
		r.serving()
		hang.Store(true)
		began := time.Now()
		if code := r.commit("a", 0, 2); code != wire.CoordinatorNotAvailable {
			t.Errorf("answered %v", code)
		}
		if took := time.Since(began); took != commitPatience {
			t.Errorf("it took %v", took)
		}
		hang.Store(false)
		close(gate)
		r.mustFetch("a", 0, 2)
	})
}

// TestAFailedSync: everybody who waits is told at once, parked members too, and nothing is acknowledged any more.
func TestAFailedSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faulty := vfs.NewFaulty(vfs.NewMem(), nil)
		r := start(t, faulty, 1, groups())
		defer r.stop()
		r.serving()
		r.mustCommit("a", 0, 1)
		member := parkedMember(t, r)
		faulty.Decide(vfs.FailWhen(isSync, syscall.EIO))
		commit := r.host.Send(0, commitRequest("a", 0, 2), client)
		synctest.Wait()
		if a, ok := commit.Answer(); !ok || commitCode(a) != wire.NotCoordinator {
			t.Errorf("the commit whose sync failed: %v %v", a, ok)
		}
		if a, ok := member.Answer(); !ok || wire.Code(a.(*kmsg.JoinGroupResponse).ErrorCode) != wire.NotCoordinator {
			t.Errorf("the member that waited: %v %v", a, ok)
		}
		faulty.Decide(nil)
		pass(time.Minute)
		if code := r.commit("a", 0, 3); code == wire.None {
			t.Error("a commit is acknowledged by a failed directory")
		}
		if r.told(event.KindCoordinatorDown) == 0 {
			t.Error("no event tells of it")
		}
	})
}

// parkedMember is a member whose join waits: the initial delay of its group is not over.
func parkedMember(t *testing.T, r *rig) *Asked {
	t.Helper()
	first := r.host.Ask(context.Background(), "parked", joinRequest("parked", ""), client).(*kmsg.JoinGroupResponse)
	if wire.Code(first.ErrorCode) != wire.MemberIDRequired {
		t.Fatalf("join: %v", wire.Code(first.ErrorCode))
	}
	a := r.host.Send(r.host.ShardFor("parked"), joinRequest("parked", first.MemberID), client)
	synctest.Wait()
	if _, ok := a.Answer(); ok {
		t.Fatal("the join does not wait")
	}
	return a
}

// TestAFullDisk: commits are refused, what was committed can be read, and all heals by itself.
func TestAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var full atomic.Bool
		faulty := vfs.NewFaulty(vfs.NewMem(), func(op vfs.Op) error {
			if full.Load() && (op.Kind == vfs.OpWrite || op.Kind == vfs.OpPreallocate) {
				return syscall.ENOSPC
			}
			return nil
		})
		r := start(t, faulty, 1, groups())
		defer r.stop()
		r.serving()
		r.mustCommit("a", 0, 1)
		full.Store(true)
		for range 20 {
			if code := r.commit("a", 0, 2); code == wire.None {
				t.Fatal("a commit is acknowledged by a full disk")
			}
			pass(time.Second)
		}
		full.Store(false)
		pass(time.Minute)
		r.mustFetch("a", 0, 1)
		r.mustCommit("a", 0, 3)
		r.mustFetch("a", 0, 3)
	})
}

// TestATopicThatGoes: its offsets go, in every shard, and the shards of a topic of coordinators that goes answer all.
func TestATopicThatGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, vfs.NewMem(), 3, groups())
		defer r.stop()
		r.serving()
		for i := range 10 {
			r.mustCommit(fmt.Sprintf("g%d", i), 0, 5)
		}
		r.change(&image.RemoveTopicRecord{ID: image.TopicID{ordersID}})
		r.topic(orders, ordersID+1, 4, 1)
		synctest.Wait()
		for i := range 10 {
			r.mustFetch(fmt.Sprintf("g%d", i), 0, -1)
		}
		if n := r.told(event.KindOffsetTopicGone); n != 10 {
			t.Errorf("%d events tell of 10 offsets", n)
		}
		member := parkedMember(t, r)
		r.change(&image.RemoveTopicRecord{ID: image.TopicID{offsetsID}})
		synctest.Wait()
		if a, ok := member.Answer(); !ok || wire.Code(a.(*kmsg.JoinGroupResponse).ErrorCode) != wire.NotCoordinator {
			t.Errorf("the member that waited: %v %v", a, ok)
		}
		if code := r.commit("g1", 0, 6); code != wire.NotCoordinator {
			t.Errorf("a commit to no topic: %v", code)
		}
		r.topic(image.TopicOffsets, offsetsID+1, 3, 1)
		r.serving()
		r.mustFetch("g1", 0, -1)
		r.mustCommit("g1", 0, 7)
		if n := r.told(event.KindCoordinatorDown); n != 0 {
			t.Errorf("%d events of a coordinator that is down, and none was", n)
		}
	})
}

// TestATopicThatGoesUnderLoad: everybody gets an answer.
func TestATopicThatGoesUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, vfs.NewMem(), 4, groups())
		defer r.stop()
		r.serving()
		var clients sync.WaitGroup
		done := make(chan struct{})
		for i := range 16 {
			clients.Go(func() {
				for n := int64(0); ; n++ {
					select {
					case <-done:
						return
					default:
						r.commit(fmt.Sprintf("g%d", i), int32(i%4), n)
						pass(time.Millisecond)
					}
				}
			})
		}
		for i := range byte(5) {
			pass(20 * time.Millisecond)
			r.change(&image.RemoveTopicRecord{ID: image.TopicID{offsetsID + i}})
			pass(20 * time.Millisecond)
			r.topic(image.TopicOffsets, offsetsID+i+1, 4, 1)
		}
		pass(20 * time.Millisecond)
		close(done)
		clients.Wait()
		r.serving()
		r.mustCommit("g1", 1, 1)
	})
}

// TestAFullMailbox: who comes to a full one is refused at once, and everybody is answered in the end.
func TestAFullMailbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, vfs.NewMem(), 1, groups())
		defer r.stop()
		r.serving()
		gate := make(chan struct{})
		var looks sync.WaitGroup
		looks.Go(func() {
			r.host.Look(time.Hour, func(int32, shard.Machine) { <-gate })
		})
		synctest.Wait()
		var asked []*Asked
		for i := range mailboxLength + 10 {
			asked = append(asked, r.host.Send(0, commitRequest("a", 0, int64(i)), client))
		}
		refused := 0
		for _, a := range asked {
			if resp, ok := a.Answer(); ok {
				if code := commitCode(resp); code != wire.CoordinatorLoadInProgress {
					t.Fatalf("refused with %v", code)
				}
				refused++
			}
		}
		if refused != 10 {
			t.Errorf("%d of 10 were refused", refused)
		}
		close(gate)
		looks.Wait()
		r.mustFetch("a", 0, mailboxLength-1)
	})
}

// brittle is a machine that panics at a wish.
type brittle struct{ shard.Machine }

func (b brittle) Decide(now time.Time, cmd shard.Command) shard.Outcome {
	if q, ok := cmd.Request.(*kmsg.OffsetCommitRequest); ok && q.Group == "poison" {
		panic("it cannot be")
	}
	return b.Machine.Decide(now, cmd)
}

// TestAMachineThatPanics: one shard is offline for a while, its state is written down, the others go on.
func TestAMachineThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		kind := groups()
		sound := kind.New
		kind.New = func() shard.Machine { return brittle{sound()} }
		r := start(t, disk, 3, kind)
		defer r.stop()
		r.serving()
		victim, other := r.host.ShardFor("poison"), ""
		neighbour := ""
		for i := 0; other == "" || neighbour == ""; i++ {
			name := fmt.Sprintf("g%d", i)
			if r.host.ShardFor(name) != victim {
				other = name
			} else {
				neighbour = name
			}
		}
		r.mustCommit(neighbour, 0, 3)
		r.mustCommit(other, 0, 4)
		if code := r.commit("poison", 0, 1); code != wire.NotCoordinator {
			t.Errorf("poison: %v", code)
		}
		if _, code := r.fetch(neighbour, 0); code != wire.CoordinatorNotAvailable {
			t.Errorf("the broken shard answers %v", code)
		}
		r.mustFetch(other, 0, 4)
		if r.told(event.KindCoordinatorDown) != 1 {
			t.Error("no event tells of it")
		}
		name := fmt.Sprintf("data/dump-%s-%d.1", image.TopicOffsets, victim)
		if _, err := disk.Stat(name); err != nil {
			t.Errorf("no dump: %v", err)
		}
		pass(brokenRest + time.Second)
		r.mustFetch(neighbour, 0, 3)
	})
}

// wordy is a machine that wants to write more than a batch holds when group "wordy" commits, and when a timer of its own fires.
type wordy struct{ shard.Machine }

type blob struct{}

func (blob) Encode() (key, value []byte) { return []byte("blob"), make([]byte, maxBatchBytes) }

type wordyTimer struct{}

func (w wordy) Decide(now time.Time, cmd shard.Command) shard.Outcome {
	q, ok := cmd.Request.(*kmsg.OffsetCommitRequest)
	fired, due := cmd.Request.(*shard.Fired)
	switch {
	case ok && q.Group == "wordy", due && fired.Timer == wordyTimer{}:
		return shard.Outcome{Records: []shard.Record{blob{}}}
	case ok && q.Group == "armed":
		out := w.Machine.Decide(now, cmd)
		out.Timers = append(out.Timers, shard.Timer{Key: wordyTimer{}, At: now.Add(time.Second)})
		return out
	}
	return w.Machine.Decide(now, cmd)
}

// TestADecisionTooLarge: who asked for it is told to come again, a timer that wants it is tried again, the shard goes on.
func TestADecisionTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kind := groups()
		sound := kind.New
		kind.New = func() shard.Machine { return wordy{sound()} }
		r := start(t, vfs.NewMem(), 1, kind)
		defer r.stop()
		r.serving()
		r.mustCommit("good", 0, 3)
		if code := r.commit("wordy", 0, 1); code != wire.CoordinatorNotAvailable {
			t.Errorf("wordy: %v", code)
		}
		r.mustCommit("armed", 0, 1)
		pass(time.Second + overfullRest + time.Millisecond)
		if n := r.told(event.KindDecisionTooLarge); n != 3 {
			t.Errorf("%d events tell of it: the commit, the timer and the timer again are 3", n)
		}
		if r.told(event.KindCoordinatorDown) != 0 {
			t.Error("the shard was down")
		}
		r.mustFetch("good", 0, 3)
		r.mustCommit("good", 0, 4)
	})
}
