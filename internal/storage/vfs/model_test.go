package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// tree is a whole file system as plain Go: path to contents, directories with a trailing slash.
type tree map[string]string

func treeOf(t tb, fsys FS, dir string) tree {
	t.Helper()
	out := tree{}
	names, err := fsys.List(dir)
	must(t, err)
	for _, n := range names {
		p := dir + "/" + n
		info, err := fsys.Stat(p)
		must(t, err)
		if !info.IsDir {
			out[p] = content(t, fsys, p)
			if int64(len(out[p])) != info.Size {
				t.Fatalf("%s: Stat says %d bytes, File.Size %d", p, info.Size, len(out[p]))
			}
			continue
		}
		out[p+"/"] = ""
		for k, v := range treeOf(t, fsys, p) {
			out[k] = v
		}
	}
	return out
}

// model is what Mem should show: the tree that is seen, and for each file name what the last sync promised.
type model struct {
	t    *rapid.T
	fsys FS
	seen tree
	lazy bool // leaves all syncs out
}

func (m *model) files() []string {
	var out []string
	for p := range m.seen {
		if !strings.HasSuffix(p, "/") {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

var (
	modelDirs  = []string{"/r", "/r/a", "/r/b", "/r/a/c"}
	modelBases = []string{"x", "y", "z"}
)

func (m *model) path(label string) string {
	return rapid.SampledFrom(modelDirs).Draw(m.t, label+" dir") + "/" + rapid.SampledFrom(modelBases).Draw(m.t, label+" base")
}

// edit does the same to a file and to its contents in the model, which may be made first.
func (m *model) edit(p string, f File) {
	data := []byte(m.seen[p])
	off := rapid.Int64Range(0, 3*pageSize).Draw(m.t, "off")
	n := rapid.Int64Range(0, 2*pageSize).Draw(m.t, "n")
	fill := func(b byte) {
		if n > 0 {
			data = append(data, make([]byte, max(0, off+n-int64(len(data))))...)
			copy(data[off:], bytes.Repeat([]byte{b}, int(n)))
		}
	}
	switch rapid.IntRange(0, 2).Draw(m.t, "edit") {
	case 0:
		b := rapid.ByteRange('a', 'z').Draw(m.t, "byte")
		_, err := f.WriteAt(bytes.Repeat([]byte{b}, int(n)), off)
		must(m.t, err)
		fill(b)
	case 1:
		must(m.t, f.Preallocate(off, n))
		fill(0)
	case 2:
		must(m.t, f.Truncate(off))
		data = append(data, make([]byte, max(0, off-int64(len(data))))...)[:off]
	}
	m.seen[p] = string(data)
}

func (m *model) step() {
	t := m.t
	switch rapid.IntRange(0, 7).Draw(t, "op") {
	case 0, 1:
		p := m.path("create")
		f, err := m.fsys.Create(p)
		if _, ok := m.seen[p[:strings.LastIndex(p, "/")+1]]; !ok {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("create %s without its folder: %v", p, err)
			}
			return
		}
		must(t, err)
		m.seen[p] = ""
		m.edit(p, f)
		must(t, f.Close())
	case 2, 3:
		if files := m.files(); len(files) > 0 {
			p := rapid.SampledFrom(files).Draw(t, "file")
			f, err := m.fsys.Open(p)
			must(t, err)
			m.edit(p, f)
			if rapid.Bool().Draw(t, "sync") && !m.lazy {
				must(t, f.Sync())
			}
			must(t, f.Close())
		}
	case 4:
		p := m.path("remove")
		_, ok := m.seen[p]
		if err := m.fsys.Remove(p); (err == nil) != ok {
			t.Fatalf("remove %s, there: %v: %v", p, ok, err)
		}
		delete(m.seen, p)
	case 5:
		from, to := m.path("from"), m.path("to")
		data, ok := m.seen[from]
		_, dir := m.seen[to[:strings.LastIndex(to, "/")+1]]
		if err := m.fsys.Rename(from, to); (err == nil) != (ok && dir) {
			t.Fatalf("rename %s (there: %v) to %s (folder there: %v): %v", from, ok, to, dir, err)
		} else if err == nil {
			delete(m.seen, from)
			m.seen[to] = data
		}
	case 6:
		d := rapid.SampledFrom(modelDirs).Draw(t, "dir")
		if _, ok := m.seen[d+"/"]; ok && !m.lazy {
			must(t, m.fsys.SyncDir(d))
		}
	case 7:
		d := rapid.SampledFrom(modelDirs[1:]).Draw(t, "dir")
		if rapid.IntRange(0, 3).Draw(t, "remove all") == 0 {
			must(t, m.fsys.RemoveAll(d))
			for p := range m.seen {
				if strings.HasPrefix(p, d+"/") {
					delete(m.seen, p)
				}
			}
			return
		}
		must(t, m.fsys.MkdirAll(d))
		for i := range d {
			if d[i] == '/' && i > 0 {
				m.seen[d[:i+1]] = ""
			}
		}
		m.seen[d+"/"] = ""
	}
}

func (m *model) compare(what string, fsys FS, want tree) {
	m.t.Helper()
	got := treeOf(m.t, fsys, "/r")
	got["/r/"] = ""
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Fatalf("%s (-model +fs): %s", what, diff)
	}
}

func clone(in tree) tree {
	out := tree{}
	for k, v := range in {
		out[k] = v
	}
	return out
}

func TestMemAgreesWithAPlainMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mem := NewMem()
		m := &model{t: t, fsys: mem, seen: tree{"/r/": ""}}
		must(t, mem.MkdirAll("/r"))
		type snap struct {
			disk *Mem
			want tree
		}
		var snaps []snap
		for i := range rapid.IntRange(1, 40).Draw(t, "steps") {
			m.step()
			if i%5 == 0 {
				snaps = append(snaps, snap{mem.Clone(), clone(m.seen)})
			}
		}
		m.compare("seen", mem, m.seen)
		m.compare("nothing lost", mem.CrashClone(LoseNone, 0), m.seen)
		must(t, mem.SyncFS("/"))
		m.compare("process killed", mem.CrashClone(KillOnly, 0), m.seen)
		m.compare("all synced, all else lost", mem.CrashClone(LoseAll, 0), m.seen)
		for i, s := range snaps {
			m.compare(fmt.Sprintf("snapshot %d", i), s.disk, s.want)
			m.compare(fmt.Sprintf("snapshot %d, nothing lost", i), s.disk.CrashClone(LoseNone, 0), s.want)
		}
	})
}

func TestOSAgreesWithAPlainMap(t *testing.T) {
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		if runs > 15 {
			return // real syncs
		}
		root := rooted{OS(), t.TempDir()}
		m := &model{t: rt, fsys: root, seen: tree{"/r/": ""}}
		must(rt, root.MkdirAll("/r"))
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			m.step()
		}
		m.compare("seen", root, m.seen)
	})
}

// rooted puts an FS below a directory.
type rooted struct {
	FS
	root string
}

func (r rooted) Open(n string) (File, error)     { return r.FS.Open(r.root + n) }
func (r rooted) OpenRead(n string) (File, error) { return r.FS.OpenRead(r.root + n) }
func (r rooted) Create(n string) (File, error)   { return r.FS.Create(r.root + n) }
func (r rooted) Remove(n string) error           { return r.FS.Remove(r.root + n) }
func (r rooted) RemoveAll(n string) error        { return r.FS.RemoveAll(r.root + n) }
func (r rooted) Rename(a, b string) error        { return r.FS.Rename(r.root+a, r.root+b) }
func (r rooted) MkdirAll(n string) error         { return r.FS.MkdirAll(r.root + n) }
func (r rooted) List(n string) ([]string, error) { return r.FS.List(r.root + n) }
func (r rooted) Stat(n string) (Info, error)     { return r.FS.Stat(r.root + n) }
func (r rooted) SyncDir(n string) error          { return r.FS.SyncDir(r.root + n) }

// TestPowerCutNeverTakesWhatWasSynced syncs a random part of a random run, goes on without syncs, and looks at crashed
// disks: every byte of every file is the synced one or one written since, and every name is the synced or a later one.
func TestPowerCutNeverTakesWhatWasSynced(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mem := NewMem()
		m := &model{t: t, fsys: mem, seen: tree{"/r/": ""}}
		must(t, mem.MkdirAll("/r"))
		for range rapid.IntRange(0, 20).Draw(t, "before") {
			m.step()
		}
		must(t, mem.SyncFS("/"))
		synced := clone(m.seen)
		m.lazy = true
		touched := map[string]bool{} // by a write, and by a change of name of it or of its folder
		mem.Observe(func(op Op, done bool) {
			touched[op.Name], touched[op.To] = true, true
		})
		for range rapid.IntRange(0, 10).Draw(t, "after") {
			m.step()
		}
		mem.Observe(nil)
		for _, mode := range CrashModes() {
			for seed := range uint64(3) {
				crashed := mem.CrashClone(mode, seed)
				again := mem.CrashClone(mode, seed)
				got := treeOf(t, crashed, "/r")
				if diff := cmp.Diff(got, treeOf(t, again, "/r")); diff != "" {
					t.Fatalf("%s, seed %d gives two disks: %s", mode, seed, diff)
				}
				for p, data := range synced {
					if isTouched(touched, p) || p == "/r/" {
						continue
					}
					if now, ok := got[p]; !ok || now != data {
						t.Fatalf("%s, seed %d: %s was synced and not touched, there: %v, equal: %v", mode, seed, p, ok, now == data)
					}
				}
				if mode == LoseAll {
					m.compare("all lost", crashed, synced)
				}
			}
		}
	})
}

func isTouched(touched map[string]bool, p string) bool {
	p = strings.TrimSuffix(p, "/")
	for ; p != ""; p = p[:strings.LastIndex(p, "/")] {
		if touched[p] {
			return true
		}
	}
	return false
}
