package commitlog

import (
	"math"
	"testing"

	"holdfast/internal/proto/record"
	"holdfast/internal/storage/vfs"
)

func benchLog(b testing.TB, size int) (*Log, record.Batch) {
	b.Helper()
	c := smallConfig()
	c.SegmentBytes, c.IndexInterval = 1<<30, 4096
	l, _, err := Open(Options{FS: vfs.OS(), Dir: b.TempDir() + "/t-0", Config: c, Now: t0})
	must(b, err)
	b.Cleanup(func() { must(b, l.Remove()) })
	batch := batchSpec{count: 1, size: size, ms: t0.UnixMilli(), pid: 1}.build()
	return l, batch
}

// put appends the batch at the end of the log.
func put(b testing.TB, l *Log, batch record.Batch) {
	batch.SetBaseOffset(l.End())
	if err := l.Append(batch, t0); err != nil {
		b.Fatal(err)
	}
}

func TestAppendAndReadDoNotAllocate(t *testing.T) {
	l, batch := benchLog(t, 1000)
	for range 2000 {
		put(t, l, batch)
	}
	if n := testing.AllocsPerRun(2000, func() { put(t, l, batch) }); n != 0 {
		t.Errorf("an append allocates %v times", n)
	}
	buf := make([]byte, 1<<20)
	read := func(at int64, maxBytes int) int64 {
		s, err := l.Locate(at, l.End(), maxBytes, true)
		must(t, err)
		must(t, s.ReadAt(buf[:s.Len]))
		return s.NextOffset
	}
	at := int64(0)
	if n := testing.AllocsPerRun(500, func() {
		if at = read(at, 20_000); at >= l.End() {
			at = 0
		}
	}); n != 0 {
		t.Errorf("a sequential read allocates %v times", n)
	}
	if n := testing.AllocsPerRun(500, func() {
		at = (at*7919 + 13) % l.End()
		read(at, 3000)
	}); n != 0 {
		t.Errorf("a random read allocates %v times", n)
	}
	if n := testing.AllocsPerRun(500, func() {
		put(t, l, batch)
		read(l.End()-1, 1<<20)
	}); n != 0 {
		t.Errorf("a read at the tail allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := l.Aborted(0, math.MaxInt64); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a look for aborted transactions allocates %v times", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	for name, size := range map[string]int{"1KB": 1000, "16KB": 16 << 10, "256KB": 256 << 10} { // order-free
		b.Run(name, func(b *testing.B) {
			l, batch := benchLog(b, size)
			b.SetBytes(int64(len(batch)))
			b.ReportAllocs()
			for b.Loop() {
				put(b, l, batch)
				if l.Size() > 400<<20 {
					b.StopTimer()
					must(b, l.ResetTo(l.End()))
					b.StartTimer()
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	l, batch := benchLog(b, 16<<10)
	for l.Size() < 64<<20 {
		put(b, l, batch)
	}
	buf := make([]byte, 1<<20)
	for name, pick := range map[string]func(next int64) int64{ // order-free
		"sequential": func(next int64) int64 { return next % l.End() },
		"random":     func(next int64) int64 { return (next*7919 + 13) % l.End() },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var next, total int64
			for b.Loop() {
				s, err := l.Locate(pick(next), l.End(), len(buf), true)
				must(b, err)
				must(b, s.ReadAt(buf[:s.Len]))
				next, total = s.NextOffset, total+int64(s.Len)
			}
			b.SetBytes(total / int64(b.N))
		})
	}
}
