package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

func TestClientConfig(t *testing.T) {
	for _, c := range []struct{ text, says string }{ // says "" is a good file
		{"bootstrap.servers=a:1,b:2\nacks=1\nlinger.ms=7\n", ""},
		{"key.serializer=org.apache.Foo\ngroup.id=g\nsasl.login.class=x\n", ""},
		{"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=x required username=\"u\" password=\"p\\\"q\";\n", ""},
		{"bootstrap.servers=a\n", "not HOST:PORT"},
		{"acks=3\nlinger.msec=1\n", "linger.msec"},
		{"acks=3\nlinger.msec=1\n", "acks=3"},
		{"security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\n", "needs a user and a password"},
		{"security.protocol=SASL_PLAINTEXT\nsasl.jaas.config=username='u' password='p'\n", "needs a mechanism"},
		{"sasl.mechanism=GSSAPI\n", "must be one of PLAIN"},
		{"ssl.truststore.type=JKS\n", "only PEM"},
		{"ssl.truststore.password=x\n", "PEM truststore has no password"},
		{"security.protocol=SSL\nssl.truststore.certificates=none\n", "holds no certificate"},
		{"security.protocol=SSL\nssl.truststore.location=/nonexistent\n", "no such file"},
		{"acks=1\nenable.idempotence=true\n", "needs acks=all"},
		{"transactional.id=t\n", "transactions"},
	} {
		path := filepath.Join(t.TempDir(), "client.properties")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		settings, _, err := loadClientConfig(path)
		if err == nil {
			_, err = settings.options()
		}
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%q: %v", c.text, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%q: %v, want %q", c.text, err, c.says)
		}
	}
}

// Every property we list can be set to something, and no name is in two lists.
func TestClientKeysAreDisjoint(t *testing.T) {
	seen := map[string]bool{}
	names := append([]string(nil), inertClientKeys...)
	for _, k := range clientKeys() {
		names = append(names, k.name)
	}
	for name := range refusedClientKeys { // order-free
		names = append(names, name)
	}
	for _, name := range names {
		if seen[name] {
			t.Errorf("%s is listed twice", name)
		}
		seen[name] = true
	}
}

func TestSASL(t *testing.T) {
	cluster := fakeCluster(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "alice", "secret"))
	for password, code := range map[string]int{"secret": exitDone, "wrong": exitFailed} {
		path := filepath.Join(t.TempDir(), "client.properties")
		text := "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-256\n" +
			`sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="alice" password="` + password + `";`
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := holdfast(t, brokersOf(cluster), "", "topic", "list", "--client-config", path).want(t, code)
		if code != exitDone && !strings.Contains(r.err, "sasl.jaas.config") {
			t.Errorf("does not say where to look: %s", r.err)
		}
	}
}
