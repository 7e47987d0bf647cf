package workload

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What is written is read, and any change of it is noticed.
func TestPayload(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Payload{
			Run:       rapid.Uint64().Draw(t, "run"),
			Producer:  rapid.Int32().Draw(t, "producer"),
			Partition: rapid.Int32().Draw(t, "partition"),
			Seq:       rapid.Int64().Draw(t, "seq"),
			Time:      time.Unix(0, rapid.Int64().Draw(t, "time")),
		}
		size := rapid.IntRange(0, 300).Draw(t, "size")
		b := p.Append(nil, size)
		if len(b) != max(size, HeaderSize) {
			t.Fatalf("%d bytes, want %d", len(b), size)
		}
		if got, err := Parse(b); err != nil || got != p {
			t.Fatalf("read %+v, %v; wrote %+v", got, err, p)
		}
		damaged := bytes.Clone(b)
		damaged[rapid.IntRange(len(magic), len(b)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := Parse(damaged); !errors.Is(err, ErrDamaged) {
			t.Fatalf("a flipped bit: %v", err)
		}
		if _, err := Parse(b[:rapid.IntRange(len(magic), len(b)-1).Draw(t, "cut")]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("a cut value: %v", err)
		}
		if _, err := Parse(append(bytes.Clone(b), 0)); !errors.Is(err, ErrDamaged) {
			t.Fatalf("a longer value: %v", err)
		}
	})
	if _, err := Parse([]byte("hello")); !errors.Is(err, ErrForeign) {
		t.Errorf("somebody else's value: %v", err)
	}
}

// The layout is fixed: runs of different versions may be judged together.
func TestPayloadGolden(t *testing.T) {
	p := Payload{Run: 0x0102030405060708, Producer: 9, Partition: 10, Seq: 11, Time: time.Unix(0, 12)}
	want := []byte("HFV\x01" + "\x01\x02\x03\x04\x05\x06\x07\x08" + "\x00\x00\x00\x09" + "\x00\x00\x00\x0a" +
		"\x00\x00\x00\x00\x00\x00\x00\x0b" + "\x00\x00\x00\x00\x00\x00\x00\x0c" + "CRC-" + "\x00\x00\x00\x2f" + "FIL")
	got := p.Append(nil, 47)
	copy(got[36:], "CRC-")
	copy(got[44:], "FIL")
	if !bytes.Equal(got, want) {
		t.Errorf("wrote %q\nwant  %q", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Payload{Run: 1, Time: time.Unix(1, 0)}.Append(nil, 60))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err == nil && (len(b) < HeaderSize || p.Append(nil, HeaderSize) == nil) {
			t.Errorf("%q is no value", b)
		}
	})
}
