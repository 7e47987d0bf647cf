package txn

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"holdfast/internal/core/shard"
)

// golden is what the lines of testdata/kafka-4.3.1.txt mean.
func golden() map[string]*Transaction {
	out := map[string]*Transaction{}
	put := func(name string, state State, epoch int16, previous, producer, next int64, start, update int64, version int16, last int16, indexes ...int32) {
		x := &Transaction{
			ID: "orders", ProducerID: producer, Epoch: epoch, LastEpoch: last, PreviousID: previous, NextID: next, Timeout: time.Minute,
			State: state, Version: version, StartMs: start, UpdateMs: update,
		}
		for _, i := range indexes {
			x.Partitions = append(x.Partitions, Partition{"in", i})
		}
		if strings.HasPrefix(name, "init-again") || strings.HasPrefix(name, "empty-abort") {
			x.Timeout = 30 * time.Second
		}
		out[name] = x
	}
	put("init", Empty, 0, 4000, 4000, -1, -1, 1000, 0, -1)
	put("ongoing", Ongoing, 0, 4000, 4000, -1, 2000, 2000, 2, -1, 1, 7)
	put("prepare-commit", PrepareCommit, 1, 4000, 4000, -1, 2000, 3000, 2, 0, 1, 7)
	put("complete-commit", CompleteCommit, 1, 4000, 4000, -1, 2000, 4000, 2, 0)
	put("ongoing-again", Ongoing, 1, 4000, 4000, -1, 5000, 5000, 2, -1, 1)
	put("prepare-abort", PrepareAbort, 2, 4000, 4000, -1, 5000, 6000, 2, 1, 1)
	put("complete-abort", CompleteAbort, 2, 4000, 4000, -1, 5000, 7000, 2, 1)
	put("init-again", Empty, 3, 4000, 4000, -1, -1, 8000, 2, -1)
	put("empty-abort", PrepareAbort, 4, 4000, 4000, -1, 9000, 9000, 2, 3)
	put("empty-abort-complete", CompleteAbort, 4, 4000, 4000, -1, 9000, 9500, 2, 3)
	put("last-ongoing", Ongoing, 32766, 4000, 4000, -1, 2000, 2000, 2, -1, 1)
	put("last-prepare", PrepareCommit, 32767, 4000, 4000, 5000, 2000, 3000, 2, 32766, 1)
	put("last-complete", CompleteCommit, 0, 4000, 5000, -1, 2000, 4000, 2, 32766)
	put("rotated", Empty, 0, 4000, 5000, -1, -1, 1000, 0, -1)
	put("tv1-ongoing", Ongoing, 3, 4000, 4000, -1, 2000, 2000, 1, -1, 1)
	put("tv1-prepare", PrepareCommit, 3, 4000, 4000, -1, 2000, 3000, 1, -1, 1)
	put("tv1-complete", CompleteCommit, 3, 4000, 4000, -1, 2000, 4000, 1, -1)
	put("v0-ongoing", Ongoing, 3, -1, 4000, -1, 2000, 2000, 0, -1, 1)
	put("v0-prepare", PrepareAbort, 3, -1, 4000, -1, 2000, 3000, 0, -1, 1)
	put("v0-complete", CompleteAbort, 3, -1, 4000, -1, 2000, 4000, 0, -1)
	out["gone"] = nil
	return out
}

// The log is Kafka's own: its bytes are read as what they mean, and the same meaning is written as the same bytes.
func TestRecordsAreKafkas(t *testing.T) {
	want := golden()
	seen := 0
	for name, line := range goldenLines(t) {
		seen++
		r, err := Decode(line.key, line.value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.ID != "orders" || !reflect.DeepEqual(r.Value, want[name]) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, r.Value, want[name])
		}
		if strings.HasPrefix(name, "v0-") {
			continue // written anew as version 1
		}
		k, v := (&Record{"orders", want[name]}).Encode()
		if !bytes.Equal(k, line.key) || !bytes.Equal(v, line.value) || (v == nil) != (line.value == nil) {
			t.Errorf("%s is written as\n%x %x, by Kafka as\n%x %x", name, k, v, line.key, line.value)
		}
	}
	if seen != len(want) {
		t.Errorf("%d records in the file, %d known", seen, len(want))
	}
}

// A transaction that goes through the machine's own transitions is written as Kafka writes it.
func TestTransitionsAreKafkas(t *testing.T) {
	at := time.UnixMilli
	lines := goldenLines(t)
	check := func(name string, x *Transaction) *Transaction {
		t.Helper()
		if _, v := (&Record{"orders", x}).Encode(); !bytes.Equal(v, lines[name].value) {
			t.Errorf("%s is written as\n%x, by Kafka as\n%x", name, v, lines[name].value)
		}
		return x
	}
	p7, p1 := Partition{"in", 7}, Partition{"in", 1}
	x := check("init", created("orders", 4000, time.Minute, at(1000)))
	x = check("ongoing", x.with([]Partition{p7, p1}, 2, at(2000)))
	x = check("prepare-commit", x.decided(true, 2, shard.NoProducer, at(3000)))
	x = check("complete-commit", x.completed(at(4000)))
	x = check("ongoing-again", x.with([]Partition{p1}, 2, at(5000)))
	x = check("prepare-abort", x.decided(false, 2, shard.NoProducer, at(6000)))
	x = check("complete-abort", x.completed(at(7000)))
	x = check("init-again", x.held(4000, 3, NoEpoch, 30*time.Second, at(8000)))
	x = check("empty-abort", x.decided(false, 2, shard.NoProducer, at(9000)))
	check("empty-abort-complete", x.completed(at(9500)))

	y := &Transaction{ID: "orders", ProducerID: 4000, Epoch: 32766, LastEpoch: NoEpoch, PreviousID: -1, NextID: -1, Timeout: time.Minute}
	z := check("last-ongoing", y.with([]Partition{p1}, 2, at(2000)))
	z = check("last-prepare", z.decided(true, 2, 5000, at(3000)))
	check("last-complete", z.completed(at(4000)))
	check("rotated", y.held(5000, 0, NoEpoch, time.Minute, at(1000)))
}

// What Kafka has no field for survives a restart, in a field that Kafka skips.
func TestLastEpochIsKept(t *testing.T) {
	x := created("orders", 4000, time.Minute, time.UnixMilli(1)).held(4000, 1, 0, time.Minute, time.UnixMilli(2))
	k, v := (&Record{"orders", x}).Encode()
	r, err := Decode(k, v)
	if err != nil || !reflect.DeepEqual(r.Value, x) {
		t.Fatalf("%+v, want %+v (%v)", r.Value, x, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	key, value := (&Record{"orders", created("orders", 4000, time.Minute, time.UnixMilli(1))}).Encode()
	with := func(at int, b ...byte) []byte {
		v := bytes.Clone(value)
		copy(v[at:], b)
		return v
	}
	for _, c := range []struct {
		name       string
		key, value []byte
		unknown    bool
	}{
		{"another type", append([]byte{0, 1}, key[2:]...), value, true},
		{"no key", nil, value, false},
		{"a key cut short", key[:4], value, false},
		{"no value", key, []byte{}, false},
		{"a newer version", key, with(0, 0, 2), false},
		{"a state that is never written", key, with(16, 7), false},
		{"a negative producer id", key, with(2, 0xff), false},
		{"a value cut short", key, value[:20], false},
	} {
		if _, err := Decode(c.key, c.value); err == nil || errors.Is(err, shard.ErrUnknownRecord) != c.unknown {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	b, err := os.ReadFile("testdata/kafka-4.3.1.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, line := range parseGolden(b) {
		f.Add(line.key, line.value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		r, err := Decode(key, value)
		if err != nil {
			return
		}
		k, v := r.Encode()
		again, err := Decode(k, v)
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%+v is written, and read as %+v (%v)", r.Value, again.Value, err)
		}
	})
}

type goldenLine struct{ key, value []byte }

func goldenLines(t *testing.T) map[string]goldenLine {
	b, err := os.ReadFile("testdata/kafka-4.3.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	return parseGolden(b)
}

func parseGolden(b []byte) map[string]goldenLine {
	out := map[string]goldenLine{}
	for line := range strings.Lines(string(b)) {
		if words := strings.Fields(line); len(words) == 3 && words[0] != "#" {
			l := goldenLine{}
			l.key, _ = hex.DecodeString(words[1])
			if words[2] != "-" {
				l.value, _ = hex.DecodeString(words[2])
			}
			out[words[0]] = l
		}
	}
	return out
}
