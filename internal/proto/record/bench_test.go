package record

import (
	"fmt"
	"testing"
)

// textBatch holds about size bytes of records of 1 KB that compress like logs do.
func textBatch(b *testing.B, c Codec, size int) Batch {
	b.Helper()
	builder := NewBuilder(BuilderOptions{Codec: c})
	for i := 0; builder.Size() < size; i++ {
		var value []byte
		for len(value) < 1000 {
			value = fmt.Appendf(value, `{"id":%d,"user":"u-%x","at":%d},`, i*len(value), i*7919+len(value), nowMs+i)
		}
		if err := builder.Append(nowMs+int64(i), fmt.Appendf(nil, "key-%d", i), value); err != nil {
			b.Fatal(err)
		}
	}
	return builder.Build()
}

func BenchmarkPrepareHeader(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			batch := textBatch(b, None, size)
			r := defaults()
			b.SetBytes(int64(len(batch)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Prepare(batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPrepareFull(b *testing.B) {
	for c := None; c <= Zstd; c++ {
		b.Run(c.String(), func(b *testing.B) {
			batch := textBatch(b, c, 256<<10)
			r := defaults()
			r.Full = true
			b.SetBytes(256 << 10) // uncompressed
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Prepare(batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReencode(b *testing.B) {
	for c := None; c <= Zstd; c++ {
		from := None
		if c == None {
			from = LZ4
		}
		b.Run(fmt.Sprintf("%v-to-%v", from, c), func(b *testing.B) {
			batch := textBatch(b, from, 256<<10)
			r := defaults()
			r.Codec = c.String()
			b.SetBytes(256 << 10)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Prepare(batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRecords(b *testing.B) {
	for _, c := range []Codec{None, LZ4} {
		b.Run(c.String(), func(b *testing.B) {
			batch := textBatch(b, c, 256<<10)
			d := new(Decompressor)
			b.SetBytes(256 << 10)
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range batch.Records(d) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, c := range []Codec{None, LZ4} {
		b.Run(c.String(), func(b *testing.B) {
			builder := NewBuilder(BuilderOptions{Codec: c})
			value := make([]byte, 1000)
			b.SetBytes(100 << 10)
			b.ReportAllocs()
			for b.Loop() {
				for range 100 {
					if err := builder.Append(nowMs, nil, value); err != nil {
						b.Fatal(err)
					}
				}
				builder.Build()
			}
		})
	}
}
