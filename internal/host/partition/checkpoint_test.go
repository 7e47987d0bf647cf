package partition

import (
	"testing"

	"holdfast/internal/core/image"
	"holdfast/internal/storage/vfs"
)

// A topic is deleted while the disk is too full to write its checkpoints away, made anew, and the node is killed.
func TestCheckpointsOfADeletedTopicAreNotItsSuccessors(t *testing.T) {
	mem := vfs.NewMem()
	h := open(t, mem, 1)
	h.mustProduce(0, AcksAll, "a", "b", "c")
	if _, _, code := h.part(0).DeleteRecords(2); code != 0 {
		t.Fatal(code)
	}
	if err := h.saveCheckpoints(); err != nil {
		t.Fatal(err)
	}
	left := mem.CrashClone(vfs.KillOnly, 1)
	h.stop()
	if err := left.RemoveAll("data/t-0"); err != nil {
		t.Fatal(err)
	}
	h.img = image.Empty().Apply(1, []image.Record{
		&image.TopicRecord{Name: "t", ID: image.TopicID{2}},
		&image.PartitionRecord{Topic: image.TopicID{2}, Partition: image.Partition{
			Replicas: []int32{1}, ISR: []int32{1}, Leader: 1, LeaderEpoch: 1, Directories: make([]image.DirectoryID, 1),
		}},
	})
	if err := h.start(left, "first boot"); err != nil {
		t.Fatal(err)
	}
	defer h.stop()
	if p := h.part(0); p.LogStart() != 0 || p.LogEnd() != 0 {
		t.Errorf("the new topic begins with [%d, %d)", p.LogStart(), p.LogEnd())
	}
}

// DeleteRecords was acknowledged in a topic that syncs nothing, and the power went: of the folder only names are left.
func TestLogStartOfAnUnsyncedTopicOutlivesItsRecords(t *testing.T) {
	mem := vfs.NewMem()
	h := open(t, mem, 1, "commit.sync=false")
	h.mustProduce(0, AcksAll, "a", "b", "c")
	if _, _, code := h.part(0).DeleteRecords(2); code != 0 {
		t.Fatal(code)
	}
	for _, dir := range []string{"data/t-0", "data"} {
		if err := mem.SyncDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	left := mem.CrashClone(vfs.LoseAll, 1)
	h.stop()
	if err := h.start(left, "second boot"); err != nil {
		t.Fatal(err)
	}
	defer h.stop()
	if p := h.part(0); p.LogStart() != 2 {
		t.Errorf("the log begins with [%d, %d), and was promised to begin at 2", p.LogStart(), p.LogEnd())
	}
}

// A node that stopped cleanly and never took a record was in use all the same: who finds its metadata gone must not form
// a new cluster.
func TestDirectoryWithoutRecordsWasUsed(t *testing.T) {
	mem := vfs.NewMem()
	open(t, mem, 1).stop()
	if used, err := Used(mem.CrashClone(vfs.LoseAll, 1), "data"); err != nil || !used {
		t.Errorf("used: %v, %v", used, err)
	}
}
