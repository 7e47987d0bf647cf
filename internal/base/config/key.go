package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Scope says whose setting a key is.
type Scope uint8

// The scopes; a topic or group key may fall back to a broker key.
const (
	ScopeBroker Scope = iota
	ScopeTopic
	ScopeGroup
)

// String is "broker", "topic" or "group", as errors and --help say it.
func (s Scope) String() string { return [...]string{"broker", "topic", "group"}[s] }

// Type is Kafka's config type with the number DescribeConfigs uses for it.
type Type int8

// Kafka's config types.
const (
	Boolean  Type = 1
	String   Type = 2
	Int      Type = 3
	Short    Type = 4
	Long     Type = 5
	Double   Type = 6
	List     Type = 7
	Class    Type = 8
	Password Type = 9
)

var typeNames = [...]string{"unknown", "boolean", "string", "int", "short", "long", "double", "list", "class", "password"}

// String is Kafka's lower-case name of the type.
func (t Type) String() string {
	if t < 0 || int(t) >= len(typeNames) {
		return typeNames[0]
	}
	return typeNames[t]
}

// Mode says how a broker key can change: only by a restart, for one broker, or for all of them as well.
type Mode uint8

// The modes, named as in Kafka's documentation.
const (
	ReadOnly Mode = iota
	PerBroker
	ClusterWide
)

// String is Kafka's name of the mode.
func (m Mode) String() string {
	return [...]string{"read-only", "per-broker", "cluster-wide"}[m]
}

// Standing says what Holdfast does with a key; see the package comment.
type Standing uint8

// The standings.
const (
	Obeyed Standing = iota
	DefaultOnly
	NotYet
	NoMeaning
)

// Synonym is a broker key that stands in for another one when that has no value of its own.
// The stand-in's number times Unit is the value (3600000 for hours that stand in for milliseconds, else 1).
type Synonym struct {
	Name string
	Unit int64
}

// Key is one setting. Treat it as read-only: keys are shared by everybody.
type Key struct {
	Name      string
	Scope     Scope
	Type      Type
	Default   string
	Null      bool // no default: unset until given (Kafka's null)
	Standing  Standing
	Honoured  bool // Standing == Obeyed
	Mode      Mode
	Dynamic   bool // can change while the node runs; true for every topic and group key
	Secret    bool // never printed, never described
	Own       bool // Holdfast's, unknown to Kafka
	Doc       string
	Broker    string    // topic or group key: the broker key it falls back to, "" for none
	Synonyms  []Synonym // broker key: stand-ins in order of precedence
	Feature   string    // for a key that is not honoured: the part it belongs to, as a noun ("compaction")
	valid     valid
	unsupport func(value string) string // reason why a valid value is refused today, "" if it is not
}

// valid is a range or an enumeration: a text that completes "must be …" and the test for it.
// The zero valid admits every value of the type.
type valid struct {
	text string
	ok   func(v string) bool
}

// Range describes the admitted values ("at least -1", "one of a, b"), or "" if every value of the type is.
func (k *Key) Range() string { return k.valid.text }

// Check tells whether value is of the key's type and in its range, as Kafka would judge it. It does not
// know whether Holdfast can do what the value asks for: see Unsupported. The error is a sentence that
// names the key and, unless it is secret, the value.
func (k *Key) Check(value string) error {
	v, err := k.Normal(value)
	if err != nil {
		return err
	}
	if k.valid.ok != nil && !k.valid.ok(v) {
		return k.errorf("%s must be %s", k.quote(value), k.valid.text)
	}
	return nil
}

// Unsupported says in words why a valid value cannot be obeyed today, or returns nil.
func (k *Key) Unsupported(value string) error {
	v, err := k.Normal(value)
	if err != nil {
		return err
	}
	if k.unsupport != nil {
		if why := k.unsupport(v); why != "" {
			return k.errorf("%s", why)
		}
		return nil
	}
	if k.Standing != DefaultOnly {
		return nil
	}
	if d, err := k.Normal(k.Default); !k.Null && err == nil && v == d {
		return nil
	}
	what := "is not supported yet"
	if k.Feature != "" {
		what = k.Feature + " is not supported yet"
	}
	if k.Null || k.Default == "" {
		return k.errorf("%s. Leave this setting out", what)
	}
	return k.errorf("%s. Leave it at %s", what, k.Default)
}

// Normal brings a value into the one spelling in which two equal values are equal strings: trimmed,
// numbers without plus sign or leading zeros, booleans in lower case, lists joined by a bare comma.
func (k *Key) Normal(value string) (string, error) {
	v := strings.TrimSpace(value)
	switch k.Type {
	case Boolean:
		v = strings.ToLower(v)
		if v != "true" && v != "false" {
			return "", k.errorf("%s must be true or false", k.quote(value))
		}
	case Int, Short, Long:
		bits := map[Type]int{Int: 32, Short: 16, Long: 64}[k.Type]
		n, err := strconv.ParseInt(v, 10, bits)
		if err != nil {
			return "", k.errorf("%s must be a whole number%s", k.quote(value), numberHint(k.Type, err))
		}
		v = strconv.FormatInt(n, 10)
	case Double:
		f, err := strconv.ParseFloat(v, 64)
		if err != nil || math.IsNaN(f) {
			return "", k.errorf("%s must be a number", k.quote(value))
		}
		v = strconv.FormatFloat(f, 'g', -1, 64)
	case List:
		v = strings.Join(SplitList(v), ",")
	}
	return v, nil
}

func numberHint(t Type, err error) string {
	if strings.Contains(err.Error(), "out of range") {
		return fmt.Sprintf(" that fits into %s (%d bits)", t, map[Type]int{Int: 32, Short: 16, Long: 64}[t])
	}
	return ", without unit"
}

func (k *Key) quote(value string) string {
	if k.Secret {
		return "the value"
	}
	if len(value) > 80 {
		value = value[:80] + "…"
	}
	return strconv.Quote(value)
}

func (k *Key) errorf(format string, args ...any) error {
	return &KeyError{Scope: k.Scope, Key: k.Name, Message: fmt.Sprintf(format, args...)}
}

// KeyError is one thing wrong with one setting. Origin says where it was given ("server.properties line 12",
// "--set", "environment HOLDFAST_LOG_DIRS"), "" if the caller knows.
type KeyError struct {
	Scope   Scope
	Key     string
	Origin  string
	Message string
	unknown bool // Message is a whole sentence of its own
}

// Error is one sentence without a trailing full stop.
func (e *KeyError) Error() string {
	s := e.Message
	if !e.unknown {
		s = fmt.Sprintf("%s setting %s: %s", e.Scope, e.Key, e.Message)
	}
	if e.Origin != "" {
		s = e.Origin + ": " + s
	}
	return s
}

// Unknown is the error for a name that is in no table; it offers the nearest name if one is near.
func Unknown(name string, scope Scope) *KeyError {
	s := fmt.Sprintf("%s setting %q does not exist.", scope, name)
	if other := notGroups(name); scope == ScopeGroup && other != "" {
		s += other
	} else if near := Nearest(name, scope); near != "" {
		s += " Did you mean " + near + "?"
	}
	if scope == ScopeGroup {
		return &KeyError{Scope: scope, Key: name, Message: s + " A group may have " + strings.Join(groups.names(), ", "), unknown: true}
	}
	flag := "--broker"
	if scope == ScopeTopic {
		flag = "--topic"
	}
	s += fmt.Sprintf(" (holdfast config keys %s lists all)", flag)
	return &KeyError{Scope: scope, Key: name, Message: s, unknown: true}
}

// SplitList splits a list value at its commas, trims each item, and returns nil for an empty value.
func SplitList(value string) []string {
	value = strings.TrimSpace(value)
	if value == "" {
		return nil
	}
	items := strings.Split(value, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

func atLeast(n int64) valid {
	return valid{fmt.Sprintf("at least %d", n), func(v string) bool { return atof(v) >= float64(n) }}
}

func between(a, b int64) valid {
	return valid{fmt.Sprintf("between %d and %d", a, b), func(v string) bool { return atof(v) >= float64(a) && atof(v) <= float64(b) }}
}

func oneOf(values ...string) valid {
	return valid{"one of " + strings.Join(values, ", "), func(v string) bool { return slices.Contains(values, v) }}
}

// listOf admits lists of distinct, known items.
func listOf(values ...string) valid {
	return valid{"a list of " + strings.Join(values, ", "), func(v string) bool {
		items := SplitList(v)
		for i, item := range items {
			if !slices.Contains(values, item) || slices.Contains(items[:i], item) {
				return false
			}
		}
		return true
	}}
}

// distinct admits lists of at least one item, none of them empty or twice there.
var distinct = valid{"a list of distinct names", func(v string) bool {
	items := SplitList(v)
	for i, item := range items {
		if item == "" || slices.Contains(items[:i], item) {
			return false
		}
	}
	return len(items) > 0
}}

// atof reads a number that Normal has already checked. Limits are small, so float64 loses nothing that matters.
func atof(v string) float64 {
	f, _ := strconv.ParseFloat(v, 64)
	return f
}
