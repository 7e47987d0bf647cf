package coord

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// promise is what clients were told so far, and what they may have done.
type promise struct {
	acked, sent map[string]int64 // offsets by group: committed for sure; committed at most
	generation  int32            // of the group "members": told to a member
	dropped     bool             // the topic "orders" was deleted; offsets may be gone
}

func (p *promise) clone() promise {
	c := *p
	c.acked, c.sent = maps.Clone(p.acked), maps.Clone(p.sent)
	return c
}

type moment struct {
	op      vfs.Op
	disk    *vfs.Mem
	promise promise
}

// TestCrashAnywhere stops the world before every operation of the disk while groups commit and members join, cuts the
// power in every way, starts again, and holds the node to what it had said: what was acknowledged is there, nothing went
// back or ahead of what was asked, and a group's generation rises.
func TestCrashAnywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		moments := live(t)
		opens := 0
		for i := range moments {
			m := &moments[i]
			for _, mode := range vfs.CrashModes() {
				if testing.Short() && (i+int(mode))%7 != 0 {
					continue
				}
				opens++
				seed := uint64(i)
				if err := m.judge(t, m.disk.CrashClone(mode, seed)); err != nil {
					t.Fatalf("crash before %v, %v, seed %d: %v", m.op, mode, seed, err)
				}
			}
		}
		t.Logf("%d moments, %d disks opened", len(moments), opens)
	})
}

// live runs a workload and keeps every moment of it.
func live(t *testing.T) []moment {
	disk := vfs.NewMem()
	var mu sync.Mutex
	p := promise{acked: map[string]int64{}, sent: map[string]int64{}}
	note := func(f func()) {
		mu.Lock()
		defer mu.Unlock()
		f()
	}
	var moments []moment
	r := start(t, disk, 3, groups())
	r.serving()
	disk.Observe(func(op vfs.Op, done bool) {
		if !done {
			note(func() { moments = append(moments, moment{op, disk.Clone(), p.clone()}) })
		}
	})
	var clients sync.WaitGroup
	for c := range 4 {
		clients.Go(func() {
			name := fmt.Sprintf("g%d", c)
			for n := int64(1); n <= 12; n++ {
				note(func() { p.sent[name] = n })
				code := r.commit(name, int32(c%4), n)
				if code == wire.None {
					note(func() { p.acked[name] = n })
				} else {
					t.Errorf("commit: %v", code)
				}
				pass(time.Duration(c+1) * time.Millisecond)
			}
		})
	}
	clients.Go(func() {
		for range 3 {
			generation := r.member("members")
			note(func() { p.generation = max(p.generation, generation) })
		}
	})
	clients.Wait()
	note(func() { p.dropped = true })
	r.change(&image.RemoveTopicRecord{ID: image.TopicID{ordersID}})
	synctest.Wait()
	r.stop()
	disk.Observe(nil)
	return append(moments, moment{vfs.Op{N: disk.Ops() + 1}, disk.Clone(), p.clone()})
}

// member joins a group as its only member, syncs, commits and leaves, and gives the generation it was in.
func (r *rig) member(group string) int32 {
	ask := func(q kmsg.Request) kmsg.Response { return r.host.Ask(context.Background(), group, q, client) }
	id := ask(joinRequest(group, "")).(*kmsg.JoinGroupResponse).MemberID
	joined := ask(joinRequest(group, id)).(*kmsg.JoinGroupResponse)
	if joined.ErrorCode != 0 {
		r.t.Errorf("join: %v", wire.Code(joined.ErrorCode))
		return 0
	}
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Version, sync.Group, sync.MemberID, sync.Generation = 3, group, id, joined.Generation
	sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: id, MemberAssignment: []byte("mine")}}
	if synced := ask(sync).(*kmsg.SyncGroupResponse); synced.ErrorCode != 0 || string(synced.MemberAssignment) != "mine" {
		r.t.Errorf("sync: %v %q", wire.Code(synced.ErrorCode), synced.MemberAssignment)
	}
	commit := commitRequest(group, 0, int64(joined.Generation))
	commit.MemberID, commit.Generation = id, joined.Generation
	if code := commitCode(ask(commit)); code != wire.None && code != wire.UnknownTopicOrPartition {
		r.t.Errorf("commit of a member: %v", code)
	}
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Version, leave.Group, leave.MemberID = 2, group, id
	if left := ask(leave).(*kmsg.LeaveGroupResponse); left.ErrorCode != 0 {
		r.t.Errorf("leave: %v", wire.Code(left.ErrorCode))
	}
	return joined.Generation
}

// judge starts a node on a disk that a crash left.
func (m *moment) judge(t *testing.T, disk *vfs.Mem) error {
	r := start(t, disk, 3, groups())
	defer r.stop()
	r.serving()
	if err := m.promise.hold(r); err != nil {
		return err
	}
	if got := r.member("members"); got <= m.promise.generation && !m.promise.dropped { // without offsets it is forgotten
		return fmt.Errorf("generation %d after %d", got, m.promise.generation)
	}
	again := start(t, disk.CrashClone(vfs.LoseAll, 1), 3, groups()) // nothing that was shown may be lost by a second cut
	defer again.stop()
	again.serving()
	if err := m.promise.hold(again); err != nil {
		return fmt.Errorf("after another cut: %w", err)
	}
	if now := again.states(); !sameStates(r.states(), now) && !m.promise.dropped {
		return fmt.Errorf("after another cut the state is another\nbefore %q\nafter  %q", r.states(), now)
	}
	return nil
}

func (p *promise) hold(r *rig) error {
	for c := range 4 {
		name := fmt.Sprintf("g%d", c)
		got, code := r.fetch(name, int32(c%4))
		low := p.acked[name]
		if low == 0 || p.dropped {
			low = -1
		}
		if code != wire.None || got < low || got > max(p.sent[name], -1) || got == 0 {
			return fmt.Errorf("group %s has committed %d (%v), acknowledged %d, asked for %d", name, got, code, p.acked[name], p.sent[name])
		}
	}
	return nil
}

// TestLoadsOfManyOffsets: a shard with 100,000 offsets serves soon after a start.
func TestLoadsOfManyOffsets(t *testing.T) {
	const perGroup, groupsOfIt = 1000, 100
	disk := vfs.NewMem()
	r := start(t, disk, 1, groups())
	r.topic("wide", 20, perGroup, 1)
	r.serving()
	for g := range groupsOfIt {
		q := kmsg.NewPtrOffsetCommitRequest()
		q.Version, q.Group, q.Generation = 8, fmt.Sprintf("group-%d", g), -1
		topic := kmsg.NewOffsetCommitRequestTopic()
		topic.Topic = "wide"
		for p := range int32(perGroup) {
			part := kmsg.NewOffsetCommitRequestTopicPartition()
			part.Partition, part.Offset = p, 1
			topic.Partitions = append(topic.Partitions, part)
		}
		q.Topics = append(q.Topics, topic)
		if code := commitCode(r.host.AskShard(context.Background(), 0, q, shard.Client{})); code != wire.None {
			t.Fatal(code)
		}
	}
	r.stop()
	began := time.Now()
	again := &rig{t: t, disk: disk, img: r.img, kind: groups(), boot: "boot", offset: r.offset}
	if err := again.open(); err != nil {
		t.Fatal(err)
	}
	opened := time.Since(began)
	again.host.Start()
	again.serving()
	t.Logf("100,000 offsets: %v to open, %v to load", opened, time.Since(began)-opened)
	again.stop()
}
