package journal

import (
	"path/filepath"
	"testing"

	"holdfast/internal/storage/vfs"
)

// BenchmarkAppendSync is what one raft write costs on the disk that holds the temporary folder.
func BenchmarkAppendSync(b *testing.B) {
	j, _, err := Open(vfs.OS(), filepath.Join(b.TempDir(), "journal"), testID)
	must(b, err)
	e := entry(1, 300)
	for b.Loop() {
		seq, err := j.Append(e)
		must(b, err)
		must(b, j.Sync())
		if seq%500 == 0 {
			must(b, j.Cut(seq))
		}
	}
	must(b, j.Close())
}

// BenchmarkGrowingFile is the same with a file that grows: what recycled files are for.
func BenchmarkGrowingFile(b *testing.B) {
	f, err := vfs.OS().Create(filepath.Join(b.TempDir(), "f"))
	must(b, err)
	block := make([]byte, pageSize)
	for i := int64(0); b.Loop(); i++ {
		_, err := f.WriteAt(block, i*pageSize)
		must(b, err)
		must(b, f.Sync())
	}
	must(b, f.Close())
}
