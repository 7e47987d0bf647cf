package wire

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/errors.md anew")

const errorsDoc = "../../../docs/errors.md"

// TestErrorsDoc fails when docs/errors.md does not say what the table says; go generate ./internal/proto/wire writes it.
func TestErrorsDoc(t *testing.T) {
	want := writeErrorsDoc()
	if *update {
		if err := os.WriteFile(errorsDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(errorsDoc)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Fatal("docs/errors.md is stale: run go generate ./internal/proto/wire")
	}
}

func writeErrorsDoc() string {
	var b strings.Builder
	b.WriteString(`# Errors

<!-- Generated from internal/proto/wire/answers.go by go generate ./internal/proto/wire. Do not edit. -->

Every error this broker answers, by API. Numbers and names are Apache Kafka's. An answer that is not listed here is a bug.

- **Retriable**: the same request may succeed when it is sent again, perhaps to another broker after a look at fresh metadata.
- **Outcome**: *failed* means that the request changed nothing and never will. *Unknown* means that it may have taken effect, wholly or in
  part, now or later: a producer with idempotence (the default of most clients) sends the batch again without harm, others may
  write it twice; an administrator's request shows its effect in what Metadata or DescribeConfigs say.

No answer at all - the connection broke or the client's own time-out passed - leaves the outcome unknown, too. A request that cannot be read
(broken header or body, unknown API, a version that is not advertised, larger than allowed) changes nothing; the broker closes the
connection. ApiVersions of an unknown version is answered.
`)
	for i := range answers {
		a := &answers[i]
		api, _ := Lookup(a.key)
		fmt.Fprintf(&b, "\n## %s\n\nKey %d, versions %d to %d.\n\n", api.Name, api.Key, api.Min, api.Max)
		b.WriteString("| code | error | retriable | outcome | when |\n|---:|---|---|---|---|\n")
		for _, r := range a.rows {
			retriable := "no"
			if r.code.Retriable() {
				retriable = "yes"
			}
			fmt.Fprintf(&b, "| %d | %s | %s | %s | %s |\n", int16(r.code), r.code, retriable, r.outcome, r.when)
		}
	}
	return b.String()
}

// TestAnswersTable: each API of the table has its errors, each once and in the order of their numbers, each with a reason.
func TestAnswersTable(t *testing.T) {
	apis := APIs()
	if len(answers) != len(apis) {
		t.Fatalf("%d APIs have errors, %d are served", len(answers), len(apis))
	}
	for i, a := range answers {
		if a.key != apis[i].Key {
			t.Fatalf("entry %d is of API %d, want %s", i, a.key, apis[i].Name)
		}
		for j, r := range a.rows {
			switch {
			case !r.code.Known() || r.code == None || r.code == UnknownServerError:
				t.Errorf("%s: %s is no answer", apis[i].Name, r.code)
			case j > 0 && a.rows[j-1].code >= r.code:
				t.Errorf("%s: %s is out of order", apis[i].Name, r.code)
			case !strings.HasSuffix(r.when, "."):
				t.Errorf("%s: %s: %q is no sentence", apis[i].Name, r.code, r.when)
			}
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		key  int16
		code Code
		want Class
		ok   bool
	}{
		{KeyProduce, None, Class{}, true},
		{KeyProduce, RequestTimedOut, Class{Retriable: true, Outcome: Unknown}, true},
		{KeyProduce, MessageTooLarge, Class{}, true},
		{KeyProduce, NotEnoughReplicasAfterAppend, Class{Retriable: true, Outcome: Unknown}, true},
		{KeyProduce, UnknownServerError, Class{}, false},
		{KeyFetch, NotLeaderOrFollower, Class{Retriable: true}, true},
		{KeyCreateTopics, TopicAlreadyExists, Class{}, true},
		{KeyCreateTopics, OffsetOutOfRange, Class{}, false},
		{9999, None, Class{}, false},
	} {
		if got, ok := Answers(c.key, c.code); got != c.want || ok != c.ok {
			t.Errorf("%d %s: %v %v, want %v %v", c.key, c.code, got, ok, c.want, c.ok)
		}
	}
}
