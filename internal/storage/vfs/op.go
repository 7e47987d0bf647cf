package vfs

import "fmt"

// OpKind is a kind of operation on an FS or a File.
type OpKind uint8

// The operations. Those from OpCreate to OpLock change the disk.
const (
	OpOpen OpKind = iota + 1
	OpOpenRead
	OpList
	OpStat
	OpFree
	OpType
	OpRead
	OpSize
	OpClose
	OpCreate
	OpRemove
	OpRemoveAll
	OpRename
	OpMkdirAll
	OpWrite
	OpTruncate
	OpPreallocate
	OpSync
	OpSyncDir
	OpSyncFS
	OpLock
)

var opNames = [...]string{
	"?", "open", "open-read", "list", "stat", "free", "type", "read", "size", "close",
	"create", "remove", "remove-all", "rename", "mkdir-all", "write", "truncate", "preallocate",
	"sync", "sync-dir", "sync-fs", "lock",
}

func (k OpKind) String() string {
	if int(k) >= len(opNames) {
		k = 0
	}
	return opNames[k]
}

// Mutates tells whether the operation changes what is on the disk or what of it is durable.
func (k OpKind) Mutates() bool { return k >= OpCreate && k <= OpLock }

// Op is one operation, as observers of Mem and deciders of Faulty see it.
type Op struct {
	N    int64 // running number, from 1: of mutating operations in Mem, of all operations in Faulty
	Kind OpKind
	Name string
	To   string // of a rename
	Off  int64  // of read, write, preallocate
	Len  int64  // of read, write, preallocate; the new size of truncate
}

func (o Op) String() string {
	s := fmt.Sprintf("#%d %s %s", o.N, o.Kind, o.Name)
	switch o.Kind {
	case OpRename:
		s += " to " + o.To
	case OpRead, OpWrite, OpPreallocate:
		s += fmt.Sprintf(" [%d,+%d)", o.Off, o.Len)
	case OpTruncate:
		s += fmt.Sprintf(" to %d", o.Len)
	}
	return s
}
