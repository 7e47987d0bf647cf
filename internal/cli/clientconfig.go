package cli

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/magiconair/properties"
)

// clientKey is one of Kafka's client property names as we honour it.
type clientKey struct {
	name  string
	check func(value string) error
}

// clientKeys lists the properties that mean something here, by name. What they do is in clientoptions.go.
func clientKeys() []clientKey {
	var (
		boolean  = oneOf("true", "false")
		ms       = number(0, math.MaxInt64/int64(time.Millisecond))
		anything = func(string) error { return nil }
	)
	return []clientKey{
		{"acks", oneOf("all", "-1", "0", "1")},
		{"auto.commit.interval.ms", ms},
		{"auto.offset.reset", offsetReset},
		{"batch.size", number(1, 1<<30)},
		{"bootstrap.servers", addresses},
		{"buffer.memory", number(1, math.MaxInt64)},
		{"check.crcs", boolean},
		{"client.id", anything},
		{"client.rack", anything},
		{"compression.type", oneOf("none", "gzip", "snappy", "lz4", "zstd")},
		{"connections.max.idle.ms", ms},
		{"delivery.timeout.ms", number(1, math.MaxInt32)},
		{"enable.idempotence", boolean},
		{"enable.metrics.push", boolean},
		{"fetch.max.bytes", number(1, math.MaxInt32)},
		{"fetch.max.wait.ms", number(1, math.MaxInt32)},
		{"fetch.min.bytes", number(0, math.MaxInt32)},
		{"group.instance.id", anything},
		{"group.protocol", oneOf("classic", "consumer", "CLASSIC", "CONSUMER")},
		{"group.remote.assignor", oneOf("uniform", "range")},
		{"heartbeat.interval.ms", number(1, math.MaxInt32)},
		{"isolation.level", oneOf("read_uncommitted", "read_committed")},
		{"linger.ms", ms},
		{"max.in.flight.requests.per.connection", number(1, 1<<20)},
		{"max.partition.fetch.bytes", number(1, math.MaxInt32)},
		{"max.poll.interval.ms", number(1, math.MaxInt32)},
		{"max.request.size", number(512, 1<<30)},
		{"metadata.max.age.ms", number(1000, math.MaxInt32)},
		{"partition.assignment.strategy", assignors},
		{"request.timeout.ms", number(100, 15*60*1000)},
		{"retries", number(0, math.MaxInt32)},
		{"retry.backoff.max.ms", ms},
		{"retry.backoff.ms", ms},
		{"sasl.jaas.config", jaas},
		{"sasl.mechanism", oneOf("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")},
		{"security.protocol", oneOf("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")},
		{"session.timeout.ms", number(1, math.MaxInt32)},
		{"socket.connection.setup.timeout.ms", number(1, math.MaxInt32)},
		{"ssl.enabled.protocols", tlsVersions},
		{"ssl.endpoint.identification.algorithm", oneOf("https", "HTTPS", "")},
		{"ssl.keystore.certificate.chain", anything},
		{"ssl.keystore.key", anything},
		{"ssl.keystore.location", anything},
		{"ssl.keystore.type", pemOnly},
		{"ssl.truststore.certificates", anything},
		{"ssl.truststore.location", anything},
		{"ssl.truststore.type", pemOnly},
	}
}

// inertClientKeys mean something in a Java program only, or are what a flag says here; they are accepted with one notice.
var inertClientKeys = []string{
	"allow.auto.create.topics", "auto.include.jmx.reporter",
	"client.dns.lookup", "default.api.timeout.ms", "enable.auto.commit", "exclude.internal.topics", "group.id",
	"interceptor.classes",
	"key.deserializer", "key.serializer", "max.block.ms", "max.poll.records",
	"metadata.max.idle.ms", "metadata.recovery.strategy", "metadata.recovery.rebootstrap.trigger.ms",
	"metric.reporters", "metrics.num.samples", "metrics.recording.level", "metrics.sample.window.ms",
	"partitioner.adaptive.partitioning.enable", "partitioner.availability.timeout.ms",
	"partitioner.class", "partitioner.ignore.keys", "receive.buffer.bytes", "reconnect.backoff.max.ms",
	"reconnect.backoff.ms", "security.providers", "send.buffer.bytes",
	"socket.connection.setup.timeout.max.ms", "ssl.protocol", "ssl.provider",
	"transaction.timeout.ms", "value.deserializer", "value.serializer",
}

// refusedClientKeys would change what is promised if they were ignored; each says what to do instead.
var refusedClientKeys = map[string]string{
	"transactional.id":        "only `holdfast produce --txn ID` sends in transactions; remove it",
	"ssl.truststore.password": "a PEM truststore has no password; convert it to PEM and remove this",
	"ssl.keystore.password":   "use a PEM keystore with an unencrypted key, and remove this",
	"ssl.key.password":        "use an unencrypted PEM key, and remove this",
}

// clientSettings holds client properties by Kafka's names, from the file and then from flags.
type clientSettings map[string]string

// loadClientConfig reads a file of Kafka client properties. All faults of the file are reported at once.
func loadClientConfig(path string) (clientSettings, []string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, usage("Give --client-config a file of Kafka client properties.", "cannot read the client configuration: %v", err)
	}
	loader := properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}
	props, err := loader.LoadBytes(text)
	if err != nil {
		return nil, nil, usage("It is a file of lines name=value.", "%s is not a properties file: %v", path, err)
	}
	settings, inert := clientSettings{}, []string(nil)
	var faults []error
	for _, name := range props.Keys() {
		value := strings.TrimSpace(props.GetString(name, ""))
		if isInertClientKey(name) {
			inert = append(inert, name)
			continue
		}
		if err := settings.set(name, value); err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) > 0 {
		return nil, nil, usage("", "%s: %v", path, errors.Join(faults...))
	}
	return settings, inert, nil
}

func isInertClientKey(name string) bool {
	if slices.Contains(inertClientKeys, name) {
		return true
	}
	return strings.HasPrefix(name, "sasl.login.") || strings.HasPrefix(name, "sasl.kerberos.") || strings.HasPrefix(name, "sasl.client.callback")
}

// set checks one property and keeps it.
func (s clientSettings) set(name, value string) error {
	if why, ok := refusedClientKeys[name]; ok {
		return fmt.Errorf("client setting %s: %s", name, why)
	}
	keys := clientKeys()
	i := slices.IndexFunc(keys, func(k clientKey) bool { return k.name == name })
	if i < 0 {
		names := slices.Clone(inertClientKeys)
		for _, k := range keys {
			names = append(names, k.name)
		}
		return errors.New(strings.TrimSpace(fmt.Sprintf("client setting %q does not exist. %s", name, didYouMean(name, names))))
	}
	if err := keys[i].check(value); err != nil {
		return fmt.Errorf("client setting %s=%s: %w", name, value, err)
	}
	s[name] = value
	return nil
}

// int returns a numeric setting; its range was checked when it was set.
func (s clientSettings) int(name string, otherwise int64) int64 {
	n, err := strconv.ParseInt(s[name], 10, 64)
	if err != nil {
		return otherwise
	}
	return n
}

func (s clientSettings) duration(name string, otherwise time.Duration) time.Duration {
	return time.Duration(s.int(name, otherwise.Milliseconds())) * time.Millisecond
}

func oneOf(allowed ...string) func(string) error {
	return func(v string) error {
		if slices.Contains(allowed, v) {
			return nil
		}
		return fmt.Errorf("must be one of %s", strings.Join(allowed, ", "))
	}
}

func number(least, most int64) func(string) error {
	return func(v string) error {
		if n, err := strconv.ParseInt(v, 10, 64); err != nil || n < least || n > most {
			return fmt.Errorf("must be a whole number from %d to %d", least, most)
		}
		return nil
	}
}

func pemOnly(v string) error {
	if v == "PEM" {
		return nil
	}
	return errors.New("only PEM can be read here (keytool -exportcert -rfc writes it)")
}
