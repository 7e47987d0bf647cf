package cli

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"holdfast/internal/proto/record"
)

func TestRanges(t *testing.T) {
	for _, c := range []struct {
		list []int32
		want string
	}{
		{nil, ""}, {[]int32{3}, "3"}, {[]int32{0, 1, 2}, "0-2"}, {[]int32{0, 1, 3, 5, 6}, "0-1,3,5-6"},
	} {
		if got := ranges(c.list); got != c.want {
			t.Errorf("%v: %q, want %q", c.list, got, c.want)
		}
	}
}

func TestParseSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90m": 90 * time.Minute, "2d": 48 * time.Hour, "1d12h": 36 * time.Hour, "PT1H30M": 90 * time.Minute, "P2D": 48 * time.Hour,
		"p1dt1.5s": 24*time.Hour + 1500*time.Millisecond, "0s": 0,
		"": -1, "P": -1, "PT": -1, "soon": -1, "-5m": -1, "d": -1, "1x": -1, "99999999d": -1, "PT5": -1,
	} {
		got, err := parseSpan(text)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
}

// What a move does is counted in what there is to read: records that retention took are neither skipped nor read again.
func TestResetMove(t *testing.T) {
	at := func(n int64) *int64 { return &n }
	for _, c := range []struct {
		what      string
		committed *int64
		target    resetTarget
		want      int64
		change    string
		records   int64
		moved     bool
	}{
		{"to the start", at(150), resetTarget{position: position{way: "earliest"}}, 100, "repeat", 50, false},
		{"to the end", at(150), resetTarget{position: position{way: "latest"}}, 200, "skip", 50, false},
		{"nowhere", at(150), resetTarget{position: position{way: "at", offset: 150}}, 150, "none", 0, false},
		{"beyond the end", at(150), resetTarget{position: position{way: "at", offset: 900}}, 200, "skip", 50, true},
		{"before the start", at(150), resetTarget{position: position{way: "at", offset: 7}}, 100, "repeat", 50, true},
		{"on", at(150), resetTarget{shift: at(10)}, 160, "skip", 10, false},
		{"back too far", at(150), resetTarget{shift: at(-1000)}, 100, "repeat", 50, true},
		{"from before the start", at(20), resetTarget{position: position{way: "latest"}}, 200, "skip", 100, false},
		{"from beyond the end", at(900), resetTarget{position: position{way: "earliest"}}, 100, "repeat", 100, false},
		{"from nothing", nil, resetTarget{position: position{way: "at", offset: 120}}, 120, "begin", 80, false},
		{"to a time that has not come", at(150), resetTarget{position: position{way: "time"}}, 200, "skip", 50, false},
	} {
		m := resetMove{Committed: c.committed, Start: 100, End: 200}
		if err := m.aim(c.target, 0, -1); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		if m.New != c.want || m.Change != c.change || m.Records != c.records || (m.Moved != "") != c.moved {
			t.Errorf("%s: %+v", c.what, m)
		}
	}
	m := resetMove{Start: 100, End: 200}
	if err := m.aim(resetTarget{shift: at(1)}, 0, -1); err == nil {
		t.Error("shifted from nowhere")
	}
}

// The first record at or after an offset is found past empty batches and marks, and in a batch that is cut short.
func TestFirstRecord(t *testing.T) {
	batch := func(base int64, ms ...int64) []byte {
		b := record.NewBuilder(record.BuilderOptions{})
		for _, at := range ms {
			if err := b.Append(at, nil, []byte("value")); err != nil {
				t.Fatal(err)
			}
		}
		built := b.Build()
		built.SetBaseOffset(base)
		return built
	}
	full := batch(20, 1000, 2000, 3000)
	for _, c := range []struct {
		what   string
		b      []byte
		offset int64
		ms     int64 // -1: not found
		next   int64
	}{
		{"nothing", nil, 7, -1, 7},
		{"the first", full, 20, 1000, 20},
		{"inside", full, 21, 2000, 21},
		{"behind", full, 23, -1, 23},
		{"past an empty batch", append(emptyBatch(5, 19), full...), 7, 1000, 20},
		{"only an empty batch", emptyBatch(5, 19), 7, -1, 20},
		{"cut short, by its header", full[:record.HeaderSize+3], 21, 1000, 21},
		{"less than a header", full[:30], 21, -1, 21},
		{"another format", make([]byte, 100), 21, -1, 21},
	} {
		f, next := firstRecord(c.b, c.offset)
		if f.known != (c.ms >= 0) || f.known && f.at.UnixMilli() != c.ms || next != c.next {
			t.Errorf("%s: %+v, %d", c.what, f, next)
		}
	}
}

// A place a partition a request, and all of one leader.
func TestNextWave(t *testing.T) {
	var open []look
	for i := range 200 {
		open = append(open, look{place: place{topic: "t", partition: int32(i % 100)}, index: i, leader: int32(i % 2), bytes: timeFetchBytes})
	}
	seen := 0
	for len(open) > 0 {
		var wave []look
		wave, open = nextWave(open)
		partitions := map[int32]bool{}
		for _, l := range wave {
			if l.leader != wave[0].leader || partitions[l.partition] {
				t.Fatalf("%+v beside %+v", l, wave[0])
			}
			partitions[l.partition] = true
		}
		seen += len(wave)
	}
	if seen != 200 {
		t.Errorf("%d of 200", seen)
	}
}

// A transaction's mark counts as an offset and not as a record that a group is behind by.
func TestLagBehindMark(t *testing.T) {
	b := brokersOf(fakeCluster(t, kfake.SeedTopics(1, "t")))
	commitTransaction(t, b, "t", "one")
	holdfast(t, b, "", "group", "reset", "g", "--topic", "t", "--to-offset", "1", "--execute").want(t, exitDone)
	holdfast(t, b, "", "group", "lag", "g", "--want-lag", "0").want(t, exitDone)
}
