package partition

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/base/event"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

// flip changes a bit of a file.
func flip(t *testing.T, fsys vfs.FS, name string, at int64) {
	t.Helper()
	f, err := fsys.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 4
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// Rot that no reader has met is found, listed and told, and what is around it is still served.
func TestScrubFindsRotBeforeAReader(t *testing.T) {
	mem := vfs.NewMem()
	h := open(t, mem, 3)
	for i := range 30 {
		h.mustProduce(1, AcksAll, fmt.Sprintf("record %d", i))
	}
	h.mustProduce(2, AcksAll, "beside")
	h.stop()
	flip(t, mem, "data/t-1/00000000000000000000.log", 20*79+70) // 79 bytes are a batch with a value of 9
	if err := h.start(mem, "first boot"); err != nil {
		t.Fatal(err)
	}
	if d := h.part(1).Damaged(); len(d) != 0 {
		t.Fatalf("the start read it already: %v", d)
	}
	now := time.Now()
	for range 20 {
		_, wait := h.Scrub(now)
		now = now.Add(wait)
	}
	d := h.part(1).Damaged()
	if len(d) != 1 || d[0].To != d[0].From+1 || d[0].From < 15 {
		t.Fatalf("quarantined %+v, want one record", d)
	}
	h.LookForDamage(now)
	if !h.told(event.KindQuarantined) {
		t.Error("damage was found and nobody was told")
	}
	if r := h.part(1).Read(ReadRequest{Offset: d[0].From, CurrentEpoch: -1, MaxBytes: 1 << 20}); r.Code != wire.CorruptMessage {
		t.Errorf("the damaged record is answered %v", r.Code)
	}
	if r := h.part(1).Read(ReadRequest{Offset: d[0].To, CurrentEpoch: -1, MaxBytes: 1 << 20}); r.Code != wire.None || r.Span.NextOffset != 30 {
		t.Errorf("what is behind it is answered %v up to %d", r.Code, r.Span.NextOffset)
	}
	if got := h.read(2); !slices.Equal(got, []string{"beside"}) {
		t.Errorf("the partition beside has %v", got)
	}
	h.stop()
}

// However large a batch is, a turn lasts as long as its bytes may take; when all is read there is nothing to do for a day.
func TestScrubKeepsToItsRate(t *testing.T) {
	mem := vfs.NewMem()
	h := open(t, mem, 2)
	large := strings.Repeat("x", 900_000)
	for range 6 {
		h.mustProduce(0, AcksAll, large)
		h.mustProduce(1, AcksAll, "small")
	}
	h.stop()
	if err := h.reopen(mem); err != nil { // without goroutines
		t.Fatal(err)
	}
	const rate = 4 << 20 // the default
	began := time.Now()
	now, read := began, int64(0)
	for {
		n, wait := h.Scrub(now)
		if n == 0 {
			break
		}
		if limit := float64(rate) * wait.Seconds(); float64(n) > limit+1 {
			t.Fatalf("%d bytes in a turn of %v", n, wait)
		}
		read, now = read+n, now.Add(wait)
	}
	if size := h.Topic([]byte("t")).Size(); read != size {
		t.Errorf("read %d of %d bytes", read, size)
	}
	if n, _ := h.Scrub(now.Add(23 * time.Hour)); n > 0 {
		t.Error("a new pass began within the day")
	}
	if n, _ := h.Scrub(now.Add(25 * time.Hour)); n == 0 {
		t.Error("no new pass began after a day")
	}
}

// reopen is start without goroutines.
func (h *house) reopen(fsys vfs.FS) (err error) {
	h.Manager, err = Open(h.options.again(fsys), h.img)
	return err
}

func (o Options) again(fsys vfs.FS) Options {
	o.FS = fsys
	return o
}
