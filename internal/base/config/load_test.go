package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func assemble(t *testing.T, text string) (*Values, []string, error) {
	t.Helper()
	entries, err := ParseProperties("server.properties", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return Assemble(entries)
}

func mustAssemble(t *testing.T, text string) *Values {
	t.Helper()
	v, _, err := assemble(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestKafkasPropertiesFileWorks(t *testing.T) {
	v, notices, err := Load(filepath.Join("testdata", "server.properties"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(notices) != 2 {
		t.Errorf("%d notices: %q", len(notices), notices)
	}
	for _, key := range []string{"num.io.threads", "metric.reporters", "zookeeper.connect", "log4j.rootLogger", "inter.broker.protocol.version"} {
		if !strings.Contains(notices[0], key) {
			t.Errorf("the notice %q does not name %s", notices[0], key)
		}
	}
	for _, key := range []string{"share.coordinator.state.topic.replication.factor", "share groups", "replica.lag.time.max.ms"} {
		if !strings.Contains(notices[1], key) {
			t.Errorf("the notice %q does not name %s", notices[1], key)
		}
	}
	c := ResolveTopic(v, nil)
	if c.RetentionMs != 48*3_600_000 || c.RetentionBytes != 1<<30 || c.SegmentBytes != 512<<20 || c.FlushMessages != 10000 || c.FlushMs != 1000 {
		t.Errorf("topics get %+v", c)
	}
	if v.Bool("auto.create.topics.enable") || v.Int("num.partitions") != 3 || !slices.Equal(v.List("log.dirs"), []string{"/tmp/kraft-combined-logs"}) {
		t.Error("broker settings were not taken")
	}
	l, err := v.Listeners()
	if err != nil || len(l) != 1 || l[0] != (Listener{"PLAINTEXT", "", 9092, "localhost", 9092}) || !l[0].Wildcard() {
		t.Errorf("listeners %+v, %v", l, err)
	}
}

func TestOrderOfSources(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p")
	if err := os.WriteFile(file, []byte("num.partitions=2\nlog.retention.hours=1\nnode.id=5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v, notices, err := Load(file, []string{"node.id=7", "num.partitions = 4"}, []string{"HOLDFAST_NODE_ID=6", "HOLDFAST_LOG_RETENTION_HOURS=2", "PATH=/bin"})
	if err != nil || len(notices) != 0 {
		t.Fatal(err, notices)
	}
	if v.Int("node.id") != 7 || v.Int("num.partitions") != 4 || v.Int("log.retention.hours") != 2 || v.Int("fetch.max.bytes") != 57671680 {
		t.Errorf("got %v", v)
	}
	if v.Source("node.id") != StaticBrokerConfig || v.Source("fetch.max.bytes") != DefaultConfig {
		t.Error("sources are wrong")
	}
	want := []Entry{{"log.retention.hours", "2", "environment HOLDFAST_LOG_RETENTION_HOURS"}, {"node.id", "7", "--set"}, {"num.partitions", " 4", "--set"}}
	if got := v.Given(); !slices.Equal(got, want) {
		t.Errorf("given %q", got)
	}
	if _, _, err := Load(filepath.Join(t.TempDir(), "none"), nil, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file gave %v", err)
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	_, _, err := assemble(t, strings.Join([]string{
		"num.partitions=0", "log.retention.hour=24", "retention.ms=1000", "port=9092", "ssl.keystore.password=hunter2",
		"log.cleanup.policy=shrink", "authorizer.class.name=x.Y", "node.id=one", "log.dirs=/a,/b", "message.max.bytes=3000000000",
		"log.retention.ms=0", "controller.quorum.voters=1@a:1,2@b:1", "listener.name.internal.ssl.key.password=hunter2", "shoe.size=44",
	}, "\n"))
	if err == nil {
		t.Fatal("accepted")
	}
	want := []string{
		`server.properties line 1: broker setting num.partitions: "0" must be at least 1`,
		`server.properties line 2: broker setting "log.retention.hour" does not exist. Did you mean log.retention.hours? (holdfast config keys --broker lists all)`,
		`server.properties line 3: broker setting retention.ms: is a setting of topics. Set it on a topic (holdfast topic alter TOPIC --config retention.ms=…), or log.retention.ms for all topics`,
		`server.properties line 4: broker setting port: is no longer a setting. Use listeners=PLAINTEXT://HOST:PORT`,
		`server.properties line 5: broker setting ssl.keystore.password: TLS is not supported yet. Leave this setting out`,
		`server.properties line 6: broker setting log.cleanup.policy: "shrink" must be a list of compact, delete`,
		`server.properties line 7: broker setting authorizer.class.name: access control is not supported yet. Leave this setting out`,
		`server.properties line 8: broker setting node.id: "one" must be a whole number, without unit`,
		`server.properties line 9: broker setting log.dirs: 2 data folders are not supported yet. Name one`,
		`server.properties line 10: broker setting message.max.bytes: "3000000000" must be a whole number that fits into int (32 bits)`,
		`server.properties line 11: broker setting log.retention.ms: "0" must be -1, or at least 1`,
		`server.properties line 12: broker setting controller.quorum.voters: 2 voters are not supported yet. A cluster is one node so far: name this node alone, or leave it out`,
		`server.properties line 13: broker setting listener.name.internal.ssl.key.password: a setting for a single listener is not supported yet. Leave this setting out`,
		`server.properties line 14: broker setting "shoe.size" does not exist. (holdfast config keys --broker lists all)`,
	}
	if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, want) {
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Errorf("line %d\n got %s\nwant %s", i+1, at(got, i), at(want, i))
			}
		}
	}
	var k *KeyError
	if !errors.As(err, &k) || k.Key != "num.partitions" {
		t.Errorf("no KeyError in %v", err)
	}
}

func at(s []string, i int) string {
	if i < len(s) {
		return s[i]
	}
	return "(nothing)"
}

func TestALaterValueMendsAnEarlierOne(t *testing.T) {
	v, notices, err := Assemble([]Entry{{"node.id", "x", "f line 1"}, {"node.id", "3", "--set"}})
	if err != nil || len(notices) != 0 || v.Int("node.id") != 3 {
		t.Errorf("%v %v", notices, err)
	}
	_, notices, _ = Assemble([]Entry{{"node.id", "2", "f line 1"}, {"node.id", "3", "f line 9"}})
	if len(notices) != 1 || notices[0] != "node.id is set twice, f line 1 and f line 9: the last one counts" {
		t.Errorf("%q", notices)
	}
}

func TestEnvironment(t *testing.T) {
	env := []string{
		"HOME=/root", "HOLDFAST_BOOTSTRAP=h:1", "HOLDFAST_REQUIRE=all", "HOLDFAST_PORT=tcp://10.0.0.1:9092", "HOLDFAST_PORT_9092_TCP=x",
		"HOLDFAST_PORT_9092_TCP_ADDR=x", "HOLDFAST_SERVICE_HOST=x", "HOLDFAST_SERVICE_PORT_KAFKA=1", "HOLDFAST_0_SERVICE_HOST=x", "HOLDFAST_HTTP_LISTENER=off",
	}
	if got := ParseEnv(env); len(got) != 1 || got[0] != (Entry{"http.listener", "off", "environment HOLDFAST_HTTP_LISTENER"}) {
		t.Errorf("got %q", got)
	}
	_, _, err := Load("", nil, []string{"HOLDFAST_NUM_PARTITION=3"})
	if err == nil || !strings.Contains(err.Error(), "environment HOLDFAST_NUM_PARTITION") || !strings.Contains(err.Error(), "num.partitions?") {
		t.Errorf("got %v", err)
	}
	for _, k := range BrokerKeys() { // every key can be said in the environment
		if got := ParseEnv([]string{EnvPrefix + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_")) + "=1"}); len(got) != 1 || got[0].Key != k.Name {
			t.Errorf("%s: %q", k.Name, got)
		}
	}
}

func TestSets(t *testing.T) {
	_, _, err := Load("", []string{"node.id", "=3", "node.id=2", "ssl.key.password hunter2"}, nil)
	if err == nil || err.Error() != "--set \"node.id\" is not key=value\n--set \"=3\" is not key=value\n--set \"ssl.key.password\" is not key=value" {
		t.Errorf("got %v", err)
	}
}

func TestStandInsByPrecedence(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
	}{
		{"", 604_800_000},
		{"log.retention.hours=2", 7_200_000},
		{"log.retention.hours=2\nlog.retention.minutes=3", 180_000},
		{"log.retention.ms=5\nlog.retention.hours=2\nlog.retention.minutes=3", 5},
		{"log.retention.hours=-1", -1},
		{"log.retention.minutes=-1\nlog.retention.hours=2", -1},
	} {
		v := mustAssemble(t, c.text)
		if got := v.Int64("log.retention.ms"); got != c.want {
			t.Errorf("%q: %d", c.text, got)
		}
		if got := ResolveTopic(v, nil).RetentionMs; got != c.want {
			t.Errorf("%q: topics get %d", c.text, got)
		}
	}
	v := mustAssemble(t, "log.roll.jitter.hours=1\nlog.roll.hours=24\nlog.flush.scheduler.interval.ms=9\nbroker.id=4\nlog.dir=/x")
	c := ResolveTopic(v, nil)
	if c.SegmentJitterMs != 3_600_000 || c.SegmentMs != 86_400_000 || c.FlushMs != 9 || v.Int("node.id") != 4 || v.String("log.dirs") != "/x" {
		t.Errorf("%+v", c)
	}
	// A dynamic value of a stand-in's senior beats it, and so does a dynamic value over every static one.
	v = v.WithDynamic(map[string]string{"log.roll.ms": "77"}, nil)
	if ResolveTopic(v, nil).SegmentMs != 77 {
		t.Error("dynamic log.roll.ms does not count")
	}
}

func TestDynamicSettings(t *testing.T) {
	v := mustAssemble(t, "message.max.bytes=100")
	w := v.WithDynamic(map[string]string{"message.max.bytes": "200", "max.connections": "9"}, map[string]string{"message.max.bytes": "300"})
	if v.Int("message.max.bytes") != 100 || w.Int("message.max.bytes") != 300 || w.Int("max.connections") != 9 {
		t.Error("layers are mixed up")
	}
	if w.Source("message.max.bytes") != DynamicBrokerConfig || w.Source("max.connections") != DynamicDefaultBrokerConfig {
		t.Error("sources are wrong")
	}
	if w = w.WithDynamic(nil, nil); w.Int("message.max.bytes") != 100 {
		t.Error("old dynamic settings stay")
	}
	// What a newer version may have put into the image must not stop this one.
	odd := map[string]string{"message.max.bytes": "lots", "node.id": "9", "no.such.key": "1", "ssl.keystore.location": "/x", "log.cleaner.threads": "2"}
	if w = v.WithDynamic(odd, odd); w.Int("message.max.bytes") != 100 || w.Int("node.id") != 1 {
		t.Error("an impossible dynamic setting counts")
	}
}

func TestGettersOfDefaults(t *testing.T) {
	var v *Values
	if v.Duration("connections.max.idle.ms") != 10*time.Minute || v.Bool("auto.create.topics.enable") != true || v.String(HTTPListener) != "127.0.0.1:9094" {
		t.Error("defaults are wrong")
	}
	if _, ok := v.Lookup("broker.rack"); ok || v.String("broker.rack") != "" || v.List("advertised.listeners") != nil || v.Int64("log.retention.minutes") != 0 {
		t.Error("an unset key has a value")
	}
	if v.Duration("log.flush.interval.ms") != time.Duration(1<<63-1) || Milliseconds(-1) >= 0 {
		t.Error("durations that do not fit")
	}
	if v.Float64("log.cleaner.min.cleanable.ratio") != 0.5 || len(v.Given()) != 0 {
		t.Error("defaults are wrong")
	}
	defer func() {
		if recover() == nil {
			t.Error("an unknown name was answered")
		}
	}()
	v.String("retention.ms")
}

func TestSecretsAreNotPrinted(t *testing.T) {
	v := &Values{static: map[string]Entry{"ssl.key.password": {"ssl.key.password", "hunter2", "f"}, "odd.key": {"odd.key", "hunter2", "f"}, "node.id": {"node.id", "3", "f"}}}
	for _, s := range []string{fmt.Sprint(v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v), fmt.Sprintf("%s", v), v.LogValue().String()} {
		if strings.Contains(s, "hunter2") || !strings.Contains(s, "3") {
			t.Errorf("printed %s", s)
		}
	}
	for _, name := range []string{"ssl.keystore.password", "sasl.jaas.config", "listener.name.a.sasl.jaas.config", "my.password"} {
		if _, _, err := assemble(t, name+"=hunter2"); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	k, _ := Broker("ssl.key.password")
	if d := DescribeBroker(k, v); d.Value != "" || !d.Null || len(d.Synonyms) != 1 || d.Synonyms[0].Value != "" || !d.Synonyms[0].Null {
		t.Errorf("described as %+v", d)
	}
}

func TestContradictions(t *testing.T) {
	for text, want := range map[string]string{
		"node.id=1\nbroker.id=2":                                 "line 2: broker setting broker.id: is not the same as node.id",
		"listeners=A://h:1":                                      "line 1: broker setting listeners: listener A has no security protocol",
		"listeners=SSL://h:1":                                    "line 1: broker setting listeners: listener SSL asks for SSL, which is not supported yet",
		"listeners=PLAINTEXT://h:1,PLAINTEXT://h:2":              `line 1: broker setting listeners: "PLAINTEXT://h:1,PLAINTEXT://h:2" must be a list of`,
		"advertised.listeners=B://h:1":                           "line 1: broker setting advertised.listeners: B is not the name of one in listeners",
		"advertised.listeners=PLAINTEXT://0.0.0.0:1":             "must be a list of NAME://HOST:PORT with a host",
		"controller.listener.names=PLAINTEXT":                    "broker setting listeners: no listener is left for clients",
		"process.roles=broker":                                   "line 1: broker setting process.roles: a node is both broker and controller so far",
		"listener.security.protocol.map=PLAINTEXT:SASL_SSL":      "asks for SASL_SSL",
		"listener.security.protocol.map=PLAINTEXT:TLS":           "must be a list of NAME:PROTOCOL",
		"max.connections.per.ip.overrides=10.0.0.1":              "must be a list of ADDRESS:COUNT",
		"http.listener=9094":                                     `"9094" must be HOST:PORT or off`,
		"log.segment.bytes=1000":                                 "at least 1048576",
		"controller.quorum.bootstrap.servers=a:1,b:1":            "2 bootstrap servers are not supported yet",
		"remote.log.storage.system.enable=true":                  "tiered storage is not supported yet. Leave it at false",
		"transaction.two.phase.commit.enable=TRUE":               "two-phase commit is not supported yet. Leave it at false",
		"record.validation=full":                                 "is a setting of topics",
		"log.message.timestamp.difference.max.ms=9":              "Use log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms",
		"default.replication.factor=0":                           "must be at least 1, or -1",
		"listeners=PLAINTEXT://127.0.0.1:99999":                  "must be a list of NAME://HOST:PORT",
		"listeners=":                                             "must be a list of NAME://HOST:PORT",
		"advertised.listeners=PLAINTEXT://:9092":                 "with a host",
		"listener.name.plaintext.max.connections=3\nlisteners=x": "line 2: broker setting listeners",
		"log.dirs=": "must be a list of distinct names",
		"controller.quorum.voters=localhost:9093":   "must be a list of ID@HOST:PORT",
		"controller.quorum.bootstrap.servers=local": "must be a list of HOST:PORT",
		"controller.listener.names=A,A":             "must be a list of distinct names",
	} {
		_, _, err := assemble(t, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	for _, text := range []string{
		"node.id=2\nbroker.id=2", "remote.log.storage.system.enable=false", "security.inter.broker.protocol=PLAINTEXT", "ssl.client.auth=none",
		"controller.quorum.voters=1@localhost:9093", "listeners=PLAINTEXT://127.0.0.1:9092,V6://[::1]:9092\nlistener.security.protocol.map=plaintext:plaintext,v6:PLAINTEXT",
		"log.cleanup.policy=delete", "record.decompressed.max.bytes=1048576", "log.record.validation=full", "listeners=PLAINTEXT://127.0.0.1:0",
	} {
		if _, _, err := assemble(t, text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestListeners(t *testing.T) {
	v := mustAssemble(t, "listeners=plaintext://[::]:9092, LAN://10.0.0.5:9093\nlistener.security.protocol.map=PLAINTEXT:PLAINTEXT,LAN:PLAINTEXT\nadvertised.listeners=LAN://kafka.example:19093")
	got, err := v.Listeners()
	want := []Listener{{"PLAINTEXT", "::", 9092, "", 0}, {"LAN", "10.0.0.5", 9093, "kafka.example", 19093}}
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%+v %v", got, err)
	}
	if got[0].Address() != "[::]:9092" || !got[0].Wildcard() || got[1].Wildcard() || got[1].Loopback() {
		t.Error("address is wrong")
	}
	if l, _ := (*Values)(nil).Listeners(); len(l) != 1 || !l[0].Loopback() || l[0].Address() != "127.0.0.1:9092" {
		t.Errorf("default %+v", l)
	}
	o := mustAssemble(t, "max.connections.per.ip.overrides=10.0.0.1:5, h.example:0,[::1]:7").ConnectionOverrides()
	if len(o) != 3 || o["10.0.0.1"] != 5 || o["::1"] != 7 {
		t.Errorf("overrides %v", o)
	}
}

func FuzzAssemble(f *testing.F) {
	for _, k := range BrokerKeys() {
		f.Add(k.Name, k.Default)
	}
	f.Add("listeners", "PLAINTEXT://[::1]:9092,X://:1")
	f.Add("listener.name.x", ":")
	f.Add("max.connections.per.ip.overrides", ":1,a:")
	f.Fuzz(func(t *testing.T, key, value string) {
		v, _, err := Assemble([]Entry{{key, value, "f line 1"}})
		if err != nil {
			if k, ok := Broker(key); ok && k.Secret && len(value) > 8 && strings.Contains(err.Error(), value) {
				t.Fatalf("a secret is in %v", err)
			}
			return
		}
		k, ok := Broker(key)
		if !ok {
			t.Fatalf("%q is no key and was taken", key)
		}
		_ = ResolveTopic(v, nil)
		_ = v.ConnectionOverrides()
		_ = DescribeBroker(k, v)
		n, err := k.Normal(value)
		if again, err2 := k.Normal(n); err != nil || err2 != nil || again != n {
			t.Fatalf("%q normal %q, again %q", value, n, again)
		}
	})
}
