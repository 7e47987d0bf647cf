package vfs

import (
	"errors"
	"io/fs"
	"testing"
)

func write(t testing.TB, fsys FS, name, data string, sync bool) {
	t.Helper()
	f, err := fsys.Create(name)
	must(t, err)
	_, err = f.WriteAt([]byte(data), 0)
	must(t, err)
	if sync {
		must(t, f.Sync())
	}
	must(t, f.Close())
}

// content returns "-" for a file that does not exist.
func content(t testing.TB, fsys FS, name string) string {
	t.Helper()
	f, err := fsys.OpenRead(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "-"
	}
	must(t, err)
	defer f.Close()
	n, err := f.Size()
	must(t, err)
	b := make([]byte, n)
	_, err = f.ReadAt(b, 0)
	must(t, err)
	return string(b)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPowerCutKeepsWhatWasSyncedOnly(t *testing.T) {
	m := NewMem()
	must(t, m.MkdirAll("d"))
	must(t, m.SyncDir("/"))
	write(t, m, "d/named-and-synced", "1", true)
	write(t, m, "d/named-only", "2", false)
	must(t, m.SyncDir("d"))
	write(t, m, "d/synced-only", "3", true)

	c := m.CrashClone(LoseAll, 0)
	for name, want := range map[string]string{"d/named-and-synced": "1", "d/named-only": "", "d/synced-only": "-"} {
		if got := content(t, c, name); got != want {
			t.Errorf("%s: %q after the crash, want %q", name, got, want)
		}
	}
	c = m.CrashClone(LoseNone, 0)
	for name, want := range map[string]string{"d/named-and-synced": "1", "d/named-only": "2", "d/synced-only": "3"} {
		if got := content(t, c, name); got != want {
			t.Errorf("%s: %q with nothing lost, want %q", name, got, want)
		}
	}
}
