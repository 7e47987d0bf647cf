package quorum

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/storage/vfs"
)

// A driver whose turns are taken by hand answers what one with a goroutine does, and nothing before its turn.
func TestTurnsByHand(t *testing.T) {
	d, err := Open(options(vfs.NewMem()))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Begin(); err != nil {
		t.Fatal(err)
	}
	for _, request := range []any{register(1, 1), create("a"), create("b")} {
		if _, err := d.Submit(request); err != nil {
			t.Fatal(err)
		}
	}
	late, err := d.Submit(create("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := late.Answer(); ok || d.Image().Topic("a") != nil {
		t.Fatal("answered or shown before its turn")
	}
	before := d.Stats().Batches
	if again, err := d.Step(); again || err != nil {
		t.Fatalf("step: again %v, %v", again, err)
	}
	reply, ok, err := late.Answer()
	if !ok || err != nil || reply.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode != 36 {
		t.Errorf("answer: %v, %v, %+v", ok, err, reply)
	}
	if n := d.Stats().Batches - before; n != 1 || d.Image().TopicCount() != 2 {
		t.Errorf("%d turns for 4 requests, %d topics", n, d.Image().TopicCount())
	}
	if err := d.End(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Submit(create("c")); !errors.Is(err, ErrStopped) {
		t.Errorf("after the end: %v", err)
	}
}
