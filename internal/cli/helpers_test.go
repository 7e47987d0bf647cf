package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// result is what one run of a command left.
type result struct {
	code     int
	out, err string
}

// lines are the lines of standard output.
func (r result) lines() []string {
	if r.out == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
}

// fakeCluster starts a Kafka imitation that ends with the test.
func fakeCluster(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// holdfast runs one command in-process; brokers may be "" for commands that need none.
func holdfast(t *testing.T, brokers, stdin string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	env := Env{In: strings.NewReader(stdin), Out: &out, Err: &errs, Getenv: func(name string) string {
		if name == "HOLDFAST_BOOTSTRAP" {
			return brokers
		}
		return ""
	}}
	code := Run(t.Context(), env, args)
	return result{code, out.String(), errs.String()}
}

// want fails the test unless the run ended with this code; it returns the run for further looks.
func (r result) want(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code %d, want %d\nout: %s\nerr: %s", r.code, code, r.out, r.err)
	}
	return r
}

func brokersOf(c *kfake.Cluster) string { return strings.Join(c.ListenAddrs(), ",") }

// commitTransaction writes a record and the mark that commits it.
func commitTransaction(t *testing.T, brokers, topic, value string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...), kgo.TransactionalID("test"), kgo.DefaultProduceTopic(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	err = cl.BeginTransaction()
	if err == nil {
		err = cl.ProduceSync(t.Context(), kgo.StringRecord(value)).FirstErr()
	}
	if err == nil {
		err = cl.EndTransaction(t.Context(), kgo.TryCommit)
	}
	if err != nil {
		t.Fatal(err)
	}
}
