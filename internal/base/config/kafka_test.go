package config

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// kafkaKey is one line of testdata/kafka-4.3.1.tsv, which Kafka 4.3.1 printed about itself (KafkaKeys.java).
type kafkaKey struct {
	scope, name, typ, def, valid, mode string
	synonyms                           []string
	internal                           bool
}

func kafkaKeys(t *testing.T) []kafkaKey {
	t.Helper()
	data, err := os.ReadFile("testdata/kafka-4.3.1.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var out []kafkaKey
	for _, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		f := strings.Split(line, "\t")
		if strings.HasPrefix(line, "#") || len(f) < 8 {
			continue
		}
		k := kafkaKey{f[0], f[1], f[2], f[3], f[4], f[5], nil, f[7] != ""}
		if f[6] != "" {
			k.synonyms = strings.Split(f[6], ",")
		}
		out = append(out, k)
	}
	if len(out) < 300 {
		t.Fatalf("only %d keys read", len(out))
	}
	return out
}

// departures are the broker keys whose type, default or mode is not Kafka's, and why.
var departures = map[string]string{
	"node.id":                               "Kafka demands one; a fresh folder becomes node 1 without being asked",
	"broker.id":                             "Kafka's default -1 means unset",
	"process.roles":                         "Kafka demands them; a node is both unless told otherwise",
	"group.consumer.assignment.interval.ms": "a group is divided within a tenth of a second; Kafka takes a second",
	"log.dir":                               "Kafka's default lies in /tmp, which a restart may empty",
	"listeners":                             "loopback unless told otherwise; and changing them takes a restart here",
	"controller.listener.names":             "Kafka demands them; nothing listens there while the cluster is one node",
	"default.replication.factor":            "Kafka's default 1 loses data with one disk; ours rises with the cluster",
	"listener.security.protocol.map":        "changing it takes a restart here",

	"log.cleaner.io.max.bytes.per.second": "the same number, spelt in another language",
}

func TestTopicKeysAreKafkas(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range kafkaKeys(t) {
		if k.scope != "topic" || k.internal {
			continue
		}
		seen[k.name] = true
		ours, ok := Topic(k.name)
		if !ok {
			t.Errorf("%s is missing", k.name)
			continue
		}
		if ours.Type.String() != k.typ || ours.Default != k.def || ours.Null || ours.Own {
			t.Errorf("%s: %s %q, Kafka has %s %q", k.name, ours.Type, ours.Default, k.typ, k.def)
		}
		if got := ourSynonyms(ours); !slices.Equal(got, k.synonyms) {
			t.Errorf("%s: synonyms %v, Kafka has %v", k.name, got, k.synonyms)
		}
		if (k.valid == "") != (ours.Range() == "") {
			t.Errorf("%s: range %q, Kafka has %q", k.name, ours.Range(), k.valid)
		}
	}
	for _, k := range TopicKeys() {
		if !seen[k.Name] && !k.Own {
			t.Errorf("%s is not a topic key of Kafka", k.Name)
		}
	}
}

// ourSynonyms spells a topic key's chain as KafkaKeys.java does: name=what "1" becomes.
func ourSynonyms(k *Key) []string {
	if k.Broker == "" {
		return nil
	}
	out := []string{k.Broker + "=1"}
	b, _ := Broker(k.Broker)
	for _, s := range b.Synonyms {
		out = append(out, s.Name+"="+strconv.FormatInt(s.Unit, 10))
	}
	return out
}

func TestBrokerKeysAreKafkas(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range kafkaKeys(t) {
		if k.scope != "broker" {
			continue
		}
		seen[k.name] = true
		ours, ok := Broker(k.name)
		if !ok {
			t.Errorf("%s is missing", k.name)
			continue
		}
		if ours.Secret != (k.typ == "password") {
			t.Errorf("%s: secret %v, Kafka's type is %s", k.name, ours.Secret, k.typ)
		}
		def := ours.Default
		if ours.Null {
			def = "<null>"
		}
		same := ours.Type.String() == k.typ && def == k.def && ours.Mode.String() == k.mode
		if ours.Doc == "" {
			same = ours.Standing != DefaultOnly || ours.Null || ours.Default == k.def
		}
		if _, known := departures[k.name]; same == known {
			t.Errorf("%s: %s %q %s, Kafka has %s %q %s; listed as a departure: %v", k.name, ours.Type, def, ours.Mode, k.typ, k.def, k.mode, known)
		}
	}
	for _, k := range BrokerKeys() {
		if !seen[k.Name] && !k.Own {
			t.Errorf("%s is not a broker key of Kafka", k.Name)
		}
		if k.Own && seen[k.Name] {
			t.Errorf("%s is Kafka's, not ours", k.Name)
		}
	}
}

// lenient are values Kafka takes by the grace of Java's number parsers.
var lenient = map[string]bool{"NaN": true, "1d": true, "5f": true, "\u0661": true}

// strict are the broker keys that Kafka judges at start-up and not in its validators, or takes and cannot obey.
var strict = map[string]bool{
	"listeners": true, "advertised.listeners": true, "listener.security.protocol.map": true, "process.roles": true,
	"default.replication.factor": true, "broker.id": true, "max.connections.per.ip.overrides": true,
	"log.retention.hours": true, "log.retention.minutes": true, "log.retention.ms": true, "log.roll.ms": true, "log.roll.jitter.ms": true,
	"log.cleaner.dedupe.buffer.size": true, "log.cleaner.io.buffer.load.factor": true, "log.cleaner.io.max.bytes.per.second": true,
	"log.flush.interval.ms": true, "log.flush.scheduler.interval.ms": true, "controller.quorum.bootstrap.servers": true,
}

func TestValuesAreJudgedAsByKafka(t *testing.T) {
	data, err := os.ReadFile("testdata/kafka-4.3.1-verdicts.tsv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	probes := unquoteAll(t, lines[0])
	compared := 0
	for _, line := range lines[1:] {
		scope, rest, _ := strings.Cut(line, "\t")
		name, _, _ := strings.Cut(rest, "\t")
		k, ok := Topic(name)
		if scope == "broker" {
			k, ok = Broker(name)
		}
		if !ok || k.Doc == "" || (scope == "broker" && strict[name]) {
			continue
		}
		taken := unquoteAll(t, line)
		for _, value := range probes {
			if err := k.Check(value); (err == nil) != slices.Contains(taken, value) && !lenient[value] {
				t.Errorf("%s %s=%q: %v, Kafka takes it: %v", scope, name, value, err, err != nil)
			}
			compared++
		}
	}
	if compared < 6000 {
		t.Errorf("only %d verdicts compared", compared)
	}
}

// unquoteAll reads the quoted values after the first two columns.
func unquoteAll(t *testing.T, line string) []string {
	t.Helper()
	var out []string
	for _, quoted := range strings.Split(line, "\t")[2:] {
		s, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatalf("%s: %v", quoted, err)
		}
		out = append(out, s)
	}
	return out
}

func TestEveryKeyIsDocumentedAndSound(t *testing.T) {
	for _, k := range append(TopicKeys(), BrokerKeys()...) {
		if !strings.HasSuffix(k.Doc, ".") || len(k.Doc) < 20 || strings.Contains(k.Doc, "\n") {
			t.Errorf("%s: doc %q", k.Name, k.Doc)
		}
		if !k.Null {
			if err := k.Check(k.Default); err != nil {
				t.Errorf("default of %s: %v", k.Name, err)
			}
			if err := k.Unsupported(k.Default); err != nil {
				t.Errorf("default of %s: %v", k.Name, err)
			}
			if n, _ := k.Normal(k.Default); n != k.Default {
				t.Errorf("default of %s is spelt %q, not %q", k.Name, k.Default, n)
			}
		}
		if !k.Honoured && k.Feature == "" {
			t.Errorf("%s is not honoured and does not say what is missing", k.Name)
		}
		if k.Broker != "" {
			if b, ok := Broker(k.Broker); !ok || b.Type != k.Type {
				t.Errorf("%s falls back to %s", k.Name, k.Broker)
			}
		}
		for _, s := range k.Synonyms {
			if _, ok := Broker(s.Name); !ok {
				t.Errorf("%s has the unknown synonym %s", k.Name, s.Name)
			}
		}
	}
	names := slices.Collect(maps.Keys(gone))
	for _, name := range names {
		if _, ok := Broker(name); ok {
			t.Errorf("%s is gone and there", name)
		}
	}
}
