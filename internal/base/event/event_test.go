package event

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/base/invariant"
)

var at = time.Date(2026, 3, 1, 12, 30, 0, 123_000_000, time.UTC)

// full sets every field of a kind.
func full(k *Kind) Event {
	e := New(k, at, 7).In("orders", 3).Of("billing")
	for i, f := range k.Fields {
		if f.Text {
			e = e.Text(f.Name, "some "+f.Name)
		} else {
			e = e.Number(f.Name, int64(100+i))
		}
	}
	return e
}

func TestTableIsWellFormed(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z_]*$`)
	field := regexp.MustCompile(`\{([^}]*)\}`)
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.Name)
		if !name.MatchString(k.Name) || k.Sentence == "" || strings.HasSuffix(k.Sentence, ".") || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s: name, sentence or doc is malformed", k.Name)
		}
		for _, m := range field.FindAllStringSubmatch(k.Sentence, -1) {
			if _, ok := k.field(m[1]); !ok && !slices.Contains([]string{"node", "topic", "partition", "group"}, m[1]) {
				t.Errorf("%s: the sentence names {%s}, which is no field", k.Name, m[1])
			}
		}
		for i, f := range k.Fields {
			if first, _ := k.field(f.Name); first != i || !name.MatchString(f.Name) || f.Doc == "" {
				t.Errorf("%s: field %q is twice there, misnamed or without doc", k.Name, f.Name)
			}
		}
		if s := full(k).Sentence(); strings.ContainsAny(s, "{}?") {
			t.Errorf("%s: %s", k.Name, s)
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("kinds are not sorted and distinct: %v", names)
	}
}

// The line is stored in a topic and read by other versions and by people's scripts: its bytes are a promise.
func TestJSONIsStable(t *testing.T) {
	e := New(KindFetchOutOfRange, at, 2).In("orders", 0).Number("offset", 5).Number("log_start", 100).Number("log_end", 900).
		Number("missed", 95).Text("client_id", "app\"1\n").Text("client_host", "127.0.0.1")
	want := `{"time":"2026-03-01T12:30:00.123Z","kind":"fetch_out_of_range","severity":"warn","node":2,"topic":"orders","partition":0,` +
		`"fields":{"client_id":"app\"1\n","client_host":"127.0.0.1","offset":5,"log_start":100,"log_end":900,"missed":95},` +
		`"sentence":"client app\"1  at 127.0.0.1 asked orders-0 for offset 5, there are 100 to 900: 95 records were gone before it read them"}`
	got, err := json.Marshal(e)
	if err != nil || string(got) != want {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
	bare, _ := json.Marshal(New(KindNodeStopped, at, 0))
	if want := `{"time":"2026-03-01T12:30:00.123Z","kind":"node_stopped","severity":"info","node":0,"sentence":"node 0 stopped cleanly in ? ms"}`; string(bare) != want {
		t.Errorf("got %s", bare)
	}
}

func TestJSONRoundTripOfEveryKind(t *testing.T) {
	for _, k := range Kinds() {
		e := full(k)
		line, err := json.Marshal(e)
		if err != nil || bytes.ContainsAny(line, "\n") {
			t.Fatalf("%s: %v %s", k.Name, err, line)
		}
		var back Event
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatal(err)
		}
		if back.Kind != k || !back.Time.Equal(at) || back.Topic != "orders" || back.Partition != 3 || back.Group != "billing" || back.Node != 7 {
			t.Errorf("%s came back as %+v", k.Name, back)
		}
		if again, _ := json.Marshal(back); !bytes.Equal(again, line) {
			t.Errorf("%s: %s became %s", k.Name, line, again)
		}
	}
}

func TestEventsOfOtherVersionsAreReadable(t *testing.T) {
	line := `{"time":"2030-01-02T03:04:05.000Z","kind":"isr_flap","severity":"error","node":4,"topic":"t","partition":1,"extra":{"a":[1]},` +
		`"fields":{"cause":"slow {disk}","exits":3},"sentence":"t-1 left {x} the ISR 3 times"}`
	var e Event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		t.Fatal(err)
	}
	if e.Kind.Name != "isr_flap" || e.Kind.Severity != slog.LevelError || e.Sentence() != "t-1 left (x) the ISR 3 times" {
		t.Errorf("%+v %q", e.Kind, e.Sentence())
	}
	if cause, _ := e.Value("cause"); cause != "slow {disk}" {
		t.Errorf("cause %q", cause)
	}
	if exits, _ := e.Value("exits"); exits != "3" {
		t.Errorf("exits %q", exits)
	}
	known := `{"time":"2030-01-02T03:04:05Z","kind":"records_deleted","node":1,"fields":{"first":"not a number","before":9,"new_field":1},"sentence":"x"}`
	if err := json.Unmarshal([]byte(known), &e); err != nil || e.Kind != KindRecordsDeleted {
		t.Fatal(err)
	}
	if _, ok := e.Value("first"); ok {
		t.Error("a field of another type was taken")
	}
	if before, _ := e.Value("before"); before != "9" {
		t.Errorf("before %q", before)
	}
}

func TestBadLinesAreErrors(t *testing.T) {
	for _, line := range []string{
		``, `{`, `[]`, `7`, `{}`, `{"time":"yesterday","kind":"x"}`, `{"time":"2030-01-02T03:04:05Z"}`,
		`{"time":"2030-01-02T03:04:05Z","kind":"x","fields":[1]}`, `{"time":"2030-01-02T03:04:05Z","kind":"x","fields":{"a":1.5}}`,
		`{"time":"2030-01-02T03:04:05Z","kind":"x","fields":{"a":{}}}`, `{"time":"2030-01-02T03:04:05Z","kind":"x","fields":{"a":null}}`,
		`{"time":"2030-01-02T03:04:05Z","kind":"x","node":99999999999}`,
		`{"time":"2030-01-02T03:04:05Z","kind":"x","fields":{` + strings.Repeat(`"a":1,`, 65) + `"b":1}}`,
	} {
		var e Event
		if err := json.Unmarshal([]byte(line), &e); err == nil {
			t.Errorf("%s was taken", line)
		}
	}
	if _, err := json.Marshal(Event{}); err == nil {
		t.Error("an event without kind was written")
	}
}

func TestAnEventIsAValue(t *testing.T) {
	a := New(KindRecordsDeleted, at, 1).Number("first", 1)
	b := a.Number("first", 2)
	if v, _ := a.Value("first"); v != "1" {
		t.Errorf("setting a copy changed the original to %s", v)
	}
	if v, _ := b.Value("first"); v != "2" {
		t.Errorf("got %s", v)
	}
}

func TestAFieldTheKindLacksIsABug(t *testing.T) {
	for name, set := range map[string]func(Event) Event{
		"unknown": func(e Event) Event { return e.Number("colour", 1) },
		"type":    func(e Event) Event { return e.Text("first", "1") },
	} {
		broke := false
		func() {
			defer invariant.Catch(func(*invariant.Violation) { broke = true })
			set(New(KindRecordsDeleted, at, 1))
		}()
		if !broke {
			t.Errorf("%s field was taken", name)
		}
	}
}

func TestLogAttrs(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	e := New(KindTruncatedTail, at, 1).In("orders", 2).Number("bytes", 17)
	log.LogAttrs(t.Context(), e.Kind.Severity, "cut", e.LogAttrs()...)
	if !strings.Contains(out.String(), "level=WARN msg=cut event=truncated_tail topic=orders partition=2 bytes=17") {
		t.Error(out.String())
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, k := range Kinds() {
		line, _ := json.Marshal(full(k))
		f.Add(line)
	}
	f.Add([]byte(`{"time":"2030-01-02T03:04:05+01:00","kind":"zz","fields":{"a":1,"a":"x","":2},"sentence":"{a}\u2028{"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var e Event
		if json.Unmarshal(line, &e) != nil {
			return
		}
		_ = e.LogAttrs()
		first, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("read %q, cannot write it: %v", line, err)
		}
		var back Event
		if err := json.Unmarshal(first, &back); err != nil {
			t.Fatalf("wrote %q, cannot read it: %v", first, err)
		}
		if second, _ := json.Marshal(back); !bytes.Equal(first, second) {
			t.Fatalf("unstable: %q then %q", first, second)
		}
		if strings.ContainsAny(e.Sentence(), "\n\r") {
			t.Fatalf("a sentence of two lines: %q", e.Sentence())
		}
	})
}
