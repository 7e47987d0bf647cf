package vfs

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// CrashMode says what a crash leaves of that which was not synced.
type CrashMode uint8

const (
	LoseAll    CrashMode = iota // nothing
	LoseNone                    // everything
	LoseRandom                  // any subset of writes, truncations and names
	LoseTorn                    // the same, and writes may be torn at 512 bytes
	KillOnly                    // no power cut but a kill -9: all is seen as before, and no more of it is durable
)

// CrashModes lists all modes.
func CrashModes() []CrashMode { return []CrashMode{LoseAll, LoseNone, LoseRandom, LoseTorn, KillOnly} }

func (c CrashMode) String() string {
	return [...]string{"lose-all", "lose-none", "lose-random", "lose-torn", "kill-only"}[c]
}

const sectorSize = 512

// Clone returns a copy of the file system as the running system sees it, with the knowledge of what is durable, without
// open files, locks, observer. It costs one map; contents are shared until written to. Take one at an operation boundary
// and CrashClone it later, as often as you like.
func (m *Mem) Clone() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.own = new(token) // neither may change in place what both have now
	m.names = slices.Clip(m.names)
	return &Mem{
		own: new(token), inodes: maps.Clone(m.inodes), last: m.last, names: m.names,
		handles: map[inodeID]int{}, locks: map[string]bool{}, ops: m.ops, clock: m.clock, capacity: m.capacity,
	}
}

// CrashClone returns the disk as it may look after a power cut now. What was synced is there; of the rest, what mode
// leaves. The same m, mode and seed give the same disk. All of it is durable (but after KillOnly, which is Clone), and m goes
// on as if nothing had happened.
func (m *Mem) CrashClone(mode CrashMode, seed uint64) *Mem {
	c := m.Clone()
	if mode == KillOnly {
		return c
	}
	l := &lottery{mode: mode, rand: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))}
	l.odds = [...]float64{0.1, 0.5, 0.9}[l.rand.IntN(3)] // nearly nothing and nearly everything are likely disks, too
	for _, id := range slices.Sorted(maps.Keys(c.inodes)) {
		if in := c.inodes[id]; len(in.pending) > 0 || in.lost {
			l.crashFile(c.edit(id))
		}
	}
	l.crashNames(c)
	c.sweep()
	return c
}

// Crash is one disk after a crash.
type Crash struct {
	Op   Op // the operation that was about to happen
	Mode CrashMode
	Seed uint64
	Disk *Mem
}

func (c Crash) String() string {
	return fmt.Sprintf("crash before %s, %s, seed %d", c.Op, c.Mode, c.Seed)
}

// EachCrash stops the world before every operation of m from now on, as its observer, and calls check with every disk that
// may be left: so many seeds of LoseRandom and LoseTorn each, one of every other mode. What the caller has promised
// by then (a Sync that returned) must be there. After the last operation call CrashNow, too.
func (m *Mem) EachCrash(seeds int, check func(Crash)) {
	m.Observe(func(op Op, done bool) {
		if !done {
			m.crashes(op, seeds, check)
		}
	})
}

// CrashNow calls check with the disks that a crash now may leave, as EachCrash does.
func (m *Mem) CrashNow(seeds int, check func(Crash)) {
	m.crashes(Op{N: m.Ops() + 1}, seeds, check)
}

func (m *Mem) crashes(op Op, seeds int, check func(Crash)) {
	for _, mode := range CrashModes() {
		n := 1
		if mode == LoseRandom || mode == LoseTorn {
			n = seeds
		}
		for i := range n {
			seed := uint64(op.N)<<16 | uint64(i)
			check(Crash{Op: op, Mode: mode, Seed: seed, Disk: m.CrashClone(mode, seed)})
		}
	}
}

// lottery draws what survives.
type lottery struct {
	mode CrashMode
	rand *rand.Rand
	odds float64 // of surviving
}

func (l *lottery) survives() bool {
	switch l.mode {
	case LoseAll:
		return false
	case LoseNone:
		return true
	}
	return l.rand.Float64() < l.odds
}

func (l *lottery) crashFile(in *inode) {
	disk := in.disk.share()
	for i := range in.pending {
		c := &in.pending[i]
		switch {
		case l.mode == LoseTorn && !c.truncate && l.rand.IntN(2) == 0:
			l.tear(c, &disk)
		case l.survives():
			c.apply(&disk)
		case l.mode >= LoseRandom && !c.truncate && l.rand.IntN(4) == 0:
			disk.grow(c.off + c.n) // the new length made it, the bytes did not
		}
	}
	in.cur = disk.share()
	in.disk = disk
	in.pending, in.lost, in.unsaid = nil, false, false
}

// tear applies some sectors of a write. Zeros are torn once only: they are long and all alike.
func (l *lottery) tear(c *change, disk *pages) {
	if c.data == nil {
		if n := l.rand.Int64N(c.n + 1); n > 0 {
			disk.zero(c.off, n)
		}
		return
	}
	for from := c.off; from < c.off+c.n; {
		to := min((from/sectorSize+1)*sectorSize, c.off+c.n)
		if l.survives() {
			disk.writeAt(c.data[from-c.off:to-c.off], from)
		}
		from = to
	}
}

func (l *lottery) crashNames(m *Mem) {
	for _, op := range m.names {
		if l.survives() {
			m.settleNameOp(op)
		}
	}
	m.names = nil
	for id, in := range m.inodes { // order-free
		if in.children != nil && !maps.Equal(in.children, in.diskChildren) {
			in = m.edit(id)
			in.children = maps.Clone(in.diskChildren)
		}
	}
}

// settle makes a file's contents durable.
func (m *Mem) settle(id inodeID) {
	in := m.inodes[id]
	if len(in.pending) == 0 {
		return
	}
	in = m.edit(id)
	if in.lost {
		for i := range in.pending {
			in.pending[i].apply(&in.disk)
		}
	} else {
		in.disk = in.cur.share()
	}
	in.pending = nil
}

// drop forgets that a file has changes to write. That it was cut is no such change: the file system keeps a journal of its
// own for lengths, and what failed were pages.
func (m *Mem) drop(id inodeID) {
	if len(m.inodes[id].pending) == 0 {
		return
	}
	in := m.edit(id)
	for i := range in.pending {
		if c := &in.pending[i]; c.truncate && c.off < in.disk.size {
			c.apply(&in.disk)
		}
	}
	in.pending, in.lost = nil, true
}

// dropUnsynced is what a failed SyncFS does to the files. Linux keeps such an error for each file, too: whoever syncs one
// of them next is told.
func (m *Mem) dropUnsynced() {
	m.locked(func() {
		for id, in := range m.inodes { // order-free
			if len(in.pending) > 0 {
				m.drop(id)
				m.inodes[id].unsaid = true
			}
		}
	})
}

// settleNames makes those changes of names durable that the function chooses.
func (m *Mem) settleNames(which func(nameOp) bool) {
	var rest []nameOp
	for _, op := range m.names {
		if !which(op) {
			rest = append(rest, op)
			continue
		}
		m.settleNameOp(op)
		for i := range rest {
			rest[i] = rest[i].without(op)
		}
	}
	m.names = rest
	if len(m.inodes) > m.sweepAt {
		m.sweep()
		m.sweepAt = 2*len(m.inodes) + 100 // so that its cost per operation stays constant
	}
}

func (op nameOp) touches(dir inodeID) bool {
	return slices.ContainsFunc(op, func(s nameSet) bool { return s.dir == dir })
}

// without returns op less the names that a younger change, which reached the disk first, has settled.
func (op nameOp) without(younger nameOp) nameOp {
	return slices.DeleteFunc(slices.Clone(op), func(s nameSet) bool {
		return slices.ContainsFunc(younger, func(t nameSet) bool { return s.dir == t.dir && s.name == t.name })
	})
}

// settleNameOp brings one change to disk. A file has one name: a move whose predecessor was lost takes the file from
// wherever it is.
func (m *Mem) settleNameOp(op nameOp) {
	for i, s := range op {
		if s.to == 0 {
			if i+1 < len(op) && m.inodes[s.dir].diskChildren[s.name] != op[i+1].to {
				m.unlinkOnDisk(op[i+1].to)
			}
			delete(m.edit(s.dir).diskChildren, s.name)
			continue
		}
		m.edit(s.dir).diskChildren[s.name] = s.to
	}
}

func (m *Mem) unlinkOnDisk(target inodeID) {
	for id, in := range m.inodes { // order-free
		for name, child := range in.diskChildren { // order-free
			if child == target {
				delete(m.edit(id).diskChildren, name)
			}
		}
	}
}

// sweep forgets inodes that have neither a name, seen or on disk, nor an open file.
func (m *Mem) sweep() {
	live := make(map[inodeID]bool, len(m.inodes))
	var mark func(id inodeID)
	mark = func(id inodeID) {
		in := m.inodes[id]
		if live[id] || in == nil {
			return
		}
		live[id] = true
		for _, child := range in.children { // order-free
			mark(child)
		}
		for _, child := range in.diskChildren { // order-free
			mark(child)
		}
	}
	mark(rootID)
	for id := range m.handles { // order-free
		mark(id)
	}
	for _, op := range m.names {
		for _, s := range op {
			mark(s.dir)
			mark(s.to)
		}
	}
	maps.DeleteFunc(m.inodes, func(id inodeID, _ *inode) bool { return !live[id] })
}

// used is the sum of the lengths of all files that have a name or are open.
func (m *Mem) used() (n int64) {
	seen := map[inodeID]bool{}
	var visit func(id inodeID)
	visit = func(id inodeID) {
		if seen[id] {
			return
		}
		seen[id] = true
		in := m.inodes[id]
		n += in.cur.size
		for _, child := range in.children { // order-free
			visit(child)
		}
	}
	visit(rootID)
	for id := range m.handles { // order-free
		visit(id)
	}
	return n
}

// room is the length that a file may have.
func (m *Mem) room(id inodeID) int64 {
	if m.capacity == 0 {
		return 1 << 62
	}
	size := m.inodes[id].cur.size
	return size + max(0, m.capacity-m.used())
}
