package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	defaultBootstrap = "127.0.0.1:9092"

	// Where a command works; each command's help carries exactly one of these.
	anyCluster   = "Works against any Kafka cluster."
	holdfastOnly = "Holdfast only."
	noCluster    = "Needs no cluster."
)

// clientFlags are the flags of every command that talks to a cluster.
type clientFlags struct {
	app       *app
	bootstrap string
	file      string
	timeout   time.Duration
}

// addClientFlags declares the flags on cmd and appends where the command works to its help.
func (a *app) addClientFlags(cmd *cobra.Command, where string) *clientFlags {
	f := &clientFlags{app: a}
	cmd.Long = strings.TrimSpace(cmd.Long+"\n\n"+where) + "\n"
	cmd.Flags().StringVarP(&f.bootstrap, "bootstrap", "b", "", "brokers to ask first, HOST:PORT[,…] (default "+defaultBootstrap+", or $HOLDFAST_BOOTSTRAP)")
	cmd.Flags().StringVar(&f.file, "client-config", "", "file of Kafka client properties (security.protocol, sasl.*, ssl.*, acks, …)")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "give up a request for administration or metadata after this long")
	return f
}

// settings are the properties of the file with the flags on top, and the brokers to ask.
func (f *clientFlags) settings() (clientSettings, error) {
	settings := clientSettings{}
	if f.file != "" {
		loaded, inert, err := loadClientConfig(f.file)
		if err != nil {
			return nil, err
		}
		if len(inert) > 0 {
			f.app.notice("%s: no meaning here, ignored: %s", f.file, strings.Join(inert, ", "))
		}
		settings = loaded
	}
	bootstrap := f.bootstrap
	if bootstrap == "" && settings["bootstrap.servers"] == "" {
		bootstrap = f.app.env.Getenv("HOLDFAST_BOOTSTRAP")
		if bootstrap == "" {
			bootstrap = defaultBootstrap
		}
	}
	if bootstrap != "" {
		if err := settings.set("bootstrap.servers", bootstrap); err != nil {
			return nil, usage("Use --bootstrap HOST:PORT[,HOST:PORT].", "cannot use %q as brokers: %v", bootstrap, errors.Unwrap(err))
		}
	}
	return settings, nil
}

// client is a connection to a cluster.
type client struct {
	*kgo.Client
	admin    *kadm.Client
	settings clientSettings
	timeout  time.Duration
}

// connect opens a client and proves that a broker answers, so that every command fails early and in the same words.
func (f *clientFlags) connect(ctx context.Context, settings clientSettings, extra ...kgo.Opt) (*client, error) {
	opts, err := settings.options()
	if err != nil {
		return nil, err
	}
	opts = append(opts, kgo.SeedBrokers(settings.brokers()...))
	kc, err := kgo.NewClient(append(opts, extra...)...)
	if err != nil {
		return nil, usage("", "the client cannot be set up: %v", err)
	}
	c := &client{Client: kc, admin: kadm.NewClient(kc), settings: settings, timeout: f.timeout}
	c.admin.SetTimeoutMillis(int32(f.timeout.Milliseconds()))
	ping, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	if err := kc.Ping(ping); err != nil {
		kc.Close()
		return nil, c.explain(err, "reach the cluster")
	}
	return c, nil
}

// open is settings and connect in one, for commands that add nothing.
func (f *clientFlags) open(ctx context.Context) (*client, error) {
	settings, err := f.settings()
	if err != nil {
		return nil, err
	}
	return f.connect(ctx, settings)
}

// bounded gives one administrative exchange its time-out.
func (c *client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.timeout)
}

func (s clientSettings) brokers() []string {
	list := strings.Split(s["bootstrap.servers"], ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// explain turns an error of an exchange into one that says what to do. doing completes "could not …".
func (c *client) explain(err error, doing string) error {
	at := c.settings["bootstrap.servers"]
	var dns *net.DNSError
	var first *kgo.ErrFirstReadEOF
	var unverified *tls.CertificateVerificationError
	var stranger x509.UnknownAuthorityError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return failed(err, "Start a broker with `holdfast serve`, or name a running one with --bootstrap HOST:PORT.", "no broker answers at %s: connection refused", at)
	case errors.As(err, &dns):
		return failed(err, "Check the name, or give an address with --bootstrap HOST:PORT.", "cannot find the host %s: %v", dns.Name, dns.Err)
	case errors.As(err, &first), errors.Is(err, io.EOF):
		return failed(err, "The listener may want TLS or a login: see security.protocol and sasl.jaas.config in --client-config.", "could not %s: %s closed the connection without an answer", doing, at)
	case errors.As(err, &unverified), errors.As(err, &stranger):
		return failed(err, "Put the certificate of the brokers' authority (PEM) where ssl.truststore.location says, and connect by a name that is in their certificate.",
			"could not %s: the certificate of %s is not trusted: %v", doing, at, err)
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return failed(err, "Check the user and password of sasl.jaas.config, and sasl.mechanism.", "%s refused the login: %v", at, err)
	case errors.Is(err, context.Canceled):
		return failed(err, "", "could not %s: interrupted", doing)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return failed(err, "Give it longer with --timeout, or see whether the brokers are well.", "could not %s: no answer from %s within %s", doing, at, c.timeout)
	}
	return failed(err, "", "could not %s: %s", doing, kafkaError(err))
}

// kafkaError is a Kafka error as "CODE: what it means"; other errors are themselves.
func kafkaError(err error) string {
	var ke *kerr.Error
	if errors.As(err, &ke) {
		return fmt.Sprintf("%s: %s", ke.Message, strings.TrimSuffix(ke.Description, "."))
	}
	return err.Error()
}

func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not HOST:PORT", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || host == "" {
		return fmt.Errorf("%q is not HOST:PORT", address)
	}
	return nil
}
