package config

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/magiconair/properties"
)

func parse(t *testing.T, text string) map[string]string {
	t.Helper()
	entries, err := ParseProperties("f", strings.NewReader(text))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	out := map[string]string{}
	for _, e := range entries {
		out[e.Key] = e.Value
	}
	return out
}

func TestPropertiesAreReadAsByJava(t *testing.T) {
	data, err := os.ReadFile("testdata/java-properties.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		var f []string
		for _, quoted := range strings.Split(line, "\t") {
			s, err := strconv.Unquote(javaToGo(quoted))
			if err != nil {
				t.Fatalf("%s: %v", quoted, err)
			}
			f = append(f, s)
		}
		got := parse(t, f[0])
		if len(got) != len(f)/2 {
			t.Errorf("%q: %q, Java reads %q", f[0], got, f[1:])
		}
		for i := 1; i < len(f); i += 2 {
			if v, ok := got[f[i]]; !ok || v != f[i+1] {
				t.Errorf("%q: %q, Java reads %q", f[0], got, f[1:])
			}
		}
	}
}

// javaToGo joins the surrogate pair that Java prints as two units and Go's Unquote refuses.
func javaToGo(s string) string {
	return strings.ReplaceAll(s, `\ud83d\ude00`, `\U0001f600`)
}

func TestOriginsNameFileAndLine(t *testing.T) {
	entries, err := ParseProperties("server.properties", strings.NewReader("\ufeff# one\n\na=1\r\nb=2\\\n  3\n\n  c 4"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Entry{
		{"a", "1", "server.properties line 3"}, {"b", "23", "server.properties line 4"}, {"c", "4", "server.properties line 7"},
	}
	if len(entries) != 3 || entries[0] != want[0] || entries[1] != want[1] || entries[2] != want[2] {
		t.Errorf("got %q", entries)
	}
}

func TestWhatIsNoPropertiesFile(t *testing.T) {
	for name, text := range map[string]string{
		"binary": "a=\x00b", "latin1": "a=\xe4", "huge": strings.Repeat("a=b\n", maxPropertiesBytes/4+1), "escape": `a=\u12`, "escape2": `\uzzzz=1`,
	} {
		if e, err := ParseProperties("f", strings.NewReader(text)); err == nil || e != nil {
			t.Errorf("%s: was taken", name)
		}
	}
}

func FuzzParseProperties(f *testing.F) {
	data, err := os.ReadFile("testdata/java-properties.tsv")
	if err != nil {
		f.Fatal(err)
	}
	for _, line := range strings.Split(string(data), "\n") {
		quoted, _, _ := strings.Cut(line, "\t")
		if s, err := strconv.Unquote(javaToGo(quoted)); err == nil {
			f.Add(s)
		}
	}
	f.Add("node.id=7\nlog.dirs=/a,/b\nlisteners=PLAINTEXT://:9092\n")
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := ParseProperties("f", strings.NewReader(text))
		if err != nil {
			return
		}
		size := 0
		for _, e := range entries {
			size += len(e.Key) + len(e.Value)
		}
		if size > 3*len(text) { // \uXXXX is six bytes and at most three of UTF-8; a lone surrogate becomes U+FFFD
			t.Fatalf("%d bytes out of %d", size, len(text))
		}
		_, _, _ = Assemble(entries)
		compareWithLibrary(t, text, entries)
	})
}

// compareWithLibrary holds our reader against another one where both are meant to agree: plain lines. The other
// keeps blanks and escapes in its own way, so texts with backslashes, form feeds or bare \r are left to Java.
func compareWithLibrary(t *testing.T, text string, entries []Entry) {
	if strings.ContainsAny(text, "\\\f\r") || strings.HasPrefix(text, "\ufeff") {
		return
	}
	l := properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}
	p, err := l.LoadBytes([]byte(text))
	if err != nil {
		return
	}
	last := map[string]string{}
	for _, e := range entries {
		last[e.Key] = e.Value
	}
	if p.Len() != len(last) {
		t.Fatalf("%q: we read %q, the library %q", text, last, p.Map())
	}
	for k, v := range last {
		if got, ok := p.Get(k); !ok || got != v {
			t.Fatalf("%q: we read %q, the library %q", text, last, p.Map())
		}
	}
}
