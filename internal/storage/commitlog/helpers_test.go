package commitlog

import (
	"fmt"
	"testing"
	"time"

	"holdfast/internal/proto/record"
	"holdfast/internal/storage/vfs"
)

const dir = "data/t-0"

var t0 = time.UnixMilli(1_700_000_000_000)

// batchSpec is a batch to build.
type batchSpec struct {
	base    int64
	epoch   int32
	count   int
	ms      int64 // timestamp of the first record; each further one is 1 ms later
	size    int   // bytes of each value
	pid     int64 // 0: none
	pepoch  int16
	seq     int32
	txn     bool
	salt    byte
	codec   record.Codec
	noStamp bool
}

func (s batchSpec) build() record.Batch {
	o := record.BuilderOptions{Codec: s.codec, MaxBytes: 64 << 20}
	if s.pid > 0 {
		o.Idempotent, o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional = true, s.pid, s.pepoch, s.seq, s.txn
	}
	b := record.NewBuilder(o)
	for i := range s.count {
		value := make([]byte, s.size)
		for j := range value {
			value[j] = byte(s.base) + byte(i) + byte(j)*7 + s.salt
		}
		ms := s.ms + int64(i)
		if s.noStamp {
			ms = record.NoTimestamp
		}
		if err := b.Append(ms, fmt.Appendf(nil, "k%d", s.base+int64(i)), value); err != nil {
			panic(err)
		}
	}
	out := b.Build()
	out.SetBaseOffset(s.base)
	out.SetLeaderEpoch(s.epoch)
	return out
}

func marker(base int64, epoch int32, pid int64, pepoch int16, commit bool, ms int64) record.Batch {
	b := record.Marker{Commit: commit, ProducerID: pid, ProducerEpoch: pepoch, CoordinatorEpoch: 1, TimestampMs: ms}.Batch()
	b.SetBaseOffset(base)
	b.SetLeaderEpoch(epoch)
	return b
}

func smallConfig() Config {
	return Config{SegmentBytes: 4096, IndexInterval: 256, IndexBytes: 10 << 20, RetentionBytes: -1, RetentionAge: -1, ProducerExpiry: 24 * time.Hour}
}

func mustOpen(t testing.TB, fs vfs.FS, c Config, point, start int64) (*Log, Recovery) {
	t.Helper()
	l, r, err := Open(Options{FS: fs, Dir: dir, Config: c, Files: NewFiles(fs, 4), RecoveryPoint: point, LogStart: start, Now: t0})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return l, r
}

func mustAppend(t testing.TB, l *Log, batches ...record.Batch) {
	t.Helper()
	var p []byte
	for _, b := range batches {
		p = append(p, b...)
	}
	if err := l.Append(p, t0); err != nil {
		t.Fatalf("append: %v", err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// readAll reads from an offset to below, a span at a time.
func readAll(l *Log, at, below int64, maxBytes int) (out []byte, err error) {
	for at < below {
		s, err := l.Locate(at, below, maxBytes, true)
		if err != nil {
			return out, err
		}
		if s.Len == 0 {
			return out, nil
		}
		p := make([]byte, s.Len)
		if err := s.ReadAt(p); err != nil {
			return out, err
		}
		if s.NextOffset <= at {
			return out, fmt.Errorf("span at %d goes on at %d", at, s.NextOffset)
		}
		out, at = append(out, p...), s.NextOffset
	}
	return out, nil
}

// fill appends count batches of 1 to 3 records from End on and returns them.
func fill(t testing.TB, l *Log, count int, epoch int32) (all []record.Batch) {
	t.Helper()
	for i := range count {
		b := batchSpec{base: l.End(), epoch: epoch, count: 1 + i%3, ms: t0.UnixMilli() + l.End(), size: 40 + i%60}.build()
		mustAppend(t, l, b)
		all = append(all, b)
	}
	return all
}

func join(batches []record.Batch) (out []byte) {
	for _, b := range batches {
		out = append(out, b...)
	}
	return out
}

type recordBatch = record.Batch
