package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/core/producer"
	"holdfast/internal/proto/record"
	"holdfast/internal/storage/vfs"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sample is a cleanly closed log of several segments with every kind of file.
func sample(t testing.TB) (*vfs.Mem, *model) {
	t.Helper()
	fs := vfs.NewMem()
	l, _ := mustOpen(t, fs, smallConfig(), 0, 0)
	m := &model{}
	seqs := map[int64]int32{}
	for i := range 120 {
		s := batchSpec{base: l.End(), epoch: int32(i / 30), count: 1 + i%3, ms: t0.UnixMilli() + int64(i*7%90), size: 60}
		b := s.build()
		if pid := int64(i % 4); pid > 0 {
			s.pid, s.seq, s.txn = pid, seqs[pid], pid == 2
			seqs[pid] += int32(s.count)
			b = s.build()
		} else if i%12 == 8 {
			b = marker(l.End(), s.epoch, 2, 0, i%24 == 8, s.ms)
		}
		mustAppend(t, l, b)
		m.batches = append(m.batches, b)
	}
	must(t, l.Close())
	return fs, m
}

// serve reads the whole log, over what is quarantined, and checks that every batch is either served as it was written or
// quarantined. It returns how many were not served.
func serve(l *Log, m *model) (missing int, err error) {
	var served []byte
	for at := l.Start(); at < l.End(); {
		s, err := l.Locate(at, l.End(), 700, true)
		if err == nil && s.Len == 0 {
			return 0, fmt.Errorf("nothing to read at %d", at)
		}
		p := make([]byte, s.Len)
		if err == nil {
			err = s.ReadAt(p)
		}
		var d *DamagedError
		switch {
		case errors.As(err, &d):
			if d.To <= at && d.From <= at {
				return 0, fmt.Errorf("at %d: damage %+v", at, d.Damage)
			}
			if d.From <= at {
				at = d.To
			}
		case err != nil:
			return 0, fmt.Errorf("at %d: %w", at, err)
		default:
			served, at = append(served, p...), s.NextOffset
		}
	}
	for _, b := range m.batches {
		i := bytes.Index(served, b)
		inDamage := slices.ContainsFunc(l.Damaged(), func(d Damage) bool { return b.BaseOffset() >= d.From && b.BaseOffset() < d.To })
		switch {
		case i == 0:
			served = served[len(b):]
		case inDamage:
			missing++
		default:
			return 0, fmt.Errorf("the batch at %d is neither served nor quarantined: %+v", b.BaseOffset(), l.Damaged())
		}
	}
	if len(served) > 0 {
		return 0, fmt.Errorf("%d bytes served that nobody wrote", len(served))
	}
	return missing, nil
}

// spoil changes one file of a copy of the disk.
func spoil(t testing.TB, from *vfs.Mem, name string, change func(f vfs.File, size int64)) *vfs.Mem {
	t.Helper()
	fs := from.Clone()
	f, err := fs.Open(path.Join(dir, name))
	must(t, err)
	size, err := f.Size()
	must(t, err)
	change(f, size)
	must(t, f.Close())
	return fs
}

// TestRot flips bits and cuts files everywhere below the recovery point: nothing wrong is served, nothing is cut, the
// end stays, and everything but the spoilt batches is served.
func TestRot(t *testing.T) {
	disk, m := sample(t)
	names, err := disk.List(dir)
	must(t, err)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			info, err := disk.Stat(path.Join(dir, name))
			must(t, err)
			isLog := strings.HasSuffix(name, logSuffix)
			step := int64(1)
			if isLog || info.Size > 500 {
				step = 3
			}
			for at := int64(0); at < info.Size; at += step {
				fs := spoil(t, disk, name, func(f vfs.File, _ int64) {
					var b [1]byte
					_, err := f.ReadAt(b[:], at)
					must(t, err)
					b[0] ^= 1 << (at % 8)
					_, err = f.WriteAt(b[:], at)
					must(t, err)
				})
				checkRot(t, fs, m, isLog, 1, fmt.Sprintf("bit %d of byte %d", at%8, at))
			}
			for size := int64(0); size < info.Size; size += 1 + info.Size/40 {
				fs := spoil(t, disk, name, func(f vfs.File, _ int64) { must(t, f.Truncate(size)) })
				checkRot(t, fs, m, isLog, len(m.batches), fmt.Sprintf("cut to %d bytes", size))
			}
			fs := disk.Clone()
			must(t, fs.Remove(path.Join(dir, name)))
			checkRot(t, fs, m, isLog, len(m.batches), "removed")
		})
	}
}

func checkRot(t *testing.T, fs *vfs.Mem, m *model, isLog bool, most int, what string) {
	t.Helper()
	l, r, err := Open(Options{FS: fs, Dir: dir, Config: smallConfig(), Files: NewFiles(fs, 4), RecoveryPoint: m.end(), Now: t0})
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	defer l.Discard()
	first := m.batches[0].BaseOffset()
	if l.End() != m.end() || l.Start() != first && what != "removed" || r.Cut != nil {
		t.Errorf("%s: log from %d to %d, want %d: %+v", what, l.Start(), l.End(), m.end(), r)
		return
	}
	kept := &model{batches: slices.DeleteFunc(slices.Clone(m.batches), func(b record.Batch) bool { return b.BaseOffset() < l.Start() })}
	missing, err := serve(l, kept)
	if err != nil || missing > most || !isLog && missing > 0 {
		t.Errorf("%s: %d batches not served: %v %+v", what, missing, err, l.Damaged())
	}
	if isLog || what == "removed" {
		return
	}
	if diff := cmp.Diff(m.producers(), l.Producers().Entries(), cmpopts.IgnoreFields(producer.Entry{}, "SeenMs")); diff != "" {
		t.Errorf("%s: producers (-want +got):\n%s", what, diff)
	}
	if e, end := l.EpochEnd(2); e != 2 || end != m.batches[90].BaseOffset() {
		t.Errorf("%s: epoch 2 ended as %d at %d", what, e, end)
	}
	b := batchSpec{base: l.End(), epoch: 9, count: 1, size: 10}.build()
	if err := l.Append(b, t0); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}
