package event

import (
	"log/slog"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/base/invariant"
)

// NoPartition is the partition of an event that concerns a whole topic, or none.
const NoPartition int32 = -1

// Event is one occurrence of a kind. Make it with New; the zero Event is of no kind.
type Event struct {
	Kind      *Kind
	Time      time.Time
	Node      int32
	Topic     string // "" if it concerns no topic
	Partition int32  // NoPartition if it concerns no partition
	Group     string // "" if it concerns no group
	values    []value
}

// value is the value of the field with the same index; unset ones read as "?".
type value struct {
	set    bool
	text   string
	number int64
}

// Sink takes events where they happen. Emit does not block on disk or network and does not fail; it is called
// from many goroutines.
type Sink interface{ Emit(Event) }

// SinkFunc is a function that is a Sink.
type SinkFunc func(Event)

// Emit calls the function.
func (f SinkFunc) Emit(e Event) { f(e) }

// Discard is a Sink for those who do not care.
var Discard Sink = SinkFunc(func(Event) {})

// New is an event without partition and with no fields set.
func New(k *Kind, at time.Time, node int32) Event {
	return Event{Kind: k, Time: at, Node: node, Partition: NoPartition, values: make([]value, len(k.Fields))}
}

// In names the topic and partition (NoPartition for the whole topic).
func (e Event) In(topic string, partition int32) Event {
	e.Topic, e.Partition = topic, partition
	return e
}

// Of names the group.
func (e Event) Of(group string) Event { e.Group = group; return e }

// Number sets a number field. A field the kind does not have is a bug of the caller and panics.
func (e Event) Number(name string, n int64) Event {
	return e.set(name, false, value{set: true, number: n})
}

// Text sets a text field. A field the kind does not have is a bug of the caller and panics.
func (e Event) Text(name, s string) Event { return e.set(name, true, value{set: true, text: s}) }

func (e Event) set(name string, text bool, v value) Event {
	i, ok := e.Kind.field(name)
	invariant.That(ok && e.Kind.Fields[i].Text == text, "event: kind %s has no such field %q", e.Kind.Name, name)
	e.values = append([]value(nil), e.values...) // an Event is a value: copies of it do not change
	e.values[i] = v
	return e
}

// Value is a field as text, false if it is unset or unknown.
func (e Event) Value(name string) (string, bool) {
	if e.Kind == nil {
		return "", false
	}
	i, ok := e.Kind.field(name)
	if !ok || i >= len(e.values) || !e.values[i].set {
		return "", false
	}
	if e.Kind.Fields[i].Text {
		return e.values[i].text, true
	}
	return strconv.FormatInt(e.values[i].number, 10), true
}

// Sentence is the event in words, without a trailing full stop. Line breaks and other control characters in
// values - a client chooses its own name - are shown as spaces.
func (e Event) Sentence() string {
	if e.Kind == nil {
		return ""
	}
	var out strings.Builder
	rest := e.Kind.Sentence
	for {
		open := strings.IndexByte(rest, '{')
		if open < 0 {
			break
		}
		end := strings.IndexByte(rest[open:], '}')
		if end < 0 {
			break
		}
		out.WriteString(rest[:open])
		out.WriteString(printable(e.fill(rest[open+1 : open+end])))
		rest = rest[open+end+1:]
	}
	out.WriteString(rest)
	return out.String()
}

func (e Event) fill(name string) string {
	switch name {
	case "node":
		return strconv.FormatInt(int64(e.Node), 10)
	case "topic":
		return e.Topic
	case "partition":
		return strconv.FormatInt(int64(e.Partition), 10)
	case "group":
		return e.Group
	}
	if s, ok := e.Value(name); ok {
		return s
	}
	return "?"
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}

// LogAttrs is the event for a structured log: kind, where it happened, fields.
func (e Event) LogAttrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("event", e.Kind.Name)}
	if e.Topic != "" {
		attrs = append(attrs, slog.String("topic", e.Topic))
	}
	if e.Partition != NoPartition {
		attrs = append(attrs, slog.Int("partition", int(e.Partition)))
	}
	if e.Group != "" {
		attrs = append(attrs, slog.String("group", e.Group))
	}
	for i, f := range e.Kind.Fields {
		switch v := e.values[i]; {
		case !v.set:
		case f.Text:
			attrs = append(attrs, slog.String(f.Name, v.text))
		default:
			attrs = append(attrs, slog.Int64(f.Name, v.number))
		}
	}
	return attrs
}
