package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"holdfast/internal/verify/workload"
)

// Kafka's own defaults, where the client library has others.
const (
	defaultDeliveryTimeout = 2 * time.Minute
	defaultRequestTimeout  = 30 * time.Second
	defaultDialTimeout     = 10 * time.Second
)

// options turns the settings into options of the client library.
func (s clientSettings) options() ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.ClientID("holdfast-cli"),
		kgo.SoftwareNameAndVersion("holdfast", softwareVersion()),
		kgo.RetryTimeout(s.duration("request.timeout.ms", defaultRequestTimeout)),
	}
	if id, ok := s["client.id"]; ok {
		opts = append(opts, kgo.ClientID(id))
	}
	if s["enable.metrics.push"] == "false" {
		opts = append(opts, kgo.DisableClientMetrics())
	}
	if _, ok := s["connections.max.idle.ms"]; ok {
		opts = append(opts, kgo.ConnIdleTimeout(s.duration("connections.max.idle.ms", 0)))
	}
	opts = append(opts, s.backoffOptions()...)
	opts = append(opts, s.fetchOptions()...)
	produce, err := s.produceOptions()
	if err != nil {
		return nil, err
	}
	secure, err := s.securityOptions()
	if err != nil {
		return nil, err
	}
	return append(append(opts, produce...), secure...), nil
}

// backoffOptions sets how soon something is tried again. Every retry of a record asks for metadata first, so the shortest
// time between two of those is part of it: the library's own, 2.5 s, would make each retry that slow.
func (s clientSettings) backoffOptions() []kgo.Opt {
	first := max(s.duration("retry.backoff.ms", 100*time.Millisecond), 10*time.Millisecond)
	most := max(s.duration("retry.backoff.max.ms", time.Second), first)
	return []kgo.Opt{
		kgo.MetadataMinAge(first),
		kgo.MetadataMaxAge(max(s.duration("metadata.max.age.ms", 5*time.Minute), first)),
		kgo.RetryBackoffFn(func(failures int) time.Duration {
			wait := first << min(max(failures-1, 0), 16)
			wait = min(wait, most)
			return wait - time.Duration(rand.Int64N(int64(wait/5)+1)) // so that many clients do not return together
		}),
	}
}

func (s clientSettings) fetchOptions() []kgo.Opt {
	opts := []kgo.Opt{kgo.FetchMaxWait(s.duration("fetch.max.wait.ms", 500*time.Millisecond))}
	if _, ok := s["fetch.min.bytes"]; ok {
		opts = append(opts, kgo.FetchMinBytes(int32(s.int("fetch.min.bytes", 1))))
	}
	if _, ok := s["fetch.max.bytes"]; ok {
		size := int32(s.int("fetch.max.bytes", 0))
		opts = append(opts, kgo.FetchMaxBytes(size), kgo.BrokerMaxReadBytes(max(2*min(size, 1<<29), 100<<20)))
	}
	if _, ok := s["max.partition.fetch.bytes"]; ok {
		opts = append(opts, kgo.FetchMaxPartitionBytes(int32(s.int("max.partition.fetch.bytes", 0))))
	}
	if s["isolation.level"] == "read_committed" {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	if s["check.crcs"] == "false" {
		opts = append(opts, kgo.DisableFetchCRCValidation())
	}
	if rack, ok := s["client.rack"]; ok {
		opts = append(opts, kgo.Rack(rack))
	}
	return opts
}

// deliveryTimeout is how long a record may take from being handed over to its outcome.
func (s clientSettings) deliveryTimeout() time.Duration {
	return s.duration("delivery.timeout.ms", defaultDeliveryTimeout)
}

func (s clientSettings) produceOptions() ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.ProduceRequestTimeout(min(s.duration("request.timeout.ms", defaultRequestTimeout), s.deliveryTimeout())),
		kgo.ProducerLinger(s.duration("linger.ms", 5*time.Millisecond)),
		kgo.ProducerBatchMaxBytes(int32(s.int("max.request.size", s.int("batch.size", 1<<20)))),
	}
	if n := s.int("retries", math.MaxInt32); n < math.MaxInt32 {
		opts = append(opts, kgo.RecordRetries(int(n)))
	}
	if _, ok := s["buffer.memory"]; ok {
		opts = append(opts, kgo.MaxBufferedBytes(int(s.int("buffer.memory", 0))))
	}
	opts = append(opts, kgo.ProducerBatchCompression(workload.Codec(s["compression.type"])))
	return s.acksOptions(opts)
}

// acksOptions adds acks and idempotence, which go together: only acks=all can be idempotent, and it is unless refused.
func (s clientSettings) acksOptions(opts []kgo.Opt) ([]kgo.Opt, error) {
	acks, all := s["acks"], true
	switch acks {
	case "0":
		opts, all = append(opts, kgo.RequiredAcks(kgo.NoAck())), false
	case "1":
		opts, all = append(opts, kgo.RequiredAcks(kgo.LeaderAck())), false
	default:
		opts = append(opts, kgo.RequiredAcks(kgo.AllISRAcks()))
	}
	if !all && s["enable.idempotence"] == "true" {
		return nil, usage("Use acks=all, or enable.idempotence=false.", "an idempotent producer needs acks=all, not acks=%s", acks)
	}
	if id := s["transactional.id"]; id != "" { // set by produce --txn
		if s["enable.idempotence"] == "false" {
			return nil, usage("Leave enable.idempotence out.", "transactions need an idempotent producer")
		}
		return append(opts, kgo.TransactionalID(id)), nil
	}
	if all && s["enable.idempotence"] != "false" {
		// Without this a record in flight outlives its delivery timeout; with it, it ends as "unknown".
		return append(opts, kgo.AllowIdempotentProduceCancellation()), nil
	}
	inflight := int(s.int("max.in.flight.requests.per.connection", 1)) // one keeps the order across retries
	return append(opts, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(inflight)), nil
}

// securityOptions adds the way of connecting: plain or TLS, and SASL.
func (s clientSettings) securityOptions() ([]kgo.Opt, error) {
	dial, err := s.dialer()
	if err != nil {
		return nil, err
	}
	opts := []kgo.Opt{kgo.Dialer(dial)}
	protocol := s["security.protocol"]
	if !strings.HasPrefix(protocol, "SASL_") {
		return opts, nil
	}
	user, pass, ok := parseJAAS(s["sasl.jaas.config"])
	if !ok {
		return nil, usage(`Add sasl.jaas.config=… required username="NAME" password="…";`, "security.protocol=%s needs a user and a password", protocol)
	}
	switch s["sasl.mechanism"] {
	case "PLAIN":
		opts = append(opts, kgo.SASL(plain.Auth{User: user, Pass: pass}.AsMechanism()))
	case "SCRAM-SHA-256":
		opts = append(opts, kgo.SASL(scram.Auth{User: user, Pass: pass}.AsSha256Mechanism()))
	case "SCRAM-SHA-512":
		opts = append(opts, kgo.SASL(scram.Auth{User: user, Pass: pass}.AsSha512Mechanism()))
	default:
		return nil, usage("Add sasl.mechanism=PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.", "security.protocol=%s needs a mechanism", protocol)
	}
	return opts, nil
}

// dialer connects to a broker, with TLS where security.protocol asks for it.
func (s clientSettings) dialer() (workload.Dial, error) {
	plain := &net.Dialer{Timeout: s.duration("socket.connection.setup.timeout.ms", defaultDialTimeout)}
	if !strings.HasSuffix(s["security.protocol"], "SSL") {
		return plain.DialContext, nil
	}
	config, err := s.tlsConfig()
	if err != nil {
		return nil, err
	}
	return (&tls.Dialer{NetDialer: plain, Config: config}).DialContext, nil // takes the server's name from the address
}

// tlsConfig reads the trusted certificates and the client's own, all PEM, inline or from a file.
func (s clientSettings) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if s["ssl.enabled.protocols"] == "TLSv1.3" {
		config.MinVersion = tls.VersionTLS13
	}
	trusted, err := s.pem("ssl.truststore.certificates", "ssl.truststore.location")
	if err != nil {
		return nil, err
	}
	if trusted != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(trusted) {
			return nil, usage("It must hold PEM blocks: -----BEGIN CERTIFICATE-----.", "the truststore holds no certificate")
		}
	}
	if err := s.clientCertificate(config); err != nil {
		return nil, err
	}
	if algorithm, ok := s["ssl.endpoint.identification.algorithm"]; ok && algorithm == "" {
		skipHostCheck(config)
	}
	return config, nil
}

func (s clientSettings) clientCertificate(config *tls.Config) error {
	chain, err := s.pem("ssl.keystore.certificate.chain", "ssl.keystore.location")
	if err != nil || chain == nil {
		return err
	}
	key := chain // a PEM keystore file holds both
	if inline := s["ssl.keystore.key"]; inline != "" {
		key = []byte(inline)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return usage("It must hold the certificate chain and an unencrypted key, both PEM.", "the keystore cannot be used: %v", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return nil
}

func (s clientSettings) pem(inline, file string) ([]byte, error) {
	if text := s[inline]; text != "" {
		return []byte(text), nil
	}
	if s[file] == "" {
		return nil, nil
	}
	text, err := os.ReadFile(s[file])
	if err != nil {
		return nil, usage("", "%s: %v", file, err)
	}
	return text, nil
}

// skipHostCheck verifies the chain but not the name, which is what Kafka's empty identification algorithm means.
func skipHostCheck(config *tls.Config) {
	roots := config.RootCAs
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(state tls.ConnectionState) error {
		between := x509.NewCertPool()
		for _, c := range state.PeerCertificates[1:] {
			between.AddCert(c)
		}
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
		return err
	}
}

var jaasField = regexp.MustCompile(`\b(username|password)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)')`)

// parseJAAS takes the user and password out of Kafka's sasl.jaas.config.
func parseJAAS(text string) (user, pass string, ok bool) {
	found := map[string]string{}
	for _, m := range jaasField.FindAllStringSubmatch(text, -1) {
		found[m[1]] = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(m[2] + m[3])
	}
	return found["username"], found["password"], len(found) == 2
}

func jaas(v string) error {
	if _, _, ok := parseJAAS(v); !ok {
		return errors.New(`must name username="…" and password="…"`)
	}
	return nil
}

func tlsVersions(v string) error {
	for _, version := range strings.Split(v, ",") {
		if version = strings.TrimSpace(version); version != "TLSv1.2" && version != "TLSv1.3" {
			return fmt.Errorf("%s is not offered; use TLSv1.2, TLSv1.3 or both", version)
		}
	}
	return nil
}

func addresses(v string) error {
	for _, address := range strings.Split(v, ",") {
		if err := checkAddress(strings.TrimSpace(address)); err != nil {
			return err
		}
	}
	return nil
}

func assignors(v string) error {
	for _, name := range strings.Split(v, ",") {
		if assignorName(name) == "" {
			return fmt.Errorf("%s is no assignor here; use range, roundrobin, sticky, cooperative-sticky or the names of Kafka's classes", strings.TrimSpace(name))
		}
	}
	return nil
}

func offsetReset(v string) error {
	if span, ok := strings.CutPrefix(v, "by_duration:"); ok {
		_, err := parseSpan(span)
		return err
	}
	return oneOf("earliest", "latest", "none")(v)
}
