package coord

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"

	"holdfast/internal/base/event"
	"holdfast/internal/base/invariant"
	"holdfast/internal/base/metrics"
	"holdfast/internal/host/partition"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

const maxDumps = 3 // of one shard in the life of a process

// catch is deferred around everything a machine does. A machine that panics has a bug, of which its shard alone is the
// victim: it goes offline for a while with its state written down, and is then made anew from the log.
func (r *runner) catch() {
	if r.host.o.InOrder {
		return // a simulation wants to see it, and cuts the power by a panic of its own
	}
	cause := recover()
	if cause == nil {
		return
	}
	stack := debug.Stack()
	if v, ok := cause.(*invariant.Violation); ok {
		stack = v.Stack
	}
	r.breaks++
	h := r.host
	h.o.Metrics.Counter(metrics.Violations, "coordinator").Inc()
	where := r.dump(cause, stack)
	h.o.Log.Error("a coordinator broke an invariant; its shard is offline for a while and then read anew from its log. Please report this with the dump",
		"topic", h.o.Kind.Topic, "partition", r.index, "cause", fmt.Sprint(cause), "dump", where, "stack", string(stack))
	h.tellDown(r.index, fmt.Sprint(cause))
	r.rest(brokenRest)
	r.unload(wire.NotCoordinator)
}

// dump writes the state of the machine and what happened to a file of the data directory, and gives its name.
func (r *runner) dump(cause any, stack []byte) (name string) {
	if r.breaks > maxDumps || r.host.o.FS == nil {
		return ""
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s-%d at offset %d, leader epoch %d\n%v\n%s\n", r.host.o.Kind.Topic, r.index, r.applied, r.loaded, cause, stack)
	r.snapshot(&b)
	name = filepath.Join(r.host.o.Dir, fmt.Sprintf("dump-%s-%d.%d", r.host.o.Kind.Topic, r.index, r.breaks))
	if err := vfs.ReplaceFile(r.host.o.FS, name, b.Bytes()); err != nil {
		return fmt.Sprintf("not written: %v", err)
	}
	return name
}

// snapshot writes what the machine says of its state, which may be what is broken.
func (r *runner) snapshot(b *bytes.Buffer) {
	defer func() {
		if again := recover(); again != nil {
			fmt.Fprintf(b, "the state cannot be written: %v\n", again)
		}
	}()
	if r.machine != nil {
		if err := r.machine.Snapshot(b); err != nil {
			fmt.Fprintf(b, "the state cannot be written: %v\n", err)
		}
	}
}

// failed notes why a shard does not serve: once as an event, then now and then in the log.
func (h *Host) failed(index int32, cause error, times int) {
	if errors.Is(cause, partition.ErrNotLeading) {
		return // the image says so too, or will in a moment
	}
	h.o.Log.Warn("a coordinator does not serve and tries again", "topic", h.o.Kind.Topic, "partition", index, "cause", cause, "times", times)
	if times == 1 {
		h.tellDown(index, cause.Error())
	}
}

func (h *Host) tellDown(index int32, reason string) {
	h.o.Events.Emit(event.New(event.KindCoordinatorDown, h.o.Now(), h.o.NodeID).In(h.o.Kind.Topic, index).Text("reason", reason))
}
