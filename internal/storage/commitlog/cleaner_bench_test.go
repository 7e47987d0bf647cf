package commitlog

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"holdfast/internal/proto/record"
	"holdfast/internal/storage/vfs"
)

// BenchmarkCleaner compacts 256 MB of 1 KB records, a tenth of whose keys are new, on the real file system.
func BenchmarkCleaner(b *testing.B) {
	for _, codec := range []record.Codec{record.None, record.LZ4, record.Zstd} {
		b.Run(codec.String(), func(b *testing.B) {
			const size, total = 1000, 256 << 20
			fs, dir := vfs.OS(), b.TempDir()+"/t-0"
			for range b.N {
				b.StopTimer()
				c := Config{SegmentBytes: 64 << 20, IndexInterval: 4096, IndexBytes: 10 << 20, RetentionBytes: -1, RetentionAge: -1}
				l, _, err := Open(Options{FS: fs, Dir: dir, Config: c, Now: t0})
				must(b, err)
				fillKeys(b, l, total, size, total/size/10, codec)
				d, err := l.Cleanable(t0, l.End(), 0)
				must(b, err)
				b.StartTimer()
				done, err := NewCleaner(CleanerOptions{KeyBytes: 128 << 20, BufferBytes: 512 << 10}).Clean(l, d, time.Hour, t0, new(sync.Mutex))
				must(b, err)
				b.StopTimer()
				b.SetBytes(done.BytesIn)
				b.ReportMetric(float64(done.BytesOut)/float64(done.BytesIn), "left/in")
				must(b, l.Remove())
			}
		})
	}
}

// fillKeys appends total bytes of records before compression, in batches of 16 KB, in an order of keys that looks random.
func fillKeys(b *testing.B, l *Log, total, size, keys int, codec record.Codec) {
	value, key := make([]byte, size), uint64(1)
	for i := range value {
		value[i] = byte(i * i >> 3)
	}
	builder := record.NewBuilder(record.BuilderOptions{Codec: codec})
	for n := 0; n < total; {
		for range 16 {
			key = key*6364136223846793005 + 1442695040888963407
			binary.BigEndian.PutUint64(value, key)
			must(b, builder.Append(t0.UnixMilli(), fmt.Appendf(nil, "key-%012d", (key>>20)%uint64(keys)), value))
			n += size
		}
		batch := builder.Build()
		batch.SetBaseOffset(l.End())
		batch.SetLeaderEpoch(1)
		must(b, l.Append(batch, t0))
	}
	must(b, l.Roll(t0))
	must(b, l.Sync())
}
