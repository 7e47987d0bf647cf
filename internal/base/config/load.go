package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// EnvPrefix begins the environment variables that are settings: HOLDFAST_LOG_RETENTION_MS is log.retention.ms.
const EnvPrefix = "HOLDFAST_"

// notSettings are variables under EnvPrefix that mean something else: to the client commands, to the tests.
var notSettings = []string{"BOOTSTRAP", "CLIENT_CONFIG", "REQUIRE"}

// injected: Kubernetes sets such variables for every service, and one may well be called holdfast.
var injected = regexp.MustCompile(`_SERVICE_(HOST|PORT(_.*)?)$|^SERVICE_(HOST|PORT(_.*)?)$|(^|_)PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`)

// Load reads a node's settings: the properties file ("" for none), then env (as os.Environ gives it), then sets
// (key=value); a later one wins. It reports everything that is wrong at once, as joined *KeyErrors. Notices are
// sentences about what was accepted and has no effect.
func Load(file string, sets, env []string) (*Values, []string, error) {
	var entries []Entry
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return nil, nil, fmt.Errorf("read settings: %w", err)
		}
		defer f.Close()
		if entries, err = ParseProperties(filepath.Base(file), f); err != nil {
			return nil, nil, err
		}
	}
	fromSets, setErr := ParseSets(sets)
	v, notices, err := Assemble(slices.Concat(entries, ParseEnv(env), fromSets))
	if err := errors.Join(setErr, err); err != nil {
		return nil, notices, err
	}
	return v, notices, nil
}

// ParseEnv picks the settings out of an environment of NAME=value. A name under the prefix that is neither a
// setting nor known to be something else is passed on and fails in Assemble, because a setting misspelt in a
// container file is the hardest to notice.
func ParseEnv(env []string) []Entry {
	var out []Entry
	for _, variable := range slices.Sorted(slices.Values(env)) {
		name, value, _ := strings.Cut(variable, "=")
		short, ours := strings.CutPrefix(name, EnvPrefix)
		if !ours || slices.Contains(notSettings, short) || injected.MatchString(short) {
			continue
		}
		key := strings.ToLower(strings.ReplaceAll(short, "_", "."))
		out = append(out, Entry{Key: key, Value: value, Origin: "environment " + name})
	}
	return out
}

// ParseSets reads the values of --set.
func ParseSets(sets []string) ([]Entry, error) {
	var out []Entry
	var errs []error
	for _, s := range sets {
		key, value, ok := strings.Cut(s, "=")
		key = strings.TrimSpace(key)
		if !ok || key == "" {
			name, _, _ := strings.Cut(strings.TrimSpace(s), " ") // what follows may be a secret
			errs = append(errs, fmt.Errorf("--set %q is not key=value", name))
			continue
		}
		out = append(out, Entry{Key: key, Value: value, Origin: "--set"})
	}
	return out, errors.Join(errs...)
}

// Assemble judges entries, of which the last of a key counts, and makes Values of them.
func Assemble(entries []Entry) (*Values, []string, error) {
	v := &Values{static: map[string]Entry{}}
	var notices []string
	var order []string
	for _, e := range entries {
		if old, twice := v.static[e.Key]; twice {
			if fileOf(old.Origin) == fileOf(e.Origin) {
				notices = append(notices, fmt.Sprintf("%s is set twice, %s and %s: the last one counts", e.Key, old.Origin, e.Origin))
			}
		} else {
			order = append(order, e.Key)
		}
		v.static[e.Key] = e
	}
	var errs []error
	ignored := map[Standing][]*Key{}
	for _, name := range order {
		e := v.static[name]
		k, err := judge(e)
		if err != nil {
			errs = append(errs, err)
			delete(v.static, name)
			continue
		}
		if !k.Honoured && k.Standing != DefaultOnly {
			ignored[k.Standing] = append(ignored[k.Standing], k)
		}
	}
	errs = append(errs, v.contradictions()...)
	notices = append(notices, ignoredNotices(ignored)...)
	if err := errors.Join(errs...); err != nil {
		return nil, notices, err
	}
	return newValues(v.static, nil, nil), notices, nil
}

func fileOf(origin string) string { before, _, _ := strings.Cut(origin, " line "); return before }

// judge decides on one entry by itself.
func judge(e Entry) (*Key, error) {
	k, ok := Broker(e.Key)
	if !ok {
		return nil, unknownBroker(e)
	}
	err := k.Check(e.Value)
	if err == nil {
		err = k.Unsupported(e.Value)
	}
	if err != nil {
		return nil, withOrigin(err, e.Origin)
	}
	return k, nil
}

func unknownBroker(e Entry) error {
	if why, ok := gone[e.Key]; ok {
		return &KeyError{Key: e.Key, Origin: e.Origin, Message: why}
	}
	if t, ok := Topic(e.Key); ok {
		why := "is a setting of topics. Set it on a topic (holdfast topic alter TOPIC --config " + e.Key + "=…)"
		if t.Broker != "" {
			why += ", or " + t.Broker + " for all topics"
		}
		return &KeyError{Key: e.Key, Origin: e.Origin, Message: why}
	}
	err := Unknown(e.Key, ScopeBroker)
	err.Origin = e.Origin
	return err
}

func withOrigin(err error, origin string) error {
	var k *KeyError
	if errors.As(err, &k) {
		c := *k
		c.Origin = origin
		return &c
	}
	return err
}

// contradictions finds settings that are fine alone and not together. The error names where it was given.
func (v *Values) contradictions() []error {
	var errs []error
	if _, err := v.Listeners(); err != nil {
		key := "listeners"
		var k *KeyError
		if errors.As(err, &k) {
			key = k.Key
		}
		errs = append(errs, withOrigin(err, v.static[key].Origin))
	}
	node, hasNode := v.static["node.id"]
	broker, hasBroker := v.static["broker.id"]
	if hasNode && hasBroker && strings.TrimSpace(node.Value) != strings.TrimSpace(broker.Value) {
		errs = append(errs, &KeyError{Key: "broker.id", Origin: broker.Origin, Message: "is not the same as node.id. Leave broker.id out"})
	}
	return errs
}

func ignoredNotices(ignored map[Standing][]*Key) []string {
	var out []string
	if keys := ignored[NoMeaning]; len(keys) > 0 {
		names, _ := listKeys(keys)
		out = append(out, fmt.Sprintf("accepted without meaning here: %s", names))
	}
	if keys := ignored[NotYet]; len(keys) > 0 {
		names, features := listKeys(keys)
		out = append(out, fmt.Sprintf("accepted without effect, because these parts are not built yet (%s): %s", features, names))
	}
	return out
}

func listKeys(keys []*Key) (names, features string) {
	var n, f []string
	for _, k := range keys {
		n = append(n, k.Name)
		f = append(f, k.Feature)
	}
	sort.Strings(n)
	sort.Strings(f)
	return strings.Join(n, ", "), strings.Join(slices.Compact(f), ", ")
}
