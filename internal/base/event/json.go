package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// timeLayout is RFC 3339 with milliseconds: an event's time survives the round trip to that precision.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// maxFields bounds what a reader takes from an event of a kind it does not know.
const maxFields = 64

type header struct {
	Time      string          `json:"time"`
	Kind      string          `json:"kind"`
	Severity  string          `json:"severity"`
	Node      int32           `json:"node"`
	Topic     string          `json:"topic,omitempty"`
	Partition *int32          `json:"partition,omitempty"`
	Group     string          `json:"group,omitempty"`
	Fields    json.RawMessage `json:"fields,omitempty"`
	Sentence  string          `json:"sentence"`
}

// MarshalJSON gives one line: time (UTC, milliseconds), kind, severity, node, topic, partition, group, the kind's
// fields in their declared order, and the sentence. Parts that do not apply are left out.
func (e Event) MarshalJSON() ([]byte, error) {
	if e.Kind == nil {
		return nil, errors.New("event: an event without kind has no JSON form")
	}
	h := header{
		Time: e.Time.UTC().Format(timeLayout), Kind: e.Kind.Name, Severity: severityName(e.Kind.Severity), Node: e.Node,
		Topic: e.Topic, Group: e.Group, Sentence: e.Sentence(),
	}
	if e.Partition != NoPartition {
		h.Partition = &e.Partition
	}
	var fields bytes.Buffer
	for i, f := range e.Kind.Fields {
		if i >= len(e.values) || !e.values[i].set {
			continue
		}
		if fields.Len() > 0 {
			fields.WriteByte(',')
		}
		fields.Write(quoted(f.Name))
		fields.WriteByte(':')
		if f.Text {
			fields.Write(quoted(e.values[i].text))
		} else {
			fields.WriteString(strconv.FormatInt(e.values[i].number, 10))
		}
	}
	if fields.Len() > 0 {
		h.Fields = json.RawMessage("{" + fields.String() + "}")
	}
	return json.Marshal(h)
}

func quoted(s string) []byte {
	b, _ := json.Marshal(s) // a string always marshals
	return b
}

// UnmarshalJSON reads what MarshalJSON wrote, of this version or another: fields this kind does not have are
// dropped, and a kind that is not in the table is made up of what the line says.
func (e *Event) UnmarshalJSON(line []byte) error {
	var h header
	if err := json.Unmarshal(line, &h); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, h.Time)
	at = at.UTC()
	if err != nil || at.Year() < 0 || at.Year() > 9999 { // beyond that the form cannot be read back
		return fmt.Errorf("event: %q is no time", h.Time)
	}
	if h.Kind == "" {
		return errors.New("event: no kind")
	}
	names, values, err := parseFields(h.Fields)
	if err != nil {
		return err
	}
	k, known := Lookup(h.Kind)
	if !known {
		k = foreignKind(h, names, values)
	}
	*e = New(k, at, h.Node).In(h.Topic, NoPartition).Of(h.Group)
	if h.Partition != nil {
		e.Partition = *h.Partition
	}
	for n, name := range names {
		if i, ok := k.field(name); ok && k.Fields[i].Text == values[n].isText {
			e.values[i] = values[n].value
		}
	}
	return nil
}

type parsed struct {
	value
	isText bool
}

// parseFields reads a flat object of strings and whole numbers in its own order.
func parseFields(raw json.RawMessage) (names []string, values []parsed, err error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, errors.New("event: fields is no object")
	}
	for d.More() {
		if len(names) == maxFields {
			return nil, nil, fmt.Errorf("event: more than %d fields", maxFields)
		}
		name, _ := d.Token()
		v, err := d.Token()
		if err != nil {
			return nil, nil, fmt.Errorf("event: %w", err)
		}
		p := parsed{value: value{set: true}}
		switch v := v.(type) {
		case string:
			p.text, p.isText = v, true
		case json.Number:
			if p.number, err = v.Int64(); err != nil {
				return nil, nil, fmt.Errorf("event: field %q is no whole number", name)
			}
		default:
			return nil, nil, fmt.Errorf("event: field %q is neither text nor number", name)
		}
		names, values = append(names, name.(string)), append(values, p)
	}
	return names, values, nil
}

// foreignKind is a kind of another version, known only from its line. Its sentence is that of the line, so
// braces in it must not be taken for fields.
func foreignKind(h header, names []string, values []parsed) *Kind {
	k := &Kind{Name: h.Kind, Sentence: strings.NewReplacer("{", "(", "}", ")").Replace(printable(h.Sentence)), Severity: severityOf(h.Severity)}
	for i, name := range names {
		if _, twice := k.field(name); !twice {
			k.Fields = append(k.Fields, Field{Name: name, Text: values[i].isText})
		}
	}
	return k
}

func severityName(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "error"
	case l >= slog.LevelWarn:
		return "warn"
	}
	return "info"
}

func severityOf(s string) slog.Level {
	switch s {
	case "error":
		return slog.LevelError
	case "warn":
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
