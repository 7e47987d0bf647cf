package node_test

import (
	"fmt"
	"maps"
	"net"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// dialogue asks a broker one thing after the other, over as many connections as it takes, and writes down what was
// answered in a form that is the same whoever answers: ids that are made up are numbered, texts for people, addresses and
// times left out.
type dialogue struct {
	t     *testing.T
	addr  string
	conns map[string]*raw
	open  map[string]kmsg.Request // posted and not yet answered
	made  map[string]string       // ids that were made up, as they are written down
	known map[string]string       // those of them with a name
	log   strings.Builder
}

func newDialogue(t *testing.T, addr string) *dialogue {
	return &dialogue{t: t, addr: addr, conns: map[string]*raw{}, open: map[string]kmsg.Request{}, made: map[string]string{}, known: map[string]string{}}
}

// conn is one client's connection, by the client's name.
func (d *dialogue) conn(who string) *raw {
	d.t.Helper()
	if c := d.conns[who]; c != nil {
		return c
	}
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	d.conns[who] = &raw{d.t, c}
	return d.conns[who]
}

// title begins a scene. What was made up before is forgotten, so that numbers do not run through the whole play.
func (d *dialogue) title(what string) {
	fmt.Fprintf(&d.log, "\n# %s\n", what)
	d.made = maps.Clone(d.known)
}

// post sends a request whose answer may take its time.
func (d *dialogue) post(who string, q kmsg.Request) {
	d.t.Helper()
	d.conn(who).SetDeadline(time.Now().Add(20 * time.Second))
	d.conn(who).send(kmsg.NewRequestFormatter(kmsg.FormatterClientID(who)).AppendRequest(nil, q, 7))
	d.open[who] = q
}

// hear reads the answer to what was posted, and writes it down.
func (d *dialogue) hear(who string) kmsg.Response {
	d.t.Helper()
	q := d.open[who]
	delete(d.open, who)
	name := strings.TrimPrefix(reflect.TypeOf(q).Elem().Name(), "kmsg.")
	name = strings.TrimSuffix(name, "Request")
	frame, err := d.conn(who).next()
	if err != nil {
		fmt.Fprintf(&d.log, "%s %s %d: the connection ends\n", who, name, q.GetVersion())
		d.conns[who].Close()
		delete(d.conns, who)
		return nil
	}
	body := frame[4:]
	if q.IsFlexible() {
		body = body[1:]
	}
	resp := q.ResponseKind()
	if err := resp.ReadFrom(body); err != nil {
		d.t.Fatalf("answer to %T: %v", q, err)
	}
	var b strings.Builder
	d.write(&b, reflect.ValueOf(resp).Elem())
	fmt.Fprintf(&d.log, "%s %s %d: %s\n", who, name, q.GetVersion(), d.text(b.String()))
	return resp
}

func (d *dialogue) ask(who string, q kmsg.Request) kmsg.Response {
	d.t.Helper()
	d.post(who, q)
	return d.hear(who)
}

// unsaid are fields that differ from broker to broker, or from run to run.
var unsaid = map[string]bool{
	"Version": true, "ThrottleMillis": true, "UnknownTags": true, "ErrorMessage": true, "Host": true, "Port": true, "HeartbeatIntervalMillis": true,
	"ClientHost": true,
}

var madeUp = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

func (d *dialogue) text(s string) string { return madeUp.ReplaceAllStringFunc(s, d.number) }

func (d *dialogue) number(id string) string {
	if d.made[id] == "" {
		d.made[id] = fmt.Sprintf("<%d>", len(d.made)+1)
	}
	return d.made[id]
}

// rising are numbers of which only the order matters.
var rising = map[string]bool{"MemberEpoch": true, "Epoch": true, "AssignmentEpoch": true}

// write writes what a field says; what is zero says nothing.
func (d *dialogue) write(b *strings.Builder, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			b.WriteString("null")
			return
		}
		d.write(b, v.Elem())
	case reflect.Struct:
		b.WriteByte('{')
		sep := ""
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if unsaid[f.Name] || v.Field(i).IsZero() {
				continue
			}
			b.WriteString(sep + f.Name + ":")
			if rising[f.Name] && v.Field(i).Int() > 0 {
				b.WriteByte('+')
			} else {
				d.write(b, v.Field(i))
			}
			sep = " "
		}
		b.WriteByte('}')
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			fmt.Fprintf(b, "%q", v.Bytes())
			return
		}
		parts := make([]string, v.Len())
		for i := range parts {
			var part strings.Builder
			d.write(&part, v.Index(i))
			parts[i] = part.String()
		}
		slices.SortFunc(parts, func(a, b string) int { // Kafka's order is often that of a hash table
			return strings.Compare(madeUp.ReplaceAllString(a, ""), madeUp.ReplaceAllString(b, ""))
		})
		fmt.Fprint(b, parts)
	case reflect.Array:
		id := [16]byte{}
		reflect.Copy(reflect.ValueOf(&id).Elem(), v)
		b.WriteString(d.number(topicID(id)))
	case reflect.String:
		fmt.Fprintf(b, "%q", v.String())
	default:
		fmt.Fprint(b, v.Interface())
	}
}

// golden compares what was written down with a file that Apache Kafka's answers made: run with HOLDFAST_GROUPS_OF=HOST:PORT
// of a Kafka to write it.
func (d *dialogue) golden(file string) {
	d.t.Helper()
	got := strings.TrimPrefix(d.log.String(), "\n")
	if os.Getenv("HOLDFAST_GROUPS_OF") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			d.t.Fatal(err)
		}
		return
	}
	data, err := os.ReadFile(file)
	if err != nil {
		d.t.Fatal(err)
	}
	want := strings.Split(string(data), "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(want) || line != want[i] {
			after := "the end"
			if i < len(want) {
				after = want[i]
			}
			d.t.Errorf("%s line %d:\n  got %s\nKafka %s", file, i+1, line, after)
		}
	}
}
